"""How a run fares where it was not taught, and what its class sets achieve: on folds that had no say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import map_layers, mapping, raster
from lulc_kit.classes import Scheme
from lulc_kit.evaluate import applicability, conformal
from lulc_kit.evaluate.applicability import Space
from lulc_kit.evaluate.runs import read_rows
from lulc_kit.late import da, pd
from lulc_kit.layout import RunLayout
from lulc_kit.raster import blockwise
from lulc_kit.samples import Samples

BINS = 10
"""Groups of samples, alike in size, in which errors are counted by dissimilarity."""


@dataclass(frozen=True)
class Trust:
    """What is known of a run beyond its scores.

    Attributes
    ----------
    run
        Its name.
    spaces
        Space of the training samples, or one by class value.
    weighted
        Whether features weigh as the run's importances say, or all alike.
    by_index
        Errors by dissimilarity: for each group of samples, by its median ``index`` (over the threshold: up to 1 is
        inside), the part that is wrong, ``error``, and the number of ``samples``.
    error_rate
        Part of class sets that may lack the true class, as it was asked for.
    by_class
        Whether sets hold that in each class.
    least
        Least percent with which each class is in a set, calibrated on all folds, (class,).
    sets
        What sets achieve on folds that had no say, by block and class (`conformal.judge`).
    labelled
        Values of the classes that have labels here, in the order of ``least``.
    """

    run: str
    spaces: Space | Mapping[int, Space]
    weighted: bool
    by_index: pd.DataFrame
    error_rate: float
    by_class: bool
    least: npt.NDArray[np.int64]
    sets: pd.DataFrame
    labelled: tuple[int, ...]

    def thresholds(self, classes: Scheme) -> dict[str, float]:
        """Return the threshold of the dissimilarity index, of all samples or by class."""
        if isinstance(self.spaces, Space):
            return {"all classes": self.spaces.threshold}
        return {c.name: self.spaces[c.value].threshold for c in classes.classes if c.value in self.spaces}

    def least_of(self, names: Sequence[str], classes: Scheme) -> npt.NDArray[np.int64]:
        """Return the least percent of classes, by name; of one without labels, which is in no set, more than all."""
        found = dict(zip(classes.subset(self.labelled).names, self.least.tolist(), strict=True))
        return np.array([found.get(name, 101) for name in names])

    def coverage(self, classes: Scheme) -> pd.DataFrame:
        """Part of sets that hold the true class, their mean size, and the part of single and empty ones, 0–1.

        One row for each class, and one for all.
        """
        names = {c.value: c.name for c in classes.classes}
        numbers = self.sets.drop(columns="block").groupby("label").sum()
        numbers = numbers.rename(index=names)
        numbers.loc["all classes"] = numbers.sum()
        return pd.DataFrame(
            {
                "covered": numbers["covered"] / numbers["pixels"],
                "mean_size": numbers["sizes"] / numbers["pixels"],
                "single": numbers["single"] / numbers["pixels"],
                "empty": numbers["empty"] / numbers["pixels"],
                "pixels": numbers["pixels"].astype(int),
            }
        ).rename_axis("class")

    def by_block(self) -> pd.DataFrame:
        """Part of sets that hold the true class, ``covered`` 0–1, and number of ``pixels``, by block."""
        blocks = self.sets.groupby("block")[["covered", "pixels"]].sum()
        return pd.DataFrame({"covered": blocks["covered"] / blocks["pixels"], "pixels": blocks["pixels"]})

    def to_dict(self, classes: Scheme) -> dict[str, Any]:
        """Return all numbers as plain data."""
        blocks = self.by_block()["covered"]
        return {
            "applicability": {
                "thresholds": self.thresholds(classes),
                "weighted_by_importance": self.weighted,
                "error_by_index": self.by_index.to_dict("records"),
            },
            "class_sets": {
                "error_rate": self.error_rate,
                "by_class": self.by_class,
                "least_percent": dict(zip(classes.subset(self.labelled).names, self.least.tolist(), strict=True)),
                "coverage": self.coverage(classes).to_dict("index"),
                "blocks": {
                    "number": len(blocks),
                    "below_target": float((blocks < 1 - self.error_rate).mean()),
                    "lowest": float(blocks.min()),
                    "median": float(blocks.median()),
                },
            },
        }


def weights(about: Mapping[str, Any]) -> list[float] | None:
    """Return what each feature is worth to a run, in the features' order; None if it did not measure that."""
    known = about.get("importance") or {}
    found = [max(0.0, float(known.get(name, 0))) for name in about["features"]]
    return found if any(found) else None


