"""The learning curve: growing parts of whole polygons, no class lost, tested on the same folds."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lulc_kit.baselines import learning


@pytest.fixture
def case():
    """Sixty polygons of ten rows, each of one class and in one fold, whose noise the rows of a polygon share."""
    generator = np.random.default_rng(1)
    unit = np.repeat(np.arange(1, 61), 10)
    label = np.repeat(np.resize([1, 2, 3], 60), 10)
    fold = np.repeat(np.resize([1, 1, 1, 2, 2, 2], 60), 10)
    x = np.repeat(generator.normal(size=(60, 2)), 10, axis=0) + np.column_stack([label, -label]) * 0.8
    x = (x + generator.normal(0, 0.01, x.shape)).astype(np.float32)
    training = [fold != k for k in (1, 2)]
    models = [make_pipeline(StandardScaler(), LogisticRegression()).fit(x[t], label[t]) for t in training]
    return models, x, label, fold, training, unit


def test_the_curve_ends_at_the_cross_validation_and_begins_lower(case):
    models, x, label, fold, _, _ = case
    found = learning.curve(*case)
    called = np.concatenate([models[0].predict(x[fold == 1]), models[1].predict(x[fold == 2])])
    true = np.concatenate([label[fold == 1], label[fold == 2]])
    assert found.index.name == "polygons" and found.index[-1] == 30
    assert found["mean"].iloc[-1] == pytest.approx(f1_score(true, called, average="macro"))
    assert found["mean"].iloc[0] < found["mean"].iloc[-1] - 0.05
    assert found.index.is_monotonic_increasing
    assert (found["lowest"] <= found["mean"]).all() and (found["mean"] <= found["highest"]).all()


def test_parts_are_of_whole_polygons_and_of_every_class(case):
    *_, label, fold, training, unit = case
    seen = []

    class Watched(LogisticRegression):
        def fit(self, x, y):
            seen.append((x[:, 0].tolist(), y))
            return super().fit(x, y)

    own = unit[:, None].astype(np.float32)  # the feature names the polygon
    learning.curve([Watched(), Watched()], own, label, fold, training, unit)
    sizes = {number: (unit == number).sum() for number in np.unique(unit)}
    for numbers, labels in seen:
        assert set(labels) == {1, 2, 3}
        assert all(numbers.count(n) == sizes[n] for n in set(numbers))
