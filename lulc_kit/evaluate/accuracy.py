"""Accuracy from confusion matrices, with confidence intervals from a bootstrap over whole blocks (`bootstrap`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.classes import Scheme
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import bootstrap, significance
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
    lookup = np.full(256, -1, np.int16)  # of a whole tile, wide numbers would take gigabytes
    lookup[list(values)] = np.arange(size)
    t, p = lookup[true.ravel()], lookup[predicted.ravel()]
    labelled = t >= 0
    numbers, position = np.unique(block.ravel()[labelled], return_inverse=True)
    t, p = t[labelled].astype(np.intp), p[labelled].astype(np.intp)
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


def disagreement(matrix: npt.NDArray[np.floating | np.integer]) -> dict[str, npt.NDArray[np.float64]]:
    """Quantity and allocation disagreement (Pontius & Millones 2011, doi:10.1080/01431161.2011.552923), 0–1.

    Their sum is 1 − overall accuracy. Quantity: the map has too much of one class, too little of another. Allocation:
    the right amounts in the wrong places. Leading axes are kept.
    """
    with np.errstate(invalid="ignore"):
        parts = matrix / matrix.sum(axis=(-2, -1), keepdims=True)
    quantity = np.abs(parts.sum(axis=-1) - parts.sum(axis=-2)).sum(axis=-1) / 2
    right = np.trace(parts, axis1=-2, axis2=-1)
    return {"quantity": np.asarray(quantity), "allocation": np.asarray(1 - right - quantity)}


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


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of one run under one split.

    Attributes
    ----------
    matrix
        Confusion matrix, (true, predicted), pixels.
    overall, macro, kappa, quantity, allocation
        Overall accuracy, macro-F1, `kappa` and the two kinds of `disagreement`.
    classes
        For each class that occurs or is predicted: precision, recall, f1, iou as `Estimate`, and ``pixels``.
    samples
        Macro-F1 of each resample, to compare runs pair by pair.
    left_out
        Macro-F1 without each of the blocks.
    """

    matrix: Matrix
    overall: Estimate
    macro: Estimate
    kappa: Estimate
    quantity: Estimate
    allocation: Estimate
    classes: Mapping[str, Mapping[str, Estimate | int]]
    samples: npt.NDArray[np.float64]
    left_out: npt.NDArray[np.float64]


ENOUGH = 40
"""Blocks from which on intervals of whole scores hold the truth as often as they say; of the F1 of a rare class, twice
as many (docs/benchmarks/evaluate.md)."""

WHOLE = ("overall", "macro", "kappa", "quantity", "allocation")
"""Scores of a whole matrix."""

BY_CLASS = ("precision", "recall", "f1", "iou")
"""Scores of each class."""


def scores(matrix: npt.NDArray[np.floating | np.integer]) -> npt.NDArray[np.float64]:
    """Compute all scores of matrices (…, true, predicted): `WHOLE`, then `BY_CLASS` of each class; (…, score)."""
    whole = [overall_accuracy(matrix), macro_f1(matrix), kappa(matrix), *disagreement(matrix).values()]
    each = per_class(matrix)
    return np.concatenate([np.stack(whole, axis=-1), *(each[name] for name in BY_CLASS)], axis=-1)


