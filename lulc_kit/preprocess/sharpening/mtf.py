"""The blur of Sentinel-2's bands: what a pixel of 20 m or 60 m says about the pixels of 10 m beneath it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from lulc_kit.errors import ParameterError

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_COMPLETE = 0.5  # a degraded pixel stands on at least this share of its kernel's weight, or it is nodata


def gaussian_taps(ratio: int, mtf: float) -> tuple[Float, int]:
    """The Gaussian of a coarse pixel, sampled on the fine pixels around it.

    Parameters
    ----------
    ratio
        Fine pixels per coarse pixel, along one axis.
    mtf
        Modulation transfer at the Nyquist frequency of the coarse grid, 0 < mtf < 1.

    Returns
    -------
    taps
        Weights that sum to 1; σ = ratio·√(−2·ln(mtf)/π²) fine pixels, cut off at 4 σ.
    first
        Index of the fine pixel of the first weight, counted from the first fine pixel inside the coarse one.
        Both grids share their corner, so the kernel is centred on fine index (ratio − 1)/2.
    """
    sigma = ratio * np.sqrt(-2 * np.log(mtf)) / np.pi
    reach = int(np.ceil(4 * sigma))
    first = (ratio - 1) // 2 - reach
    last = ratio // 2 + reach
    x = np.arange(first, last + 1) - (ratio - 1) / 2
    taps = np.exp(-(x**2) / (2 * sigma**2))
    return (taps / taps.sum()).astype(np.float32), first


@njit(cache=True, nogil=True, inline="always")
def mirror(index: int, size: int) -> int:
    """The place inside 0 … size − 1 that mirrors an index outside it: (d c b a | a b c d | d c b a)."""
    index %= 2 * size
    return index if index < size else 2 * size - 1 - index


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def decimate(image: Float, taps: Float, first: int, ratio: int) -> Float:
    """Correlate both axes with ``taps`` at every ``ratio``-th pixel; the image is mirrored at its borders."""
    height, width = image.shape
    h, w = height // ratio, width // ratio
    out = np.zeros((h, w), np.float32)
    row = np.zeros(width, np.float32)
    for i in range(h):
        row[:] = 0
        for k in range(taps.size):
            y = mirror(i * ratio + first + k, height)
            for x in range(width):
                row[x] += taps[k] * image[y, x]
        for j in range(w):
            start = j * ratio + first
            total = np.float32(0)
            if start >= 0 and start + taps.size <= width:
                for k in range(taps.size):
                    total += taps[k] * row[start + k]
            else:
                for k in range(taps.size):
                    total += taps[k] * row[mirror(start + k, width)]
            out[i, j] = total
    return out


def degrade_masked(image: Float, weight: Float, ratio: int, taps: Float, first: int) -> Float:
    """Degrade an image without NaN whose nodata is 0; ``weight`` is its mask, degraded the same way."""
    total = decimate(image, taps, first, ratio)
    return np.where(weight >= _COMPLETE, total / np.maximum(weight, _COMPLETE), np.float32(np.nan))


def mtf_of(mtf: float | ArrayLike, bands: int) -> NDArray[np.float64]:
    """One checked value for each band."""
    values = np.asarray(mtf, dtype=float)
    if values.ndim > 1 or values.size not in (1, bands):
        raise ParameterError(
            f"{values.size} MTF values were given for {bands} bands: give one for each band, or one for all."
        )
    if not np.all((values > 0) & (values < 1)):
        raise ParameterError(f"The MTF at Nyquist lies between 0 and 1 (Sentinel-2: 0.22 to 0.38), not {values}.")
    return np.broadcast_to(values.ravel(), (bands,))


def degrade(image: ArrayLike, ratio: int, mtf: float | Sequence[float] | NDArray[Any]) -> Float:
    """What a coarser sensor would have seen: Gaussian blur by its MTF, then every ``ratio``-th pixel.

    Parameters
    ----------
    image
        (row, column) or (band, row, column); NaN is nodata. Rows and columns are multiples of ``ratio``.
    ratio
        Fine pixels per coarse pixel, along one axis.
    mtf
        Modulation transfer at the Nyquist frequency of the coarse grid: one value, or one for each band.

    Returns
    -------
    numpy.ndarray
        float32, (…, row/ratio, column/ratio), in the image's unit. Coarse pixels are centred on the middle of
        the ratio × ratio fine pixels that they cover. The image is mirrored at its borders.
        Weights are those of the valid pixels, renormalised, so nodata pulls nothing; a coarse pixel with
        less than half of its weight valid is NaN.

    Raises
    ------
    LulcError
        If the shape is not a multiple of the ratio, or an MTF is not between 0 and 1.

    Notes
    -----
    A Gaussian whose transfer at the coarse Nyquist frequency 1/(2·ratio) is ``mtf`` has
    σ = ratio·√(−2·ln(mtf))/π fine pixels, the usual model in Wald's protocol for Sentinel-2 (Lanaras et al.
    2018, https://doi.org/10.1016/j.isprsjprs.2018.09.018).
    """
    array = np.asarray(image, dtype=np.float32)
    if array.ndim not in (2, 3):
        raise ParameterError(f"Expected (row, column) or (band, row, column), found an array of shape {array.shape}.")
    if ratio < 2 or array.shape[-2] % ratio or array.shape[-1] % ratio or 0 in array.shape:
        raise ParameterError(
            f"An image of {array.shape[-2]} × {array.shape[-1]} pixels cannot be degraded by a "
            f"ratio of {ratio}: crop it to a multiple of the ratio (2 or more)."
        )
    bands = array if array.ndim == 3 else array[None]
    out = []
    for band, value in zip(bands, mtf_of(mtf, len(bands)), strict=True):
        taps, first = gaussian_taps(ratio, float(value))
        valid = np.isfinite(band)
        weight = decimate(valid.astype(np.float32), taps, first, ratio)
        out.append(degrade_masked(np.where(valid, band, np.float32(0)), weight, ratio, taps, first))
    return np.stack(out) if array.ndim == 3 else out[0]
