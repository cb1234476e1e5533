"""Numba kernels of `lulc_kit.features.texture`: grey-level co-occurrence in a moving window.

A pair of pixels (a, b) counts once, unordered; the symmetric matrix of Haralick holds it twice. With ``c`` pairs
in an unordered bin its symmetric counts are ``c`` and ``c`` off the diagonal and ``2c`` on it, hence for N pairs,
of which D have a = b,

- Σ over the symmetric matrix of n ln n = 2 Σ c ln c + 2 ln 2 · D,
- Σ n² = 2 Σ c² (c² twice on the diagonal),
- mean, variance, contrast, … are moments of a + b, a² + b², ab and |a − b|.

Moments move as sums: a row of pairs enters the column sums and one leaves, then a column enters the window and
one leaves. Entropy, ASM and maximum follow a histogram that the same columns enter and leave. Every running
number is an integer, or a float64 that holds a multiple of 2^-40 below 2^13 (or an integer below 2^53): addition
and subtraction are exact, nothing drifts, and a result does not depend on where the window came from.
"""

import numpy as np
from numba import njit

# The features; those that need the same sums stand together.
CONTRAST, DISSIMILARITY, MEAN, VARIANCE, CORRELATION, HOMOGENEITY = 0, 1, 2, 3, 4, 5
CLUSTER_SHADE, CLUSTER_PROMINENCE, ASM, ENERGY, ENTROPY, MAXIMUM = 6, 7, 8, 9, 10, 11

# Rows of the integer and of the float moments.
COUNT, EQUAL, SUM, SQUARES, PRODUCT, DIFFERENCE = 0, 1, 2, 3, 4, 5
INVERSE, CUBES, FOURTHS = 0, 1, 2

# What is known of a direction: see `texture_tile`.
ROW_STEP, COLUMN_STEP, GROUP, FIRST_SLOT = 0, 1, 2, 3

NODATA = -1
NO_PAIR = 65535  # above the largest code of 256 levels, 256 + 256 · 255 / 2 − 1
FIXED_POINT = 2.0**40


@njit(cache=True, nogil=True)
def quantize_tile(image, top, left, low, width, levels, edges, tile):  # type: ignore[no-untyped-def]
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
def _weight(a, b, sign):  # type: ignore[no-untyped-def]
    return np.int32(sign) if (a | b) >= 0 else np.int32(0)


@njit(cache=True, nogil=True)
def _move_row(first, second, sign, step, whole, inverse, real, with_inverse, with_cubes):  # type: ignore[no-untyped-def]
    """Add (sign 1) or take away (sign −1) a row of pairs from the column sums.

    One loop for each sum, over contiguous arrays of 32-bit integers: so it becomes vector instructions.
    """
    size = first.size
    sums = whole[COUNT][step:]
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
        closeness = real[INVERSE][step:]
        for k in range(size):
            a, b = np.int32(first[k]), np.int32(second[k])
            closeness[k] += _weight(a, b, sign) * inverse[abs(a - b)]
    if with_cubes:
        cubes, fourths = real[CUBES][step:], real[FOURTHS][step:]
        for k in range(size):
            a, b = np.int32(first[k]), np.int32(second[k])
            t = np.float64(np.int32(a + b))
            cube = np.float64(_weight(a, b, sign)) * t * t * t
            cubes[k] += cube
            fourths[k] += cube * t


@njit(cache=True, nogil=True)
def _add_window_sums(column_sums, step, window, scratch, accumulated):  # type: ignore[no-untyped-def]
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
def _write_codes(first, second, levels, codes, slot):  # type: ignore[no-untyped-def]
    """Number the unordered pairs of a row: equal levels first, then the triangle below the diagonal."""
    for k in range(first.size):
        a = np.int32(first[k])
        b = np.int32(second[k])
        high = max(a, b)
        low = min(a, b)
        code = low if low == high else levels + high * (high - 1) // 2 + low
        codes[k, slot] = code if low >= 0 else NO_PAIR


