"""Intervals from whole blocks: scipy's BCa as the other implementation, closed forms, and a truth that is known."""

import numpy as np
import pytest
from scipy import stats

from benchmarks import evaluate
from lulc_kit.evaluate import accuracy, bootstrap


def test_resamples_draw_as_many_blocks_as_there_are():
    times = bootstrap.resample(7, 5000, seed=1)
    assert times.shape == (5000, 7)
    assert (times.sum(axis=1) == 7).all()
    np.testing.assert_allclose(times.mean(axis=0), 1, atol=0.06)
    np.testing.assert_array_equal(times, bootstrap.resample(7, 5000, seed=1))


def of_means(sample, confidence, resamples=4000):
    times = bootstrap.resample(len(sample), resamples, seed=1)
    left_out = (sample.sum(axis=0) - sample) / (len(sample) - 1)
    return bootstrap.interval(sample.mean(axis=0), times @ sample / len(sample), left_out, confidence)


def test_it_is_scipy_s_bca_but_for_the_widening():
    sample = np.random.default_rng(3).exponential(size=(300, 1))
    low, high = of_means(sample, 0.95, 20_000)
    expected = stats.bootstrap((sample[:, 0],), np.mean, n_resamples=20_000, method="BCa", rng=2).confidence_interval
    width = expected.high - expected.low
    assert low[0] == pytest.approx(expected.low, abs=0.03 * width)
    assert high[0] == pytest.approx(expected.high, abs=0.03 * width)


@pytest.mark.parametrize("count", [6, 12])
def test_of_few_blocks_of_a_normal_number_it_is_nearly_student_s(count):
    sample = np.random.default_rng(5).normal(size=(count, 1))
    low, high = of_means(sample, 0.9)
    expected = stats.t.interval(0.9, count - 1, sample.mean(), stats.sem(sample[:, 0]))
    plain = np.quantile(bootstrap.resample(count, 4000, 1) @ sample / count, [0.05, 0.95])
    assert high[0] - low[0] == pytest.approx(expected[1] - expected[0], rel=0.15)
    assert high[0] - low[0] > 1.05 * (plain[1] - plain[0])


def test_numbers_without_spread_or_without_a_value_stay_what_they_are():
    many, left_out = np.array([[1.0, np.nan, 3.0]] * 50), np.array([[1.0, np.nan, 3.0]] * 8)
    many[::2, 2], left_out[0, 2] = np.nan, np.nan
    low, high = bootstrap.interval([1.0, np.nan, 3.0], many, left_out, 0.95)
    np.testing.assert_array_equal(low, [1, np.nan, 3])
    np.testing.assert_array_equal(high, [1, np.nan, 3])


def test_quantiles_are_numpy_s_at_a_level_for_each_column():
    many = np.random.default_rng(1).normal(size=(99, 3))
    many[5:50, 1] = np.nan
    level = np.array([0.1, 0.5, 0.987])
    expected = [np.nanquantile(column, part) for column, part in zip(many.T, level, strict=True)]
    np.testing.assert_allclose(bootstrap._quantile(many, level), expected)


@pytest.mark.slow
def test_intervals_hold_the_truth_where_errors_depend_on_each_other():
    """A small part of `benchmarks.evaluate`, whose page says more: 250 samples of 60 blocks."""
    held = evaluate.cover_blocks(60, 250)
    ours, plain = held["BCa, widened (the kit)"], held["percentiles"]
    assert ours.shape == (len(evaluate.WATCHED),)
    assert (ours >= 0.90).all() and (ours <= 0.99).all(), ours
    assert ours.mean() > plain.mean()


def test_treating_pixels_as_independent_would_not():
    """The same samples with the binomial interval of overall accuracy, as most papers have it."""
    generator, truth = np.random.default_rng(1), evaluate.true_scores()[0]
    held = 0
    for _ in range(300):
        matrix = evaluate.simulate(generator, 60).sum(axis=0)
        right = accuracy.overall_accuracy(matrix)
        held += abs(right - truth) <= 1.96 * np.sqrt(right * (1 - right) / matrix.sum())
    assert held / 300 < 0.75


def test_a_thousand_resamples_of_ten_runs_take_little():
    """500 blocks, 12 classes: under 2 seconds of a processor, whatever else the machine does meanwhile."""
    evaluate.speed()
    assert evaluate.speed()[1] < 2
