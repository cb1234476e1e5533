"""Rasters: what is written is what is read, whole or not at all, and on the grid or not at all."""

import subprocess
import sys
import threading

import dask
import dask.array as da
import numpy as np
import pyproj
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.raster import warping, writing


def grid(rows, columns, resolution=10.0, left=500_000.0, top=5_000_000.0, crs="EPSG:32633"):
    return GeoBox((rows, columns), from_origin(left, top, resolution, resolution), crs)


def plain(path, data, resolution=10.0, left=500_000.0, top=5_000_000.0, crs="EPSG:32633", **profile):
    """Write a file with rasterio alone."""
    data = np.asarray(data)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(data),
        height=data.shape[1],
        width=data.shape[2],
        dtype=data.dtype,
        crs=crs,
        transform=from_origin(left, top, resolution, resolution),
        **profile,
    ) as target:
        target.write(data)
    return path


def remaining(folder):
    return sorted(p.name for p in folder.iterdir())


codes = st.sampled_from(["uint8", "uint16", "int16", "uint32", "int32"]).flatmap(
    lambda dtype: hnp.arrays(dtype, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)))
)


@given(numbers=codes)
@settings(max_examples=25, deadline=None)
def test_codes_come_back_exactly(numbers, tmp_path_factory):
    path = tmp_path_factory.mktemp("codes") / "codes.tif"
    names = [f"b{i}" for i in range(len(numbers))]
    writing.write(path, raster.array(numbers, grid(*numbers.shape[1:]), names), dtype=str(numbers.dtype), nodata=None)
    back = raster.read_codes(path)
    assert back.dtype == numbers.dtype
    np.testing.assert_array_equal(back.to_numpy(), numbers)
    with rasterio.open(path) as source:
        np.testing.assert_array_equal(source.read(), numbers)


@given(
    values=hnp.arrays(
        np.float32,
        st.tuples(st.just(1), st.integers(1, 12), st.integers(1, 12)),
        elements=st.one_of(st.just(np.nan), st.floats(-3.25, 3.25, width=32)),
    )
)
@settings(max_examples=25, deadline=None)
def test_reflectance_comes_back_within_half_a_step(values, tmp_path_factory):
    path = tmp_path_factory.mktemp("reflectance") / "r.tif"
    writing.write_all([writing.reflectance(path, raster.array(values, grid(*values.shape[1:]), ["B4"]))])
    with rasterio.open(path) as source:
        stored = source.read()
        assert (source.dtypes[0], source.nodata, source.scales[0]) == ("int16", -32768, 0.0001)
    np.testing.assert_array_equal(stored == -32768, np.isnan(values))
    back = raster.read(path).to_numpy()
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))
    valid = ~np.isnan(values)
    assert np.all(np.abs(back[valid].astype(float) - values[valid]) <= 0.00005 + 1e-6)


def test_values_beyond_the_file_s_range_are_clipped_and_never_become_nodata(tmp_path):
    values = np.array([[[-100.0, -3.2768, 100.0, np.nan, np.inf, -np.inf]]], np.float32)
    writing.write_all([writing.reflectance(tmp_path / "r.tif", raster.array(values, grid(1, 6), ["B4"]))])
    with rasterio.open(tmp_path / "r.tif") as source:
        assert source.read(1).tolist() == [[-32767, -32767, 32767, -32768, 32767, -32767]]


def test_values_beyond_the_range_never_become_a_nodata_at_its_upper_end(tmp_path):
    values = np.array([[[-5.0, 254.0, 255.0, 300.0, np.nan]]], np.float32)
    path = tmp_path / "percent.tif"
    writing.write(path, raster.array(values, grid(1, 5), ["p"]), dtype="uint8", nodata=255)
    with rasterio.open(path) as source:
        assert source.read(1).tolist() == [[0, 254, 254, 254, 255]]


