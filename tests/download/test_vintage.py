"""Capture dates of basemaps: what Esri's, Azure's and Bing's services say, as their documentation shows it."""

import datetime as dt
import json
import math
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from lulc_kit.download import secrets, vintage
from lulc_kit.download.vintage import Capture
from lulc_kit.errors import FormatError, LulcError

XUZHOU = (117.2, 34.3)


def milliseconds(day: str) -> int:
    return int(dt.datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() * 1000)


@pytest.fixture(autouse=True)
def here(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LULC_ESRI_WAYBACK", httpserver.url_for("/services"))
    monkeypatch.setenv("LULC_AZURE_MAPS", httpserver.url_for("/map/tile"))


def esri(httpserver: HTTPServer, layer: int, answer: Any) -> None:
    path = f"/services/World_Imagery_Metadata_2021_r12/MapServer/{layer}/query"
    httpserver.expect_request(path).respond_with_data(json.dumps(answer))


def attributes(day: str | None, maker: str = "Maxar", satellite: str = "WV03") -> dict[str, Any]:
    moment = None if day is None else milliseconds(day)
    return {"attributes": {"SRC_DATE2": moment, "NICE_DESC": maker, "SRC_DESC": satellite}}


@pytest.mark.parametrize(("zoom", "layer"), [(23, 0), (17, 6), (10, 13), (5, 13)])
def test_esri_is_asked_for_the_layer_of_the_zoom(httpserver: HTTPServer, zoom: int, layer: int) -> None:
    esri(httpserver, layer, {"features": [attributes("2020-11-02")]})
    (found,) = vintage.wayback("2021_r12", [XUZHOU], zoom)
    assert (found.first, found.last) == (dt.date(2020, 11, 2), dt.date(2020, 11, 2))
    assert found.source == "Esri 2021_r12 (Maxar WV03)"
    ((request, _),) = httpserver.log
    assert request.args["geometry"] == "117.2,34.3" and request.args["inSR"] == "4326"


def test_images_that_meet_at_a_place_give_a_range_and_no_image_gives_none(httpserver: HTTPServer) -> None:
    esri(httpserver, 6, {"features": [attributes("2020-11-02"), attributes("2019-03-01"), attributes(None)]})
    (found,) = vintage.wayback("2021_r12", [XUZHOU], 17)
    assert (found.first, found.last) == (dt.date(2019, 3, 1), dt.date(2020, 11, 2))
    httpserver.clear()
    esri(httpserver, 6, {"features": []})
    (found,) = vintage.wayback("2021_r12", [XUZHOU], 17)
    assert (found.first, found.last, found.source) == (None, None, "Esri 2021_r12")


def test_a_release_that_is_none_is_an_error_although_the_status_is_good(httpserver: HTTPServer) -> None:
    esri(httpserver, 6, {"error": {"code": 500, "message": "Service World_Imagery_Metadata not started"}})
    with pytest.raises(LulcError, match=r"no release 2021_r12.*not started.*livingatlas"):
        vintage.wayback("2021_r12", [XUZHOU], 17)


def test_azure_says_it_in_a_header_and_the_key_travels_in_one(httpserver: HTTPServer) -> None:
    said = iter(["7/31/2022-9/1/2023", "12/1/2020", ""])

    def answer(request: Request) -> Response:
        assert request.headers["subscription-key"] == "geheim"
        assert "geheim" not in request.url
        return Response(b"\xff\xd8", 200, {vintage.HEADER: next(said)}, mimetype="image/jpeg")

    httpserver.expect_request("/map/tile").respond_with_handler(answer)
    found = vintage.azure("geheim", [XUZHOU] * 3, 15)
    days = [(c.first, c.last) for c in found]
    assert days[0] == (dt.date(2022, 7, 31), dt.date(2023, 9, 1))
    assert days[1] == (dt.date(2020, 12, 1), dt.date(2020, 12, 1))
    assert days[2] == (None, None)
    # 117.2° E, 34.3° N at zoom 15, by the formula of the documentation in other words
    x = math.floor((117.2 + 180) / 360 * 2**15)
    s = math.sin(math.radians(34.3))
    y = math.floor((0.5 - math.log((1 + s) / (1 - s)) / (4 * math.pi)) * 2**15)
    assert httpserver.log[0][0].args["x"] == str(x) and httpserver.log[0][0].args["y"] == str(y)


def test_a_wrong_key_is_refused_in_words_without_it(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the server says it back."""
    monkeypatch.setenv("LULC_AZURE_MAPS_KEY", "geheim")
    httpserver.expect_request("/map/tile").respond_with_data("Access denied: the key geheim is invalid", 401)
    with pytest.raises(LulcError, match="Azure Maps refuses: status 401, 'Access denied: the key … is") as raised:
        vintage.azure(secrets.secret("azure-maps", "key"), [XUZHOU], 15)
    assert "geheim" not in str(raised.value)


BING = """<?xml version="1.0" encoding="utf-8"?>
<Response xmlns="http://schemas.microsoft.com/search/local/ws/rest/v1"><ResourceSets><ResourceSet><Resources>
<ImageryMetadata><ImageUrl>{url}</ImageUrl><ZoomMin>9</ZoomMin><ZoomMax>15</ZoomMax>
<VintageStart>{first}</VintageStart><VintageEnd>{last}</VintageEnd></ImageryMetadata>
</Resources></ResourceSet></ResourceSets></Response>"""


def test_bing_as_saved(tmp_path: Path) -> None:
    tile = "http://ecn.t2.tiles.virtualearth.net/tiles/a023010203332102.jpeg?g=14374"
    (tmp_path / "a.xml").write_text(BING.format(url=tile, first="02 Dec 2019 GMT", last="05 Jan 2020 GMT"))
    (tmp_path / "b.xml").write_text(
        BING.format(url="http://x/tiles/a{quadkey}.jpeg", first="2011-06-05T00:00:00-07:00", last="")
    )
    one, other = vintage.bing(sorted(tmp_path.glob("*.xml")))
    assert (one.first, one.last, one.zoom) == (dt.date(2019, 12, 2), dt.date(2020, 1, 5), 15)
    # The request of Microsoft's example was for 37.770864, -122.467217 at zoom 15.
    assert one.where == pytest.approx((-122.467217, 37.770864), abs=360 / 2**15)
    assert (other.where, other.first, other.last, other.zoom) == (None, dt.date(2011, 6, 5), None, 9)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<html>", "not readable metadata"),
        ("<Response/>", "no ImageryMetadata"),
        ('<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Response>&b;</Response>', "not readable metadata"),
    ],
)
def test_what_is_not_bings(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(FormatError, match=says):
        vintage.bing([tmp_path / "a.xml"])


@given(st.floats(-179.9, 179.9), st.floats(-85, 85), st.integers(1, 20))
def test_a_place_lies_in_the_tile_whose_centre_is_nearest(longitude: float, latitude: float, zoom: int) -> None:
    x, y = vintage.tile_of((longitude, latitude), zoom)
    key = "".join(str((x >> k & 1) + 2 * (y >> k & 1)) for k in reversed(range(zoom)))
    centre = vintage.centre_of(key)
    assert abs(centre[0] - longitude) <= 180 / 2**zoom + 1e-9
    assert vintage.tile_of(centre, zoom) == (x, y)


def test_places_are_the_centres_of_the_parts() -> None:
    assert vintage.places((0, 0, 4, 2), 2) == [(1, 1.5), (3, 1.5), (1, 0.5), (3, 0.5)]


def test_days_are_those_to_the_far_end_of_the_range_from_the_nearest_scene() -> None:
    known = Capture(XUZHOU, 17, "Esri", dt.date(2020, 1, 1), dt.date(2020, 3, 1))
    unknown = Capture(None, 17, "Bing", None, None)
    with pytest.warns(UserWarning) as warned:
        found = vintage.table([known, unknown], ["2021-07-15", "2020-04-01", "2019-06-01"], 90)
    assert found["days"].tolist()[0] == 91  # from 1 January to 1 April, 2020 being a leap year
    assert found["scene"][0] == dt.date(2020, 4, 1)
    assert found["days"].isna().tolist() == [False, True]
    assert "1 of 2 places: the basemap may have been taken more than 90 days" in str(warned[0].message)
    assert "1 of 2 places: nobody says" in str(warned[1].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vintage.table([known], ["2020-04-01"], 91)
