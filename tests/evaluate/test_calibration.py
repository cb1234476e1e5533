"""Probabilities against the truth: scikit-learn's Brier score and curve, closed forms, parts that add up."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from lulc_kit.evaluate import calibration

VALUES = [2, 5, 9]


def drawn(seed, count=400):
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet([1, 1, 1], count).T
    return generator.choice(VALUES, count), probabilities


@given(st.integers(0, 1000))
def test_the_brier_score_is_the_sum_of_scikit_learns_over_classes(seed):
    label, probabilities = drawn(seed)
    found = calibration.assess(calibration.count(label, probabilities, VALUES))
    each = [brier_score_loss(label == value, p) for value, p in zip(VALUES, probabilities, strict=True)]
    assert found.brier == pytest.approx(sum(each))


@given(st.integers(0, 1000))
def test_the_diagram_is_scikit_learns_and_the_error_its_weighed_distance_from_the_diagonal(seed):
    label, probabilities = drawn(seed)
    found = calibration.assess(calibration.count(label, probabilities, VALUES))
    right, sure = np.array(VALUES)[probabilities.argmax(axis=0)] == label, probabilities.max(axis=0)
    accuracy, confidence = calibration_curve(right, sure, n_bins=calibration.BINS)
    np.testing.assert_allclose(found.bins["accuracy"], accuracy)
    np.testing.assert_allclose(found.bins["confidence"], confidence)
    assert found.error == pytest.approx(np.average(abs(accuracy - confidence), weights=found.bins["pixels"]))
    assert found.bins["pixels"].sum() == 400


@pytest.mark.parametrize(("right", "brier", "error"), [(1.0, 0.0, 0.0), (0.0, 2.0, 1.0), (0.5, 1.0, 0.5)])
def test_who_is_always_sure_is_as_wrong_as_often_as_wrong(right, brier, error):
    label = np.where(np.arange(100) < 100 * right, 2, 5)
    found = calibration.assess(calibration.count(label, np.array([[1.0] * 100, [0.0] * 100, [0.0] * 100]), VALUES))
    assert (found.brier, found.error) == (brier, error)


def test_probabilities_that_are_the_truths_own_have_little_error():
    generator = np.random.default_rng(1)
    probabilities = generator.dirichlet([1, 1, 1], 50_000).T
    drawn = (generator.random(50_000) > probabilities.cumsum(axis=0)).sum(axis=0).clip(0, 2)
    found = calibration.assess(calibration.count(np.array(VALUES)[drawn], probabilities, VALUES))
    assert found.error < 0.01
    assert found.brier == pytest.approx(1 - (probabilities**2).sum(axis=0).mean(), abs=0.01)


def test_parts_add_up_and_what_is_not_known_does_not_count():
    label, probabilities = drawn(3)
    whole = calibration.count(label, probabilities, VALUES)
    np.testing.assert_allclose(
        calibration.count(label[:90], probabilities[:, :90], VALUES)
        + calibration.count(label[90:], probabilities[:, 90:], VALUES),
        whole,
    )
    more = np.concatenate([label, [0, 2, 200]])
    unknown = np.concatenate([probabilities, np.array([[1, 0, 0], [np.nan, 0, 0], [1, 0, 0]]).T], axis=1)
    np.testing.assert_allclose(calibration.count(more, unknown, VALUES), whole)


@given(st.integers(0, 1000))
def test_losses_are_scikit_learns(seed):
    label, probabilities = drawn(seed)
    probabilities = (probabilities + 0.02) / 1.06  # nothing near the floor
    block = np.random.default_rng(seed).integers(0, 30, len(label))
    sums = calibration.by_block(label, probabilities, block, VALUES)
    assert sums["pixels"].sum() == len(label) and sums.index.tolist() == np.unique(block).tolist()
    brier, log = calibration.score(sums, confidence=0.95, resamples=100, seed=1)
    assert log.value == pytest.approx(log_loss(label, probabilities.T, labels=VALUES))
    assert brier.value == pytest.approx(calibration.assess(calibration.count(label, probabilities, VALUES)).brier)
    assert brier.low < brier.value < brier.high and log.low < log.value < log.high


def test_losses_of_parts_add_up_and_who_is_sure_and_wrong_is_held_to_the_floor():
    label, probabilities = drawn(4)
    block = np.arange(400) // 20
    whole = calibration.by_block(label, probabilities, block, VALUES)
    cut = [
        calibration.by_block(label[part], probabilities[:, part], block[part], VALUES)
        for part in (slice(150), slice(150, None))
    ]
    pd.testing.assert_frame_equal(pd.concat(cut).groupby(level=0).sum(), whole)
    sure = calibration.by_block(np.array([2, 2]), np.array([[0.0, 0], [1, 1], [0, 0]]), np.array([1, 2]), VALUES)
    assert calibration.score(sure, confidence=0.9, resamples=100, seed=1)[1].value == pytest.approx(-np.log(0.005))
    assert calibration.score(sure.iloc[:1], confidence=0.9, resamples=100, seed=1) == (None, None)


def test_the_interval_of_the_brier_score_holds_the_truth():
    generator, held = np.random.default_rng(6), 0
    for seed in range(200):
        sure = generator.beta(4, 1.5, 50)  # of each block: how often it is right, which the model knows only roughly
        count = generator.poisson(30, 50) + 1
        right = generator.random(count.sum()) < np.repeat(sure, count)
        p = np.full(count.sum(), 0.7)
        label, block = np.where(right, 2, 5), np.repeat(np.arange(50), count)
        sums = calibration.by_block(label, np.stack([p, 1 - p, 0 * p]), block, VALUES)
        brier, _ = calibration.score(sums, confidence=0.95, resamples=300, seed=seed)
        mean = 4 / 5.5
        held += brier.low <= 0.18 * mean + 0.98 * (1 - mean) <= brier.high
    assert 0.90 <= held / 200 <= 0.99
