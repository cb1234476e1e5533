"""What shuffling costs: nothing for idle features, everything for the one that counts, families as a whole."""

import numpy as np
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression

from lulc_kit.baselines import importance


class First:
    """Calls a sample by its first feature alone, or by the first two where they are the same."""

    classes_ = np.array([1, 2])

    def __init__(self, columns):
        self.columns = columns

    def predict_proba(self, x):
        second = (x[:, self.columns].mean(axis=1) > 0.5).astype(float)
        return np.column_stack([1 - second, second])


@pytest.fixture
def case():
    generator = np.random.default_rng(1)
    label = np.resize([1, 2], 1000)
    x = generator.normal(size=(1000, 3)).astype(np.float32)
    x[:, 0] = x[:, 1] = label - 1
    return x, label, np.repeat([1, 2], 500)


def test_a_perfect_feature_costs_half_and_an_idle_one_nothing(case):
    x, label, fold = case
    found = importance.permutation([First([0])] * 2, x, label, fold, {"a": [0], "b": [1], "c": [2]}, repeats=9)
    # Shuffled, it is right for half of the samples: macro-F1 falls from 1 to 1/2.
    assert found.loc["a", "loss"] == pytest.approx(0.5, abs=0.02)
    assert found.loc["a", "low"] < found.loc["a", "loss"] < found.loc["a", "high"]
    assert (found.loc[["b", "c"]] == 0).all(axis=None)


def test_features_that_repeat_each_other_are_missed_together(case):
    """By the mean of both, a sample of either class is lost only where both are wrong, or one and the tie breaks it."""
    x, label, fold = case
    groups = {"a": [0], "b": [1], "all": [0, 1]}
    found = importance.permutation([First([0, 1])] * 2, x, label, fold, groups, repeats=9)["loss"]
    assert found["a"] == pytest.approx(found["b"], abs=1e-9) and found["a"] < 0.35
    assert found["all"] == pytest.approx(0.5, abs=0.02), "shuffled together, they still agree with each other"


def test_shuffles_stay_within_a_fold():
    """A feature that only tells the folds apart, each of which has its own model, is worth nothing."""
    fold = np.repeat([1, 2], 200)
    label = np.resize([1, 2], 400)
    x = np.column_stack([10.0 * fold, label + 0.0]).astype(np.float32)
    models = [LogisticRegression(C=100).fit(x[fold == k], label[fold == k]) for k in (1, 2)]
    found = importance.permutation(models, x, label, fold, {"fold": [0], "class": [1]}, repeats=3)["loss"]
    assert found["fold"] == 0 and found["class"] > 0.4


def test_losses_are_those_of_scikit_learn(case):
    x, label, _ = case
    x = x + np.random.default_rng(2).normal(0, 0.5, x.shape).astype(np.float32)
    fold = np.ones(1000, int)
    model = LogisticRegression().fit(x, label)
    expected = permutation_importance(model, x, label, scoring="f1_macro", n_repeats=40, random_state=1)
    found = importance.permutation([model], x, label, fold, {n: [i] for i, n in enumerate("abc")}, repeats=40)
    np.testing.assert_allclose(found["loss"], expected.importances_mean, atol=0.01)


def test_the_same_seed_draws_the_same_rows_of_many(case, monkeypatch):
    x, label, fold = case
    monkeypatch.setattr(importance, "ROWS", 300)
    noisy = x + np.random.default_rng(2).normal(0, 0.5, x.shape).astype(np.float32)
    one, again, other = (
        importance.permutation([First([0])] * 2, noisy, label, fold, {"a": [0]}, seed=seed) for seed in (1, 1, 2)
    )
    assert one.equals(again) and not one.equals(other)
