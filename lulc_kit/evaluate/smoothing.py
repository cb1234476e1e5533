"""A map without specks: by its probabilities, by a vote of neighbours, by a least area.

None of them sees anything that the model did not see; they trade small truths for fewer small errors. So the smoothed
map is another map, with scores of its own, and no score of the run itself has seen it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lulc_kit.late import ndimage

Probabilities = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]

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
