"""Are probabilities what they say? Brier score, expected calibration error, reliability diagram.

Of the pixels that a model is 80 % sure of, 80 % should be right. Guo et al. 2017 (arXiv 1706.04599); Brier 1950,
doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lulc_kit.late import pd

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
    """

    brier: float
    error: float
    bins: pd.DataFrame


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
