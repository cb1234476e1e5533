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
from sklearn.ensemble import RandomForestClassifier

from lulc_kit import classes, map_layers, mapping, raster
from lulc_kit.errors import LulcError
from lulc_kit.layout import RunLayout

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


def scale(factor):
    """A predictor whose first probability is feature 0 by a factor."""

    def predict(block):
        missing = ~np.isfinite(block).all(axis=0)
        p = factor * np.where(missing, 0, block[0])
        out = np.stack([p, 1 - p, np.zeros_like(p)]).astype(np.float32)
        out[:, missing] = np.nan
        return out

    return predict


def read(path):
    with rasterio.open(path) as source:
        return source.read()


def test_pixelwise_says_of_each_pixel_what_the_estimator_says(forest, monkeypatch):
    monkeypatch.setattr(mapping, "BATCH", 77)
    data = features()
    found = mapping.pixelwise(forest, [5, 1, 4, 3])(data)
    missing = ~np.isfinite(data).all(axis=0)
    assert np.isnan(found[:, missing]).all()
    expected = forest.predict_proba(data[:, ~missing].T)  # columns: 1, 3, 5
    np.testing.assert_allclose(found[0][~missing], expected[:, 2], rtol=1e-6)
    np.testing.assert_allclose(found[1][~missing], expected[:, 0], rtol=1e-6)
    np.testing.assert_allclose(found[3][~missing], expected[:, 1], rtol=1e-6)
    assert (found[2][~missing] == 0).all(), "a class the estimator does not know is never likely"


def whole_map(folder, data, predictor, chunk=None, layers=tuple(map_layers.LAYERS), **tags):
    maps = mapping.predict(image(data, chunk), predictor, {}, None, SCHEME, layers=layers)
    mapping.write(maps, RunLayout(folder, "rf"), SCHEME, tags)


@given(chunk=st.integers(7, 60))
@settings(max_examples=6, deadline=None)
def test_map_does_not_depend_on_blocks(chunk, forest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    data = features()
    whole_map(folder, data, mapping.pixelwise(forest, SCHEME.values), chunk)
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
def test_ensemble_does_not_depend_on_blocks(tmp_path, chunk):
    data = features(60, 45)
    folds = np.random.default_rng(2).integers(0, 3, (1, 60, 45)).astype(np.uint32)
    single = [scale(0.6), scale(1.0)]
    maps = mapping.predict(image(data, chunk), None, {"fold": single}, layer(folds, ["fold"]), SCHEME)
    mapping.write(maps, RunLayout(tmp_path, "x"), SCHEME)
    each = [predict(data) for predict in single]
    whole = np.mean(each, axis=0)
    np.testing.assert_array_equal(read(tmp_path / "maps/x.tif")[0], map_layers.classify(whole, SCHEME.values))
    np.testing.assert_array_equal(read(tmp_path / "maps/x_probability.tif"), map_layers.percent(whole))
    np.testing.assert_array_equal(
        read(tmp_path / "maps/x_entropy.tif")[0], map_layers.percent(map_layers.entropy(whole))
    )
    alone = [map_layers.classify(e, SCHEME.values) for e in each]
    assert (alone[0] != alone[1]).any()
    expected = np.select([folds[0] == 1, folds[0] == 2], alone)
    np.testing.assert_array_equal(read(tmp_path / "models/x/crossval.tif")[0], expected)
    unseen = np.select([folds == 1, folds == 2], [map_layers.percent(e) for e in each], 255)
    np.testing.assert_array_equal(read(tmp_path / "models/x/crossval_probability.tif"), unseen)


def test_maps_carry_names_colours_and_nodata(tmp_path, forest):
    whole_map(tmp_path, features(), mapping.pixelwise(forest, SCHEME.values), model="random forest")
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
    numbers = layer(folds, ["random_fold", "fold"])
    maps = mapping.predict(image(data, 16), always(1), predictors, numbers, SCHEME, layers=["class"])
    mapping.write(maps, RunLayout(tmp_path, "x"), SCHEME)
    assert [f.name for f in (tmp_path / "maps").iterdir()] == ["x.tif"], "only the layer that was asked for"
    path = tmp_path / "models/x/crossval.tif"
    assert raster.band_names(path) == ["fold", "random_fold"]
    valid = np.isfinite(data).all(axis=0)
    found = read(path)
    np.testing.assert_array_equal(found[0], np.array([0, 1, 3, 5])[folds[1]] * valid)
    np.testing.assert_array_equal(found[1], np.array([0, 5, 3, 1])[folds[0]] * valid)
    with rasterio.open(tmp_path / "models/x/crossval_probability.tif") as source:
        assert source.descriptions[:3] == ("fold Build-up", "fold Forest", "fold Water") and source.nodata == 255
        sure = source.read().reshape(2, 3, *valid.shape)
    for percents, codes in zip(sure, found, strict=True):
        np.testing.assert_array_equal(
            percents, np.where(codes == 0, 255, 100 * (codes == np.array([1, 3, 5])[:, None, None]))
        )


def test_an_unknown_layer_is_refused():
    with pytest.raises(LulcError, match="height are unknown. There are: class, "):
        mapping.predict(image(features()), always(1), {}, None, SCHEME, layers=["class", "height"])


def test_another_layer_is_an_entry_in_the_table(tmp_path, monkeypatch):
    margin = map_layers.Layer("margin", "float32", -1, lambda p, values: np.nan_to_num(p[:1] - p[1:2], nan=-1))
    monkeypatch.setitem(map_layers.LAYERS, "margin", margin)
    data = features()
    whole_map(tmp_path, data, always(0), 16, ["class", "margin"])
    expected = np.where(np.isfinite(data).all(axis=0), 1, -1)
    np.testing.assert_array_equal(read(tmp_path / "maps/rf_margin.tif")[0], expected)
    with rasterio.open(tmp_path / "maps/rf_margin.tif") as source:
        assert (source.descriptions, source.nodata, source.dtypes[0]) == (("margin",), -1, "float32")


def test_run_json_says_which_folds_the_run_was_made_with(tmp_path):
    mapping.write_about(RunLayout(tmp_path, "rf"), "random forest", ("B2", "NDVI"), "ba7816bf", patch=32)
    assert json.loads((tmp_path / "models/rf/run.json").read_text()) == {
        "run": "rf",
        "model": "random forest",
        "features": ["B2", "NDVI"],
        "folds": "ba7816bf",
        "patch": 32,
    }
