"""Splits that keep test pixels apart in space from training pixels.

Neighbouring pixels are near-copies of each other. A random split puts copies of the training pixels into the test
set and reports how well the model remembers them. Here whole square blocks go into a fold together, each with all
polygons whose centre lies in it, and training pixels near a test pixel are left out (Roberts et al. 2017,
doi:10.1111/ecog.02881; Ploton et al. 2020, doi:10.1038/s41467-020-18321-y).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from sklearn.model_selection import StratifiedGroupKFold

from lulc_kit import raster
from lulc_kit.distance import distance
from lulc_kit.errors import LulcError
from lulc_kit.labels.sources import Labels

ATTEMPTS = 50


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
        folds that are at least ``gap`` away from every pixel of fold n.
    """

    fold: npt.NDArray[np.uint8]
    random_fold: npt.NDArray[np.uint8]
    block: npt.NDArray[np.uint32]
    trainable: npt.NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Number of folds."""
        return len(self.trainable)


def split(labels: Labels, *, folds: int, block: float, gap: float, seed: int) -> Folds:
    """Split labelled pixels into folds of whole blocks so that every class is in every fold.

    Parameters
    ----------
    labels
        The labels.
    folds
        Number of folds.
    block
        Side of a block, metres.
    gap
        Least distance between training and test pixels, metres (centre to centre).
    seed
        Seed of the shuffles.

    Raises
    ------
    LulcError
        If the classes do not occur in enough blocks.
    """
    resolution = abs(labels.geobox.resolution.x)
    rows, columns = np.nonzero(labels.values)
    value = labels.values[rows, columns]
    blocks = _blocks(labels, rows, columns, max(1, round(block / resolution)))
    _check_blocks(value, blocks, labels, folds, block)
    chosen = _assign(value, blocks, folds, seed)
    if chosen is None:
        counts = _blocks_per_class(value, blocks, labels)
        raise LulcError(
            f"The blocks of {block:g} m could not be shared out so that every class is in all {folds} folds "
            f"({ATTEMPTS} attempts). Blocks with each class: {counts}. Use smaller blocks, fewer folds, or leave out "
            f"the rarest class."
        )
    shape = labels.values.shape
    fold = np.zeros(shape, np.uint8)
    fold[rows, columns] = chosen
    number = np.zeros(shape, np.uint32)
    number[rows, columns] = blocks
    random_fold = np.zeros(shape, np.uint8)
    shuffled = np.resize(np.arange(1, folds + 1), len(value))
    np.random.default_rng(seed).shuffle(shuffled)
    random_fold[rows, columns] = shuffled
    trainable = np.stack([_away_from(fold == k, gap / resolution) & (fold > 0) & (fold != k) for k in _range(folds)])
    for k in _range(folds):
        left = set(np.unique(labels.values[trainable[k - 1]])) if trainable[k - 1].any() else set()
        lost = [c.name for c in labels.scheme.classes if c.value in set(np.unique(value)) - left]
        if lost:
            raise LulcError(
                f"With a gap of {gap:g} m no training pixel of {', '.join(lost)} is left when fold {k} is tested. "
                f"Use a smaller gap, larger blocks, or fewer folds."
            )
    return Folds(fold, random_fold, number, trainable)


def _blocks(
    labels: Labels, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], side: int
) -> npt.NDArray[np.int64]:
    # A polygon belongs as a whole to the block of its centre: two halves of one field are as good as one.
    polygon = labels.source[rows, columns]
    number, member = np.unique(polygon, return_inverse=True)
    count = np.bincount(member)
    whole = number[member] > 0
    row = np.where(whole, (np.bincount(member, rows) / count)[member], rows).astype(np.int64)
    column = np.where(whole, (np.bincount(member, columns) / count)[member], columns).astype(np.int64)
    return (row // side) * (labels.values.shape[1] // side + 1) + column // side + 1


def _range(folds: int) -> range:
    return range(1, folds + 1)


def _away_from(test: npt.NDArray[np.bool_], pixels: float) -> npt.NDArray[np.bool_]:
    if pixels <= 0:
        return ~test
    return distance(test, pixels) >= pixels


def _blocks_per_class(value: npt.NDArray[np.uint8], blocks: npt.NDArray[np.int64], labels: Labels) -> str:
    counts = {
        c.name: len(np.unique(blocks[value == c.value])) for c in labels.scheme.classes if (value == c.value).any()
    }
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _check_blocks(
    value: npt.NDArray[np.uint8], blocks: npt.NDArray[np.int64], labels: Labels, folds: int, block: float
) -> None:
    for c in labels.scheme.classes:
        count = len(np.unique(blocks[value == c.value]))
        if 0 < count < folds:
            raise LulcError(
                f"{c.name} occurs in {count} block(s) of {block:g} m, too few for {folds} folds. "
                f"Use smaller blocks, fewer folds, or leave the class out."
            )


def _assign(
    value: npt.NDArray[np.uint8], blocks: npt.NDArray[np.int64], folds: int, seed: int
) -> npt.NDArray[np.uint8] | None:
    classes = np.unique(value)
    for attempt in range(ATTEMPTS):
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + attempt)
        out = np.zeros(len(value), np.uint8)
        for k, (_, test) in enumerate(splitter.split(value, value, blocks), 1):
            out[test] = k
        if all(len(np.unique(value[out == k])) == len(classes) for k in _range(folds)):
            return out
    return _deal(value, blocks, folds, seed)


def _deal(
    value: npt.NDArray[np.uint8], blocks: npt.NDArray[np.int64], folds: int, seed: int
) -> npt.NDArray[np.uint8] | None:
    # The splitter above shares out large blocks first, in nearly the same order each time, and may miss a way that
    # exists. Here the blocks of the rarest class are dealt first, each to the fold that has least of that class.
    _, block = np.unique(blocks, return_inverse=True)
    _, kind = np.unique(value, return_inverse=True)
    pixels = np.zeros((block.max() + 1, kind.max() + 1), np.int64)
    np.add.at(pixels, (block, kind), 1)
    rarest_first = np.argsort((pixels > 0).sum(axis=0), kind="stable")
    for attempt in range(ATTEMPTS):
        generator = np.random.default_rng(seed + attempt)
        fold = np.zeros(len(pixels), np.uint8)
        dealt = np.zeros((folds, pixels.shape[1]), np.int64)
        for c in rarest_first:
            for b in generator.permutation(np.flatnonzero((pixels[:, c] > 0) & (fold == 0))):
                k = int(dealt[:, c].argmin())
                fold[b] = k + 1
                dealt[k] += pixels[b]
        if dealt.all():
            return fold[block]
    return None


def to_raster(labels: Labels, folds: Folds) -> xr.DataArray:
    """Lay a split out as bands: fold, random_fold, block, train_1 … train_n (uint32)."""
    layers = [folds.fold, folds.random_fold, folds.block, *folds.trainable]
    names = ["fold", "random_fold", "block", *(f"train_{k}" for k in _range(folds.count))]
    return raster.array(np.stack([x.astype(np.uint32) for x in layers]), labels.geobox, names)


def counts(labels: Labels, folds: Folds) -> pd.DataFrame:
    """Count labelled pixels by class (rows) and fold (columns)."""
    rows = {
        c.name: [int(((labels.values == c.value) & (folds.fold == k)).sum()) for k in _range(folds.count)]
        for c in labels.scheme.classes
        if (labels.values == c.value).any()
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=[f"fold {k}" for k in _range(folds.count)])
    table["all"] = table.sum(axis=1)
    return table
