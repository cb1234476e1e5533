"""The report page of a study: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np

from lulc_kit.evaluate import accuracy
from lulc_kit.evaluate.accuracy import Estimate
from lulc_kit.evaluate.runs import Evaluation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RELIABLE, POOR = 0.8, 0.5
"""F1 at or above which a class is called reliable, below which poor."""


def verdicts(evaluation: Evaluation, run: str) -> dict[str, list[str]]:
    """Sort the classes of a run by what their F1 says: reliable, in between, poor.

    A class is reliable if the whole interval of its F1 is at or above `RELIABLE`, and poor if its F1 is below `POOR`.
    """
    found: dict[str, list[str]] = {"reliable": [], "between": [], "poor": []}
    for name, row in evaluation.runs[run].classes.items():
        f1 = row["f1"]
        assert isinstance(f1, Estimate)
        kind = "reliable" if f1.low >= RELIABLE else ("poor" if f1.value < POOR else "between")
        found[kind].append(f"{name} ({f1.value:.3f})")
    return found


def confused(evaluation: Evaluation, run: str, count: int = 3) -> list[str]:
    """Name the pairs of classes that a run confuses most, as parts of the labelled pixels; none if it confuses none."""
    matrix = evaluation.runs[run].matrix
    names = evaluation.classes.names
    parts = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    pairs = [(parts[i, j], names[i], names[j]) for i, j in zip(*np.nonzero(matrix), strict=True) if i != j]
    return [f"{part:.0%} of {true} is mapped as {called}" for part, true, called in sorted(pairs, reverse=True)[:count]]


def chosen_settings(about: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Say for each setting that a run tuned what it chose for the map, and what for the folds; nothing if it did not.

    Of numbers the folds' least and greatest are named, of words all.
    """
    rows = dict(about.get("chosen", {}))
    final = rows.pop("all samples", {})
    found = {}
    for name, value in final.items():
        values = [row[name] for row in rows.values()]
        if any(isinstance(v, str) for v in [value, *values]):
            spread = ", ".join(sorted({str(v) for v in values}))
        else:
            spread = f"{min(values):.3g} … {max(values):.3g}"
        found[name] = (value if isinstance(value, str) else f"{value:.3g}", spread)
    return found


@dataclass(frozen=True)
class Pictures:
    """The page's pictures: class maps of all runs, the image, the labels, how sure the best run is, and its numbers.

    Of samples that are a table there are no maps, and none of the first four.
    """

    maps: Figure | None
    image: Figure | None
    labels: Figure | None
    confidence: Figure | None
    runs: Figure
    classes: Figure
    confusion: Figure
    reliability: Figure


def render(evaluation: Evaluation, pictures: Pictures, *, study: str, attribution: str, covered: float | None) -> str:
    """Return the page.

    Parameters
    ----------
    evaluation
        The numbers.
    pictures
        The pictures; they become part of the page.
    study
        Name of the study.
    attribution
        Whose data these are.
    covered
        Part of the grid (0–1) that is mapped, i.e. not under cloud and not nodata; None if nothing is.
    """
    best = evaluation.ranked()[0]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    leaks = [run for run in evaluation.ranked() if run in evaluation.leaking]
    return environment.get_template("report.html.j2").render(
        study=study,
        attribution=attribution,
        covered=covered,
        best=best,
        run=evaluation.runs[best],
        about=evaluation.about,
        leaks=[(run, evaluation.runs[run].macro.value, evaluation.leaking[run].macro.value) for run in leaks],
        runs=evaluation.table().reset_index().to_dict("records"),
        classes={run: evaluation.class_table(run).to_dict("index") for run in evaluation.ranked()},
        verdicts=verdicts(evaluation, best),
        confused=confused(evaluation, best),
        validated={run: evaluation.validated[run] for run in evaluation.ranked() if run in evaluation.validated},
        validated_pixels=int(next((test.matrix.sum() for test in evaluation.validated.values()), 0)),
        comparison=accuracy.compare(evaluation.runs, evaluation.confidence).to_dict("records"),
        calibration=evaluation.calibration_table().to_dict("index"),
        chosen={run: chosen_settings(evaluation.about[run]) for run in evaluation.ranked()},
        disagreement=accuracy.disagreement(evaluation.runs[best].matrix),
        separation=evaluation.separation,
        notes=evaluation.notes,
        scarce=evaluation.scarce,
        doubt=evaluation.doubt,
        level=f"{evaluation.confidence:.0%}",
        pixels=int(evaluation.runs[best].matrix.sum()),
        figures={name: _embed(figure) for name, figure in vars(pictures).items() if figure is not None},
    )


def _embed(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100, bbox_inches="tight")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
