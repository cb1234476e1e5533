"""KNN and random forest: trained on what they may see, balanced, stored without code, repeatable."""

import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from lulc_kit import params
from lulc_kit.baselines import estimators, results
from lulc_kit.errors import LulcError
from tests.labelled import labelled

FEATURES = ["B4", "NDVI", "DEM"]


def samples(count=300, seed=1):
    """Three classes of unequal number, folds that differ in their means, and a gap between folds."""
    generator = np.random.default_rng(seed)
    label = generator.choice(np.array([1, 3, 5], np.uint8), count, p=[0.6, 0.3, 0.1])
    fold = generator.integers(1, 4, count).astype(np.uint8)
    data = generator.normal(size=(count, 3)) + label[:, None] * [0.8, -0.5, 0.1] + fold[:, None] * [0, 0, 50]
    table = pd.DataFrame(data.astype(np.float32), columns=FEATURES)
    table["label"], table["fold"] = label, fold
    table["random_fold"] = generator.permutation(np.resize([1, 2, 3], count)).astype(np.uint8)
    table["row"] = table["column"] = table["block"] = table["polygon"] = np.arange(count)
    table["class"] = label.astype(str)
    for k in (1, 2, 3):
        table[f"train_{k}"] = (fold != k) & (generator.random(count) < 0.8)  # some of the others lie in the gap
    return table


def parameters(model, **more):
    return params.Baselines(run="test", model=model, trees=15, neighbours=5, **more)


def train(table, p):
    return results.train(labelled(table), p)


