"""A split of labelled pixels into folds, on the grid (see `splitters`)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from lulc_kit import raster
from lulc_kit.distance import distance
from lulc_kit.labels.sources import Labels
from lulc_kit.labels.splitters import RandomSplit, Splitter, check_training


@dataclass(frozen=True)
class Folds:
    """A split of labelled pixels.

    Attributes
    ----------
    fold
        uint8, (row, column): fold of each labelled pixel, 1 … n; 0 where there is no label.
    random_fold
        The same for a random split of the same pixels, which leaks: kept to show how much.
    block
        uint32: number of the block, from 1, that the pixel (or, with polygons, its polygon's centre) lies in; 0 where
        there is no label.
    trainable
        bool, (fold, row, column): labelled pixels that may train the model which fold n tests, i.e. those of other
        folds that are at least the splitter's ``buffer`` away from every pixel of fold n.
    """

    fold: npt.NDArray[np.uint8]
    random_fold: npt.NDArray[np.uint8]
    block: npt.NDArray[np.uint32]
    trainable: npt.NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Number of folds."""
        return len(self.trainable)


def split(labels: Labels, splitter: Splitter) -> Folds:
    """Split labelled pixels into folds; a LulcError if the splitter cannot."""
    resolution = abs(labels.geobox.resolution.x)
    rows, columns = inside = np.nonzero(labels.values)
    points = np.column_stack([columns, rows]) * resolution
    kind = kinds(labels)
    polygon = labels.source[inside]

    def lay(numbers: npt.NDArray[np.integer], dtype: type[np.integer]) -> npt.NDArray:
        out = np.zeros(labels.values.shape, dtype)
        out[inside] = numbers
        return out

    fold = lay(splitter.assign(points, kind, polygon), np.uint8)
    random = RandomSplit(splitter.n_splits, splitter.random_state).assign(points)
    block = splitter.units(points, polygon, width=labels.values.shape[1] * resolution)
    trainable = []
    for k in range(1, splitter.n_splits + 1):
        train = _away_from(fold == k, splitter.buffer / resolution) & (fold > 0) & (fold != k)
        check_training(kind, train[inside], splitter.buffer, k)
        trainable.append(train)
    return Folds(fold, lay(random, np.uint8), lay(block, np.uint32), np.stack(trainable))


def kinds(labels: Labels) -> "pd.Categorical[str]":
    """Return the class of each labelled pixel by name, row by row."""
    values = labels.scheme.values
    codes = np.searchsorted(values, labels.values[labels.values > 0])
    return pd.Categorical.from_codes(codes, pd.Index(labels.scheme.names))


def _away_from(test: npt.NDArray[np.bool_], pixels: float) -> npt.NDArray[np.bool_]:
    if pixels <= 0:
        return ~test
    return distance(test, pixels) >= pixels


def to_raster(labels: Labels, folds: Folds) -> xr.DataArray:
    """Lay a split out as bands: fold, random_fold, block, train_1 … train_n (uint32)."""
    layers = [folds.fold, folds.random_fold, folds.block, *folds.trainable]
    names = ["fold", "random_fold", "block", *(f"train_{k}" for k in range(1, folds.count + 1))]
    return raster.array(np.stack([x.astype(np.uint32) for x in layers]), labels.geobox, names)


def counts(labels: Labels, folds: Folds) -> pd.DataFrame:
    """Count labelled pixels by class (rows) and fold (columns)."""
    table = pd.crosstab(kinds(labels), folds.fold[labels.values > 0])
    table.index.name, table.columns = None, [f"fold {k}" for k in table.columns]
    table["all"] = table.sum(axis=1)
    return table
