"""What notebook 09 writes: the page, its numbers, a style beside each map; all found where the layout says."""

import json

import dask.array as da
import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import files, raster
from lulc_kit.evaluate import report, results
from lulc_kit.layout import Layout
from lulc_kit.raster import writing
from tests.evaluate import test_report


def test_covered_counts_pixels_with_a_class():
    box = GeoBox((2, 4), from_origin(0, 0, 10, 10), "EPSG:32633")
    codes = raster.array(np.array([[[0, 1, 5, 0], [1, 1, 1, 1]]], np.uint8), box, ["class"])
    assert results.covered(codes.copy(data=da.from_array(codes.data))) == 0.75


def test_page_numbers_and_styles_are_written(tmp_path):
    layout = Layout(tmp_path)
    judged = test_report.evaluation(other=test_report.GOOD)
    box = GeoBox((2, 4), from_origin(0, 0, 10, 10), "EPSG:32633")
    codes = raster.array(np.array([[[0, 1, 2, 0], [1, 1, 1, 1]]], np.uint8), box, ["class"])
    for run in ("rf", "other"):
        writing.write(layout.run(run).map, codes, dtype="uint8", nodata=0)
    files.write_json(layout.catalog, {"type": "FeatureCollection", "features": [], "lulc:attribution": "Whose data"})
    pictures = report.Pictures(**{key: test_report.Figure(figsize=(1, 1)) for key in test_report.FIGURES})
    results.write(judged, pictures, "havelland", layout)
    text = test_report.Page(layout.report.read_text(encoding="utf-8")).text
    assert "Whose data" in text and "25 % of the scene is cloud" in text
    assert json.loads(layout.accuracy.read_text())["runs"]["rf"]["apart_in_space"]["macro_f1"]
    assert {p.name for p in layout.report.parent.iterdir()} == {"index.html", "accuracy.json"}
    assert all("Marsh" in layout.run(run).style.read_text() for run in ("rf", "other"))
    maps = results.read_maps(judged, layout)
    assert list(maps) == judged.ranked()
    np.testing.assert_array_equal(maps["rf"], codes)
