"""How the simulated instrument sees: point spread, sampling, noise and digital numbers."""

import math

import numpy as np
from numba import njit, prange

from lulc_kit.sentinel2 import BANDS, MTF

RESOLUTION = {name: BANDS[name].resolution for name in MTF}  # metres, of the bands that are simulated
QUANTIFICATION = 10000
_FINE_MTF = 0.26  # of the picture at 10 m that all bands are derived from
# How a band answers to greener vegetation: the near infrared brightens, red and short-wave infrared darken.
_VIGOUR = np.array([0, -0.1, 0, -0.5, 0, 0.6, 0.9, 1, 1, 1, -0.4, -0.6])
_TAPS = 6


def psf_taps(ratio: int, mtf: float) -> np.ndarray:
    """Weights (sum 1) of the fine pixels around a coarse pixel's centre, on one axis; `ratio` is even.

    A Gaussian whose transfer at the coarse Nyquist frequency is `mtf`: σ = ratio · √(−2 ln(mtf) / π²) fine pixels.
    """
    sigma = ratio * math.sqrt(-2 * math.log(mtf)) / math.pi
    half = math.ceil(4 * sigma)
    offsets = np.arange(-half, half) + 0.5  # the centre of an even block lies between two pixels
    taps = np.exp(-(offsets**2) / (2 * sigma**2))
    return taps / taps.sum()


@njit(cache=True, parallel=True)
def _decimate_rows(image: np.ndarray, ratio: int, taps: np.ndarray) -> np.ndarray:
    rows, columns = image.shape
    out = np.zeros((rows // ratio, columns), np.float32)
    first = ratio // 2 - taps.size // 2
    for r in prange(rows // ratio):
        for k in range(taps.size):
            source = min(max(r * ratio + first + k, 0), rows - 1)
            for c in range(columns):
                out[r, c] += np.float32(taps[k]) * image[source, c]
    return out


def degrade(image: np.ndarray, ratio: int, mtf: float) -> np.ndarray:
    """Blur by a Gaussian point spread and sample at the centres of the coarse pixels.

    Parameters
    ----------
    image
        (rows, columns), both divisible by `ratio`; edges are repeated outward.
    ratio
        Even number of fine pixels to a coarse one.
    mtf
        Transfer at the Nyquist frequency of the coarse grid, 0–1.

    Returns
    -------
    numpy.ndarray
        (rows / ratio, columns / ratio) float32.
    """
    taps = psf_taps(ratio, mtf)
    once = _decimate_rows(np.ascontiguousarray(image, dtype=np.float32), ratio, taps)
    return np.ascontiguousarray(_decimate_rows(np.ascontiguousarray(once.T), ratio, taps).T)


@njit(cache=True, parallel=True)
def _render(
    covers: np.ndarray,
    table: np.ndarray,
    brightness: np.ndarray,
    vigour: np.ndarray,
    taps: np.ndarray,
    answer: np.ndarray,
) -> np.ndarray:
    rows, columns = brightness.shape
    bands = table.shape[1]
    reach = taps.size // 2 - 1
    out = np.empty((bands, rows, columns), np.float32)
    for r in prange(rows):
        mixed = np.empty(bands, np.float64)
        for c in range(columns):
            first = covers[2 * r, 2 * c]
            pure = True
            mixed[:] = 0.0
            for i in range(taps.size):
                y = min(max(2 * r - reach + i, 0), 2 * rows - 1)
                for j in range(taps.size):
                    pure &= covers[y, min(max(2 * c - reach + j, 0), 2 * columns - 1)] == first
            if pure:
                mixed[:] = table[first]
            else:
                for i in range(taps.size):
                    y = min(max(2 * r - reach + i, 0), 2 * rows - 1)
                    for j in range(taps.size):
                        cover = covers[y, min(max(2 * c - reach + j, 0), 2 * columns - 1)]
                        for b in range(bands):
                            mixed[b] += taps[i] * taps[j] * table[cover, b]
            for b in range(bands):
                factor = brightness[r, c] * (1 + answer[b] * (vigour[r, c] - 1))
                out[b, r, c] = mixed[b] * factor
    return out


def render(covers: np.ndarray, table: np.ndarray, brightness: np.ndarray, vigour: np.ndarray) -> np.ndarray:
    """Reflectance at 10 m of a ground of 5 m cells, mixed by the point spread of a 10 m band.

    Parameters
    ----------
    covers
        (2 rows, 2 columns) uint8.
    table
        (covers, bands) reflectance of each cover, from `phenology.spectra`.
    brightness, vigour
        (rows, columns), see `landscape.Painted`.

    Returns
    -------
    numpy.ndarray
        (bands, rows, columns) float32.
    """
    taps = psf_taps(2, _FINE_MTF)
    middle = taps.size // 2
    taps = taps[middle - _TAPS // 2 : middle + _TAPS // 2]
    return _render(covers, table, brightness, vigour, taps / taps.sum(), _VIGOUR)


def add_noise(reflectance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add instrument noise: 0.0008 at no light, growing with its square root to about 0.002 at 0.5."""
    spread = np.sqrt(0.0008**2 + 7e-6 * np.clip(reflectance, 0, None)).astype(np.float32)
    return reflectance + spread * rng.standard_normal(reflectance.shape, dtype=np.float32)


def to_numbers(reflectance: np.ndarray, offset: int) -> np.ndarray:
    """Digital numbers of a product: ρ·10000 − offset, at least 1 where there is a value, 0 where it is NaN.

    Before baseline 04.00 (`offset` 0) dark pixels that noise made negative are cut off at 1; the offset of
    −1000 was introduced to keep them.
    """
    scaled = np.rint(np.nan_to_num(reflectance, nan=0.0) * QUANTIFICATION) - offset
    return np.where(np.isnan(reflectance), 0, np.clip(scaled, 1, 65534)).astype(np.uint16)
