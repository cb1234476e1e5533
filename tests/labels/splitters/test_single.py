"""Random folds of single samples."""

import numpy as np
import pytest

from lulc_kit.errors import RareClassError
from lulc_kit.labels.splitters import RandomSplit


def test_folds_are_of_one_size_and_each_class_is_dealt_by_itself():
    points = np.random.default_rng(1).uniform(0, 100, (103, 2))
    kind = np.repeat(["a", "b", "c"], [80, 20, 3])
    plain, dealt = RandomSplit(n_splits=3).assign(points), RandomSplit(n_splits=3).assign(points, kind)
    for folds in (plain, dealt):
        assert np.ptp(np.bincount(folds)[1:]) <= 1
    for name in "abc":
        assert np.ptp(np.bincount(dealt[kind == name], minlength=4)[1:]) <= 1


def test_rows_of_words_and_numbers_have_an_order_too():
    rows = [["b", 2.0], ["a", 1.0], ["c", 2.0], ["a", 0.0]]
    folds = RandomSplit(n_splits=2).assign(rows)
    assert RandomSplit(n_splits=2).assign(rows[::-1]).tolist() == folds.tolist()[::-1]


def test_a_class_of_fewer_samples_than_folds_is_refused_by_name():
    with pytest.raises(RareClassError, match="b: fewer samples than the 3 folds"):
        RandomSplit(n_splits=3).assign(np.zeros((7, 2)), list("aaaaabb"))
