"""Weak labels from class maps: keep only the pixels that a map is likely to have right.

A map is least sure at the borders of its patches, and where it changes its mind from one year to the next. Both are
left out of the labels: fewer, and better ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lulc_kit.errors import GridError, ParameterError
from lulc_kit.late import ndimage

Codes = npt.NDArray[np.integer]


def homogeneous(values: Codes, size: int, *, known: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.integer]:
    """Keep the label of pixels whose neighbours are of the same class.

    Parameters
    ----------
    values
        Class values, (row, column); 0 is no class, and as different from a class as any other one.
    size
        Side of the square window around a pixel, pixels; odd, 1 keeps all.
    known
        (row, column), False where the map has no data, which says nothing for or against a neighbour. What lies
        outside the array is not known either. None: all are known.

    Returns
    -------
    numpy.ndarray
        As ``values``, 0 where the label is dropped.

    Examples
    --------
    >>> homogeneous(np.array([[1, 1, 1, 1, 2]]), 3)
    array([[1, 1, 1, 0, 0]])
    """
    if size < 1 or size % 2 == 0:
        raise ParameterError(f"homogeneous: {size} is no side of a window around a pixel. Give an odd number: 1, 3, 5.")
    known = np.ones(values.shape, bool) if known is None else known
    there = _count(known, size)
    kept = np.zeros_like(values)
    for value in np.unique(values[(values != 0) & known]):
        own = (values == value) & known
        kept[own & (_count(own, size) == there)] = value
    return kept


def _count(mask: npt.NDArray[np.bool_], size: int) -> npt.NDArray[np.int32]:
    """Count the pixels of a mask in the window around each pixel."""
    ones = np.ones(size, np.int32)
    along = ndimage.convolve1d(mask.astype(np.int32), ones, axis=0, mode="constant")
    return ndimage.convolve1d(along, ones, axis=1, mode="constant")


def agree(maps: Sequence[Codes]) -> npt.NDArray[np.integer]:
    """Keep the label of pixels to which all maps, or years of a map, give the same class.

    Parameters
    ----------
    maps
        Class values in one scheme, each (row, column) on the same grid; 0 is no class.

    Returns
    -------
    numpy.ndarray
        As the first map, 0 where they differ or one of them has no class.

    Raises
    ------
    GridError
        If the maps are not of one shape.

    Examples
    --------
    >>> agree([np.array([[1, 2, 3]]), np.array([[1, 2, 2]]), np.array([[1, 0, 3]])])
    array([[1, 0, 0]])
    """
    shapes = {m.shape for m in maps}
    if len(shapes) > 1:
        raise GridError(f"Maps of {', '.join(map(str, sorted(shapes)))} pixels cannot agree. Bring them to one grid.")
    first, *others = maps
    return np.where(np.logical_and.reduce([m == first for m in others], axis=0), first, 0) if others else first.copy()
