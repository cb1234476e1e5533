"""Linear models of a coarse band on the fine bands, one for each coarse pixel's neighbourhood.

All arrays are float32; (band, row, column). A coarse pixel that does not count is NaN.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lulc_kit.preprocess.mtf import Float, Mask

REACH = 2  # a model sees 5 × 5 coarse pixels, and is then averaged with its 5 × 5 neighbours
SIGMA = 0.9  # coarse pixels; the Gaussian weight of both

_x = np.arange(-REACH, REACH + 1)
_near = np.exp(-(_x**2) / (2 * SIGMA**2))
GAUSSIAN: Float = np.outer(_near / _near.sum(), _near / _near.sum()).astype(np.float32)
EVEN: Float = np.full((2 * REACH + 1, 2 * REACH + 1), 1 / (2 * REACH + 1) ** 2, np.float32)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def sharpened(bands: Float, valid: Mask, mtf: float) -> Float:
    """Filter 3 × 3 with the transfer ``mtf`` at Nyquist: below 1 it blurs, above 1 it sharpens.

    Invalid neighbours and those outside the image are left out; a constant stays constant.
    """
    a = np.float32((1 - mtf) / 4)
    side = a * (1 - 2 * a)
    corner = a * a
    n, height, width = bands.shape
    out = np.zeros_like(bands)
    for y in range(height):
        for x in range(width):
            if not valid[y, x]:
                continue
            for b in range(n):
                out[b, y, x] = bands[b, y, x]
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    yy = y + dy
                    xx = x + dx
                    if (dy == 0 and dx == 0) or yy < 0 or xx < 0 or yy >= height or xx >= width:
                        continue
                    if valid[yy, xx]:
                        weight = side if dy == 0 or dx == 0 else corner
                        for b in range(n):
                            out[b, y, x] += weight * (bands[b, yy, xx] - bands[b, y, x])
    return out


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def local_models(predictors: Float, target: Float, weights: Float, ridge: float) -> tuple[Float, NDArray[np.float32]]:
    """Ridge regression of ``target`` on ``predictors`` in the window around each pixel.

    Parameters
    ----------
    predictors
        (p, row, column).
    target
        (row, column); a pixel whose target or predictor is NaN has no weight and no model.
    weights
        (5, 5), `GAUSSIAN` or `EVEN`.
    ridge
        Added to the diagonal of the weighted covariance, reflectance².

    Returns
    -------
    models
        (p + 1, row, column): slopes, then the intercept; NaN where there is none.
    errors
        (row, column): target minus the prediction of the model fitted without that very pixel.
    """
    p, h, w = predictors.shape
    reach = weights.shape[0] // 2
    models = np.full((p + 1, h, w), np.nan, np.float32)
    errors = np.full((h, w), np.nan, np.float32)
    usable = np.empty((h, w), np.bool_)
    for i in range(h):
        for j in range(w):
            usable[i, j] = np.isfinite(target[i, j]) and np.isfinite(predictors[0, i, j])
    matrix = np.empty((p, p), np.float32)
    right = np.empty((p, 2), np.float32)
    mean = np.empty(p, np.float32)
    d = np.empty(p, np.float32)
    for i in range(h):
        for j in range(w):
            if not usable[i, j]:
                continue
            matrix[:] = 0
            right[:] = 0
            mean[:] = 0
            total = np.float32(0)
            mean_target = np.float32(0)
            for ii in range(max(i - reach, 0), min(i + reach + 1, h)):
                for jj in range(max(j - reach, 0), min(j + reach + 1, w)):
                    if not usable[ii, jj]:
                        continue
                    # differences from the centre, so that float32 keeps the small variances
                    weight = weights[ii - i + reach, jj - j + reach]
                    t = target[ii, jj] - target[i, j]
                    total += weight
                    mean_target += weight * t
                    for k in range(p):
                        d[k] = predictors[k, ii, jj] - predictors[k, i, j]
                    for k in range(p):
                        wd = weight * d[k]
                        mean[k] += wd
                        right[k, 0] += wd * t
                        for m in range(k + 1):
                            matrix[k, m] += wd * d[m]
            mean_target /= total
            for k in range(p):
                mean[k] /= total
            for k in range(p):
                right[k, 0] = right[k, 0] / total - mean[k] * mean_target
                right[k, 1] = -mean[k]
                for m in range(k + 1):
                    matrix[k, m] = matrix[k, m] / total - mean[k] * mean[m]
                matrix[k, k] = max(matrix[k, k], np.float32(0)) + np.float32(ridge)
            # Cholesky in place; the floor keeps rounding from breaking a nearly singular window
            for k in range(p):
                for m in range(k + 1):
                    s = matrix[k, m]
                    for q in range(m):
                        s -= matrix[k, q] * matrix[m, q]
                    if m == k:
                        matrix[k, k] = np.sqrt(max(s, np.float32(0.1 * ridge)))
                    else:
                        matrix[k, m] = s / matrix[m, m]
            for c in range(2):
                for k in range(p):
                    s = right[k, c]
                    for q in range(k):
                        s -= matrix[k, q] * right[q, c]
                    right[k, c] = s / matrix[k, k]
                for k in range(p - 1, -1, -1):
                    s = right[k, c]
                    for q in range(k + 1, p):
                        s -= matrix[q, k] * right[q, c]
                    right[k, c] = s / matrix[k, k]
            intercept = target[i, j] + mean_target
            fitted = mean_target
            leverage = np.float32(1)
            for k in range(p):
                models[k, i, j] = right[k, 0]
                intercept -= right[k, 0] * (predictors[k, i, j] + mean[k])
                fitted -= right[k, 0] * mean[k]
                leverage -= right[k, 1] * mean[k]
            models[p, i, j] = intercept
            share = leverage * weights[reach, reach] / total
            errors[i, j] = -fitted / max(1 - share, np.float32(0.1))
    return models, errors


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def averaged(planes: Float, weights: Float) -> Float:
    """Weighted mean of the valid pixels in the window around each pixel; NaN where there is none."""
    n, h, w = planes.shape
    reach = weights.shape[0] // 2
    out = np.full((n, h, w), np.nan, np.float32)
    sums = np.empty(n, np.float32)
    for i in range(h):
        for j in range(w):
            total = np.float32(0)
            sums[:] = 0
            for ii in range(max(i - reach, 0), min(i + reach + 1, h)):
                for jj in range(max(j - reach, 0), min(j + reach + 1, w)):
                    if not np.isnan(planes[0, ii, jj]):
                        weight = weights[ii - i + reach, jj - j + reach]
                        total += weight
                        for k in range(n):
                            sums[k] += weight * planes[k, ii, jj]
            if total > 0:
                for k in range(n):
                    out[k, i, j] = sums[k] / total
    return out


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def predict(fine: Float, valid: Mask, models: Float, predictors: Float, coarse: Float, injection: float) -> Float:
    """Apply models, interpolated between the coarse pixels, to the fine bands.

    Parameters
    ----------
    fine
        (p, row, column).
    valid
        (row, column); elsewhere the result is 0.
    models, predictors
        (p + 1, …) and (p, …) on the coarse grid.
    coarse
        The coarse band: what remains where no model is near.
    injection
        Share of the fine bands' detail, their difference from the interpolated ``predictors``, that is used.

    Returns
    -------
    numpy.ndarray
        (row, column).
    """
    p, height, width = fine.shape
    h, w = coarse.shape
    ratio = height // h
    share = np.float32(injection)
    out = np.zeros((height, width), np.float32)
    for y in range(height):
        v = (y + np.float32(0.5)) / ratio - np.float32(0.5)
        i0 = int(np.floor(v))
        v -= i0
        for x in range(width):
            if not valid[y, x]:
                continue
            u = (x + np.float32(0.5)) / ratio - np.float32(0.5)
            j0 = int(np.floor(u))
            u -= j0
            total = np.float32(0)
            value = np.float32(0)
            for ii in range(2):
                i = min(max(i0 + ii, 0), h - 1)
                wy = v if ii else 1 - v
                for jj in range(2):
                    j = min(max(j0 + jj, 0), w - 1)
                    weight = wy * (u if jj else 1 - u)
                    if np.isnan(models[0, i, j]) or np.isnan(predictors[0, i, j]):
                        continue
                    total += weight
                    one = models[p, i, j]
                    for k in range(p):
                        smooth = predictors[k, i, j]
                        one += models[k, i, j] * (smooth + share * (fine[k, y, x] - smooth))
                    value += weight * one
            out[y, x] = value / total if total > 0 else coarse[y // ratio, x // ratio]
    return out
