"""Where the labels of notebook 05 come from, and what keeps them apart."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from shapely import box

from lulc_kit import catalog, files, params, raster, steps
from lulc_kit.errors import LulcError
from lulc_kit.labels import results, splits, table
from lulc_kit.labels.sources import Labels
from lulc_kit.labels.splitters import SPLITTERS, BlockSplit, KNNDMSplit, PolygonSplit
from lulc_kit.layout import Layout
from lulc_kit.raster import writing
from lulc_kit.samples import Samples
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


def test_a_table_that_says_no_places_is_refused_with_what_would(layout: Layout, project: Path) -> None:
    (project / "mine.csv").write_text('kind,shape\npine,"POINT(500050 4999900)"\n', encoding="utf-8")
    p = params.Samples.check({"study": "s", "labels": "mine.csv", "field": "kind"}, "05_samples")
    with pytest.raises(LulcError, match=r"mine\.csv is a table.*table_x.*table_class.*\(WKT\): ogr2ogr .*labels\.gpkg"):
        results.read(p, layout, stack())


def test_a_reference_that_notebook_01_was_not_given_is_asked_for(layout: Layout, project: Path) -> None:
    p = params.Samples(**(MINE | {"labels": "reference"}))
    with pytest.raises(LulcError, match="was given no reference"):
        results.read(p, layout, stack())
    catalog.write(layout.catalog, catalog.Catalog([], {"reference": project / "mine.gpkg"}))
    same = results.read(params.Samples(**MINE), layout, stack())
    np.testing.assert_array_equal(results.read(p, layout, stack()).values, same.values)


@pytest.fixture
def near(project: Path) -> Layout:
    """Return a study of two classes in stripes of 60 m, whose stack has bands of 20 m and a texture of 7 pixels.

    An FCN of two levels and an FCN+LSTM of three dates are in its plan.
    """
    found = Layout(project / "outputs/s")
    catalog.write(found.catalog, catalog.Catalog([], {}))
    stripe = np.arange(60) // 6
    shapes = [box(500_000 + 60 * i, 4_999_400, 500_060 + 60 * i, 5_000_000) for i in range(10)]
    table = {"kind": ["pine", "lake"] * 5, "site": ["a"] * 5 + ["b"] * 5}
    gpd.GeoDataFrame(table, geometry=shapes, crs="EPSG:32633").to_file(project / "mine.gpkg")
    noise = np.random.default_rng(1).normal(0, 0.1, (3, 60, 60))
    layers = raster.array((noise + stripe).astype(np.float32), grid((60, 60)), ["B3", "B11", "B8_entropy"])
    writing.write_all([writing.Output(found.stack, layers), writing.Output(found.texture, layers[2:])])
    record = {"step": "04_features", "parameters": {"texture_window": 7}, "started": "", "duration_s": 0.0}
    record |= {"peak_memory_mb": 0.0, "notebook": "", "modules": {}, "versions": {}, "inputs": [], "outputs": []}
    files.write_json(found.record("04_features"), record)
    for step, text in {"07_fcn": "filters: [4, 4]", "08_lstm": "run: lstm\nlength: 3"}.items():
        files.write_text(project / f"params/s/{step}.yaml", f"study: s\n{text}\n")
    return found


def at(layout: Layout, **more: Any) -> tuple[params.Samples, Labels, xr.DataArray, Layout]:
    p = params.Samples(study="s", **MINE | {"folds": 2} | more)
    layers = raster.read(layout.stack)
    return p, results.read(p, layout, layers), layers, layout


def test_the_kit_knows_how_far_features_and_networks_see(near: Layout) -> None:
    """7 pixels: three beyond the middle one. Two levels: 10 pixels; each date of three one more."""
    p, _, layers, _ = at(near)
    expected = {"the pixels of B11": 20, "texture_window": 30, "run fcn": 100, "run lstm": 130}
    assert results.reaches(p, layers, near) == expected
    assert results.gap(p, expected) == 80
    assert results.splitter(*at(near, gap=None)) == BlockSplit(n_splits=2, spacing=640, buffer=130)


def test_a_gap_that_is_seen_across_is_warned_of_with_both_numbers(near: Layout) -> None:
    with pytest.warns(UserWarning, match=r"gap is 110 m, but this reaches farther: run lstm 130 m\."):
        results.splitter(*at(near, gap=110.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        results.splitter(*at(near, gap=140.0))


def test_networks_decide_only_where_the_gap_is_theirs_to_say(near: Layout, project: Path) -> None:
    names = [[f.name for f in steps.of_users(at(near, gap=gap)[0], near)] for gap in (60.0, None)]
    assert [n for n in names[1] if n not in names[0]] == ["07_fcn.yaml", "08_lstm.yaml"]


def test_blocks_of_the_variogram_s_range(near: Layout) -> None:
    """Stripes of 60 m, their values rising from west to east: blocks are wider than a stripe, in whole pixels."""
    splitter = results.splitter(*at(near, block=None, gap=0.0))
    assert isinstance(splitter, BlockSplit)
    assert splitter.spacing % 10 == 0 and 60 <= splitter.spacing <= 600
    assert results.splitter(*at(near, block=None, gap=999.0)).spacing == 999, "never less than the gap"


def test_groups_of_a_field(near: Layout) -> None:
    p, found, layers, _ = at(near, split="groups", group_field="site", folds=None, gap=0.0)
    split = splits.split(found, results.splitter(p, found, layers, near))
    assert (split.fold[:, :30] == 1).all() and (split.fold[:, 30:] == 2).all()
    with pytest.raises(LulcError, match="no field 'region'. It has: kind, site. Set 'group_field'"):
        at(near, split="groups", group_field="region")


@pytest.mark.parametrize("kind", ["polygons", "knndm", "random"])
def test_every_word_has_its_splitter(near: Layout, kind: str) -> None:
    splitter = results.splitter(*at(near, split=kind, gap=140.0))
    assert isinstance(splitter, SPLITTERS[kind])
    if isinstance(splitter, KNNDMSplit):
        assert splitter.prediction is not None
        assert splitter.prediction.min() >= -5 and splitter.prediction.max() <= 595


def test_a_further_split_is_measured_written_and_named(near: Layout) -> None:
    """Stripes side by side: pixels of the random split lie beside each other, those of the polygons do not."""
    p, found, layers, _ = at(near, further_split="polygons", gap=0.0, per_class=30)
    with pytest.warns(UserWarning, match="Too little for a score"):
        found, split = splits.separate(found, BlockSplit(n_splits=2, spacing=300))
    split = results.add_further(split, p, found, layers, near)
    assert split.further is not None and split.further.splitter == PolygonSplit(n_splits=2, buffer=0.0)
    curves, verdict = results.distances(found, split, near)
    assert curves is not None and "Further split, polygons: the test is " in verdict
    assert np.median(curves["test to training, random pixels"]) == 10
    assert (curves["test to training, polygons"] >= 60).all()
    drawn = table.draw(found, split, layers, per_class=30, random_state=1)
    results.write(found, split, drawn, near, verdict, None, curves)
    samples = Samples.read(near)
    assert samples.further == "2 folds of whole polygons" and samples.splits[1] == "further_fold"
    assert set(samples.distances) == set(curves)


def test_a_further_split_that_the_labels_do_not_allow_is_not_made(near: Layout) -> None:
    p, found, layers, _ = at(near, block=300.0, gap=0.0)
    split = splits.split(found, BlockSplit(n_splits=2, spacing=300))
    assert p.further_split == "knndm"
    class_raster = replace(found, source=np.zeros_like(found.source))
    for asked, labels, stack in (
        ({}, class_raster, layers),
        ({}, found, None),
        ({"further_split": "blocks"}, found, layers),
        ({"further_split": None}, found, layers),
    ):
        assert results.add_further(split, p.model_copy(update=asked), labels, stack, near) is split


def test_what_is_known_of_the_split_is_written_and_read(near: Layout) -> None:
    _, found, layers, _ = at(near, block=300.0, gap=0.0, per_class=30)
    with pytest.warns(UserWarning, match="Too little for a score"):
        found, split = splits.separate(found, BlockSplit(n_splits=2, spacing=300))
    curves, verdict = results.distances(found, split, near)
    drawn = table.draw(found, split, layers, per_class=30, random_state=1)
    results.write(found, split, drawn, near, verdict, None, curves)
    samples = Samples.read(near)
    assert curves is not None and set(samples.distances) == set(curves)
    for name, known in curves.items():
        quartiles = np.percentile(known[np.isfinite(known)], [0, 25, 50, 75, 100])
        np.testing.assert_allclose(np.asarray(samples.distances[name])[[0, 25, 50, 75, 100]], quartiles, atol=0.01)
    assert samples.separation == "2 folds of whole 300 m blocks and whole polygons"
    assert samples.notes == (verdict,) and "W = " in verdict
    scarce = pd.DataFrame(samples.scarce)
    pd.testing.assert_frame_equal(scarce, splits.scarce(found, split), check_dtype=False)
    assert set(scarce["class"]) == {"Forest", "Water"} and (scarce["least_units"] > scarce["units"]).all()
