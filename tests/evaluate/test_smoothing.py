"""Smoothing: SciPy's filters, brute force, GDAL's sieve against patches found by SciPy, and what must not change."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lulc_kit.evaluate import smoothing


def drawn(seed, shape=(24, 30), values=(0, 1, 2, 3)):
    generator = np.random.default_rng(seed)
    small = generator.choice(values, (shape[0] // 3, shape[1] // 3))
    codes = np.kron(small, np.ones((3, 3), int))
    noise = generator.random(shape) < 0.15
    return np.where(noise, generator.choice(values, shape), codes).astype(np.uint8)


@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_where_all_is_known_and_far_from_the_rim_it_is_scipys_gaussian(sigma):
    probabilities = np.random.default_rng(1).dirichlet([1, 1, 1], (60, 70)).transpose(2, 0, 1).astype(np.float32)
    found = smoothing.gaussian(probabilities, sigma)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    inner = (slice(None), slice(10, -10), slice(10, -10))
    expected = np.stack([ndimage.gaussian_filter(p.astype(float), sigma) for p in probabilities])
    np.testing.assert_allclose(found[inner], expected[inner], atol=1e-6)


def test_what_is_not_known_counts_for_nothing():
    """By the definition: weights of the known pixels, which add up to 1."""
    generator = np.random.default_rng(2)
    probabilities = generator.dirichlet([1, 1], (15, 15)).transpose(2, 0, 1).astype(np.float32)
    probabilities[:, generator.random((15, 15)) < 0.3] = np.nan
    among = generator.random((15, 15)) < 0.8
    found = smoothing.gaussian(probabilities, 1.5, among)
    known = np.isfinite(probabilities[0]) & among
    np.testing.assert_array_equal(np.isfinite(found[0]), known)
    rows, columns = np.indices((15, 15))
    for row, column in np.argwhere(known)[::17]:
        steps = np.abs(rows - row), np.abs(columns - column)
        weight = np.exp(-(steps[0] ** 2 + steps[1] ** 2) / (2 * 1.5**2)) * known * (np.maximum(*steps) <= 6)
        expected = (np.nan_to_num(probabilities[0]) * weight).sum() / weight.sum()
        assert found[0, row, column] == pytest.approx(expected, abs=1e-6)


def test_nothing_is_averaged_over_no_width():
    probabilities = np.random.default_rng(3).dirichlet([1, 1], (5, 5)).transpose(2, 0, 1).astype(np.float32)
    np.testing.assert_allclose(smoothing.gaussian(probabilities, 0.0), probabilities, atol=1e-7)


@given(st.integers(0, 500), st.sampled_from([3, 5]))
@settings(max_examples=15, deadline=None)
def test_the_majority_is_that_of_the_window(seed, side):
    codes = drawn(seed)
    found = smoothing.majority(codes, side, [1, 2, 3])
    half = side // 2
    for (row, column), value in np.ndenumerate(codes):
        window = codes[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1]
        votes = Counter(window[window > 0].tolist())
        most = max(votes.values(), default=0)
        if value == 0 or votes[int(value)] == most:
            assert found[row, column] == value
        else:
            assert votes[int(found[row, column])] == most


def patches(codes):
    """Sizes of the patches of one class, by class, as SciPy finds them (4 neighbours)."""
    for value in np.unique(codes[codes > 0]):
        numbered, count = ndimage.label(codes == value)
        yield value, numbered, np.bincount(numbered.ravel(), minlength=count + 1)[1:]


@given(st.integers(0, 500))
@settings(max_examples=20, deadline=None)
def test_the_sieve_leaves_large_patches_and_gives_small_ones_to_a_neighbour(seed):
    codes = drawn(seed)
    least = 6
    found = smoothing.sieve(codes, least)
    np.testing.assert_array_equal(found == 0, codes == 0)
    for value, numbered, sizes in patches(codes):
        for number, size in enumerate(sizes, 1):
            inside = numbered == number
            if size >= least:
                assert (found[inside] == value).all()
            else:
                around = ndimage.binary_dilation(inside) & ~inside & (codes > 0)
                assert len(np.unique(found[inside])) == 1 and set(found[inside]) <= {
                    value,
                    *codes[around],
                    *found[around],
                }


def test_a_speck_becomes_its_largest_neighbour():
    codes = np.ones((12, 12), np.uint8)
    codes[:, 9:] = 2
    codes[4:6, 7:9] = 3  # between the large 1 and the small 2
    assert (smoothing.sieve(codes, 5)[4:6, 7:9] == 1).all()
    np.testing.assert_array_equal(smoothing.sieve(codes, 4), codes)
    np.testing.assert_array_equal(smoothing.sieve(codes, 1), codes)


def test_specks_of_noise_go_and_fields_stay():
    """A truth of fields, probabilities with noise: each way makes the map more like the truth."""
    generator = np.random.default_rng(5)
    truth = np.kron(generator.choice([1, 2], (6, 6)), np.ones((15, 15), int)).astype(np.uint8)
    likely = np.clip(0.5 + 0.2 * (truth == 1) - 0.2 * (truth == 2) + generator.normal(0, 0.25, truth.shape), 0, 1)
    probabilities = np.stack([likely, 1 - likely]).astype(np.float32)
    before = np.where(likely >= 0.5, 1, 2).astype(np.uint8)
    wrong = (before != truth).mean()
    smooth = np.where(smoothing.gaussian(probabilities, 1.5)[0] >= 0.5, 1, 2)
    assert wrong > 0.15
    assert (smooth != truth).mean() < wrong / 3
    assert (smoothing.majority(before, 5, [1, 2]) != truth).mean() < wrong / 3
    assert (smoothing.sieve(before, 20) != truth).mean() < wrong / 2
