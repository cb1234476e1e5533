"""Blocks: the squares that verde finds, and whole polygons in them."""

import numpy as np
import pytest
import verde
from hypothesis import given, settings
from hypothesis import strategies as st

from lulc_kit.labels.splitters import BlockSplit
from tests.labels.splitters.test_base import field


@given(seed=st.integers(0, 1000), spacing=st.sampled_from([50.0, 100.0, 250.0]))
@settings(max_examples=20, deadline=None)
def test_blocks_are_those_of_verde(seed, spacing):
    points = np.random.default_rng(seed).uniform(0, 1000, (300, 2))
    _, theirs = verde.block_split(points.T, spacing=spacing, region=(0, 1000, 0, 1000))
    ours = BlockSplit(spacing=spacing).units(points)
    pairs = set(zip(ours.tolist(), theirs.tolist(), strict=True))
    assert len(pairs) == len(set(ours.tolist())) == len(set(theirs.tolist())), "one of theirs for each of ours"
    inside = BlockSplit(spacing=spacing).units(points, width=1000.0)
    assert (np.argsort(inside, kind="stable") == np.argsort(theirs, kind="stable")).all(), "in the same order"


def test_folds_keep_blocks_whole_as_verde_s_do_and_are_as_even():
    points = np.random.default_rng(3).uniform(0, 1000, (2000, 2))
    points[:2] = [(0, 0), (1000 - 1e-6, 1000 - 1e-6)]  # verde begins at the outermost samples
    theirs = verde.BlockKFold(spacing=100, n_splits=4, shuffle=True, random_state=1, balance=True)
    block = verde.block_split(points.T, spacing=100, region=(0, 1000, 0, 1000))[1]
    sizes = []
    for splits in (theirs.split(points), BlockSplit(n_splits=4, spacing=100).split(points)):
        sizes.append([len(test) for train, test in splits if not set(block[train]) & set(block[test])])
    assert len(sizes[0]) == len(sizes[1]) == 4
    assert np.ptp(sizes[1]) <= np.ptp(sizes[0]) + 20


def test_a_polygon_across_edges_is_in_one_fold():
    table = field()
    groups = table["patch"]
    for train, test in BlockSplit(n_splits=3, spacing=75).split(table, table["kind"], groups):  # patches are of 50 m
        assert not set(groups.iloc[train]) & set(groups.iloc[test])


def test_a_point_on_an_edge_belongs_to_the_block_that_begins_there():
    across = np.array([0.0, 99.9, 100.0, 0.1 * 3 * 1000 / 3, 200.0])
    assert BlockSplit(spacing=100).units(np.column_stack([across, np.zeros(5)])).tolist() == [1, 1, 2, 2, 3]


@pytest.mark.parametrize("spacing", [0.7, 30.0])
def test_numbers_within_a_width_run_along_the_rows(spacing):
    step = np.arange(4) * spacing
    points = np.stack(np.meshgrid(step, step), -1).reshape(-1, 2)
    numbers = BlockSplit(spacing=spacing).units(points, width=4 * spacing - spacing / 10)
    assert numbers.tolist() == list(range(1, 17))
