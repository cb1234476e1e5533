"""Samples of several studies, each tested by a model of the others."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.neighbors import KNeighborsClassifier

from lulc_kit.baselines import pooling
from lulc_kit.errors import BandError


def table(seed: int, count: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    label = np.resize(np.array([1, 3], np.uint8), count)
    rows = pd.DataFrame({"B4": generator.normal(label, 0.5), "B8": generator.normal(size=count)}, dtype=np.float32)
    return rows.assign(label=label, block=np.arange(count) // 5 + 1)


TABLES = {"a": table(1, 20), "b": table(2, 30), "c": table(3, 10)}
FEATURES = {"a": ["B4", "B8"], "b": ["B8", "B4"], "c": ["B4", "B8"]}


def test_nothing_is_lost_and_no_block_is_shared() -> None:
    pooled = pooling.pool(TABLES, FEATURES)
    assert list(pooled.columns) == ["label", "block", "B4", "B8", "study"]
    assert pooled["study"].value_counts().to_dict() == {"a": 20, "b": 30, "c": 10}
    assert pooled.groupby("block")["study"].nunique().eq(1).all()
    assert pooled["block"].nunique() == sum(t["block"].nunique() for t in TABLES.values())
    np.testing.assert_array_equal(pooled.loc[pooled["study"] == "b", "B4"], TABLES["b"]["B4"])


def test_the_split_is_scikit_learn_s_leave_one_group_out() -> None:
    pooled = pooling.pool(TABLES, FEATURES)
    expected = LeaveOneGroupOut().split(pooled, groups=pooled["study"])
    for rows, (train, _) in zip(pooling.without_each(pooled).values(), expected, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(rows), train)


def test_each_study_is_tested_on_its_own_samples() -> None:
    pooled = pooling.pool({"a": TABLES["a"], "b": TABLES["b"]}, FEATURES)
    always = KNeighborsClassifier(1).fit(np.zeros((1, 2), np.float32), [1])
    exact = KNeighborsClassifier(1).fit(TABLES["b"][["B4", "B8"]].to_numpy(), TABLES["b"]["label"])
    found = pooling.leave_out(pooled, ["B4", "B8"], {"a": always, "b": exact})
    assert found.loc["a"].tolist() == [20, 0.333, 0.5]  # half is right; F1 is 2/3 of the one class, 0 of the other
    assert found.loc["b"].tolist() == [30, 1.0, 1.0]


def test_other_features_are_refused_with_both_lists() -> None:
    with pytest.raises(BandError, match="a: B4, B8\n  b: B4"):
        pooling.pool(TABLES, FEATURES | {"b": ["B4"]})
