"""Mapping: whatever the blocks, the map is what the model says of each pixel, and no data stays no data."""

import importlib.util
import json
import subprocess
import sys

import dask.array as da
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from scipy import ndimage, stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lulc_kit import classes, mapping, raster
from lulc_kit.baselines import acceleration
from tests import scene

SCHEME = classes.scheme("workflow").subset([1, 3, 5])


def grid(rows, columns):
    return GeoBox((rows, columns), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")


def image(data, chunk=None):
    data = np.asarray(data, np.float32)
    lazy = data if chunk is None else da.from_array(data, (1, chunk, chunk))
    return raster.array(lazy, grid(*data.shape[1:]), [f"f{i}" for i in range(len(data))])


def features(rows=40, columns=50, seed=1):
    data = np.random.default_rng(seed).random((2, rows, columns)).astype(np.float32)
    data[0, 3:6, 4:9] = np.nan
    data[1, -1, -1] = np.inf
    return data


@pytest.fixture(scope="module")
def forest():
    generator = np.random.default_rng(1)
    x = generator.random((300, 2)).astype(np.float32)
    y = np.where(x[:, 0] > 0.5, 5, np.where(x[:, 1] > 0.5, 3, 1)).astype(np.uint8)
    return RandomForestClassifier(10, random_state=1).fit(x, y)


def smooth(factor):
    """A predictor that looks three pixels around: the mean of feature 0, by a factor, is the first probability."""

    def predict(block):
        missing = ~np.isfinite(block).all(axis=0)
        p = factor * ndimage.uniform_filter(np.where(missing, 0, block[0]), 7, mode="mirror")
        out = np.stack([p, 1 - p, np.zeros_like(p)]).astype(np.float32)
        out[:, missing] = np.nan
        return out

    return predict


def read(path):
    with rasterio.open(path) as source:
        return source.read()


def test_pixelwise_says_of_each_pixel_what_the_estimator_says(forest):
    data = features()
    found = mapping.pixelwise(forest, [5, 1, 4, 3], batch=77)(data)
    missing = ~np.isfinite(data).all(axis=0)
    assert np.isnan(found[:, missing]).all()
    expected = forest.predict_proba(data[:, ~missing].T)  # columns: 1, 3, 5
    np.testing.assert_allclose(found[0][~missing], expected[:, 2], rtol=1e-6)
    np.testing.assert_allclose(found[1][~missing], expected[:, 0], rtol=1e-6)
    np.testing.assert_allclose(found[3][~missing], expected[:, 1], rtol=1e-6)
    assert (found[2][~missing] == 0).all(), "a class the estimator does not know is never likely"


def test_classify_takes_the_likeliest_and_the_first_of_equals():
    probabilities = np.array([[[0.2, 0.5, np.nan]], [[0.3, 0.5, 0.9]], [[0.5, 0.0, 0.1]]], np.float32)
    assert mapping.classify(probabilities, (10, 20, 30)).tolist() == [[30, 10, 0]]


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20))
def test_percent_is_rounded_and_never_the_mark_of_no_data(numbers):
    found = mapping.percent(np.array([numbers], np.float32)).astype(int)[0]
    assert (found <= 100).all()
    assert np.all(np.abs(found - 100 * np.array(numbers)) <= 0.5 + 1e-4)
    assert mapping.percent(np.array([np.nan], np.float32)).tolist() == [255]


def test_entropy_is_0_for_one_class_and_1_for_all_alike():
    probabilities = np.array([[[1, 1 / 3, 0.5, np.nan]], [[0, 1 / 3, 0.5, 0.5]], [[0, 1 / 3, 0, 0.5]]], np.float32)
    found = mapping.entropy(probabilities)[0]
    np.testing.assert_allclose(found, [0, 1, np.log(2) / np.log(3), np.nan], atol=1e-6)
    pixels = np.random.default_rng(1).dirichlet([1, 1, 1, 1], 50).T.astype(np.float32)
    expected = stats.entropy(pixels, base=4, axis=0)
    np.testing.assert_allclose(mapping.entropy(pixels[:, None])[0], expected, atol=1e-5)


