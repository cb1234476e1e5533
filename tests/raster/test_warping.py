"""Rasters brought onto the study's grid, the same whatever the blocks."""

import numpy as np
import pyproj
import pytest

from lulc_kit.errors import LulcError
from lulc_kit.raster import warping
from tests.rasters import grid, write


def test_warp_onto_the_file_s_own_grid_changes_nothing(tmp_path):
    numbers = np.random.default_rng(1).integers(1, 9000, (2, 40, 30)).astype(np.uint16)
    path = write(tmp_path / "x.tif", numbers)
    warped = warping.warp(path, grid((40, 30)), band=2, resampling="nearest").compute()
    np.testing.assert_array_equal(warped, numbers[1])


def test_warp_fills_what_the_file_does_not_cover(tmp_path):
    path = write(tmp_path / "x.tif", np.ones((1, 10, 10), np.uint16))
    warped = warping.warp(path, grid((20, 20), left=499_950.0, top=5_000_050.0), resampling="nearest").compute()
    expected = np.full((20, 20), np.nan)
    expected[5:15, 5:15] = 1
    np.testing.assert_array_equal(warped, expected)


@pytest.mark.parametrize("own", [True, False], ids=["declared by the file", "given"])
@pytest.mark.parametrize("resampling", ["bilinear", "cubic", "average"])
def test_nodata_never_mixes_into_other_pixels(tmp_path, resampling, own):
    numbers = np.full((1, 12, 12), 1000, np.uint16)
    numbers[0, :, :5] = 65535
    path = write(tmp_path / "x.tif", numbers, 20.0, nodata=65535 if own else None)
    box = grid((24, 24)) if resampling != "average" else grid((4, 4), 60.0)
    warped = warping.warp(path, box, resampling=resampling, nodata=None if own else 65535).compute()
    known = warped[np.isfinite(warped)]
    assert known.size
    np.testing.assert_allclose(known, 1000, atol=1e-3)
    assert np.isnan(warped[:, 0]).all()


@pytest.mark.parametrize("own", [True, False], ids=["declared by the file", "given"])
@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
def test_nodata_of_one_band_holds_whatever_the_other_bands_are(tmp_path, resampling, own):
    numbers = np.full((3, 8, 8), 1000, np.uint16)
    numbers[0, :, :4] = numbers[2, :4] = 0
    path = write(tmp_path / "x.tif", numbers, nodata=0 if own else None)
    for band in (1, 2, 3):
        given_nodata = None if own else 0
        found = warping.warp(path, grid((8, 8)), band=band, resampling=resampling, nodata=given_nodata).compute()
        np.testing.assert_array_equal(found, np.where(numbers[band - 1] == 0, np.nan, 1000))


def test_average_is_the_mean_of_the_pixels_within(tmp_path):
    numbers = np.random.default_rng(1).random((1, 12, 18)).astype(np.float32)
    path = write(tmp_path / "x.tif", numbers)
    warped = warping.warp(path, grid((4, 6), 30.0), resampling="average").compute()
    np.testing.assert_allclose(warped, numbers[0].reshape(4, 3, 6, 3).mean(axis=(1, 3)), rtol=1e-6)


def test_bilinear_keeps_a_plane(tmp_path):
    y, x = np.mgrid[:30, :30] + 0.5
    plane = (3 * x - 2 * y)[None].astype(np.float32)  # by pixels of 20 m
    path = write(tmp_path / "x.tif", plane, 20.0)
    warped = warping.warp(path, grid((60, 60))).compute()
    y, x = (np.mgrid[:60, :60] + 0.5) / 2
    np.testing.assert_allclose(warped[1:-1, 1:-1], (3 * x - 2 * y)[1:-1, 1:-1], atol=1e-4)


