"""Balance: counts by hand."""

import numpy as np
import pandas as pd

from lulc_kit.labels.quality.balance import balance


def test_samples_polygons_and_blocks_are_counted():
    kinds = pd.Categorical(["b", "b", "b", "a"], ["b", "a", "never"])
    found = balance(kinds, polygons=[4, 4, 9, 0], blocks=[1, 1, 1, 2])
    assert found.index.tolist() == ["b", "a"], "in the classes' own order, those that occur"
    assert found["samples"].tolist() == [3, 1] and found["share"].tolist() == [0.75, 0.25]
    assert found["polygons"].tolist() == [2, 0] and found["blocks"].tolist() == [1, 1]


def test_maps_have_no_polygons():
    assert list(balance(["a", "b"], polygons=np.zeros(2))) == ["samples", "share"]


def test_the_index_of_a_table_says_nothing():
    table = pd.DataFrame({"class": ["a", "b", "b"], "block": [1, 2, 3]}, index=[7, 3, 5])
    assert balance(table["class"], blocks=table["block"])["blocks"].tolist() == [1, 2]
