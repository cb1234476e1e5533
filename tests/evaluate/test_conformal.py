"""Class sets: another library's, the bounds that the theory proves, and counts that add up."""

import crepes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lulc_kit.evaluate import conformal

VALUES = [2, 5, 9]


def drawn(count, seed, weights=(0.4, 1, 2)):
    """Percent of three classes, (class, pixel), and class values drawn by these very probabilities."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(weights, count)
    true = (generator.random(count)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    return np.rint(100 * probabilities).astype(np.uint8).T, np.array(VALUES)[true]


def counted(percent, label):
    return conformal.count(label, np.ones(len(label), int), percent, VALUES, 1)[0]


@pytest.mark.parametrize("by_class", [True, False])
@pytest.mark.parametrize("error_rate", [0.05, 0.1, 0.23])
@pytest.mark.parametrize("seed", range(3))
def test_sets_are_those_of_crepes(by_class, error_rate, seed):
    """Where ε (n + 1) is a whole number, crepes takes one class more in; 503 and its parts give none here."""
    percent, label = drawn(503, seed)
    test, _ = drawn(200, 100 + seed)
    least = conformal.calibrate(counted(percent, label), error_rate, by_class=by_class)
    true = np.searchsorted(VALUES, label)
    scores, options = 100 - percent[true, np.arange(503)].astype(int), {"confidence": 1 - error_rate}
    numbers = (100 - test.astype(int)).T
    judge = crepes.ConformalClassifier()
    if by_class:
        judge.fit(scores, bins=true)
        kinds = [judge.predict_set(numbers, bins=np.full(200, k), smoothing=False, **options)[:, k] for k in range(3)]
        expected = np.stack(kinds)
    else:
        judge.fit(scores)
        expected = judge.predict_set(numbers, smoothing=False, **options).T
    np.testing.assert_array_equal(conformal.sets(test, least), expected.astype(bool))


def test_coverage_of_exchangeable_pixels_lies_within_the_bounds():
    """1 − ε ≤ coverage ≤ 1 − ε + 1 / (n + 1), on average over draws; whole percent tie, which only adds.

    A tie adds less than the share of pixels that have the limiting percent, 0.02 here.
    """
    error_rate, n, found = 0.1, 99, []
    for seed in range(400):
        percent, label = drawn(n, seed)
        test, truth = drawn(300, 10_000 + seed)
        least = conformal.calibrate(counted(percent, label), error_rate, by_class=False)
        found.append(conformal.sets(test, least)[np.searchsorted(VALUES, truth), np.arange(300)].mean())
    error = np.std(found) / np.sqrt(len(found))
    assert 1 - error_rate - 3 * error <= np.mean(found) <= 1 - error_rate + 1 / (n + 1) + 0.02 + 3 * error


def test_by_class_every_class_is_covered_and_without_a_rare_one_is_not():
    percent, label = drawn(4000, 1, weights=(0.15, 1, 2))
    test, truth = drawn(20_000, 2, weights=(0.15, 1, 2))
    covered = {}
    for by_class in (True, False):
        least = conformal.calibrate(counted(percent, label), 0.1, by_class=by_class)
        inside = conformal.sets(test, least)[np.searchsorted(VALUES, truth), np.arange(len(truth))]
        covered[by_class] = [inside[truth == value].mean() for value in VALUES]
    assert min(covered[True]) > 0.87
    assert covered[False][0] < 0.8


@given(st.integers(0, 1000), st.floats(0.01, 0.5), st.booleans())
@settings(max_examples=30)
def test_the_limit_leaves_out_as_many_as_it_may(seed, error_rate, by_class):
    """From the definition: with k = ⌊ε (n + 1)⌋ the k-th least percent of the true class is the limit."""
    percent, label = drawn(211, seed)
    least = conformal.calibrate(counted(percent, label), error_rate, by_class=by_class)
    for k, value in enumerate(VALUES):
        among = label == value if by_class else np.ones(211, bool)
        given_ = np.sort(percent[np.searchsorted(VALUES, label), np.arange(211)][among])
        rank = int(np.floor(error_rate * (len(given_) + 1) + 1e-9))
        assert least[k] == (given_[rank - 1] if rank else 0)


def test_too_few_pixels_leave_nothing_out():
    percent, label = drawn(5, 1)
    least = conformal.calibrate(counted(percent, label), 0.1)
    assert conformal.sets(percent, least).all()


def test_counts_of_parts_add_up_and_what_is_not_known_does_not_count():
    percent, label = drawn(300, 3)
    fold = np.arange(300) % 3 + 1
    whole = conformal.count(label, fold, percent, VALUES, 3)
    parts = [conformal.count(label[s], fold[s], percent[:, s], VALUES, 3) for s in (slice(100), slice(100, None))]
    np.testing.assert_array_equal(sum(parts), whole)
    assert whole.sum() == 300
    more = np.concatenate([percent, [[255, 50, 50], [0, 50, 50], [0, 0, 0]]], axis=1)
    unknown = conformal.count(np.append(label, [2, 7, 2]), np.append(fold, [1, 1, 0]), more, VALUES, 3)
    np.testing.assert_array_equal(unknown, whole)


def test_each_fold_is_judged_by_limits_from_the_others():
    percent, label = drawn(600, 4)
    fold, block = np.arange(600) % 3 + 1, np.arange(600) % 12
    counts = conformal.count(label, fold, percent, VALUES, 3)
    least = conformal.hold(counts, 0.1)
    for k in (1, 2, 3):
        others = fold != k
        alone = conformal.count(label[others], fold[others], percent[:, others], VALUES, 3).sum(axis=0)
        np.testing.assert_array_equal(least[k - 1], conformal.calibrate(alone, 0.1))
    rows = conformal.judge(label, fold, block, percent, VALUES, least)
    assert rows["pixels"].sum() == 600
    one = rows[(rows["block"] == 4) & (rows["label"] == 9)].iloc[0]
    here = (block == 4) & (label == 9)
    inside = conformal.sets(percent[:, here], least[fold[here][0] - 1])  # a block lies in one fold
    assert one["covered"] == inside[2].sum() and one["sizes"] == inside.sum()
    assert one["single"] == (inside.sum(axis=0) == 1).sum() and one["empty"] == (~inside.any(axis=0)).sum()
