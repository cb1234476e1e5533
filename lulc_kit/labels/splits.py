"""A split of labelled pixels into folds, on the grid (see `splitters`)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import raster
from lulc_kit.distance import distance
from lulc_kit.errors import LulcError, ParameterError, RareClassError
from lulc_kit.labels import distances
from lulc_kit.labels.distances import Distances, Points
from lulc_kit.labels.sources import Labels
from lulc_kit.labels.splitters import BlockSplit, GroupSplit, KNNDMSplit, PolygonSplit, RandomSplit, Splitter
from lulc_kit.labels.splitters.base import centre, check_training
from lulc_kit.labels.splitters.rare import Rare, settle
from lulc_kit.late import pd, xr

LEAST_PIXELS, LEAST_UNITS = 50, 6
"""What the score of a class needs in all folds together: pixels, as the field has it (Congalton & Green 2019), and
blocks (polygons, groups), because with fewer no interval of 95 % follows from drawing among them (2 · ½⁵ > 5 %)."""

SAMPLED = 5000
"""Pixels whose distances are measured where there are no polygons."""


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
        uint32: number of the block, from 1, that the pixel (or, with polygons, its polygon's centre) lies in; with
        other splitters that of the polygon or group, with random pixels that of a block of 640 m. 0 where there is no
        label.
    trainable
        bool, (fold, row, column): labelled pixels that may train the model which fold n tests, i.e. those of other
        folds that are at least the splitter's ``buffer`` away from every pixel of fold n.
    splitter
        What made it.
    notes
        What a reader of the scores must know of it, in sentences.
    further
        The same pixels split in another way, to be scored beside; None: they are not.
    """

    fold: npt.NDArray[np.uint8]
    random_fold: npt.NDArray[np.uint8]
    block: npt.NDArray[np.uint32]
    trainable: npt.NDArray[np.bool_]
    splitter: Splitter
    notes: tuple[str, ...] = ()
    further: Folds | None = None

    @property
    def count(self) -> int:
        """Number of folds."""
        return len(self.trainable)


def separate(labels: Labels, splitter: Splitter, rare: Rare = "fewer_folds") -> tuple[Labels, Folds]:
    """Split labelled pixels into folds also where a class is too rare for it (see `splitters.rare.settle`).

    Returns
    -------
    Labels
        Those that were split: without the classes that had to be left out.
    Folds
        The split; its notes say what was done about rare classes, and what is scarce.
    """

    def attempt(easier: Splitter, without: Sequence[str]) -> tuple[Labels, Folds]:
        kept = _without(labels, without)
        return kept, split(kept, easier)

    settled = settle(attempt, splitter, rare)
    kept, folds = settled.result
    folds = replace(folds, notes=(*settled.notes, *_missing(kept, folds)))
    _warn_of_scarce(scarce(kept, folds), splitter, kept)
    return kept, folds


def split_further(labels: Labels, folds: Folds, splitter: Splitter) -> Folds:
    """Split the same pixels once more, in another way (`Folds.further`).

    Classes that are too rare for it mean fewer folds of it. If not even two can be made, or the labels have no polygons
    or points to share out, there is none, and a note says why: the study goes on without that number.
    """

    def attempt(easier: Splitter, without: Sequence[str]) -> Folds:
        if without:
            raise RareClassError(f"{', '.join(without)} cannot be in two folds", [])
        return split(labels, easier)

    try:
        settled = settle(attempt, splitter, "fewer_folds")
    except (RareClassError, ParameterError) as error:
        note = f"A further split of {splitter.unit} was not made: {str(error).partition('. ')[0].removesuffix('.')}."
        warnings.warn(note, stacklevel=2)
        return replace(folds, notes=(*folds.notes, note))
    found = replace(settled.result, notes=tuple(f"Further split: {note}" for note in settled.notes))
    return replace(folds, further=found, notes=(*folds.notes, *found.notes))


