"""Splitters outside the kit: on coordinates, in scikit-learn's own cross-validation."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import check_cv, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from lulc_kit.errors import LulcError
from lulc_kit.labels.splitters import SPLITTERS, BlockSplit, GroupSplit, RandomSplit
from lulc_kit.labels.splitters.base import centre


def field(seed=1, count=400):
    """Points in a square kilometre whose feature follows the place, not the class: only neighbours help."""
    generator = np.random.default_rng(seed)
    x, y = generator.uniform(0, 1000, (2, count))
    patch = (x // 50).astype(int) * 20 + (y // 50).astype(int)
    kind = generator.permutation(np.resize(["forest", "water"], 400))[patch]
    table = {"kind": kind, "feature": patch + generator.normal(0, 0.1, count), "patch": patch + 1}
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(500_000 + x, 5_000_000 + y), crs="EPSG:32633")


@given(seed=st.integers(0, 500), n_splits=st.integers(2, 4), buffer=st.sampled_from([0.0, 15.0, 40.0]))
@settings(max_examples=20, deadline=None)
def test_folds_hold_every_class_whole_blocks_and_the_buffer(seed, n_splits, buffer):
    table = field(seed)
    points = np.column_stack([table.geometry.x, table.geometry.y])
    block = list(zip(*(points // 100).astype(int).T, strict=True))
    splitter = BlockSplit(n_splits=n_splits, spacing=100, buffer=buffer, random_state=seed)
    tested = []
    for train, test in splitter.split(points, table["kind"]):
        assert set(table["kind"].iloc[test]) == set(table["kind"].iloc[train]) == {"forest", "water"}
        assert not {block[i] for i in train} & {block[i] for i in test}
        others = np.setdiff1d(np.arange(len(table)), test)
        near = cdist(points[others], points[test]).min(axis=1)
        assert train.tolist() == others[near >= buffer].tolist(), "no sample is left out that need not be"
        tested += test.tolist()
    assert sorted(tested) == list(range(len(table)))


EVERYWHERE = np.random.default_rng(5).uniform((500_000, 5_000_000), (501_000, 5_001_000), (300, 2))


def made(name, **options):
    """A splitter of each kind."""
    more = {"prediction": EVERYWHERE} if name == "knndm" else {"spacing": 100.0} if name == "blocks" else {}
    return SPLITTERS[name](**more | options)


@pytest.mark.parametrize("name", SPLITTERS)
@given(seed=st.integers(0, 500))
@settings(max_examples=8, deadline=None)
def test_folds_do_not_depend_on_the_order_of_rows(name, seed):
    """Nor, for polygons, on their numbers: files may come in any order."""
    table = field(seed, 200)
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(table))
    splitter = made(name, n_splits=3, random_state=seed)
    first = splitter.assign(table, table["kind"], table["patch"])
    mixed = table.iloc[rows]
    np.testing.assert_array_equal(splitter.assign(mixed, mixed["kind"], mixed["patch"]), first[rows])
    if name != "groups":  # which go by their names
        renamed = generator.permutation(401)[mixed["patch"]] + 1
        np.testing.assert_array_equal(splitter.assign(mixed, mixed["kind"], renamed), first[rows])


@pytest.mark.parametrize("name", SPLITTERS)
@given(seed=st.integers(0, 500), n_splits=st.integers(2, 4))
@settings(max_examples=8, deadline=None)
def test_no_class_is_lost_no_sample_tested_twice_and_the_buffer_kept(name, seed, n_splits):
    table = field(seed, 200)
    points = np.column_stack([table.geometry.x, table.geometry.y])
    buffer = 0.0 if name == "random" else 12.0
    splitter = made(name, n_splits=n_splits, random_state=seed, **({"buffer": buffer} if buffer else {}))
    tested = []
    for train, test in splitter.split(table, table["kind"], table["patch"]):
        assert set(table["kind"].iloc[test]) == set(table["kind"].iloc[train]) == {"forest", "water"}
        assert cdist(points[train], points[test]).min() >= buffer
        if name != "random":
            assert not set(table["patch"].iloc[train]) & set(table["patch"].iloc[test])
        tested += test.tolist()
    assert sorted(tested) == list(range(len(table)))


@pytest.mark.parametrize("name", SPLITTERS)
def test_every_splitter_is_one_of_scikit_learn_s(name):
    splitter = made(name, n_splits=3)
    table = field()
    assert check_cv(splitter) is splitter and splitter.get_n_splits() == 3
    model = make_pipeline(make_column_transformer(("passthrough", ["feature"])), RandomForestClassifier(5))
    scores = cross_val_score(model, table, table["kind"], groups=table["patch"], cv=splitter)
    assert len(scores) == 3 and np.isfinite(scores).all()
    one, again = (list(splitter.split(table, table["kind"], table["patch"])) for _ in range(2))
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a[1], b[1])


def test_a_random_split_flatters_and_blocks_do_not():
    table = field(count=2000)
    x, y = table[["feature"]], table["kind"]

    def score(splitter):
        return cross_val_score(KNeighborsClassifier(1), x, y, cv=list(splitter.split(table, y))).mean()

    assert score(RandomSplit()) > 0.9
    assert score(BlockSplit(spacing=100)) < 0.7, "the classes of the patches are tossed: nothing can be learnt"


def test_samples_without_classes_are_split_too():
    points = np.random.default_rng(1).uniform(0, 1000, (50, 2))
    assert sum(len(test) for _, test in BlockSplit(spacing=100).split(points)) == 50


def test_a_buffer_that_leaves_nothing_of_a_class_is_refused():
    points = np.column_stack([np.arange(8) * 100.0, np.zeros(8)])
    kind = pd.Series(["a", "b"] * 4)
    with pytest.raises(LulcError, match=r"gap of 5000 m no training pixel of a, b is left when fold 1"):
        next(BlockSplit(n_splits=2, spacing=200, buffer=5000).split(points, kind))


def test_points_that_are_none_and_points_in_degrees_are_refused():
    with pytest.raises(LulcError, match=r"array of shape \(5,\)"):
        next(BlockSplit().split(np.zeros(5)))
    with pytest.raises(LulcError, match="in degrees"):
        next(BlockSplit().split(field().to_crs("EPSG:4326")))


def test_a_sample_without_polygon_stands_for_itself():
    points = np.array([[0.0, 0.0], [10.0, 20.0], [5.0, 5.0], [7.0, 1.0]])
    assert centre(points, np.array([3, 3, 0, 0])).tolist() == [[5, 10], [5, 10], [5, 5], [7, 1]]
    assert centre(points, None) is points


def test_folds_of_a_table_without_coordinates():
    """Groups and random folds need none."""
    table = pd.DataFrame({"NDVI": np.linspace(0, 1, 12), "month": list("abcdefghijkl")})
    kind, site = np.resize(["forest", "water"], 12), np.repeat([4, 7, 9], 4)
    assert GroupSplit().assign(table, kind, site).tolist() == np.repeat([1, 2, 3], 4).tolist()
    folds = RandomSplit(n_splits=3).assign(table, kind)
    rows = np.random.default_rng(1).permutation(12)
    np.testing.assert_array_equal(RandomSplit(n_splits=3).assign(table.iloc[rows], kind[rows]), folds[rows])
