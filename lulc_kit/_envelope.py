"""Kernels of `distance`: the nearest pixel along columns, then the lower envelope of parabolas along rows."""

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def along_columns(mask, cap):  # type: ignore[no-untyped-def]
    """Rows to the nearest pixel of the mask in the same column (Rosenfeld & Pfaltz); beyond ``cap``, cap + 1."""
    rows, columns = mask.shape
    out = np.empty((rows, columns), np.int32)
    for c in range(columns):
        out[0, c] = 0 if mask[0, c] else cap + 1
    for r in range(1, rows):
        for c in range(columns):
            out[r, c] = 0 if mask[r, c] else min(out[r - 1, c] + 1, cap + 1)
    for r in range(rows - 2, -1, -1):
        for c in range(columns):
            out[r, c] = min(out[r, c], out[r + 1, c] + 1)
    return out


@numba.njit(nogil=True, cache=True)
def along_rows(vertical, aspect, cap, left, out):  # type: ignore[no-untyped-def]
    """Squared distances: the lower envelope of parabolas, one for each column in which the mask is near."""
    columns = vertical.shape[1]
    apex = np.empty(columns, np.int64)
    height = np.empty(columns, np.float64)
    begin = np.empty(columns + 1, np.float64)
    for r in range(out.shape[0]):
        count = 0
        for c in range(columns):
            if vertical[r, c] > cap:
                continue
            h = (vertical[r, c] * aspect) ** 2
            cross = -np.inf
            while count > 0:
                a = apex[count - 1]
                cross = (h + c * c - height[count - 1] - a * a) / (2.0 * (c - a))
                if cross > begin[count - 1]:
                    break
                count -= 1
                cross = -np.inf
            apex[count], height[count], begin[count] = c, h, cross
            count += 1
        begin[count] = np.inf
        k = 0
        for c in range(out.shape[1]):
            x = left + c
            if count == 0:
                out[r, c] = np.inf
                continue
            while begin[k + 1] < x:
                k += 1
            out[r, c] = (x - apex[k]) ** 2 + height[k]
