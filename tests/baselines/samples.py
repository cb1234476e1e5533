"""A table of samples of three classes for the tests of this room."""

from pathlib import Path

import numpy as np
import pandas as pd

from lulc_kit import params
from lulc_kit.baselines import results
from lulc_kit.layout import Layout
from tests.labelled import labelled

FEATURES = ["B4", "NDVI", "DEM"]


def samples(count=300, seed=1):
    """Three classes of unequal number, folds that differ in their means, and a gap between folds."""
    generator = np.random.default_rng(seed)
    label = generator.choice(np.array([1, 3, 5], np.uint8), count, p=[0.6, 0.3, 0.1])
    fold = generator.integers(1, 4, count).astype(np.uint8)
    data = generator.normal(size=(count, 3)) + label[:, None] * [0.8, -0.5, 0.1] + fold[:, None] * [0, 0, 50]
    table = pd.DataFrame(data.astype(np.float32), columns=FEATURES)
    table["label"], table["fold"] = label, fold
    table["random_fold"] = generator.permutation(np.resize([1, 2, 3], count)).astype(np.uint8)
    table["row"] = table["column"] = table["polygon"] = np.arange(count)
    table["block"] = 10 * fold + generator.integers(0, 6, count)
    table["class"] = label.astype(str)
    for k in (1, 2, 3):
        table[f"train_{k}"] = (fold != k) & (generator.random(count) < 0.8)  # some of the others lie in the gap
    return table


def parameters(model, **more):
    return params.Baselines(run="test", model=model, **{"trees": 15, "neighbours": 5} | more)


def train(table, p):
    return results.train(labelled(table), p, Layout(Path("nowhere")))
