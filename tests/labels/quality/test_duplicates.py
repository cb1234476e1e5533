"""Duplicates: groups by hand, and by comparing all with all."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lulc_kit.labels.quality.duplicates import duplicates


def test_places_and_features_are_told_apart():
    features = [[1, 1], [1, 1], [2, 2], [3, 3], [3, 3], [3, 3]]
    places = [[0, 0], [5, 5], [9, 9], [9, 9], [7, 7], [8, 8]]
    found = duplicates(features, ["Water", "Water", "Water", "Forest", "Water", "Forest"], places)
    assert found.loc["same place"].tolist() == [1, 2, 2, "Forest and Water"]
    assert found.loc["same features"].tolist() == [2, 5, 3, "Forest and Water"]


def test_without_any_there_are_none():
    found = duplicates(np.arange(8).reshape(4, 2), list("abab"))
    assert found.index.tolist() == ["same features"] and found.iloc[0].tolist() == [0, 0, 0, ""]


@settings(deadline=None)
@given(arrays(np.float32, st.tuples(st.integers(1, 12), st.just(2)), elements=st.sampled_from([0, 1, 2])), st.data())
def test_as_by_comparing_all_with_all(features, data):
    kinds = data.draw(st.lists(st.sampled_from("ab"), min_size=len(features), max_size=len(features)))
    same = (features[:, None] == features[None]).all(axis=2)
    other = np.array(kinds)[:, None] != np.array(kinds)[None]
    found = duplicates(features, kinds).loc["same features"]
    assert found["samples"] == (same.sum(axis=1) > 1).sum()
    assert found["of different classes"] == (same & other).any(axis=1).sum()
