"""Slope and aspect: of planes by closed form, of anything by gdaldem."""

import shutil
import subprocess
import warnings
from pathlib import Path
from unittest.mock import patch

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from odc.geo.geom import point
from rasterio.transform import from_origin
from rasterio.warp import transform

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.features import terrain
from tests.rasters import write

SHARED = Path(__file__).parents[3] / "shared/data/worldcover_saotome/copdem_glo30_saotome.tif"
UTM = GeoBox((40, 50), from_origin(500_000, 5_800_000, 10, 10), "EPSG:32633")


def plane(up_east, up_north, shape=(9, 11), x_size=10.0, y_size=10.0):
    """Elevation that rises by so much per metre."""
    rows, columns = np.indices(shape)
    return (100 + up_east * x_size * columns - up_north * y_size * rows).astype(np.float32)


def angle_between(one, other):
    difference = np.abs(one - other)
    return np.minimum(difference, 360 - difference)


@pytest.mark.parametrize(
    ("up_east", "up_north", "facing"),
    [(0, -1, 0), (-1, -1, 45), (-1, 0, 90), (-1, 1, 135), (0, 1, 180), (1, 1, 225), (1, 0, 270), (1, -1, 315)],
)
def test_aspect_is_the_way_downhill_clockwise_from_north(up_east, up_north, facing):
    slope, aspect = terrain.slope_aspect(plane(0.2 * up_east, 0.2 * up_north), 10, 10)
    np.testing.assert_allclose(angle_between(aspect, facing), 0, atol=1e-3)
    np.testing.assert_allclose(slope, np.degrees(np.arctan(0.2 * np.hypot(up_east, up_north))), rtol=1e-4)


@given(steepness=st.floats(0.01, 3), direction=st.floats(0, 359.9), sizes=st.tuples(st.floats(5, 30), st.floats(5, 30)))
def test_a_plane_has_one_slope_and_one_aspect_whatever_the_pixels(steepness, direction, sizes):
    east, north = -steepness * np.sin(np.radians(direction)), -steepness * np.cos(np.radians(direction))
    slope, aspect = terrain.slope_aspect(plane(east, north, x_size=sizes[0], y_size=sizes[1]), *sizes)
    assert slope.shape == (7, 9)
    np.testing.assert_allclose(slope, np.degrees(np.arctan(steepness)), atol=0.01)
    np.testing.assert_allclose(angle_between(aspect, direction), 0, atol=0.15)
    assert (aspect >= 0).all() and (aspect < 360).all()


@pytest.mark.parametrize("flat", [np.nan, -1.0, 0.0])
def test_flat_ground_has_the_aspect_one_chooses(flat):
    slope, aspect = terrain.slope_aspect(np.full((5, 6), 38.25, np.float32), 10, 10, flat)
    assert (slope == 0).all()
    np.testing.assert_array_equal(aspect, np.full((3, 4), flat, np.float32))


def test_a_plane_has_its_slope_up_to_its_rim_and_beside_gaps():
    dem = np.pad(plane(0.3, -0.2), 1, constant_values=np.nan)
    dem[5, 6] = dem[3, 8] = dem[3, 9] = np.nan
    slope, aspect = terrain.slope_aspect(dem, 10, 10)
    gap = np.isnan(dem[1:-1, 1:-1])
    np.testing.assert_allclose(slope[~gap], np.degrees(np.arctan(np.hypot(0.3, 0.2))), rtol=1e-4)
    np.testing.assert_allclose(aspect[~gap], np.degrees(np.arctan2(-0.3, 0.2)) % 360, rtol=1e-4)
    assert np.isnan(slope[gap]).all() and np.isnan(aspect[gap]).all()


def test_a_strip_of_one_pixel_says_nothing_of_the_slope_across():
    dem = np.full((5, 9), np.nan, np.float32)
    dem[2] = plane(0.1, 0)[0, :9]
    assert np.isnan(terrain.slope_aspect(dem, 10, 10)[0]).all()


def test_a_strip_is_refused():
    with pytest.raises(LulcError, match="at least 3×3"):
        terrain.slope_aspect(np.zeros((2, 9)), 10, 10)


def rough(shape=(60, 70), seed=2):
    data = np.random.default_rng(seed).normal(300, 15, shape).astype(np.float32)
    data[5:15, 20:30] = 250  # flat
    data[30, 40] = -9999
    return data


