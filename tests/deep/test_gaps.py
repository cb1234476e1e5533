"""Gaps in time against NumPy's and xarray's interpolation."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from lulc_kit.deep.gaps import Flag, linear

DAYS = np.datetime64("2020-01-01") + np.array([0, 5, 15, 20, 40, 100, 366])
DATES = [str(d) for d in DAYS]


def series(seed, part=0.5):
    generator = np.random.default_rng(seed)
    images = generator.random((7, 5, 6, 2)).astype(np.float32)
    images[generator.random((7, 5, 6)) < part] = np.nan
    return images


@given(seed=st.integers(0, 1000), part=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_each_pixel_is_numpy_s_interpolation_with_its_ends_held(seed, part):
    images = series(seed, part)
    filled, flags = linear(images, DATES)
    days = (DAYS - DAYS[0]).astype(float)
    for r, c in np.ndindex(5, 6):
        seen = np.isfinite(images[:, r, c, 0])
        if not seen.any():
            assert np.isnan(filled[:, r, c]).all() and (flags[:, r, c] == Flag.NEVER).all()
            continue
        for band in range(2):
            expected = np.interp(days, days[seen], images[seen, r, c, band])
            np.testing.assert_allclose(filled[:, r, c, band], expected, atol=1e-6)
        inside = (days >= days[seen].min()) & (days <= days[seen].max())
        np.testing.assert_array_equal(
            flags[:, r, c], np.where(seen, Flag.OBSERVED, np.where(inside, Flag.BETWEEN, Flag.HELD))
        )


def test_equal_to_xarray_between_observations():
    images = series(1)
    filled, flags = linear(images, DATES)
    array = xr.DataArray(images, dims=("time", "y", "x", "band"), coords={"time": DAYS.astype("datetime64[ns]")})
    expected = array.interpolate_na("time").to_numpy()
    between = flags <= Flag.BETWEEN
    assert (flags == Flag.BETWEEN).any()
    np.testing.assert_allclose(filled[between], expected[between], atol=1e-6)
    assert np.isnan(expected[~between]).all()


def test_observations_stay_bit_by_bit_and_the_input_is_not_changed():
    images = series(2)
    before = images.copy()
    filled, flags = linear(images, DATES)
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(filled[flags == 0], images[flags == 0])
    assert filled.dtype == np.float32 and flags.dtype == np.uint8


def test_an_observation_that_lacks_a_band_is_none():
    images = np.ones((3, 1, 1, 2), np.float32)
    images[:, 0, 0, 0] = [0, 9, 4]
    images[1, 0, 0, 1] = np.nan
    filled, flags = linear(images, ["2020-01-01", "2020-01-02", "2020-01-05"])
    assert flags[:, 0, 0].tolist() == [Flag.OBSERVED, Flag.BETWEEN, Flag.OBSERVED]
    assert filled[1, 0, 0].tolist() == pytest.approx([1, 1])
