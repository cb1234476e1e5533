"""Windows against brute force, whatever is missing, and independent of blocks."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import raster
from lulc_kit.features import context


def brute(layer, side):
    """Mean and standard deviation of every window, pixel by pixel, in float64."""
    reach = side // 2
    padded = np.pad(layer.astype(np.float64), reach, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        both = np.nanmean(around, axis=(2, 3)), np.nanstd(around, axis=(2, 3))
    return [np.where(np.isnan(layer), np.nan, x) for x in both]


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 14), st.integers(1, 14)),
    side=st.sampled_from([3, 5, 9, 21]),
    missing=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    scale=st.sampled_from([0.01, 0.3, 700.0]),
    seed=st.integers(0, 99),
)
def test_equal_to_brute_force(shape, side, missing, scale, seed):
    generator = np.random.default_rng(seed)
    layer = generator.normal(scale, scale / 3, shape).astype(np.float32)
    layer[generator.random(shape) < missing] = np.nan
    mean, std = context.windows(layer[None], [side])
    expected = brute(layer, side)
    np.testing.assert_allclose(mean, expected[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(std, expected[1], rtol=1e-4, atol=2e-6 * max(1, scale))


def test_even_ground_does_not_vary():
    assert (context.windows(np.full((1, 40, 40), 0.123), [3, 15], ["std"]) == 0).all()


@pytest.mark.parametrize("chunk", [7, 16, 64])
def test_independent_of_blocks_to_the_last_bit(chunk):
    generator = np.random.default_rng(3)
    values = generator.uniform(-1, 1, (2, 50, 61)).astype(np.float32)
    values[:, generator.random((50, 61)) < 0.2] = np.nan
    grid = GeoBox((50, 61), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    image = raster.array(values, grid, ["B4", "NDVI"])
    lazy = image.chunk({"band": -1, "y": chunk, "x": chunk})
    found = context.compute(lazy, [3, 13], ["mean", "std"])
    assert list(found.band.values[:4]) == ["B4_mean3", "B4_std3", "B4_mean13", "B4_std13"]
    np.testing.assert_array_equal(found.compute().data, context.windows(values, [3, 13]))


def test_nothing_asked_for():
    grid = GeoBox((4, 4), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    assert context.compute(raster.array(np.ones((1, 4, 4), np.float32), grid, ["B4"]), [], ["mean"]) is None
