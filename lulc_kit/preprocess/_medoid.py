"""Kernel of `composite.medoid`."""

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def medoid(series, out):  # type: ignore[no-untyped-def]
    """Write the most central observation of each pixel of a series, (time, band, row, column), into ``out``."""
    count, bands, rows, columns = series.shape
    line = np.empty((columns, count, bands), np.float32)
    seen = np.empty((count, bands), np.float32)
    for r in range(rows):
        for t in range(count):
            for b in range(bands):
                for c in range(columns):
                    line[c, t, b] = series[t, b, r, c]
        for c in range(columns):
            n = 0
            for t in range(count):
                if np.isfinite(line[c, t]).all():
                    seen[n] = line[c, t]
                    n += 1
            if n > 0:
                out[:, r, c] = seen[_most_central(seen[:n])]


@numba.njit(nogil=True, cache=True)
def _most_central(seen):  # type: ignore[no-untyped-def]
    """Number of the spectrum, (time, band), with the smallest sum of distances to the others; the first of equals."""
    count, bands = seen.shape
    sums = np.zeros(count)
    for i in range(count):
        for j in range(i + 1, count):
            square = 0.0
            for b in range(bands):
                step = np.float64(seen[i, b]) - np.float64(seen[j, b])
                square += step * step
            distance = np.sqrt(square)
            sums[i] += distance
            sums[j] += distance
    return np.argmin(sums)
