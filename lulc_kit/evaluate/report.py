"""The report page of a study: one HTML file that needs nothing beside it.

It is made of what notebook 09 left: the numbers (``accuracy.json``, whose schema is ``accuracy.schema.json`` beside
this module), pictures, and what each step recorded of itself. So it can be made anew without computing anything.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from lulc_kit.evaluate import methods, travelled
from lulc_kit.evaluate.accuracy import ENOUGH

FORMAT = "lulc_kit accuracy 2"
"""What ``accuracy.json`` says of itself; the number rises when something that was there is gone or means another."""

RELIABLE, POOR = 0.8, 0.5
"""F1 at or above which a class is called reliable, below which poor."""

LEAST_CONFUSION = 0.005
"""Part of a class's pixels from which on it is said to be taken for another: less would read "0 %"."""

MOST_FILES = 12
"""Files of a step's inputs that the page names; the rest are counted, and stand in the step's record."""


def rank(numbers: Mapping[str, Any]) -> list[str]:
    """Names of the runs, best macro-F1 first."""
    runs = numbers["runs"]
    return sorted(runs, key=lambda r: -runs[r]["apart_in_space"]["macro_f1"]["value"])


def columns(numbers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the splits of the first table, from the one that flatters to the severe one: key in a run, heading."""
    headings = {
        "random_pixels": "random split: flatters",
        "matched": "distance-matched (kNNDM): what the map is asked",
        "apart": "apart in space: transfer, can be severe",
    }
    words = {"apart_in_space": numbers["separation"], "further_split": numbers["further_separation"]}
    kinds = {key: "matched" if "kNNDM" in said else "apart" for key, said in words.items() if said}
    in_space = sorted(kinds, key=lambda key: list(headings).index(kinds[key]))
    found = [(key, headings[kinds[key]]) for key in in_space]
    if len(set(kinds.values())) < len(kinds):
        found = [(key, f"{heading} ({words[key]})") for key, heading in found]
    return [("random_pixels", headings["random_pixels"]), *found]


def verdicts(numbers: Mapping[str, Any], run: str) -> dict[str, list[str]]:
    """Sort the classes of a run by what their F1 says: reliable, in between, poor.

    A class is reliable if the whole interval of its F1 is at or above `RELIABLE`, and poor if its F1 is below `POOR`.
    """
    found: dict[str, list[str]] = {"reliable": [], "between": [], "poor": []}
    for name, row in numbers["runs"][run]["apart_in_space"]["classes"].items():
        f1 = row["f1"]
        kind = "reliable" if f1["low"] >= RELIABLE else ("poor" if f1["value"] < POOR else "between")
        found[kind].append(f"{name} ({f1['value']:.3f})")
    return found


def find_confused(numbers: Mapping[str, Any], run: str, count: int = 3) -> list[str]:
    """Name the pairs of classes that a run confuses most, as parts of the labelled pixels; none if it confuses none."""
    matrix = np.array(numbers["runs"][run]["apart_in_space"]["confusion"])
    names = [row["name"] for row in numbers["classes"]["classes"]]
    parts = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    seen = zip(*np.nonzero(parts >= LEAST_CONFUSION), strict=True)
    pairs = [(parts[i, j], names[i], names[j]) for i, j in seen if i != j]
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


def steps(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lay out what steps recorded of themselves: when, how long, how much memory, parameters, and files by hash."""
    return [
        {
            "step": record["step"],
            "started": record["started"][:16].replace("T", " "),
            "minutes": record["duration_s"] / 60,
            "memory": record["peak_memory_mb"],
            "parameters": {k: v for k, v in record["parameters"].items() if k != "study"},
            "inputs": [(file["path"], file["sha256"]) for file in record["inputs"][:MOST_FILES]],
            "more": max(0, len(record["inputs"]) - MOST_FILES),
        }
        for record in records
    ]


def environment() -> jinja2.Environment:
    """Return the templates: names are escaped, and one that is missing is an error."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    found.filters["estimate"] = lambda e: f"{e['value']:.3f} ({e['low']:.3f}–{e['high']:.3f})"
    found.filters["thousands"] = lambda n: f"{n:,}"
    return found


def render(numbers: Mapping[str, Any], pictures: Mapping[str, Path], records: Sequence[Mapping[str, Any]]) -> str:
    """Return the page.

    Parameters
    ----------
    numbers
        What ``accuracy.json`` holds.
    pictures
        PNG files by name; they become part of the page. Those of maps are called ``map_<run>``.
    records
        What the steps before 09 recorded of themselves (``steps/*.json``), in order.
    """
    order = rank(numbers)
    best = order[0]
    leaks = [run for run in order if "random_pixels" in numbers["runs"][run]]
    names = [row["name"] for row in numbers["classes"]["classes"]]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            n=numbers,
            order=order,
            best=best,
            runs=numbers["runs"],
            leaks=leaks,
            names=names,
            validated=[run for run in order if "independent_test_set" in numbers["runs"][run]],
            verdicts=verdicts(numbers, best),
            confused=find_confused(numbers, best),
            travelled=[travelled.sentence(row) for row in numbers.get("travelled", ())],
            chosen={run: chosen_settings(numbers["runs"][run]["about"]) for run in order},
            columns=columns(numbers),
            apart="kNNDM" not in numbers["separation"] or bool(numbers["further_separation"]),
            matched="kNNDM" in numbers["separation"] + numbers["further_separation"],
            level=f"{numbers['confidence']:.0%}",
            enough=ENOUGH,
            figures={name: embed(path) for name, path in pictures.items()},
            steps=steps(records),
            methods=methods.paragraph(numbers, records),
            sources=methods.sources(numbers, records),
        )
    )


def embed(picture: Path) -> str:
    """Return a PNG file as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")
