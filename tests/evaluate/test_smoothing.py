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


def guided_by_definition(probabilities, guide, radius, edge, known):
    """He et al., equations 19 to 21, pixel by pixel: windows around known pixels, sums of known pixels."""

    def window(row, column):
        inside = np.zeros_like(known)
        inside[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1] = True
        return inside & known

    fits = {}
    for row, column in np.argwhere(known):
        image, p = guide[:, window(row, column)], probabilities[:, window(row, column)]
        spread = np.cov(image, bias=True).reshape(len(guide), -1) + edge**2 * np.eye(len(guide))
        both = (image[:, None] * p).mean(axis=-1) - image.mean(axis=-1)[:, None] * p.mean(axis=-1)
        slope = np.linalg.solve(spread, both)  # (band, class)
        fits[row, column] = slope, p.mean(axis=-1) - slope.T @ image.mean(axis=-1)
    out = np.full(probabilities.shape, np.nan)
    for row, column in np.argwhere(known):
        near = [fits[tuple(place)] for place in np.argwhere(window(row, column))]
        out[:, row, column] = np.mean([slope.T @ guide[:, row, column] + level for slope, level in near], axis=0)
    return out


@pytest.mark.parametrize(("bands", "radius"), [(1, 1), (3, 2)])
def test_the_guided_filter_is_that_of_its_equations_with_holes_in_both(bands, radius):
    generator = np.random.default_rng(4)
    shape = (11, 13)
    probabilities = generator.dirichlet([1, 1, 1], shape).transpose(2, 0, 1).astype(np.float32)
    guide = generator.uniform(0.02, 0.3, (bands, *shape))
    probabilities[:, generator.random(shape) < 0.15] = np.nan
    guide[0, generator.random(shape) < 0.15] = np.nan
    among = generator.random(shape) < 0.9
    wanted = np.isfinite(probabilities[0]) & among
    known = wanted & np.isfinite(guide).all(axis=0)
    found = smoothing.guided_filter(probabilities, guide, radius, 0.05, among)
    np.testing.assert_allclose(
        found[:, known], guided_by_definition(probabilities, guide, radius, 0.05, known)[:, known], atol=2e-6
    )
    np.testing.assert_allclose(found[:, known].sum(axis=0), 1, atol=1e-5)
    alone = wanted & ~known
    np.testing.assert_array_equal(found[:, alone], probabilities[:, alone])
    np.testing.assert_array_equal(np.isfinite(found[0]), wanted)


def test_without_edges_the_guided_filter_is_a_mean_of_means():
    probabilities = np.random.default_rng(6).dirichlet([1, 1], (20, 20)).transpose(2, 0, 1).astype(np.float32)
    found = smoothing.guided_filter(probabilities, np.full((2, 20, 20), 0.2), 2, 0.02)
    twice = [ndimage.uniform_filter(ndimage.uniform_filter(p.astype(float), 5), 5) for p in probabilities]
    inner = (slice(None), slice(4, -4), slice(4, -4))
    np.testing.assert_allclose(found[inner], np.stack(twice)[inner], atol=1e-6)


def test_along_the_image_s_edges_corners_stay_that_a_gaussian_rounds_off():
    """Fields with an image that shows them, probabilities with noise: wrong pixels at the fields' corners."""
    generator = np.random.default_rng(7)
    truth = np.kron(generator.choice([1, 2], (12, 12)), np.ones((6, 6), int))
    likely = np.clip(0.5 + 0.15 * (3 - 2 * truth) + generator.normal(0, 0.3, truth.shape), 0, 1)
    probabilities = np.stack([likely, 1 - likely]).astype(np.float32)
    image = np.where(truth == 1, 0.25, 0.15)[None] + generator.normal(0, 0.01, (1, *truth.shape))
    wrong = {
        "before": ((likely >= 0.5) != (truth == 1)).mean(),
        "gaussian": (smoothing.gaussian(probabilities, 2.0).argmax(axis=0) + 1 != truth).mean(),
        "guided": (smoothing.guided_filter(probabilities, image, 3, 0.02).argmax(axis=0) + 1 != truth).mean(),
    }
    assert wrong["guided"] < 0.5 * wrong["gaussian"] < 0.5 * wrong["before"]


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
