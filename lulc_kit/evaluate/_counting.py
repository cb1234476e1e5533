"""Kernel of `applicability`: how many points lie within a radius, counted up to a limit."""

import numba


@numba.njit(nogil=True, cache=True)
def within(points, x, radius, most, out):  # type: ignore[no-untyped-def]  # noqa: C901
    """Count, for each row of ``x``, the ``points`` nearer than ``radius``, at most ``most``.

    The points are in the order of their first coordinate: the search goes out from the pixel's own to both sides and
    ends where the first coordinate alone is too far. Counting outward, the limit is reached early in dense places.
    """
    n, dimensions = points.shape
    squared = radius * radius
    for i in range(x.shape[0]):
        low, high = 0, n
        while low < high:
            middle = (low + high) // 2
            if points[middle, 0] < x[i, 0]:
                low = middle + 1
            else:
                high = middle
        up, down, found = low, low - 1, 0
        while found < most and (up < n or down >= 0):
            for side in range(2):
                j = up if side == 0 else down
                if j < 0 or j >= n:
                    continue
                total = (points[j, 0] - x[i, 0]) ** 2
                if total >= squared:
                    if side == 0:
                        up = n
                    else:
                        down = -1
                    continue
                for k in range(1, dimensions):
                    total += (points[j, k] - x[i, k]) ** 2
                    if total >= squared:
                        break
                if total < squared and found < most:
                    found += 1
                if side == 0:
                    up += 1
                else:
                    down -= 1
        out[i] = found
