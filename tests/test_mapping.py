"""Mapping: whatever the blocks, the map is what the model says of each pixel, and no data stays no data."""

import json

import dask.array as da
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lulc_kit import classes, mapping, raster

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


def smooth(values):
    """A predictor that looks three pixels around: the mean of feature 0 is the probability of the first class."""

    def predict(block):
        missing = ~np.isfinite(block).all(axis=0)
        p = ndimage.uniform_filter(np.where(missing, 0, block[0]), 7, mode="mirror")
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


@given(chunk=st.integers(7, 60))
@settings(max_examples=6, deadline=None)
def test_map_does_not_depend_on_blocks(chunk, forest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    data = features()
    mapping.write_map(
        folder / "m.tif", folder / "p.tif", image(data, chunk), mapping.pixelwise(forest, SCHEME.values), SCHEME
    )
    missing = ~np.isfinite(data).all(axis=0)
    expected = np.zeros(missing.shape, np.uint8)
    expected[~missing] = forest.predict(data[:, ~missing].T)
    np.testing.assert_array_equal(read(folder / "m.tif")[0], expected)
    np.testing.assert_array_equal(read(folder / "p.tif") == 255, np.broadcast_to(missing, (3, *missing.shape)))


@pytest.mark.parametrize("chunk", [None, 8, 16, 33])
def test_map_with_halo_does_not_depend_on_blocks(tmp_path, chunk):
    data = features(60, 45)
    predict = smooth(SCHEME.values)
    mapping.write_map(tmp_path / "m.tif", tmp_path / "p.tif", image(data, chunk), predict, SCHEME, halo=6)
    whole = predict(data)
    np.testing.assert_array_equal(read(tmp_path / "m.tif")[0], mapping.classify(whole, SCHEME.values))
    np.testing.assert_array_equal(read(tmp_path / "p.tif"), mapping.percent(whole))


def test_maps_carry_names_colours_and_nodata(tmp_path, forest):
    predictor = mapping.pixelwise(forest, SCHEME.values)
    mapping.write_map(tmp_path / "m.tif", tmp_path / "p.tif", image(features()), predictor, SCHEME, tags={"run": "rf"})
    with rasterio.open(tmp_path / "m.tif") as source:
        assert (source.count, source.nodata, source.dtypes[0]) == (1, 0, "uint8")
        assert source.tags()["classes"] == "1 Build-up; 3 Forest; 5 Water"
        assert source.tags()["run"] == "rf"
        assert [source.colormap(1)[v][:3] for v in (1, 3, 5)] == [c.rgb for c in SCHEME.classes]
    with rasterio.open(tmp_path / "p.tif") as source:
        assert source.descriptions == ("Build-up", "Forest", "Water")
        assert source.nodata == 255
        known = source.read().astype(int)
        known = known[:, (known != 255).all(axis=0)]
        assert (np.abs(known.sum(axis=0) - 100) <= 2).all()


@pytest.mark.parametrize("halo", [0, 6])
def test_crossval_asks_for_each_pixel_only_the_model_that_did_not_see_its_fold(tmp_path, halo):
    rows, columns = 40, 30
    data = features(rows, columns)
    generator = np.random.default_rng(2)
    folds = generator.integers(0, 4, (2, rows, columns)).astype(np.uint32)

    def always(position):
        def predict(block):
            out = np.zeros((3, *block.shape[1:]), np.float32)
            out[position] = 1
            out[:, ~np.isfinite(block).all(axis=0)] = np.nan
            return out

        return predict

    layers = raster.array(da.from_array(folds, (1, 40, 30)), grid(rows, columns), ["random_fold", "fold"])
    predictors = {"fold": [always(0), always(1), always(2)], "random_fold": [always(2), always(1), always(0)]}
    mapping.write_crossval(tmp_path / "c.tif", image(data, 16), layers, predictors, SCHEME, halo=halo)
    assert raster.band_names(tmp_path / "c.tif") == ["fold", "random_fold"]
    valid = np.isfinite(data).all(axis=0)
    found = read(tmp_path / "c.tif")
    np.testing.assert_array_equal(found[0], np.array([0, 1, 3, 5])[folds[1]] * valid)
    np.testing.assert_array_equal(found[1], np.array([0, 5, 3, 1])[folds[0]] * valid)


def test_crossval_with_halo_sees_the_pixels_around(tmp_path):
    data = features(50, 40)
    folds = np.ones((1, 50, 40), np.uint32)
    layers = raster.array(da.from_array(folds, (1, 50, 40)), grid(50, 40), ["fold"])
    predict = smooth(SCHEME.values)
    mapping.write_crossval(tmp_path / "c.tif", image(data, 20), layers, {"fold": [predict]}, SCHEME, halo=6)
    np.testing.assert_array_equal(read(tmp_path / "c.tif")[0], mapping.classify(predict(data), SCHEME.values))


def test_faster_neighbours_give_the_same_classes():
    pytest.importorskip("sklearnex", reason="scikit-learn-intelex is not installed")
    generator = np.random.default_rng(1)
    x = generator.normal(size=(1500, 6)).astype(np.float32)
    y = (x[:, :3].sum(axis=1) > 0).astype(np.uint8) + 2 * (x[:, 3] > 0.5).astype(np.uint8) + 1
    slow = make_pipeline(StandardScaler(), KNeighborsClassifier(7, algorithm="brute")).fit(x, y)
    fast = mapping.accelerated(slow)
    assert type(fast[-1]) is not KNeighborsClassifier
    pixels = generator.normal(size=(5000, 6)).astype(np.float32)
    assert (fast.predict(pixels) == slow.predict(pixels)).mean() >= 0.999
    assert list(fast.classes_) == list(slow.classes_)
    assert slow[-1].__class__ is KNeighborsClassifier, "the pipeline given is left as it is"


def test_other_pipelines_are_left_as_they_are(forest):
    pipeline = make_pipeline(StandardScaler(), forest)
    assert mapping.accelerated(pipeline) is pipeline


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