@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
def test_warp_does_not_depend_on_the_chunk_size(tmp_path, resampling):
    numbers = np.random.default_rng(1).integers(0, 1000, (1, 80, 80)).astype(np.uint16)
    path = write(tmp_path / "x.tif", numbers, 20.0)
    box = grid((150, 140), left=500_005.0)
    whole = warping.warp(path, box, resampling=resampling).compute()
    for chunk in (13, 64):
        blocks = warping.warp(path, box, resampling=resampling, chunk=chunk).compute()
        np.testing.assert_allclose(blocks, whole, atol=1e-3)


def test_nearest_from_another_crs_takes_the_pixel_that_holds_the_centre(tmp_path):
    # Geographic codes to UTM; the truth is worked out pixel by pixel with pyproj.
    step, left, top = 0.0002, 14.98, 45.02
    numbers = np.random.default_rng(1).integers(1, 200, (1, 200, 300)).astype(np.uint8)
    path = write(tmp_path / "x.tif", numbers, grid((200, 300), step, left, top, "EPSG:4326"))
    box = grid((120, 130), left=499_500.0, top=4_984_000.0)
    x, y = box.affine * np.meshgrid(np.arange(130) + 0.5, np.arange(120) + 0.5)
    longitude, latitude = pyproj.Transformer.from_crs(32633, 4326, always_xy=True).transform(x, y)
    column, row = (longitude - left) / step, (top - latitude) / step
    assert column.min() > 0 and row.min() > 0 and column.max() < 300 and row.max() < 200
    # Pixels whose centre lies within a hundredth of a pixel of an edge may fall to either side.
    clear = (np.abs(column - column.round()) > 0.01) & (np.abs(row - row.round()) > 0.01)
    expected = numbers[0][row.astype(int), column.astype(int)]
    for chunk in (1024, 50):
        found = warping.warp(path, box, resampling="nearest", dtype=np.uint8, fill=0, chunk=chunk).compute()
        np.testing.assert_array_equal(found[clear], expected[clear])


def test_warp_refuses_a_band_that_is_not_there_and_a_file_elsewhere(tmp_path):
    path = write(tmp_path / "x.tif", np.ones((1, 10, 10), np.uint16))
    with pytest.raises(LulcError, match=r"has 1 band\(s\); band 2"):
        warping.warp(path, grid((10, 10)), band=2)
    with pytest.raises(LulcError, match=r"wholly outside(?s:.*)the file:(?s:.*)the grid:"):
        warping.warp(path, grid((10, 10), left=700_000.0))


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:32632"])
@pytest.mark.parametrize("resampling", ["bilinear", "cubic", "average"])
def test_warping_a_finer_source_does_not_depend_on_the_chunk_size_and_keeps_a_ramp(tmp_path, crs, resampling):
    box = grid((90, 80))
    corner = box.boundingbox.to_crs(crs)
    columns = np.mgrid[0:360, 0:330][1]
    rough = np.random.default_rng(4).normal(0, 30, (360, 330))
    left = corner.left - 30
    fine = grid((360, 330), 3.0, left, corner.top + 30, crs)
    path = write(tmp_path / "rough.tif", (500 + rough)[None].astype(np.float32), fine, nodata=-9999)
    whole = warping.warp(path, box, resampling=resampling).compute()
    assert np.isfinite(whole).mean() > 0.95
    for chunk in (13, 64):
        parts = warping.warp(path, box, resampling=resampling, chunk=chunk).compute()
        np.testing.assert_allclose(parts, whole, rtol=1e-6)
    easting = left + 3 * (columns + 0.5)
    write(path, (easting - left)[None].astype(np.float32), fine, nodata=-9999)
    found = warping.warp(path, box, resampling=resampling).compute()
    xs, ys = (v.ravel() for v in np.meshgrid(box.coords["x"].values, box.coords["y"].values))
    expected = np.array(pyproj.Transformer.from_crs(box.crs, crs, always_xy=True).transform(xs, ys)[0])
    inside = np.isfinite(found)
    inside[[0, -1]] = inside[:, [0, -1]] = False  # at the source's own border a kernel is cut off
    np.testing.assert_allclose(found[inside], (expected.reshape(90, 80) - left)[inside], atol=0.7)