@njit(cache=True, nogil=True)
def _slide_histogram(codes, steps, slots, window, levels, growth, histogram, information, squares):  # type: ignore[no-untyped-def]
    """Slide the histogram of pairs along a row: Σ c ln c (fixed point) and Σ c² of each window.

    ``codes`` has ``window`` columns without pairs on its left; ``histogram`` is empty before and after.
    """
    columns = information.size
    running_information = np.int64(0)
    running_squares = np.int64(0)
    for k in range(columns + window - 1):
        for g in range(steps.size):
            entering = codes[window + k]
            leaving = codes[k + steps[g]]
            for s in range(slots[g], slots[g + 1]):
                e = np.int64(entering[s])
                l = np.int64(leaving[s])
                if e == l:
                    continue
                if e != NO_PAIR:
                    n = histogram[e]
                    histogram[e] = n + 1
                    running_information += growth[n]
                    running_squares += (2 * n + 1) << np.int64(e < levels)
                if l != NO_PAIR:
                    n = histogram[l] - 1
                    histogram[l] = n
                    running_information -= growth[n]
                    running_squares -= (2 * n + 1) << np.int64(l < levels)
        if k >= window - 1:
            information[k - window + 1] = running_information
            squares[k - window + 1] = running_squares
    for g in range(steps.size):
        for k in range(columns - 1 + steps[g], columns + window - 1):
            for s in range(slots[g], slots[g + 1]):
                code = codes[window + k, s]
                if code != NO_PAIR:
                    histogram[code] = 0


@njit(cache=True, nogil=True)
def _slide_maximum(codes, steps, slots, window, levels, histogram, frequency, maxima):  # type: ignore[no-untyped-def]
    """Slide the histogram along a row: the largest symmetric count of each window.

    ``frequency[n]`` is how many bins have the symmetric count n, so that the maximum is known after a loss too.
    """
    columns = maxima.size
    largest = np.int64(0)
    for k in range(columns + window - 1):
        for g in range(steps.size):
            entering = codes[window + k]
            leaving = codes[k + steps[g]]
            for s in range(slots[g], slots[g + 1]):
                e = np.int64(entering[s])
                l = np.int64(leaving[s])
                if e == l:
                    continue
                if e != NO_PAIR:
                    n = np.int64(histogram[e])
                    grown = n + 1 + np.int64(e < levels)
                    histogram[e] = grown
                    frequency[n] -= 1
                    frequency[grown] += 1
                    largest = max(largest, grown)
                if l != NO_PAIR:
                    n = np.int64(histogram[l])
                    shrunk = n - 1 - np.int64(l < levels)
                    histogram[l] = shrunk
                    frequency[n] -= 1
                    frequency[shrunk] += 1
        while largest > 0 and frequency[largest] == 0:
            largest -= 1
        if k >= window - 1:
            maxima[k - window + 1] = largest
    for g in range(steps.size):
        for k in range(columns - 1 + steps[g], columns + window - 1):
            for s in range(slots[g], slots[g + 1]):
                code = codes[window + k, s]
                if code != NO_PAIR:
                    frequency[histogram[code]] = 0
                    histogram[code] = 0


