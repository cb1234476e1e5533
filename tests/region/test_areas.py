"""Tables of areas: what they may be, and what a region's parameters become for each."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from lulc_kit import params, run
from lulc_kit.errors import LulcError
from lulc_kit.region import areas
from lulc_kit.region.areas import Area
from tests import scene

BOX = (15.0, 52.3, 15.1, 52.4)


def table(folder: Path, *rows: str, head: str = "name,left,bottom,right,top") -> Path:
    path = folder / "areas.csv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_boxes_tiles_and_zones_are_read(tmp_path: Path) -> None:
    rows = ("a,15,52.3,15.1,52.4,,", "b,,,,,T33UUU,", "c,11.9,52.3,12.0,52.4,,EPSG:32633")
    found = areas.read(table(tmp_path, *rows, head="name,left,bottom,right,top,tile,crs"))
    assert found == [Area("a", BOX), Area("b", tile="T33UUU"), Area("c", (11.9, 52.3, 12.0, 52.4), crs="EPSG:32633")]


def test_of_a_geopackage_the_geometry_s_box_counts(tmp_path: Path) -> None:
    shapes = gpd.GeoDataFrame({"name": ["a", "b"]}, geometry=[shapely.box(*BOX), shapely.box(15.1, 52.3, 15.2, 52.4)])
    shapes.set_crs("EPSG:4326").to_crs("EPSG:32633").to_file(tmp_path / "areas.gpkg")
    first, second = areas.read(tmp_path / "areas.gpkg")
    assert (
        first.box == pytest.approx(BOX, abs=1e-3) and second.name == "b"
    )  # a zone's meridians are not those of degrees


def test_names_and_zones_are_words_however_the_table_writes_them(tmp_path: Path) -> None:
    head = "name,left,bottom,right,top,tile,crs"
    rows = ("001,15,52.3,15.1,52.4,,32633,", "1,15,52.3,15.1,52.4,,,", "NA,,,,,T33UUU,epsg:32632,", ",,,,,,")
    expected = [Area("001", BOX, crs="EPSG:32633"), Area("1", BOX), Area("NA", tile="T33UUU", crs="epsg:32632")]
    assert areas.read(table(tmp_path, *rows, head=head)) == expected
    shapes = gpd.GeoDataFrame({"name": [7, 8], "crs": [32633, None]}, geometry=[shapely.box(*BOX)] * 2, crs=4326)
    shapes.to_file(tmp_path / "areas.gpkg")
    found = [(area.name, area.crs) for area in areas.read(tmp_path / "areas.gpkg")]
    assert found == [("7", "EPSG:32633"), ("8", None)]


def test_what_is_no_crs_or_no_utf8_is_said_in_words(tmp_path: Path) -> None:
    head = "name,left,bottom,right,top,crs"
    for word in ("UTM33", "4326"):
        with pytest.raises(LulcError, match=f"b: '{word}' is no CRS in metres; expected one like EPSG:32633"):
            areas.read(table(tmp_path, "a,15,52,16,53,", f"b,15,52,16,53,{word}", head=head))
    (tmp_path / "areas.csv").write_bytes("name,left,bottom,right,top\nä,15,52,16,53\n".encode("cp1252"))
    with pytest.raises(LulcError, match="Save it as CSV in UTF-8") as caught:
        areas.read(tmp_path / "areas.csv")
    assert "05_samples" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["a,15,52,16,53", "b,15,52,16,53", "A,15,52,16,53"], "'a' is there 2 times"),
        (["a b,15,52,16,53"], "'a b' cannot be the name"),
        (["a,16,52,15,53"], "no box in degrees"),
        (["a,500000,5800000,510000,5810000"], "no box in degrees"),
        (["a,15,52,16,"], "a has left, bottom, right; expected"),
        (["a,,,,"], "a has no place"),
        (["a,x,52,16,53"], "are no numbers"),
        ([], "has no rows"),
    ],
)
def test_rows_that_cannot_be_are_named(rows: list[str], says: str, tmp_path: Path) -> None:
    with pytest.raises(LulcError, match=says):
        areas.read(table(tmp_path, *rows))


def test_columns_and_tiles_that_cannot_be_are_named(tmp_path: Path) -> None:
    with pytest.raises(LulcError, match="the columns area, left"):
        areas.read(table(tmp_path, "a,1", head="area,left"))
    with pytest.raises(LulcError, match="'T99' is no tile"):
        areas.read(table(tmp_path, "a,T99", head="name,tile"))
    with pytest.raises(LulcError, match="a has left, bottom, right, top, tile"):
        areas.read(table(tmp_path, "a,1,2,3,4,T33UUU", head="name,left,bottom,right,top,tile"))


def test_two_tables_are_one_too_many(tmp_path: Path) -> None:
    assert areas.table_of(tmp_path) is None
    csv = table(tmp_path, "a,15,52,16,53")
    assert areas.table_of(tmp_path) == csv
    (tmp_path / "areas.gpkg").touch()
    with pytest.raises(LulcError, match="Keep one"):
        areas.table_of(tmp_path)


STEPS: dict[str, dict[str, Any]] = {
    "01_download": {"source": "stac", "area": list(BOX), "dates": ["2023-06-01", "2023-06-30"]},
    "02_preprocess": {"mask": "scl"},
    "04_features": {"fitted_in": "here"},
    "06_rf": {"run": "rf", "trained": "here/rf"},
}


def planned(project: Path, **changes: dict[str, Any] | None) -> list[run.Planned]:
    for step, values in (STEPS | changes).items():
        if values is not None:
            scene.put(project, step, {"study": "region"} | values, "region")
    return run.plan("region")


def test_a_searched_region_searches_each_area(project: Path) -> None:
    steps = planned(project)
    first = areas.plan(steps, Area("a", (10.0, 50.0, 10.5, 50.5)))
    assert {s.parameters.study for s in first} == {"region-a"}
    assert isinstance(first[0].parameters, params.Download)
    assert (first[0].parameters.area, first[0].parameters.crs) == ([10.0, 50.0, 10.5, 50.5], None)
    tile = areas.plan(steps, Area("b", tile="T33UUU"))[0].parameters
    assert isinstance(tile, params.Download) and tile.area == "T33UUU"


def test_of_scenes_that_are_there_each_area_is_cut_in_its_own_zone(project: Path) -> None:
    scenes = [{"date": "2023-06-15", "level": "L2A", "bands": {"B2": "b2.tif"}}]
    steps = planned(project, **{"01_download": {"source": "files", "scenes": scenes}})
    found = {}
    for name, box in {"west": (11.8, 52.0, 11.9, 52.1), "east": (12.1, 52.0, 12.2, 52.1)}.items():
        p = areas.plan(steps, Area(name, box))[1].parameters
        assert isinstance(p, params.Preprocess) and p.bbox is not None
        found[p.crs] = p.bbox
    assert set(found) == {"EPSG:32632", "EPSG:32633"}
    left, bottom, right, top = found["EPSG:32633"]
    assert 6700 < right - left < 7300 and 11000 < top - bottom < 11700  # a tenth of a degree, at 52° north
    with pytest.raises(LulcError, match="a tile is searched for"):
        areas.plan(steps, Area("b", tile="T33UUU"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"06_rf": {"run": "rf"}}, "06_rf would train"),
        ({"05_samples": {}}, "05_samples make or need labels"),
        ({"06_rf": None}, "--apply STUDY"),
        ({"01_download": None}, "no 01_download.yaml"),
    ],
)
def test_a_region_only_applies(changes: dict[str, Any], says: str, project: Path) -> None:
    with pytest.raises(LulcError, match=says):
        areas.plan(planned(project, **changes), Area("a", BOX))


def test_an_area_is_no_other_study(project: Path) -> None:
    steps = planned(project)
    (project / "params/region-a").mkdir()
    with pytest.raises(LulcError, match="would be the study region-a, which there is"):
        areas.plan(steps, Area("a", BOX))
