"""Roads of OpenStreetMap: an Overpass that answers, is overloaded, or cannot; and extracts read by GDAL."""

import json
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from lulc_kit.download import osm
from lulc_kit.errors import GridError, LulcError
from tests.scene import REPOSITORY

pytestmark = pytest.mark.usefixtures("impatient")

BOX = (116.8, 34.0, 117.6, 34.6)
ROADS = {  # id: highway, line in degrees
    1: ("primary", [(116.81, 34.01), (116.85, 34.02)]),
    2: ("residential", [(117.5, 34.5), (117.52, 34.55)]),
    3: ("motorway", [(116.9, 34.1), (117.5, 34.5)]),  # through all quarters that lie on its way
}


def overpass(box: list[float], highways: dict[int, Any] = ROADS) -> dict[str, Any]:
    """Answer as Overpass does: whole ways that meet the box (south, west, north, east)."""
    area = shapely.box(box[1], box[0], box[3], box[2])
    return {
        "version": 0.6,
        "elements": [
            {"type": "way", "id": number, "tags": {"highway": kind, "name": f"路 {number}"}}
            | {"geometry": [{"lat": y, "lon": x} for x, y in line]}
            for number, (kind, line) in highways.items()
            if shapely.LineString(line).intersects(area)
        ],
    }


def box_of(request: Request) -> list[float]:
    """Return the box of a query in Overpass QL."""
    query = urllib.parse.parse_qs(request.get_data(as_text=True))["data"][0]
    assert "[out:json]" in query and "way[highway]" in query
    return [float(v) for v in re.findall(r"\(([^)]*)\)", query)[-1].split(",")]


def fetch(httpserver: HTTPServer, answer: Callable[[Request], Response], folder: Path, box: osm.Box = BOX) -> Path:
    """Fetch roads from a server that answers so."""
    httpserver.expect_request("/api/interpreter", method="POST").respond_with_handler(answer)
    return osm.fetch(box, folder / "roads.gpkg")


