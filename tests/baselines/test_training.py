"""Training on what may train, weighed, tuned and calibrated inside it, repeatable."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from lulc_kit.baselines import estimators, training
from lulc_kit.baselines.training import Recipe
from lulc_kit.errors import LulcError
from tests.baselines.samples import FEATURES, parameters, samples, train


@pytest.fixture(scope="module", params=["knn", "rf", "hgb", "svm", "logreg", "sklearn.naive_bayes.GaussianNB"])
def model(request):
    return request.param


@pytest.fixture(scope="module")
def quick(model):
    """The model's parameters; few trees where they are many."""
    return parameters(model, settings={"max_iter": 5} if model == "hgb" else {})


@pytest.fixture(scope="module")
def fitted(quick):
    return train(samples(), quick)


def test_scaler_has_seen_only_the_rows_that_may_train(fitted):
    table = samples()
    x = table[FEATURES].to_numpy(float)
    chosen = [(f, table[f"train_{k}"].to_numpy()) for k, f in enumerate(fitted.by_split["fold"], 1)]
    chosen += [(f, (table["random_fold"] != k).to_numpy()) for k, f in enumerate(fitted.by_split["random_fold"], 1)]
    chosen.append((fitted.final, np.ones(len(table), bool)))
    assert len(chosen) == 7
    for pipeline, rows in chosen:
        np.testing.assert_allclose(pipeline[0].mean_, x[rows].mean(axis=0), rtol=1e-4)
        np.testing.assert_allclose(pipeline[0].scale_, x[rows].std(axis=0), rtol=1e-4)


def test_neighbours_are_training_rows_only_and_each_once():
    table = samples()
    fitted = train(table, parameters("knn"))
    for k, pipeline in enumerate(fitted.by_split["fold"], 1):
        rows = table.loc[table[f"train_{k}"], FEATURES].to_numpy(float)
        known = pipeline[0].inverse_transform(pipeline[-1]._fit_X.astype(float))
        np.testing.assert_allclose(known, rows, atol=1e-3)


def test_the_forest_is_that_of_scikit_learn_with_balanced_classes():
    table = samples()
    x, y = table[FEATURES].to_numpy(np.float32), table["label"].to_numpy()
    forest = RandomForestClassifier(15, min_samples_leaf=3, class_weight="balanced", random_state=1)
    expected = make_pipeline(StandardScaler(), forest).fit(x, y)
    found = train(table, parameters("rf")).final
    np.testing.assert_array_equal(found.predict_proba(x), expected.predict_proba(x))
    plain = train(table, parameters("rf", class_weight="none")).final
    assert (plain.predict_proba(x) != expected.predict_proba(x)).any()


@pytest.mark.parametrize("how", ["balanced", "sqrt"])
def test_weights_of_classes_are_weights_of_samples(how):
    """Also in gradient boosting, which looks the weights up by position."""
    table = samples()
    x, y = table[FEATURES].to_numpy(np.float32), table["label"].to_numpy()
    weight = compute_sample_weight("balanced", y) ** {"balanced": 1, "sqrt": 0.5}[how]
    boosting = HistGradientBoostingClassifier(max_iter=5, early_stopping=False, random_state=1)
    expected = make_pipeline(StandardScaler(), boosting)
    expected.fit(x, y, histgradientboostingclassifier__sample_weight=weight)
    recipe = Recipe(clone(boosting), class_weight=how)
    found, _ = training.fit(x, y, table["block"].to_numpy(), recipe)
    np.testing.assert_allclose(found.predict_proba(x), expected.predict_proba(x), rtol=1e-6)