def test_missing_numbers_of_a_float_file_become_its_nodata(tmp_path):
    values = np.array([[[1.5, np.nan]]], np.float32)
    writing.write(tmp_path / "f.tif", raster.array(values, grid(1, 2), ["f"]), dtype="float32", nodata=-9999)
    with rasterio.open(tmp_path / "f.tif") as source:
        assert source.read(1).tolist() == [[1.5, -9999.0]]
    np.testing.assert_array_equal(raster.read(tmp_path / "f.tif").to_numpy(), values)


@pytest.mark.parametrize(("value", "dtype"), [(256, "uint8"), (-1, "uint8"), (70_000, "uint16")])
def test_codes_that_the_file_s_type_cannot_hold_are_refused(tmp_path, value, dtype):
    layer = raster.array(np.full((1, 2, 2), value, np.int64), grid(2, 2), ["c"])
    with pytest.raises(LulcError, match=f"{value}.*{dtype}"):
        writing.write(tmp_path / "c.tif", layer, dtype=dtype, nodata=None)
    assert remaining(tmp_path) == []


def test_missing_numbers_without_a_nodata_value_are_refused(tmp_path):
    layer = raster.array(np.full((1, 2, 2), np.nan, np.float32), grid(2, 2), ["c"])
    with pytest.raises(LulcError, match="nodata"):
        writing.write(tmp_path / "c.tif", layer, dtype="uint8", nodata=None)


def test_the_file_is_a_cog_with_names_grid_tags_and_colours(tmp_path):
    numbers = np.arange(1100 * 700).reshape(1, 1100, 700) % 7
    layer = raster.array(numbers.astype(np.uint8), grid(1100, 700), ["class"])
    path = tmp_path / "sub" / "map.tif"
    writing.write(path, layer, dtype="uint8", nodata=0, colours={1: (255, 0, 0), 6: (0, 10, 20)}, tags={"run": "rf"})
    with rasterio.open(path) as source:
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.block_shapes == [(512, 512)]
        assert source.overviews(1), "a COG larger than a tile needs overviews"
        assert source.descriptions == ("class",)
        assert source.tags()["run"] == "rf"
        assert (source.crs.to_epsg(), source.nodata) == (32633, 0)
        assert source.transform == from_origin(500_000, 5_000_000, 10, 10)
        colours = source.colormap(1)
        assert (colours[1], colours[6]) == ((255, 0, 0, 255), (0, 10, 20, 255))
        assert source.read(1, out_shape=(275, 175)).max() <= 6  # overviews of codes hold codes, not means
    assert raster.grid(path) == grid(1100, 700)
    assert remaining(path.parent) == ["map.tif"]


def test_band_names_are_kept_and_choose_bands_in_any_order(tmp_path):
    data = np.stack([np.full((3, 4), v, np.float32) for v in (1, 2, 3)])
    writing.write(tmp_path / "s.tif", raster.array(data, grid(3, 4), ["B2", "NDVI", "größe"]))
    with rasterio.open(tmp_path / "s.tif") as source:
        assert source.descriptions == ("B2", "NDVI", "größe")
    assert raster.band_names(tmp_path / "s.tif") == ["B2", "NDVI", "größe"]
    chosen = raster.read(tmp_path / "s.tif", ["größe", "B2"]).to_numpy()
    assert chosen[:, 0, 0].tolist() == [3, 1]
    with pytest.raises(LulcError, match=r"no band B99.*B2, NDVI"):
        raster.read(tmp_path / "s.tif", ["B99"])


