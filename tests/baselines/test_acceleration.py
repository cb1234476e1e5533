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
assert type(fast[-1]) is not KNeighborsClassifier, "not accelerated"
pixels = generator.normal(size=(5000, 6)).astype(np.float32)
assert (fast.predict(pixels) == slow.predict(pixels)).mean() >= 0.999
assert list(fast.classes_) == list(slow.classes_)
assert slow[-1].__class__ is KNeighborsClassifier, "the pipeline given is not left as it is"
"""


def test_faster_neighbours_give_the_same_classes():
    if importlib.util.find_spec("sklearnex") is None:
        pytest.skip("scikit-learn-intelex is not installed")
    # In a process of its own: it does not load where TensorFlow was imported first (both bring a libtbb).
    done = subprocess.run([sys.executable, "-c", FASTER], capture_output=True, text=True, env=scene.environment())
    assert done.returncode == 0, done.stderr


def test_other_pipelines_are_left_as_they_are():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    assert acceleration.accelerate(pipeline) is pipeline
