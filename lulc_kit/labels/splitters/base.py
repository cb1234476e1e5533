"""What splitters share: they give samples to folds, and yield the rows that train and test."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.errors import GridError, ParameterError, RareClassError
from lulc_kit.labels.splitters.sharing import codes, share_out

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Splitter(ABC):
    """What splitters share.

    Parameters
    ----------
    n_splits
        Number of folds.
    random_state
        Seed of the shuffles.
    """

    n_splits: int = 4
    random_state: int = 1

    buffer = 0.0

    @property
    @abstractmethod
    def unit(self) -> str:
        """What goes into a fold as a whole, in words and in the plural: ``blocks of 640 m``."""

    @abstractmethod
    def units(self, X: Any, groups: Any = None, width: float | None = None) -> npt.NDArray[np.integer]:
        """Return for each sample the number of what goes into a fold as a whole, from 1.

        Parameters
        ----------
        X, groups
            See `split`.
        width
            Extent of the first coordinate, which starts at 0, metres: numbers of blocks then do not depend on which
            of them hold samples. None: blocks with samples are numbered one after the other.
        """

    def assign(self, X: Any, y: Any = None, groups: Any = None) -> npt.NDArray[np.uint8]:
        """Return the fold of each sample, 1 … n_splits; see `split`."""
        return share_out(y, self.units(X, groups), self.n_splits, self.random_state, self.unit)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Indices, Indices]]:
        """Yield the rows that train and the rows that test, fold by fold.

        Parameters
        ----------
        X
            Points: a GeoDataFrame, or an array whose first two columns are easting and northing, in metres.
        y
            Class of each sample; None: they have none.
        groups
            Number of the polygon that each sample comes from, 0 for none; for `GroupSplit` what it belongs to.

        Raises
        ------
        RareClassError
            If the classes cannot be shared out, or nothing of a class is left to train on.
        LulcError
            If the samples lack what the splitter needs: coordinates in metres, groups.
        """
        from scipy.spatial import cKDTree

        folds = self.assign(X, y, groups)
        points = locate(X) if self.buffer else None
        for k in range(1, int(folds.max()) + 1):
            train, test = np.flatnonzero(folds != k), np.flatnonzero(folds == k)
            if points is not None:
                train = train[cKDTree(points[test]).query(points[train])[0] >= self.buffer]
            if y is not None:
                check_training(y, train, self.buffer, k)
            yield train, test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return self.n_splits


def locate(X: Any) -> npt.NDArray[np.float64]:
    """Return easting and northing of samples (see `Splitter.split`), shape (sample, 2)."""
    geometry = getattr(X, "geometry", None)
    if geometry is None:
        points = np.asarray(X, np.float64)
        if points.ndim != 2 or points.shape[1] < 2:
            raise ParameterError(
                f"Points have easting and northing, (sample, 2); found an array of shape {points.shape}."
            )
        return points[:, :2]
    if geometry.crs is not None and geometry.crs.is_geographic:
        raise GridError("The points are in degrees, and blocks in metres. Bring them to another CRS (to_crs) first.")
    return np.column_stack([geometry.x, geometry.y])


def centre(points: npt.NDArray[np.float64], groups: Any) -> npt.NDArray[np.float64]:
    """Return for each sample the centre of its polygon, shape (sample, 2); its own place where the group is 0."""
    if groups is None:
        return points
    polygon, member = np.unique(np.asarray(groups), return_inverse=True)
    whole, count = polygon[member] > 0, np.bincount(member)
    centres = [(np.bincount(member, points[:, i]) / count)[member] for i in (0, 1)]
    return np.where(whole[:, None], np.column_stack(centres), points)


def check_training(y: Any, train: Any, buffer: float, fold: int) -> None:
    """Refuse a fold for which nothing of a class is left to train on. ``train``: rows, or a mask of them."""
    kind, names = codes(y)
    lost = sorted(set(range(len(names))) - set(np.unique(kind[train]).tolist()))
    if lost:
        classes = [names[i] for i in lost]
        raise RareClassError(
            f"With a gap of {buffer:g} m no training pixel of {', '.join(classes)} is left "
            f"when fold {fold} is tested. Use a smaller gap, larger blocks, or fewer folds.",
            classes,
        )
