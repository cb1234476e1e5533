"""Separability: closed forms of normal distributions, integrals by SciPy, and what must hold for any."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from scipy.stats import norm

from lulc_kit.labels.quality import separability
from lulc_kit.labels.quality.separability import bhattacharyya, divergence

GAUSSIANS = st.tuples(st.floats(-3, 3), st.floats(0.3, 3))


@given(GAUSSIANS, GAUSSIANS)
def test_one_feature_is_the_integral_over_the_densities(one, other):
    (a, s), (b, t) = one, other
    both = [np.array([a]), np.array([[s**2]]), np.array([b]), np.array([[t**2]])]
    x = np.linspace(-40, 40, 40_001)
    logs = norm.logpdf(x, a, s), norm.logpdf(x, b, t)
    assert np.exp(-bhattacharyya(*both)) == pytest.approx(trapezoid(np.exp((logs[0] + logs[1]) / 2), x), abs=1e-7)
    both_ways = (np.exp(logs[0]) - np.exp(logs[1])) * (logs[0] - logs[1])
    assert divergence(*both) == pytest.approx(trapezoid(both_ways, x), rel=1e-6, abs=1e-9)


def test_equal_covariances_leave_the_mahalanobis_distance():
    spread = np.array([[2.0, 0.5, 0], [0.5, 1, 0.2], [0, 0.2, 3]])
    mean, other = np.array([1.0, 0, -1]), np.array([0, 2.0, 1])
    squared = (mean - other) @ np.linalg.inv(spread) @ (mean - other)
    assert bhattacharyya(mean, spread, other, spread) == pytest.approx(squared / 8)
    assert divergence(mean, spread, other, spread) == pytest.approx(squared)


def drawn(means, spreads, count, seed=1):
    generator = np.random.default_rng(seed)
    x = np.concatenate([generator.multivariate_normal(m, s, count) for m, s in zip(means, spreads, strict=True)])
    return x, pd.Categorical.from_codes(np.repeat(range(len(means)), count), ["Water", "Forest", "Ice"][: len(means)])


MEANS = [[0.0, 0.0], [2.0, 1.0], [9.0, -9.0]]
SPREADS = [np.array([[1, 0.6], [0.6, 1]]), np.array([[0.5, -0.2], [-0.2, 2]]), np.eye(2)]


def test_samples_of_known_distributions_give_their_distances():
    found = separability.separability(*drawn(MEANS, SPREADS, 20_000))
    for i, one in enumerate(found.jeffries_matusita.index):
        for j, other in enumerate(found.jeffries_matusita.columns):
            known = np.array(MEANS[i]), SPREADS[i], np.array(MEANS[j]), SPREADS[j]
            expected = 2 * (1 - np.exp(-bhattacharyya(*known)))
            assert found.jeffries_matusita.loc[one, other] == pytest.approx(expected, abs=0.01)
            expected = 2000 * (1 - np.exp(-divergence(*known) / 8))
            assert found.divergence.loc[one, other] == pytest.approx(expected, abs=12)
    assert found.few == {}
    assert list(found.jeffries_matusita) == ["Water", "Forest", "Ice"], "in the classes' own order"


def test_units_of_features_and_the_order_of_rows_do_not_matter():
    x, kinds = drawn(MEANS, SPREADS, 300)
    order = np.random.default_rng(2).permutation(len(x))
    one, other = (
        separability.separability(x, kinds),
        separability.separability((x * [1e4, 1e-3] + 7)[order], kinds[order]),
    )
    for name in ("jeffries_matusita", "divergence"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(getattr(one, name), getattr(one, name).T, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(np.diag(getattr(one, name)), 0, atol=1e-9)


def test_copies_of_features_and_constants_neither_fail_nor_invent_distance():
    x, kinds = drawn(MEANS[:2], SPREADS[:2], 3000)
    plain = separability.separability(x, kinds).jeffries_matusita.iloc[0, 1]
    copied = separability.separability(np.column_stack([x, x[:, 0], np.full(len(x), 3.0)]), kinds)
    assert np.isfinite(copied.jeffries_matusita.to_numpy()).all()
    assert copied.jeffries_matusita.iloc[0, 1] == pytest.approx(plain, abs=0.1)
    same = separability.separability(np.column_stack([x, x[:, 0]]), np.resize(["a", "b"], len(x)))
    assert same.jeffries_matusita.iloc[0, 1] < 0.01, "one cloud, split at random"


def test_a_class_that_never_varies_is_apart_from_all_others():
    x = np.concatenate([np.random.default_rng(1).normal(0, 1, (50, 2)), np.full((50, 2), 40.0)])
    found = separability.separability(x, np.repeat(["a", "b"], 50))
    assert found.jeffries_matusita.iloc[0, 1] == pytest.approx(2)
    assert found.divergence.iloc[0, 1] == pytest.approx(2000)


def test_classes_with_too_few_samples_are_named():
    x, kinds = drawn(MEANS, SPREADS, 100)
    keep = np.r_[0:100, 100:102, 200:219]
    found = separability.separability(x[keep], kinds[keep])
    assert found.few == {"Forest": 2, "Ice": 19}
    assert found.jeffries_matusita["Forest"].isna().all(), "two samples have no covariance of two features"
    assert found.jeffries_matusita.loc["Water", "Ice"] > 1.9
