"""From numbers to reflectance: nodata before the offset, each resolution in its own way."""

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit.catalog import Band, Scene
from lulc_kit.preprocess import radiometry
from tests.rasters import write


def grid(rows, columns, resolution=10.0):
    return GeoBox((rows, columns), from_origin(500_000, 5_000_000, resolution, resolution), "EPSG:32633")


def test_nodata_stays_nodata_and_the_offset_is_added_once(tmp_path):
    path = write(tmp_path / "x.tif", np.array([[0, 1, 1000, 11_000]], np.uint16), 10.0)
    found = radiometry.on_grid(Band.of(path, 1, 0.0001, -0.1, 0), grid(1, 4)).compute()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[np.nan, -0.0999, 0.0, 1.0]], atol=1e-7)


def test_saturated_is_no_measurement(tmp_path):
    path = write(tmp_path / "x.tif", np.array([[0, 65535, 65534, 11_000]], np.uint16), 10.0)
    found = radiometry.on_grid(Band.of(path, 1, 0.0001, -0.1, 0, 65535), grid(1, 4)).compute()
    np.testing.assert_allclose(found, [[np.nan, np.nan, 6.4534, 1.0]], atol=1e-6)


def test_without_nodata_zero_is_a_value(tmp_path):
    path = write(tmp_path / "x.tif", np.array([[0, 500]], np.uint16), 10.0)
    found = radiometry.on_grid(Band.of(path, 1, 0.0001, 0.0, None), grid(1, 2)).compute()
    np.testing.assert_allclose(found, [[0.0, 0.05]], atol=1e-7)


@pytest.mark.parametrize(("scale", "nodata"), [(1 / 65535, None), (0.0001, 65535)])
def test_other_scales_and_other_nodata(tmp_path, scale, nodata):
    path = write(tmp_path / "x.tif", np.array([[65535, 6553]], np.uint16), 10.0)
    found = radiometry.on_grid(Band.of(path, 1, scale, 0.0, nodata), grid(1, 2)).compute()
    first = np.nan if nodata else 1.0
    np.testing.assert_allclose(found, [[first, 6553 * scale]], rtol=1e-6)


def test_a_coarser_band_is_interpolated_and_its_nodata_does_not_spread_as_a_number(tmp_path):
    y, x = (np.mgrid[:20, :20] + 0.5) * 20
    plane = (1000 + 2 * x - y).astype(np.int32)
    plane[:, :3] = 0
    path = write(tmp_path / "x.tif", plane, 20.0)
    found = radiometry.on_grid(Band.of(path, 1, 0.0001, 0.0, 0), grid(40, 40)).compute()
    y, x = (np.mgrid[:40, :40] + 0.5) * 10
    inner = np.s_[1:-1, 8:-1]
    np.testing.assert_allclose(found[inner], ((1000 + 2 * x - y) * 0.0001)[inner], atol=1e-4)
    assert np.isnan(found[:, :5]).all()
    assert np.nanmin(found) > 0.06, "a mean of data and nodata would be smaller"


def test_a_finer_band_is_averaged(tmp_path):
    numbers = np.random.default_rng(1).integers(1, 9000, (30, 30)).astype(np.uint16)
    path = write(tmp_path / "x.tif", numbers, 10.0)
    found = radiometry.on_grid(Band.of(path, 1, 0.0001, 0.0, 0), grid(5, 5, 60.0)).compute()
    np.testing.assert_allclose(found, numbers.reshape(5, 6, 5, 6).mean(axis=(1, 3)) * 0.0001, rtol=1e-5)


def test_a_band_that_is_finer_one_way_alone_is_averaged(tmp_path):
    numbers = np.random.default_rng(1).integers(1, 9000, (20, 5)).astype(np.uint16)
    narrow = GeoBox((20, 5), from_origin(500_000, 5_000_000, 10.0, 2.5), "EPSG:32633")
    path = write(tmp_path / "x.tif", numbers, narrow)
    found = radiometry.on_grid(Band.of(path, 1, 0.0001, 0.0, 0), grid(5, 5)).compute()
    np.testing.assert_allclose(found, numbers.reshape(5, 4, 5).mean(axis=1) * 0.0001, rtol=1e-5)


def test_bands_of_one_file_and_of_many_make_one_image_with_names(tmp_path):
    numbers = np.stack([np.full((6, 8), v, np.uint16) for v in (1000, 2000)])
    many = write(tmp_path / "many.tif", numbers, 10.0)
    coarse = write(tmp_path / "one.tif", np.full((3, 4), 3000, np.uint16), 20.0)
    bands = {"B4": Band.of(many, 2, 0.0001), "B3": Band.of(many, 1, 0.0001), "B11": Band.of(coarse, 1, 0.0001)}
    image = radiometry.scene_on_grid(Scene("2020-01-01", "L2A", bands), grid(6, 8))
    assert image.band.values.tolist() == ["B4", "B3", "B11"]
    np.testing.assert_allclose(image.to_numpy()[:, 2, 2], [0.2, 0.1, 0.3], rtol=1e-6)


def test_codes_are_never_mixed_and_zero_outside(tmp_path):
    codes = np.array([[4, 9], [6, 4]], np.uint8)
    path = write(tmp_path / "scl.tif", codes, 20.0)
    found = radiometry.codes_on_grid(Band.of(path), grid(5, 5)).compute()
    expected = np.zeros((5, 5))
    expected[:4, :4] = np.kron(codes, np.ones((2, 2)))
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.uint8
