"""Linear models of a coarse band on the fine bands, one for each coarse pixel's neighbourhood.

All arrays are float32; (band, row, column). A coarse pixel that does not count is NaN.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lulc_kit.preprocess.sharpening.mtf import Float, Mask

REACH = 2  # a model sees 5 × 5 coarse pixels, and is then averaged with its 5 × 5 neighbours
SIGMA = 0.9  # coarse pixels; the Gaussian weight of both
MATCHING_REACH = 7  # fine pixels to each side that `matching` looks at most

Double = NDArray[np.float64]

_x = np.arange(-REACH, REACH + 1)
_near = np.exp(-(_x**2) / (2 * SIGMA**2))
GAUSSIAN: Float = (_near / _near.sum()).astype(np.float32)  # along each axis
EVEN: Float = np.full(2 * REACH + 1, 1 / (2 * REACH + 1), np.float32)


def matching(blur: float, shift: float = 0.0) -> Float:
    """Taps of a filter along one axis that gives the fine bands another sharpness and place.

    Parameters
    ----------
    blur
        Variance that the filter adds, fine pixels², up to 2; negative sharpens. Down to 0.5, which 1 2 1 has,
        three taps do it: a, 1 − 2a, a with 2a = blur.
    shift
        Fine pixels that a feature moves towards higher indices, −2 to 2.

    Returns
    -------
    numpy.ndarray
        An odd number of taps, to be correlated, that sum to 1.
    """
    taps = np.ones(1)
    while blur > 0.5:
        taps = np.convolve(taps, [0.25, 0.5, 0.25])
        blur -= 0.5
    taps = np.convolve(taps, [blur / 2, 1 - blur, blur / 2])
    whole = round(shift)
    rest = shift - whole
    if rest:  # the parabola through three neighbours
        taps = np.convolve(taps, [rest * (rest + 1) / 2, 1 - rest**2, rest * (rest - 1) / 2])
    return np.pad(taps, (abs(whole) - whole, abs(whole) + whole)).astype(np.float32)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def match(bands: Float, valid: Mask, down: Float, across: Float) -> Float:
    """Correlate rows and columns with the taps of `matching`.

    Invalid neighbours and those outside the image count as equal to the pixel itself, so a constant stays
    constant; invalid pixels become 0.
    """
    n, height, width = bands.shape
    ry = down.size // 2
    out = np.empty_like(bands)
    rows = np.zeros((down.size, width), np.float32)  # those around row y, already filtered
    known = np.zeros((down.size, width), np.float32)
    for b in range(n):
        known[:] = 0
        for y in range(-ry, height):
            slot = (y + ry) % down.size
            if y + ry < height:
                _match_across(bands[b, y + ry], valid[y + ry], across, rows[slot], known[slot])
            else:
                known[slot] = 0
            if y >= 0:
                _match_down(rows, known, down, y, out[b, y])
    return out


@njit(cache=True, nogil=True, inline="always")
def _match_across(image: Float, valid: Mask, across: Float, row: Float, mask: Float) -> None:
    width = image.size
    for x in range(width):
        mask[x] = np.float32(1) if valid[x] else np.float32(0)
        row[x] = image[x]
    for t in range(across.size):
        offset = t - across.size // 2
        weight = across[t] if offset else np.float32(0)
        for x in range(max(-offset, 0), min(width - offset, width)):
            row[x] += weight * mask[x + offset] * (image[x + offset] - image[x])


@njit(cache=True, nogil=True, inline="always")
def _match_down(rows: Float, known: Float, down: Float, y: int, result: Float) -> None:
    size, width = rows.shape
    row = rows[y % size]
    for x in range(width):
        result[x] = row[x]
    for t in range(size):
        if t != size // 2:
            other = rows[(y + t - size // 2) % size]
            mask = known[(y + t - size // 2) % size]
            for x in range(width):
                result[x] += down[t] * mask[x] * (other[x] - row[x])
    mask = known[y % size]
    for x in range(width):
        result[x] *= mask[x]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def local_models(
    predictors: Float, target: Float, weights: Float, ridge: float, judged: bool
) -> tuple[Float, NDArray[np.float32]]:
    """Ridge regression of ``target`` on ``predictors`` in the window around each pixel.

    Parameters
    ----------
    predictors
        (p, row, column).
    target
        (row, column); a pixel whose target or predictor is NaN has no weight and no model.
    weights
        Along each axis of the window, `GAUSSIAN` or `EVEN`.
    ridge
        Added to the diagonal of the weighted covariance, reflectance².
    judged
        Whether to compute the errors.

    Returns
    -------
    models
        (p + 1, row, column): slopes, then the intercept; NaN where there is none.
    errors
        (row, column): target minus the prediction of the model fitted without that very pixel; NaN where
        there is none, or if not ``judged``.

    Notes
    -----
    Rows of products are weighted down, then across. They are float64, since variances as small as the ridge
    are differences of means of squares.
    """
    p, h, w = predictors.shape
    size = weights.size
    reach = size // 2
    n = _pair(p, p, 0)  # weight, target, predictors, products with the target and with each other
    models = np.full((p + 1, h, w), np.nan, np.float32)
    errors = np.full((h, w), np.nan, np.float32)
    window = np.zeros((size, n, w))
    down = np.zeros((n, w + 2 * reach))
    sums = np.empty((n, w))
    inverse = np.empty((p, w))
    ahead = np.empty((p, w))
    for i in range(-reach, h):
        _products(predictors, target, i + reach, window[(i + reach) % size])
        if i < 0:
            continue
        _add_up(window, weights, i, down, sums)
        _covariances(sums, p, ridge)
        _factorize(sums, p, ridge, inverse)
        _solve(sums, p, inverse)
        _intercept(sums, p)
        known = window[i % size, 0]
        for j in range(w):
            if known[j] > 0:
                for k in range(p):
                    models[k, i, j] = sums[2 + p + k, j]
                models[p, i, j] = sums[1, j]
        if judged:
            own = np.float64(weights[reach]) ** 2
            _left_out(predictors[:, i], target[i], sums, inverse, own, known, ahead, errors[i])
    return models, errors


# Rows of `sums`: 0 weight; 1 target; 2 … predictors; 2 + p … products with the target, later slopes; then products of
# the predictors with each other, later their covariance and its Cholesky factor: the lower triangle, row by row.


@njit(cache=True, nogil=True, inline="always")
def _pair(p: int, k: int, m: int) -> int:
    """Where the product of predictors k and m stands, m ≤ k."""
    return 2 + 2 * p + k * (k + 1) // 2 + m


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _add_up(window: Double, weights: Float, i: int, down: Double, sums: Double) -> None:
    """Weighted sums over the window around each pixel of row i."""
    size = weights.size
    reach = size // 2
    n, w = sums.shape
    for q in range(n):
        row = down[q]
        row[reach : reach + w] = 0
        for t in range(size):
            products = window[(i - reach + t) % size, q]
            weight = np.float64(weights[t])
            for j in range(w):
                row[j + reach] += weight * products[j]
        total = sums[q]
        total[:] = 0
        for t in range(size):
            weight = np.float64(weights[t])
            for j in range(w):
                total[j] += weight * row[j + t]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _covariances(sums: Double, p: int, ridge: float) -> None:
    """Turn sums into means and covariances, in place; row 0 becomes the inverse of the weight."""
    n, w = sums.shape
    for j in range(w):
        sums[0, j] = 1 / max(sums[0, j], 1e-30)
    for q in range(1, n):
        for j in range(w):
            sums[q, j] *= sums[0, j]
    for k in range(p):
        for j in range(w):
            sums[2 + p + k, j] -= sums[2 + k, j] * sums[1, j]
        for m in range(k + 1):
            cov = sums[_pair(p, k, m)]
            extra = ridge if m == k else 0.0
            for j in range(w):
                cov[j] += extra - sums[2 + k, j] * sums[2 + m, j]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _factorize(sums: Double, p: int, ridge: float, inverse: Double) -> None:
    """Cholesky; ``inverse`` of the diagonal. The floor keeps rounding from breaking a nearly singular window."""
    w = sums.shape[1]
    for k in range(p):
        for m in range(k + 1):
            entry = sums[_pair(p, k, m)]
            for q in range(m):
                a = sums[_pair(p, k, q)]
                b = sums[_pair(p, m, q)]
                for j in range(w):
                    entry[j] -= a[j] * b[j]
            if m < k:
                for j in range(w):
                    entry[j] *= inverse[m, j]
            else:
                for j in range(w):
                    inverse[k, j] = 1 / np.sqrt(max(entry[j], 0.1 * ridge))


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _solve(sums: Double, p: int, inverse: Double) -> None:
    """Put the slopes in place of the products with the target."""
    w = sums.shape[1]
    for k in range(p):
        solution = sums[2 + p + k]
        for q in range(k):
            a = sums[_pair(p, k, q)]
            for j in range(w):
                solution[j] -= a[j] * sums[2 + p + q, j]
        for j in range(w):
            solution[j] *= inverse[k, j]
    for k in range(p - 1, -1, -1):
        solution = sums[2 + p + k]
        for q in range(k + 1, p):
            a = sums[_pair(p, q, k)]
            for j in range(w):
                solution[j] -= a[j] * sums[2 + p + q, j]
        for j in range(w):
            solution[j] *= inverse[k, j]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _intercept(sums: Double, p: int) -> None:
    """Put the intercept in place of the target's mean."""
    for k in range(p):
        for j in range(sums.shape[1]):
            sums[1, j] -= sums[2 + p + k, j] * sums[2 + k, j]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _left_out(
    predictors: Float,
    target: Float,
    sums: Double,
    inverse: Double,
    own: float,
    known: Double,
    ahead: Double,
    out: Float,
) -> None:
    """Errors of the models fitted without the pixel itself, of one row, from its leverage; ``own``: its weight."""
    p, w = predictors.shape
    leverage = np.ones(w)
    for k in range(p):
        a = ahead[k]
        for j in range(w):
            a[j] = predictors[k, j] - sums[2 + k, j]
        for q in range(k):
            b = sums[_pair(p, k, q)]
            for j in range(w):
                a[j] -= b[j] * ahead[q, j]
        for j in range(w):
            a[j] *= inverse[k, j]
            leverage[j] += a[j] ** 2
    for j in range(w):
        if known[j] > 0:
            fitted = sums[1, j]
            for k in range(p):
                fitted += sums[2 + p + k, j] * predictors[k, j]
            out[j] = (target[j] - fitted) / max(1 - leverage[j] * own * sums[0, j], 0.1)


