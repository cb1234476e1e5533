"""Where a model was never taught: area of applicability and local point density.

Meyer & Pebesma 2021, doi:10.1111/2041-210X.13650, by the rule of their R package CAST: features are scaled by their
mean and deviation among the training samples and weighed by importance; the *dissimilarity index* of a pixel is its
Euclidean distance to the nearest training sample over the mean distance between training samples. That of a training
sample is measured to samples outside its own fold, so that the threshold is what cross-validation has tried.
Local point density: Schumacher et al. 2025, doi:10.5194/gmd-18-10185-2025.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.errors import LulcError, ParameterError

Numbers = npt.NDArray[np.floating]

ROWS = 1024
"""Training samples whose distances to all others are in memory at once."""

TINY = 1e-12
"""Least threshold: where all samples have a twin in another fold, only their like is inside."""


@dataclass(frozen=True)
class Space:
    """The features of training samples as a space in which distances say how unlike two pixels are.

    Attributes
    ----------
    centre
        Mean of each feature among the training samples, (feature,).
    axes
        From what is left to coordinates, (feature, axis): scale, weight, and a turn onto the samples' principal axes.
        The turn changes no distance; the search for neighbours is several times faster after it.
    points
        The training samples in it, (sample, axis), in the order in which they were given.
    mean_distance
        Mean distance between training samples, the unit of the index.
    index
        Dissimilarity index of each training sample to those outside its own fold, (sample,), 0 or more.
    threshold
        Greatest index inside the area of applicability: min(Q75 + 1.5 IQR, maximum) of ``index``.

    Examples
    --------
    >>> corners = np.array([[0.0, 0], [1, 0], [0, 1], [4, 4], [5, 4], [4, 5]])
    >>> space = fit(corners, np.array([1, 1, 1, 2, 2, 2]))
    >>> index = space.dissimilarity(np.array([[2.0, 2], [9, 9]]))
    >>> (index <= space.threshold).tolist(), space.density(np.array([[2.0, 2], [9, 9]])).tolist()
    ([True, False], [6, 0])
    """

    centre: Numbers
    axes: Numbers
    points: Numbers
    mean_distance: float
    index: Numbers
    threshold: float
    _search: Any = field(repr=False, compare=False)

    def place(self, x: Numbers) -> Numbers:
        """Return the coordinates of pixels, (pixel, feature) → (pixel, axis)."""
        return (x - self.centre) @ self.axes

    def dissimilarity(self, x: Numbers) -> Numbers:
        """Return the dissimilarity index of pixels, (pixel, feature) → (pixel,), 0 or more; NaN where a feature is."""
        out = np.full(len(x), np.nan)
        known = np.isfinite(x).all(axis=1)
        out[known] = self._search.query(self.place(x[known]))[0] / self.mean_distance
        return out

    def density(self, x: Numbers, most: int = 254) -> npt.NDArray[np.int64]:
        """Count the training samples nearer than the threshold, up to ``most``: (pixel, feature) → (pixel,).

        A pixel that lacks a feature has 0.
        """
        from lulc_kit.evaluate import _counting  # numba takes its time to load

        out = np.zeros(len(x), np.int64)
        known = np.isfinite(x).all(axis=1)
        counts = np.zeros(int(known.sum()), np.int64)
        ordered = self.points[np.argsort(self.points[:, 0], kind="stable")]
        _counting.within(ordered, self.place(x[known]), self.threshold * self.mean_distance, most, counts)
        out[known] = counts
        return out


def fit(x: Numbers, fold: npt.NDArray[np.integer], weights: Sequence[float] | None = None) -> Space:
    """Measure the space of training samples, and how far from each other cross-validation has tried the model.

    Parameters
    ----------
    x
        Features of the training samples, (sample, feature), without NaN.
    fold
        Fold of each sample.
    weights
        What each feature is worth to the model, such as its permutation importance; below 0 counts as 0. None: all
        alike.

    Raises
    ------
    LulcError
        With samples of one fold only, without any feature that varies and has a weight, or with NaN.

    Examples
    --------
    >>> corners = np.array([[0.0, 0], [1, 0], [0, 1], [4, 4], [5, 4], [4, 5]])
    >>> round(fit(corners, np.array([1, 1, 1, 2, 2, 2])).mean_distance, 6)
    1.725724
    """
    return _measure(x, fold, weights)


def fit_by_class(
    x: Numbers,
    fold: npt.NDArray[np.integer],
    label: npt.NDArray[np.integer],
    weights: Sequence[float] | None = None,
    names: Mapping[int, str] | None = None,
) -> dict[int, Space]:
    """Measure a space for each class: a rare class drowns among abundant ones, whose samples are near everything.

    Scale, weights and mean distance are those of all samples; neighbours and threshold are of the class alone. A pixel
    is then judged by the class that the map gives it.

    Parameters
    ----------
    x, fold, weights
        See `fit`.
    label
        Class value of each sample.
    names
        Names of the classes by value, for messages.

    Raises
    ------
    LulcError
        As of `fit`; also if all samples of a class lie in one fold.

    Examples
    --------
    >>> x = np.array([[0.0], [1], [2], [3], [10], [11]])
    >>> spaces = fit_by_class(x, np.array([1, 2, 1, 2, 1, 2]), np.array([1, 1, 1, 1, 2, 2]))
    >>> index, _ = measure(spaces, np.array([[2.5], [2.5]]), np.array([1, 2]))
    >>> (index <= 1).tolist()
    [True, False]
    """
    whole = _measure(x, fold, weights)
    return {
        int(value): _among(
            whole, whole.points[label == value], fold[label == value], f"of class {(names or {}).get(value, value)} "
        )
        for value in np.unique(label)
    }


def _measure(x: Numbers, fold: npt.NDArray[np.integer], weights: Sequence[float] | None) -> Space:
    x = np.asarray(x, float)
    if not np.isfinite(x).all():
        raise LulcError("Training samples lack a feature (NaN). Leave those samples or that feature out.")
    weight = np.ones(x.shape[1]) if weights is None else np.clip(np.asarray(weights, float), 0, None)
    if weight.shape != (x.shape[1],):
        raise ParameterError(f"{x.shape[1]} features need as many weights; found {weight.size}.")
    spread = x.std(axis=0, ddof=1) if len(x) > 1 else np.zeros(x.shape[1])
    # A feature that never varies says nothing of how unlike two samples are.
    scale = np.divide(weight, spread, out=np.zeros_like(weight), where=spread > 0)
    if not scale.any():
        raise LulcError("No feature varies among the training samples and has a weight: there is nothing to measure.")
    centre = x.mean(axis=0)
    turn = np.linalg.svd((x - centre) * scale, full_matrices=False)[2].T
    axes = scale[:, None] * turn
    points = (x - centre) @ axes
    empty = Space(centre, axes, points, _mean_distance(points), np.empty(0), np.nan, None)
    return _among(empty, points, fold, "")


def _mean_distance(points: Numbers) -> float:
    # |a − b|² = |a|² + |b|² − 2ab: one product of matrices, many times faster than distance by distance. The digits
    # that neighbours lose by it do not matter to a mean.
    squares, total = (points**2).sum(axis=1), 0.0
    for start in range(0, len(points), ROWS):
        part = slice(start, start + ROWS)
        apart = squares[part, None] + squares - 2 * points[part] @ points.T
        total += np.sqrt(np.clip(apart, 0, None, out=apart), out=apart).sum()
    return float(total / (len(points) * (len(points) - 1)))


def _among(space: Space, points: Numbers, fold: npt.NDArray[np.integer], which: str) -> Space:
    """Return the space with these points as the training samples."""
    from scipy.spatial import KDTree

    folds = np.unique(fold)
    if len(folds) < 2:
        raise LulcError(
            f"All {len(points)} training samples {which}lie in one fold, so that nothing says how far the model was "
            f"tried. Use a split that has them in two folds or more, or measure all classes together."
        )
    index = np.empty(len(points))
    for k in folds:
        own = fold == k
        index[own] = KDTree(points[~own]).query(points[own])[0] / space.mean_distance
    return replace(space, points=points, index=index, threshold=limit(index), _search=KDTree(points))


def limit(index: Numbers) -> float:
    """Return the threshold that follows from the training samples' index: min(Q75 + 1.5 IQR, maximum).

    Examples
    --------
    >>> round(limit(np.array([0.1, 0.2, 0.3, 0.4, 5.0])), 6)
    0.7
    """
    low, high = np.percentile(index, [25, 75])
    return float(min(high + 1.5 * (high - low), index.max()))


def measure(
    spaces: Space | Mapping[int, Space], x: Numbers, mapped: npt.NDArray[np.integer], most: int = 0
) -> tuple[Numbers, Numbers]:
    """Measure pixels against the space of all samples, or each against that of the class that it is mapped as.

    Parameters
    ----------
    spaces
        From `fit`, or by class from `fit_by_class`.
    x
        Features, (pixel, feature).
    mapped
        Class value of each pixel, 0 for none.
    most
        Density is counted up to this; 0: not at all.

    Returns
    -------
    tuple of numpy.ndarray
        Dissimilarity index over the threshold (pixel,): up to 1 is inside the area of applicability, NaN is no data;
        and density (pixel,), NaN without.
    """
    index, density = np.full(len(x), np.nan), np.full(len(x), np.nan)
    for value, space in {None: spaces}.items() if isinstance(spaces, Space) else spaces.items():
        pixels = np.flatnonzero((mapped > 0 if value is None else mapped == value) & np.isfinite(x).all(axis=1))
        if pixels.size:
            index[pixels] = space.dissimilarity(x[pixels]) / max(space.threshold, TINY)
            if most:
                # Outside there is no sample within the threshold, and to find that out takes longest.
                density[pixels] = 0
                inside = pixels[index[pixels] <= 1]
                density[inside] = space.density(x[inside], most)
    return index, density
