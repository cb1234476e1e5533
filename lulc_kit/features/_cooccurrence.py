# mypy: allow-untyped-defs
"""Numba kernels of `lulc_kit.features.texture`: grey-level co-occurrence in a moving window.

A pair of pixels (a, b) counts once, unordered; the symmetric matrix of Haralick holds it twice. With ``c``
pairs in an unordered bin its symmetric counts are ``c`` and ``c`` off the diagonal and ``2c`` on it. Hence,
for N pairs of which D have a = b,

- Σ n ln n over the symmetric matrix is 2 Σ c ln c + 2 ln 2 · D,
- Σ n² is 2 Σ c², where c² counts twice on the diagonal,
- mean, variance, contrast, … are moments of a + b, a² + b², ab and |a − b|.

Moments are moving sums: a row of pairs enters the column sums and one leaves; columns add up to windows.
Entropy, ASM and maximum follow a histogram that a column of pairs enters and one leaves. Every running
number is an integer, or a float64 that holds an integer below 2^53 or a multiple of 2^-40 below 2^13: sums
are exact, nothing drifts, and a result does not depend on where the window came from.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

# The features; those that need the same sums stand together.
CONTRAST, DISSIMILARITY, MEAN, VARIANCE, CORRELATION, HOMOGENEITY = 0, 1, 2, 3, 4, 5
ASM, ENERGY, ENTROPY, MAXIMUM = 6, 7, 8, 9

# Rows of the integer moments.
COUNT, EQUAL, SUM, SQUARES, PRODUCT, DIFFERENCE = 0, 1, 2, 3, 4, 5

NODATA = -1
NO_PAIR = 65535  # above the largest code of 256 levels, 256 + 256 · 255 / 2 − 1
FIXED_POINT = 2.0**40


class Plan(NamedTuple):
    """How the pairs of some directions are pooled in one matrix.

    Directions with the same absolute column step make a group: their pairs enter and leave the window
    together. Each direction has slots in a ring of codes, one for each row of pairs that a window holds.
    """

    row_steps: npt.NDArray[np.int64]
    """(direction,): 0 or more."""
    column_steps: npt.NDArray[np.int64]
    """(direction,)"""
    groups: npt.NDArray[np.int64]
    """(direction,): in which group a direction is."""
    first_slots: npt.NDArray[np.int64]
    """(direction,): where its slots begin."""
    steps: npt.NDArray[np.int64]
    """(group,): absolute column step."""
    slots: npt.NDArray[np.int64]
    """(group + 1,): where the slots of each group begin."""


class Tables(NamedTuple):
    """Functions of small integers."""

    inverse: npt.NDArray[np.float64]
    """1 / (1 + d²), in multiples of 1 / `FIXED_POINT`, for differences up to ``levels``."""
    logarithm: npt.NDArray[np.int64]
    """n ln n · `FIXED_POINT`, for all numbers of pairs that a window may hold."""
    growth: npt.NDArray[np.int64]
    """Its increments from n to n + 1."""


@njit(cache=True, nogil=True)
def quantize_tile(image, top, left, low, width, levels, edges, tile):
    """Write the levels of the part of ``image`` under ``tile``; outside the image and not finite is `NODATA`.

    With ``edges`` a level is the number of edges at or below the value, else equal steps from ``low``.
    """
    rows, columns = image.shape
    for i in range(tile.shape[0]):
        r = top + i
        if r < 0 or r >= rows:
            tile[i, :] = NODATA
            continue
        for j in range(tile.shape[1]):
            c = left + j
            level = NODATA
            if 0 <= c < columns:
                value = np.float64(image[r, c])
                if np.isfinite(value):
                    if edges.size > 0:
                        below, above = 0, edges.size
                        while below < above:
                            middle = (below + above) // 2
                            if edges[middle] <= value:
                                below = middle + 1
                            else:
                                above = middle
                        level = below
                    else:
                        # Multiplied first: exact for integers, and for levels that are a power of two.
                        level = int(min(max((value - low) * levels / width, 0.0), levels - 1.0))
            tile[i, j] = level


@njit(cache=True, nogil=True)
def _weight(a, b, sign):
    return np.int32(sign) if (a | b) >= 0 else np.int32(0)


@njit(cache=True, nogil=True)
def _move_row(first, second, sign, step, whole, inverse, closeness, with_inverse):
    """Add (sign 1) or take away (sign −1) a row of pairs from the column sums.

    One loop for each sum, over contiguous arrays of 32-bit integers: so it becomes vector instructions.
    """
    size = first.size
    sums = whole[COUNT][step:]  # pairs are filed under the larger of their two columns
    for k in range(size):
        sums[k] += _weight(first[k], second[k], sign)
    sums = whole[EQUAL][step:]
    for k in range(size):
        sums[k] += _weight(first[k], second[k], sign) if first[k] == second[k] else np.int32(0)
    sums = whole[SUM][step:]
    for k in range(size):
        a, b = np.int32(first[k]), np.int32(second[k])
        sums[k] += _weight(a, b, sign) * (a + b)
    sums = whole[SQUARES][step:]
    for k in range(size):
        a, b = np.int32(first[k]), np.int32(second[k])
        sums[k] += _weight(a, b, sign) * (a * a + b * b)
    sums = whole[PRODUCT][step:]
    for k in range(size):
        a, b = np.int32(first[k]), np.int32(second[k])
        sums[k] += _weight(a, b, sign) * (a * b)
    sums = whole[DIFFERENCE][step:]
    for k in range(size):
        a, b = np.int32(first[k]), np.int32(second[k])
        sums[k] += _weight(a, b, sign) * np.int32(max(a, b) - min(a, b))
    if with_inverse:
        close = closeness[step:]
        for k in range(size):
            a, b = np.int32(first[k]), np.int32(second[k])
            close[k] += _weight(a, b, sign) * inverse[abs(a - b)]


@njit(cache=True, nogil=True)
def _add_window_sums(column_sums, step, window, scratch, accumulated):
    """Add to ``accumulated`` the sums over the columns that each window holds.

    The sum over n columns is put together from sums over 1, 2, 4, … columns: log n vector additions, where a
    running sum would be a chain of single ones.
    """
    columns = accumulated.size
    for k in range(scratch.size):
        scratch[k] = column_sums[k]
    start, power, left = step, 1, window - step
    while left > 0:
        if left & 1:
            part = scratch[start:]
            for c in range(columns):
                accumulated[c] += part[c]
            start += power
        ahead = scratch[power:]
        for k in range(scratch.size - power):
            scratch[k] += ahead[k]
        power *= 2
        left //= 2


@njit(cache=True, nogil=True)
def _write_codes(first, second, levels, codes, slot):
    """Number the unordered pairs of a row: equal levels first, then the triangle below the diagonal."""
    for k in range(first.size):
        a = np.int32(first[k])
        b = np.int32(second[k])
        high = max(a, b)
        low = min(a, b)
        code = low if low == high else levels + high * (high - 1) // 2 + low
        codes[k, slot] = code if low >= 0 else NO_PAIR


@njit(cache=True, nogil=True)
def _empty(codes, plan, window, columns, histogram):
    """Forget the pairs of the last window of a row."""
    for g in range(plan.steps.size):
        for k in range(columns - 1 + plan.steps[g], columns + window - 1):
            for s in range(plan.slots[g], plan.slots[g + 1]):
                code = codes[window + k, s]
                if code != NO_PAIR:
                    histogram[code] = 0


@njit(cache=True, nogil=True)
def _slide_histogram(codes, plan, window, levels, growth, histogram, information, squares):
    """Slide the histogram of pairs along a row: Σ c ln c (fixed point) and Σ c² of each window.

    ``codes`` has ``window`` columns without pairs on its left; ``histogram`` is empty before and after.
    """
    columns = information.size
    running_information = np.int64(0)
    running_squares = np.int64(0)
    for k in range(columns + window - 1):
        for g in range(plan.steps.size):
            entering = codes[window + k]
            leaving = codes[k + plan.steps[g]]
            for s in range(plan.slots[g], plan.slots[g + 1]):
                new = np.int64(entering[s])
                old = np.int64(leaving[s])
                if new == old:
                    continue
                if new != NO_PAIR:
                    n = histogram[new]
                    histogram[new] = n + 1
                    running_information += growth[n]
                    running_squares += (2 * n + 1) << np.int64(new < levels)
                if old != NO_PAIR:
                    n = histogram[old] - 1
                    histogram[old] = n
                    running_information -= growth[n]
                    running_squares -= (2 * n + 1) << np.int64(old < levels)
        if k >= window - 1:
            information[k - window + 1] = running_information
            squares[k - window + 1] = running_squares
    _empty(codes, plan, window, columns, histogram)


@njit(cache=True, nogil=True)
def _slide_maximum(codes, plan, window, levels, histogram, frequency, maxima):
    """Slide the histogram along a row: the largest symmetric count of each window.

    ``frequency[n]`` is how many bins have the symmetric count n, so that the maximum is known after a loss
    too. It is empty before and after, as the histogram is.
    """
    columns = maxima.size
    largest = np.int64(0)
    for k in range(columns + window - 1):
        for g in range(plan.steps.size):
            entering = codes[window + k]
            leaving = codes[k + plan.steps[g]]
            for s in range(plan.slots[g], plan.slots[g + 1]):
                new = np.int64(entering[s])
                old = np.int64(leaving[s])
                if new == old:
                    continue
                if new != NO_PAIR:
                    n = np.int64(histogram[new])
                    grown = n + 1 + np.int64(new < levels)
                    histogram[new] = grown
                    frequency[n] -= 1
                    frequency[grown] += 1
                    largest = max(largest, grown)
                if old != NO_PAIR:
                    n = np.int64(histogram[old])
                    shrunk = n - 1 - np.int64(old < levels)
                    histogram[old] = shrunk
                    frequency[n] -= 1
                    frequency[shrunk] += 1
        while largest > 0 and frequency[largest] == 0:
            largest -= 1
        if k >= window - 1:
            maxima[k - window + 1] = largest
    frequency[:] = 0
    _empty(codes, plan, window, columns, histogram)


@njit(cache=True, nogil=True)
def _finish_row(feature, total, whole, closeness, information, squares, maxima, logarithm, inverse_count, out):  # noqa: C901
    """Turn the sums of a row of windows into one feature.

    ``total`` is Σp: 1, or 2 after SNAP. ``inverse_count`` is 1/N, and NaN where the result is nodata: it is a
    factor of every result.
    """
    count, equal, first = whole[COUNT], whole[EQUAL], whole[SUM]
    second, product, difference = whole[SQUARES], whole[PRODUCT], whole[DIFFERENCE]
    columns = out.size
    if feature == CONTRAST:
        for c in range(columns):
            out[c] = total * (second[c] - 2 * product[c]) * inverse_count[c]
    elif feature == DISSIMILARITY:
        for c in range(columns):
            out[c] = total * difference[c] * inverse_count[c]
    elif feature == HOMOGENEITY:
        for c in range(columns):
            out[c] = total * closeness[c] * inverse_count[c]
    elif feature == ASM:
        for c in range(columns):
            out[c] = total * total * 0.5 * squares[c] * inverse_count[c] * inverse_count[c]
    elif feature == ENERGY:
        for c in range(columns):
            out[c] = total * np.sqrt(0.5 * squares[c]) * inverse_count[c]
    elif feature == MAXIMUM:
        for c in range(columns):
            out[c] = total * 0.5 * maxima[c] * inverse_count[c]
    elif feature == ENTROPY:
        # −Σ p ln p of Σp = 1; with doubled p it is 2 (entropy − ln 2).
        shift = (total - 1.0) * np.log(2.0)
        for c in range(columns):
            unequal = np.log(2.0) * (count[c] - equal[c])
            nats = (logarithm[count[c]] - information[c]) / FIXED_POINT + unequal
            out[c] = total * (nats * inverse_count[c] - shift)
    elif feature == MEAN:
        for c in range(columns):
            out[c] = total * 0.5 * first[c] * inverse_count[c]
    elif feature == VARIANCE:
        for c in range(columns):
            n, s = np.float64(count[c]), np.float64(first[c])
            if total == 1.0:  # noqa: SIM108
                spread = (2.0 * n * second[c] - s * s) * 0.25 * inverse_count[c]
            else:  # about twice the mean: 2 (σ² + μ²)
                spread = np.float64(second[c])
            out[c] = spread * inverse_count[c]
    else:  # CORRELATION
        for c in range(columns):
            n, s = np.float64(count[c]), np.float64(first[c])
            centre = s * s if total == 1.0 else 0.0
            spread = 2.0 * n * second[c] - centre
            together = 4.0 * n * product[c] - centre
            out[c] = (together / spread if spread > 0 else 1.0) + 0.0 * inverse_count[c]


@njit(cache=True, nogil=True)
def _move_rows(tile, r, window, levels, plan, inverse, with_inverse, with_codes, whole_columns, close_columns, codes):
    """Move the column sums, and the codes, to the windows of row ``r`` of the result."""
    width = tile.shape[1]
    for d in range(plan.groups.size):
        row_step, column_step = plan.row_steps[d], plan.column_steps[d]
        step = abs(column_step)
        first_upper, first_lower = max(0, -column_step), max(0, column_step)
        sums, close_sums = whole_columns[plan.groups[d]], close_columns[plan.groups[d]]
        # Rows of pairs are known by their lower row. The first window takes all of its rows, later ones
        # take one and lose one.
        for lower in range(row_step if r == 0 else r + window - 1, r + window):
            a = tile[lower - row_step, first_upper : first_upper + width - step]
            b = tile[lower, first_lower : first_lower + width - step]
            _move_row(a, b, np.int32(1), step, sums, inverse, close_sums, with_inverse)
            if with_codes:
                slot = plan.first_slots[d] + lower % (window - row_step)
                _write_codes(a, b, levels, codes[window + step :], slot)
        if r > 0:
            lower = r - 1 + row_step
            a = tile[lower - row_step, first_upper : first_upper + width - step]
            b = tile[lower, first_lower : first_lower + width - step]
            _move_row(a, b, np.int32(-1), step, sums, inverse, close_sums, with_inverse)


@njit(cache=True, nogil=True)
def _asked(features, first, last):
    return ((features >= first) & (features <= last)).any()


@njit(cache=True, nogil=True)
def texture_tile(tile, window, levels, plan, features, total, tables, out, top, left):
    """Compute the features of a tile of levels.

    Parameters
    ----------
    tile : int16 (rows + window − 1, columns + window − 1)
        Levels, with a border of half a window; `NODATA` where there is none.
    window, levels : int
    plan : Plan
    features : int64 (feature,)
        The constants above.
    total : float64
        Σp of the matrix.
    tables : Tables
    out : float (feature, row, column)
        The result of the whole image; the tile's is written from row ``top`` and column ``left`` on.
    """
    width = tile.shape[1]
    rows, columns = tile.shape[0] - (window - 1), width - (window - 1)
    half = window // 2
    with_inverse = _asked(features, HOMOGENEITY, HOMOGENEITY)
    with_histogram = _asked(features, ASM, ENTROPY)
    with_maximum = _asked(features, MAXIMUM, MAXIMUM)
    with_codes = with_histogram or with_maximum
    whole_columns = np.zeros((plan.steps.size, 6, width), np.int32)
    close_columns = np.zeros((plan.steps.size, width))
    whole_scratch, close_scratch = np.empty(width, np.int32), np.empty(width)
    whole, closeness = np.empty((6, columns), np.int32), np.empty(columns)
    codes = np.full((window + width, plan.slots[-1]), NO_PAIR, np.uint16)
    histogram = np.zeros(levels * (levels + 1) // 2, np.int32)
    frequency = np.zeros(2 * tables.logarithm.size, np.int32)
    information, squares = np.zeros(columns, np.int64), np.zeros(columns, np.int64)
    maxima = np.zeros(columns, np.int64)
    inverse_count = np.empty(columns)

    for r in range(rows):
        _move_rows(
            tile, r, window, levels, plan, tables.inverse, with_inverse, with_codes, whole_columns, close_columns, codes
        )
        whole[:] = 0
        closeness[:] = 0.0
        for g in range(plan.steps.size):
            for m in range(whole.shape[0]):
                _add_window_sums(whole_columns[g, m], plan.steps[g], window, whole_scratch, whole[m])
            if with_inverse:
                _add_window_sums(close_columns[g], plan.steps[g], window, close_scratch, closeness)
        if with_histogram:
            _slide_histogram(codes, plan, window, levels, tables.growth, histogram, information, squares)
        if with_maximum:
            _slide_maximum(codes, plan, window, levels, histogram, frequency, maxima)
        for c in range(columns):
            known = whole[COUNT, c] > 0 and tile[half + r, half + c] >= 0
            inverse_count[c] = 1.0 / whole[COUNT, c] if known else np.nan
        for f in range(features.size):
            _finish_row(
                features[f],
                total,
                whole,
                closeness,
                information,
                squares,
                maxima,
                tables.logarithm,
                inverse_count,
                out[f, top + r, left : left + columns],
            )
