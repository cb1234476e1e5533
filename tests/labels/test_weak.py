"""Weak labels: the window against brute force, agreement against all pixels one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lulc_kit.errors import GridError, ParameterError
from lulc_kit.labels import weak

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def by_hand(values, known, size):
    """Each pixel's window, pixel by pixel."""
    rows, columns = values.shape
    out, reach = np.zeros_like(values), size // 2
    for r in range(rows):
        for c in range(columns):
            window = [
                values[i, j] if values[i, j] else None
                for i in range(max(0, r - reach), min(rows, r + reach + 1))
                for j in range(max(0, c - reach), min(columns, c + reach + 1))
                if known[i, j]
            ]
            if known[r, c] and values[r, c] and set(window) == {values[r, c]}:
                out[r, c] = values[r, c]
    return out


@given(st.data(), st.sampled_from([1, 3, 5]))
@settings(deadline=None)
def test_the_window_is_that_of_brute_force(data, size):
    shape = data.draw(SHAPES)
    values = data.draw(arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 1, 1, 200])))
    known = data.draw(arrays(bool, shape, elements=st.sampled_from([True, True, True, False])))
    found = weak.homogeneous(values, size, known=known)
    np.testing.assert_array_equal(found, by_hand(values, known, size))
    assert found.dtype == values.dtype


def test_other_land_is_a_border_and_missing_data_is_none():
    values = np.ones((5, 5), np.uint8)
    values[2, 2] = 0
    assert weak.homogeneous(values, 3).sum() == 16, "a ring around the pixel of no class is dropped"
    assert weak.homogeneous(values, 3, known=values > 0).sum() == 24, "what is not known says nothing"


def test_one_pixel_keeps_everything():
    values = np.random.default_rng(1).integers(0, 4, (20, 20)).astype(np.uint8)
    np.testing.assert_array_equal(weak.homogeneous(values, 1), values)


@pytest.mark.parametrize("size", [0, 2, -3])
def test_a_window_has_a_middle(size):
    with pytest.raises(ParameterError, match="odd"):
        weak.homogeneous(np.ones((2, 2), int), size)


@given(st.data(), st.integers(1, 4))
def test_maps_agree_pixel_by_pixel(data, count):
    shape = data.draw(SHAPES)
    maps = [data.draw(arrays(np.uint8, shape, elements=st.integers(0, 2))) for _ in range(count)]
    found = weak.agree(maps)
    for place in np.ndindex(shape):
        says = {int(m[place]) for m in maps}
        assert found[place] == (says.pop() if len(says) == 1 else 0)
    np.testing.assert_array_equal(weak.agree(maps[::-1]), found)


def test_maps_of_two_grids_are_refused():
    with pytest.raises(GridError, match="one grid"):
        weak.agree([np.ones((2, 2)), np.ones((2, 3))])
