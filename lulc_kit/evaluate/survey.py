"""A survey of the map itself: points drawn from it, looked at by a person, and what they say of accuracy and areas.

Cross-validation answers how good a method is on the labels there are; only a probability sample answers how good this
map is and how large its classes are (Stehman & Foody 2019, doi:10.1016/j.rse.2019.05.018; Wadoux et al. 2021,
doi:10.1016/j.ecolmodel.2021.109692).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import grids, mapping
from lulc_kit.classes import Scheme
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import accuracy, assisted, design, interpretation, sampling
from lulc_kit.evaluate.assisted import Assisted
from lulc_kit.evaluate.design import DesignEstimates
from lulc_kit.evaluate.runs import Evaluation
from lulc_kit.evaluate.sampling import Drawn
from lulc_kit.late import da, pd, xr
from lulc_kit.layout import Layout
from lulc_kit.raster import blockwise

Counts = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Agreement:
    """How far two interpreters agree: ``points`` that both looked at, the ``share`` they call alike, ``kappa``."""

    points: int
    share: float
    low: float
    high: float
    kappa: float


@dataclass(frozen=True)
class Survey:
    """What an interpreted sample says of the maps.

    Attributes
    ----------
    classes
        The maps' classes.
    how
        How the points were drawn, in words.
    run
        The run from whose map they were drawn.
    date
        Of what the interpreter looked at.
    confidence
        Level of the intervals.
    pixels
        Mapped pixels of each class when the sample was drawn.
    hectare
        Hectares of a pixel.
    runs
        By run, ``run`` first: what the sample says of its map.
    matrices
        By run: points by map class and reference class.
    assisted
        Class areas with the help of the map's probabilities; None where these do not belong to the sample's map.
    more
        How many more points would halve the interval of overall accuracy; None if nobody can say.
    agreement
        Of two interpreters; None if no point was looked at twice.
    notes
        What a reader must know of these numbers, in sentences.
    """

    classes: Scheme
    how: str
    run: str
    date: str
    confidence: float
    pixels: Counts
    hectare: float
    runs: Mapping[str, DesignEstimates]
    matrices: Mapping[str, Counts]
    assisted: Assisted | None
    more: int | None
    agreement: Agreement | None
    notes: tuple[str, ...]

    @property
    def points(self) -> int:
        """Number of points."""
        return self.runs[self.run].points

    def areas(self) -> pd.DataFrame:
        """Hectares of each class: counted pixels, the sample's estimate with its interval, and with the map's help."""
        whole = self.hectare * self.pixels.sum()
        found = self.runs[self.run]
        low, high = found.interval("area_share", self.confidence)
        columns: dict[str, npt.NDArray[np.floating]] = {
            "counted_ha": self.hectare * self.pixels,
            "area_ha": whole * found.area_share,
            "low_ha": whole * low,
            "high_ha": whole * high,
        }
        if self.assisted is not None:
            share = np.clip(self.assisted.value, 0, 1)
            low, high = design.interval(share, self.assisted.se, found.support["area_share"], self.confidence)
            columns |= {"assisted_ha": whole * share, "assisted_low_ha": whole * low, "assisted_high_ha": whole * high}
        return pd.DataFrame(columns, index=pd.Index(self.classes.names, name="class"))

    def estimates(self) -> dict[str, dict[str, tuple[float, float, float]]]:
        """Each class's part of the land, with its interval, by estimator: what a figure shows."""
        table = self.areas() / (self.hectare * self.pixels.sum())
        kinds = {"the sample": ("area_ha", "low_ha", "high_ha")}
        if self.assisted is not None:
            kinds["with the map's probabilities"] = ("assisted_ha", "assisted_low_ha", "assisted_high_ha")
        kinds["counted pixels"] = ("counted_ha",) * 3
        return {kind: {n: tuple(row) for n, row in table[[*names]].T.items()} for kind, names in kinds.items()}

    def scores(self, run: str) -> pd.DataFrame:
        """User's and producer's accuracy and F1 of each class of a run's map: ``value``, ``se``, ``low``, ``high``."""
        table = self.runs[run].table(self.classes.names, self.confidence)
        return table.loc[["overall_accuracy", "users_accuracy", "producers_accuracy", "f1"]]

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain data; None where there is none."""
        runs: dict[str, Any] = {}
        for run in self.runs:
            rows = {
                key: None
                if np.isnan(row["value"])
                else {name: float(row[name]) for name in ("value", "se", "low", "high")}
                for key, row in self.scores(run).to_dict("index").items()
            }
            runs[run] = {
                "overall_accuracy": rows["overall_accuracy", "all"],
                "classes": {
                    name: {m: rows[m, name] for m in ("users_accuracy", "producers_accuracy", "f1")}
                    for name in self.classes.names
                },
                "points": self.matrices[run].tolist(),
            }
        return {
            "how": self.how,
            "drawn_from": self.run,
            "reference_date": self.date,
            "points": self.points,
            "confidence": self.confidence,
            "runs": runs,
            "areas": self.areas().to_dict("index"),
            "halved_by": self.more,
            "second_interpreter": None if self.agreement is None else vars(self.agreement),
            "notes": list(self.notes),
        }


def _codes(layout: Layout, run: str) -> xr.DataArray:
    codes = mapping.read(layout.run(run), "class")
    if codes is None:
        raise LulcError(
            f"Run {run} has no map, as its samples are a table: there are no pixels to draw from. Points for "
            f"interpretation need a study with images."
        )
    return codes


def draw(
    judged: Evaluation,
    layout: Layout,
    *,
    points: int,
    standard_error: float | None = None,
    how: str = "stratified",
    allocation: str = "equal",
    least: int = 25,
    run: str | None = None,
    blind: bool = True,
    seed: int = 1,
) -> Drawn:
    """Draw a sample of a run's map and write it for interpretation, unless one that was asked for alike lies there.

    The user's accuracies that planning needs are those of cross-validation: a guess, which costs points if it is wrong,
    and nothing else.

    Parameters
    ----------
    judged
        The runs.
    layout
        Where the files lie.
    points, how, allocation, least
        How many, and how they are shared out: `sampling.allocate`, `sampling.draw`.
    standard_error
        As many points as give overall accuracy this standard error, instead of ``points``.
    run
        From whose map; None: the best.
    blind
        Whether what the map says is kept from the interpreter.
    seed
        Seed of the draw.

    Raises
    ------
    LulcError
        If another sample lies there, or the run is unknown or has no map.
    """
    run = run or judged.ranked()[0]
    if run not in judged.runs:
        raise LulcError(f"sample_run: there is no run {run!r}. The runs are: {', '.join(judged.ranked())}.")
    asked = {"run": run, "points": points, "standard_error": standard_error, "how": how, "seed": seed}
    asked |= {"allocation": allocation, "least": least, "blind": blind}
    place = layout.interpretation
    if place.drawn.exists() and (there := interpretation.read_drawn(place)).asked == asked:
        return there
    raster, classes = _codes(layout, run), judged.classes
    codes = np.asarray(raster.data[0])
    pixels = sampling.count_pixels(codes, classes.values)
    users = _expected(judged, run)
    wanted: npt.ArrayLike = points
    if standard_error is not None:
        wanted = sampling.points_for(standard_error, pixels, users, pixels)
    if how == "stratified":
        wanted = sampling.allocate(
            max(int(np.sum(wanted)), int(np.minimum(pixels, least).sum())) if standard_error else points,
            *(pixels, allocation),
            users=users,
            least=least,
        )
    row, column = sampling.draw(codes, classes.values, wanted, how=how, seed=seed)
    mark, stratum = sampling.fingerprint(codes), codes[row, column].astype(np.int64)
    drawn = Drawn(how, run, mark, classes, raster.odc.geobox, pixels, row, column, stratum, asked)
    interpretation.write(drawn, place, blind=blind)
    return drawn


def _expected(judged: Evaluation, run: str) -> npt.NDArray[np.float64]:
    """Return the user's accuracies of cross-validation; where there is none, `sampling.GUESS`."""
    rows = judged.runs[run].classes
    found = [rows[name]["precision"] if name in rows else np.nan for name in judged.classes.names]
    values = np.array([each.value if isinstance(each, accuracy.Estimate) else np.nan for each in found])
    return np.where(np.isfinite(values), values, sampling.GUESS)


