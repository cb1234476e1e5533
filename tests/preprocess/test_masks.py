"""Masks: a table for the scene classification, buffers by their definition."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lulc_kit import raster
from lulc_kit.catalog import Band, Scene
from lulc_kit.cube import Reason
from lulc_kit.errors import LulcError
from lulc_kit.params import Preprocess
from lulc_kit.preprocess import masks
from tests.rasters import grid, write


def from_scl(scl, *, exclude=masks.SCL_DEFAULT, buffer=0.0, resolution=20.0):
    return masks.add_buffer(masks.from_scl(scl, exclude=exclude), distance=buffer, resolution=resolution)


def test_the_parameters_offer_the_masks_there_are():
    words = Preprocess.model_fields["mask"].annotation.__args__
    assert sorted(words) == sorted(masks.MASKS)


def test_scl_table():
    scl = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert from_scl(scl).tolist() == [[1, 6, 0, 4], [0, 0, 0, 0], [2, 2, 3, 5]]
    assert from_scl(scl, exclude=()).tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert from_scl(scl, exclude=(2, 6, 7)).tolist() == [[1, 0, 4, 0], [0, 0, 8, 8], [0, 0, 0, 0]]


def test_few_stray_codes_are_defective_and_many_are_refused():
    scl = np.full((100, 100), 4, dtype=np.uint8)
    scl[5, 5] = 12
    mask = from_scl(scl, exclude=())
    assert mask[5, 5] == Reason.DEFECTIVE
    assert (mask == Reason.CLEAR).sum() == scl.size - 1
    with pytest.raises(LulcError, match="nearest neighbour"):
        from_scl(np.full((10, 10), 37, dtype=np.uint8))
    with pytest.raises(LulcError, match="whole"):
        from_scl(np.full((10, 10), 4.5))
    with pytest.raises(LulcError, match="exclude"):
        from_scl(scl, exclude=(12,))


def test_nan_is_nodata():
    assert from_scl(np.array([[np.nan, 4.0]])).tolist() == [[Reason.NODATA, Reason.CLEAR]]


scls = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.integers(0, 11))


@given(scls, st.sets(st.integers(0, 11)), st.floats(0, 300), st.floats(0, 300))
@settings(max_examples=60, deadline=None)
def test_buffers_only_grow_and_nodata_stays(scl, exclude, one, other):
    small = from_scl(scl, exclude=exclude, buffer=min(one, other))
    large = from_scl(scl, exclude=exclude, buffer=max(one, other))
    assert ((small == Reason.NODATA) == (scl == 0)).all()
    assert ((large == Reason.NODATA) == (scl == 0)).all()
    assert not ((small != Reason.CLEAR) & (large == Reason.CLEAR)).any()
    changed = small != large
    assert (large[changed] == Reason.BUFFER).all()


@given(scls, st.floats(0, 300), st.sampled_from([10.0, 20.0, 60.0]))
@settings(max_examples=60, deadline=None)
def test_buffer_is_the_euclidean_distance(scl, buffer, resolution):
    mask = from_scl(scl, buffer=buffer, resolution=resolution)
    source = np.argwhere(np.isin(scl, (3, 8, 9, 10)))
    for row, column in np.argwhere(np.isin(scl, (2, 4, 5, 6, 7))):
        distance = np.hypot(*(source - (row, column)).T).min(initial=np.inf) * resolution
        if abs(distance - buffer) > 1e-6 * resolution:
            assert (mask[row, column] == Reason.BUFFER) == (distance < buffer)


def test_negative_buffer_is_refused():
    with pytest.raises(LulcError, match="buffer"):
        from_scl(np.zeros((3, 3), dtype=np.uint8), buffer=-1)


SHARED = Path(__file__).parents[3] / "shared" / "data" / "mapchete_eo_33TWM"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data (../shared/data) are not here")
def test_real_scene_classifications():
    import rasterio

    files = sorted(SHARED.glob("*/SCL.tif"))
    assert len(files) == 5
    clear = {}
    for file in files:
        with rasterio.open(file) as source:
            scl = source.read(1)
        mask = from_scl(scl, buffer=240, resolution=120)
        assert ((mask == Reason.NODATA) == (scl == 0)).all()
        assert (mask[scl > 11] == Reason.DEFECTIVE).all()
        clear[file.parent.name[10:18]] = (mask == Reason.CLEAR).sum() / (scl != 0).sum()
    assert min(clear["20230813"], clear["20230815"], clear["20230820"]) > max(clear["20230810"], clear["20230818"])


def of_file(folder, numbers, clear=None, buffer=0.0, **said):
    """Codes that a mask of the user's gives, of a scene that is clear where ``clear`` says."""
    path = write(folder / "m.tif", numbers, **said)
    with raster.open(path) as source:
        band = Band.of(path, 1, source.scales[0], source.offsets[0])
    image = raster.array(np.zeros((1, *numbers.shape), np.float32), grid(numbers.shape), ["B2"])
    pending = masks.file(masks.Request(Scene("2023-06-15", "L2A", {}, mask=band, mask_clear=clear), image, buffer))
    return pending.decide([array.compute() for array in pending.arrays])


FMASK = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)  # land, water, shadow, snow, cloud, no data
OUT, IN, NOTHING = Reason.CLOUD, Reason.CLEAR, Reason.NODATA


@pytest.mark.parametrize(
    ("clear", "expected"),
    [([0, 1], [[IN, IN, OUT], [OUT, OUT, NOTHING]]), ([[2, 3.5], 0], [[IN, OUT, IN], [IN, OUT, NOTHING]])],
)
def test_a_mask_is_clear_where_the_user_says(tmp_path, clear, expected):
    assert of_file(tmp_path, FMASK, clear, nodata=255).tolist() == expected


def test_a_mask_that_may_mean_something_else_is_named(tmp_path):
    with pytest.warns(UserWarning, match=r"all that is not 0: 1 \(20%\), 2 \(20%\).*mask_clear: \[0, 1\]"):
        found = of_file(tmp_path, FMASK, nodata=255)
    assert found.tolist() == [[IN, OUT, OUT], [OUT, OUT, NOTHING]]
    with pytest.warns(UserWarning, match=r"1 \(75%\)"):
        of_file(tmp_path, np.array([[1, 1], [1, 0]], np.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        of_file(tmp_path, np.array([[0, 1024], [0, 0]], np.uint16))
        of_file(tmp_path, FMASK, [0], nodata=255)


def test_a_mask_means_what_its_scale_says(tmp_path):
    probability = np.array([[0, 30, 50, 100]], np.uint8)
    found = of_file(tmp_path, probability, [[0, 0.4]], scale=0.01)
    assert found.tolist() == [[IN, IN, OUT, OUT]]


def test_a_mask_of_one_s_own_is_widened_too(tmp_path):
    numbers = np.zeros((9, 9), np.uint8)
    numbers[4, 4] = 1
    found = of_file(tmp_path, numbers, [0], buffer=20.0)
    rows, columns = np.indices(numbers.shape)
    near = np.hypot(rows - 4, columns - 4) <= 2
    np.testing.assert_array_equal(found == Reason.BUFFER, near & (numbers == 0))
    assert (found == OUT).sum() == 1 and (found == IN).sum() == 81 - near.sum()
