"""Support vector machines by products of matrices: scikit-learn's scores."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from lulc_kit.baselines import acceleration


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    classes=st.integers(2, 5),
    options=st.sampled_from([{}, {"C": 30.0, "gamma": 0.2}, {"class_weight": "balanced"}, {"break_ties": True}]),
    shape=st.sampled_from(["ovr", "ovo"]),
)
def test_a_faster_support_vector_machine_gives_the_same_scores(seed, classes, options, shape):
    generator = np.random.default_rng(seed)
    y = 2 * np.resize(np.arange(classes), 120) + 1
    x = (generator.normal(size=(120, 4)) + 0.4 * y[:, None]).astype(np.float32)
    if shape == "ovo":
        options = options | {"break_ties": False}
    slow = make_pipeline(StandardScaler(), SVC(decision_function_shape=shape, **options)).fit(x, y)
    fast = acceleration.accelerate(slow)
    assert fast is not slow
    pixels = generator.normal(2, 3, (5000, 4)).astype(np.float32)
    np.testing.assert_allclose(fast.decision_function(pixels), slow.decision_function(pixels), atol=2e-3)