@njit(cache=True, nogil=True, inline="always")
def _products(predictors: Float, target: Float, i: int, out: Double) -> None:
    """What one row brings to the moments: 0 where a pixel does not count, or below the image."""
    p, h, w = predictors.shape
    out[:] = 0
    if i >= h:
        return
    for j in range(w):
        if np.isfinite(target[i, j]) and np.isfinite(predictors[0, i, j]):
            out[0, j] = 1
            out[1, j] = target[i, j]
            for k in range(p):
                out[2 + k, j] = predictors[k, i, j]
    for k in range(p):
        for j in range(w):
            out[2 + p + k, j] = out[2 + k, j] * out[1, j]
        for m in range(k + 1):
            pair = out[_pair(p, k, m)]
            for j in range(w):
                pair[j] = out[2 + k, j] * out[2 + m, j]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def average(planes: Float, weights: Float) -> Float:
    """Weighted mean of the valid pixels in the window around each pixel; NaN where there is none."""
    n, h, w = planes.shape
    size = weights.size
    reach = size // 2
    out = np.empty((n, h, w), np.float32)
    down = np.zeros((n + 1, w + 2 * reach), np.float32)
    total = np.empty(w, np.float32)
    value = np.empty(w, np.float32)
    for i in range(h):
        down[:, reach : reach + w] = 0
        for ii in range(max(i - reach, 0), min(i + reach + 1, h)):
            _add_known(planes[:, ii], weights[ii - i + reach], down[:, reach : reach + w])
        total[:] = 0
        for t in range(size):
            for j in range(w):
                total[j] += weights[t] * down[n, j + t]
        for j in range(w):
            total[j] = np.float32(1) / total[j] if total[j] > 0 else np.float32(np.nan)
        for k in range(n):
            value[:] = 0
            for t in range(size):
                for j in range(w):
                    value[j] += weights[t] * down[k, j + t]
            for j in range(w):
                out[k, i, j] = value[j] * total[j]
    return out


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _add_known(planes: Float, weight: np.float32, sums: Float) -> None:
    """Add a row of the planes, (n, column), to their weighted sums, and its weights to the last row."""
    n, w = planes.shape
    for j in range(w):
        sums[n, j] += np.float32(0) if np.isnan(planes[0, j]) else weight
    for k in range(n):
        for j in range(w):
            sums[k, j] += np.float32(0) if np.isnan(planes[0, j]) else weight * planes[k, j]


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
