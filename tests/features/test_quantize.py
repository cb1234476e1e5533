"""Grey levels: borders and numbers."""

import numpy as np
import pytest

from lulc_kit.features import texture
from lulc_kit.features.quantize import fit_quantizer, quantize
from lulc_kit.features.texture import Settings


def test_equal_width_levels():
    quantizer = fit_quantizer(np.zeros((2, 2)), levels=8, value_range=(0, 8))
    image = np.array([[-5, 0, 0.99, 1, 7, 8, 99, np.nan, -np.inf]])
    np.testing.assert_array_equal(quantize(image, quantizer), [[0, 0, 0, 1, 7, 7, 7, -1, -1]])
    assert quantize(image, quantizer).dtype == np.int16


def test_limits_do_not_follow_outliers():
    image = np.linspace(0, 1, 10_000).reshape(100, 100)
    image[0, 0], image[50, 50], image[3, 3] = 1e6, -1e6, np.nan
    quantizer = fit_quantizer(image)
    assert quantizer.low == pytest.approx(0.01, abs=1e-3)
    assert quantizer.high == pytest.approx(0.99, abs=1e-3)


def test_equal_probability_levels_are_equally_frequent():
    image = np.random.default_rng(0).lognormal(size=(200, 200))
    quantizer = fit_quantizer(image, levels=16, method="equal_probability")
    frequency = np.bincount(quantize(image, quantizer).ravel(), minlength=16)
    np.testing.assert_allclose(frequency, image.size / 16, rtol=0.01)
    np.testing.assert_array_equal(
        texture.glcm(image, Settings(features=["entropy"], levels=16, quantizer="equal_probability")),
        texture.glcm(image, Settings(features=["entropy"], levels=16), quantizer=quantizer),
    )
    within = fit_quantizer(image, levels=16, method="equal_probability", value_range=(1, 2))
    assert 1 < within.edges[0] < within.edges[-1] < 2


def test_data_that_the_sample_misses_are_found():
    image = np.full((3000, 8), np.nan)
    image[1] = np.arange(8)
    assert fit_quantizer(image).high > 6
