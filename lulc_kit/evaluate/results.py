"""What notebook 09 reads and leaves behind: the page, its numbers as data, a style beside each map."""

from __future__ import annotations

from lulc_kit import catalog, classes, files, mapping
from lulc_kit.evaluate import report
from lulc_kit.evaluate.report import Pictures
from lulc_kit.evaluate.runs import Evaluation
from lulc_kit.late import xr
from lulc_kit.layout import Layout


def read_maps(judged: Evaluation, layout: Layout) -> dict[str, xr.DataArray] | None:
    """Open the class maps of the runs, best first; None if they have none, as of samples that are a table."""
    maps = {run: mapping.read(layout.run(run), "class") for run in judged.ranked()}
    return {run: codes for run, codes in maps.items() if codes is not None} or None


def covered(codes: xr.DataArray) -> float:
    """Return the part of a class map (0–1) that has a class."""
    return float((codes.data != 0).mean().compute())


def write(judged: Evaluation, pictures: Pictures, study: str, layout: Layout) -> None:
    """Write the report, all numbers as data, and for each map a style for QGIS."""
    maps = read_maps(judged, layout) or {}
    page = report.render(
        judged,
        pictures,
        study=study,
        attribution=catalog.read(layout.catalog).attribution if maps else "",
        covered=covered(maps[judged.ranked()[0]]) if maps else None,
    )
    files.write_text(layout.report, page)
    files.write_json(layout.accuracy, judged.to_dict())
    for run in maps:
        files.write_text(layout.run(run).style, classes.qml(judged.classes))
