"""The instrument against closed forms: transfer, point spread, noise."""

import numpy as np
import pytest
import rasterio
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from lulc_kit.simulated import phenology, sensor
from tests.simulated.seen import SIZE, on, reflectance


def test_coarse_bands_are_the_truth_through_the_stated_point_spread(study):
    """Independent of `degrade`: scipy's Gaussian on a finer grid, sampled at the coarse pixels' centres."""
    product = on(study, study.clear_date)
    with rasterio.open(study.reflectance) as file:
        assert file.descriptions == phenology.BANDS
        truth = file.read().astype(float)[:, :, :SIZE] * 1e-4
    for band, ratio in (("B5", 2), ("B11", 2), ("B9", 6)):
        sigma = ratio * np.sqrt(-2 * np.log(sensor.MTF[band])) / np.pi
        fine = np.kron(truth[phenology.BANDS.index(band)], np.ones((4, 4)))
        blurred = gaussian_filter(fine, 4 * sigma, mode="nearest")
        corner = 4 * ratio // 2
        at = blurred[corner :: 4 * ratio, corner :: 4 * ratio]
        inner = slice(4, -4)
        wrong = (reflectance(product, band) - at)[inner, inner]
        plain = reflectance(product, band)[inner, inner].std()
        assert abs(wrong.mean()) < 2e-4
        assert wrong.std() < 0.1 * plain, band
        # half a pixel off would be seen
        shifted = np.roll(blurred, 2 * ratio, axis=1)[corner :: 4 * ratio, corner :: 4 * ratio][inner, inner]
        assert (reflectance(product, band)[inner, inner] - shifted).std() > 3 * wrong.std()


def test_ten_metre_bands_are_the_truth_and_noise(study):
    product = on(study, study.clear_date)
    with rasterio.open(study.reflectance) as file:
        truth = file.read(phenology.BANDS.index("B8") + 1)[:, :SIZE] * 1e-4
    wrong = reflectance(product, "B8") - truth
    assert abs(wrong.mean()) < 5e-5
    assert 0.001 < wrong.std() < 0.003


@pytest.mark.parametrize("band", ["B5", "B11", "B9"])
def test_coarse_bands_are_noisy_too(study, band):
    """Against the kit's own blur of the truth nothing is left but noise and rounding: 0.0008 in the dark, and more."""
    with rasterio.open(study.reflectance) as file:
        truth = file.read(phenology.BANDS.index(band) + 1)[:, :SIZE] * np.float32(1e-4)
    expected = sensor.degrade(truth, sensor.RESOLUTION[band] // 10, sensor.MTF[band])
    wrong = (reflectance(on(study, study.clear_date), band) - expected)[4:-4, 4:-4]
    assert 0.0008 < wrong.std() < 0.003
    assert abs(wrong.mean()) < 2e-4


@pytest.mark.parametrize(("ratio", "mtf"), [(2, 0.38), (2, 0.22), (6, 0.32), (6, 0.26)])
def test_transfer_at_nyquist_is_the_stated_one(ratio, mtf):
    taps = sensor.psf_taps(ratio, mtf)
    offsets = np.arange(taps.size) - (taps.size - 1) / 2
    assert (taps * np.cos(np.pi * offsets / ratio)).sum() == pytest.approx(mtf, abs=0.005)
    flat = np.full((36, 36), 0.3, np.float32)
    np.testing.assert_allclose(sensor.degrade(flat, ratio, mtf), 0.3, rtol=1e-6)


@pytest.mark.parametrize("cell", [40, 41])
def test_an_edge_is_blurred_by_the_10_m_bands_as_their_transfer_says(cell):
    """Ground of 5 m cells through a Gaussian whose transfer at the Nyquist frequency of 10 m is 0.26."""
    covers = np.zeros((80, 80), np.uint8)
    covers[:, cell:] = 1
    even = np.ones((40, 40), np.float32)
    seen = sensor.render(covers, np.array([[0.1] * 12, [0.5] * 12]), even, even)[0, 20]
    distance = np.arange(40) + 0.5 - cell / 2  # of pixels' centres from the edge, pixels
    expected = 0.1 + 0.4 * norm.cdf(distance / np.sqrt(-2 * np.log(0.26) / np.pi**2))
    np.testing.assert_allclose(seen, expected, atol=0.005)
