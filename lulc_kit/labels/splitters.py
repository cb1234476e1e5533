"""Splitters that keep test samples apart in space from training samples; scikit-learn's ``cv``, on any coordinates.

Neighbouring samples are near-copies of each other. A random split puts copies of the training samples into the test
set and reports how well the model remembers them. `BlockSplit` puts whole square blocks into a fold together, each
with all polygons whose centre lies in it, and leaves out training samples near a test sample (Roberts et al. 2017,
doi:10.1111/ecog.02881; Ploton et al. 2020, doi:10.1038/s41467-020-18321-y).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree
from sklearn.model_selection import StratifiedGroupKFold

from lulc_kit.errors import GridError, LulcError, ParameterError

ATTEMPTS = 50

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
    _units = "units"

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
        return share_out(y, self.units(X, groups), self.n_splits, self.random_state, self._units)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Indices, Indices]]:
        """Yield the rows that train and the rows that test, fold by fold.

        Parameters
        ----------
        X
            Points: a GeoDataFrame, or an array whose first two columns are easting and northing, in metres.
        y
            Class of each sample; None: they have none.
        groups
            Number of the polygon that each sample comes from, 0 for none.

        Raises
        ------
        LulcError
            If the classes cannot be shared out, or nothing of a class is left to train on.
        """
        folds = self.assign(X, y, groups)
        points = locate(X) if self.buffer else None
        for k in range(1, self.n_splits + 1):
            train, test = np.flatnonzero(folds != k), np.flatnonzero(folds == k)
            if points is not None:
                train = train[cKDTree(points[test]).query(points[train])[0] >= self.buffer]
            if y is not None:
                check_training(y, train, self.buffer, k)
            yield train, test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return self.n_splits


@dataclass(frozen=True)
class BlockSplit(Splitter):
    """Folds of whole square blocks, every class in every fold.

    Parameters
    ----------
    n_splits, random_state
        See `Splitter`.
    spacing
        Side of a block, metres.
    buffer
        Least distance between training and test samples, metres.

    Examples
    --------
    >>> points = np.random.default_rng(1).uniform(0, 1000, (200, 2))
    >>> splitter = BlockSplit(n_splits=2, spacing=100, buffer=30)
    >>> train, test = next(splitter.split(points))
    >>> bool(np.linalg.norm(points[train][:, None] - points[test], axis=2).min() >= 30)
    True
    """

    spacing: float = 640.0
    buffer: float = 0.0

    @property
    def _units(self) -> str:  # type: ignore[override]
        return f"blocks of {self.spacing:g} m"

    def units(self, X: Any, groups: Any = None, width: float | None = None) -> npt.NDArray[np.integer]:
        """Return the number of each sample's block, in the order of the second coordinate, then of the first.

        A polygon belongs as a whole to the block of its centre: two halves of one field are as good as one.
        """
        points = locate(X)
        if groups is not None:
            polygon, member = np.unique(np.asarray(groups), return_inverse=True)
            whole, count = polygon[member] > 0, np.bincount(member)
            centres = [(np.bincount(member, points[:, i]) / count)[member] for i in (0, 1)]
            points = np.where(whole[:, None], np.column_stack(centres), points)
        # A point on an edge belongs to the block that begins there, whatever its last digit.
        across, down = np.floor(points / self.spacing + 1e-9).astype(np.int64).T
        if width is not None:
            return down * (int(width / self.spacing + 1e-9) + 1) + across + 1
        number = (down - down.min()) * (np.ptp(across) + 1) + across - across.min()
        return np.unique(number, return_inverse=True)[1] + 1


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

    _units = "polygons"

    def units(self, X: Any, groups: Any = None, width: float | None = None) -> npt.NDArray[np.integer]:
        """Return the polygons' numbers."""
        if groups is None:
            raise ParameterError(
                "PolygonSplit needs to know the polygon of each sample: pass their numbers as 'groups'."
            )
        return np.asarray(groups)