def split(labels: Labels, splitter: Splitter) -> Folds:
    """Split labelled pixels into folds; a LulcError if the splitter cannot."""
    inside = np.nonzero(labels.values)
    points = _points(labels, splitter)
    kind = kinds(labels)
    polygon = labels.source[inside]
    if isinstance(splitter, KNNDMSplit | PolygonSplit) and not polygon.all():
        raise ParameterError(
            f"{(polygon == 0).sum()} labelled pixels belong to no polygon or point, and pixels that touch each other "
            f"cannot be shared out one by one. For labels from a class raster use split: blocks in 05_samples.yaml."
        )
    of = _groups(labels)[polygon.astype(np.intp) - 1] if isinstance(splitter, GroupSplit) else polygon

    def lay(numbers: npt.NDArray[np.integer], dtype: type[np.integer]) -> npt.NDArray:
        out = np.zeros(labels.values.shape, dtype)
        out[inside] = numbers
        return out

    fold = lay(splitter.assign(points, kind, of), np.uint8)
    count = int(fold.max())
    leaking = RandomSplit(count, splitter.random_state)
    random = leaking.assign(points if labels.frame is None else _points(labels, leaking))
    width = labels.values.shape[1] * abs(labels.geobox.resolution.x) if labels.frame is None else None
    block = _bundles(splitter, labels).units(points, of, width=width)
    trainable = []
    for k in range(1, count + 1):
        train = _away_from(fold == k, splitter.buffer, labels) & (fold > 0) & (fold != k)
        check_training(kind, train[inside], splitter.buffer, k)
        trainable.append(train)
    return Folds(fold, lay(random, np.uint8), lay(block, np.uint32), np.stack(trainable), splitter)


def _bundles(splitter: Splitter, labels: Labels) -> Splitter:
    """Return what says which pixels are drawn together for an interval: single ones of an image are no cases."""
    return BlockSplit() if isinstance(splitter, RandomSplit) and labels.frame is None else splitter


def _groups(labels: Labels) -> npt.NDArray[Any]:
    if labels.groups is None:
        raise LulcError(
            "split: groups needs to know what each polygon or point belongs to, and the labels do not say. Name the "
            "field as 'group_field' in 05_samples.yaml."
        )
    return labels.groups


def kinds(labels: Labels) -> pd.Categorical[str]:
    """Return the class of each labelled pixel by name, row by row."""
    values = labels.scheme.values
    codes = np.searchsorted(values, labels.values[labels.values > 0])
    return pd.Categorical.from_codes(codes, pd.Index(labels.scheme.names))


def _without(labels: Labels, classes: Sequence[str]) -> Labels:
    if not classes:
        return labels
    left = labels.only(~np.isin(labels.values, [labels.scheme.find(name).value for name in classes]))
    if len(np.unique(left.values[left.values > 0])) < 2:
        raise LulcError(
            f"Too rare to be tested: {', '.join(classes)}, for a class has to lie in two blocks, polygons or groups at "
            f"least. Without, fewer than two classes remain. Label more places, use smaller blocks or another column "
            f"of groups, or set another 'split' in 05_samples.yaml."
        )
    return left


def _points(labels: Labels, splitter: Splitter) -> Points:
    """Return where the labelled pixels lie; of a table its features to tell rows apart, or zeros where nobody asks."""
    if labels.frame is not None and isinstance(splitter, RandomSplit):
        return labels.frame.select_dtypes("number").to_numpy(np.float64)[labels.values[0] > 0]
    placed = not isinstance(splitter, GroupSplit | PolygonSplit) or splitter.buffer > 0
    return labels.points() if placed or labels.frame is None else np.zeros((np.count_nonzero(labels.values), 2))


def _away_from(test: npt.NDArray[np.bool_], metres: float, labels: Labels) -> npt.NDArray[np.bool_]:
    """Mark the pixels that are at least so far from test pixels; (row, column)."""
    from scipy.spatial import cKDTree

    if metres <= 0:
        return ~test
    if labels.frame is None:
        pixels = metres / abs(labels.geobox.resolution.x)
        return distance(test, pixels) >= pixels
    points, out = labels.points(), np.zeros(test.shape, bool)
    of_test = test[labels.values > 0]
    out[labels.values > 0] = cKDTree(points[of_test]).query(points)[0] >= metres
    return out


