"""What notebook 09 reads and leaves behind: the page, its numbers as data, a style beside each map."""

import xarray as xr

from lulc_kit import catalog, classes, files, raster
from lulc_kit.evaluate import report
from lulc_kit.evaluate.report import Pictures
from lulc_kit.evaluate.runs import Evaluation
from lulc_kit.layout import Layout


def read_maps(judged: Evaluation, layout: Layout) -> dict[str, xr.DataArray]:
    """Open the class maps of the runs, best first."""
    return {run: raster.read_codes(layout.run(run).map) for run in judged.ranked()}


def covered(codes: xr.DataArray) -> float:
    """Return the part of a class map (0–1) that has a class."""
    return float((codes.data != 0).mean().compute())


def write(judged: Evaluation, pictures: Pictures, study: str, layout: Layout) -> None:
    """Write the report, all numbers as data, and for each map a style for QGIS."""
    page = report.render(
        judged,
        pictures,
        study=study,
        attribution=catalog.read(layout.catalog).attribution,
        covered=covered(raster.read_codes(layout.run(judged.ranked()[0]).map)),
    )
    files.write_text(layout.report, page)
    files.write_json(layout.accuracy, judged.to_dict())
    for run in judged.ranked():
        files.write_text(layout.run(run).style, classes.qml(judged.classes))