@pytest.fixture(scope="module", params=["knn", "rf"])
def model(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(model):
    return train(samples(), parameters(model))


def test_scaler_has_seen_only_the_rows_that_may_train(fitted, model):
    table = samples()
    x, y = table[FEATURES].to_numpy(float), table["label"].to_numpy()

    def expected(rows):
        if model == "rf":
            return x[rows].mean(axis=0)
        # Every class counts as much as the most frequent: repeats are drawn at random, so only nearly.
        return np.mean([x[rows & (y == v)].mean(axis=0) for v in np.unique(y)], axis=0)

    tolerance = 1e-5 if model == "rf" else 0.15
    everything = np.ones(len(table), bool)
    chosen = [(f, table[f"train_{k}"].to_numpy()) for k, f in enumerate(fitted.by_split["fold"], 1)]
    chosen += [(f, (table["random_fold"] != k).to_numpy()) for k, f in enumerate(fitted.by_split["random_fold"], 1)]
    chosen.append((fitted.final, everything))
    assert len(chosen) == 7
    for pipeline, rows in chosen:
        spread = x[rows].std(axis=0)
        assert np.all(np.abs(pipeline[0].mean_ - expected(rows)) <= tolerance * spread)
        if model == "rf":
            np.testing.assert_allclose(pipeline[0].scale_, spread, rtol=1e-5)


def test_neighbours_are_training_rows_only():
    table = samples()
    fitted = train(table, parameters("knn"))
    for k, pipeline in enumerate(fitted.by_split["fold"], 1):
        rows = table.loc[table[f"train_{k}"], FEATURES].to_numpy(float)
        known = pipeline[0].inverse_transform(pipeline[-1]._fit_X.astype(float))
        distance = np.abs(known[:, None] - rows[None]).max(axis=2).min(axis=1)
        assert distance.max() < 1e-3
        labels, counts = np.unique(pipeline[-1]._y, return_counts=True)
        assert len(labels) == 3 and len(set(counts)) == 1, "balanced"


@given(st.lists(st.integers(1, 4), min_size=1, max_size=60), st.integers(0, 100))
def test_balance_repeats_rows_until_all_classes_are_equally_frequent(label, seed):
    label = np.array(label)
    rows = estimators.balance(label, seed)
    values, counts = np.unique(label, return_counts=True)
    np.testing.assert_array_equal(np.unique(label[rows], return_counts=True), (values, [counts.max()] * len(values)))
    assert set(rows) == set(range(len(label))), "no row is lost"
    np.testing.assert_array_equal(rows, estimators.balance(label, seed))


def test_forest_weighs_classes_and_neighbours_vote_as_asked_for():
    forest = estimators.KINDS["rf"].build(trees=15, min_leaf=4, seed=9)
    assert (forest.class_weight, forest.n_estimators, forest.min_samples_leaf) == ("balanced", 15, 4)
    assert forest.random_state == 9
    assert estimators.KINDS["knn"].build(neighbours=5).n_neighbors == 5


def test_another_classifier_is_an_entry_in_the_table(monkeypatch):
    kind = estimators.Kind(lambda seed: LogisticRegression(random_state=seed), "logistic regression, seed {seed}")
    monkeypatch.setitem(estimators.KINDS, "rf", kind)
    fitted = train(samples(), parameters("rf", seed=7))
    assert isinstance(fitted.final[-1], LogisticRegression) and fitted.final[-1].random_state == 7
    assert [len(models) for models in fitted.by_split.values()] == [3, 3]


def test_features_are_the_table_s_or_those_wanted_in_their_order(model):
    table = samples()
    fitted = train(table, parameters(model, features=["NDVI", "B4"]))
    assert fitted.features == ("NDVI", "B4")
    assert fitted.final[0].mean_.shape == (2,)
    assert fitted.final[0].mean_[0] < 0 < fitted.final[0].mean_[1], "NDVI falls with the class value, B4 rises"
    with pytest.raises(LulcError, match=r"B9 are not in the samples.*B4, NDVI, DEM"):
        train(table, parameters(model, features=["B4", "B9"]))


def test_more_neighbours_than_samples_is_refused():
    with pytest.raises(LulcError, match=r"fewer than neighbours: 1000"):
        train(samples(), params.Baselines(run="x", model="knn", neighbours=1000))


def test_the_same_seed_gives_the_same_predictions_and_another_seed_another_forest(fitted, model):
    table = samples()
    pixels = np.random.default_rng(5).normal(2, 3, (500, 3)).astype(np.float32) + np.float32([0, 0, 100])
    again = train(table, parameters(model))
    np.testing.assert_array_equal(fitted.final.predict_proba(pixels), again.final.predict_proba(pixels))
    other = train(table, parameters(model, seed=2))
    assert (fitted.final.predict_proba(pixels) != other.final.predict_proba(pixels)).any()


def test_stored_and_loaded_models_predict_the_same(fitted, tmp_path):
    pixels = np.random.default_rng(5).normal(2, 3, (500, 3)).astype(np.float32)
    estimators.save(fitted.final, tmp_path / "models/model.skops")
    assert [p.name for p in (tmp_path / "models").iterdir()] == ["model.skops"]
    loaded = estimators.load(tmp_path / "models/model.skops")
    np.testing.assert_array_equal(loaded.predict_proba(pixels), fitted.final.predict_proba(pixels))


@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
def test_neighbours_searched_in_a_tree_can_be_loaded_too(tmp_path, algorithm):
    table = samples()
    x, y = table[FEATURES].to_numpy(), table["label"].to_numpy()
    pipeline = make_pipeline(StandardScaler(), KNeighborsClassifier(3, algorithm=algorithm)).fit(x, y)
    estimators.save(pipeline, tmp_path / "m.skops")
    np.testing.assert_array_equal(estimators.load(tmp_path / "m.skops").predict(x), pipeline.predict(x))


def _innocent(x):
    return x


@pytest.mark.parametrize(
    "step", [FunctionTransformer(_innocent), FunctionTransformer(zipfile.ZipFile)], ids=["own function", "library"]
)
def test_a_file_that_holds_anything_else_is_not_loaded(tmp_path, step):
    pipeline = make_pipeline(step, LogisticRegression())
    skops.io.dump(pipeline, tmp_path / "m.skops")
    with pytest.raises(LulcError, match="never writes. It is not loaded"):
        estimators.load(tmp_path / "m.skops")


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "m.skops").write_bytes(b"\x80\x04 not a zip archive")
    with pytest.raises(LulcError, match="m.skops"):
        estimators.load(tmp_path / "m.skops")
    with pytest.raises(LulcError, match="m2.skops"):
        estimators.load(tmp_path / "m2.skops")


def test_importances_name_the_feature_that_tells_the_classes_apart():
    generator = np.random.default_rng(1)
    table = samples()
    table[["B4", "DEM"]] = generator.normal(size=(len(table), 2)).astype(np.float32)
    table["NDVI"] = table["label"].astype(np.float32)
    found = estimators.importances(train(table, parameters("rf")))
    assert found.index[0] == "NDVI"
    assert found.sum() == pytest.approx(1)
    assert found.is_monotonic_decreasing
    assert estimators.importances(train(table, parameters("knn"))) is None
