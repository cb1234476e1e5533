"""Accuracy from confusion matrices, with confidence intervals from a bootstrap over whole blocks.

Pixels of one block are near-copies, so the block, not the pixel, is what is drawn anew (Efron & Tibshirani 1993;
blocks for spatial data: Lahiri 2003, doi:10.1007/978-1-4757-3803-2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lulc_kit.classes import Scheme
from lulc_kit.errors import LulcError
from lulc_kit.late import pd

Matrix = npt.NDArray[np.int64]


def by_block(
    true: npt.NDArray[np.integer],
    predicted: npt.NDArray[np.integer],
    block: npt.NDArray[np.integer],
    values: Sequence[int],
) -> Matrix:
    """Count pixels by true and predicted class, for each block that has any labelled pixel: (block, true, predicted).

    A block that a run leaves unmapped keeps its place, so that all runs have the same blocks.

    Parameters
    ----------
    true, predicted
        Class values, same shape. A pixel counts only if both are among ``values``: 0 (no label, no data) never does.
    block
        Number of the block of each pixel.
    values
        Class values, in the order of rows (true) and columns (predicted).

    Examples
    --------
    >>> labels, mapped = np.array([1, 1, 2, 2]), np.array([1, 2, 2, 2])
    >>> by_block(labels, mapped, np.array([1, 1, 1, 7]), [1, 2]).tolist()
    [[[1, 1], [0, 1]], [[0, 0], [0, 1]]]
    """
    size = len(values)
    lookup = np.full(256, -1)
    lookup[list(values)] = np.arange(size)
    t, p = lookup[true.ravel()], lookup[predicted.ravel()]
    labelled = t >= 0
    numbers, position = np.unique(block.ravel()[labelled], return_inverse=True)
    t, p = t[labelled], p[labelled]
    both = p >= 0
    flat = (position[both] * size + t[both]) * size + p[both]
    return np.bincount(flat, minlength=len(numbers) * size * size).reshape(len(numbers), size, size)


def overall_accuracy(matrix: npt.NDArray[np.floating | np.integer]) -> npt.NDArray[np.float64]:
    """Part of the pixels that are right, 0–1. Leading axes are kept: (…, true, predicted) → (…)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.trace(matrix, axis1=-2, axis2=-1) / matrix.sum(axis=(-2, -1)))


