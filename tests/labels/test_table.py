"""The table of samples: each row is a labelled pixel, at its place, with its features."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes, raster
from lulc_kit.labels import splits, table
from lulc_kit.labels.sources import Labels
from lulc_kit.labels.splitters import BlockSplit, PolygonSplit

BOX = GeoBox((60, 50), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")


@pytest.fixture(scope="module")
def labels():
    fields = np.random.default_rng(1).choice([0, 1, 3, 5], (15, 10), p=[0.3, 0.5, 0.15, 0.05])
    values = np.kron(fields, np.ones((4, 5), int)).astype(np.uint8)
    field = np.kron(np.arange(1, 151).reshape(15, 10), np.ones((4, 5), int))
    return Labels(values, (field * (values > 0)).astype(np.uint32), BOX, classes.scheme("workflow"))


@pytest.fixture(scope="module")
def folds(labels):
    return splits.split(labels, BlockSplit(n_splits=3, spacing=50, buffer=20, random_state=1))


@pytest.fixture(scope="module")
def stack():
    data = np.random.default_rng(2).random((2, 60, 50)).astype(np.float32)
    return raster.array(da.from_array(data, (1, 17, 17)), BOX, ["B2", "NDVI"])


def test_each_row_is_a_labelled_pixel_at_its_place(labels, folds, stack):
    rows = table.draw(labels, folds, stack, per_class=10_000, random_state=1)
    assert len(rows) == (labels.values > 0).sum(), "with room for all of them, all are drawn"
    assert not rows.duplicated(["row", "column"]).any()
    r, c = rows["row"].to_numpy(), rows["column"].to_numpy()
    np.testing.assert_array_equal(rows["label"], labels.values[r, c])
    np.testing.assert_array_equal(rows["fold"], folds.fold[r, c])
    np.testing.assert_array_equal(rows["random_fold"], folds.random_fold[r, c])
    np.testing.assert_array_equal(rows["block"], folds.block[r, c])
    np.testing.assert_array_equal(rows["polygon"], r // 4 * 10 + c // 5 + 1)
    for k in (1, 2, 3):
        np.testing.assert_array_equal(rows[f"train_{k}"], folds.trainable[k - 1][r, c])
    for i, band in enumerate(("B2", "NDVI")):
        np.testing.assert_array_equal(rows[band], stack.to_numpy()[i, r, c])
        assert rows[band].dtype == np.float32
    np.testing.assert_allclose(rows.geometry.x, 500_000 + 10 * c + 5)
    np.testing.assert_allclose(rows.geometry.y, 5_000_000 - 10 * r - 5)
    assert rows.crs.to_epsg() == 32633
    names = {1: "Build-up", 3: "Forest", 5: "Water"}
    assert rows["class"].tolist() == [names[v] for v in rows["label"]]


def test_rows_have_the_further_split_too(labels, folds, stack):
    other = splits.split_further(labels, folds, PolygonSplit(n_splits=2, buffer=20))
    rows = table.draw(labels, other, stack, per_class=30, random_state=1)
    r, c = rows["row"].to_numpy(), rows["column"].to_numpy()
    np.testing.assert_array_equal(rows["further_fold"], other.further.fold[r, c])
    for k in (1, 2):
        np.testing.assert_array_equal(rows[f"further_train_{k}"], other.further.trainable[k - 1][r, c])


@pytest.mark.parametrize("per_class", [30, 31, 100])
def test_no_class_has_more_samples_than_asked_for_and_folds_share_evenly(labels, folds, stack, per_class):
    rows = table.draw(labels, folds, stack, per_class=per_class, random_state=1)
    counts = rows.groupby(["label", "fold"]).size().unstack()
    assert (counts.sum(axis=1) <= per_class).all()
    for value in (1, 3, 5):
        for k in (1, 2, 3):
            there = ((labels.values == value) & (folds.fold == k)).sum()
            assert counts.loc[value, k] in {min(there, per_class // 3), min(there, per_class // 3 + 1)}


def test_fewer_samples_than_folds_still_gives_every_class_some(labels, folds, stack):
    rows = table.draw(labels, folds, stack, per_class=2, random_state=1)
    assert rows.groupby("label").size().to_dict() == {1: 2, 3: 2, 5: 2}


def test_the_same_seed_draws_the_same_samples(labels, folds, stack):
    one, same, other = (table.draw(labels, folds, stack, per_class=30, random_state=s) for s in (1, 1, 2))
    assert one.equals(same)
    assert not one[["row", "column"]].equals(other[["row", "column"]])


def test_counts_by_class(labels, folds, stack):
    rows = table.draw(labels, folds, stack, per_class={"Forest": 12, "Water": 30}, random_state=1)
    counts = rows.groupby("label").size()
    assert counts[3] == 12 and counts[5] == 30
    assert counts[1] == (labels.values == 1).sum(), "no number, no limit"


@pytest.mark.parametrize(("allocation", "power"), [("proportional", 1.0), ("sqrt", 0.5), ("balanced", 0.0)])
def test_allocation_by_size(allocation, power):
    """Of 10 000, 2 500 and 100 pixels 300 are drawn: in proportion to size, to its root, or 100 each."""
    sizes = np.array([10_000, 2_500, 100])
    label = np.random.default_rng(1).permutation(np.repeat([1, 3, 5], sizes))
    fold = np.resize([1, 2, 3], len(label))
    chosen = table.choose(label, fold, per_class=100, random_state=1, allocation=allocation)
    expected = 300 * sizes**power / (sizes**power).sum()
    found = np.bincount(label[chosen])[[1, 3, 5]]
    # At least one in each fold; a fold may have fewer of the rarest class than its share.
    assert np.abs(found - np.maximum(expected, 3)).max() <= 5
    assert (np.diff(chosen) > 0).all()


@given(seed=st.integers(0, 1000), most=st.integers(1, 9))
@settings(max_examples=20, deadline=None)
def test_no_polygon_gives_more_than_its_share(seed, most):
    generator = np.random.default_rng(seed)
    polygon = generator.integers(0, 20, 500)
    label, fold = 1 + polygon % 2, 1 + polygon % 3
    chosen = table.choose(label, fold, per_class=500, random_state=seed, polygon=polygon, per_polygon=most)
    counts, there = np.bincount(polygon[chosen], minlength=20), np.bincount(polygon, minlength=20)
    np.testing.assert_array_equal(counts[1:], np.minimum(there, most)[1:])
    assert counts[0] > most, "what belongs to no polygon is not limited"
    np.testing.assert_array_equal(
        chosen, table.choose(label, fold, per_class=500, random_state=seed, polygon=polygon, per_polygon=most)
    )
