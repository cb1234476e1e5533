"""Accuracy: published tables, scikit-learn as the other implementation, and intervals whose closed form is known."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn import metrics
from statsmodels.stats.multitest import multipletests

from lulc_kit.classes import LandClass, Scheme
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import accuracy, significance

# Congalton 1991 (doi:10.1016/0034-4257(91)90048-B), table 1, turned: rows are the reference.
CONGALTON = np.array([[65, 6, 0, 4], [4, 81, 11, 7], [22, 5, 85, 3], [24, 8, 19, 90]])
# Olofsson et al. 2014 (doi:10.1016/j.rse.2014.02.015), table 8: rows are the map.
OLOFSSON = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
OLOFSSON_WEIGHTS = np.array([0.020, 0.015, 0.320, 0.645])

matrices = hnp.arrays(np.int64, (4, 4), elements=st.integers(0, 40))


def scheme(size):
    return Scheme("x", "X", tuple(LandClass(i + 1, f"class {i + 1}", "#000000") for i in range(size)))


def pixels(matrix):
    """Labels and predictions (values 1, 2, …) that have this confusion matrix."""
    t, p = np.meshgrid(np.arange(len(matrix)) + 1, np.arange(len(matrix)) + 1, indexing="ij")
    return np.repeat(t.ravel(), matrix.ravel()), np.repeat(p.ravel(), matrix.ravel())


def test_congalton_s_table_gives_his_accuracies():
    assert accuracy.overall_accuracy(CONGALTON) == pytest.approx(321 / 434)
    found = accuracy.per_class(CONGALTON)
    # Printed there: producer's 87, 79, 74, 64 %; user's 57, 81, 74, 87 %.
    assert [round(100 * v) for v in found["recall"]] == [87, 79, 74, 64]
    assert [round(100 * v) for v in found["precision"]] == [57, 81, 74, 87]


def test_olofsson_s_user_s_accuracy_and_his_weighted_accuracies():
    table = OLOFSSON.T  # here rows are the reference
    # Printed there: user's accuracy 0.88, 0.73, 0.93, 0.96.
    assert [round(float(v), 2) for v in accuracy.per_class(table)["precision"]] == [0.88, 0.73, 0.93, 0.96]
    # With the map classes' areas as weights: overall 0.95, producer's 0.75, 0.85, 0.93, 0.96.
    weighted = (OLOFSSON / OLOFSSON.sum(axis=1, keepdims=True) * OLOFSSON_WEIGHTS[:, None]).T
    assert round(float(accuracy.overall_accuracy(weighted)), 2) == 0.95
    assert [round(float(v), 2) for v in accuracy.per_class(weighted)["recall"]] == [0.75, 0.85, 0.93, 0.96]


@given(matrix=matrices)
@settings(deadline=None)
def test_equal_to_scikit_learn(matrix):
    if not matrix.sum():
        return
    true, predicted = pixels(matrix)
    values = [1, 2, 3, 4]
    whole = accuracy.by_block(true, predicted, np.ones_like(true), values)
    np.testing.assert_array_equal(whole, matrix[None])
    assert accuracy.overall_accuracy(matrix) == pytest.approx(metrics.accuracy_score(true, predicted))
    found = accuracy.per_class(matrix)
    p, r, f, _ = metrics.precision_recall_fscore_support(true, predicted, labels=values, zero_division=0)
    iou = metrics.jaccard_score(true, predicted, labels=values, average=None, zero_division=0)
    there = (matrix.sum(axis=0) + matrix.sum(axis=1)) > 0
    for name, expected in (("precision", p), ("recall", r), ("f1", f), ("iou", iou)):
        np.testing.assert_allclose(found[name][there], expected[there])
        assert np.isnan(found[name][~there]).all()
    expected = metrics.f1_score(true, predicted, average="macro", zero_division=0)
    assert accuracy.macro_f1(matrix) == pytest.approx(expected)


@given(matrix=matrices)
def test_quantity_and_allocation_add_up_to_what_is_wrong(matrix):
    if not matrix.sum():
        return
    found = accuracy.disagreement(matrix)
    wrong = 1 - np.trace(matrix) / matrix.sum()
    assert found["quantity"] + found["allocation"] == pytest.approx(wrong, abs=1e-12)
    assert found["quantity"] >= 0
    assert found["allocation"] >= -1e-12
    # By hand: half the sum of the differences of the margins.
    margins = np.abs(matrix.sum(axis=0) - matrix.sum(axis=1)).sum() / 2 / matrix.sum()
    assert found["quantity"] == pytest.approx(margins)


def test_swapped_pixels_are_allocation_and_surplus_is_quantity():
    assert accuracy.disagreement(np.array([[5, 5], [5, 5]])) == pytest.approx({"quantity": 0, "allocation": 0.5})
    assert accuracy.disagreement(np.array([[5, 5], [0, 10]])) == pytest.approx({"quantity": 0.25, "allocation": 0})


@given(matrix=matrices)
@settings(deadline=None)
def test_kappa_is_scikit_learn_s(matrix):
    if not matrix.sum():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = metrics.cohen_kappa_score(*pixels(matrix))
    np.testing.assert_allclose(accuracy.kappa(matrix), expected, atol=1e-12)


def test_published_kappas():
    # Congalton & Green: 0.65; Pontius on Olofsson's shares.
    assert accuracy.kappa(CONGALTON) == pytest.approx(0.653516, abs=5e-7)
    pixel_weights = np.array([200_000, 150_000, 3_200_000, 6_450_000]) / 1e7
    shares = OLOFSSON / OLOFSSON.sum(axis=1, keepdims=True) * pixel_weights[:, None]
    assert accuracy.kappa(shares) == pytest.approx(0.888814, abs=5e-7)
    assert np.isnan(accuracy.kappa(np.diag([5, 0])))


def test_unlabelled_and_unmapped_pixels_never_count():
    true = np.array([[0, 1, 1, 3], [3, 7, 1, 0]], np.uint8)
    predicted = np.array([[1, 1, 0, 3], [1, 1, 200, 0]], np.uint8)
    found = accuracy.by_block(true, predicted, np.ones_like(true), [1, 3])
    assert found.tolist() == [[[1, 0], [1, 1]]]


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_blocks_add_up_to_the_whole(seed):
    generator = np.random.default_rng(seed)
    true, predicted = generator.integers(0, 4, (2, 20, 30)).astype(np.uint8)
    block = generator.integers(1, 9, (20, 30)).astype(np.uint32) * 1000
    found = accuracy.by_block(true, predicted, block, [1, 2, 3])
    numbers = np.unique(block[true > 0])
    assert len(found) == len(numbers)
    for number, matrix in zip(numbers, found, strict=True):
        here = block == number
        np.testing.assert_array_equal(
            matrix, metrics.confusion_matrix(true[here], predicted[here], labels=[0, 1, 2, 3])[1:, 1:]
        )
    whole = metrics.confusion_matrix(true.ravel(), predicted.ravel(), labels=[0, 1, 2, 3])
    np.testing.assert_array_equal(found.sum(axis=0), whole[1:, 1:])


def test_a_block_that_a_run_leaves_unmapped_keeps_its_place():
    # Otherwise two runs would be compared on different resamples.
    true = np.array([1, 1, 2, 2], np.uint8)
    block = np.array([1, 2, 3, 4], np.uint32)
    found = accuracy.by_block(true, np.array([1, 0, 2, 1], np.uint8), block, [1, 2])
    assert found.tolist() == [[[1, 0], [0, 0]], [[0, 0], [0, 0]], [[0, 0], [0, 1]], [[0, 0], [1, 0]]]


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_with_blocks_of_one_pixel_the_interval_is_the_binomial_one(confidence):
    n, right = 600, 450
    each = np.zeros((n, 2, 2), np.int64)
    each[:right, 0, 0] = 1
    each[right:, 0, 1] = 1
    each[:, 1, 1] = 0
    found = accuracy.assess(each, scheme(2), confidence=confidence, resamples=4000, seed=1).overall
    z = {0.8: 1.2816, 0.95: 1.9600}[confidence]
    half = z * np.sqrt(0.75 * 0.25 / n)
    assert found.value == 0.75
    assert found.low == pytest.approx(0.75 - half, abs=0.004)
    assert found.high == pytest.approx(0.75 + half, abs=0.004)


def test_copies_within_a_block_do_not_narrow_the_interval():
    generator = np.random.default_rng(1)
    one = np.zeros((100, 2, 2), np.int64)
    one[np.arange(100), 0, (generator.random(100) < 0.3).astype(int)] = 1
    single, copied = (
        accuracy.assess(m, scheme(2), confidence=0.95, resamples=1000, seed=1).overall for m in (one, one * 50)
    )
    assert (single.low, single.high) == (copied.low, copied.high)


def test_assessment_of_whole_blocks():
    whole = np.stack([CONGALTON, OLOFSSON.T, CONGALTON.T])
    found = accuracy.assess(whole, scheme(4), confidence=0.9, resamples=500, seed=3)
    np.testing.assert_array_equal(found.matrix, whole.sum(axis=0))
    assert found.overall.value == accuracy.overall_accuracy(whole.sum(axis=0))
    assert found.macro.low <= found.macro.value <= found.macro.high
    assert found.classes["class 2"]["pixels"] == whole.sum(axis=0)[1].sum()
    for i in range(4):
        row = found.classes[f"class {i + 1}"]
        for score in ("precision", "recall", "f1", "iou"):
            assert row[score].value == accuracy.per_class(whole.sum(axis=0))[score][i]
            assert 0 <= row[score].low <= row[score].high <= 1
    assert str(accuracy.Estimate(0.5, 0.25, 0.75)) == "0.500 (0.250–0.750)"


def test_one_block_has_no_interval():
    with pytest.raises(LulcError, match="at least two blocks"):
        accuracy.assess(CONGALTON[None], scheme(4), confidence=0.9, resamples=100, seed=1)


def run_of(quality, seed, blocks=60):
    """A run that is right with this probability, on the same labels and blocks whatever the quality."""
    true = np.random.default_rng(0).integers(1, 4, blocks * 25).astype(np.uint8)
    generator = np.random.default_rng(seed)
    wrong = (true + generator.integers(0, 2, true.size)) % 3 + 1
    predicted = np.where(generator.random(true.size) < quality, true, wrong).astype(np.uint8)
    block = np.repeat(np.arange(1, blocks + 1), 25)
    each = accuracy.by_block(true, predicted, block, [1, 2, 3])
    return accuracy.assess(each, scheme(3), confidence=0.95, resamples=600, seed=1)


def test_comparison_tells_apart_what_differs_and_not_what_does_not():
    runs = {"poor": run_of(0.6, 1), "good": run_of(0.9, 2), "alike": run_of(0.9, 3)}
    found = accuracy.compare(runs, 0.95).set_index(["better", "worse"])
    assert len(found) == 3
    assert (found["difference"] >= 0).all()
    first = max(runs, key=lambda r: runs[r].macro.value)
    second = ({"good", "alike"} - {first}).pop()
    assert found.loc[(first, "poor"), "distinguishable"]
    assert found.loc[(second, "poor"), "distinguishable"]
    assert not found.loc[(first, second), "distinguishable"]
    row = found.loc[(first, "poor")]
    assert row["difference"] == pytest.approx(runs[first].macro.value - runs["poor"].macro.value)
    assert 0 < row["low"] < row["difference"] < row["high"]


def test_a_run_cannot_be_told_apart_from_itself_and_one_run_has_no_rival():
    same = accuracy.compare({"a": run_of(0.8, 1), "b": run_of(0.8, 1)}, 0.95).iloc[0]
    assert (same["difference"], same["low"], same["high"], same["distinguishable"]) == (0, 0, 0, False)
    assert accuracy.compare({"a": run_of(0.8, 1)}, 0.95).empty


@given(matrix=matrices)
@settings(deadline=None)
def test_all_scores_stand_in_one_array(matrix):
    if not matrix.sum():
        return
    found = accuracy.scores(np.stack([matrix, matrix.T]))
    assert found.shape == (2, len(accuracy.WHOLE) + 4 * len(accuracy.BY_CLASS))
    assert found[0, 0] == accuracy.overall_accuracy(matrix) and found[1, 1] == accuracy.macro_f1(matrix.T)
    np.testing.assert_array_equal(found[0, 5:9], accuracy.per_class(matrix)["precision"])
    np.testing.assert_array_equal(found[1, -4:], accuracy.per_class(matrix.T)["iou"])


def test_pontius_on_olofsson_s_shares():
    pixels_of = np.array([200_000, 150_000, 3_200_000, 6_450_000])
    shares = OLOFSSON / OLOFSSON.sum(axis=1, keepdims=True) * pixels_of[:, None] / pixels_of.sum()
    found = accuracy.disagreement(shares)
    assert found["quantity"] == pytest.approx(0.00449324, abs=5e-9)
    assert found["allocation"] == pytest.approx(0.04899487, abs=5e-9)


def test_a_comparison_is_a_sentence_and_corrected_for_the_number_of_pairs():
    runs = {f"r{i}": run_of(q, i) for i, q in enumerate((0.9, 0.9, 0.86, 0.6))}
    found = accuracy.compare(runs, 0.95)
    assert (found["p_corrected"] >= found["p"]).all()
    np.testing.assert_allclose(found["p_corrected"], multipletests(found["p"], method="holm")[1])
    assert (found["distinguishable"] == (found["p_corrected"] < 0.05)).all() and found["p_mcnemar"].isna().all()
    row = found.set_index(["better", "worse"]).loc[(found.iloc[0]["better"], "r3")]
    assert row["said"] == (
        f"{found.iloc[0]['better']} is better than r3 by {100 * row['difference']:.1f} points of macro-F1, 95 % "
        f"interval {100 * row['low']:.1f} to {100 * row['high']:.1f}."
    )
    alike = found[~found["distinguishable"]].iloc[0]
    assert "cannot be told apart: a difference of" in alike["said"] and "corrected for 6 pairs" in alike["said"]


def test_p_of_a_pair_is_about_that_of_the_paired_t_test_of_its_blocks():
    """Where blocks have the same pixels and two classes are as common, macro-F1 is nearly the mean over blocks."""
    generator = np.random.default_rng(3)

    def matrices_of(right):
        return np.array([[[n, 50 - n], [50 - n, n]] for n in right])

    one, other = generator.binomial(50, 0.80, 40), generator.binomial(50, 0.78, 40)
    options = {"confidence": 0.95, "resamples": 4000, "seed": 1}
    runs = {n: accuracy.assess(matrices_of(r), scheme(2), **options) for n, r in (("one", one), ("other", other))}
    found = accuracy.compare(runs, 0.95)["p"][0]
    assert found == pytest.approx(stats.ttest_rel(one, other).pvalue, abs=0.03)


def test_a_pair_is_tested_by_the_pixels_that_only_one_has_right():
    runs = {"a": run_of(0.9, 1), "b": run_of(0.8, 2)}
    generator = np.random.default_rng(1)
    only = {("a", "b"): generator.poisson(4, 60), ("b", "a"): generator.poisson(2, 60)}
    found = accuracy.compare(runs, 0.95, only).iloc[0]
    assert found["p_mcnemar"] == pytest.approx(significance.mcnemar(only["a", "b"], only["b", "a"])[1])
