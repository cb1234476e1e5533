"""Rasters opened lazily: numbers as the file means them, or a message."""

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.raster import writing
from tests.rasters import grid, write


def test_band_names_are_kept_and_choose_bands_in_any_order(tmp_path):
    data = np.stack([np.full((3, 4), v, np.float32) for v in (1, 2, 3)])
    writing.write(tmp_path / "s.tif", raster.array(data, grid((3, 4)), ["B2", "NDVI", "größe"]))
    with rasterio.open(tmp_path / "s.tif") as source:
        assert source.descriptions == ("B2", "NDVI", "größe")
    assert raster.band_names(tmp_path / "s.tif") == ["B2", "NDVI", "größe"]
    chosen = raster.read(tmp_path / "s.tif", ["größe", "B2"]).to_numpy()
    assert chosen[:, 0, 0].tolist() == [3, 1]
    with pytest.raises(LulcError, match=r"no band B99.*B2, NDVI"):
        raster.read(tmp_path / "s.tif", ["B99"])


@given(chunk=st.integers(3, 80))
@settings(max_examples=15, deadline=None)
def test_reading_does_not_depend_on_the_chunk_size(chunk, tmp_path_factory):
    path = tmp_path_factory.mktemp("chunks") / "x.tif"
    numbers = np.random.default_rng(1).integers(-50, 50, (2, 61, 47)).astype(np.int16)
    write(path, numbers, nodata=7)
    expected = np.where(numbers == 7, np.nan, numbers.astype(np.float32))
    np.testing.assert_array_equal(raster.read(path, chunk=chunk).to_numpy(), expected)
    np.testing.assert_array_equal(raster.read_codes(path, chunk=chunk).to_numpy(), numbers)


def test_scale_offset_and_nodata_of_a_foreign_file_are_applied(tmp_path):
    path = write(tmp_path / "x.tif", np.array([[[0, 100, 65535]]], np.uint16), nodata=65535)
    with rasterio.open(path, "r+") as target:
        target.scales, target.offsets = (0.5,), (-3.0,)
    np.testing.assert_array_equal(raster.read(path).to_numpy(), [[[-3.0, 47.0, np.nan]]])
    assert raster.read_codes(path).to_numpy().tolist() == [[[0, 100, 65535]]]
    assert raster.band_names(path) == ["band_1"]


def test_codes_of_a_float_file_are_refused(tmp_path):
    path = write(tmp_path / "x.tif", np.zeros((1, 2, 2), np.float32))
    with pytest.raises(LulcError, match="float32 numbers where integer codes"):
        raster.read_codes(path)


def test_a_missing_file_one_without_crs_and_one_that_is_none_say_what_to_do(tmp_path):
    with pytest.raises(LulcError, match="does not exist"):
        raster.read(tmp_path / "nothing.tif")
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        no_crs = write(tmp_path / "bare.tif", np.zeros((1, 2, 2), np.uint8), grid((2, 2), 1, 0, 0, None))
        with pytest.raises(LulcError, match=r"no CRS.*Set it"):
            raster.read(no_crs)
    (tmp_path / "text.tif").write_text("not a raster")
    with pytest.raises(LulcError, match="not a raster that GDAL can read"):
        raster.read(tmp_path / "text.tif")


def test_shape_and_names_must_fit_the_grid():
    with pytest.raises(LulcError, match=r"\(2, 3, 4\).*1 bands"):
        raster.array(np.zeros((2, 3, 4)), grid((3, 4)), ["a"])
    with pytest.raises(LulcError, match="NDVI occur more than once"):
        raster.array(np.zeros((2, 3, 4)), grid((3, 4)), ["NDVI", "NDVI"])
    with pytest.raises(LulcError, match=r"B9 not found.*a, b"):
        raster.select(raster.array(np.zeros((2, 3, 4)), grid((3, 4)), ["a", "b"]), ["a", "B9"])


def test_a_grid_in_degrees_is_a_grid_too(tmp_path):
    box = grid((10, 20), 0.01, left=10.0, top=50.0, crs="EPSG:4326")
    numbers = np.arange(200, dtype=np.float32).reshape(1, 10, 20)
    layer = raster.array(numbers, box, ["x"])
    assert layer.dims == ("band", "y", "x")
    writing.write(tmp_path / "x.tif", layer)
    assert raster.grid(tmp_path / "x.tif") == box
    np.testing.assert_array_equal(raster.read(tmp_path / "x.tif").to_numpy(), numbers)


def test_a_preview_shows_the_same_field_with_larger_pixels(tmp_path):
    rows, columns = np.mgrid[0:1200, 0:900].astype(np.float32)
    values = np.stack([rows, columns]) / 1200
    values[:, :300, :300] = np.nan
    writing.write_all([writing.reflectance(tmp_path / "x.tif", raster.array(values, grid((1200, 900)), ["a", "b"]))])
    small = raster.preview(tmp_path / "x.tif", ["b"], side=150)
    assert small.shape == (1, 150, 112) and small.band.values.tolist() == ["b"]
    assert small.odc.geobox.boundingbox.range_x == pytest.approx(grid((1200, 900)).boundingbox.range_x)
    expected = (np.arange(112) + 0.5) * 900 / 112 / 1200
    np.testing.assert_allclose(small.to_numpy()[0, 40:], np.tile(expected, (110, 1)), atol=0.006)
    assert np.isnan(small.to_numpy()[0, :36, :36]).all()
