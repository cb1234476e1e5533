"""Estimators of a probability sample: the papers' worked examples, closed forms, other libraries, known truths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from lulc_kit.errors import LulcError
from lulc_kit.evaluate import design

# Olofsson et al. 2014 (doi:10.1016/j.rse.2014.02.015), table 8: rows are the map, 30 m pixels.
OLOFSSON = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
OLOFSSON_PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])
MISPRINTS = """Printed in Olofsson et al. 2014, but against its own equations, and not asserted here: the half-widths of
the producer's accuracy of forest gain (.23; equation 7 gives .254) and of stable non-forest (.01; .018), and the
standard error of the deforested area (34,097 pixels; 68,418 / 1.96 = 34,907, which is what equation 10 gives)."""

# Stehman 2014 (doi:10.1080/01431161.2014.930207), table 2: 10 pixels in each stratum.
STEHMAN_PIXELS = np.array([40_000, 30_000, 20_000, 10_000])
STEHMAN_MAP = ["AAAAAAABBB", "ABBBBBBBBB", "BBCCCCCCBB", "DDDDDDDDDD"]
STEHMAN_REFERENCE = ["AAAAACBABC", "ABBBBBAABB", "CCCCCDDBBA", "DDDDDDDCCB"]


def stehman():
    counts = np.zeros((4, 4, 4), int)
    for stratum, (mapped, true) in enumerate(zip(STEHMAN_MAP, STEHMAN_REFERENCE, strict=True)):
        for m, t in zip(mapped, true, strict=True):
            counts[stratum, "ABCD".index(m), "ABCD".index(t)] += 1
    return counts


def test_olofsson_s_example():
    found = design.estimate_stratified(OLOFSSON, OLOFSSON_PIXELS)
    assert found.overall_accuracy == pytest.approx(0.946512, abs=5e-7)
    assert 1.96 * found.overall_accuracy_se == pytest.approx(0.018484, abs=5e-7)
    np.testing.assert_allclose(found.users_accuracy, [0.88, 0.733333, 0.927273, 0.963077], atol=5e-7)
    np.testing.assert_allclose(1.96 * found.users_accuracy_se, [0.074041, 0.100757, 0.039745, 0.020534], atol=5e-7)
    np.testing.assert_allclose(found.producers_accuracy, [0.748661, 0.847156, 0.934509, 0.961609], atol=5e-7)
    half = [0.213310, 0.254408, 0.034324, 0.018362]
    np.testing.assert_allclose(1.96 * found.producers_accuracy_se, half, atol=5e-7)
    hectares = OLOFSSON_PIXELS.sum() * 0.09
    np.testing.assert_allclose(hectares * found.area_share, [21157.76, 11686.15, 285769.93, 581386.15], atol=0.006)
    np.testing.assert_allclose(
        hectares * 1.96 * found.area_share_se, [6157.63, 3755.83, 15509.84, 16281.66], atol=0.006
    )


def test_three_values_printed_in_that_paper_are_not_those_of_its_equations():
    found = design.estimate_stratified(OLOFSSON, OLOFSSON_PIXELS)
    half = 1.96 * found.producers_accuracy_se
    assert round(half[1], 2) != 0.23 and round(half[3], 2) != 0.01, MISPRINTS
    assert OLOFSSON_PIXELS.sum() * found.area_share_se[0] == pytest.approx(34_907, abs=1), MISPRINTS


def test_stehman_s_example_with_strata_that_are_not_the_map_s_classes():
    found = design.estimate_stratified(stehman(), STEHMAN_PIXELS, population=STEHMAN_PIXELS)
    assert found.overall_accuracy == pytest.approx(0.63)
    assert found.overall_accuracy_se == pytest.approx(0.084642, abs=5e-7)
    for name, values, errors in (
        ("area_share", [0.35, 0.34, 0.20, 0.11], [0.082248, 0.075853, 0.064280, 0.030722]),
        ("users_accuracy", [0.741935, 0.574468, 0.5, 0.7], [0.164542, 0.124782, 0.215112, 0.152676]),
        ("producers_accuracy", [0.657143, 0.794118, 0.3, 0.636364], [0.147710, 0.116548, 0.150411, 0.162280]),
    ):
        np.testing.assert_allclose(found[name], values, atol=5e-7)
        np.testing.assert_allclose(found[f"{name}_se"], errors, atol=5e-7)
    without = design.estimate_stratified(stehman(), STEHMAN_PIXELS)
    np.testing.assert_allclose(without.users_accuracy_se, [0.1645627, 0.1248023, 0.2151657, 0.1527525], atol=5e-8)
    np.testing.assert_allclose(without.producers_accuracy_se, [0.1477318, 0.1165671, 0.1504438, 0.1623242], atol=5e-8)
    np.testing.assert_allclose(without.f1, [0.696970, 0.666667, 0.375, 0.666667], atol=5e-7)
    # The delta method on user's and producer's accuracy as if they were independent gives .1103 .0935 .1322 .1128;
    # they rise and fall together, so that the error is greater (held by the derivative and by the simulation below).
    u, p = without.users_accuracy, without.producers_accuracy
    apart = np.sqrt((p**2 * without.users_accuracy_se) ** 2 + (u**2 * without.producers_accuracy_se) ** 2)
    naive = 2 * apart / (u + p) ** 2
    np.testing.assert_allclose(naive, [0.1103462, 0.0935404, 0.1321983, 0.1128433], atol=5e-7)
    assert (without.f1_se > naive).all()


@given(hnp.arrays(np.int64, (3, 3), elements=st.integers(0, 60)))
@settings(deadline=None)
def test_a_simple_random_sample_is_the_binomial_of_any_book(counts):
    n = counts.sum()
    if n < 2:
        return
    found = design.estimate_stratified(counts[None], [1.0])
    right = np.trace(counts) / n
    assert found.overall_accuracy == pytest.approx(right)
    assert found.overall_accuracy_se == pytest.approx(np.sqrt(right * (1 - right) / (n - 1)), abs=1e-9)
    np.testing.assert_allclose(found.area_share, counts.sum(axis=0) / n)


@given(hnp.arrays(np.int64, (4, 4), elements=st.integers(1, 60)), st.integers(0, 100))
@settings(deadline=None, max_examples=40)
def test_the_delta_method_of_f1_is_its_derivative(counts, seed):
    """Numerically: F1's gradient by the strata's cell shares, times their multinomial covariance."""
    weights = np.random.default_rng(seed).dirichlet(np.ones(4))
    shares = counts / counts.sum(axis=1, keepdims=True)

    def f1(p):
        cells = p * weights[:, None]
        return 2 * np.diag(cells) / (cells.sum(axis=0) + cells.sum(axis=1))

    variance = np.zeros(4)
    for h in range(4):
        covariance = (np.diag(shares[h]) - np.outer(shares[h], shares[h])) / (counts[h].sum() - 1)
        gradient = np.zeros((4, 4))
        for j in range(4):
            step = np.zeros((4, 4))
            step[h, j] = 1e-6
            gradient[:, j] = (f1(shares + step) - f1(shares - step)) / 2e-6
        variance += np.einsum("ci,ij,cj->c", gradient, covariance, gradient)
    found = design.estimate_stratified(counts, weights)
    np.testing.assert_allclose(found.f1, f1(shares))
    np.testing.assert_allclose(found.f1_se, np.sqrt(variance), rtol=1e-5)


def test_a_census_has_no_error_left():
    found = design.estimate_stratified(OLOFSSON, OLOFSSON.sum(axis=1), population=OLOFSSON.sum(axis=1))
    assert found.overall_accuracy == pytest.approx(np.trace(OLOFSSON) / OLOFSSON.sum())
    for name in design.MEASURES:
        assert np.all(found[f"{name}_se"] == 0)


@pytest.mark.parametrize(("right", "n"), [(0, 15), (15, 15), (7, 15), (88, 100), (1, 400)])
def test_wilson_is_scipy_s_under_simple_random_sampling(right, n):
    p = right / n
    low, high = design.interval(p, np.sqrt(p * (1 - p) / n), n)
    expected = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(st.floats(0, 1), st.floats(0, 0.5), st.integers(2, 500), st.sampled_from(["wilson", "logit"]))
def test_no_interval_leaves_what_a_part_can_be(p, se, n, how):
    low, high = design.interval(p, se if 0 < p < 1 else 0.0, n, how=how)
    assert 0 <= low <= p <= high <= 1


def test_the_logit_interval_is_symmetric_in_log_odds():
    low, high = design.interval(0.9, 0.03, 100, how="logit")
    logit = lambda q: np.log(q / (1 - q))  # noqa: E731
    assert logit(0.9) - logit(low) == pytest.approx(logit(high) - logit(0.9))
    assert logit(high) - logit(low) == pytest.approx(2 * stats.norm.ppf(0.975) * 0.03 / 0.09)
    with pytest.raises(LulcError, match="wilson"):
        design.interval(0.5, 0.1, 10, how="normal")


def test_rare_classes_and_classes_without_an_error_are_named():
    counts = np.array([[20, 0, 0], [0, 30, 4], [1, 0, 5]])
    found = design.estimate_stratified(counts, [0.5, 0.4, 0.1])
    said = " ".join(found.cautions(["Town", "Field", "Marsh"]))
    assert "user's accuracy of Marsh (6)" in said and "area of Marsh (9)" in said
    assert "user's accuracy of Town (all right or all wrong)" in said
    assert "producer's accuracy of Field (all" in said and "producer's accuracy of Town" not in said
    assert found.users_accuracy[0] == 1 and found.users_accuracy_se[0] == 0
    low, high = found.interval("users_accuracy")
    assert low[0] == pytest.approx(stats.binomtest(20, 20).proportion_ci(method="wilson").low) and high[0] == 1
    table = found.table(["Town", "Field", "Marsh"])
    assert table.loc[("users_accuracy", "Town"), "hits"] == 20
    assert table.loc[("overall_accuracy", "all"), "value"] == pytest.approx(found.overall_accuracy)
    said = design.estimate_stratified(OLOFSSON, OLOFSSON_PIXELS).cautions(list("abcd"))
    assert not any("Fewer than" in text or "No spread" in text for text in said)


def test_what_no_point_shows_is_named_where_the_interval_would_hide_it():
    """A rare class that the map overlooks in a large one: 3 of 10,000 pixels there double its area, and no point is."""
    counts = np.array([[48, 2, 0], [4, 46, 0], [1, 1, 48]])
    found = design.estimate_stratified(counts, [0.6, 0.39, 0.01])
    assert found.unseen[2] == pytest.approx(3 * (0.6 / 50 + 0.39 / 50))
    (said,) = [text for text in found.cautions(["Field", "Forest", "Pond"]) if "rule of three" in text]
    assert "no point is Pond (5.9% of the land)" in said
    assert found.unseen[:2].tolist() == [0, 0]


def test_a_class_that_the_map_lacks_has_an_area_and_no_user_s_accuracy():
    found = design.estimate_stratified([[30, 2, 5], [1, 40, 0], [0, 0, 0]], [0.4, 0.6, 0.0])
    assert np.isnan(found.users_accuracy[2]) and found.producers_accuracy[2] == 0
    assert found.area_share[2] == pytest.approx(0.4 * 5 / 37)
    assert found.area_share.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("counts", "weights", "population", "says"),
    [
        ([[1, 0], [3, 40]], [0.5, 0.5], None, r"fewer than two points: 1 \(1\).*Interpret more"),
        ([[0, 0], [3, 40]], [0.5, 0.5], None, r"fewer than two points: 1 \(0\)"),
        ([[5, 5], [3, 40]], [0.0, 1.0], None, "Strata 1 have points, but no part of the map"),
        ([[5, 5], [3, 40]], [1.0], None, "expected .class, class. with a weight"),
        ([[5, 5, 1], [3, 40, 1]], [0.5, 0.5], None, "expected"),
        ([[5, -1], [3, 40]], [0.5, 0.5], None, "0 or more"),
        ([[5, 5], [3, 40]], [0.5, np.nan], None, "0 or more"),
        ([[5, 5], [3, 40]], [0.5, 0.5], [9, 100], "no less than its points"),
    ],
)
def test_what_cannot_be_estimated_is_refused(counts, weights, population, says):
    with pytest.raises(LulcError, match=says):
        design.estimate_stratified(counts, weights, population=population)


def test_points_that_halve_the_interval():
    more = design.halving(OLOFSSON, OLOFSSON_PIXELS)
    assert more == 3 * OLOFSSON.sum()
    now = design.estimate_stratified(OLOFSSON, OLOFSSON_PIXELS).overall_accuracy_se
    then = design.estimate_stratified(4 * OLOFSSON, OLOFSSON_PIXELS).overall_accuracy_se
    assert then == pytest.approx(now / 2, rel=0.01)
    # Of a small map fewer do, because what is drawn is known.
    small = np.array([400, 400, 600, 900])
    fewer = design.halving(OLOFSSON, small, small)
    assert 0 < fewer < more
    assert design.halving(np.diag([5, 5]), [1, 1]) is None
    assert design.halving([[4, 1], [1, 4]], [0.5, 0.5], [5, 5]) is None


TRUTH = np.array(
    [[0.17, 0.005, 0.02, 0.005], [0.01, 0.25, 0.03, 0.01], [0.01, 0.02, 0.36, 0.01], [0.0, 0.01, 0.01, 0.08]]
)


@pytest.mark.parametrize("strata", ["classes", "one", "others"])
def test_intervals_hold_what_is_true_as_often_as_they_say(strata):
    """1000 samples of a map whose matrix is known."""
    generator = np.random.default_rng(1)
    truth = TRUTH / TRUTH.sum()
    if strata == "classes":
        cells = np.eye(4)[:, :, None] * truth[None]
        drawn = [100, 120, 150, 60]
    elif strata == "one":
        cells, drawn = truth[None], [400]
    else:
        mix = np.random.default_rng(2).dirichlet([1, 1, 1], (4, 4))  # which stratum a cell's land lies in
        cells, drawn = np.moveaxis(mix, 2, 0) * truth[None], [120, 150, 130]
    weights = cells.sum(axis=(1, 2))
    held = {name: np.zeros(4) for name in design.MEASURES}
    expected = design.estimate_stratified(np.round(cells * 1e9), weights)
    for _ in range(1000):
        counts = np.stack(
            [generator.multinomial(n, (c / c.sum()).ravel()).reshape(4, 4) for n, c in zip(drawn, cells, strict=True)]
        )
        found = design.estimate_stratified(counts, weights)
        for name in design.MEASURES:
            low, high = found.interval(name)
            held[name] += (low <= np.asarray(expected[name]) + 1e-9) & (np.asarray(expected[name]) - 1e-9 <= high)
    for name, times in held.items():
        assert (times >= 930).all() and (times <= 980).all(), (name, times)
