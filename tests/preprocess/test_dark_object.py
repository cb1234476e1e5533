"""Dark-object subtraction on scenes to which a known path reflectance was added."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lulc_kit.errors import LulcError
from lulc_kit.preprocess import dark_object

NAMES = ["B2", "B3", "B4", "B8", "B11", "B12"]


def ground(size=60):
    """Surface reflectance: a lake of 1 %, and land of other spectra."""
    rng = np.random.default_rng(3)
    scene = rng.uniform(0.05, 0.4, (len(NAMES), size, size)).astype(np.float32)
    scene[:, :10, :10] = 0.01
    return scene


def air(amount, exponent):
    return {name: amount * dark_object.WAVELENGTHS[name] ** -exponent for name in NAMES}


def correct(bands, names):
    path = dark_object.measure(bands, names)
    return dark_object.subtract(bands, [path[name] for name in names]), path


@pytest.mark.parametrize("exponent", [0.5, 1.3, 2.0, 4.0])
@pytest.mark.parametrize("amount", [0.003, 0.01])
def test_known_path_reflectance_is_found_and_removed(amount, exponent):
    truth = ground()
    path = air(amount, exponent)
    seen = truth + np.array([path[name] for name in NAMES], dtype=np.float32)[:, None, None]
    corrected, subtracted = correct(seen, NAMES)
    assert list(subtracted) == NAMES
    assert subtracted == pytest.approx(path, abs=2e-5)
    np.testing.assert_allclose(corrected, truth, atol=3e-5)
    assert corrected.dtype == np.float32


def test_clear_air_is_left_alone():
    corrected, subtracted = correct(ground(), NAMES)
    assert max(subtracted.values()) < 1e-6
    np.testing.assert_allclose(corrected, ground(), atol=1e-6)


def test_nodata_stays_and_does_not_count():
    truth = ground()
    path = air(0.01, 2.0)
    seen = truth + np.array([path[name] for name in NAMES], dtype=np.float32)[:, None, None]
    seen[:, 40:, :] = np.nan
    seen[2, 0, 0] = np.nan
    corrected, subtracted = correct(seen, NAMES)
    assert (np.isnan(corrected) == np.isnan(seen)).all()
    assert subtracted == pytest.approx(path, abs=2e-5)


def test_a_few_wrong_pixels_do_not_decide():
    path = air(0.01, 2.0)
    seen = ground(100) + np.array([path[name] for name in NAMES], dtype=np.float32)[:, None, None]
    seen[:, 50, 50:55] = 0.0
    _, subtracted = correct(seen, NAMES)
    assert subtracted == pytest.approx(path, abs=2e-5)


def test_cirrus_band_is_not_touched():
    bands = np.concatenate([ground() + np.float32(0.05), np.full((1, 60, 60), 0.012, dtype=np.float32)])
    corrected, subtracted = correct(bands, [*NAMES, "B10"])
    assert subtracted["B10"] == 0.0
    assert (corrected[-1] == bands[-1]).all()


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.3))
@settings(max_examples=40, deadline=None)
def test_result_is_never_negative_never_brighter(seed, floor):
    seen = np.random.default_rng(seed).uniform(floor, floor + 0.4, (6, 12, 12)).astype(np.float32)
    corrected, subtracted = correct(seen, NAMES)
    assert (corrected >= 0).all()
    assert (corrected <= seen + 1e-6).all()
    for name, band in zip(NAMES, seen, strict=True):
        assert 0 <= subtracted[name] <= max(np.percentile(band, 0.1) - 0.01, 0) + 1e-6


def test_blocks_with_the_values_of_the_whole_equal_the_whole():
    seen = ground() + np.float32(0.06)
    whole, subtracted = correct(seen, NAMES)
    values = [subtracted[name] for name in NAMES]
    blocks = [dark_object.subtract(seen[:, rows], values) for rows in (slice(0, 25), slice(25, 60))]
    assert (np.concatenate(blocks, axis=1) == whole).all()


@pytest.mark.parametrize(
    ("bands", "names", "message"),
    [
        (np.zeros((2, 3, 3)), ["B2"], "one name"),
        (np.zeros((3, 3)), ["B2", "B3", "B4"], "row, column"),
        (np.zeros((2, 3, 3)), ["B2", "B02"], "B02"),
        (np.zeros((2, 3, 3)), ["B2", "B2"], "once"),
        (np.zeros((1, 3, 3)), ["B8"], "B2, B3 or B4"),
        (np.full((1, 3, 3), np.nan), ["B2"], "no valid pixel"),
        (np.full((1, 3, 3), 1400.0), ["B2"], "scale and offset"),
    ],
)
def test_bad_input_is_refused(bands, names, message):
    with pytest.raises(LulcError, match=message):
        dark_object.measure(bands, names)


def test_wrong_number_of_values():
    with pytest.raises(LulcError, match="as many"):
        dark_object.subtract(np.zeros((2, 3, 3)), [0.1])


def test_warning_says_what_it_is_not():
    assert "not surface reflectance" in dark_object.WARNING
    assert "Chavez" in dark_object.TAG
