"""Are probabilities what they say? Brier score, expected calibration error, reliability diagram.

Of the pixels that a model is 80 % sure of, 80 % should be right. Guo et al. 2017 (arXiv 1706.04599); Brier 1950,
doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lulc_kit.evaluate import bootstrap
from lulc_kit.evaluate.accuracy import Estimate
from lulc_kit.late import pd

FLOOR = 0.005
"""Least probability that counts in the logarithmic loss: files hold whole percent, and half of one is 0 there."""

BINS = 10
"""Bins of the probability of the likeliest class, of equal width."""


@dataclass(frozen=True)
class Calibration:
    """How far probabilities are to be believed.

    Attributes
    ----------
    brier
        Mean squared distance between probabilities and the truth (1 for its class, 0 for the others), summed over
        classes: 0 (sure and right) to 2 (sure and wrong).
    error
        Expected calibration error: mean distance between how sure a model is of its class and how often it is right,
        0–1.
    bins
        The reliability diagram: for each bin that holds any, mean ``confidence``, ``accuracy``, number of ``pixels``.
    brier_interval, log_loss
        The Brier score once more, and the logarithmic loss (mean −ln of the true class's probability, at least
        `FLOOR`; 0: sure and right), with intervals from whole blocks; None if blocks are not known.
    """

    brier: float
    error: float
    bins: pd.DataFrame
    brier_interval: Estimate | None = None
    log_loss: Estimate | None = None


def count(
    label: npt.NDArray[np.integer], probabilities: npt.NDArray[np.floating], values: Sequence[int]
) -> npt.NDArray[np.float64]:
    """Sum up what `assess` needs; sums of parts may be added.

    Parameters
    ----------
    label
        Class values (pixel); others than ``values`` (no label) do not count.
    probabilities
        (class, pixel), 0–1; a pixel with a NaN does not count.
    values
        Class values, in the probabilities' order.

    Returns
    -------
    numpy.ndarray
        (bin, 4): pixels, sums of confidence, of right ones, of squared errors.
    """
    position = np.full(256, -1)
    position[list(values)] = np.arange(len(values))
    true = position[label]
    known = (true >= 0) & np.isfinite(probabilities).all(axis=0)
    p, true = probabilities[:, known].astype(float), true[known]
    confidence, right = p.max(axis=0), p.argmax(axis=0) == true
    # Σ(p − truth)² = Σp² − 2·p of the true class + 1
    squared = (p**2).sum(axis=0) - 2 * p[true, np.arange(len(true))] + 1
    bins = np.clip((confidence * BINS).astype(int), 0, BINS - 1)
    sums = [np.bincount(bins, weights, BINS) for weights in (np.ones(len(true)), confidence, right, squared)]
    return np.stack(sums, axis=1)


def by_block(
    label: npt.NDArray[np.integer],
    probabilities: npt.NDArray[np.floating],
    block: npt.NDArray[np.integer],
    values: Sequence[int],
) -> pd.DataFrame:
    """Sum up squared errors and logarithmic losses of each block; parts may be added by their index.

    Parameters
    ----------
    label, probabilities, values
        As of `count`.
    block
        Number of each pixel's block.

    Returns
    -------
    pandas.DataFrame
        By block: ``pixels``, ``squared``, ``log``.
    """
    position = np.full(256, -1)
    position[list(values)] = np.arange(len(values))
    true = position[label]
    known = (true >= 0) & np.isfinite(probabilities).all(axis=0)
    p, true = probabilities[:, known].astype(float), true[known]
    of_truth = p[true, np.arange(len(true))]
    squared = (p**2).sum(axis=0) - 2 * of_truth + 1
    losses = {"pixels": 1.0, "squared": squared, "log": -np.log(np.maximum(of_truth, FLOOR))}
    return pd.DataFrame(losses, index=pd.Index(block[known], name="block")).groupby(level=0).sum()


def score(
    blocks: pd.DataFrame, *, confidence: float, resamples: int, seed: int
) -> tuple[Estimate, Estimate] | tuple[None, None]:
    """Return Brier score and logarithmic loss with intervals, from the sums of `by_block`; None of a single block.

    Examples
    --------
    >>> sums = by_block(np.array([1, 1, 2]), np.array([[0.9, 0.8, 0.1], [0.1, 0.2, 0.9]]), np.array([1, 2, 3]), [1, 2])
    >>> brier, log = score(sums, confidence=0.95, resamples=1000, seed=1)
    >>> print(brier, log)
    0.040 (0.020–0.080) 0.145 (0.105–0.223)
    """
    if len(blocks) < 2:
        return None, None
    pixels, *sums = blocks[["pixels", "squared", "log"]].to_numpy().T
    loss = np.stack(sums, axis=1)
    times = bootstrap.resample(len(blocks), resamples, seed).astype(float)
    value = loss.sum(axis=0) / pixels.sum()
    many = (times @ loss) / (times @ pixels)[:, None]
    left_out = (loss.sum(axis=0) - loss) / (pixels.sum() - pixels)[:, None]
    low, high = bootstrap.interval(value, many, left_out, confidence)
    brier, log = (Estimate(*map(float, ends)) for ends in zip(value, low, high, strict=True))
    return brier, log


def assess(counts: npt.NDArray[np.float64]) -> Calibration:
    """Judge probabilities by the sums of `count`.

    Examples
    --------
    >>> label, sure = np.array([1, 1, 2, 2]), np.array([[0.9, 0.9, 0.9, 0.1], [0.1, 0.1, 0.1, 0.9]])
    >>> found = assess(count(label, sure, [1, 2]))
    >>> round(found.brier, 3), round(found.error, 3)
    (0.42, 0.15)
    """
    pixels, confidence, right, squared = counts[counts[:, 0] > 0].T
    bins = pd.DataFrame({"confidence": confidence / pixels, "accuracy": right / pixels, "pixels": pixels.astype(int)})
    gap = (bins["accuracy"] - bins["confidence"]).abs()
    return Calibration(float(squared.sum() / pixels.sum()), float((gap * pixels).sum() / pixels.sum()), bins)