def separation(labels: Labels, folds: Folds) -> str:
    """Say in words how test pixels are kept apart from training pixels."""
    splitter, what = folds.splitter, folds.splitter.unit
    if isinstance(splitter, BlockSplit):
        drawn = labels.frame is None and labels.source.any()
        what = f"{splitter.spacing:g} m blocks{' and whole polygons' if drawn else ''}"
    row = "pixels" if labels.frame is None else "rows"
    apart = f", training at least {splitter.buffer:g} m away from any test {row[:-1]}" if splitter.buffer else ""
    whole = f"single {row} at random" if isinstance(splitter, RandomSplit) else f"whole {what}"
    matched = ", matched to the distances of the map (kNNDM)" if isinstance(splitter, KNNDMSplit) else ""
    return f"{folds.count} folds of {whole}{matched}{apart}"


def title(splitter: Splitter) -> str:
    """Name a split in a word or two, for a legend."""
    if isinstance(splitter, KNNDMSplit | RandomSplit):
        return "kNNDM" if isinstance(splitter, KNNDMSplit) else "random pixels"
    return splitter.unit


def to_raster(labels: Labels, folds: Folds) -> xr.DataArray | None:
    """Lay a split out as bands: fold, random_fold, block, train_1 … train_n (uint32); None for rows of a table.

    A further split follows as further_fold, further_train_1 …
    """
    if labels.frame is not None:
        return None
    layers = [folds.fold, folds.random_fold, folds.block, *folds.trainable]
    names = ["fold", "random_fold", "block", *(f"train_{k}" for k in range(1, folds.count + 1))]
    if folds.further is not None:
        layers += [folds.further.fold, *folds.further.trainable]
        names += ["further_fold", *(f"further_train_{k}" for k in range(1, folds.further.count + 1))]
    return raster.array(np.stack([x.astype(np.uint32) for x in layers]), labels.geobox, names)


def counts(labels: Labels, folds: Folds) -> pd.DataFrame:
    """Count labelled pixels by class (rows) and fold (columns), and the blocks (polygons, groups) they lie in."""
    table = pd.crosstab(kinds(labels), folds.fold[labels.values > 0])
    table.index.name, table.columns = None, [f"fold {k}" for k in table.columns]
    table["all"] = table.sum(axis=1)
    return table