def assess(matrices: Matrix, classes: Scheme, *, confidence: float, resamples: int, seed: int) -> Accuracy:
    """Estimate accuracy from the confusion matrices of blocks.

    Parameters
    ----------
    matrices
        (block, true, predicted), from `by_block`.
    classes
        The classes, in the matrices' order.
    confidence
        Level of the intervals (`bootstrap.interval`), 0.5–1.
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
    times = bootstrap.resample(len(matrices), resamples, seed)
    # As floating point: numpy multiplies whole numbers many times more slowly.
    drawn = (times.astype(float) @ matrices.reshape(len(matrices), -1).astype(float)).reshape(-1, *whole.shape)
    value, many, left_out = scores(whole), scores(drawn), scores(whole - matrices)
    low, high = bootstrap.interval(value, many, left_out, confidence)
    found = [Estimate(*map(float, ends)) for ends in zip(value, low, high, strict=True)]
    size, rest = len(classes.names), found[len(WHOLE) :]
    rows: dict[str, dict[str, Estimate | int]] = {}
    for i, name in enumerate(classes.names):
        if not whole[i].any() and not whole[:, i].any():
            continue  # a class that is neither here nor mistaken for one that is
        rows[name] = {"pixels": int(whole[i].sum())} | dict(zip(BY_CLASS, rest[i::size], strict=True))
    macro = WHOLE.index("macro")
    named = dict(zip(WHOLE, found, strict=False))
    return Accuracy(whole, **named, classes=rows, samples=many[:, macro], left_out=left_out[:, macro])


def compare(
    runs: Mapping[str, Accuracy],
    confidence: float,
    only: Mapping[tuple[str, str], npt.NDArray[np.integer]] | None = None,
) -> pd.DataFrame:
    """Compare macro-F1 of every two runs on the same resampled blocks.

    Parameters
    ----------
    runs
        Accuracies from the same blocks and seed.
    confidence
        Level of the intervals, and of the verdict.
    only
        For pairs of runs, by block: pixels that only the first of them has right; for the test of McNemar.

    Returns
    -------
    pandas.DataFrame
        One row per pair, the better run first: ``difference``, its interval (``low``, ``high``), ``p`` and, corrected
        for the number of pairs (Holm), ``p_corrected``; ``p_mcnemar`` of overall accuracy, whole blocks, corrected too
        (NaN without ``only``); ``distinguishable``: whether ``p_corrected`` says so; ``said``: all that in a sentence.

    Examples
    --------
    >>> from lulc_kit.classes import scheme
    >>> generator = np.random.default_rng(1)
    >>> def matrices(right):
    ...     return np.array([[[n, 20 - n], [20 - n, n]] for n in generator.binomial(20, right, 30)])
    >>> options = {"confidence": 0.95, "resamples": 1000, "seed": 1}
    >>> runs = {name: assess(matrices(right), scheme("forest"), **options) for name, right in
    ...         (("rf", 0.9), ("knn", 0.6))}
    >>> print(compare(runs, confidence=0.95)["said"][0])
    rf is better than knn by 30.2 points of macro-F1, 95 % interval 25.2 to 34.8.
    """
    from scipy import stats

    names = sorted(runs, key=lambda r: -runs[r].macro.value)
    rows = []
    for i, better in enumerate(names):
        for worse in names[i + 1 :]:
            one, other = runs[better], runs[worse]
            gap, difference = one.samples - other.samples, one.macro.value - other.macro.value
            left_out = (one.left_out - other.left_out)[:, None]
            low, high = bootstrap.interval([difference], gap[:, None], left_out, confidence)
            spread, blocks = float(gap.std(ddof=1)), len(left_out)
            p = 2 * stats.t.sf(difference / spread, blocks - 1) if spread else float(difference == 0)
            row = {"better": better, "worse": worse, "difference": difference, "low": low[0], "high": high[0], "p": p}
            mine, theirs = ((only or {}).get(pair) for pair in ((better, worse), (worse, better)))
            row["p_mcnemar"] = np.nan if mine is None or theirs is None else significance.mcnemar(mine, theirs)[1]
            rows.append(row)
    columns = ["better", "worse", "difference", "low", "high", "p", "p_corrected", "p_mcnemar", "distinguishable"]
    table = pd.DataFrame(rows, columns=columns)
    table["p_corrected"] = significance.holm(table["p"].to_numpy(float))
    table["p_mcnemar"] = significance.holm(table["p_mcnemar"].to_numpy(float))
    table["distinguishable"] = table["p_corrected"] < 1 - confidence
    table["said"] = [_said(row, confidence, len(table)) for row in table.to_dict("records")]
    return table


def _said(row: Mapping[Any, Any], confidence: float, pairs: int) -> str:
    """Return what a comparison found, in a sentence; points are hundredths."""
    points = {name: f"{100 * row[name]:.1f}".replace("-", "−") for name in ("difference", "low", "high")}
    interval = f"{confidence:.0%}".replace("%", " %") + f" interval {points['low']} to {points['high']}"
    if row["distinguishable"]:
        return (
            f"{row['better']} is better than {row['worse']} by {points['difference']} points of macro-F1, {interval}."
        )
    of_pairs = f", corrected for {pairs} pairs" if pairs > 1 else ""
    return (
        f"{row['better']} and {row['worse']} cannot be told apart: a difference of {points['difference']} points of "
        f"macro-F1, {interval}{of_pairs}."
    )