@pytest.mark.skipif(shutil.which("gdaldem") is None, reason="gdaldem is not installed (Debian: gdal-bin)")
def test_equal_to_gdaldem(tmp_path):
    path = write(tmp_path / "dem.tif", rough(), nodata=-9999)
    dem = np.where(rough() == -9999, np.nan, rough())
    for name, ours in zip(("slope", "aspect"), terrain.slope_aspect(dem, 10, 10), strict=True):
        subprocess.run(["gdaldem", name, path, tmp_path / f"{name}.tif", "-q"], check=True)
        theirs = raster.read(tmp_path / f"{name}.tif").to_numpy()[0, 1:-1, 1:-1]
        known = ~np.isnan(theirs)
        assert known.mean() > 0.95 and not np.isnan(ours[known]).any()
        apart = angle_between(ours[known], theirs[known])  # 0° is 360°
        np.testing.assert_allclose(apart, 0, atol=4e-4)


@pytest.mark.skipif(shutil.which("gdaldem") is None, reason="gdaldem is not installed (Debian: gdal-bin)")
def test_the_rim_is_that_of_gdaldem(tmp_path):
    dem = rough()[:12, :30] + plane(0.5, 0.2, (12, 30))
    path = write(tmp_path / "dem.tif", dem)
    corners = np.ix_([0, -1], [0, -1])  # gdaldem repeats pixels there, and halves the slope of a plane
    both = terrain.slope_aspect(np.pad(dem, 1, constant_values=np.nan), 10, 10)
    for name, ours in zip(("slope", "aspect"), both, strict=True):
        subprocess.run(["gdaldem", name, path, tmp_path / f"{name}.tif", "-compute_edges", "-q"], check=True)
        theirs = raster.read(tmp_path / f"{name}.tif").to_numpy()[0]
        ours[corners] = theirs[corners]
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-3)


def test_the_rim_is_as_right_as_the_rest(tmp_path):
    wide = UTM.pad(3)
    dem = write(tmp_path / "dem.tif", plane(0.3, 0.1, tuple(wide.shape)), wide)
    found = terrain.compute(dem, UTM)
    assert found.band.values.tolist() == ["DEM", "slope", "aspect"]
    np.testing.assert_allclose(found.sel(band="slope"), np.degrees(np.arctan(np.hypot(0.3, 0.1))), atol=1e-2)
    np.testing.assert_array_equal(found.sel(band="DEM"), plane(0.3, 0.1, tuple(wide.shape))[3:-3, 3:-3])
    exact = write(tmp_path / "exact.tif", plane(0.3, 0.1, tuple(UTM.shape)), UTM)  # ends with the grid
    np.testing.assert_allclose(terrain.compute(exact, UTM)[1:], found[1:], rtol=1e-3)


@given(chunk=st.tuples(st.integers(7, 60), st.integers(7, 60)))
@settings(max_examples=8, deadline=None)
def test_independent_of_the_blocks(tmp_path_factory, chunk):
    degrees = GeoBox((90, 120), from_origin(14.995, 52.352, 1 / 3600, 1 / 3600), "EPSG:4326")
    path = write(tmp_path_factory.mktemp("dem") / "dem.tif", rough((90, 120)), degrees, nodata=-9999)
    whole = terrain.compute(path, UTM).to_numpy()
    assert np.isnan(whole).any() and np.isfinite(whole).mean() > 0.7
    with patch.object(raster, "CHUNK", chunk):
        blocks = terrain.compute(path, UTM)
    assert blocks.chunks[1:] == da.core.normalize_chunks(chunk, shape=tuple(UTM.shape))
    np.testing.assert_allclose(blocks, whole, rtol=1e-6, atol=1e-5)


def test_a_model_in_degrees_gives_the_slope_of_the_ground(tmp_path):
    """A cone in metres, sampled in degrees: everywhere as steep, facing away from its top."""
    degrees = GeoBox((200, 300), from_origin(14.99, 52.355, 1 / 7200, 1 / 7200), "EPSG:4326")
    lon, lat = np.meshgrid(*(c.values for c in (degrees.coordinates["longitude"], degrees.coordinates["latitude"])))
    from pyproj import Transformer

    x, y = Transformer.from_crs("EPSG:4326", "EPSG:32633", always_xy=True).transform(lon, lat)
    top = (500_250, 5_799_800)
    cone = (1000 - 0.4 * np.hypot(x - top[0], y - top[1])).astype(np.float32)
    found = terrain.compute(write(tmp_path / "cone.tif", cone, degrees), UTM, resampling="cubic").to_numpy()
    columns, rows = np.meshgrid(500_005 + 10 * np.arange(50), 5_799_995 - 10 * np.arange(40))
    east, north = columns - top[0], rows - top[1]
    away = np.hypot(east, north) > 80
    np.testing.assert_allclose(found[1][away], np.degrees(np.arctan(0.4)), atol=0.5)
    bearing = np.degrees(np.arctan2(east, north)) % 360
    assert angle_between(found[2], bearing)[away].max() < 1.5


def test_a_model_elsewhere_is_refused(tmp_path):
    there = GeoBox((20, 20), from_origin(600_000, 5_000_000, 10, 10), "EPSG:32633")
    with pytest.raises(LulcError, match="wholly outside"):
        terrain.compute(write(tmp_path / "dem.tif", plane(0, 0, (20, 20)), there), UTM)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the shared Copernicus DEM is not there")