def examine(
    run: RunLayout,
    samples: Samples,
    *,
    error_rate: float = 0.1,
    sets_by_class: bool = True,
    applicability_by_class: bool = False,
    most: int = 5000,
    seed: int = 1,
    taught: Sequence[Samples] = (),
) -> Trust:
    """Measure where a run was taught, and calibrate its class sets.

    Parameters
    ----------
    run
        Files of the run.
    samples
        The study's.
    error_rate
        Part of sets that may lack the true class, 0–1.
    sets_by_class, applicability_by_class
        Whether each class is calibrated by itself (`conformal.calibrate`), and measured by itself
        (`applicability.fit_by_class`).
    most, seed
        At most so many training samples make the space, drawn at random: the time of a map grows with their number,
        and more of them hardly move what is inside (docs/trust.md).
    taught
        The samples that trained the model, where it was trained elsewhere: of the space of *these* it is measured how
        far this study's samples and pixels lie from it. Empty: the study's own.

    Raises
    ------
    LulcError
        If the run lacks a file, its features are not among the samples', or all samples of a class lie in one fold
        while each class is to be measured by itself.
    """
    about = mapping.read_about(run)
    worth = weights(about)
    x, fold, label, rows = _training(taught or [samples], about["features"], most, seed)
    spaces: Space | Mapping[int, Space]
    if applicability_by_class:
        names = {c.value: c.name for one in (taught or [samples]) for c in one.scheme.classes}
        spaces = applicability.fit_by_class(x, fold, label, worth, names)
    else:
        spaces = applicability.fit(x, fold, worth)
    if taught:
        x, _, label, rows = _training([samples], about["features"], most, seed)
        index = _index_of(spaces, x, label)
    else:
        index = _index(spaces, label)
    by_index = errors(index, _predicted(run, samples)[rows], label)
    counts, judged = _sets(run, samples, error_rate, sets_by_class)
    least = conformal.calibrate(counts, error_rate, by_class=sets_by_class)
    values = samples.scheme.values
    return Trust(run.name, spaces, worth is not None, by_index, error_rate, sets_by_class, least, judged, values)


def _training(
    taught: Sequence[Samples], features: Sequence[str], most: int, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.integer], npt.NDArray[np.integer], npt.NDArray[np.intp]]:
    """Return features, folds (no two studies share one), labels and rows of at most so many samples."""
    tables = [samples.table for samples in taught]
    x = np.concatenate([s.table[list(s.features(features))].to_numpy(float) for s in taught])
    first = np.cumsum([0, *(int(table["fold"].max()) for table in tables[:-1])])
    fold = np.concatenate([table["fold"].to_numpy() + begin for table, begin in zip(tables, first, strict=True)])
    label = np.concatenate([table["label"].to_numpy() for table in tables])
    known = np.flatnonzero(np.isfinite(x).all(axis=1))
    if len(known) > most:
        known = np.sort(np.random.default_rng(seed).permutation(known)[:most])
    return x[known], fold[known], label[known], known


def _index_of(
    spaces: Space | Mapping[int, Space], x: npt.NDArray[np.float64], label: npt.NDArray[np.integer]
) -> npt.NDArray[np.floating]:
    """Return the dissimilarity of samples that did not teach, over the threshold; NaN of a class not taught."""
    if isinstance(spaces, Space):
        return spaces.dissimilarity(x) / max(spaces.threshold, applicability.TINY)
    out = np.full(len(label), np.nan)
    for value, space in spaces.items():
        own = label == value
        out[own] = space.dissimilarity(x[own]) / max(space.threshold, applicability.TINY)
    return out


