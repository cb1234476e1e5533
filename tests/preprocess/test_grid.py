"""The study's grid: on the scenes' pixels, of the extent asked for, in metres."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.errors import LulcError
from lulc_kit.preprocess.grid import study_grid
from tests import rasters


def write(path, rows, columns, resolution, left=300_040.0, top=5_900_020.0, crs="EPSG:32633"):
    box = rasters.grid((rows, columns), resolution, left, top, crs)
    return Band.of(rasters.write(path, np.ones((rows, columns), np.uint8), box))


def catalog(*scenes):
    return Catalog([Scene(f"2020-01-{i + 1:02}", "L2A", bands) for i, bands in enumerate(scenes)])


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("scene")
    return {"B5": write(folder / "b5.tif", 30, 50, 20.0), "B2": write(folder / "b2.tif", 60, 100, 10.0)}


def test_without_wishes_the_grid_is_that_of_the_finest_band(scene):
    grid = study_grid(catalog(scene))
    assert (grid.crs.to_epsg(), tuple(grid.shape)) == (32633, (60, 100))
    assert grid.affine.almost_equals(from_origin(300_040, 5_900_020, 10, 10))


def test_scenes_of_different_extent_are_all_covered(scene, tmp_path):
    other = {"B2": write(tmp_path / "b.tif", 10, 10, 10.0, left=301_040.0, top=5_900_120.0)}
    box = study_grid(catalog(scene, other)).boundingbox
    assert (box.left, box.bottom, box.right, box.top) == (300_040, 5_899_420, 301_140, 5_900_120)


@given(
    left=st.floats(299_950, 300_900),
    bottom=st.floats(5_899_330, 5_899_900),
    width=st.floats(100, 900),
    height=st.floats(100, 500),
    resolution=st.sampled_from([10.0, 20.0, 60.0]),
)
@settings(max_examples=40, deadline=None)
def test_pixels_coincide_with_the_scenes_and_the_box_is_met_within_half_a_pixel(
    scene, left, bottom, width, height, resolution
):
    bbox = [left, bottom, left + width, bottom + height]
    grid = study_grid(catalog(scene), bbox=bbox, resolution=resolution)
    box = grid.boundingbox
    assert np.all(np.abs(np.array(box) - bbox) <= resolution / 2 + 1e-6)
    assert abs(grid.resolution.x) == abs(grid.resolution.y) == resolution
    for steps in ((box.left - 300_040) / resolution, (5_900_020 - box.top) / resolution):
        assert steps == pytest.approx(round(steps), abs=1e-9)


def test_another_crs_covers_the_scenes_and_is_aligned_to_whole_pixels(scene):
    grid = study_grid(catalog(scene), crs="EPSG:3035")
    assert grid.crs.to_epsg() == 3035
    box = grid.boundingbox
    assert all(v % 10 == pytest.approx(0, abs=1e-6) for v in box)
    move = pyproj.Transformer.from_crs(32633, 3035, always_xy=True)
    for x, y in [(300_040, 5_900_020), (301_040, 5_900_020), (300_040, 5_899_420), (301_040, 5_899_420)]:
        easting, northing = move.transform(x, y)
        assert box.left - 6 <= easting <= box.right + 6
        assert box.bottom - 6 <= northing <= box.top + 6


def test_the_scenes_own_crs_by_name_changes_nothing(scene):
    assert study_grid(catalog(scene), crs="EPSG:32633") == study_grid(catalog(scene))


def test_degrees_are_refused_with_the_remedy_and_work_with_a_crs(tmp_path):
    degrees = catalog({"B2": write(tmp_path / "x.tif", 100, 100, 0.0001, left=15.0, top=45.0, crs="EPSG:4326")})
    with pytest.raises(LulcError, match=r"projected CRS.*crs: \"EPSG:326\d\d\".*the UTM zone"):
        study_grid(degrees)
    with pytest.raises(LulcError, match="geographic"):
        study_grid(degrees, crs="EPSG:4326")
    grid = study_grid(degrees, crs="EPSG:32633")
    # 0.01° of longitude is 788 m at 45° north, of latitude 1111 m.
    assert abs(grid.width - 79) <= 2
    assert abs(grid.height - 111) <= 2


def test_a_tile_of_elsewhere_is_refused_unless_the_area_is_given(scene, tmp_path):
    """Neighbours touch; a wrong tile in the folder would stretch the grid over all that lies between."""
    beside = {"B2": write(tmp_path / "b.tif", 60, 100, 10.0, left=301_040.0)}
    astray = {"B2": write(tmp_path / "c.tif", 60, 100, 10.0, left=400_040.0)}
    assert study_grid(catalog(scene, beside)).shape == (60, 200)
    for order in ([scene, beside, astray], [astray, scene, beside]):
        day = f"2020-01-0{order.index(astray) + 1}"
        with pytest.raises(LulcError, match=rf"1 of 3 scenes lie apart from the others \({day}\).*bbox"):
            study_grid(catalog(*order))
    box = [300_040.0, 5_899_420.0, 302_040.0, 5_900_020.0]
    assert study_grid(catalog(scene, astray, beside), bbox=box) == study_grid(catalog(scene, beside))


def test_bad_wishes_say_what_to_write(scene, tmp_path):
    with pytest.raises(LulcError, match=r"'EPSG:banana' is not a CRS.*EPSG:32633"):
        study_grid(catalog(scene), crs="EPSG:banana")
    with pytest.raises(LulcError, match="left < right"):
        study_grid(catalog(scene), bbox=[300_500, 5_899_500, 300_400, 5_899_600])
    with pytest.raises(
        LulcError, match=r"does not meet the scenes, which cover 300040 5899420 301040 5900020 in EPSG:32633"
    ):
        study_grid(catalog(scene), bbox=[13.0, 52.0, 13.1, 52.1])
    with pytest.raises(LulcError, match="smaller than one pixel"):
        study_grid(catalog(scene), bbox=[300_101, 5_899_501, 300_102, 5_899_502])
    with pytest.raises(LulcError, match=r"100000×60000000 pixels of 1e-05 m.*check bbox and resolution"):
        study_grid(catalog(scene), bbox=[300_100, 5_899_420, 300_101, 5_900_020], resolution=1e-5)
    with pytest.raises(LulcError, match="the scenes cover 1000 × 600 m.*check bbox and resolution"):
        study_grid(catalog(scene), bbox=[-1e7, -1e7, 1e7, 1e7])
    with pytest.raises(LulcError, match="no scene"):
        study_grid(Catalog([]))
    with pytest.raises(LulcError, match="2020-01-01 has no bands"):
        study_grid(catalog({}))
    other = {"B2": write(tmp_path / "b.tif", 10, 10, 10.0, crs="EPSG:32632")}
    with pytest.raises(LulcError, match=r"2 different CRS.*crs:"):
        study_grid(catalog(scene, other))


def test_the_area_that_01_was_asked_for_is_taken_over(tmp_path: Path) -> None:
    band = write(tmp_path / "b.tif", 60, 100, 10.0)
    asked = GeoBox.from_bbox((300_100, 5_899_500, 300_400, 5_899_800), "EPSG:32633", resolution=10)
    found = replace(catalog({"B2": band}), grid=asked)
    assert study_grid(found) == asked
    assert study_grid(found, resolution=20).boundingbox == asked.boundingbox
    other = [300_200, 5_899_500, 300_300, 5_899_600]
    assert study_grid(found, bbox=other).boundingbox.bbox == tuple(other)
    assert study_grid(found, crs="EPSG:25833").crs == "EPSG:25833"
