"""Degradation: against scipy's Gaussian, and by the transfer that it promises."""

import numpy as np
import pytest
from scipy import ndimage

from lulc_kit.errors import LulcError
from lulc_kit.preprocess.sharpening.mtf import degrade
from lulc_kit.sentinel2 import MTF


@pytest.mark.parametrize("ratio", [3, 5])
def test_degrade_is_scipys_gaussian_decimated(ratio):
    # an odd ratio puts the coarse pixel's centre on a fine pixel, where scipy samples its Gaussian
    image = np.random.default_rng(0).random((30 * ratio, 20 * ratio))
    sigma = ratio * np.sqrt(-2 * np.log(0.26) / np.pi**2)
    radius = int(np.ceil(4 * sigma))
    expected = ndimage.gaussian_filter(image, sigma, radius=radius)[ratio // 2 :: ratio, ratio // 2 :: ratio]
    np.testing.assert_allclose(degrade(image, ratio, 0.26), expected, atol=1e-5)


@pytest.mark.parametrize("mtf", sorted(set(MTF.values())))
@pytest.mark.parametrize("ratio", [2, 6])
def test_degrade_has_the_transfer_it_promises(ratio, mtf):
    # half the coarse Nyquist frequency: a Gaussian's transfer there is mtf ** (1/4)
    n = 40 * ratio
    x = np.arange(n) - (ratio - 1) / 2
    wave = np.cos(np.pi * (x / ratio + 0.5) / 2)
    coarse = degrade(np.broadcast_to(wave, (n, n)), ratio, mtf)
    expected = mtf**0.25 * np.cos(np.pi * (np.arange(40) + 0.5) / 2)
    np.testing.assert_allclose(coarse[20], expected, atol=2e-3)


def test_degrade_centres_coarse_pixels_on_the_fine_ones_they_cover():
    y, x = np.mgrid[:60, :60].astype(float)
    coarse = degrade(y + 100 * x, 6, 0.3)
    assert coarse[5, 4] == pytest.approx(5 * 6 + 2.5 + 100 * (4 * 6 + 2.5), abs=1e-2)


def test_degrade_leaves_nodata_out():
    image = np.full((40, 40), 0.3)
    image[10:20, 10:20] = np.nan
    coarse = degrade(image, 2, 0.3)
    assert np.isnan(coarse[6:9, 6:9]).all()
    np.testing.assert_allclose(coarse[np.isfinite(coarse)], 0.3, rtol=1e-5)
    assert np.isnan(coarse).sum() == 25


@pytest.mark.parametrize("mtf", [0, 1, 1.5, [0.2, 0.3, 0.4]])
def test_degrade_refuses_what_is_no_mtf(mtf):
    with pytest.raises(LulcError, match="MTF"):
        degrade(np.zeros((2, 8, 8)), 2, mtf)


@pytest.mark.parametrize("shape", [(7, 8), (8, 9), (8,), (0, 8)])
def test_degrade_refuses_shapes(shape):
    with pytest.raises(LulcError):
        degrade(np.zeros(shape), 2, 0.3)
