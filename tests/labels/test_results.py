"""Where the labels of notebook 05 come from, and how what keeps them apart is said."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from shapely import box

from lulc_kit import catalog, params, raster
from lulc_kit.errors import LulcError
from lulc_kit.labels import results
from lulc_kit.layout import Layout
from tests.rasters import grid


@pytest.fixture
def layout(project: Path) -> Layout:
    """Return a study whose catalog has no reference, beside polygons of a user's own: forest west, water east."""
    polygons = [box(500_000, 4_999_800, 500_100, 5_000_000), box(500_100, 4_999_800, 500_200, 5_000_000)]
    table = gpd.GeoDataFrame({"kind": ["pine", "lake"]}, geometry=polygons, crs="EPSG:32633")
    table.to_file(project / "mine.gpkg")
    found = Layout(project / "outputs/s")
    catalog.write(found.catalog, catalog.Catalog([], {}))
    return found


MINE = {"labels": "mine.gpkg", "field": "kind", "classes": {"Forest": ["pine"], "Water": ["lake"]}}


def stack() -> xr.DataArray:
    """Return two features, one of which is missing in the five rows in the north."""
    numbers = np.ones((2, 20, 20), np.float32)
    numbers[1, :5] = np.nan
    return raster.array(numbers, grid((20, 20)), ["a", "b"]).chunk()


def test_labels_are_those_of_the_file_where_the_stack_has_its_features(layout: Layout) -> None:
    found = results.read(params.Samples(**MINE), layout, stack())
    values = {c.name: c.value for c in found.scheme.classes}
    expected = np.repeat([[values["Forest"]] * 10 + [values["Water"]] * 10], 20, axis=0)
    expected[:5] = 0
    np.testing.assert_array_equal(found.values, expected)


def test_a_reference_that_notebook_01_was_not_given_is_asked_for(layout: Layout, project: Path) -> None:
    p = params.Samples(**(MINE | {"labels": "reference"}))
    with pytest.raises(LulcError, match="was given no reference"):
        results.read(p, layout, stack())
    catalog.write(layout.catalog, catalog.Catalog([], {"reference": project / "mine.gpkg"}))
    same = results.read(params.Samples(**MINE), layout, stack())
    np.testing.assert_array_equal(results.read(p, layout, stack()).values, same.values)


def test_separation_in_words() -> None:
    said = results.separation(params.Samples(folds=3, block=640.0, gap=60.0))
    assert said == "3 folds of whole 640 m blocks and whole polygons, training at least 60 m away from any test pixel"
    assert (
        results.separation(params.Samples(folds=2, block=50.0, gap=0.0, field=None)) == "2 folds of whole 50 m blocks"
    )