def _index(spaces: Space | Mapping[int, Space], label: npt.NDArray[np.integer]) -> npt.NDArray[np.floating]:
    """Return each training sample's dissimilarity over the threshold."""
    if isinstance(spaces, Space):
        return spaces.index / max(spaces.threshold, applicability.TINY)
    out = np.full(len(label), np.nan)
    for value, space in spaces.items():
        out[label == value] = space.index / max(space.threshold, applicability.TINY)
    return out


def _predicted(run: RunLayout, samples: Samples) -> npt.NDArray[np.integer]:
    """Return the class of each row of the samples by the model that had not seen its fold; 0 for none."""
    if samples.labels is None:
        rows = read_rows(run).query("split == 'fold'").sort_values("row")
        return rows["predicted"].to_numpy()
    codes = np.asarray(raster.read_codes(run.crossval, ["fold"]).data[0])
    return codes[samples.table["row"].to_numpy(), samples.table["column"].to_numpy()]


def errors(
    index: npt.NDArray[np.floating], predicted: npt.NDArray[np.integer], label: npt.NDArray[np.integer]
) -> pd.DataFrame:
    """Count errors by dissimilarity, in groups of samples alike in size: see `Trust.by_index`.

    Examples
    --------
    >>> found = errors(np.arange(20.0), np.array([1] * 10 + [2] * 10), np.ones(20, int))
    >>> found["error"].tolist() == [0.0] * 5 + [1.0] * 5
    True
    """
    known = predicted > 0
    rows = pd.DataFrame({"index": index[known], "error": (predicted != label)[known]})
    if rows.empty:
        return pd.DataFrame({"index": [], "error": [], "samples": []})
    group = pd.qcut(rows["index"], min(BINS, len(rows)), labels=False, duplicates="drop")
    found = rows.groupby(group if group.notna().all() else np.zeros(len(rows), int))
    return pd.DataFrame(
        {"index": found["index"].median(), "error": found["error"].mean(), "samples": found.size()}
    ).reset_index(drop=True)


def _sets(
    run: RunLayout, samples: Samples, error_rate: float, by_class: bool
) -> tuple[npt.NDArray[np.int64], pd.DataFrame]:
    """Return counts by class and percent, and what sets achieve on folds that had no say."""
    values, folds = samples.scheme.values, samples.n_splits
    if samples.labels is None:
        rows = read_rows(run).query("split == 'fold'")
        numbers = rows[[f"probability {name}" for name in samples.scheme.names]].to_numpy().T
        percent = map_layers.percent(numbers)
        label, fold, block = (rows[name].to_numpy() for name in ("label", "fold", "block"))
        counts = conformal.count(label, fold, percent, values, folds)
        least = conformal.hold(counts, error_rate, by_class=by_class)
        return counts.sum(axis=0), conformal.judge(label, fold, block, percent, values, least)
    labels, codes = samples.on_grid()
    likely = raster.read_codes(run.crossval_probability, [f"fold {name}" for name in samples.scheme.names])
    where = raster.select(codes, ["fold", "block"])
    folds = int(where.sel(band="fold").max())
    together = da.concatenate([labels.data, where.data, likely.data])

    def parts(part: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.integer], ...]:
        label, fold, block, *percent = part.reshape(len(part), -1)[:, part[0].ravel() > 0]
        return label, fold, block, np.stack(percent)

    def count(part: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        label, fold, _, percent = parts(part)
        return conformal.count(label, fold, percent, values, folds)

    def judge(part: npt.NDArray[np.integer]) -> pd.DataFrame:
        label, fold, block, percent = parts(part)
        return conformal.judge(label, fold, block, percent, values, least)

    held = 4 * len(values)
    counts = np.sum(blockwise.reduce(count, together, layers=held), axis=0)
    least = conformal.hold(counts, error_rate, by_class=by_class)
    rows = pd.concat(blockwise.reduce(judge, together, layers=held))
    return counts.sum(axis=0), rows.groupby(["block", "label"], as_index=False).sum()