def test_a_writing_that_fails_midway_leaves_the_earlier_files_whole_and_nothing_else(tmp_path):
    box = grid(2500, 30)
    kept = np.full((1, 2500, 30), 5, np.uint8)
    for name in ("one.tif", "two.tif"):
        writing.write(tmp_path / name, raster.array(kept, box, ["c"]), dtype="uint8", nodata=0)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def block(x, block_info=None):
        if block_info[0]["chunk-location"][1] == 2:
            raise RuntimeError("the third row of blocks fails")
        return x

    lazy = da.ones((1, 2500, 30), np.uint8, chunks=(1, 1000, 30))
    failing = raster.array(lazy.map_blocks(block, dtype=np.uint8), box, ["c"])
    good = raster.array(lazy, box, ["c"])
    with pytest.raises(RuntimeError, match="third row"):
        writing.write_all(
            [
                writing.Output(tmp_path / "one.tif", good, "uint8", 0),
                writing.Output(tmp_path / "two.tif", failing, "uint8", 0),
                writing.Output(tmp_path / "new.tif", good, "uint8", 0),
            ]
        )
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_what_outputs_share_is_computed_once(tmp_path):
    seen, lock = [], threading.Lock()

    def block(x, block_info=None):
        with lock:
            seen.append(tuple(block_info[0]["chunk-location"]))
        return x + 1

    shared = da.zeros((1, 60, 50), np.float32, chunks=(1, 20, 25)).map_blocks(
        block, dtype=np.float32, meta=np.array(())
    )
    box = grid(60, 50)
    outputs = [
        writing.Output(tmp_path / f"{k}.tif", raster.array(shared * k, box, ["x"]), "float32") for k in (1, 2, 3)
    ]
    writing.write_all(outputs)
    assert sorted(seen) == sorted((0, r, c) for r in range(3) for c in range(2))
    for k in (1, 2, 3):
        assert np.unique(raster.read(tmp_path / f"{k}.tif").to_numpy()).tolist() == [k]


def test_outputs_on_different_grids_are_refused_with_both_grids_named(tmp_path):
    one, other = grid(4, 4), grid(4, 4, left=500_010.0)
    layers = [raster.array(np.ones((1, 4, 4), np.float32), g, ["x"]) for g in (one, other)]
    with pytest.raises(LulcError) as failure:
        writing.write_all([writing.Output(tmp_path / f"{i}.tif", a) for i, a in enumerate(layers)])
    assert "500000.00" in str(failure.value)
    assert "500010.00" in str(failure.value)
    assert remaining(tmp_path) == []


@given(chunk=st.integers(3, 80))
@settings(max_examples=15, deadline=None)
def test_reading_does_not_depend_on_the_chunk_size(chunk, tmp_path_factory):
    path = tmp_path_factory.mktemp("chunks") / "x.tif"
    numbers = np.random.default_rng(1).integers(-50, 50, (2, 61, 47)).astype(np.int16)
    plain(path, numbers, nodata=7)
    expected = np.where(numbers == 7, np.nan, numbers.astype(np.float32))
    np.testing.assert_array_equal(raster.read(path, chunk=chunk).to_numpy(), expected)
    np.testing.assert_array_equal(raster.read_codes(path, chunk=chunk).to_numpy(), numbers)


def test_written_files_do_not_depend_on_the_chunk_size(tmp_path):
    numbers = np.random.default_rng(1).random((2, 130, 90)).astype(np.float32)
    for chunk in (17, 64, 200):
        lazy = da.from_array(numbers, (1, chunk, chunk))
        writing.write(tmp_path / f"{chunk}.tif", raster.array(lazy, grid(130, 90), ["a", "b"]))
    assert len({p.read_bytes() for p in tmp_path.iterdir()}) == 1


def test_scale_offset_and_nodata_of_a_foreign_file_are_applied(tmp_path):
    path = plain(tmp_path / "x.tif", np.array([[[0, 100, 65535]]], np.uint16), nodata=65535)
    with rasterio.open(path, "r+") as target:
        target.scales, target.offsets = (0.5,), (-3.0,)
    np.testing.assert_array_equal(raster.read(path).to_numpy(), [[[-3.0, 47.0, np.nan]]])
    assert raster.read_codes(path).to_numpy().tolist() == [[[0, 100, 65535]]]
    assert raster.band_names(path) == ["band_1"]


