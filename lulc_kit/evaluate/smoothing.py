"""A map without specks: by its probabilities (with the image as a guide or without), by a vote, by a least area.

None of them sees anything that the model did not see; they trade small truths for fewer small errors. So the smoothed
map is another map, with scores of its own, and no score of the run itself has seen it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.late import ndimage

Probabilities = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]

TINY = float(np.finfo(float).tiny)
"""Least variance, above 0: rounding may take that of a flat image below it."""

REACH = 4.0
"""How far a Gaussian is followed, its standard deviations."""


def gaussian(probabilities: Probabilities, sigma: float, among: npt.NDArray[np.bool_] | None = None) -> Probabilities:
    """Average probabilities with those around, by a Gaussian of ``sigma`` pixels: (class, row, column).

    What is not known (NaN) counts for nothing and stays unknown: the weights of the others are raised to 1 (Knutsson &
    Westin 1993, doi:10.1109/CVPR.1993.341081).

    Parameters
    ----------
    probabilities
        0–1, NaN where there is no data.
    sigma
        Standard deviation of the Gaussian, pixels; 0: nothing is averaged.
    among
        Pixels that count, (row, column); the others come out as NaN. None: all.

    Examples
    --------
    >>> two = np.array([[[1, 1, 0, 1, 1]], [[0, 0, 1, 0, 0]]], np.float32)
    >>> gaussian(two, 1.0).argmax(axis=0).tolist()
    [[0, 0, 0, 0, 0]]
    """
    known = np.isfinite(probabilities).all(axis=0)
    known &= True if among is None else among
    weight = ndimage.gaussian_filter(known.astype(np.float64), sigma, mode="constant", truncate=REACH)
    out = np.full(probabilities.shape, np.nan, np.float32)
    for layer, target in zip(probabilities, out, strict=True):
        filled = np.where(known, layer, 0).astype(np.float64)
        total = ndimage.gaussian_filter(filled, sigma, mode="constant", truncate=REACH)
        target[known] = (total[known] / weight[known]).astype(np.float32)
    return out


def guided_filter(
    probabilities: Probabilities,
    guide: npt.NDArray[np.floating],
    radius: int,
    edge: float,
    among: npt.NDArray[np.bool_] | None = None,
) -> Probabilities:
    """Smooth probabilities along the edges of an image: the guided filter of He, Sun & Tang.

    In each window the probabilities are fitted as a linear function of the image's bands; a pixel gets the mean of what
    the windows that hold it say (He et al. 2013, doi:10.1109/TPAMI.2012.213, equations 19 to 21). Where the image is
    flat that is an average of windows; where it has an edge the probabilities keep theirs. What is not known (NaN)
    counts for nothing: sums are of known pixels, in windows around known pixels. The numbers of a pixel still add up
    to 1, and may lie a little outside of 0 and 1.

    Parameters
    ----------
    probabilities
        (class, row, column), 0–1, NaN where there is no data.
    guide
        The image, (band, row, column), NaN where there is no data; a pixel without it keeps its probabilities.
    radius
        Half the window, pixels: 1 for 3 × 3.
    edge
        Differences of the guide, in its units, from which on an edge is kept; its square is the paper's ε.
    among
        Pixels that count, (row, column); the others come out as NaN. None: all.

    Examples
    --------
    >>> two = np.array([[[1, 1, 0, 1, 0, 0, 0]], [[0, 0, 1, 0, 1, 1, 1]]], np.float32)  # a speck, and an edge
    >>> shore = np.array([[[0.3, 0.3, 0.3, 0.3, 0.1, 0.1, 0.1]]])
    >>> guided_filter(two, shore, 2, 0.02).argmax(axis=0).tolist()
    [[0, 0, 0, 0, 1, 1, 1]]
    """
    wanted = np.isfinite(probabilities).all(axis=0)
    wanted &= True if among is None else among
    known = wanted & np.isfinite(guide).all(axis=0)
    image = np.where(known, guide, 0).astype(np.float64)
    count = np.where(known, _box(known, radius), 1)

    def mean(numbers: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return np.where(known, _box(numbers, radius) / count, 0)

    level_of_image = [mean(band) for band in image]
    products = [[mean(image[i] * image[j]) for j in range(i + 1)] for i in range(len(image))]
    lower = _factor(products, level_of_image, edge**2)
    out = np.full(probabilities.shape, np.nan, np.float32)
    for layer, target in zip(probabilities, out, strict=True):
        p = np.where(known, layer, 0).astype(np.float64)
        level = mean(p)
        slope = _solve(lower, [mean(band * p) - m * level for band, m in zip(image, level_of_image, strict=True)])
        for s, m in zip(slope, level_of_image, strict=True):
            level -= s * m
        smooth = mean(np.where(known, level, 0))
        for s, band in zip(slope, image, strict=True):
            smooth += mean(np.where(known, s, 0)) * band
        target[wanted] = layer[wanted]
        target[known] = smooth[known].astype(np.float32)
    return out


Layers = list[npt.NDArray[np.float64]]


def _factor(products: list[Layers], means: Layers, least: float) -> list[Layers]:
    """Return the lower Cholesky factor of each window's covariance of bands, ``least`` added to its diagonal.

    Products are the windows' means of band i × band j, for j up to i; all are layers, (row, column).
    """
    lower: list[Layers] = []
    for i, row in enumerate(products):
        lower.append([])
        for j, product in enumerate(row):
            found = product - means[i] * means[j] + (least if i == j else 0)
            for one, other in zip(lower[i][:j], lower[j][:j], strict=True):
                found -= one * other
            lower[i].append(np.sqrt(np.maximum(found, TINY)) if i == j else found / lower[j][j])
    return lower


def _solve(lower: list[Layers], right: Layers) -> Layers:
    """Return for each pixel what its factored covariance makes of a right-hand side, a layer for each band."""
    size = len(right)
    for i in range(size):
        for k in range(i):
            right[i] -= lower[i][k] * right[k]
        right[i] /= lower[i][i]
    for i in reversed(range(size)):
        for k in range(i + 1, size):
            right[i] -= lower[k][i] * right[k]
        right[i] /= lower[i][i]
    return right


def _box(numbers: npt.NDArray[Any], radius: int) -> npt.NDArray[np.float64]:
    """Sum up a window around each pixel, each sum by itself: a running one would depend on where a block begins."""
    ones = np.ones(2 * radius + 1)
    along = ndimage.correlate1d(numbers.astype(np.float64), ones, axis=0, mode="constant")
    return np.asarray(ndimage.correlate1d(along, ones, axis=1, mode="constant"))


def majority(codes: Codes, side: int, values: Sequence[int]) -> Codes:
    """Give each pixel the class that most pixels of a window around it have; a tie leaves it as it is.

    Parameters
    ----------
    codes
        Class values, (row, column); 0 (no data) has no vote and stays.
    side
        Side of the window, pixels, odd.
    values
        The classes.

    Examples
    --------
    >>> majority(np.array([[1, 1, 1], [1, 2, 1], [1, 1, 0]], np.uint8), 3, [1, 2]).tolist()
    [[1, 1, 1], [1, 1, 1], [1, 1, 0]]
    """
    ones = np.ones(side, np.int32)

    def votes(value: int) -> npt.NDArray[np.int32]:
        along = ndimage.correlate1d((codes == value).astype(np.int32), ones, axis=0, mode="constant")
        return np.asarray(ndimage.correlate1d(along, ones, axis=1, mode="constant"))

    most, own, best = np.zeros(codes.shape, np.int32), np.zeros(codes.shape, np.int32), codes.copy()
    for value in values:
        found = votes(value)
        np.copyto(own, found, where=codes == value)
        better = found > most
        best[better] = value
        most[better] = found[better]
    return np.where((codes == 0) | (own == most), codes, best).astype(np.uint8)


def sieve(codes: Codes, least: int) -> Codes:
    """Give patches of fewer than ``least`` pixels to their largest neighbour (GDAL's sieve; patches touch at sides).

    No data (0) is no neighbour, and none of its patches is filled.

    Examples
    --------
    >>> sieve(np.array([[1, 1, 1, 0], [1, 2, 1, 0], [1, 1, 1, 0]], np.uint8), 2).tolist()
    [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0]]
    """
    from rasterio import features

    if least < 2:
        return codes
    return np.asarray(features.sieve(codes, least, mask=(codes > 0).astype(np.uint8), connectivity=4), np.uint8)
