"""All runs of a study, judged on the same labelled pixels and the same folds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import grids, mapping, raster, steps
from lulc_kit.classes import Scheme, join
from lulc_kit.errors import FormatError, LulcError, MissingFileError
from lulc_kit.evaluate import accuracy, calibration, travelled
from lulc_kit.evaluate.accuracy import Accuracy, Estimate
from lulc_kit.evaluate.calibration import Calibration
from lulc_kit.late import da, pd
from lulc_kit.layout import Layout, RunLayout
from lulc_kit.raster import blockwise
from lulc_kit.samples import SPLITS, Samples

NOT_COMPUTED = "not computed"
"""What stands in the place of a score that a run has not."""


@dataclass(frozen=True)
class Evaluation:
    """What is known about the runs of a study.

    Attributes
    ----------
    classes
        The classes.
    separation
        How test pixels were kept apart from training, in words.
    runs
        By run's name: accuracy on folds apart in space.
    leaking
        By run's name: the same with a random split of the same pixels, for runs that have it.
    about
        By run's name: what the run recorded of itself.
    confidence
        Level of the intervals.
    calibration
        By run's name: how far its probabilities are to be believed, on folds apart in space.
    validated
        By run's name: accuracy of the map on the independent test set, if the study has one.
    notes
        What a reader of the scores must know of the split, in sentences.
    scarce
        Classes that have too little for a score (`lulc_kit.samples.Samples`).
    doubt
        Why the labels are probably no observation of the ground; empty where nothing says so.
    unmapped
        By run's name: labelled pixels that the run left without a class, so that no score knows of them.
    study
        Name of the study.
    only
        By two runs' names: pixels that only the first has right, by block (`accuracy.compare`).
    further
        By run's name: accuracy on the further split of the same pixels, for runs that have it.
    further_separation
        How that one keeps test pixels apart, in words; empty if there is none.
    """

    classes: Scheme
    separation: str
    runs: Mapping[str, Accuracy]
    leaking: Mapping[str, Accuracy]
    about: Mapping[str, Mapping[str, Any]]
    confidence: float
    calibration: Mapping[str, Calibration]
    validated: Mapping[str, Accuracy] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    scarce: Sequence[Mapping[Any, Any]] = ()
    doubt: str = ""
    unmapped: Mapping[str, int] = field(default_factory=dict)
    study: str = ""
    only: Mapping[tuple[str, str], npt.NDArray[np.integer]] = field(default_factory=dict)
    further: Mapping[str, Accuracy] = field(default_factory=dict)
    further_separation: str = ""

    def table(self) -> pd.DataFrame:
        """One row per run, best macro-F1 first."""
        rows = []
        for name in self.ranked():
            run, leak = self.runs[name], self.leaking.get(name)
            test = {"macro_f1_test_set": str(self.validated[name].macro)} if name in self.validated else {}
            if self.further:
                test[titles(self)[1]] = str(self.further[name].macro) if name in self.further else NOT_COMPUTED
            rows.append(
                {
                    "run": name,
                    "macro_f1": str(run.macro),
                    **test,
                    "overall_accuracy": str(run.overall),
                    "macro_f1_random": f"{leak.macro.value:.3f}" if leak else NOT_COMPUTED,
                    "flatters_by": f"{leak.macro.value - run.macro.value:+.3f}" if leak else "–",
                }
            )
        return pd.DataFrame(rows, columns=None if rows else ["run"]).set_index("run")

    def travelled(self) -> pd.DataFrame:
        """Return what travelling costs the models that were trained elsewhere (`travelled.costs`)."""
        return travelled.costs(self.runs, self.about, self.study, self.confidence)

    def estimates(self) -> dict[str, dict[str, tuple[float, float, float]]] | None:
        """Macro-F1 with its interval, by kind of split and run: what a figure of all runs shows; None without runs."""
        found = {
            title: {r: (runs[r].macro.value, runs[r].macro.low, runs[r].macro.high) for r in self.ranked() if r in runs}
            for title, runs in (
                (titles(self)[0], self.runs),
                (titles(self)[1], self.further),
                (SPLITS["random_fold"], self.leaking),
                ("independent test set", self.validated),
            )
        }
        return {title: runs for title, runs in found.items() if runs} or None

    def class_estimates(self) -> dict[str, dict[str, tuple[float, float, float]]] | None:
        """F1 of each class with its interval, by run and class; None without runs."""
        rows: dict[str, dict[str, tuple[float, float, float]]] = {}
        for run in self.ranked():
            rows[run] = {}
            for name, row in self.runs[run].classes.items():
                f1 = row["f1"]
                assert isinstance(f1, Estimate)
                rows[run][name] = (f1.value, f1.low, f1.high)
        return rows or None

    def ranked(self) -> list[str]:
        """Names of the runs, best macro-F1 first."""
        return sorted(self.runs, key=lambda r: -self.runs[r].macro.value)

    def comparison(self) -> pd.DataFrame:
        """Every two runs (`accuracy.compare`)."""
        return accuracy.compare(self.runs, self.confidence, self.only)

    def calibration_table(self) -> pd.DataFrame:
        """Brier score (0–2) and expected calibration error (0–1) of each run's probabilities: the less the better."""
        rows = {
            run: {"brier": (c := self.calibration[run]).brier, "calibration_error": c.error} for run in self.ranked()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("run").round(3)

    def reliability(self) -> dict[str, pd.DataFrame] | None:
        """Return the points of each run's reliability diagram (`Calibration.bins`), best first; None without runs."""
        return {run: self.calibration[run].bins for run in self.ranked()} or None

    def class_table(self, run: str) -> pd.DataFrame | None:
        """Precision, recall, F1 and IoU of each class, with intervals, and its number of test pixels; None without."""
        if run not in self.runs:
            return None
        return pd.DataFrame.from_dict(
            {name: {k: str(v) for k, v in row.items()} for name, row in self.runs[run].classes.items()},
            orient="index",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain data."""

        def plain(a: Accuracy) -> dict[str, Any]:
            return {
                "macro_f1": vars(a.macro),
                "overall_accuracy": vars(a.overall),
                "quantity": a.quantity.value,
                "allocation": a.allocation.value,
                "kappa": vars(a.kappa),
                "disagreement": {"quantity": vars(a.quantity), "allocation": vars(a.allocation)},
                "blocks": len(a.left_out),
                "pixels": int(a.matrix.sum()),
                "confusion": a.matrix.tolist(),
                "classes": {
                    name: {k: vars(v) if isinstance(v, Estimate) else v for k, v in row.items()}
                    for name, row in a.classes.items()
                },
            }

        earlier = {"fold": self.runs, "random_fold": self.leaking}
        return {
            "classes": self.classes.to_dict(),
            "separation": self.separation,
            "further_separation": self.further_separation,
            "pixels": int(self.runs[self.ranked()[0]].matrix.sum()),
            "notes": [*self.notes],
            "scarce": [*self.scarce],
            "doubt": self.doubt,
            "confidence": self.confidence,
            "runs": {
                name: {
                    # As format 1 called it: scripts of then go on reading what they were written for.
                    **{SPLITS[fold]: plain(kind[name]) for fold, kind in earlier.items() if name in kind},
                    "apart_in_space": plain(self.runs[name]),
                    **({"random_pixels": plain(self.leaking[name])} if name in self.leaking else {}),
                    **({"further_split": plain(self.further[name])} if name in self.further else {}),
                    **({"independent_test_set": plain(self.validated[name])} if name in self.validated else {}),
                    "unmapped": self.unmapped.get(name, 0),
                    "calibration": {
                        "brier": self.calibration[name].brier,
                        "error": self.calibration[name].error,
                        "bins": self.calibration[name].bins.to_dict("records"),
                        **{
                            key: None if found is None else vars(found)
                            for key, found in (
                                ("brier_interval", self.calibration[name].brier_interval),
                                ("log_loss", self.calibration[name].log_loss),
                            )
                        },
                    },
                    "about": dict(self.about[name]),
                }
                for name in self.ranked()
            },
            "comparison": self.comparison().replace({np.nan: None}).to_dict("records"),
            "travelled": self.travelled().to_dict("records"),
        }


def titles(judged: Evaluation) -> tuple[str, str]:
    """Name the split in space and the further one, for a column or a legend.

    Examples
    --------
    >>> judged = Evaluation(Scheme("x", "X", ()), "4 folds of blocks", {}, {}, {}, 0.95, {})
    >>> titles(replace(judged, further_separation="4 folds of polygons, matched to the map (kNNDM)"))
    ('apart in space', 'distance-matched (kNNDM)')
    """
    matched = "distance-matched (kNNDM)"
    first = matched if "kNNDM" in judged.separation else SPLITS["fold"]
    if "kNNDM" in judged.further_separation:
        return first, matched
    return first, SPLITS["further_fold" if first == SPLITS["fold"] else "fold"]


Codes = npt.NDArray[np.integer]


def _unseen(run: RunLayout, samples: Samples) -> Iterator[tuple[str, Codes, Codes, Codes]]:
    """Yield by split: label, class by a model that had not seen it, and block, of each labelled pixel or row."""
    if samples.labels is None:
        for split, rows in read_rows(run).groupby("split", sort=False):
            yield str(split), rows["label"].to_numpy(), rows["predicted"].to_numpy(), rows["block"].to_numpy()
        return
    crossval = raster.read_codes(run.crossval)
    grids.check(crossval.odc.geobox, samples.labels.odc.geobox, f"The cross-validated map of run {run.name}")
    labels, block = np.asarray(samples.labels.data[0]), samples.codes("block")
    for split, codes in zip(crossval.band.values, crossval.data.compute(), strict=True):
        yield str(split), labels, codes, block


def _tested(run: RunLayout, layout: Layout, classes: Scheme) -> npt.NDArray[np.int64] | None:
    """Count the pixels of the independent test set by feature, true and mapped class; None without such a set."""
    if not layout.validation.exists():
        return None
    test, mapped = raster.read_codes(layout.validation), raster.read_codes(run.map)
    grids.check(mapped.odc.geobox, test.odc.geobox, f"The map of run {run.name}")
    labels, feature = test.data.compute()
    return accuracy.by_block(labels, np.asarray(mapped.data[0]), feature, classes.values)


def read_rows(run: RunLayout) -> pd.DataFrame:
    """Read the cross-validated table of a run; a LulcError if it cannot be read."""
    try:
        return pd.read_parquet(run.crossval_table)
    except (OSError, ValueError) as error:
        raise FormatError(f"{run.crossval_table} cannot be read ({error}). Run notebook 06 again.") from error


def _calibration(run: RunLayout, samples: Samples, **options: Any) -> Calibration:
    scheme = samples.scheme
    if samples.labels is None:
        rows = read_rows(run).query("split == 'fold'")
        probabilities = rows[[f"probability {name}" for name in scheme.names]].to_numpy().T
        label, block = rows["label"].to_numpy(), rows["block"].to_numpy()
        parts = [_losses(label, probabilities, block, scheme)]
    else:
        assert samples.folds is not None
        percent = raster.read_codes(run.crossval_probability, [f"fold {name}" for name in scheme.names])

        def count(part: Codes) -> tuple[npt.NDArray[np.float64], pd.DataFrame]:
            label, block, *parts = part.reshape(len(part), -1)
            known = label > 0
            probabilities = np.stack(parts)[:, known] / 100
            probabilities[probabilities > 1] = np.nan  # no data
            return _losses(label[known], probabilities, block[known], scheme)

        folds = raster.select(samples.folds, ["block"])
        both = da.concatenate([samples.labels.data, folds.data, percent.data])
        parts = blockwise.reduce(count, both, layers=4 * len(scheme.values))
    sums = pd.concat([losses for _, losses in parts]).groupby(level=0).sum()
    brier, log = calibration.score(sums, **options)
    return replace(calibration.assess(np.sum([c for c, _ in parts], axis=0)), brier_interval=brier, log_loss=log)


def _losses(
    label: Codes, probabilities: npt.NDArray[np.floating], block: Codes, scheme: Scheme
) -> tuple[npt.NDArray[np.float64], pd.DataFrame]:
    return (
        calibration.count(label, probabilities, scheme.values),
        calibration.by_block(label, probabilities, block, scheme.values),
    )


def _only(rights: Mapping[str, npt.NDArray[np.int8]], block: Codes) -> dict[tuple[str, str], npt.NDArray[np.int64]]:
    """Count by block, for each ordered pair of runs, the pixels that only the first has right, of those both map.

    Parameters
    ----------
    rights
        For each run, of each labelled pixel: 1 if it is right, 0 if not, −1 if it is not mapped.
    """
    _, place = np.unique(block, return_inverse=True)
    return {
        (one, other): np.bincount(place, (rights[one] == 1) & (rights[other] == 0)).astype(np.int64)
        for one in rights
        for other in rights
        if one != other
    }


def evaluate(
    layout: Layout,
    *,
    runs: Sequence[str] | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 1,
) -> Evaluation:
    """Judge runs of a study that have been cross-validated.

    Parameters
    ----------
    layout
        The study's files.
    runs
        Names of the runs; None for those of the study's plan.
    confidence, resamples, seed
        See `lulc_kit.evaluate.accuracy.assess`.

    Raises
    ------
    LulcError
        If there is no run, or a run was made with other labels or folds than those that lie there now.
    """
    samples = Samples.read(layout)
    names = steps.planned_runs(layout) if runs is None else runs
    scheme = _with_foreign([layout.run(name) for name in names], samples)
    found: dict[str, dict[str, Accuracy]] = {split: {} for split in SPLITS}
    validated: dict[str, Accuracy] = {}
    about, unmapped, rights = {}, {}, {}
    for name in names:
        run = layout.run(name)
        about[name] = mapping.read_about(run)
        if about[name]["folds"] != samples.fingerprint:
            raise LulcError(
                f"Run {name} was made with other folds than those of notebook 05, so its numbers do not compare. "
                f"Run it again (lulc run {layout.folder.name}), or delete {run.models.relative_to(layout.folder)} and "
                f"{run.map.relative_to(layout.folder)}."
            )
        assess = partial(accuracy.assess, classes=scheme, confidence=confidence, resamples=resamples, seed=seed)
        for split, labels, codes, block in _unseen(run, samples):
            matrices = accuracy.by_block(labels, codes, block, scheme.values)
            found[split][name] = assess(matrices)
            if split == "fold":
                labelled = np.isin(labels, samples.scheme.values)
                unmapped[name] = int(labelled.sum() - matrices.sum())
                truth, guess, blocks = labels[labelled], codes[labelled], block[labelled]
                rights[name] = np.where(np.isin(guess, scheme.values), guess == truth, -1).astype(np.int8)
        if (tested := _tested(run, layout, scheme)) is not None:
            validated[name] = assess(tested)
    if not found["fold"]:
        raise MissingFileError(f"No run in {layout.folder}. Run notebook 06, 07 or 08 first.")
    options = {"confidence": confidence, "resamples": resamples, "seed": seed}
    sure = {name: _calibration(layout.run(name), samples, **options) for name in found["fold"]}
    apart, random = found["fold"], found["random_fold"]
    return Evaluation(
        scheme,
        samples.separation,
        apart,
        random,
        about,
        confidence,
        sure,
        validated,
        samples.notes,
        samples.scarce,
        samples.doubt,
        unmapped,
        layout.folder.name,
        _only(rights, blocks),
        found["further_fold"],
        samples.further,
    )


def alone(layout: Layout, run: str) -> Evaluation:
    """Judge one run by itself, as `evaluate` does; nothing without labels, where a model from elsewhere maps."""
    if layout.samples.exists():
        return evaluate(layout, runs=[run])
    return Evaluation(Scheme("none", "No labels", ()), "no labels", {}, {}, {}, 0.95, {}, study=layout.folder.name)


def _with_foreign(runs: Sequence[RunLayout], samples: Samples) -> Scheme:
    """Return the classes labelled here, and those that models from elsewhere mistake them for."""
    scheme = samples.scheme
    for run in runs:
        about = mapping.read_about(run)
        if travelled.origin(about):
            theirs = Scheme.from_dict(about["classes"])
            called = [np.unique(codes[labels > 0]) for _, labels, codes, _ in _unseen(run, samples)]
            scheme = join({samples.scheme.name: scheme, run.name: theirs.subset(np.concatenate(called))})
    return scheme