def test_codes_of_a_float_file_are_refused(tmp_path):
    path = plain(tmp_path / "x.tif", np.zeros((1, 2, 2), np.float32))
    with pytest.raises(LulcError, match="float32 numbers where integer codes"):
        raster.read_codes(path)


def test_a_missing_file_one_without_crs_and_one_that_is_none_say_what_to_do(tmp_path):
    with pytest.raises(LulcError, match="does not exist"):
        raster.read(tmp_path / "nothing.tif")
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        no_crs = plain(tmp_path / "bare.tif", np.zeros((1, 2, 2), np.uint8), left=0, top=0, resolution=1, crs=None)
        with pytest.raises(LulcError, match=r"no CRS.*Set it"):
            raster.read(no_crs)
    (tmp_path / "text.tif").write_text("not a raster")
    with pytest.raises(LulcError, match="not a raster that GDAL can read"):
        raster.read(tmp_path / "text.tif")


def test_a_truncated_file_fails_with_a_message_and_leaves_no_output(tmp_path):
    numbers = np.random.default_rng(1).integers(0, 255, (1, 300, 300)).astype(np.uint8)
    path = plain(tmp_path / "x.tif", numbers)
    path.write_bytes(path.read_bytes()[:40_000])
    out = tmp_path / "out"
    with pytest.raises(LulcError, match="truncated"):
        writing.write(out / "y.tif", raster.read(path))
    assert remaining(out) == []


def test_shape_and_names_must_fit_the_grid():
    with pytest.raises(LulcError, match=r"\(2, 3, 4\).*1 bands"):
        raster.array(np.zeros((2, 3, 4)), grid(3, 4), ["a"])
    with pytest.raises(LulcError, match="NDVI occur more than once"):
        raster.array(np.zeros((2, 3, 4)), grid(3, 4), ["NDVI", "NDVI"])
    with pytest.raises(LulcError, match=r"B9 not found.*a, b"):
        raster.select(raster.array(np.zeros((2, 3, 4)), grid(3, 4), ["a", "b"]), ["a", "B9"])


def test_a_grid_in_degrees_is_a_grid_too(tmp_path):
    box = grid(10, 20, resolution=0.01, left=10.0, top=50.0, crs="EPSG:4326")
    numbers = np.arange(200, dtype=np.float32).reshape(1, 10, 20)
    layer = raster.array(numbers, box, ["x"])
    assert layer.dims == ("band", "y", "x")
    writing.write(tmp_path / "x.tif", layer)
    assert raster.grid(tmp_path / "x.tif") == box
    np.testing.assert_array_equal(raster.read(tmp_path / "x.tif").to_numpy(), numbers)


def test_warp_onto_the_file_s_own_grid_changes_nothing(tmp_path):
    numbers = np.random.default_rng(1).integers(1, 9000, (2, 40, 30)).astype(np.uint16)
    path = plain(tmp_path / "x.tif", numbers)
    warped = warping.warp(path, grid(40, 30), band=2, resampling="nearest").compute()
    np.testing.assert_array_equal(warped, numbers[1])


def test_warp_fills_what_the_file_does_not_cover(tmp_path):
    path = plain(tmp_path / "x.tif", np.ones((1, 10, 10), np.uint16))
    warped = warping.warp(path, grid(20, 20, left=499_950.0, top=5_000_050.0), resampling="nearest").compute()
    expected = np.full((20, 20), np.nan)
    expected[5:15, 5:15] = 1
    np.testing.assert_array_equal(warped, expected)


@pytest.mark.parametrize("own", [True, False], ids=["declared by the file", "given"])
@pytest.mark.parametrize("resampling", ["bilinear", "cubic", "average"])
def test_nodata_never_mixes_into_other_pixels(tmp_path, resampling, own):
    numbers = np.full((1, 12, 12), 1000, np.uint16)
    numbers[0, :, :5] = 65535
    path = plain(tmp_path / "x.tif", numbers, resolution=20.0, nodata=65535 if own else None)
    box = grid(24, 24) if resampling != "average" else grid(4, 4, resolution=60.0)
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
    path = plain(tmp_path / "x.tif", numbers, nodata=0 if own else None)
    for band in (1, 2, 3):
        given_nodata = None if own else 0
        found = warping.warp(path, grid(8, 8), band=band, resampling=resampling, nodata=given_nodata).compute()
        np.testing.assert_array_equal(found, np.where(numbers[band - 1] == 0, np.nan, 1000))


