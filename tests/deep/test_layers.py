"""Layers of the temporal attention encoder against their formulas, by hand and in NumPy."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from lulc_kit.deep.layers import DateWeights, DayEncoding


def test_days_become_sines_and_cosines_of_ever_longer_waves():
    found = np.asarray(DayEncoding(4)(np.array([0.0, 100.0])))
    slow = 100 / np.sqrt(1000)
    expected = [[0, 1, 0, 1], [np.sin(100), np.cos(100), np.sin(slow), np.cos(slow)]]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_every_head_is_told_the_same_day():
    days = np.arange(1, 366, 50).reshape(2, 4, 1).astype(np.float32)
    found = np.asarray(DayEncoding(6, repeats=3)(days))
    assert found.shape == (2, 4, 1, 18)
    np.testing.assert_array_equal(found, np.tile(np.asarray(DayEncoding(6)(days)), 3))
    assert len(np.unique(found.reshape(8, 18).round(4), axis=0)) == 8, "no two days look alike"


@pytest.mark.parametrize("width", [0, 3])
def test_an_odd_width_is_refused(width):
    with pytest.raises(ValueError, match=f"found {width}"):
        DayEncoding(width)


def weights_of(keys, seen, heads, size, questions):
    layer = DateWeights(heads, size)
    layer.build([keys.shape, seen.shape])
    layer.set_weights([questions])
    return np.asarray(layer([keys, seen]))


@given(seed=st.integers(0, 1000), dates=st.integers(1, 7), heads=st.integers(1, 4), size=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_weights_are_scipy_s_softmax_over_the_dates_that_are_seen(seed, dates, heads, size):
    generator = np.random.default_rng(seed)
    keys = generator.normal(0, 3, (2, dates, 3, 2, heads * size)).astype(np.float32)
    seen = (generator.random((2, dates, 3, 2)) < 0.6).astype(np.float32)
    questions = generator.normal(size=(heads, size)).astype(np.float32)
    found = weights_of(keys, seen, heads, size, questions)
    assert found.shape == (2, dates, 3, 2, heads)
    for place in np.ndindex(2, 3, 2):
        b, r, c = place
        shown = seen[b, :, r, c] > 0
        assert (found[b, ~shown, r, c] == 0).all()
        if shown.any():
            each = keys[b, shown, r, c].reshape(-1, heads, size)
            expected = softmax((each * questions).sum(axis=-1) / np.sqrt(size), axis=0)
            np.testing.assert_allclose(found[b, shown, r, c], expected, atol=1e-5)
            np.testing.assert_allclose(found[b, :, r, c].sum(axis=0), 1, atol=1e-5)


def test_large_keys_overflow_nowhere():
    keys = np.array([1e4, -1e4, 1e4], np.float32).reshape(1, 3, 1, 1, 1)
    found = weights_of(keys, np.ones((1, 3, 1, 1), np.float32), 1, 1, np.ones((1, 1), np.float32))
    np.testing.assert_allclose(found.ravel(), [0.5, 0, 0.5], atol=1e-6)


@pytest.mark.parametrize("layer", [DayEncoding(4, 2, 500.0, name="d"), DateWeights(3, 5, name="w")])
def test_files_keep_names_and_settings_only(layer):
    config = keras.saving.serialize_keras_object(layer)
    assert config["registered_name"] == f"lulc_kit>{type(layer).__name__}"
    again = keras.saving.deserialize_keras_object(config, safe_mode=True)
    assert type(again) is type(layer) and again.get_config() == layer.get_config()
