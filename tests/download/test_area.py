"""The area of interest in each of its forms, against pyproj, known tiles, and the limits of UTM."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_utm_crs_info

from lulc_kit.download import area
from lulc_kit.errors import LulcError


# Upper left corners that real products of these tiles have.
@pytest.mark.parametrize(
    ("tile", "crs", "left", "top"),
    [
        ("T33TWM", 32633, 499980, 5200020),
        ("33UUU", 32633, 300000, 5900040),
        ("T31TDH", 32631, 399960, 4800000),
        ("t50smc", 32650, 399960, 3800040),  # in small letters
    ],
)
def test_a_tile_lies_where_its_products_lie(tile: str, crs: int, left: float, top: float) -> None:
    known, square = area.tile_square(tile.upper())
    assert known == f"EPSG:{crs}"
    assert square.bounds[0] == left
    assert square.bounds[3] == top
    found = area.read(tile)
    assert found.crs == f"EPSG:{crs}"
    assert found.grid.boundingbox.bbox == square.bounds


def test_a_tile_of_the_south_lies_where_its_product_lies() -> None:
    crs, square = area.tile_square("T01KAB")
    assert (crs, square.bounds[0], square.bounds[3]) == ("EPSG:32701", 99960, 8200000)


@pytest.mark.parametrize("tile", ["T00SMC", "T61SMC", "T50SAC", "T33XWT"])
def test_there_is_no_such_tile(tile: str) -> None:
    with pytest.raises(LulcError, match=rf"no MGRS tile {tile}"):
        area.read(tile)


def test_a_word_is_no_tile() -> None:
    with pytest.raises(LulcError, match="'Berlin' is not the name of an MGRS tile"):
        area.tile_square("Berlin")


@settings(deadline=None, max_examples=30)
@given(
    left=st.floats(-179, 178),
    bottom=st.floats(-79, 82),
    width=st.floats(0.01, 0.9),
    height=st.floats(0.01, 0.9),
)
def test_the_grid_holds_the_area_in_the_zone_that_pyproj_names(
    left: float, bottom: float, width: float, height: float
) -> None:
    box = [left, bottom, left + width, bottom + height]
    found = area.read(box)
    x, y = left + width / 2, bottom + height / 2
    names = query_utm_crs_info("WGS 84", AreaOfInterest(x, y, x, y))
    assert found.crs in {f"EPSG:{info.code}" for info in names}
    edges = shapely.segmentize(shapely.box(*box), 0.05)
    there = gpd.GeoSeries([edges], crs="EPSG:4326").to_crs(found.crs)
    outer = shapely.box(*found.grid.boundingbox.bbox)
    assert outer.buffer(1).contains(there[0])
    equator = 10_000_000 if y < 0 else 0
    assert (np.asarray(found.grid.boundingbox.bbox) - [0, equator, 0, equator]) % 60 == pytest.approx(0)


def test_polygons_in_a_file_are_the_area_whatever_their_crs(tmp_path: Path) -> None:
    square = shapely.box(400_000, 5_800_000, 402_000, 5_803_000)
    beside = shapely.box(403_000, 5_800_000, 404_000, 5_801_000)
    gpd.GeoDataFrame(geometry=[square, beside], crs="EPSG:32633").to_file(tmp_path / "area.gpkg")
    found = area.read(str(tmp_path / "area.gpkg"))
    back = gpd.GeoSeries([found.geometry], crs="EPSG:4326").to_crs("EPSG:32633")[0]
    assert back.area == pytest.approx(7e6, rel=1e-6)
    assert found.grid.boundingbox.bbox == pytest.approx((400_000, 5_800_000, 404_000, 5_803_000), abs=60)


def test_a_file_without_polygons_is_refused(tmp_path: Path) -> None:
    gpd.GeoDataFrame(geometry=[shapely.Point(12, 52)], crs="EPSG:4326").to_file(tmp_path / "points.geojson")
    with pytest.raises(LulcError, match="has no polygon; expected the area as polygons"):
        area.read(str(tmp_path / "points.geojson"))


def test_polygons_that_have_no_place_are_refused(tmp_path: Path) -> None:
    wild = shapely.box(4e12, 5_800_000, 4e12 + 2000, 5_803_000)
    gpd.GeoDataFrame(geometry=[wild], crs="EPSG:32633").to_file(tmp_path / "area.gpkg")
    with pytest.raises(LulcError, match=r"1 of 1 polygons of .* no place on the earth"):
        area.read(str(tmp_path / "area.gpkg"))
    with pytest.raises(LulcError, match="reaches to where EPSG:32633 has no place"):
        _ = area.read([100, -5, 110, 5], "EPSG:32633").grid


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ([400_000, 5_800_000, 402_000, 5_803_000], "not in degrees"),
        ([12.5, 52, 12, 53], "is empty"),
        ([12, 53, 13, 53], "is empty"),
        ([179.5, -17, -179.5, -16], "crosses the antimeridian.*two studies"),
        ([10, 83, 11, 85], "UTM, and Sentinel-2, end"),
        ([5, 50, 15, 51], r"Zone 32 \(6 to 12°\).*divide the area"),
    ],
)
def test_areas_that_no_grid_serves(box: list[float], says: str) -> None:
    with pytest.raises(LulcError, match=says):
        area.read(box)


def test_a_tile_across_the_antimeridian_is_refused() -> None:
    with pytest.raises(LulcError, match=r"T01CCV crosses the antimeridian"):
        area.read("T01CCV")


def test_an_area_across_two_zones_lies_on_one_grid() -> None:
    found = area.read([11.5, 52.0, 12.3, 52.5])  # the border is at 12°
    assert found.crs == "EPSG:32632"
    assert area.read([11.5, 52.0, 12.3, 52.5], "EPSG:32633").crs == "EPSG:32633"


def test_the_crs_of_the_grid_may_be_given() -> None:
    found = area.read([5, 50, 15, 51], "EPSG:3035")
    assert CRS(found.grid.crs.to_wkt()).to_epsg() == 3035
    for wrong in ("EPSG:4326", "Berlin"):
        with pytest.raises(LulcError, match=r"crs: .*EPSG:32650"):
            area.read([5, 50, 15, 51], wrong)


def test_a_coast_is_asked_for_by_its_box(tmp_path: Path) -> None:
    coast = shapely.Point(12.5, 52.5).buffer(0.1, quad_segs=300)
    height = shapely.force_3d(coast, 30.0)
    gpd.GeoDataFrame(geometry=[height], crs="EPSG:4326").to_file(tmp_path / "coast.gpkg")
    found = area.read(str(tmp_path / "coast.gpkg"))
    assert not found.geometry.has_z
    assert found.geometry.area == pytest.approx(coast.area)
    assert found.question.equals(shapely.box(*found.geometry.bounds))
    assert area.read([12, 52, 13, 53]).question.equals(shapely.box(12, 52, 13, 53))