def scarce(labels: Labels, folds: Folds) -> pd.DataFrame:
    """List where a class has too little for a score.

    A score needs `LEAST_PIXELS` pixels from `LEAST_UNITS` blocks (polygons, groups) in all folds together, and each
    fold its share of both.

    Returns
    -------
    pandas.DataFrame
        One row for each class and fold with less: class, fold (0: all together), pixels, units, and the least of both.
    """
    inside = labels.values > 0
    rows = pd.DataFrame({"class": kinds(labels), "fold": folds.fold[inside], "unit": folds.block[inside]})
    occurring = set(rows["class"].cat.remove_unused_categories().cat.categories)
    found = []
    for k in range(folds.count + 1):
        part = 1 if k == 0 else folds.count
        least = -(-LEAST_PIXELS // part), -(-LEAST_UNITS // part)
        grouped = (rows if k == 0 else rows[rows["fold"] == k]).groupby("class", observed=False)["unit"]
        for name, pixels, units in zip(grouped.size().index, grouped.size(), grouped.nunique(), strict=True):
            if name in occurring and (pixels < least[0] or units < least[1]):
                found.append((name, k, int(pixels), int(units), *least))
    return pd.DataFrame(found, columns=["class", "fold", "pixels", "units", "least_pixels", "least_units"])


def _warn_of_scarce(found: pd.DataFrame, splitter: Splitter, labels: Labels) -> None:
    if len(found):
        what = _bundles(splitter, labels).unit.partition(" of ")[0]
        listed = [
            f"{row['class']} in {f'fold {row.fold}' if row.fold else 'all folds together'}: {row.pixels} pixels in "
            f"{row.units} {what}"
            for _, row in found.iterrows()
        ]
        warnings.warn(
            f"Too little for a score: {'; '.join(listed[:12])}{' …' if len(listed) > 12 else ''}. A class "
            f"needs {LEAST_PIXELS} test pixels in {LEAST_UNITS} {what} in all folds together, and each fold its share.",
            stacklevel=3,
        )


def _missing(labels: Labels, folds: Folds) -> tuple[str, ...]:
    """Say which class is not in which fold."""
    of_class = pd.crosstab(kinds(labels), folds.fold[labels.values > 0])
    gone = [(str(name), k) for name, row in of_class.iterrows() for k, pixels in row.items() if pixels == 0]
    if not gone:
        return ()
    listed = ", ".join(f"{name} in fold {k}" for name, k in gone)
    return (f"Not every class is in every fold: no {listed}. Only the scores of all folds together count.",)


def measure(labels: Labels, folds: Folds, prediction: Points) -> Distances:
    """Measure the distances that say whether the split answers the question (see `distances`).

    Samples are polygons' centres and points; without polygons, labelled pixels, some thousand of them.

    Parameters
    ----------
    prediction
        Places all over the map, metres from the centre of the upper left pixel, to the right and downwards.
    """
    from scipy.spatial import cKDTree

    inside = np.nonzero(labels.values)
    pixels, fold, of = labels.points(), folds.fold[inside], labels.source[inside]
    trainable = folds.trainable[:, inside[0], inside[1]]
    if not of.all():
        few = np.unique(np.linspace(0, len(pixels) - 1, SAMPLED).astype(int))
        tree = cKDTree(pixels, balanced_tree=False, compact_nodes=False)
        test = np.full(len(few), np.inf)
        for k, train in enumerate(trainable, 1):
            test[fold[few] == k] = distances.to_nearest(pixels[few][fold[few] == k], pixels[train])
        return Distances(tree.query(pixels[few], k=2)[0][:, 1], tree.query(prediction)[0], test)
    _, first, member = np.unique(of, return_index=True, return_inverse=True)
    of_place = np.zeros((folds.count, len(first)), bool)
    for k, train in enumerate(trainable):
        of_place[k][member[train]] = True
    return distances.measure(centre(pixels, of)[first], fold[first], prediction, of_place)


def measure_random(labels: Labels, folds: Folds) -> Points:
    """Return how far some thousand test pixels of the random split lie from the nearest that trains, metres."""
    fold, pixels = folds.random_fold[labels.values > 0], labels.points()
    few = np.unique(np.linspace(0, len(pixels) - 1, SAMPLED).astype(int))
    found = np.full(len(few), np.inf)
    for k in range(1, folds.count + 1):
        test = fold[few] == k
        found[test] = distances.to_nearest(pixels[few][test], pixels[fold != k])
    return found


def everywhere(valid: xr.DataArray, grid: Any, count: int = 1000) -> Points:
    """Return places all over what will be mapped, on a lattice, in the coordinates of `measure`.

    Parameters
    ----------
    valid
        A coarse picture of the features, (1, y, x), NaN where there is no data.
    grid
        The study's grid (a GeoBox).
    count
        About so many.
    """
    seen = np.isfinite(valid.to_numpy()[0])
    step = max(1, round(np.sqrt(seen.sum() / count)))
    rows, columns = np.nonzero(seen[step // 2 :: step, step // 2 :: step])
    high, wide = (big / small for big, small in zip(grid.shape, seen.shape, strict=True))
    shift = step // 2 + 0.5
    across, down = (columns * step + shift) * wide - 0.5, (rows * step + shift) * high - 0.5
    return np.column_stack([across, down]) * abs(grid.resolution.x)