@given(chunk=st.integers(7, 60))
@settings(max_examples=6, deadline=None)
def test_map_does_not_depend_on_blocks(chunk, forest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    data = features()
    mapping.write_map(folder, "rf", image(data, chunk), mapping.pixelwise(forest, SCHEME.values), SCHEME, {})
    missing = ~np.isfinite(data).all(axis=0)
    expected = np.zeros(missing.shape, np.uint8)
    expected[~missing] = forest.predict(data[:, ~missing].T)
    np.testing.assert_array_equal(read(folder / "maps/rf.tif")[0], expected)
    probabilities = read(folder / "maps/rf_probability.tif")
    np.testing.assert_array_equal(probabilities == 255, np.broadcast_to(missing, (3, *missing.shape)))
    np.testing.assert_array_equal(read(folder / "maps/rf_entropy.tif")[0] == 255, missing)


def layer(numbers, names):
    return raster.array(da.from_array(numbers, (1, *numbers.shape[1:])), grid(*numbers.shape[1:]), names)


@pytest.mark.parametrize("chunk", [None, 8, 16, 33])
def test_ensemble_with_halo_does_not_depend_on_blocks(tmp_path, chunk):
    data = features(60, 45)
    folds = np.random.default_rng(2).integers(0, 3, (1, 60, 45)).astype(np.uint32)
    single = [smooth(0.6), smooth(1.0)]
    mapping.write_ensemble(tmp_path, "x", image(data, chunk), layer(folds, ["fold"]), single, SCHEME, halo=6)
    each = [predict(data) for predict in single]
    whole = np.mean(each, axis=0)
    np.testing.assert_array_equal(read(tmp_path / "maps/x.tif")[0], mapping.classify(whole, SCHEME.values))
    np.testing.assert_array_equal(read(tmp_path / "maps/x_probability.tif"), mapping.percent(whole))
    np.testing.assert_array_equal(read(tmp_path / "maps/x_entropy.tif")[0], mapping.percent(mapping.entropy(whole)))
    alone = [mapping.classify(e, SCHEME.values) for e in each]
    assert (alone[0] != alone[1]).any()
    expected = np.select([folds[0] == 1, folds[0] == 2], alone)
    np.testing.assert_array_equal(read(tmp_path / "models/x/crossval.tif")[0], expected)


def test_maps_carry_names_colours_and_nodata(tmp_path, forest):
    predictor = mapping.pixelwise(forest, SCHEME.values)
    mapping.write_map(tmp_path, "rf", image(features()), predictor, SCHEME, {"model": "random forest"})
    with rasterio.open(tmp_path / "maps/rf.tif") as source:
        assert (source.count, source.nodata, source.dtypes[0]) == (1, 0, "uint8")
        assert source.tags()["classes"] == "1 Build-up; 3 Forest; 5 Water"
        assert (source.tags()["run"], source.tags()["model"]) == ("rf", "random forest")
        assert [source.colormap(1)[v][:3] for v in (1, 3, 5)] == [c.rgb for c in SCHEME.classes]
    with rasterio.open(tmp_path / "maps/rf_probability.tif") as source:
        assert source.descriptions == ("Build-up", "Forest", "Water")
        assert source.nodata == 255
        known = source.read().astype(int)
        known = known[:, (known != 255).all(axis=0)]
        assert (np.abs(known.sum(axis=0) - 100) <= 2).all()
    with rasterio.open(tmp_path / "maps/rf_entropy.tif") as source:
        assert (source.descriptions, source.nodata) == (("entropy",), 255)


def always(position):
    """A predictor that is sure of one class everywhere."""

    def predict(block):
        out = np.zeros((3, *block.shape[1:]), np.float32)
        out[position] = 1
        out[:, ~np.isfinite(block).all(axis=0)] = np.nan
        return out

    return predict


def test_crossval_asks_for_each_pixel_only_the_model_that_did_not_see_its_fold(tmp_path):
    data = features()
    folds = np.random.default_rng(2).integers(0, 4, (2, 40, 50)).astype(np.uint32)
    predictors = {"fold": [always(0), always(1), always(2)], "random_fold": [always(2), always(1), always(0)]}
    mapping.write_crossval(tmp_path, "x", image(data, 16), layer(folds, ["random_fold", "fold"]), predictors, SCHEME)
    path = tmp_path / "models/x/crossval.tif"
    assert raster.band_names(path) == ["fold", "random_fold"]
    valid = np.isfinite(data).all(axis=0)
    found = read(path)
    np.testing.assert_array_equal(found[0], np.array([0, 1, 3, 5])[folds[1]] * valid)
    np.testing.assert_array_equal(found[1], np.array([0, 5, 3, 1])[folds[0]] * valid)


FASTER = """
import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from lulc_kit.baselines import acceleration

generator = np.random.default_rng(1)
x = generator.normal(size=(1500, 6)).astype(np.float32)
y = (x[:, :3].sum(axis=1) > 0).astype(np.uint8) + 2 * (x[:, 3] > 0.5).astype(np.uint8) + 1
slow = make_pipeline(StandardScaler(), KNeighborsClassifier(7, algorithm="brute")).fit(x, y)
fast = acceleration.accelerated(slow)
assert type(fast[-1]) is not KNeighborsClassifier, "not accelerated"
pixels = generator.normal(size=(5000, 6)).astype(np.float32)
assert (fast.predict(pixels) == slow.predict(pixels)).mean() >= 0.999
assert list(fast.classes_) == list(slow.classes_)
assert slow[-1].__class__ is KNeighborsClassifier, "the pipeline given is not left as it is"
"""


def test_faster_neighbours_give_the_same_classes():
    if importlib.util.find_spec("sklearnex") is None:
        pytest.skip("scikit-learn-intelex is not installed")
    # In a process of its own: it does not load where TensorFlow was imported first (both bring a libtbb).
    done = subprocess.run([sys.executable, "-c", FASTER], capture_output=True, text=True, env=scene.environment())
    assert done.returncode == 0, done.stderr


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    classes=st.integers(1, 5),
    options=st.sampled_from([{}, {"max_leaf_nodes": 9}, {"max_depth": 1}, {"class_weight": "balanced"}]),
)
def test_a_faster_forest_gives_the_same_probabilities_to_the_last_bit(seed, classes, options):
    generator = np.random.default_rng(seed)
    # Coarse numbers, so that many lie exactly on a threshold.
    x = generator.integers(0, 20, (150, 3)).astype(np.float32) / 10
    y = generator.integers(0, classes, 150) * 2 + 1
    forest = RandomForestClassifier(7, random_state=seed, n_jobs=1, **options).fit(x, y)
    pixels = np.concatenate([x, generator.uniform(-1, 3, (70, 3)).astype(np.float32)])
    slow = make_pipeline(StandardScaler(), forest)
    slow[0].fit(x)
    fast = acceleration.accelerated(slow)
    assert fast is not slow
    np.testing.assert_array_equal(fast.predict_proba(pixels), slow.predict_proba(pixels))
    assert list(fast.classes_) == list(slow.classes_)


def test_other_pipelines_are_left_as_they_are():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    assert acceleration.accelerated(pipeline) is pipeline


def test_run_json_says_which_folds_the_run_was_made_with(tmp_path):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples/folds.tif").write_bytes(b"abc")
    mapping.write_run(tmp_path, "rf", "random forest", ("B2", "NDVI"), patch=32)
    assert json.loads((tmp_path / "models/rf/run.json").read_text()) == {
        "run": "rf",
        "model": "random forest",
        "features": ["B2", "NDVI"],
        "folds": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",  # SHA-256 of "abc", FIPS 180-2
        "patch": 32,
    }