def per_class(matrix: npt.NDArray[np.floating | np.integer]) -> dict[str, npt.NDArray[np.float64]]:
    """Precision (user's accuracy), recall (producer's accuracy), F1 and IoU of each class: (…, class), 0–1.

    A class that is never predicted has precision 0. A class that neither occurs nor is predicted has NaN throughout.
    """
    right = np.diagonal(matrix, axis1=-2, axis2=-1).astype(float)
    is_class, called = matrix.sum(axis=-1).astype(float), matrix.sum(axis=-2).astype(float)
    absent = (is_class + called) == 0

    def part(of: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(absent, np.nan, np.divide(right, of, out=np.zeros_like(right), where=of > 0))

    return {
        "precision": part(called),
        "recall": part(is_class),
        "f1": np.where(absent, np.nan, 2 * right / np.where(absent, 1, is_class + called)),
        "iou": part(is_class + called - right),
    }


def macro_f1(matrix: npt.NDArray[np.floating | np.integer]) -> npt.NDArray[np.float64]:
    """Mean F1 of the classes that occur or are predicted: every class counts the same, however rare. 0–1."""
    f1 = per_class(matrix)["f1"]
    counted = np.isfinite(f1)
    return np.asarray(np.where(counted, f1, 0).sum(axis=-1) / np.maximum(counted.sum(axis=-1), 1))


def disagreement(matrix: Matrix) -> dict[str, float]:
    """Quantity and allocation disagreement (Pontius & Millones 2011, doi:10.1080/01431161.2011.552923), 0–1.

    Their sum is 1 − overall accuracy. Quantity: the map has too much of one class, too little of another. Allocation:
    the right amounts in the wrong places.
    """
    parts = matrix / matrix.sum()
    quantity = np.abs(parts.sum(axis=1) - parts.sum(axis=0)).sum() / 2
    return {"quantity": float(quantity), "allocation": float(1 - np.trace(parts) - quantity)}


def kappa(matrix: npt.NDArray[np.floating | np.integer]) -> npt.NDArray[np.float64]:
    """Cohen's kappa (1960, doi:10.1177/001316446002000104): agreement beyond what the margins would give by chance.

    Reviewers ask for it. It says nothing that overall accuracy and the two disagreements do not say better, and maps of
    other class shares do not compare by it (Pontius & Millones 2011, doi:10.1080/01431161.2011.552923; Foody 2020,
    doi:10.1016/j.rse.2019.111630). Leading axes are kept; NaN where all lies in one class.
    """
    whole = matrix.sum(axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = (matrix.sum(axis=-1) * matrix.sum(axis=-2)).sum(axis=-1) / np.square(whole, dtype=float)
        return np.asarray((overall_accuracy(matrix) - chance) / (1 - chance))


@dataclass(frozen=True)
class Estimate:
    """A number with its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"


def resample(blocks: int, resamples: int, seed: int) -> npt.NDArray[np.int64]:
    """Draw how often each block occurs in each bootstrap resample: (resample, block). Rows sum to ``blocks``."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples)


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of one run under one split.

    Attributes
    ----------
    matrix
        Confusion matrix, (true, predicted), pixels.
    overall, macro
        Overall accuracy and macro-F1.
    classes
        For each class that occurs or is predicted: precision, recall, f1, iou as `Estimate`, and ``pixels``.
    samples
        Macro-F1 of each resample, to compare runs pair by pair.
    """

    matrix: Matrix
    overall: Estimate
    macro: Estimate
    classes: Mapping[str, Mapping[str, Estimate | int]]
    samples: npt.NDArray[np.float64]


def assess(matrices: Matrix, classes: Scheme, *, confidence: float, resamples: int, seed: int) -> Accuracy:
    """Estimate accuracy from the confusion matrices of blocks.

    Parameters
    ----------
    matrices
        (block, true, predicted), from `by_block`.
    classes
        The classes, in the matrices' order.
    confidence
        Level of the intervals (percentile bootstrap), 0.5–1.
    resamples
        Number of bootstrap resamples.
    seed
        Seed; the same seed draws the same blocks, so that runs can be compared pair by pair.

    Raises
    ------
    LulcError
        With fewer than two blocks.

    Examples
    --------
    >>> from lulc_kit.classes import scheme
    >>> matrices = np.array([[[8, 2], [0, 10]], [[9, 1], [1, 9]], [[10, 0], [4, 6]]])
    >>> accuracy = assess(matrices, scheme("forest"), confidence=0.95, resamples=1000, seed=1)
    >>> print("overall", accuracy.overall)
    overall 0.867 (0.800–0.900)
    >>> print("recall of forest", accuracy.classes["Forest"]["recall"])
    recall of forest 0.900 (0.800–1.000)
    """
    if len(matrices) < 2:
        raise LulcError(f"A confidence interval needs at least two blocks with labels; found {len(matrices)}.")
    whole = matrices.sum(axis=0)
    times = resample(len(matrices), resamples, seed)
    drawn = np.tensordot(times, matrices, axes=1)
    tail = (1 - confidence) / 2 * 100

    def estimate(value: float, many: npt.NDArray[np.float64]) -> Estimate:
        low, high = np.nanpercentile(many, [tail, 100 - tail])
        return Estimate(float(value), float(low), float(high))

    scores, many = per_class(whole), per_class(drawn)
    rows: dict[str, dict[str, Estimate | int]] = {}
    for i, name in enumerate(classes.names):
        if not whole[i].any() and not whole[:, i].any():
            continue  # a class that is neither here nor mistaken for one that is
        rows[name] = {"pixels": int(whole[i].sum())}
        for score in ("precision", "recall", "f1", "iou"):
            rows[name][score] = estimate(scores[score][i], many[score][:, i])
    samples = macro_f1(drawn)
    return Accuracy(
        whole,
        estimate(float(overall_accuracy(whole)), overall_accuracy(drawn)),
        estimate(float(macro_f1(whole)), samples),
        rows,
        samples,
    )


def compare(runs: Mapping[str, Accuracy], confidence: float) -> pd.DataFrame:
    """Compare macro-F1 of every two runs on the same resampled blocks.

    Returns
    -------
    pandas.DataFrame
        One row per pair, the better run first: difference, its interval, and whether that excludes 0.

    Examples
    --------
    >>> from lulc_kit.classes import scheme
    >>> good, poor = np.array([[9, 1], [1, 9]]), np.array([[6, 4], [4, 6]])
    >>> options = {"confidence": 0.95, "resamples": 1000, "seed": 1}
    >>> runs = {name: assess(np.stack([each] * 5), scheme("forest"), **options) for name, each in
    ...         (("rf", good), ("knn", poor))}
    >>> compare(runs, confidence=0.95)[["better", "worse", "difference", "distinguishable"]].round(2).values.tolist()
    [['rf', 'knn', 0.3, True]]
    """
    names = sorted(runs, key=lambda r: -runs[r].macro.value)
    tail = (1 - confidence) / 2 * 100
    rows = []
    for i, better in enumerate(names):
        for worse in names[i + 1 :]:
            gap = runs[better].samples - runs[worse].samples
            low, high = np.percentile(gap, [tail, 100 - tail])
            rows.append(
                {
                    "better": better,
                    "worse": worse,
                    "difference": runs[better].macro.value - runs[worse].macro.value,
                    "low": float(low),
                    "high": float(high),
                    "distinguishable": bool(low > 0 or high < 0),
                }
            )
    return pd.DataFrame(rows, columns=["better", "worse", "difference", "low", "high", "distinguishable"])