@pytest.mark.skipif(shutil.which("gdaldem") is None, reason="gdaldem is not installed (Debian: gdal-bin)")
def test_the_copernicus_model_of_sao_tome_as_gdaldem_sees_it(tmp_path):
    centre = point(6.6, 0.25, "EPSG:4326").to_crs("EPSG:32632").coords[0]
    box = GeoBox((300, 320), from_origin(*(round(v, -1) for v in centre), 10, 10), "EPSG:32632")
    found = terrain.compute(SHARED, box)
    assert isinstance(found.data, da.Array)
    values = found.to_numpy()
    write(tmp_path / "dem.tif", values[0], box)
    for name, layer in zip(("slope", "aspect"), values[1:], strict=True):
        subprocess.run(["gdaldem", name, tmp_path / "dem.tif", tmp_path / f"{name}.tif", "-q"], check=True)
        theirs = raster.read(tmp_path / f"{name}.tif").to_numpy()[0, 1:-1, 1:-1]
        np.testing.assert_allclose(layer[1:-1, 1:-1], theirs, atol=1e-3)
    assert values[1].max() > 20


def test_a_hole_of_minus_999_is_refused_and_such_a_depth_is_not(tmp_path):
    box = GeoBox((20, 20), from_origin(500_000, 5_800_000, 10, 10), "EPSG:32633")
    ground = np.full(box.shape, 50, np.float32)
    ground[8:12, 8:12] = -999
    with pytest.raises(LulcError, match=r"down to -999 m beside others.*-a_nodata -999"):
        terrain.compute(write(tmp_path / "hole.tif", ground, box), box).compute()
    coarse = GeoBox((7, 7), from_origin(499_985, 5_800_015, 30, 30), box.crs)  # half a pixel off: the number is mixed
    ground = np.full(coarse.shape, 300, np.float32)
    ground[3, 3] = -999
    with pytest.raises(LulcError, match=r"-a_nodata -999"):
        terrain.compute(write(tmp_path / "mixed.tif", ground, coarse), box).compute()
    sea = np.tile(np.linspace(-1200, -798, 20, dtype=np.float32).round(), (20, 1))
    sea[:, 9] = -999
    found = terrain.compute(write(tmp_path / "sea.tif", sea, box), box).sel(band="DEM")
    np.testing.assert_array_equal(found, sea)


def test_holes_of_0_in_high_ground_are_told_and_a_coast_is_not(tmp_path):
    box = GeoBox((20, 20), from_origin(500_000, 5_800_000, 10, 10), "EPSG:32633")
    coarse = GeoBox((7, 7), from_origin(499_985, 5_800_015, 30, 30), box.crs)
    ground = np.full(coarse.shape, 400, np.float32)
    ground[2:4, 3:5] = 0
    with pytest.warns(UserWarning, match=r"hole\.tif has elevations of 0 m at the foot of walls.*-a_nodata 0"):
        terrain.compute(write(tmp_path / "hole.tif", ground, coarse), box).compute()
    ground = np.tile(np.float32([0, 0, 0, 40, 90, 130, 150]), (7, 1))  # a bold coast
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        terrain.compute(write(tmp_path / "coast.tif", ground, coarse), box).compute()


@pytest.mark.parametrize(
    ("unit", "metre"), [("m.", 1), (" Metres", 1), ("US_ft", 1200 / 3937), ("International Feet", 0.3048)]
)
def test_units_are_known_however_they_are_written(unit, metre):
    assert terrain.metres(1, 0, unit)[0] == metre


@pytest.mark.parametrize("left", [179.9, -180.1])
def test_an_elevation_model_in_degrees_may_cross_the_date_line(tmp_path, left):
    box = GeoBox((60, 300), from_origin(181_000, 8_000_000, 10, 10), "EPSG:32701")  # 180° runs through it
    height = 5 + np.arange(720, dtype=np.float32)  # higher to the east, by one for each second
    degrees = GeoBox((720, 720), from_origin(left, -18, 1 / 3600, 1 / 3600), "EPSG:4326")
    found = terrain.compute(write(tmp_path / "dem.tif", np.tile(height, (720, 1)), degrees), box).sel(band="DEM")
    x, y = np.meshgrid(181_005 + 10 * np.arange(300), 7_999_995 - 10 * np.arange(60))
    longitude = np.array(transform("EPSG:32701", "EPSG:4326", x.ravel(), y.ravel())[0]).reshape(x.shape)
    assert (longitude > 0).any() and (longitude < 0).any()
    np.testing.assert_allclose(found, 5 - 0.5 + 3600 * ((longitude - left) % 360), atol=0.02)
