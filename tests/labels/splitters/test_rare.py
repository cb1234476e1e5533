"""A rare class does not stop a study: it goes on as its user chose, and says so."""

import numpy as np
import pytest

from lulc_kit.errors import LulcError, RareClassError
from lulc_kit.labels.splitters import BlockSplit, GroupSplit
from lulc_kit.labels.splitters.rare import settle

POINTS = np.stack(np.meshgrid(np.arange(16) * 50.0, np.arange(16) * 50.0), -1).reshape(-1, 2)
KIND = np.where((POINTS[:, 0] < 400) & (POINTS[:, 1] < 200), "lake", "wood")
"""Wood everywhere but in eight blocks of 100 m side by side; with 400 m they are one."""


def attempt(splitter, without):
    keep = ~np.isin(KIND, without)
    if len(set(KIND[keep])) < 2:
        raise LulcError("one class")
    return splitter.assign(POINTS[keep], KIND[keep])


def test_what_can_be_done_is_done_without_a_word(recwarn):
    found = settle(attempt, BlockSplit(n_splits=4, spacing=100))
    assert found.splitter == BlockSplit(n_splits=4, spacing=100) and not found.notes and not recwarn


def test_fewer_folds_until_they_suffice():
    asked = BlockSplit(n_splits=5, spacing=200)  # the lake lies in two blocks of 200 m
    with pytest.warns(UserWarning, match=r"lake occurs in 2 block\(s\).*5 folds: 2 folds .* not 5"):
        found = settle(attempt, asked, "fewer_folds")
    assert found.splitter.n_splits == 2 and found.left_out == () and len(found.notes) == 1
    assert set(KIND[found.result == 1]) == set(KIND[found.result == 2]) == {"lake", "wood"}


def test_smaller_blocks_until_they_suffice():
    with pytest.warns(UserWarning, match="blocks of 100 m, not 4 of blocks of 400 m"):
        found = settle(attempt, BlockSplit(n_splits=4, spacing=400), "smaller_blocks")
    assert found.splitter.spacing == 100 and found.splitter.n_splits == 4


def test_blocks_do_not_become_smaller_than_the_buffer():
    kind = np.where((POINTS == 0).all(axis=1), "pond", "wood")

    def one(splitter, without):
        keep = ~np.isin(kind, without)
        return splitter.assign(POINTS[keep], kind[keep])

    with pytest.warns(UserWarning, match="pond"):
        found = settle(one, BlockSplit(n_splits=2, spacing=400, buffer=150), "smaller_blocks")
    assert found.left_out == ("pond",) and found.splitter.spacing == 400, "what is left is split as asked"


@pytest.mark.parametrize("rare", ["fewer_folds", "leave_out"])
def test_a_class_that_nothing_saves_is_left_out_and_the_rest_split_as_asked(rare):
    kind = np.where((POINTS < 200).all(axis=1), "lake", np.where(POINTS[:, 0] > 500, "town", "wood"))

    def three(splitter, without):
        keep = ~np.isin(kind, without)
        return splitter.assign(POINTS[keep], kind[keep])

    with pytest.warns(UserWarning, match="lake occurs in 1 block.*left out, so that no map shows lake"):
        found = settle(three, BlockSplit(n_splits=3, spacing=200), rare)
    assert found.left_out == ("lake",) and found.splitter.n_splits == 3
    assert len(found.result) == (kind != "lake").sum()


def test_refusing_is_a_choice():
    with pytest.raises(RareClassError, match="lake occurs in 1 block"):
        settle(attempt, BlockSplit(n_splits=2, spacing=400), "refuse")


def test_two_classes_must_remain():
    with pytest.raises(LulcError, match="one class"):
        settle(attempt, BlockSplit(n_splits=2, spacing=400), "leave_out")


def test_leaving_one_group_out_has_no_fewer_folds():
    site, kind = np.array([1, 1, 2, 2, 3]), np.array(list("ababc"))

    def attempt(splitter, without):
        keep = ~np.isin(kind, without)
        list(splitter.split(np.zeros((keep.sum(), 2)), kind[keep], site[keep]))
        return keep.sum()

    with pytest.warns(UserWarning, match="c is left when fold 3 is tested: left out"):
        assert settle(attempt, GroupSplit()).result == 4
