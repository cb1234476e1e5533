"""Distances against scipy's, which are computed another way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from lulc_kit import distance as module
from lulc_kit.distance import distance, within

masks = st.integers(0, 2**31).map(lambda s: np.random.default_rng(s).random((23, 31)) < 0.02)


def true_distance(mask, pixel):
    return distance_transform_edt(~mask, sampling=pixel) if mask.any() else np.full(mask.shape, 1e9)


@given(
    mask=masks,
    pixel=st.sampled_from([(10.0, 10.0), (20.0, 10.0), (10.0, 20.0)]),
    reach=st.sampled_from([35.0, 120.0, 1000.0]),
)
@settings(deadline=None)
def test_distance_is_scipy_s_up_to_the_reach(mask, pixel, reach):
    found = distance(mask, reach, pixel=pixel)
    np.testing.assert_allclose(found, np.minimum(true_distance(mask, pixel), reach), rtol=1e-6)


@given(mask=masks, reach=st.sampled_from([2.5, 7.0, 100.0]))
@settings(deadline=None)
def test_distance_in_pixels_is_scipy_s_to_the_bit(mask, reach):
    np.testing.assert_array_equal(distance(mask, reach), np.minimum(true_distance(mask, (1, 1)), reach))


@given(mask=masks)
@settings(deadline=None)
def test_a_margin_is_looked_at_but_not_answered(mask):
    np.testing.assert_array_equal(distance(mask, 50.0, margin=(3, 5)), distance(mask, 50.0)[3:-3, 5:-5])


@pytest.mark.parametrize("strip", [1, 7, 64])
@pytest.mark.parametrize("pixels", [0.0, 1.0, 3.5, 5.0, 60.0])
def test_within_by_strips_is_that_of_the_whole(monkeypatch, strip, pixels):
    monkeypatch.setattr(module, "STRIP", strip)
    mask = np.random.default_rng(2).random((90, 50)) < 0.004
    np.testing.assert_array_equal(within(mask, pixels), distance_transform_edt(~mask) <= pixels)


def test_nothing_is_near_nothing():
    assert not within(np.zeros((5, 6), bool), 3.0).any()