def test_probabilities_are_there_for_every_kind(fitted):
    found = fitted.final.predict_proba(samples()[FEATURES].to_numpy(np.float32))
    assert found.shape == (300, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    assert fitted.chosen is None


def test_the_same_seed_gives_the_same_models(fitted, model, quick):
    table = samples()
    pixels = np.random.default_rng(5).normal(2, 3, (500, 3)).astype(np.float32) + np.float32([0, 0, 100])
    again = train(table, quick)
    np.testing.assert_array_equal(fitted.final.predict_proba(pixels), again.final.predict_proba(pixels))
    if model == "rf":
        other = train(table, parameters(model, seed=2))
        assert (fitted.final.predict_proba(pixels) != other.final.predict_proba(pixels)).any()


def test_features_are_the_table_s_or_those_wanted_in_their_order():
    fitted = train(samples(), parameters("rf", features=["NDVI", "B4"]))
    assert fitted.features == ("NDVI", "B4")
    assert fitted.final[0].mean_[0] < 0 < fitted.final[0].mean_[1], "NDVI falls with the class value, B4 rises"


def test_what_cannot_train_is_refused_in_words():
    table = samples()
    with pytest.raises(LulcError, match=r"fewer than neighbours: 1000"):
        train(table, parameters("knn", neighbours=1000))
    with pytest.raises(LulcError, match=r"cannot train MLPClassifier.*activation"):
        train(table, parameters("sklearn.neural_network.MLPClassifier", settings={"activation": "none such"}))
    with pytest.raises(LulcError, match=r"2 of 300 samples have no number in NDVI\. Name the other features"):
        train(table.assign(NDVI=table["NDVI"].where(table.index > 1)), parameters("rf"))
    with pytest.raises(LulcError, match=r"sqrt does not go with calibration.*Write class_weight: balanced or none"):
        train(table, parameters("svm", class_weight="sqrt"))
    rare = table.index[table["label"] == 5]
    few = table.drop(index=rare[1:])
    with pytest.raises(LulcError, match=r"class of value 5 too few.*1 sample\(s\).*tune: 0 and calibrate: none"):
        train(few, parameters("rf", tune=2))


def test_inner_folds_hold_whole_blocks_and_train_on_every_class():
    table = samples()
    label, block = table["label"].to_numpy(), table["block"].to_numpy()
    folds = training.inner_folds(label, block, 1)
    assert np.array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(len(table)))
    for rows, test in folds:
        assert not set(block[rows]) & set(block[test])
        assert set(label[rows]) == {1, 3, 5}
    # Samples of a class in one block are shared out one by one, those of others stay together.
    block = np.where(label == 5, 7, block)
    for rows, test in training.inner_folds(label, block, 1):
        assert set(label[rows]) == {1, 3, 5} and 5 in label[test]
        common = set(block[rows]) & set(block[test])
        assert common <= {7}


def test_tuning_finds_what_wins_on_blocks_set_aside_and_is_told_of_nothing_else():
    """Neighbours within a block share their noise: one neighbour wins on random rows, many win on other blocks."""
    generator = np.random.default_rng(1)
    block = np.repeat(np.arange(60), 10)
    label = np.repeat(generator.integers(1, 3, 60), 10)
    x = (np.repeat(generator.normal(size=60), 10) + 0.7 * label + generator.normal(0, 1e-3, 600))[:, None]
    x = x.astype(np.float32)
    recipe = Recipe(estimators.KINDS["knn"].build(5), space={"n_neighbors": [1, 101]}, candidates=2)
    found, chosen = training.fit(x, label, block, recipe)
    assert chosen == {"n_neighbors": 101} and found[-1].n_neighbors == 101
    _, chosen = training.fit(x, label, np.arange(600), recipe)
    assert chosen == {"n_neighbors": 1}, "with every row a block of its own, the near-copies leak"


def test_the_choice_is_that_of_a_cross_validation_by_hand():
    table = samples()
    x, y, block = table[FEATURES].to_numpy(np.float32), table["label"].to_numpy(), table["block"].to_numpy()
    space = {"C": [1e-4, 1e-2, 1.0]}
    recipe = Recipe(LogisticRegression(max_iter=5000), space=space, candidates=3)
    _, chosen = training.fit(x, y, block, recipe)
    folds = training.inner_folds(y, block, 1)

    def score(c):
        machine = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000, C=c))
        scores = [f1_score(y[b], clone(machine).fit(x[a], y[a]).predict(x[b]), average="macro") for a, b in folds]
        return np.mean(scores)

    assert chosen["C"] == max(space["C"], key=score)


def test_each_fold_chooses_for_itself_and_its_choice_is_used():
    fitted = train(samples(), parameters("logreg", tune=4))
    assert fitted.chosen.index.tolist() == [
        "all samples",
        *(f"{s} {k}" for s in ("fold", "random_fold") for k in (1, 2, 3)),
    ]
    for k, model in enumerate(fitted.by_split["fold"], 1):
        assert model[-1].C == fitted.chosen.loc[f"fold {k}", "C"]
    assert fitted.final[-1].C == fitted.chosen.loc["all samples", "C"]


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_is_scikit_learns_on_inner_folds(method):
    table = samples()
    x, y, block = table[FEATURES].to_numpy(np.float32), table["label"].to_numpy(), table["block"].to_numpy()
    found, _ = training.fit(x, y, block, Recipe(LogisticRegression(), calibrate=method))
    folds = training.inner_folds(y, block, 1)
    scaled = StandardScaler().fit_transform(x)
    expected = CalibratedClassifierCV(LogisticRegression(), method=method, cv=folds, ensemble=False).fit(scaled, y)
    np.testing.assert_allclose(found.predict_proba(x), expected.predict_proba(scaled), atol=1e-6)
    assert found[-1].cv is None
