"""Trust in runs: errors by dissimilarity, and class sets on folds that had no say; maps and tables alike."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes, files, map_layers, mapping, raster
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import applicability, conformal, trust
from lulc_kit.layout import Layout
from lulc_kit.raster import writing
from lulc_kit.samples import Samples

SHAPE = (40, 60)
BOX = GeoBox(SHAPE, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
SCHEME = classes.scheme("workflow").subset([1, 3, 5])
NAMES = ("NDVI", "B8")


def landscape():
    """Labels (0 on a third), features, folds and blocks of 10 pixels, and class probabilities of two runs."""
    generator = np.random.default_rng(1)
    fields = np.kron(generator.choice([1, 3, 5], (10, 15)), np.ones((4, 4), int)).astype(np.uint8)
    labels = np.where(generator.random(SHAPE) < 0.35, 0, fields).astype(np.uint8)
    features = np.stack([fields + generator.normal(0, 0.6, SHAPE), generator.normal(size=SHAPE)]).astype(np.float32)
    rows, columns = np.indices(SHAPE)
    block = rows // 10 * 6 + columns // 10 + 1
    fold = block % 3 + 1
    likely = {}
    for run, sharp in (("rf", 2.0), ("poor", 0.3)):
        scores = -sharp * np.abs(features[0] - np.array(SCHEME.values)[:, None, None])
        likely[run] = np.exp(scores) / np.exp(scores).sum(axis=0)
    return labels, features, fold, block, likely


def samples(layout):
    return Samples.read(layout)


def study(folder):
    """Write a study with a stack, samples, and the runs rf and poor, whose maps are the cross-validated ones."""
    layout = Layout(folder)
    labels, features, fold, block, likely = landscape()
    labelled = labels > 0
    rows, columns = np.nonzero(labelled)
    rows, columns = rows[::3], columns[::3]
    x, y = 500_005 + 10 * columns, 4_999_995 - 10 * rows
    table = gpd.GeoDataFrame(
        {"label": labels[rows, columns], "fold": fold[rows, columns], "row": rows, "column": columns}
        | {name: features[k][rows, columns] for k, name in enumerate(NAMES)},
        geometry=gpd.points_from_xy(x, y),
        crs=BOX.crs,
    )
    codes = np.stack([fold * labelled, block * labelled]).astype(np.uint32)
    marks = raster.array(labels[None], BOX, ["label"])
    Samples(table, SCHEME, "3 folds of blocks", marks, raster.array(codes, BOX, ["fold", "block"])).write(layout)
    writing.write(layout.stack, raster.array(features, BOX, NAMES))
    for name, probabilities in likely.items():
        run = layout.run(name)
        percent = map_layers.percent(probabilities)
        whole = map_layers.classify(probabilities, SCHEME.values)
        whole[:2, :2] = 0
        percent[:, :2, :2] = 255
        unseen = {"fold": np.where(labelled, whole, 0)}
        writing.write(run.map, raster.array(whole[None], BOX, ["class"]), dtype="uint8", nodata=0)
        writing.write(run.layer("probability"), raster.array(percent, BOX, SCHEME.names), dtype="uint8", nodata=255)
        for layer in ("entropy", "margin"):
            made = map_layers.LAYERS[layer].compute(probabilities.astype(np.float32), SCHEME.values)
            writing.write(run.layer(layer), raster.array(made, BOX, [layer]), dtype="uint8", nodata=255)
        writing.write(run.crossval, raster.array(unseen["fold"][None], BOX, ["fold"]), dtype="uint8", nodata=0)
        held = np.where(labelled, percent, 255).astype(np.uint8)
        named = raster.array(held, BOX, [f"fold {n}" for n in SCHEME.names])
        writing.write(run.crossval_probability, named, dtype="uint8", nodata=255)
        about = {"importance": {"NDVI": 0.4, "B8": -0.01}} if name == "rf" else {}
        mapping.write_about(run, name, NAMES, files.sha256(layout.folds), **about)
    return layout


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return study(tmp_path_factory.mktemp("study") / "s")


@pytest.fixture(scope="module")
def found(layout):
    return trust.examine(layout.run("rf"), samples(layout), error_rate=0.1)


def test_the_space_is_that_of_the_samples_weighed_by_importance(layout, found):
    table = samples(layout).table
    expected = applicability.fit(table[list(NAMES)].to_numpy(), table["fold"].to_numpy(), [0.4, 0])
    assert found.weighted
    np.testing.assert_allclose(found.spaces.index, expected.index)
    assert found.thresholds(SCHEME) == {"all classes": pytest.approx(expected.threshold)}
    plain = trust.examine(layout.run("poor"), samples(layout))
    assert not plain.weighted
    alike = applicability.fit(table[list(NAMES)].to_numpy(), table["fold"].to_numpy())
    np.testing.assert_allclose(plain.spaces.index, alike.index)


def test_of_many_samples_some_are_drawn_and_again_the_same(layout, found):
    few, again = (trust.examine(layout.run("rf"), samples(layout), most=200, seed=3) for _ in range(2))
    assert len(few.spaces.points) == 200 == few.by_index["samples"].sum()
    np.testing.assert_array_equal(few.spaces.points, again.spaces.points)
    assert few.spaces.threshold > found.spaces.threshold  # fewer samples lie farther apart, here and in the map
    pd.testing.assert_frame_equal(few.sets, found.sets)


def test_importances_count_only_if_one_is_worth_something():
    assert trust.weights({"features": ["a", "b"], "importance": {"b": 0.1, "a": -0.2, "all bands": 3}}) == [0, 0.1]
    assert trust.weights({"features": ["a"], "importance": {"a": -0.2}}) is None
    assert trust.weights({"features": ["a"]}) is None


def test_errors_rise_with_dissimilarity_where_they_do():
    generator = np.random.default_rng(2)
    index = generator.random(5000)
    wrong = generator.random(5000) < index / 2
    rows = trust.errors(index, np.where(wrong, 3, 1), np.ones(5000, int))
    assert rows["samples"].tolist() == [500] * 10
    np.testing.assert_allclose(rows["error"], rows["index"] / 2, atol=0.08)
    assert trust.errors(index, np.zeros(5000, int), np.ones(5000, int)).empty
    same = trust.errors(np.ones(40), np.repeat([1, 2], 20), np.ones(40, int))
    assert same[["error", "samples"]].values.tolist() == [[0.5, 40]]


def test_errors_are_those_of_the_cross_validated_map(layout, found):
    table = samples(layout).table
    codes = raster.read_codes(layout.run("rf").crossval).data[0].compute()
    called = codes[table["row"], table["column"]]
    known = called > 0
    assert found.by_index["samples"].sum() == known.sum()
    total = (found.by_index["error"] * found.by_index["samples"]).sum()
    assert total == pytest.approx((called != table["label"])[known].sum())


def test_sets_are_counted_on_all_labelled_pixels_by_limits_from_other_folds(layout, found):
    labels, _, fold, block, _ = landscape()
    percent = raster.read_codes(layout.run("rf").crossval_probability).data.compute()
    flat = [a.ravel() for a in (labels, fold, block)]
    many = percent.reshape(3, -1)
    counts = conformal.count(flat[0], flat[1], many, SCHEME.values, 3)
    expected = conformal.judge(*flat, many, SCHEME.values, conformal.hold(counts, 0.1))
    pd.testing.assert_frame_equal(found.sets, expected, check_dtype=False)
    np.testing.assert_array_equal(found.least, conformal.calibrate(counts.sum(axis=0), 0.1))
    table = found.coverage(SCHEME)
    assert table.index.tolist() == ["Build-up", "Forest", "Water", "all classes"]
    assert table.loc["all classes", "pixels"] == (labels > 0).sum() - (labels[:2, :2] > 0).sum()
    assert table["covered"].between(0.8, 1).all()
    blocks = found.by_block()
    assert len(blocks) == 24 and blocks["pixels"].sum() == table.loc["all classes", "pixels"]


def test_a_poor_run_needs_larger_sets(layout, found):
    poor = trust.examine(layout.run("poor"), samples(layout), error_rate=0.1)
    sizes = [t.coverage(SCHEME).loc["all classes", "mean_size"] for t in (found, poor)]
    assert sizes[0] < sizes[1] <= 3


def test_by_class_each_class_has_a_threshold_of_its_own(layout):
    each = trust.examine(layout.run("rf"), samples(layout), applicability_by_class=True)
    assert list(each.thresholds(SCHEME)) == list(SCHEME.names)
    assert each.by_index["samples"].sum() > 0
    assert json.dumps(each.to_dict(SCHEME))


def test_a_class_in_one_fold_is_named(layout):
    known = samples(layout)
    table = known.table.assign(fold=np.where(known.table["label"] == 5, 1, known.table["fold"]))
    alone = Samples(table, SCHEME, "x", known.labels, known.folds)
    with pytest.raises(LulcError, match="of class Water lie in one fold"):
        trust.examine(layout.run("rf"), alone, applicability_by_class=True)


def test_a_table_is_examined_like_a_map(layout, tmp_path):
    """The same pixels as rows: the same space, the same sets."""
    known = samples(layout)
    table = known.table.drop(columns="geometry").reset_index(drop=True)
    table = pd.DataFrame(table).assign(block=1 + np.arange(len(table)) % 9)
    other = Layout(tmp_path / "t")
    percent = raster.read_codes(layout.run("rf").crossval_probability).data.compute()
    codes = raster.read_codes(layout.run("rf").crossval).data[0].compute()
    at = table["row"].to_numpy(), table["column"].to_numpy()
    known_pixels = codes[at] > 0
    table, at = table[known_pixels].reset_index(drop=True), tuple(a[known_pixels] for a in at)
    rows = pd.DataFrame(
        {"split": "fold", "row": np.arange(len(table)), "fold": table["fold"], "block": table["block"]}
        | {"label": table["label"], "predicted": codes[at]}
        | {f"probability {n}": percent[k][at] / 100 for k, n in enumerate(SCHEME.names)}
    ).sample(frac=1, random_state=1)
    run = other.run("rf")
    with files.replacing(run.crossval_table) as part:
        rows.to_parquet(part)
    mapping.write_about(run, "rf", NAMES, "f")
    found = trust.examine(run, Samples(table, SCHEME, "x", None, None), error_rate=0.1)
    counts = conformal.count(
        table["label"].to_numpy(), table["fold"].to_numpy(), percent[(slice(None), *at)], SCHEME.values, 3
    )
    np.testing.assert_array_equal(found.least, conformal.calibrate(counts.sum(axis=0), 0.1))
    wrong = (codes[at] != table["label"]).sum()
    assert (found.by_index["error"] * found.by_index["samples"]).sum() == pytest.approx(wrong)


def test_a_model_from_elsewhere_is_measured_from_the_samples_that_taught_it(layout):
    """The same samples, moved: what lay near them lies far from those that taught now."""
    here = samples(layout)
    moved = here.table.assign(NDVI=here.table["NDVI"] + 20)
    taught = Samples(moved, SCHEME, "3 folds of blocks", here.labels, here.folds)
    away = trust.examine(layout.run("rf"), here, taught=[taught])
    expected = applicability.fit(moved[list(NAMES)].to_numpy(), moved["fold"].to_numpy(), [0.4, 0])
    assert away.spaces.threshold == pytest.approx(expected.threshold)
    assert away.by_index["index"].min() > 5  # far beyond the threshold, all of them
    assert away.by_index["samples"].sum() == trust.examine(layout.run("rf"), here).by_index["samples"].sum()
    both = trust.examine(layout.run("rf"), here, taught=[taught, here])
    assert both.by_index["index"].max() < 1  # this study's own samples are among those that taught
