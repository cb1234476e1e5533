"""Checkpoints: what was kept comes back whole, what is of another training does not, and a full disk is no end."""

import warnings

import numpy as np
import pandas as pd
import pytest

from lulc_kit import files
from lulc_kit.deep.checkpoint import Keeper
from lulc_kit.errors import StorageError
from lulc_kit.layout import RunLayout

STATE = {"step": 40, "best": 0.5, "rows": [{"step": 20, "loss": 1.5}, {"step": 40, "loss": 1.25}]}
NUMBERS = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(3, np.int64)]
BEST = [np.ones(2, np.float32)]


def test_what_was_kept_comes_back_whole(tmp_path):
    run = RunLayout(tmp_path, "fcn")
    keeper = Keeper(run, 2, "abc")
    assert keeper.load() is None
    keeper.save(STATE, NUMBERS, BEST)
    found = Keeper(run, 2, "abc").load()
    assert found.state == STATE
    for kept, given in zip(found.numbers + found.best, NUMBERS + BEST, strict=True):
        np.testing.assert_array_equal(kept, given)
        assert kept.dtype == given.dtype
    pd.testing.assert_frame_equal(pd.read_csv(run.log(2)), pd.DataFrame(STATE["rows"]))


def test_another_training_another_fold_or_a_damaged_file_is_not_gone_on_from(tmp_path):
    run = RunLayout(tmp_path, "fcn")
    Keeper(run, 1, "abc").save(STATE, NUMBERS, BEST)
    assert Keeper(run, 1, "abd").load() is None
    assert Keeper(run, 2, "abc").load() is None
    whole = run.checkpoint(1).read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"nonsense", whole.replace(b"about", b"other")):
        run.checkpoint(1).write_bytes(broken)
        assert Keeper(run, 1, "abc").load() is None


def test_a_full_disk_is_said_once(tmp_path, monkeypatch):
    def full(path):
        raise StorageError(f"{path} cannot be written: the disk has 0 MB free")

    keeper = Keeper(RunLayout(tmp_path, "fcn"), 1, "abc")
    monkeypatch.setattr(files, "replacing", full)
    with pytest.warns(UserWarning, match=r"goes on without checkpoints: .*0 MB free"):
        keeper.save(STATE, NUMBERS, BEST)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keeper.save(STATE, NUMBERS, BEST)


def test_nowhere_means_nowhere(tmp_path):
    keeper = Keeper(None, 1, "abc")
    keeper.save(STATE, NUMBERS, BEST)
    assert keeper.load() is None
