"""Filling what clouds hide in a series of dates, and saying what was filled."""

import enum
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class Flag(enum.IntEnum):
    """Where a number in a filled series comes from."""

    OBSERVED = 0
    """It was seen on that date."""
    BETWEEN = 1
    """It lies on the line between the last observation before and the first one after."""
    HELD = 2
    """It is the first or last observation, held where there is none beyond."""
    NEVER = 3
    """No date shows the pixel: it stays NaN."""


def linear(
    images: npt.NDArray[np.float32], dates: Sequence[str]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Fill a series linearly in time between observations, and hold the first and the last one at its ends.

    Parameters
    ----------
    images
        (time, row, column, band), NaN where masked. An observation that lacks a band is none.
    dates
        ``YYYY-MM-DD``, one for each time, in order; days between them count, not their number.

    Returns
    -------
    filled
        float32, of the same shape.
    flags
        uint8, (time, row, column), values of `Flag`.
    """
    days = np.array(dates, "datetime64[D]").astype(np.int64)
    seen = np.isfinite(images).all(axis=-1)
    number = np.arange(len(images))[:, None, None]
    before = np.maximum.accumulate(np.where(seen, number, -1), axis=0)
    after = np.minimum.accumulate(np.where(seen, number, len(images))[::-1], axis=0)[::-1]
    first, last = before < 0, after == len(images)
    flags = np.where(seen, Flag.OBSERVED, np.where(first | last, Flag.HELD, Flag.BETWEEN)).astype(np.uint8)
    flags[first & last] = Flag.NEVER
    before, after = np.where(first, after, before), np.where(last, before, after)
    before, after = (np.clip(n, 0, len(images) - 1) for n in (before, after))  # of what is never seen
    filled = np.empty_like(images, np.float32)
    for t, day in enumerate(days):  # one date at a time: the rest need not be in memory twice
        low, high = (np.take_along_axis(images, n[t][None, ..., None], axis=0)[0] for n in (before, after))
        span = np.maximum(days[after[t]] - days[before[t]], 1)
        part = ((day - days[before[t]]) / span).astype(np.float32)
        part[flags[t] != Flag.BETWEEN] = 0
        filled[t] = low + (high - low) * part[..., None]
    return filled, flags
