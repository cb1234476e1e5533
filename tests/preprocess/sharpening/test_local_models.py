"""Local models against numpy's regressions and means, window by window; the matching filter by its moments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lulc_kit.preprocess.sharpening.local_models import (
    GAUSSIAN,
    MATCHING_REACH,
    average,
    local_models,
    match,
    matching,
)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), holes=st.booleans(), sigma=st.floats(0.6, 2.0))
def test_local_models_are_numpys_weighted_ridge_regressions(seed, holes, sigma):
    rng = np.random.default_rng(seed)
    predictors = rng.uniform(0.1, 0.4, (3, 9, 11)).astype(np.float32)
    target = rng.uniform(0.1, 0.4, (9, 11)).astype(np.float32)
    if holes:
        target[rng.random(target.shape) < 0.3] = np.nan
    near = np.exp(-(np.arange(-2, 3) ** 2) / (2 * sigma**2)).astype(np.float32)
    models, errors = local_models(predictors, target, near / near.sum(), 1e-3, True)
    known = np.isfinite(target)
    np.testing.assert_array_equal(np.isfinite(errors), known)
    for i, j in zip(*np.nonzero(known), strict=True):
        window = np.s_[max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3]
        y, x = (index[window] for index in np.indices(target.shape))
        use = known[window]
        weight = (near[y - i + 2] * near[x - j + 2])[use].astype(float)
        centre = int(np.nonzero((y[use] == i) & (x[use] == j))[0][0])
        a = predictors[:, *window][:, use].T.astype(float)
        b = target[window][use].astype(float)
        mean = np.average(a, axis=0, weights=weight), np.average(b, weights=weight)
        da, db, share = a - mean[0], b - mean[1], weight / weight.sum()
        gram = (da * share[:, None]).T @ da + 1e-3 * np.eye(3)
        slopes = np.linalg.solve(gram, (da * share[:, None]).T @ db)
        np.testing.assert_allclose(models[:3, i, j], slopes, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(models[3, i, j], mean[1] - slopes @ mean[0], rtol=1e-3, atol=1e-4)
        leverage = share[centre] * (1 + da[centre] @ np.linalg.solve(gram, da[centre]))
        left_out = (db[centre] - slopes @ da[centre]) / max(1 - leverage, 0.1)
        np.testing.assert_allclose(errors[i, j], left_out, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shift", [-2.0, -1.0, -0.6, 0.0, 0.4, 1.5])
@pytest.mark.parametrize("blur", [-0.4, 0.0, 0.3, 0.5, 1.3, 2.0])
def test_the_matching_filter_has_the_variance_and_place_it_promises(blur, shift):
    taps = matching(blur, shift).astype(float)
    x = np.arange(taps.size) - taps.size // 2
    assert abs(x).max() <= MATCHING_REACH
    assert taps.sum() == pytest.approx(1)
    assert -(taps * x).sum() == pytest.approx(shift, abs=1e-6)
    assert (taps * (x + shift) ** 2).sum() == pytest.approx(blur, abs=1e-5)


def test_matching_widens_by_the_binomial():
    np.testing.assert_allclose(matching(0.5), np.array([1, 2, 1]) / 4)
    np.testing.assert_allclose(matching(1.0), np.array([1, 4, 6, 4, 1]) / 16)


def test_average_is_the_weighted_mean_of_what_is_valid():
    planes = np.random.default_rng(3).uniform(-1, 1, (2, 12, 15)).astype(np.float32)
    planes[:, 3:6, 4] = np.nan
    known = np.isfinite(planes[0]).astype(float)
    kernel = np.outer(GAUSSIAN, GAUSSIAN).astype(float)
    share = ndimage.correlate(known, kernel, mode="constant")
    for plane, found in zip(planes, average(planes, GAUSSIAN), strict=True):
        total = ndimage.correlate(np.nan_to_num(plane).astype(float), kernel, mode="constant")
        np.testing.assert_allclose(found, total / share, atol=1e-5)


def test_match_is_a_correlation_in_which_what_is_invalid_counts_as_the_pixel_itself():
    rng = np.random.default_rng(4)
    valid = rng.random((14, 17)) > 0.1
    bands = rng.uniform(0, 0.5, (2, 14, 17)).astype(np.float32) * valid
    down, across = matching(0.7, 0.4), matching(1.2, -1.0)

    def along_rows(image, taps):
        out = image.astype(float).copy()
        for y, x in np.ndindex(*image.shape):
            for t, weight in enumerate(taps):
                other = x + t - len(taps) // 2
                if 0 <= other < image.shape[1] and valid[y, other]:
                    out[y, x] += weight * (float(image[y, other]) - float(image[y, x]))
        return out

    for band, found in zip(bands, match(bands, valid, down, across), strict=True):
        wide = along_rows(band, across)
        expected = wide.copy()
        for y, x in np.ndindex(*band.shape):
            for t, weight in enumerate(down):
                other = y + t - len(down) // 2
                if 0 <= other < band.shape[0] and valid[other, x]:
                    expected[y, x] += weight * (wide[other, x] - wide[y, x])
        np.testing.assert_allclose(found, expected * valid, atol=1e-5)
