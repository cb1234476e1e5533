"""Folds of whole polygons, and of whole groups: regions, sites, years, whatever a column says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.errors import ParameterError
from lulc_kit.labels.splitters.base import Splitter, centre, locate
from lulc_kit.late import pd

MOST = 255
"""Folds are numbered in one byte."""


@dataclass(frozen=True)
class PolygonSplit(Splitter):
    """Folds of whole polygons (the ``groups``), every class in every fold: what lies beside each other may be split.

    Parameters
    ----------
    n_splits, random_state
        See `Splitter`.
    buffer
        Least distance between training and test samples, metres.

    Examples
    --------
    >>> points, fields = np.zeros((4, 2)), np.array([1, 1, 2, 2])
    >>> [sorted(set(fields[test].tolist())) for _, test in PolygonSplit(n_splits=2).split(points, groups=fields)]
    [[1], [2]]
    """

    buffer: float = 0.0

    @property
    def unit(self) -> str:
        """Polygons."""
        return "polygons"

    def units(self, X: Any, groups: Any = None, width: float | None = None) -> npt.NDArray[np.integer]:
        """Return the number of each sample's polygon; a sample without one is alone.

        Polygons are numbered by the place of their centre, so that the order of files and features does not matter.
        """
        if groups is None or not np.any(np.asarray(groups) > 0):
            raise ParameterError(
                "PolygonSplit needs to know the polygon of each sample: pass their numbers as 'groups'. Labels from a "
                "class raster have no polygons: use blocks."
            )
        numbers = np.asarray(groups)
        # What has no polygon gets a number of its own, below 0.
        own = np.where(numbers > 0, numbers, -1 - np.arange(len(numbers)))
        return by_place(centre(locate(X), numbers), own)


@dataclass(frozen=True)
class GroupSplit(Splitter):
    """Folds of whole groups (regions, sites, years): is the map right where nobody took samples?

    Parameters
    ----------
    n_splits
        Number of folds, every class in every fold; None: one fold for each group (leave one group out). A class that
        only occurs in some groups is then tested only in their folds.
    random_state
        See `Splitter`.
    buffer
        Least distance between training and test samples, metres.

    Examples
    --------
    >>> region = np.array(["north", "south", "south", "east"])
    >>> [set(region[test].tolist()) for _, test in GroupSplit().split(np.zeros((4, 2)), groups=region)]
    [{'east'}, {'north'}, {'south'}]
    """

    n_splits: int | None = None  # type: ignore[assignment]
    buffer: float = 0.0

    @property
    def unit(self) -> str:
        """Groups."""
        return "groups"

    def units(self, X: Any, groups: Any = None, width: float | None = None) -> npt.NDArray[np.integer]:
        """Return the number of each sample's group, in the order of their names."""
        if groups is None:
            raise ParameterError("GroupSplit needs to know what each sample belongs to: pass it as 'groups'.")
        found, names = pd.factorize(np.asarray(groups), sort=True)
        if (found < 0).any():
            raise ParameterError(
                f"{int((found < 0).sum())} samples belong to no group (the value is missing). Fill it in, or leave "
                f"these samples out."
            )
        if len(names) < 2:
            raise ParameterError(f"All samples belong to one group, {str(names[0])!r}: there is none to leave out.")
        return found + 1

    def assign(self, X: Any, y: Any = None, groups: Any = None) -> npt.NDArray[np.uint8]:
        """Return the fold of each sample, from 1; see `split`."""
        if self.n_splits is not None:
            return super().assign(X, y, groups)
        units = self.units(X, groups)
        if units.max() > MOST:
            raise ParameterError(
                f"There are {units.max()} groups, and a fold for each would be as many models. Set the number of folds."
            )
        return units.astype(np.uint8)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return int(self.units(X, groups).max()) if self.n_splits is None else self.n_splits


def by_place(points: npt.NDArray[np.float64], numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Number things anew, from 1, in the order of their second coordinate, then of the first.

    Parameters
    ----------
    points
        Where the thing lies that each sample belongs to, (sample, 2), metres.
    numbers
        What each sample belongs to.
    """
    _, first, member = np.unique(numbers, return_index=True, return_inverse=True)
    place = np.round(points[first], 6)  # the last digits of a mean depend on the order of its rows
    rank = np.empty(len(first), np.int64)
    rank[np.lexsort(place.T)] = np.arange(1, len(first) + 1)
    return rank[member]
