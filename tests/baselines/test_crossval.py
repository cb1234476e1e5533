"""Samples judged by the models that have not seen them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from lulc_kit import classes
from lulc_kit.baselines import crossval

SCHEME = classes.scheme("workflow").subset([1, 3, 5])


@pytest.fixture
def case():
    """Samples in three folds, and a model for each, trained on the two others."""
    generator = np.random.default_rng(1)
    label = generator.choice(SCHEME.values, 90)
    x = (generator.normal(size=(90, 2)) + label[:, None]).astype(np.float32)
    fold = np.resize([1, 2, 3], 90)
    models = [LogisticRegression().fit(x[fold != k], label[fold != k]) for k in (1, 2, 3)]
    return x, label, fold, models


def test_each_sample_is_judged_by_the_model_of_its_fold(case):
    x, label, fold, models = case
    found = crossval.predict_unseen(models, x, fold, SCHEME.values)
    expected = cross_val_predict(LogisticRegression(), x, label, cv=PredefinedSplit(fold), method="predict_proba")
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_is_not_known_stays_so(case):
    x, label, fold, models = case
    models[0] = LogisticRegression().fit(x[label < 5], label[label < 5])
    x[0, 1] = np.nan
    found = crossval.predict_unseen(models, x, fold, SCHEME.values)
    assert np.isnan(found[0]).all(), "a feature is missing"
    assert (found[fold == 1][1:, 2] == 0).all(), "a class that the model has not met"
    np.testing.assert_allclose(found[1:].sum(axis=1), 1, rtol=1e-6)


def test_the_table_has_a_row_for_each_split_and_sample(case):
    x, label, fold, models = case
    samples = pd.DataFrame(x, columns=["B4", "label 2"]).assign(label=label, fold=fold, random_fold=4 - fold, block=7)
    samples["class"] = pd.Categorical([dict(zip(SCHEME.values, SCHEME.names, strict=True))[v] for v in label])
    by_split = {"fold": models, "random_fold": models[::-1]}
    found = crossval.table(samples, ["B4", "label 2"], by_split, SCHEME)
    assert len(found) == 180 and found["split"].value_counts().to_dict() == {"fold": 90, "random_fold": 90}
    one, other = (part for _, part in found.groupby("split"))
    np.testing.assert_array_equal(one["predicted"], other["predicted"], "the folds and the models are both reversed")
    expected = cross_val_predict(LogisticRegression(), x, label, cv=PredefinedSplit(fold))
    np.testing.assert_array_equal(one["predicted"], expected)
    np.testing.assert_array_equal(samples["class"].to_numpy()[one["row"]], one["class"])
    named = one[[f"probability {name}" for name in SCHEME.names]].to_numpy()
    np.testing.assert_array_equal(np.array(SCHEME.values)[named.argmax(axis=1)], one["predicted"])
