"""Rasters written: what is written is what is read, whole or not at all."""

import threading
import time

import dask.array as da
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.raster import writing
from tests.rasters import grid, write

codes = st.sampled_from(["uint8", "uint16", "int16", "uint32", "int32"]).flatmap(
    lambda dtype: hnp.arrays(dtype, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)))
)


@given(numbers=codes)
@settings(max_examples=25, deadline=None)
def test_codes_come_back_exactly(numbers, tmp_path_factory):
    path = tmp_path_factory.mktemp("codes") / "codes.tif"
    names = [f"b{i}" for i in range(len(numbers))]
    writing.write(path, raster.array(numbers, grid(numbers.shape[1:]), names), dtype=str(numbers.dtype), nodata=None)
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
    writing.write_all([writing.reflectance(path, raster.array(values, grid(values.shape[1:]), ["B4"]))])
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
    writing.write_all([writing.reflectance(tmp_path / "r.tif", raster.array(values, grid((1, 6)), ["B4"]))])
    with rasterio.open(tmp_path / "r.tif") as source:
        assert source.read(1).tolist() == [[-32767, -32767, 32767, -32768, 32767, -32767]]


def test_values_beyond_the_range_never_become_a_nodata_at_its_upper_end(tmp_path):
    values = np.array([[[-5.0, 254.0, 255.0, 300.0, np.nan]]], np.float32)
    path = tmp_path / "percent.tif"
    writing.write(path, raster.array(values, grid((1, 5)), ["p"]), dtype="uint8", nodata=255)
    with rasterio.open(path) as source:
        assert source.read(1).tolist() == [[0, 254, 254, 254, 255]]


def test_missing_numbers_of_a_float_file_become_its_nodata(tmp_path):
    values = np.array([[[1.5, np.nan]]], np.float32)
    writing.write(tmp_path / "f.tif", raster.array(values, grid((1, 2)), ["f"]), dtype="float32", nodata=-9999)
    with rasterio.open(tmp_path / "f.tif") as source:
        assert source.read(1).tolist() == [[1.5, -9999.0]]
    np.testing.assert_array_equal(raster.read(tmp_path / "f.tif").to_numpy(), values)


@pytest.mark.parametrize(("value", "dtype"), [(256, "uint8"), (-1, "uint8"), (70_000, "uint16")])
def test_codes_that_the_file_s_type_cannot_hold_are_refused(tmp_path, value, dtype):
    layer = raster.array(np.full((1, 2, 2), value, np.int64), grid((2, 2)), ["c"])
    with pytest.raises(LulcError, match=f"{value}.*{dtype}"):
        writing.write(tmp_path / "c.tif", layer, dtype=dtype, nodata=None)
    assert not list(tmp_path.iterdir())


def test_missing_numbers_without_a_nodata_value_are_refused(tmp_path):
    layer = raster.array(np.full((1, 2, 2), np.nan, np.float32), grid((2, 2)), ["c"])
    with pytest.raises(LulcError, match="nodata"):
        writing.write(tmp_path / "c.tif", layer, dtype="uint8", nodata=None)


def test_the_file_is_a_cog_with_names_grid_tags_and_colours(tmp_path):
    numbers = np.arange(1100 * 700).reshape(1, 1100, 700) % 7
    layer = raster.array(numbers.astype(np.uint8), grid((1100, 700)), ["class"])
    path = tmp_path / "sub" / "map.tif"
    writing.write(path, layer, dtype="uint8", nodata=0, colours={1: (255, 0, 0), 6: (0, 10, 20)}, tags={"run": "rf"})
    with rasterio.open(path) as source:
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.block_shapes == [(512, 512)]
        assert source.overviews(1), "a COG larger than a tile needs overviews"
        assert source.descriptions == ("class",)
        assert source.tags()["run"] == "rf"
        assert (source.crs.to_epsg(), source.nodata) == (32633, 0)
        assert source.transform[:6] == (10, 0, 500_000, 0, -10, 5_000_000)
        colours = source.colormap(1)
        assert (colours[1], colours[6]) == ((255, 0, 0, 255), (0, 10, 20, 255))
        assert source.read(1, out_shape=(275, 175)).max() <= 6  # overviews of codes hold codes, not means
    assert raster.grid(path) == grid((1100, 700))
    assert [p.name for p in path.parent.iterdir()] == ["map.tif"]