def assess(judged: Evaluation, layout: Layout, path: Path, date: str) -> Survey:
    """Say what an interpreted sample says of the maps of all runs.

    Parameters
    ----------
    judged
        The runs.
    layout
        Where the maps and the sample's design lie.
    path
        The interpreted file.
    date
        Of what the interpreter looked at.

    Raises
    ------
    LulcError
        If the file is not the sample that was drawn (`interpretation.read`), a map lies on another grid, or the one
        that it was drawn from leaves some of its points unmapped by now. Another one that does so is not judged, and
        a note says so.
    """
    drawn = interpretation.read_drawn(layout.interpretation)
    seen = interpretation.read(path, drawn)
    values = np.array(drawn.classes.values)
    reference, stratum = np.searchsorted(values, seen.reference), np.searchsorted(values, drawn.stratum)
    notes, runs, matrices = [], {}, {}
    names = [drawn.run, *(run for run in judged.ranked() if run != drawn.run)]
    same, helped = False, None
    for run in (name for name in names if name in judged.runs):
        raster = _codes(layout, run)
        grids.check(raster.odc.geobox, drawn.grid, f"The map of run {run}")
        codes = np.asarray(raster.data[0])
        mapped = _mapped(codes, drawn)
        if (out := np.flatnonzero(mapped < 0) + 1).size:
            said = (
                f"The map of run {run} has no class at {out.size} points of the sample "
                f"({', '.join(map(str, out[:10]))}{', …' if out.size > 10 else ''}), which was drawn from the map of "
                f"run {drawn.run}: it covers other land, or has other classes"
            )
            if run == drawn.run:
                raise LulcError(f"{said}. Make it with the images and classes of then, or draw a new sample.")
            notes.append(f"{said}. So the sample does not judge it; that needs one of its own (sample_run).")
            continue
        pixels = sampling.count_pixels(codes, drawn.classes.values)
        counts, weights = _strata(drawn, mapped, reference, stratum, pixels)
        runs[run] = design.estimate_stratified(counts, weights, population=weights)
        matrices[run] = counts.sum(axis=0)
        if run == drawn.run:
            same = sampling.fingerprint(codes) == drawn.map
            more = design.halving(counts, weights, weights)
            if same:
                helped = _helped(layout, drawn, seen.reference, counts, raster)
    if drawn.run not in runs:
        raise LulcError(
            f"The sample was drawn from the map of run {drawn.run}, which the study no longer has. Bring that run back "
            f"(its parameter file, and lulc run), or draw a new sample."
        )
    if not same:
        notes.append(
            f"The map of run {drawn.run} has been made anew since the points were drawn from it. The numbers are right "
            f"all the same (strata that differ from the map's classes, Stehman 2014), their intervals a little wider."
        )
    if drawn.how == "systematic":
        notes.append("A systematic sample has no standard error of its own; that of a simple random one stands for it.")
    notes += runs[drawn.run].cautions(drawn.classes.names)
    return Survey(
        *(drawn.classes, sampling.HOW[drawn.how], drawn.run, date, judged.confidence, drawn.pixels),
        hectare=abs(drawn.grid.resolution.x * drawn.grid.resolution.y) / 10_000,
        runs=runs,
        matrices=matrices,
        assisted=helped,
        more=more,
        agreement=_agreement(seen, drawn.classes, judged.confidence),
        notes=tuple(notes),
    )


