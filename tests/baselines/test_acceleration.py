"""Faster models: the same probabilities as scikit-learn's."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from lulc_kit.baselines import acceleration
from tests import scene

FASTER = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from lulc_kit.baselines import acceleration
from lulc_kit.baselines.estimators import WeightedNeighbours

generator = np.random.default_rng(1)
x = generator.normal(size=(1500, 6)).astype(np.float32)
y = (x[:, :3].sum(axis=1) > 0).astype(np.uint8) + 2 * (x[:, 3] > 0.5).astype(np.uint8) + 1
slow = make_pipeline(StandardScaler(), KNeighborsClassifier(7, algorithm="brute")).fit(x, y)
fast = acceleration.accelerate(slow)
assert fast is not slow, "not accelerated"
pixels = generator.normal(size=(5000, 6)).astype(np.float32)
found = fast.classes_[fast.predict_proba(pixels).argmax(axis=1)]
assert (found == slow.predict(pixels)).mean() >= 0.999
assert list(fast.classes_) == list(slow.classes_)
heavy = make_pipeline(StandardScaler(), WeightedNeighbours(7, algorithm="brute", class_weight="sqrt")).fit(x, y)
close = np.isclose(acceleration.accelerate(heavy).predict_proba(pixels), heavy.predict_proba(pixels)).all(axis=1)
assert close.mean() >= 0.999
assert slow[-1].__class__ is KNeighborsClassifier, "the pipeline given is not left as it is"
with ThreadPoolExecutor(2) as threads:  # as dask computes the blocks of a map
    for again in threads.map(fast.predict_proba, [pixels] * 4):
        np.testing.assert_array_equal(again, fast.predict_proba(pixels))
"""


def test_faster_neighbours_give_the_same_classes():
    if importlib.util.find_spec("sklearnex") is None:
        pytest.skip("scikit-learn-intelex is not installed")
    # In a process of its own: it does not load where TensorFlow was imported first (both bring a libtbb).
    done = subprocess.run([sys.executable, "-c", FASTER], capture_output=True, text=True, env=scene.environment())
    assert (done.returncode, done.stderr) == (0, ""), "nothing is red in the notebook"


def test_calibrated_and_boosted_models_keep_their_probabilities():
    generator = np.random.default_rng(1)
    y = np.resize([1, 3, 5], 150)
    x = (generator.normal(size=(150, 4)) + 0.4 * y[:, None]).astype(np.float32)
    pixels = generator.normal(2, 3, (2000, 4)).astype(np.float32)
    forest, boosting = RandomForestClassifier(9, n_jobs=1), HistGradientBoostingClassifier(max_iter=5)
    for classifier, tolerance in ((forest, 0), (SVC(), 1e-4), (boosting, 0)):
        for method in ("sigmoid", "isotonic"):
            calibrated = CalibratedClassifierCV(classifier, method=method, cv=3, ensemble=False)
            slow = make_pipeline(StandardScaler(), calibrated).fit(x, y)
            before = slow.predict_proba(pixels)
            fast = acceleration.accelerate(slow)
            assert type(fast[-1].calibrated_classifiers_[0].estimator) is not type(classifier)
            close = np.isclose(fast.predict_proba(pixels), before, rtol=0, atol=tolerance).all(axis=1)
            # Isotonic curves have steps: a score on an edge may fall on its other side.
            assert close.mean() > (0.99 if tolerance and method == "isotonic" else 0.9999)
            assert type(slow[-1].calibrated_classifiers_[0].estimator) is type(classifier), "the model is left as it is"
    slow = make_pipeline(StandardScaler(), boosting).fit(x, y)
    np.testing.assert_array_equal(acceleration.accelerate(slow).predict_proba(pixels), slow.predict_proba(pixels))


def test_other_pipelines_are_left_as_they_are():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    assert acceleration.accelerate(pipeline) is pipeline
