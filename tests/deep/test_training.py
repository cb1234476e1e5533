"""Training and prediction: learns what can be learnt, from nothing it must not see, and tiles leave no seams."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from scipy import ndimage

from lulc_kit import classes, params, raster
from lulc_kit.deep import networks, results, training
from lulc_kit.errors import LulcError
from lulc_kit.layout import RunLayout
from tests.labelled import labelled

SCHEME = classes.scheme("workflow").subset([1, 3, 5])
SHAPE = (64, 96)


def network(filters=(4, 8), seed=1):
    keras.utils.set_random_seed(seed)
    return networks.fcn(np.zeros(2, np.float32), np.ones(2, np.float32), 3, filters)


def scene(labels=None, seed=1):
    """Squares of three classes that two noisy features tell apart; the left and the right half are the two folds."""
    generator = np.random.default_rng(seed)
    truth = np.kron(generator.integers(0, 3, (8, 12)), np.ones((8, 8), int))
    noise = generator.normal(0, 0.15, (2, *SHAPE))
    stack = np.stack([truth == 0, truth == 1]) * [[[1.0]], [[100.0]]] + noise * [[[1.0]], [[100.0]]]
    stack[0, 30:33, 40:44] = np.nan
    values = np.array([1, 3, 5], np.uint8)[truth]
    if labels is None:
        labels = np.where(generator.random(SHAPE) < 0.6, values, 0)
    fold = np.where(np.arange(SHAPE[1]) < 48, 1, 2) * (labels > 0)
    near = np.abs(np.arange(SHAPE[1]) - 47.5) < 4  # the gap
    train = [(fold > 0) & (fold != k) & ~near for k in (1, 2)]
    box = GeoBox(SHAPE, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    folds = dict(zip(["fold", "train_1", "train_2"], [fold, *train], strict=True))
    features = raster.array(stack.astype(np.float32), box, ["a", "b"]).chunk({"band": 1, "y": 40, "x": 40})
    learnt = training.Scene(features, labelled(scheme=SCHEME, labels=labels, folds=folds, box=box))
    return learnt, values, fold


def parameters(**more):
    defaults = {"run": "t", "patch": 16, "filters": [6], "epochs": 12, "batch": 4, "learning_rate": 0.03}
    return params.FCN(**defaults | more)


@pytest.fixture(scope="module")
def trained():
    learnt, _, _ = scene()
    return results.train_fcn(learnt, parameters())


def test_scene_holds_features_labels_folds_and_what_is_valid():
    learnt, _, fold = scene()
    assert learnt.features.shape == (*SHAPE, 2)
    assert (learnt.folds, learnt.bands) == (2, ["a", "b"])
    missing = np.zeros(SHAPE, bool)
    missing[30:33, 40:44] = True
    np.testing.assert_array_equal(learnt.valid, ~missing)
    assert learnt.trainable.dtype == bool
    assert not learnt.trainable[0][fold == 1].any()


def test_a_network_learns_what_can_be_learnt(trained):
    models, history = trained
    learnt, values, _ = scene()
    image = np.moveaxis(learnt.features, -1, 0)
    for k, model in enumerate(models, 1):
        found = np.array([1, 3, 5])[np.nan_to_num(training.predictor(model)(image)).argmax(axis=0)]
        held_out = (np.arange(SHAPE[1]) < 48 if k == 1 else np.arange(SHAPE[1]) >= 48) & learnt.valid
        assert (found == values)[held_out].mean() > 0.95
    assert history.columns.tolist() == ["fold 1", "fold 2"]
    assert history.index.tolist() == list(range(1, 13)) and history.index.name == "epoch"
    assert (history.iloc[-1] < history.iloc[0] / 2).all()


def test_standardization_is_that_of_the_pixels_that_teach(trained):
    learnt, _, _ = scene()
    for k, model in enumerate(trained[0], 1):
        norm = model.get_layer("standardize")
        teach = learnt.trainable[k - 1] & learnt.valid & (learnt.labels > 0)
        np.testing.assert_allclose(np.ravel(norm.moving_mean), learnt.features[teach].mean(axis=0), rtol=1e-4)
        np.testing.assert_allclose(np.ravel(norm.moving_variance), learnt.features[teach].var(axis=0), rtol=1e-4)


def test_the_same_seed_gives_the_same_networks_and_what_must_not_teach_does_not():
    (learnt, values, _), (same, _, _), (changed, _, _) = (scene() for _ in range(3))
    for one in (learnt, same, changed):
        one.trainable = one.trainable[:1]
    p = parameters(epochs=2)
    first, again = results.train_fcn(learnt, p), results.train_fcn(same, p)
    # Other labels wherever fold 1 must not learn: its test pixels, the gap, no data.
    changed.labels = np.where(learnt.trainable[0] & learnt.valid, learnt.labels, np.array([0, 3, 0, 5, 0, 1])[values])
    assert (changed.labels != learnt.labels).sum() > 1000
    other = results.train_fcn(changed, p)
    for a, b, c in zip(first[0][0].get_weights(), again[0][0].get_weights(), other[0][0].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    assert first[1].equals(again[1])


def test_nodata_in_is_nodata_out_and_only_there(trained):
    image = np.moveaxis(scene()[0].features, -1, 0).copy()
    image[1, 5, 6] = np.inf
    found = training.predictor(trained[0][0])(image)
    missing = ~np.isfinite(image).all(axis=0)
    assert np.isnan(found[:, missing]).all()
    assert found.shape == (3, *SHAPE)
    np.testing.assert_allclose(found[:, ~missing].sum(axis=0), 1, rtol=1e-5)


def test_one_network_predicts_images_of_any_sizes_one_after_the_other():
    model = network()
    one, other = training.predictor(model), training.predictor(model)
    generator = np.random.default_rng(1)
    large, small = (generator.normal(size=(2, *s)).astype(np.float32) for s in ((90, 70), (20, 33)))
    first = one(large)
    assert one(small).shape == (3, 20, 33)
    np.testing.assert_array_equal(other(large), first)
    np.testing.assert_array_equal(one(large), first)


@given(height=st.integers(1, 90), width=st.integers(1, 90), tile=st.sampled_from([8, 16, 40]))
@settings(max_examples=25, deadline=None)
def test_tiles_leave_no_seams_where_the_halo_covers_what_is_seen(height, width, tile):
    image = np.random.default_rng(1).random((height, width, 2)).astype(np.float32)
    seen = 2 * training.HALO + 1

    def mean(block):
        return ndimage.uniform_filter(block, (seen, seen, 0), mode="constant")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "TILE", tile)
        found = training.apply_tiles(image, mean)
    around = np.pad(image, [(training.HALO, training.HALO)] * 2 + [(0, 0)], mode="symmetric")
    expected = mean(around)[training.HALO : -training.HALO, training.HALO : -training.HALO]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_tiles_of_a_network_equal_the_whole_image(monkeypatch):
    model = network((4, 8))  # sees 10 pixels around, fewer than the halo
    image = np.random.default_rng(1).normal(size=(2, 80, 112)).astype(np.float32)
    whole = training.predictor(model)(image)
    for tile in (16, 40):
        monkeypatch.setattr(training, "TILE", tile)
        np.testing.assert_allclose(training.predictor(model)(image), whole, atol=1e-5)
    monkeypatch.setattr(training, "HALO", 2)
    assert np.abs(training.predictor(model)(image) - whole).max() > 1e-4, "with too small a halo there are seams"


def test_a_folder_without_networks_is_refused(tmp_path):
    with pytest.raises(LulcError, match=r"no networks. Run 07_fcn"):
        training.load(RunLayout(tmp_path, "fcn"))
