"""Gradient boosting in one array: scikit-learn's probabilities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lulc_kit.baselines import acceleration
from lulc_kit.baselines.boosting import Boosting


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    classes=st.integers(2, 5),
    options=st.sampled_from([{}, {"max_leaf_nodes": 3}, {"max_depth": 1}, {"class_weight": "balanced"}]),
)
def test_faster_boosting_gives_the_same_probabilities_to_the_last_bit(seed, classes, options):
    generator = np.random.default_rng(seed)
    # Coarse numbers, so that many lie exactly on a threshold.
    x = generator.integers(0, 20, (150, 3)).astype(np.float32) / 10
    y = np.arange(150) % classes * 2 + 1
    model = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5, random_state=seed, **options)
    slow = make_pipeline(StandardScaler(), model).fit(x, y)
    pixels = np.concatenate([x, generator.uniform(-1, 3, (70, 3)).astype(np.float32)])
    fast = acceleration.accelerate(slow)
    assert fast is not slow
    np.testing.assert_array_equal(fast.predict_proba(pixels), slow.predict_proba(pixels))
    assert list(fast.classes_) == list(slow.classes_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_categories_are_left_to_scikit_learn():
    x = np.repeat([[0.0], [1.0], [2.0]], 30, axis=0)
    y = np.repeat([1, 2, 1], 30)
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features=[0], min_samples_leaf=5).fit(x, y)
    assert not Boosting.fits(model)
    pipeline = make_pipeline(StandardScaler(), model)
    assert acceleration.accelerate(pipeline) is pipeline