@dataclass(frozen=True)
class RandomSplit(Splitter):
    """Folds of single samples, drawn at random: it leaks, and is there to show how much.

    Examples
    --------
    >>> [len(test) for _, test in RandomSplit(n_splits=2).split(np.zeros((10, 2)))]
    [5, 5]
    """

    def units(self, X: Any, groups: Any = None, width: float | None = None) -> npt.NDArray[np.integer]:
        """Return a number for each sample."""
        return np.arange(1, len(X) + 1)

    def assign(self, X: Any, y: Any = None, groups: Any = None) -> npt.NDArray[np.uint8]:
        """Return the fold of each sample, 1 … n_splits; see `split`."""
        folds = np.resize(np.arange(1, self.n_splits + 1), len(X)).astype(np.uint8)
        np.random.default_rng(self.random_state).shuffle(folds)
        return folds


SPLITTERS: dict[str, type[Splitter]] = {"blocks": BlockSplit, "polygons": PolygonSplit, "random": RandomSplit}


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


def check_training(y: Any, train: Any, buffer: float, fold: int) -> None:
    """Refuse a fold for which nothing of a class is left to train on. ``train``: rows, or a mask of them."""
    kind, names = pd.factorize(y, sort=True)
    lost = set(range(len(names))) - set(np.unique(kind[train]).tolist())
    if lost:
        raise LulcError(
            f"With a gap of {buffer:g} m no training pixel of {', '.join(str(names[i]) for i in sorted(lost))} is left "
            f"when fold {fold} is tested. Use a smaller gap, larger blocks, or fewer folds."
        )


def share_out(y: Any, units: npt.NDArray[np.integer], folds: int, seed: int, what: str) -> npt.NDArray[np.uint8]:
    """Share whole units out to folds so that every class is in every fold.

    Parameters
    ----------
    y
        Class of each sample; None: they have none.
    units
        What stays together, by number.
    folds
        Number of folds.
    seed
        Seed of the shuffles.
    what
        What the units are, for messages.

    Raises
    ------
    LulcError
        If the classes do not occur in enough units, or no way was found.
    """
    kind, names = (np.zeros(len(units), np.intp), ["sample"]) if y is None else pd.factorize(y, sort=True)
    counts = [len(np.unique(units[kind == i])) for i in range(len(names))]
    for name, count in zip(names, counts, strict=True):
        if count < folds:
            raise LulcError(
                f"{name} occurs in {count} {what.replace('s', '(s)', 1)}, too few for {folds} folds. "
                f"Use smaller blocks, fewer folds, or leave the class out."
            )
    for attempt in range(ATTEMPTS):
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + attempt)
        out = np.zeros(len(units), np.uint8)
        for k, (_, test) in enumerate(splitter.split(kind, kind, units), 1):
            out[test] = k
        if all(len(np.unique(kind[out == k])) == len(names) for k in range(1, folds + 1)):
            return out
    dealt = _deal(kind, units, folds, seed)
    if dealt is None:
        listed = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
        raise LulcError(
            f"The {what} could not be shared out so that every class is in all {folds} folds "
            f"({ATTEMPTS} attempts). Of each class there are: {listed}. Use smaller blocks, fewer folds, or leave out "
            f"the rarest class."
        )
    return dealt


def _deal(
    kind: npt.NDArray[np.intp], units: npt.NDArray[np.integer], folds: int, seed: int
) -> npt.NDArray[np.uint8] | None:
    # The splitter above shares out large units first, in nearly the same order each time, and may miss a way that
    # exists. Here the units of the rarest class are dealt first, each to the fold that has least of that class.
    _, unit = np.unique(units, return_inverse=True)
    samples = np.zeros((unit.max() + 1, kind.max() + 1), np.int64)
    np.add.at(samples, (unit, kind), 1)
    rarest_first = np.argsort((samples > 0).sum(axis=0), kind="stable")
    for attempt in range(ATTEMPTS):
        generator = np.random.default_rng(seed + attempt)
        fold = np.zeros(len(samples), np.uint8)
        dealt = np.zeros((folds, samples.shape[1]), np.int64)
        for c in rarest_first:
            for b in generator.permutation(np.flatnonzero((samples[:, c] > 0) & (fold == 0))):
                k = int(dealt[:, c].argmin())
                fold[b] = k + 1
                dealt[k] += samples[b]
        if dealt.all():
            return fold[unit]
    return None
