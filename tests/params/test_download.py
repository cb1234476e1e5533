"""Parameters of 01: scenes of one's own."""

from typing import Any

import pytest

from lulc_kit import params
from lulc_kit.errors import LulcError


def test_unknown_name_within_a_scene_lists_what_a_scene_has() -> None:
    entry = {"date": "2023-06-15", "levle": "L2A", "bands": {"B2": "x.tif"}}
    with pytest.raises(LulcError, match=r"scenes\.0\.levle: there is no such parameter\. Known: date, level, bands"):
        params.Download.check({"source": "files", "scenes": [entry]}, "here")


def test_nodata_alone_may_be_nan() -> None:
    entry = {"date": "2023-06-15", "level": "L2A", "bands": {"B2": "x.tif"}}
    p = params.Download.check({"source": "files", "scenes": [entry | {"nodata": float("nan")}]}, "here")
    assert str(p.scenes[0].nodata) == "nan"  # type: ignore[attr-defined]
    with pytest.raises(LulcError, match=r"scale: found nan"):
        params.Download.check({"source": "files", "scenes": [entry | {"scale": float("nan")}]}, "here")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"bands": None}, "give either 'bands'"),
        ({"file": "x.tif"}, "give either 'bands'"),
        ({"bands": None, "file": "x.tif"}, "'file' needs 'names'"),
        ({"bands": None, "file": "x.tif", "names": ["B2", "B2"]}, "a band occurs twice"),
        ({"level": "L3"}, "L1C"),
        ({"scale": 0.0}, "greater than 0"),
    ],
)
def test_scenes_of_ones_own(changed: dict[str, Any], says: str) -> None:
    entry = {"date": "2023-06-15", "level": "L2A", "bands": {"B2": "x.tif"}}
    assert params.Download.check({"source": "files", "scenes": [entry]}, "here").scenes[0].date == "2023-06-15"
    with pytest.raises(LulcError, match=says):
        params.Download.check({"source": "files", "scenes": [entry | changed]}, "here")


def test_scenes_need_source_files_and_different_dates() -> None:
    entry = {"date": "2023-06-15", "level": "L2A", "bands": {"B2": "x.tif"}}
    for wrong in ({"source": "files"}, {"scenes": [entry]}, {"source": "files", "scenes": [entry, entry]}):
        with pytest.raises(LulcError, match="scenes"):
            params.Download.check(wrong, "here")


def test_a_day_may_be_written_without_hyphens_and_is_the_same_day() -> None:
    entries = [{"date": day, "level": "L2A", "bands": {"B2": "x.tif"}} for day in ("20230615", "2023-06-15", 20230616)]
    p = params.Download.check({"source": "files", "scenes": [entries[0], entries[2]]}, "here")
    assert [s.date for s in p.scenes] == ["2023-06-15", "2023-06-16"]
    with pytest.raises(LulcError, match="two scenes have the same date: 2023-06-15"):
        params.Download.check({"source": "files", "scenes": entries}, "here")
    assert params.Preprocess.check({"dates": ["20230101", "20231231"]}, "here").dates == ["2023-01-01", "2023-12-31"]


def test_a_typographic_minus_is_named() -> None:
    entry = {"date": "2023-06-15", "level": "L2A", "bands": {"B2": "x.tif"}, "offset": "−0.1"}
    with pytest.raises(LulcError, match=r"typographic.*write -0\.1\."):
        params.Download.check({"source": "files", "scenes": [entry]}, "here")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"area": None}, "source 'stac' needs 'area' and 'dates'"),
        ({"dates": None}, "source 'stac' needs 'area' and 'dates'"),
        ({"dates": ["2023-07-01", "2023-06-01"]}, "dates end before they begin"),
        ({"source": "sample"}, "'area' and 'dates' are for source stac"),
        ({"area": [12.0, 52.0, 13.0]}, "at least 4"),
        ({"area": [400000.0, 52.0, 13.0, 53.0]}, "less than or equal to 180"),
        ({"mgrs_tiles": ["Berlin"]}, "match pattern"),
        ({"bands": ["B02"]}, "match pattern"),
        ({"cart": "products.meta4"}, "'cart' is for source: safe"),
        ({"source": "safe", "cart": "products.meta4"}, "for source stac or safe without a cart"),
        ({"source": "safe", "area": None}, "source 'safe' needs 'area' and 'dates'"),
        ({"months": [13]}, "less than or equal to 12"),
        ({"baseline": "5"}, "match pattern"),
    ],
)
def test_what_a_search_needs(changed: dict[str, Any], says: str) -> None:
    values = {"source": "stac", "area": [12.0, 52.0, 13.0, 53.0], "dates": ["2023-06-01", "2023-07-01"]}
    assert params.Download.check(values, "here").service == "earth-search"
    assert params.Download.check(values | {"area": "T50SMC"}, "here").area == "T50SMC"
    with pytest.raises(LulcError, match=says):
        params.Download.check(values | changed, "here")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"vintage": {}}, "vintage asks nobody"),
        ({"vintage": {"wayback": "2021-12"}}, "wayback"),
        ({"vintage": {"azure": True, "zoom": 25}}, "zoom"),
        ({"reference_year": 2021}, "'reference_year' is for reference"),
        ({"reference": "mine.gpkg", "reference_year": 2021}, "'reference_year' is for reference"),
    ],
)
def test_what_lies_beside_the_scenes(given: dict[str, Any], says: str) -> None:
    with pytest.raises(LulcError, match=says):
        params.Download.check(given, "here")


def test_what_is_wanted_beside_the_scenes_by_role() -> None:
    p = params.Download.check({"reference": "esri", "reference_year": 2020, "roads": "my.osm.pbf"}, "here")
    assert p.beside == {"reference": "esri", "roads": "my.osm.pbf"}
