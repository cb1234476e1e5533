"""What class probabilities say of a pixel, against scipy and by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lulc_kit import map_layers


def test_classify_takes_the_likeliest_and_the_first_of_equals():
    probabilities = np.array([[[0.2, 0.5, np.nan]], [[0.3, 0.5, 0.9]], [[0.5, 0.0, 0.1]]], np.float32)
    assert map_layers.classify(probabilities, (10, 20, 30)).tolist() == [[30, 10, 0]]


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20))
def test_percent_is_rounded_and_never_the_mark_of_no_data(numbers):
    found = map_layers.percent(np.array([numbers], np.float32)).astype(int)[0]
    assert (found <= 100).all()
    assert np.all(np.abs(found - 100 * np.array(numbers)) <= 0.5 + 1e-4)
    assert map_layers.percent(np.array([np.nan], np.float32)).tolist() == [255]


def test_entropy_is_0_for_one_class_and_1_for_all_alike():
    probabilities = np.array([[[1, 1 / 3, 0.5, np.nan]], [[0, 1 / 3, 0.5, 0.5]], [[0, 1 / 3, 0, 0.5]]], np.float32)
    found = map_layers.entropy(probabilities)[0]
    np.testing.assert_allclose(found, [0, 1, np.log(2) / np.log(3), np.nan], atol=1e-6)
    pixels = np.random.default_rng(1).dirichlet([1, 1, 1, 1], 50).T.astype(np.float32)
    expected = stats.entropy(pixels, base=4, axis=0)
    np.testing.assert_allclose(map_layers.entropy(pixels[:, None])[0], expected, atol=1e-5)


def test_margin_is_the_lead_of_the_likeliest_class():
    pixels = np.random.default_rng(1).dirichlet([1, 1, 1, 1], 50).T.astype(np.float32)
    pixels[2, 7] = np.nan
    first, second = np.sort(pixels, axis=0)[:-3:-1]
    found = map_layers.margin(pixels[:, None])[0]
    np.testing.assert_allclose(found[:7], (first - second)[:7], atol=1e-7)
    assert np.isnan(found[7]) and np.isfinite(np.delete(found, 7)).all()
    assert map_layers.margin(np.array([[[0.5]], [[0.5]]], np.float32)).tolist() == [[0]]
    assert map_layers.margin(np.array([[[0.7]]], np.float32))[0, 0] == np.float32(0.7)
