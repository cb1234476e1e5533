"""A scene: what it holds, statistics of pixels that teach, and memory that does not grow with the features."""

import tracemalloc

import dask.array as da
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes, raster
from lulc_kit.deep import scene
from tests.labelled import labelled

SCHEME = classes.scheme("workflow").subset([1, 3, 5])


def box(shape):
    return GeoBox(shape, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")


def learnt(stack):
    shape = stack.shape[1:]
    labels = np.random.default_rng(1).choice(np.array([0, 1, 3, 5], np.uint8), shape)
    fold = np.where(np.arange(shape[1]) < shape[1] // 2, 1, 2) * (labels > 0)
    folds = {"fold": fold, "block": fold, "train_1": fold == 2, "train_2": fold == 1}
    return scene.Scene(stack, labelled(scheme=SCHEME, labels=labels, folds=folds, box=box(shape)))


@pytest.mark.parametrize("rows", [7, 128])
def test_it_holds_features_labels_folds_and_what_is_valid(rows, monkeypatch):
    monkeypatch.setattr(scene, "ROWS", rows)
    numbers = np.random.default_rng(1).normal(50, 9, (2, 30, 44)).astype(np.float32)
    numbers[0, 3:6, 4:9] = np.nan
    found = learnt(raster.array(numbers, box((30, 44)), ["a", "b"]).chunk({"y": 16, "x": 16}))
    np.testing.assert_array_equal(found.features, np.moveaxis(numbers, 0, -1))
    np.testing.assert_array_equal(found.valid, np.isfinite(numbers).all(axis=0))
    assert (found.folds, found.bands) == (2, ["a", "b"])
    assert found.trainable.dtype == bool and not (found.trainable[0] & (found.fold == 1)).any()
    teaches = found.trainable[0] & found.valid
    mean, variance = found.statistics(teaches)
    np.testing.assert_allclose(mean, numbers[:, teaches].mean(axis=1, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(variance, numbers[:, teaches].var(axis=1, dtype=np.float64), rtol=1e-5)


def test_a_constant_feature_has_a_spread_that_can_be_divided_by():
    found = learnt(raster.array(np.full((1, 8, 8), 3, np.float32), box((8, 8)), ["a"]))
    assert found.statistics(found.valid)[1].tolist() == [pytest.approx(scene.LEAST)]


def test_memory_does_not_grow_with_the_features():
    """64 MB of features, made when they are asked for: copying and measuring them takes a fraction of that."""
    shape = (16, 1024, 1024)
    numbers = da.random.default_rng(1).random(shape, np.float32, chunks=(16, 64, 1024))
    stack = raster.array(numbers, box(shape[1:]), [f"b{i}" for i in range(16)])
    tracemalloc.start()
    try:
        found, valid = scene.scratch(stack)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.shape == (1024, 1024, 16) and valid.all()
    assert 0.4 < float(found[::64, ::64].mean()) < 0.6
    assert peak < 0.5 * 4 * stack.size