@pytest.fixture(autouse=True)
def here(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LULC_OVERPASS", httpserver.url_for("/api/interpreter"))


def good(request: Request) -> Response:
    return Response(json.dumps(overpass(box_of(request))), mimetype="application/json")


def test_roads_arrive_as_a_geopackage_with_their_kind(httpserver: HTTPServer, tmp_path: Path) -> None:
    path = fetch(httpserver, good, tmp_path)
    found = gpd.read_file(path, layer="roads")
    assert found.crs.to_epsg() == 4326
    assert dict(zip(found["osm_id"], found["highway"], strict=True)) == {str(k): v[0] for k, v in ROADS.items()}
    assert found["name"].tolist() == ["路 1", "路 2", "路 3"]
    assert [list(line.coords) for line in found.geometry] == [line for _, line in ROADS.values()]
    ((request, _),) = httpserver.log
    assert box_of(request) == [34.0, 116.8, 34.6, 117.6]
    assert request.headers["User-Agent"] == "lulc_kit"
    osm.fetch(BOX, path)
    assert len(httpserver.log) == 1  # what is there is not asked for again
    osm.fetch((116.8, 34.0, 116.9, 34.1), path)
    assert gpd.read_file(path)["osm_id"].tolist() == ["1", "3"]


@pytest.mark.parametrize(
    "fault",
    [
        Response("", 429),
        Response("The server is probably too busy to handle your request.", 504),
        Response("<html><body>Dispatcher_Client::request_read_and_idx::timeout</body></html>", 200),
        Response('{"elements": [], "remark": "runtime error: open64: 0 Success /osm3s_osm_base"}', 200),
    ],
    ids=["429", "504", "html with status 200", "remark"],
)
def test_an_overloaded_server_is_asked_again(httpserver: HTTPServer, tmp_path: Path, fault: Response) -> None:
    faults = [fault, fault]
    path = fetch(httpserver, lambda request: faults.pop() if faults else good(request), tmp_path)
    assert len(gpd.read_file(path)) == 3


def test_half_a_result_with_a_remark_never_counts_and_the_box_is_quartered(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    """Overpass gives what it has and says ``runtime error`` with status 200: here for boxes wider than half."""

    def answer(request: Request) -> Response:
        box = box_of(request)
        found = overpass(box)
        if box[3] - box[1] > 0.41:
            found["elements"] = found["elements"][:1]
            found["remark"] = 'runtime error: Query timed out in "query" at line 1 after 181 seconds.'
        return Response(json.dumps(found))

    path = fetch(httpserver, answer, tmp_path)
    found = gpd.read_file(path)
    assert sorted(found["osm_id"]) == ["1", "2", "3"]  # each once, also where it crosses quarters
    assert len(httpserver.log) == 5


def test_what_no_quarter_makes_small_enough_is_an_error(httpserver: HTTPServer, tmp_path: Path) -> None:
    def answer(request: Request) -> Response:
        return Response('{"elements": [], "remark": "runtime error: Query run out of memory using about 512 MB"}')

    with pytest.raises(LulcError, match=r"cannot cope with the roads of 116\.8000.*out of memory"):
        fetch(httpserver, answer, tmp_path)
    assert len(httpserver.log) == 1 + osm.DEPTH
    assert list(tmp_path.iterdir()) == []


def test_no_road_there(httpserver: HTTPServer, tmp_path: Path) -> None:
    with pytest.raises(GridError, match=r"no road in 116\.8000–117\.6000° E.*roads: null"):
        fetch(httpserver, lambda request: Response('{"elements": []}'), tmp_path)


def test_a_refused_query_is_an_error_at_once(httpserver: HTTPServer, tmp_path: Path) -> None:
    with pytest.raises(LulcError, match="Overpass refuses: status 400"):
        fetch(httpserver, lambda request: Response("parse error", 400), tmp_path)
    assert len(httpserver.log) == 1


RIVER = {4: (("waterway", "river"), [(116.9, 34.2), (117.0, 34.2)])}
LINES = {k: (("highway", kind), line) for k, (kind, line) in ROADS.items()} | RIVER


def xml(folder: Path) -> Path:
    """Write the roads, and a river, as OpenStreetMap's XML."""
    nodes, ways = [], []
    for number, ((key, value), line) in LINES.items():
        refs = [number * 10 + k for k in range(len(line))]
        nodes += [f"<node id='{r}' version='1' lat='{y}' lon='{x}'/>" for r, (x, y) in zip(refs, line, strict=True)]
        inner = "".join(f"<nd ref='{r}'/>" for r in refs) + f"<tag k='{key}' v='{value}'/>"
        ways.append(f"<way id='{number}' version='1'>{inner}</way>")
    path = folder / "extract.osm"
    path.write_text(f"<?xml version='1.0'?><osm version='0.6'>{''.join(nodes + ways)}</osm>", encoding="utf-8")
    return path


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def signed(number: int) -> int:
    """Return a number as Protocol Buffers write it with its sign (zigzag)."""
    return number * 2 if number >= 0 else -2 * number - 1


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def pbf(folder: Path) -> Path:
    """Write the same as ``.osm.pbf``, uncompressed, by hand after the format's description (wiki: PBF Format)."""
    words = [b"", *sorted({w.encode() for tag, _ in LINES.values() for w in tag})]
    nodes, ways = b"", b""
    for number, (tag, line) in LINES.items():
        for k, (x, y) in enumerate(line):
            place = field(8, signed(round(y * 1e7))) + field(9, signed(round(x * 1e7)))  # in 100 nanodegrees
            nodes += field(1, field(1, signed(number * 10 + k)) + place)
        key, value = (varint(words.index(w.encode())) for w in tag)
        refs = b"".join(varint(signed(d)) for d in [number * 10, *[1] * (len(line) - 1)])
        ways += field(3, field(1, number) + field(2, key) + field(3, value) + field(8, refs))
    data = field(1, b"".join(field(1, w) for w in words)) + field(2, nodes) + field(2, ways)
    path = folder / "extract.osm.pbf"
    with path.open("wb") as file:
        for kind, block in ((b"OSMHeader", field(4, b"OsmSchema-V0.6")), (b"OSMData", data)):
            blob = field(1, block)
            header = field(1, kind) + field(3, len(blob))
            file.write(len(header).to_bytes(4, "big") + header + blob)
    return path


@pytest.mark.parametrize("write", [xml, pbf])
def test_an_extract_gives_its_roads_and_nothing_else(write: Callable[[Path], Path], tmp_path: Path) -> None:
    path = osm.cut(write(tmp_path), (116.8, 34.0, 117.0, 34.3), tmp_path / "roads.gpkg")
    found = gpd.read_file(path)
    assert dict(zip(found["osm_id"], found["highway"], strict=True)) == {"1": "primary", "3": "motorway"}
    with pytest.raises(GridError, match="no road"):
        osm.cut(write(tmp_path), (10, 10, 11, 11), tmp_path / "none.gpkg")


@pytest.mark.shared
def test_real_roads_of_openstreetmap_as_overpass_would_give_them(httpserver: HTTPServer, tmp_path: Path) -> None:
    """2143 real roads of Rwanda, asked for in parts: those that meet the box are what GeoPandas finds there."""
    real = gpd.read_file(REPOSITORY.parent / "shared/data/osm_roads_rwanda/hotosm_rwa_roads_lines_filtered.shp")
    known = {
        k: (kind, list(line.coords))
        for k, (kind, line) in enumerate(zip(real["highway"].fillna("road"), real.geometry, strict=True), 1)
    }

    def answer(request: Request) -> Response:
        box = box_of(request)
        found = overpass(box, known)
        if box[3] - box[1] > 0.3:
            found["remark"] = 'runtime error: Query timed out in "query" at line 1 after 181 seconds.'
        return Response(json.dumps(found))

    box = (29.9, -2.2, 30.4, -1.7)
    found = gpd.read_file(fetch(httpserver, answer, tmp_path, box))
    expected = real[real.intersects(shapely.box(*box))]
    assert 100 < len(expected) == len(found)
    assert shapely.equals_exact(
        sorted(found.geometry, key=lambda g: g.wkt)[0], sorted(expected.geometry, key=lambda g: g.wkt)[0], 1e-9
    )
