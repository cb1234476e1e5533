"""Notebook 01 fetches what lies beside the scenes, for scenes of one's own too, and 02 to 05 use it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from pytest_httpserver import HTTPServer
from rasterio.transform import from_origin
from werkzeug import Response

from lulc_kit import catalog, raster, run, scaffold
from lulc_kit.layout import Layout
from lulc_kit.sentinel2 import BANDS
from tests import scene
from tests.notebook import execute
from tests.services.stac import AREA, Made
from tests.services.world import SERVICES, World, variable

AROUND = GeoBox((400, 400), from_origin(scene.LEFT - 1000, scene.TOP + 1000, 10, 10), scene.CRS)
FINE = GeoBox((300, 300), from_origin(14.98, 52.38, 1 / 3600, 1 / 3600), "EPSG:4326")
KEY = "a-key-that-nobody-may-see"


@pytest.fixture
def world(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A server for everything: maps, Overpass, and the basemaps' dates."""
    scene.write_data(project / "data", 80)
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    with HTTPServer(threaded=True) as server:
        found = World(server, tmp_path / "served")
        for service in SERVICES:
            monkeypatch.setenv(variable(service), found.url)
        fields = np.zeros(AROUND.shape, np.uint8)
        fields[100:260, 100:260] = np.array([2, 1, 5], np.uint8)[scene.truth()]  # Trees, Water, Crops: the truth
        fields[fields == 0] = 11
        found.offer("io-lulc-annual-v02", "33U-2023", "data", AROUND, fields, 2023, nodata=0)
        cover = np.array([0, 80, 10, 0, 0, 40, *[30] * 6], np.uint8)[fields]
        found.offer("esa-worldcover", "N51E015", "map", AROUND, cover, 2021, nodata=0)
        heights = np.add.outer(np.arange(300.0), np.arange(300.0)).astype(np.float32)
        found.offer("cop-dem-glo-30", "N52E014", "data", FINE, heights)
        found.offer("nasadem", "n52e014", "elevation", FINE, heights.astype(np.int16), nodata=-32768)
        line = [{"lat": 52.345, "lon": 14.99}, {"lat": 52.346, "lon": 15.03}]
        ways = [{"type": "way", "id": 7, "tags": {"highway": "primary"}, "geometry": line}]
        server.expect_request("/overpass").respond_with_data(json.dumps({"elements": ways}))
        dated = {"features": [{"attributes": {"SRC_DATE2": 1_600_000_000_000, "NICE_DESC": "Maxar"}}]}
        server.expect_request("/esri/World_Imagery_Metadata_2021_r12/MapServer/6/query").respond_with_data(
            json.dumps(dated)
        )
        server.expect_request("/azure", headers={"subscription-key": KEY}).respond_with_response(
            Response(b"", 200, {"Data-Capture-Date-Range": "5/1/2023-6/1/2023"})
        )
        monkeypatch.setenv("LULC_OVERPASS", server.url_for("/overpass"))
        monkeypatch.setenv("LULC_ESRI_WAYBACK", server.url_for("/esri"))
        monkeypatch.setenv("LULC_AZURE_MAPS", server.url_for("/azure"))
        monkeypatch.setenv("LULC_AZURE_MAPS_KEY", KEY)
        yield found


def parameters(**extra: Any) -> dict[str, Any]:
    return {"study": "tiny", "source": "files", "scenes": scene.scenes(Path("data"))} | extra


