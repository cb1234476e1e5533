"""Temperature against SciPy's minimisation, and a truth made by the test."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from lulc_kit.deep import calibration


def drawn(seed, heat, count=3000):
    """Scores whose softmax is right by construction, and the same times ``heat``: too sure by that factor."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 1.5, (count, 4))
    classes = (softmax(scores, axis=1).cumsum(axis=1) < generator.random((count, 1))).sum(axis=1).clip(0, 3)
    return softmax(scores * heat, axis=1), classes


@given(seed=st.integers(0, 100), heat=st.floats(0.5, 4))
@settings(max_examples=20, deadline=None)
def test_the_temperature_is_where_scipy_finds_the_least_loss(seed, heat):
    p, classes = drawn(seed, heat)
    found = minimize_scalar(
        lambda t: calibration.log_loss(p, classes, t), bounds=(0.3, 9.5), method="bounded", options={"xatol": 1e-6}
    )
    assert calibration.temperature(p, classes) == pytest.approx(found.x, rel=1e-3)


@pytest.mark.parametrize("heat", [0.5, 1.0, 3.0])
def test_it_takes_back_by_how_much_scores_are_too_sure(heat):
    assert calibration.temperature(*drawn(1, heat, 40_000)) == pytest.approx(heat, rel=0.05)


def test_log_loss_is_minus_the_mean_logarithm():
    p, classes = drawn(1, 2.0)
    assert calibration.log_loss(p, classes, 1.0) == pytest.approx(-np.log(p[np.arange(len(p)), classes]).mean())
    hot = softmax(np.log(p) / 3, axis=1)
    assert calibration.log_loss(p, classes, 3.0) == pytest.approx(-np.log(hot[np.arange(len(p)), classes]).mean())


def test_no_pixels_leave_it_as_it_is_and_perfect_or_random_ones_end_at_the_bounds():
    p = np.eye(3)[[0, 1, 2]] * 0.7 + 0.1
    assert calibration.temperature(p[:0], np.array([], int)) == 1
    assert calibration.temperature(p, np.array([0, 1, 2])) == calibration.COLDEST
    assert calibration.temperature(p, np.array([1, 2, 0])) == calibration.HOTTEST
