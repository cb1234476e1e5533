"""Several studies on one page: the same run over areas, or several runs over studies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lulc_kit import files
from lulc_kit.errors import FormatError, LulcError
from lulc_kit.evaluate import report
from lulc_kit.layout import Layout


def runs(studies: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Name the runs of all studies: those that most of them have first, then by name.

    Examples
    --------
    >>> runs({"north": {"runs": {"knn": 0, "rf": 0}}, "south": {"runs": {"rf": 0}}})
    ['rf', 'knn']
    """
    names = [name for numbers in studies.values() for name in numbers["runs"]]
    return sorted(set(names), key=lambda name: (-names.count(name), name))


def class_names(studies: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Name the classes of all studies, in the order in which they first occur."""
    return list(dict.fromkeys(row["name"] for n in studies.values() for row in n["classes"]["classes"]))


def render(studies: Mapping[str, Mapping[str, Any]], pictures: Mapping[str, Mapping[str, Path]]) -> str:
    """Return the page.

    Parameters
    ----------
    studies
        By name, what their ``accuracy.json`` holds.
    pictures
        By study and name, the PNG files of their reports: of these the maps are shown, and where care is due.
    """
    shown = {
        study: {name: report.embed(path) for name, path in found.items() if name.startswith(("map_", "care_"))}
        for study, found in pictures.items()
    }
    return (
        report.environment()
        .get_template("compare.html.j2")
        .render(
            studies=studies,
            best={study: report.rank(numbers)[0] for study, numbers in studies.items()},
            runs=runs(studies),
            classes=class_names(studies),
            same_classes=len({str(n["classes"]["classes"]) for n in studies.values()}) == 1,
            levels=sorted({n["confidence"] for n in studies.values()}),
            figures=shown,
        )
    )


def write(layouts: Mapping[str, Layout], target: Path) -> None:
    """Read the numbers and pictures of studies and write the page.

    Raises
    ------
    LulcError
        With fewer than two studies, or one that has no report of this version of the kit.
    """
    if len(layouts) < 2:
        raise LulcError(f"A comparison needs two studies or more; found {', '.join(layouts) or 'none'}.")
    studies, pictures = {}, {}
    for study, layout in layouts.items():
        numbers = files.read_json(layout.accuracy)
        if not isinstance(numbers, dict) or numbers.get("format") != report.FORMAT:
            raise FormatError(
                f"{layout.accuracy} is of another version of the kit. Run 09_evaluate of {study} again "
                f"(lulc run {study} --only 09_evaluate)."
            )
        studies[study] = numbers
        pictures[study] = {
            path.stem: path for path in sorted(layout.picture("x").parent.glob(layout.picture("*").name))
        }
    files.write_text(target, render(studies, pictures))
