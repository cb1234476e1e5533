"""Warping between coordinate systems: exact, the same for any blocks, and what GDAL computes for every pixel."""

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT

from lulc_kit.raster import warping
from tests import rasters

TARGET = GeoBox((151, 173), from_origin(400_003, 5_800_007, 10, 10), "EPSG:32633")


def write(path, data, nodata=None, west=13.50, north=52.35, step=1 / 3600):
    return rasters.write(path, data, rasters.grid(data.shape, step, west, north, "EPSG:4326"), nodata=nodata)


@pytest.fixture(scope="module")
def dem(tmp_path_factory):
    """A rough surface of 1 arc second with a hole."""
    data = np.random.default_rng(5).uniform(0, 500, (160, 200)).astype(np.float32)
    data[60:70, 80:95] = -9999
    return write(tmp_path_factory.mktemp("dem") / "dem.tif", data, -9999)


def exact_gdal(path, box, kernel):
    options = {"crs": box.crs.to_wkt(), "transform": box.affine, "width": box.width, "height": box.height}
    with (
        rasterio.open(path) as source,
        WarpedVRT(
            source, resampling=Resampling[kernel], tolerance=1e-9, nodata=np.nan, src_nodata=-9999, **options
        ) as w,
    ):
        return w.read(1)


@pytest.mark.parametrize("kernel", ["bilinear", "cubic"])
def test_equal_to_gdal_s_exact_warp(dem, kernel):
    box = TARGET.pad(150)  # beyond the source on all sides
    found, expected = warping.warp(dem, box, resampling=kernel).compute(), exact_gdal(dem, box, kernel)
    assert np.isnan(expected).any() and np.isfinite(expected).mean() > 0.1
    assert (np.isnan(found) != np.isnan(expected)).mean() < 1e-4  # a pixel on the very rim of the source may differ
    both = np.isfinite(found) & np.isfinite(expected)
    # The lattice moves positions by up to 1e-5 pixels of a surface that changes by 500 from pixel to pixel.
    np.testing.assert_allclose(found[both], expected[both], atol=0.02)


@pytest.mark.parametrize("kernel", ["bilinear", "cubic"])
def test_a_plane_in_degrees_stays_that_plane(tmp_path, kernel):
    rows, columns = np.mgrid[:220, :260] + 0.5
    east, north = 13.49 + columns / 3600, 52.36 - rows / 3600
    plane = (4000 * (east - 13.5) - 2500 * (north - 52.3)).astype(np.float32)
    path = write(tmp_path / "plane.tif", plane, west=13.49, north=52.36)
    found = warping.warp(path, TARGET, resampling=kernel).compute()
    x, y = np.meshgrid(400_003 + 10 * (np.arange(173) + 0.5), 5_800_007 - 10 * (np.arange(151) + 0.5))
    lon, lat = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform(x, y)
    np.testing.assert_allclose(found, 4000 * (lon - 13.5) - 2500 * (lat - 52.3), atol=2e-4)


@given(chunk=st.tuples(st.integers(20, 180), st.integers(20, 180)), kernel=st.sampled_from(["bilinear", "cubic"]))
@settings(max_examples=10, deadline=None)
def test_independent_of_the_blocks(dem, chunk, kernel):
    whole = warping.warp(dem, TARGET, resampling=kernel, chunk=1000).compute()
    blocks = warping.warp(dem, TARGET, resampling=kernel, chunk=chunk).compute()
    np.testing.assert_allclose(blocks, whole, rtol=1e-6)


def test_a_finer_source_is_left_to_gdal_which_averages(tmp_path):
    data = np.indices((400, 400)).sum(axis=0) % 2 * 100.0
    path = write(tmp_path / "fine.tif", data.astype(np.float32), west=13.53, north=52.34, step=1e-5)
    found = warping.warp(path, GeoBox((20, 15), from_origin(399_900, 5_799_450, 10, 10), "EPSG:32633")).compute()
    known = found[np.isfinite(found)]
    assert known.size > 30
    np.testing.assert_allclose(known, 50, atol=5)
