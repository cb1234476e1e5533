"""Intervals from a bootstrap over whole blocks.

Pixels of one block are near-copies, so the block, not the pixel, is what is drawn anew (Efron & Tibshirani 1993;
blocks for spatial data: Lahiri 2003, doi:10.1007/978-1-4757-3803-2). The ends are bias-corrected and accelerated (BCa:
Efron 1987, doi:10.1080/01621459.1987.10478410), and widened for few blocks as Student's interval is (Hesterberg 2015,
doi:10.1080/00031305.2015.1089789); `benchmarks/evaluate.py` measures how often they hold the truth, beside plain
percentiles.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


def resample(blocks: int, resamples: int, seed: int) -> npt.NDArray[np.int64]:
    """Draw how often each block occurs in each bootstrap resample: (resample, block). Rows sum to ``blocks``."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples)


def interval(
    value: npt.ArrayLike, many: npt.NDArray[np.floating], left_out: npt.NDArray[np.floating], confidence: float
) -> tuple[Numbers, Numbers]:
    """Return the lower and upper ends of intervals of some numbers.

    Parameters
    ----------
    value
        The numbers, (number,).
    many
        The same of each resample, (resample, number); NaN where a resample has none.
    left_out
        The same with one block left out, (block, number).
    confidence
        Level, 0.5–1.

    Examples
    --------
    >>> blocks = np.arange(20.0)
    >>> many = resample(20, 2000, seed=1) @ blocks[:, None] / 20
    >>> left_out = (blocks.sum() - blocks[:, None]) / 19
    >>> [np.round(end, 1).tolist() for end in interval([blocks.mean()], many, left_out, 0.95)]
    [[6.8], [12.2]]
    """
    from scipy import special, stats

    value, count = np.asarray(value, float), len(left_out)
    some = np.isfinite(many).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        below = ((many < value).sum(axis=0) + (many == value).sum(axis=0) / 2) / some
        bias = special.ndtri(np.clip(below, 0.5 / len(many), 1 - 0.5 / len(many)))
        gap = np.nan_to_num(np.nansum(left_out, axis=0) / np.isfinite(left_out).sum(axis=0) - left_out)
        spread = (gap**2).sum(axis=0)
        skew = np.where(spread > 0, (gap**3).sum(axis=0) / (6 * spread**1.5), 0)
        reach = stats.t.ppf(0.5 + confidence / 2, count - 1) * np.sqrt(count / (count - 1))
        ends = []
        for z in (bias - reach, bias + reach):
            level = special.ndtr(bias + z / (1 - skew * z))
            ends.append(_quantile(many, np.where(skew * z < 1, level, z > 0)))
    low, high = ends
    return np.fmin(low, value), np.fmax(high, value)


def _quantile(many: npt.NDArray[np.floating], level: Numbers) -> Numbers:
    """Return a quantile of each column, each at a level of its own; NaN are left out."""
    ordered = np.sort(many, axis=0)  # NaN come last
    some = np.isfinite(many).sum(axis=0)
    place = np.nan_to_num(level) * np.maximum(some - 1, 0)
    down = np.floor(place).astype(int)
    column = np.arange(many.shape[1])
    one, other = ordered[down, column], ordered[np.minimum(down + 1, np.maximum(some - 1, 0)), column]
    return np.asarray(one + (place - down) * (other - one))