def test_average_is_the_mean_of_the_pixels_within(tmp_path):
    numbers = np.random.default_rng(1).random((1, 12, 18)).astype(np.float32)
    path = plain(tmp_path / "x.tif", numbers)
    warped = warping.warp(path, grid(4, 6, resolution=30.0), resampling="average").compute()
    np.testing.assert_allclose(warped, numbers[0].reshape(4, 3, 6, 3).mean(axis=(1, 3)), rtol=1e-6)


def test_bilinear_keeps_a_plane(tmp_path):
    y, x = np.mgrid[:30, :30] + 0.5
    plane = (3 * x - 2 * y)[None].astype(np.float32)  # by pixels of 20 m
    path = plain(tmp_path / "x.tif", plane, resolution=20.0)
    warped = warping.warp(path, grid(60, 60)).compute()
    y, x = (np.mgrid[:60, :60] + 0.5) / 2
    np.testing.assert_allclose(warped[1:-1, 1:-1], (3 * x - 2 * y)[1:-1, 1:-1], atol=1e-4)


@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
def test_warp_does_not_depend_on_the_chunk_size(tmp_path, resampling):
    numbers = np.random.default_rng(1).integers(0, 1000, (1, 80, 80)).astype(np.uint16)
    path = plain(tmp_path / "x.tif", numbers, resolution=20.0)
    box = grid(150, 140, left=500_005.0)
    whole = warping.warp(path, box, resampling=resampling).compute()
    for chunk in (13, 64):
        blocks = warping.warp(path, box, resampling=resampling, chunk=chunk).compute()
        np.testing.assert_allclose(blocks, whole, atol=1e-3)


def test_nearest_from_another_crs_takes_the_pixel_that_holds_the_centre(tmp_path):
    # Geographic codes to UTM; the truth is worked out pixel by pixel with pyproj.
    step, left, top = 0.0002, 14.98, 45.02
    numbers = np.random.default_rng(1).integers(1, 200, (1, 200, 300)).astype(np.uint8)
    path = plain(tmp_path / "x.tif", numbers, resolution=step, left=left, top=top, crs="EPSG:4326")
    box = grid(120, 130, left=499_500.0, top=4_984_000.0)
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
    path = plain(tmp_path / "x.tif", np.ones((1, 10, 10), np.uint16))
    with pytest.raises(LulcError, match=r"has 1 band\(s\); band 2"):
        warping.warp(path, grid(10, 10), band=2)
    with pytest.raises(LulcError, match=r"wholly outside(?s:.*)the file:(?s:.*)the grid:"):
        warping.warp(path, grid(10, 10, left=700_000.0))


