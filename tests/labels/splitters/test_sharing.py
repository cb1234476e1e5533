"""Sharing out: every class in every fold, or by name which cannot be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lulc_kit.errors import RareClassError
from lulc_kit.labels.splitters.sharing import share_out


@given(seed=st.integers(0, 1000), folds=st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_units_stay_whole_and_every_class_is_in_every_fold(seed, folds):
    generator = np.random.default_rng(seed)
    units = generator.integers(1, 60, 600)
    kind = generator.choice(list("abc"), 600, p=[0.7, 0.2, 0.1])
    fold = share_out(kind, units, folds, seed, "blocks")
    assert all(len(np.unique(fold[units == u])) == 1 for u in np.unique(units))
    assert all(set(fold[kind == name]) == set(range(1, folds + 1)) for name in "abc")


def test_all_rare_classes_are_named_with_their_number_of_units():
    units, kind = np.arange(8), list("aaaaabbc")
    with pytest.raises(
        RareClassError, match=r"b occurs in 2 polygon\(s\), c occurs in 1 polygon\(s\), too few"
    ) as caught:
        share_out(kind, units, 3, 1, "polygons")
    assert caught.value.classes == ("b", "c")


def test_what_cannot_be_shared_out_names_the_rarest_class():
    # Units {a, b}, {a, c}, {b, c}: whichever is alone in its fold, a class is missing there.
    units, kind = [1, 1, 2, 2, 3, 3], list("abacbc")
    with pytest.raises(RareClassError, match="could not be shared out.*a 2, b 2, c 2") as caught:
        share_out(kind, np.array(units), 2, 1, "blocks")
    assert caught.value.classes == ("a",)