def test_a_writing_that_fails_midway_leaves_the_earlier_files_whole_and_nothing_else(tmp_path):
    box = grid((2500, 30))
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


def test_a_file_is_not_closed_under_the_thread_that_writes_it(tmp_path):
    """A block fails while another is being written: to close the file then would end the process."""
    path, events = tmp_path / "plain.tif", []

    def write_slowly():
        with canvas.lock:
            begun.set()
            time.sleep(0.2)
            events.append("written")

    begun = threading.Event()
    thread = threading.Thread(target=write_slowly)
    with pytest.raises(RuntimeError), writing.open_canvas(path, ["a"], grid((64, 64))) as canvas:
        thread.start()
        begun.wait()
        raise RuntimeError("another block fails")
    events.append("closed")
    thread.join()
    assert events == ["written", "closed"]
    with pytest.raises(ValueError, match="closed"):  # of a thread that comes too late
        canvas[0:1, 0:64, 0:64] = np.ones((1, 64, 64), np.float32)


def test_what_outputs_share_is_computed_once(tmp_path):
    seen, lock = [], threading.Lock()

    def block(x, block_info=None):
        with lock:
            seen.append(tuple(block_info[0]["chunk-location"]))
        return x + 1

    shared = da.zeros((1, 60, 50), np.float32, chunks=(1, 20, 25)).map_blocks(
        block, dtype=np.float32, meta=np.array(())
    )
    box = grid((60, 50))
    outputs = [
        writing.Output(tmp_path / f"{k}.tif", raster.array(shared * k, box, ["x"]), "float32") for k in (1, 2, 3)
    ]
    writing.write_all(outputs)
    assert sorted(seen) == sorted((0, r, c) for r in range(3) for c in range(2))
    for k in (1, 2, 3):
        assert np.unique(raster.read(tmp_path / f"{k}.tif").to_numpy()).tolist() == [k]


def test_outputs_on_different_grids_are_refused_with_both_grids_named(tmp_path):
    one, other = grid((4, 4)), grid((4, 4), left=500_010.0)
    layers = [raster.array(np.ones((1, 4, 4), np.float32), g, ["x"]) for g in (one, other)]
    with pytest.raises(LulcError) as failure:
        writing.write_all([writing.Output(tmp_path / f"{i}.tif", a) for i, a in enumerate(layers)])
    assert "500000.00" in str(failure.value)
    assert "500010.00" in str(failure.value)
    assert not list(tmp_path.iterdir())


def test_written_files_do_not_depend_on_the_chunk_size(tmp_path):
    numbers = np.random.default_rng(1).random((2, 130, 90)).astype(np.float32)
    for chunk in (17, 64, 200):
        lazy = da.from_array(numbers, (1, chunk, chunk))
        writing.write(tmp_path / f"{chunk}.tif", raster.array(lazy, grid((130, 90)), ["a", "b"]))
    assert len({p.read_bytes() for p in tmp_path.iterdir()}) == 1


def test_a_truncated_file_fails_with_a_message_and_leaves_no_output(tmp_path):
    numbers = np.random.default_rng(1).integers(0, 255, (1, 300, 300)).astype(np.uint8)
    path = write(tmp_path / "x.tif", numbers)
    path.write_bytes(path.read_bytes()[:40_000])
    out = tmp_path / "out"
    with pytest.raises(LulcError, match="truncated"):
        writing.write(out / "y.tif", raster.read(path))
    assert not list(out.iterdir())
