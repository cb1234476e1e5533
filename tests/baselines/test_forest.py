"""A forest in one array: scikit-learn's probabilities."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lulc_kit.baselines import acceleration


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
    fast = acceleration.accelerate(slow)
    assert fast is not slow
    np.testing.assert_array_equal(fast.predict_proba(pixels), slow.predict_proba(pixels))
    assert list(fast.classes_) == list(slow.classes_)
