"""Inner validation: whole blocks of training land, apart from what teaches and from the test fold."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lulc_kit.deep import inner


def land(seed=1, shape=(96, 120), block=12, classes=3):
    """Codes of three classes in polygons of whole blocks, and the blocks' numbers."""
    generator = np.random.default_rng(seed)
    rows, columns = -(-shape[0] // block), -(-shape[1] // block)
    spread = np.ones((block, block), np.intp)
    kinds = np.kron(generator.integers(1, classes + 1, (rows, columns)), spread)[: shape[0], : shape[1]]
    blocks = np.kron(np.arange(1, rows * columns + 1).reshape(rows, columns), spread)[: shape[0], : shape[1]]
    labelled = generator.random(shape) < 0.7
    return (kinds * labelled).astype(np.uint8), blocks * labelled


@given(seed=st.integers(0, 200), share=st.floats(0.1, 0.4), gap=st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_whole_blocks_apart_by_the_gap_with_enough_of_each_class(seed, share, gap):
    codes, blocks = land(seed)
    found = inner.split(codes, blocks, share, gap, seed)
    assume(found is not None)
    teaches, validates = found
    for part in found:
        assert part.dtype == np.uint8
        np.testing.assert_array_equal(part[part > 0], codes[part > 0])
    assert not ((teaches > 0) & (validates > 0)).any()
    away = ndimage.distance_transform_edt(validates == 0)
    assert away[teaches > 0].min() > gap
    left_out = (codes > 0) & (teaches == 0) & (validates == 0)
    assert (away[left_out] <= gap + 1e-9).all(), "nothing else is left out"
    inside = set(np.unique(blocks[validates > 0]))
    assert not ((codes > 0) & np.isin(blocks, list(inside)) & (validates == 0)).any(), "blocks go as a whole"
    assert set(np.unique(teaches)) == set(np.unique(codes)), "every class still teaches"


def test_about_the_share_is_taken():
    codes, blocks = land(3)
    _, validates = inner.split(codes, blocks, 0.2, 1, 1)
    part = np.bincount(validates.ravel(), minlength=4)[1:] / np.bincount(codes.ravel(), minlength=4)[1:]
    assert (part >= 0.2).all() and (part <= 0.4).all()


def test_none_is_taken_where_none_is_wanted_and_the_seed_decides():
    codes, blocks = land()
    assert inner.split(codes, blocks, 0.0, 2, 1) is None
    one, same, other = (inner.split(codes, blocks, 0.2, 2, seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_a_class_of_one_block_teaches_and_is_not_validated():
    codes, blocks = land(2)
    codes[codes == 3] = 1
    codes[(blocks == 45) & (codes > 0)] = 3
    teaches, validates = inner.split(codes, blocks, 0.2, 1, 1)
    assert 3 in teaches and 3 not in validates and {1, 2} <= set(np.unique(validates))


def test_land_of_one_block_is_not_split_and_that_is_said():
    codes, blocks = land(1, shape=(12, 12))
    with pytest.warns(UserWarning, match="nobody says when to stop"):
        assert inner.split(codes, blocks, 0.2, 2, 1) is None


def test_small_blocks_are_joined_and_large_ones_are_not():
    codes, _ = land(1, block=4)
    rows, columns = np.indices(codes.shape).reshape(2, -1)
    full = np.kron(np.arange(24 * 30).reshape(24, 30), np.ones((4, 4), int)).ravel()
    joined = inner.units(full, rows, columns, 16).reshape(codes.shape)
    assert len(np.unique(joined)) == 6 * 8
    assert len({joined[r, c] for r in range(16) for c in range(16)}) == 1
    same = inner.units(full, rows, columns, 2)
    assert len(np.unique(np.stack([same, full]), axis=1).T) == len(np.unique(same)) == 24 * 30


@pytest.mark.parametrize("wide", [0, 3, 8])
def test_the_gap_of_a_study_is_measured(wide, monkeypatch):
    fold = np.zeros((20, 60), int)
    fold[:, :20], fold[:, 30:] = 1, 2
    fold[:, 20:30] = np.where(np.arange(20, 30) < 25, 1, 2)
    column = np.arange(60)
    train = np.stack([np.tile(column >= 25 + wide, (20, 1)), np.tile(column < 25 - wide, (20, 1))])
    assert inner.gap(fold, train) == wide
    for rows in (1, 7):
        monkeypatch.setattr(inner, "ROWS", rows)
        assert inner.gap(fold, train) == inner.gap(fold.T, train.transpose(0, 2, 1)) == wide