PEAK = """
import sys
from pathlib import Path
import dask
import dask.array as da
import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from lulc_kit.raster import blockwise, writing
from lulc_kit import raster

box = GeoBox((2600, 2600), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
blockwise.limit_memory(int(sys.argv[2]))
image = da.random.default_rng(1).random((24, 2600, 2600), dtype=np.float32, chunks=(24, 512, 512))
names = [f"b{i}" for i in range(24)]
writing.write_all([writing.Output(Path(sys.argv[1]), raster.array(image * 2, box, names))], layers=48)
found = raster.read(sys.argv[1]).data
blockwise.decimate(found, 100)
blockwise.reduce(np.nanmax, found, layers=24)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from Linux' /proc")
def test_memory_stays_below_what_is_allowed(tmp_path):
    allowed = 700  # MB; the raster has nearly as many, and what it is made of as much again
    command = [sys.executable, "-c", PEAK, str(tmp_path / "x.tif"), str(allowed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) / 1e3 < allowed  # a slow machine shows progress before


def test_memory_that_holds_not_even_one_block_is_refused(tmp_path):
    data = da.zeros((1, 100, 100), np.float32, chunks=(1, 50, 50))
    with dask.config.set({"lulc_kit.memory": 1}), pytest.raises(LulcError, match=r"memory to at least \d+"):
        writing.write(tmp_path / "x.tif", raster.array(data, grid(100, 100), ["a"]))
    assert not list(tmp_path.iterdir())


@given(rows=st.lists(st.integers(1, 9), min_size=1, max_size=6), columns=st.integers(1, 6), count=st.integers(1, 40))
def test_batches_cover_the_grid_once_and_hold_no_more_blocks_than_allowed(rows, columns, count):
    seen = np.zeros((sum(rows), 3 * columns), int)
    for places in writing._batches((tuple(rows), (3,) * columns), count):
        assert len(places) <= count
        for down, across in places:
            seen[down, across] += 1
            assert down.start in np.cumsum([0, *rows]) and across.stop - across.start == 3
    assert (seen == 1).all()


def test_a_preview_shows_the_same_field_with_larger_pixels(tmp_path):
    rows, columns = np.mgrid[0:1200, 0:900].astype(np.float32)
    values = np.stack([rows, columns]) / 1200
    values[:, :300, :300] = np.nan
    writing.write_all([writing.reflectance(tmp_path / "x.tif", raster.array(values, grid(1200, 900), ["a", "b"]))])
    small = raster.preview(tmp_path / "x.tif", ["b"], side=150)
    assert small.shape == (1, 150, 112) and small.band.values.tolist() == ["b"]
    assert small.odc.geobox.boundingbox.range_x == pytest.approx(grid(1200, 900).boundingbox.range_x)
    expected = (np.arange(112) + 0.5) * 900 / 112 / 1200
    np.testing.assert_allclose(small.to_numpy()[0, 40:], np.tile(expected, (110, 1)), atol=0.006)
    assert np.isnan(small.to_numpy()[0, :36, :36]).all()


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:32632"])
@pytest.mark.parametrize("resampling", ["bilinear", "cubic", "average"])
def test_warping_a_finer_source_does_not_depend_on_the_chunk_size_and_keeps_a_ramp(tmp_path, crs, resampling):
    box = grid(90, 80)
    corner = box.boundingbox.to_crs(crs)
    columns = np.mgrid[0:360, 0:330][1]
    rough = np.random.default_rng(4).normal(0, 30, (360, 330))
    options = {"resolution": 3.0, "left": corner.left - 30, "top": corner.top + 30, "crs": crs}
    path = plain(tmp_path / "rough.tif", (500 + rough)[None].astype(np.float32), nodata=-9999, **options)
    whole = warping.warp(path, box, resampling=resampling).compute()
    assert np.isfinite(whole).mean() > 0.95
    for chunk in (13, 64):
        parts = warping.warp(path, box, resampling=resampling, chunk=chunk).compute()
        np.testing.assert_allclose(parts, whole, rtol=1e-6)
    easting = options["left"] + 3 * (columns + 0.5)
    plain(path, (easting - options["left"])[None].astype(np.float32), nodata=-9999, **options)
    found = warping.warp(path, box, resampling=resampling).compute()
    xs, ys = (v.ravel() for v in np.meshgrid(box.coords["x"].values, box.coords["y"].values))
    expected = np.array(pyproj.Transformer.from_crs(box.crs, crs, always_xy=True).transform(xs, ys)[0])
    inside = np.isfinite(found)
    inside[[0, -1]] = inside[:, [0, -1]] = False  # at the source's own border a kernel is cut off
    np.testing.assert_allclose(found[inside], (expected.reshape(90, 80) - options["left"])[inside], atol=0.7)