def _mapped(codes: npt.NDArray[np.integer], drawn: Drawn) -> Counts:
    """Return the position of a map's class at each point; −1 where it has none of the sample's classes."""
    position = np.full(256, -1)
    position[list(drawn.classes.values)] = np.arange(len(drawn.classes.values))
    return position[codes[drawn.row, drawn.column]]


def _strata(drawn: Drawn, mapped: Counts, reference: Counts, stratum: Counts, pixels: Counts) -> tuple[Counts, Counts]:
    """Count points by stratum, map class and reference class, and the pixels of each stratum.

    A sample that was not stratified is stratified afterwards, by the map that it judges, if each of its classes has
    points enough: that takes nothing from it and narrows the intervals.
    """
    size = len(drawn.classes.values)
    if drawn.how != "stratified":
        enough = (np.bincount(mapped, minlength=size) >= sampling.LEAST) | (pixels == 0)
        stratum = mapped if enough.all() else np.zeros_like(mapped)
        weights = pixels if enough.all() else np.array([pixels.sum()])
    else:
        weights = drawn.pixels
    counts = np.zeros((len(weights), size, size), np.int64)
    np.add.at(counts, (stratum, mapped, reference), 1)
    return counts, weights


def _helped(layout: Layout, drawn: Drawn, reference: Counts, counts: Counts, codes: xr.DataArray) -> Assisted | None:
    """Estimate areas with the probabilities of the map that the sample was drawn from; None without such a layer."""
    percent = mapping.read(layout.run(drawn.run), "probability")
    if percent is None or len(counts) == 1:
        return None
    values = drawn.classes.values
    sums = np.sum(
        blockwise.reduce(_sum_by_class, da.concatenate([codes.data, percent.data]), values, layers=4 * len(values)),
        axis=0,
    )
    at = percent.data.vindex[:, drawn.row, drawn.column].compute().astype(float)  # (point, class)
    return assisted.estimate(
        reference[:, None] == np.array(values),
        at / at.sum(axis=1, keepdims=True),
        np.searchsorted(values, drawn.stratum),
        drawn.pixels,
        sums / np.maximum(drawn.pixels, 1)[:, None],
        population=drawn.pixels,
    )


def _sum_by_class(block: npt.NDArray[np.integer], values: Sequence[int]) -> npt.NDArray[np.float64]:
    """Sum up probabilities, (class of the map, class), of a block: codes, and percent by class."""
    code, *percent = block.reshape(len(block), -1)
    known = code > 0
    code, parts = code[known], np.stack(percent)[:, known].astype(np.float64)
    parts /= np.maximum(parts.sum(axis=0), 1)  # whole percent do not always add up
    return np.stack([parts[:, code == value].sum(axis=1) for value in values])


def _agreement(seen: interpretation.Interpreted, classes: Scheme, confidence: float) -> Agreement | None:
    twice = seen.second > 0
    if not twice.any():
        return None
    values = np.array(classes.values)
    matrix = np.zeros((len(values),) * 2, np.int64)
    pair = np.searchsorted(values, seen.reference[twice]), np.searchsorted(values, seen.second[twice])
    np.add.at(matrix, pair, 1)
    count, share = int(twice.sum()), float(accuracy.overall_accuracy(matrix))
    low, high = design.interval(share, np.sqrt(share * (1 - share) / count), count, confidence)
    return Agreement(count, share, float(low), float(high), float(accuracy.kappa(matrix)))
