"""Back-projection: what is degraded again is the coarse band, and nothing leaves its local range."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lulc_kit.preprocess.sharpening.backproject import add_enlarged, back_project, convolve, projector
from lulc_kit.preprocess.sharpening.mtf import degrade


def smooth(seed, ratio, side=24):
    """A scene of reflectance, and what a coarser sensor sees of it."""
    fine = ndimage.gaussian_filter(np.random.default_rng(seed).random((side * ratio,) * 2), 1.5 * ratio)
    return (0.1 + fine).astype(np.float32)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 99), ratio=st.sampled_from([2, 6]), mtf=st.sampled_from([0.22, 0.32]))
def test_degrading_gives_the_coarse_band_back_from_any_start(seed, ratio, mtf):
    truth = smooth(seed, ratio)
    coarse = degrade(truth, ratio, mtf)
    start = np.full_like(truth, coarse.mean())
    valid = np.ones(truth.shape, bool)
    found = back_project(start.copy(), valid, coarse, projector(ratio, mtf), 3, 1.0)
    before, after = (np.abs(degrade(image, ratio, mtf) - coarse)[2:-2, 2:-2].max() for image in (start, found))
    assert after < 0.03 * before


def test_pixels_that_do_not_count_stay_zero_and_no_step_changes_nothing():
    truth = smooth(1, 2)
    coarse = degrade(truth, 2, 0.26)
    valid = np.ones(truth.shape, bool)
    valid[10:14, 20:24] = False
    start = np.where(valid, np.float32(0.3), np.float32(0))
    np.testing.assert_array_equal(back_project(start.copy(), valid, coarse, projector(2, 0.26), 0, 1.0), start)
    found = back_project(start.copy(), valid, coarse, projector(2, 0.26), 2, 1.0)
    assert (found[~valid] == 0).all() and (found[valid] != 0.3).any()


@pytest.mark.parametrize("mtf", [0.22, 0.26, 0.38])
def test_filters_keep_a_constant(mtf):
    kernels = projector(2, mtf)
    assert kernels.inverse.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(kernels.enlarging.sum(axis=1), 1, atol=1e-6)


def test_convolve_is_scipy_s_with_a_mirrored_border():
    image = np.random.default_rng(2).random((20, 30)).astype(np.float32)
    taps = np.array([0.1, -0.2, 1.2, -0.2, 0.1], np.float32)
    expected = ndimage.correlate1d(ndimage.correlate1d(image.astype(float), taps, 0), taps, 1)  # "reflect"
    np.testing.assert_allclose(convolve(image, taps), expected, atol=1e-5)


def test_nothing_leaves_the_range_it_is_given():
    kernels = projector(2, 0.26)
    image, valid = np.full((20, 20), np.float32(0.5)), np.ones((20, 20), bool)
    floor, ceiling = np.full_like(image, 0.4), np.full_like(image, 0.6)
    residual = np.random.default_rng(3).normal(0, 5, (10, 10)).astype(np.float32)
    add_enlarged(image, valid, residual, kernels.enlarging, floor, ceiling)
    assert image.min() == np.float32(0.4) and image.max() == np.float32(0.6)