@njit(cache=True, nogil=True)
def _finish_row(feature, total, whole, real, information, squares, maxima, logarithm, inverse_count, out):  # type: ignore[no-untyped-def]
    """Turn the sums of a row of windows into one feature.

    ``total`` is Σp: 1, or 2 after SNAP. ``inverse_count`` is 1/N, NaN where the result is nodata; it multiplies
    every result.
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
            out[c] = total * real[INVERSE, c] * inverse_count[c]
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
            if total == 1.0:
                spread = (2.0 * n * second[c] - s * s) * 0.25 * inverse_count[c]
            else:  # about twice the mean: 2 (σ² + μ²)
                spread = np.float64(second[c])
            out[c] = spread * inverse_count[c]
    elif feature == CORRELATION:
        for c in range(columns):
            n, s = np.float64(count[c]), np.float64(first[c])
            centre = s * s if total == 1.0 else 0.0
            spread = 2.0 * n * second[c] - centre
            together = 4.0 * n * product[c] - centre
            out[c] = (together / spread if spread > 0 else 1.0) + 0.0 * inverse_count[c]
    else:
        cubes, fourths = real[CUBES], real[FOURTHS]
        for c in range(columns):
            # Moments of t = a + b about an integer near the mean, still exact; then the small rest.
            n, t1 = np.float64(count[c]), np.float64(first[c])
            t2 = np.float64(second[c]) + 2.0 * product[c]
            near = np.floor(t1 * inverse_count[c])
            u1 = t1 - n * near
            u2 = t2 - near * (2.0 * t1 - n * near)
            u3 = cubes[c] - near * (3.0 * t2 - near * (3.0 * t1 - n * near))
            rest = u1 * inverse_count[c]
            if feature == CLUSTER_SHADE:
                out[c] = (u3 - rest * (3.0 * u2 - 2.0 * n * rest * rest)) * inverse_count[c]
            else:
                u4 = fourths[c] - near * (4.0 * cubes[c] - near * (6.0 * t2 - near * (4.0 * t1 - n * near)))
                rest_part = rest * (4.0 * u3 - rest * (6.0 * u2 - 3.0 * n * rest * rest))
                out[c] = (u4 - rest_part) * inverse_count[c]


@njit(cache=True, nogil=True)
def _asked(features, first, last):  # type: ignore[no-untyped-def]
    for feature in features:
        if first <= feature <= last:
            return True
    return False


@njit(cache=True, nogil=True)
def texture_tile(tile, window, levels, directions, steps, slots, features, total, inverse, logarithm, growth, out):  # type: ignore[no-untyped-def]
    """Compute the features of a tile of levels.

    Parameters
    ----------
    tile : int16 (rows + window − 1, columns + window − 1)
        Levels, with a border of half a window; `NODATA` where there is none.
    directions : int64 (direction, 4)
        Row step (≥ 0), column step, group and first slot of each direction whose pairs are pooled. A group holds
        the directions with the same absolute column step: their pairs enter and leave the window together.
    steps, slots : int64 (group,), (group + 1,)
        Absolute column step of each group, and where its slots begin in the ring of codes: one slot for each row of
        pairs that fits in a window.
    features : int64 (feature,)
        The constants above.
    total : float64
        Σp of the matrix.
    inverse, logarithm, growth : float64 (levels + 1,), int64, int64
        1 / (1 + d²); n ln n in fixed point; and its increments.
    out : float (feature, rows, columns)
    """
    rows, columns = out.shape[1:]
    width = tile.shape[1]
    with_inverse = _asked(features, HOMOGENEITY, HOMOGENEITY)
    with_cubes = _asked(features, CLUSTER_SHADE, CLUSTER_PROMINENCE)
    with_histogram = _asked(features, ASM, ENTROPY)
    with_maximum = _asked(features, MAXIMUM, MAXIMUM)
    whole_columns = np.zeros((steps.size, 6, width), np.int32)
    real_columns = np.zeros((steps.size, 3, width))
    whole_scratch, real_scratch = np.empty(width, np.int32), np.empty(width)
    whole = np.empty((6, columns), np.int32)
    real = np.empty((3, columns))
    codes = np.full((width + window, slots[-1]), NO_PAIR, np.uint16)
    histogram = np.zeros(levels * (levels + 1) // 2, np.int32)
    frequency = np.zeros(2 * logarithm.size, np.int32)
    information = np.zeros(columns, np.int64)
    squares = np.zeros(columns, np.int64)
    maxima = np.zeros(columns, np.int64)
    inverse_count = np.empty(columns)
    half = window // 2

    for r in range(rows):
        for d in range(directions.shape[0]):
            row_step, column_step = directions[d, ROW_STEP], directions[d, COLUMN_STEP]
            step = abs(column_step)
            # A pair is filed under its larger column; it falls to the left or to the right of the upper pixel.
            left_of_upper, left_of_lower = max(0, -column_step), max(0, column_step)
            pairs = width - step
            whole_sums, real_sums = whole_columns[directions[d, GROUP]], real_columns[directions[d, GROUP]]
            for lower in range(row_step if r == 0 else r + window - 1, r + window):
                a = tile[lower - row_step, left_of_upper : left_of_upper + pairs]
                b = tile[lower, left_of_lower : left_of_lower + pairs]
                _move_row(a, b, np.int32(1), step, whole_sums, inverse, real_sums, with_inverse, with_cubes)
                if with_histogram or with_maximum:
                    slot = directions[d, FIRST_SLOT] + lower % (window - row_step)
                    _write_codes(a, b, levels, codes[window + step :], slot)
            if r > 0:
                lower = r - 1 + row_step
                a = tile[lower - row_step, left_of_upper : left_of_upper + pairs]
                b = tile[lower, left_of_lower : left_of_lower + pairs]
                _move_row(a, b, np.int32(-1), step, whole_sums, inverse, real_sums, with_inverse, with_cubes)
        whole[:] = 0
        real[:] = 0.0
        for g in range(steps.size):
            for m in range(whole.shape[0]):
                _add_window_sums(whole_columns[g, m], steps[g], window, whole_scratch, whole[m])
            for m in range(real.shape[0]):
                if with_inverse if m == INVERSE else with_cubes:
                    _add_window_sums(real_columns[g, m], steps[g], window, real_scratch, real[m])
        if with_histogram:
            _slide_histogram(codes, steps, slots, window, levels, growth, histogram, information, squares)
        if with_maximum:
            _slide_maximum(codes, steps, slots, window, levels, histogram, frequency, maxima)
        for c in range(columns):
            known = whole[COUNT, c] > 0 and tile[half + r, half + c] >= 0
            inverse_count[c] = 1.0 / whole[COUNT, c] if known else np.nan
        for f in range(features.size):
            _finish_row(features[f], total, whole, real, information, squares, maxima, logarithm, inverse_count, out[f, r])
