"""Classifiers by word or by scikit-learn's name, their settings, and how their classes weigh."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.class_weight import compute_sample_weight

from lulc_kit.baselines import estimators
from lulc_kit.errors import LulcError
from lulc_kit.params.baselines import MODELS

ARGUMENTS = {"neighbours": 5, "trees": 15, "min_leaf": 4, "seed": 9}


def build(model, settings=(), class_weight=None):
    return estimators.build(model, dict(settings), class_weight, **ARGUMENTS)


def test_words_of_the_parameters_are_those_of_the_table():
    assert list(estimators.KINDS) == list(MODELS)


@pytest.mark.parametrize("model", estimators.KINDS)
def test_settings_that_are_tuned_are_settings_there_are(model):
    classifier, _, _ = build(model)
    assert set(estimators.KINDS[model].space) <= set(classifier.get_params()) and estimators.KINDS[model].space


def test_settings_reach_the_classifier_and_its_words():
    forest, title, weight = build("rf", {"max_depth": 7})
    assert (forest.n_estimators, forest.min_samples_leaf, forest.max_depth, forest.random_state) == (15, 4, 7, 9)
    assert title == "random forest of 15 trees, leaves of at least 4, max_depth = 7" and weight == "balanced"
    naive, title, weight = build("sklearn.naive_bayes.GaussianNB", {"var_smoothing": 1e-6})
    assert (type(naive).__name__, naive.var_smoothing) == ("GaussianNB", 1e-6)
    assert (title, weight) == ("sklearn.naive_bayes.GaussianNB, var_smoothing = 1e-06", "none")
    assert build("sklearn.ensemble.ExtraTreesClassifier")[0].random_state == 9


@pytest.mark.parametrize(
    ("model", "settings", "class_weight", "says"),
    [
        ("sklearn.naive_bayes.GausianNB", {}, None, r"no classifier.*Did you mean sklearn\.naive_bayes\.GaussianNB"),
        ("sklearn.linear_model.LinearRegression", {}, None, "no classifier of scikit-learn"),
        ("sklearn.utils.os.system", {}, None, "no classifier of scikit-learn"),
        ("sklearn.externals.anything", {}, None, "no classifier of scikit-learn"),
        ("sklearn.ensemble.VotingClassifier", {}, None, "that stands alone"),
        ("svm", {"gama": 1}, None, "settings: SVC has no gama. It has: C,"),
        ("sklearn.naive_bayes.GaussianNB", {}, "balanced", "cannot weigh classes. Write class_weight: none"),
    ],
)
def test_what_is_no_classifier_or_no_setting_is_refused(model, settings, class_weight, says):
    with pytest.raises(LulcError, match=says):
        build(model, settings, class_weight)


@given(st.lists(st.sampled_from([1, 2, 7]), min_size=2, max_size=60))
def test_balanced_weights_are_scikit_learns_and_sqrt_are_their_roots(label):
    label = np.array(label)
    expected = compute_sample_weight("balanced", label)
    for how, power in (("balanced", 1), ("sqrt", 0.5)):
        weights = estimators.class_weights(label, how)
        np.testing.assert_allclose([weights[v] for v in label], expected**power)
    assert set(estimators.class_weights(label, "none").values()) == {1.0}


def test_weighed_votes_are_the_votes_of_repeated_neighbours():
    """Among 5 neighbours are 3 of 8 samples of class 1, and both of class 2, which count four times: 3 : 8."""
    x, label = np.array([[0.0], [0.1], [0.2], [0.3], [0.4], *[[9.0]] * 5]), np.array([1, 1, 1, 2, 2, *[1] * 5])
    plain = KNeighborsClassifier(5).fit(x, label)
    heavy = estimators.WeightedNeighbours(5, class_weight="balanced").fit(x, label)
    np.testing.assert_allclose(plain.predict_proba([[0.2]]), [[3 / 5, 2 / 5]])
    np.testing.assert_allclose(heavy.predict_proba([[0.2]]), [[3 / 11, 8 / 11]])
    root = estimators.WeightedNeighbours(5, class_weight="sqrt").fit(x, label)
    np.testing.assert_allclose(root.predict_proba([[0.2]]), [[3 / 7, 4 / 7]])
    assert (plain.predict([[0.2]]), heavy.predict([[0.2]])) == ([1], [2])
    assert type(build("knn")[0]) is KNeighborsClassifier
    weighed, _, weight = build("knn", {"weights": "distance"}, "sqrt")
    assert (type(weighed), weighed.n_neighbors, weighed.weights) == (estimators.WeightedNeighbours, 5, "distance")
    assert weight == "sqrt"
