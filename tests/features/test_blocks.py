"""Blocks that see their neighbours' rim: the same as the whole image at once."""

import dask.array as da
import numpy as np
import pytest
from scipy import ndimage

from lulc_kit import raster
from lulc_kit.features import blocks
from tests.rasters import grid

IMAGE = np.random.default_rng(1).random((2, 61, 47)).astype(np.float32)


@pytest.mark.parametrize("chunk", [9, 20, 100])
def test_a_filter_in_blocks_is_that_of_the_whole(chunk: int) -> None:
    lazy = raster.array(da.from_array(IMAGE, (1, chunk, chunk)), grid((61, 47)), ["a", "b"])

    def largest(block: np.ndarray) -> np.ndarray:
        return ndimage.maximum_filter(block.max(axis=0), 7)[None]

    found = blocks.with_halo(largest, lazy, 3, ["largest"])
    assert found.band.values.tolist() == ["largest"] and found.dtype == np.float32
    np.testing.assert_array_equal(found.to_numpy(), largest(IMAGE))


def test_blocks_hold_all_bands_whether_lazy_or_not() -> None:
    for data in (IMAGE, da.from_array(IMAGE, (1, 20, 20))):
        found = blocks.lazy(raster.array(data, grid((61, 47)), ["a", "b"]))
        assert found.numblocks[0] == 1
        np.testing.assert_array_equal(found.compute(), IMAGE)
