"""Faster models: the same probabilities as scikit-learn's."""

import importlib.util
import subprocess
import sys

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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


def test_other_pipelines_are_left_as_they_are():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    assert acceleration.accelerate(pipeline) is pipeline
