"""Whole polygons and whole groups."""

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneGroupOut

from lulc_kit.errors import ParameterError, RareClassError
from lulc_kit.labels.splitters import GroupSplit, PolygonSplit
from lulc_kit.labels.splitters.groups import by_place
from tests.labels.splitters.test_base import field


def test_polygons_stay_whole():
    table = field()
    groups = table["patch"]
    for train, test in PolygonSplit(n_splits=3).split(table, table["kind"], groups):
        assert not set(groups.iloc[train]) & set(groups.iloc[test])


def test_samples_without_polygon_are_shared_out_one_by_one():
    points = np.random.default_rng(1).uniform(0, 100, (60, 2))
    numbers = np.r_[np.repeat([5, 6], 10), np.zeros(40, int)]
    units = PolygonSplit().units(points, numbers)
    assert len(set(units.tolist())) == 42 and len(set(units[:10].tolist())) == len(set(units[10:20].tolist())) == 1


@pytest.mark.parametrize("groups", [None, np.zeros(4, int)])
def test_without_polygons_there_is_nothing_to_keep_whole(groups):
    with pytest.raises(ParameterError, match=r"pass their numbers as 'groups'.*use blocks"):
        next(PolygonSplit().split(np.zeros((4, 2)), groups=groups))


def test_leaving_one_group_out_is_scikit_learn_s():
    table = field()
    site = np.random.default_rng(1).choice(["Oder", "Elbe", "Rhein", "Ems"], len(table))
    ours = list(GroupSplit().split(table, table["kind"], site))
    theirs = list(LeaveOneGroupOut().split(table, table["kind"], site))
    assert GroupSplit().get_n_splits(table, groups=site) == len(theirs) == len(ours)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_folds_of_groups_hold_every_class():
    table = field()
    site = (table["patch"] // 20).to_numpy()
    folds = GroupSplit(n_splits=3).assign(table, table["kind"], site)
    assert all(len(set(folds[site == s].tolist())) == 1 for s in np.unique(site))
    assert all(set(table["kind"][folds == k]) == {"forest", "water"} for k in (1, 2, 3))


def test_a_class_of_one_group_cannot_be_tested_and_trained():
    kind, site = np.array(["a", "a", "a", "b"]), np.array([1, 2, 3, 3])
    with pytest.raises(RareClassError, match="no training pixel of b") as caught:
        list(GroupSplit().split(np.zeros((4, 2)), kind, site))
    assert caught.value.classes == ("b",)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        (None, "pass it as 'groups'"),
        (np.array(["x", None, None], object), "2 samples belong to no group"),
        (np.array(["x", "x", "x"]), "belong to one group, 'x'"),
    ],
)
def test_groups_that_are_none(groups, says):
    with pytest.raises(ParameterError, match=says):
        GroupSplit().assign(np.zeros((3, 2)), groups=groups)


def test_more_groups_than_models_one_would_train():
    with pytest.raises(ParameterError, match="300 groups.*Set the number of folds"):
        GroupSplit().assign(np.zeros((300, 2)), groups=np.arange(300))


def test_things_are_numbered_by_where_they_lie():
    points = np.array([[9.0, 0.0], [1.0, 5.0], [2.0, 0.0], [9.0, 0.0]])
    assert by_place(points, np.array([70, 3, 50, 70])).tolist() == [2, 3, 1, 2]
