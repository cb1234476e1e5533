"""Tests of pairs: the book's example, statsmodels, and how often they are wrong where there is nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from lulc_kit.evaluate import significance


def test_agresti_s_example():
    # 794 both right, 150 and 86 only one, 570 both wrong; without correction for continuity.
    z, p = significance.mcnemar(np.repeat([1, 0], [150, 86]), np.repeat([0, 1], [150, 86]))
    assert z**2 == pytest.approx(17.355932, abs=5e-7)
    assert z == pytest.approx(4.166045, abs=5e-7)
    assert p == pytest.approx(stats.chi2.sf(17.355932, 1), rel=1e-5)


@given(st.integers(0, 200), st.integers(0, 200))
def test_with_blocks_of_one_pixel_it_is_statsmodels(first, second):
    if not first + second:
        assert significance.mcnemar([0, 0], [0, 0]) == (0.0, 1.0)
        return
    z, p = significance.mcnemar(np.repeat([1, 0], [first, second]), np.repeat([0, 1], [first, second]))
    expected = mcnemar([[50, first], [second, 50]], exact=False, correction=False)
    assert z**2 == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue)


def test_copies_of_pixels_in_a_block_prove_nothing():
    generator = np.random.default_rng(1)
    first, second = generator.integers(0, 5, (2, 40))
    assert significance.mcnemar(first, second) == pytest.approx(significance.mcnemar(9 * first, 9 * second))


def test_where_nothing_differs_it_says_so_as_rarely_as_it_should():
    """Blocks in which both models err together: whole blocks keep the level, single pixels do not."""
    generator, blocks, pixels = np.random.default_rng(2), 0, 0
    for _ in range(1000):
        better = generator.normal(0, 0.15, 50)  # of the first model in a block; on the whole nothing
        first, second = generator.binomial(40, 0.2 + better.clip(-0.2, 0.2)), generator.binomial(40, 0.2, 50)
        blocks += significance.mcnemar(first, second)[1] < 0.05
        one, other = np.repeat([1, 0], [first.sum(), second.sum()]), np.repeat([0, 1], [first.sum(), second.sum()])
        pixels += significance.mcnemar(one, other)[1] < 0.05
    assert 0.03 <= blocks / 1000 <= 0.075
    assert pixels / 1000 > 0.2


@pytest.mark.parametrize("count", [1, 2, 7, 45])
def test_holm_is_statsmodels(count):
    p = np.random.default_rng(count).random(count) ** 4
    np.testing.assert_allclose(significance.holm(p), multipletests(p, method="holm")[1])
    np.testing.assert_allclose(significance.holm(p.round(1)), multipletests(p.round(1), method="holm")[1])


def test_no_pairs_and_unknown_ones():
    assert significance.holm([]).size == 0
    assert np.isnan(significance.holm([np.nan])).all()
