"""Embeddings: their year, their numbers, their length."""

import numpy as np
import pytest

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.features import embeddings
from tests.rasters import grid

NAMES = [f"A{k:02d}" for k in range(64)]


def vectors(shape=(64, 20, 30)):
    found = np.random.default_rng(3).normal(size=shape)
    return found / np.linalg.norm(found, axis=0)


def quantized(found):
    """Go the other way than the kit: 8-bit numbers whose signed squares are the vectors."""
    return np.rint(np.sign(found) * np.sqrt(np.abs(found)) * 127.5).astype(np.float32)


def test_8_bit_numbers_become_vectors_again():
    true = vectors()
    layers = raster.array(quantized(true), grid(true.shape[1:]), NAMES).chunk()
    layers = layers.where((layers.y < layers.y[3]) | (layers.x > layers.x[4]))
    found = embeddings.decode(layers, "alphaearth", True, "mine.tif").values
    missing = ~np.isfinite(layers.values)
    assert missing.any() and (np.isnan(found) == missing).all()
    # Half a step of the 8-bit number, where the square is steepest.
    assert np.abs(found - true)[~missing].max() < 1 / 127.5


def test_a_number_scales_and_real_numbers_stay():
    layers = raster.array(np.full((2, 3, 4), 64.0, np.float32), grid((3, 4)), ["a", "b"])
    assert (embeddings.decode(layers, 1 / 128, True, "x.tif").values == 0.5).all()
    assert embeddings.decode(layers, None, False, "x.tif") is layers


def test_integers_without_a_scale_are_refused():
    layers = raster.array(np.ones((2, 3, 4), np.float32), grid((3, 4)), ["a", "b"])
    with pytest.raises(LulcError, match=r"x\.tif holds whole numbers.*scale: alphaearth"):
        embeddings.decode(layers, None, True, "x.tif")


@pytest.mark.parametrize("spoil", [lambda q: q[:20], lambda q: q / 127.5])
def test_vectors_of_another_length_are_refused(spoil):
    wrong = spoil(quantized(vectors()))
    layers = raster.array(wrong, grid(wrong.shape[1:]), NAMES[: len(wrong)])
    with pytest.raises(LulcError, match=r"length of 0\.\d+.*have 1"):
        embeddings.decode(layers, "alphaearth", True, "mine.tif")


def test_another_year_is_refused():
    embeddings.check_year("mine.tif", 2018, ["2017-05-01", "2018-05-01"])
    embeddings.check_year("mine.tif", 2018, [])
    with pytest.raises(LulcError, match="embedding of 2021, and the composite's images are of 2017, 2018"):
        embeddings.check_year("mine.tif", 2021, ["2018-05-01", "2017-05-01"])