def test_reference_elevation_and_roads_of_scenes_of_ones_own(world: World, project: Path) -> None:
    """Fetched by 01, and used: 04 has terrain and roads, 05 the classes of Esri's map where the scene has them."""
    out = execute(
        "01_download", parameters(reference="esri", dem="cop-dem-glo-30", roads="osm", reference_year=None), project
    )
    layout = Layout(project / "outputs/tiny")
    found = catalog.read(layout.catalog)
    assert found.ancillary == {
        "reference": layout.reference / "esri_2023.tif",
        "dem": layout.ancillary / "cop-dem-glo-30.tif",
        "roads": layout.ancillary / "roads.gpkg",
    }
    assert all(word in found.attribution for word in ("CC BY 4.0", "Airbus", "OpenStreetMap"))
    shares = next(v for v in out["Out"] if getattr(v, "index", None) is not None and v.index.name == "class")
    assert set(shares.index) <= {"Trees", "Water", "Crops", "Rangeland"}
    assert "localhost" not in layout.catalog.read_text(encoding="utf-8")
    steps = scene.parameters(Path("data"))
    execute("02_preprocess", {"study": "tiny"} | steps["02_preprocess"], project)
    features = {"bands": ["B2", "B8"], "indices": [], "components": 0, "roads_distance": 500.0}
    features |= {"texture_bands": [], "context_windows": []}
    execute("04_features", {"study": "tiny"} | features, project)
    stack = raster.read(layout.stack)
    assert stack.band.values.tolist() == ["B2", "B8", "DEM", "slope", "aspect", "road", "road_distance"]
    assert 0 < float(stack.sel(band="road").mean()) < 0.2 and float(stack.sel(band="slope").min()) > 0
    labels = {"field": None, "classes": {"Forest": [2], "Water": [1], "Farmland": [5]}, "folds": 2, "block": 200.0}
    execute("05_samples", {"study": "tiny", "gap": 0.0, "per_class": 50} | labels, project)
    codes = raster.read_codes(layout.labels).to_numpy()[0]
    expected = np.array([3, 5, 2], np.uint8)[scene.truth()[:80, :80]]  # values of the scheme "workflow"
    np.testing.assert_array_equal(codes[codes > 0], expected[codes > 0])
    assert (codes > 0).mean() > 0.8  # all but under the clouds


def test_the_other_maps_and_the_age_of_basemaps(world: World, project: Path) -> None:
    vintage = {"zoom": 17, "places": 2, "wayback": "2021_r12", "azure": True, "most_days": 0}
    values = parameters(reference="worldcover", reference_year=2021, dem="nasadem", vintage=vintage)
    with pytest.warns(UserWarning) as warned:
        out = execute("01_download", values, project)
    said = [str(w.message) for w in warned]
    assert any("is of 2021, the scenes of 2023" in s for s in said)
    assert any("8 of 8 places: the basemap may have been taken more than 0 days" in s for s in said)
    table = next(v for v in out["Out"] if "days" in getattr(v, "columns", []))
    assert table["first"].astype(str).tolist() == ["2020-09-13"] * 4 + ["2023-05-01"] * 4
    assert table["days"].tolist() == [960] * 4 + [31] * 4  # to 2023-05-01, the first scene
    written = b"".join(f.read_bytes() for f in (project / "outputs").rglob("*") if f.is_file())
    assert KEY.encode() not in written and KEY not in str(out["Out"])


@pytest.mark.long
def test_a_study_of_an_area_runs_to_its_pictures(world: World, project: Path) -> None:
    """What `lulc new mine --area … --dates …` writes: 01 searches and fetches, 02 and 03 run with no line changed."""
    dates = ("2023-06-15", "2023-06-25", "2023-07-05")
    store = world.server.url_for("/files")
    for day in dates:
        made = Made(day, bands=(*(band for band in BANDS if band != "B10"), "SCL", "TCI"))
        made.write(world.folder)
        world.items.append(made.item(world.url, store))
    for path in world.folder.rglob("*/*.tif"):
        world.serve(f"files/{path.parent.name}/{path.name}", path.read_bytes())
    there = GeoBox((300, 300), from_origin(11.98, 53.25, 1 / 3600, 1 / 3600), "EPSG:4326")
    world.offer("cop-dem-glo-30", "N53E012", "data", there, np.full(there.shape, 50, np.float32))
    scaffold.new("mine", area=AREA, dates=("2023-06-01", "2023-07-31"))
    for planned in run.plan("mine"):
        execute(planned.step, planned.parameters.model_dump(), project)
    found = catalog.read(Layout(project / "outputs/mine").catalog)
    assert [scene.date for scene in found.scenes] == list(dates)
    assert set(found.ancillary) == {"dem", "roads"}
    layout = Layout(project / "outputs/mine")
    assert layout.composite.exists() and layout.figure("composites").exists()
    np.testing.assert_array_equal(raster.read(found.ancillary["dem"]).to_numpy(), 50)
