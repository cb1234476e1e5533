"""Make a sharpened band say, once degraded, what its coarse original said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from lulc_kit.late import ndimage
from lulc_kit.preprocess.sharpening.mtf import Float, Mask, decimate, degrade_masked, gaussian_taps, mirror

_REACH = 3  # coarse pixels that the upsampling kernel looks to each side
_INVERSE = 7  # the same for the inverse filter
_DAMPING = 0.03  # transfer of A·U per axis below which G stops inverting: there is mostly noise
_CAUTION = 3  # coarse pixels from nodata within which the inverse filter is not used
_CORRELATION = 0.3  # coarse pixels over which an unexplained detail resembles itself


@dataclass(frozen=True)
class Projector:
    """Kernels that spread a coarse residual over fine pixels so that degrading it gives it back.

    With A the degradation and U an upsampling, both separable, A·U is a short filter on the coarse grid and
    has an inverse G of a few taps; then A·(U·G·r) = r in one step, where iterated back-projection needs
    dozens. What is left for further steps comes from G's damping, from the limits to the result, and from
    nodata, around which A is renormalised.
    U is the interpolator that expects residuals correlated like exp(−distance/0.3 coarse pixels).
    """

    ratio: int
    taps: Float
    first: int
    enlarging: Float
    inverse: Float

    @property
    def reach(self) -> int:
        """Coarse pixels around a pixel that one step depends on."""
        return -(-self.taps.size // (2 * self.ratio)) + 1 + _INVERSE + _REACH


def projector(ratio: int, mtf: float) -> Projector:
    """Kernels for one band, from its MTF at Nyquist."""
    taps, first = gaussian_taps(ratio, mtf)
    enlarging = _enlarging(ratio, mtf)
    # response of the coarse grid to one coarse pixel that was enlarged and degraded again
    n = 2 * (_REACH + len(taps)) + 1
    fine = np.zeros(n * ratio)
    centre = n // 2
    for j in range(ratio):
        for k in range(-_REACH, _REACH + 1):
            fine[(centre - k) * ratio + j] += enlarging[j, k + _REACH]
    response = np.zeros(n)
    for i in range(n):
        start = i * ratio + first
        if start >= 0 and start + len(taps) <= len(fine):
            response[i] = taps @ fine[start : start + len(taps)]
    size = 128
    circular = np.zeros(size)
    circular[(np.arange(n) - centre) % size] += response
    spectrum = np.fft.rfft(circular).real
    damped = spectrum / (spectrum**2 + _DAMPING**2)
    inverse = np.fft.irfft(damped, size)[np.arange(-_INVERSE, _INVERSE + 1)]
    return Projector(ratio, taps, first, enlarging, (inverse / inverse.sum()).astype(np.float32))


def _enlarging(ratio: int, mtf: float) -> Float:
    """Weights of coarse pixels −3 … 3 for each of the ``ratio`` fine positions inside coarse pixel 0."""
    step = 0.02
    x = np.arange(-8, 8 + step / 2, step)
    sigma = np.sqrt(-2 * np.log(mtf)) / np.pi
    blur = np.exp(-(x**2) / (2 * sigma**2))
    kernel = np.convolve(np.exp(-np.abs(x) / _CORRELATION), blur, mode="same")
    position = ((np.arange(ratio) + 0.5) / ratio - 0.5)[:, None]
    offset = np.arange(-_REACH, _REACH + 1)[None]
    weights = np.interp(np.abs(position - offset), x, kernel)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def back_project(image: Float, valid: Mask, coarse: Float, kernels: Projector, iterations: int, limits: float) -> Float:
    """Correct ``image`` until degrading it gives ``coarse``.

    Parameters
    ----------
    image
        (row, column), the first estimate; changed in place.
    valid
        Where ``image`` counts; elsewhere it must be 0 and stays so.
    coarse
        (row/ratio, column/ratio); NaN is nodata and asks for nothing.
    kernels
        From `projector`.
    iterations
        Steps; 0 leaves the image as it is.
    limits
        Room that the result has beyond the local range, as a share of that range.

    Returns
    -------
    numpy.ndarray
        The corrected image.
    """
    weight = decimate(valid.astype(np.float32), kernels.taps, kernels.first, kernels.ratio)
    if not iterations:
        return image
    floor, ceiling = _local_range(image, valid, coarse, kernels.ratio, np.float32(limits))
    # near nodata A is another operator, which G does not fit: there the steps are plain back-projection
    whole = (weight > 1 - 1e-5) & np.isfinite(coarse)
    whole = ndimage.binary_erosion(whole, np.ones((3, 3)), iterations=_CAUTION, border_value=1)
    for _ in range(iterations):
        seen = degrade_masked(image, weight, kernels.ratio, kernels.taps, kernels.first)
        residual = coarse - seen
        residual[~np.isfinite(residual)] = 0
        residual = np.where(whole, convolve(residual, kernels.inverse), residual)
        add_enlarged(image, valid, residual, kernels.enlarging, floor, ceiling)
    return image


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def convolve(image: Float, taps: Float) -> Float:
    """Correlate both axes with symmetric taps; the image is mirrored at its borders."""
    h, w = image.shape
    reach = taps.size // 2
    out = np.zeros((h, w), np.float32)
    row = np.zeros(w + 2 * reach, np.float32)
    for i in range(h):
        row[:] = 0
        for k in range(taps.size):
            y = mirror(i + k - reach, h)
            for x in range(w):
                row[x + reach] += taps[k] * image[y, x]
        for x in range(1, reach + 1):
            row[reach - x] = row[reach + mirror(-x, w)]
            row[w + reach - 1 + x] = row[reach + mirror(w - 1 + x, w)]
        for k in range(taps.size):
            for x in range(w):
                out[i, x] += taps[k] * row[x + k]
    return out


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def add_enlarged(image: Float, valid: Mask, residual: Float, kernel: Float, floor: Float, ceiling: Float) -> None:
    """Add the enlarged residual to the valid pixels, within the local range."""
    ratio = kernel.shape[0]
    reach = kernel.shape[1] // 2
    h, w = residual.shape
    row = np.zeros(w + 2 * reach, np.float32)
    for y in range(image.shape[0]):
        i = y // ratio
        row[:] = 0
        for k in range(kernel.shape[1]):
            ii = mirror(i + k - reach, h)
            weight = kernel[y % ratio, k]
            for j in range(w):
                row[j + reach] += weight * residual[ii, j]
        for j in range(1, reach + 1):
            row[reach - j] = row[reach + mirror(-j, w)]
            row[w + reach - 1 + j] = row[reach + mirror(w - 1 + j, w)]
        for j in range(w):
            for phase in range(ratio):
                x = j * ratio + phase
                if valid[y, x]:
                    total = np.float32(0)
                    for k in range(kernel.shape[1]):
                        total += kernel[phase, k] * row[j + k]
                    image[y, x] = min(max(image[y, x] + total, floor[y, x]), ceiling[y, x])


def _local_range(image: Float, valid: Mask, coarse: Float, ratio: int, limits: np.float32) -> tuple[Float, Float]:
    """Bounds for each fine pixel: the range of the first estimate and of the coarse band around it."""
    low, high = _range(image, valid, coarse, ratio)
    lowest = ndimage.minimum_filter(low, 3, mode="nearest")
    highest = ndimage.maximum_filter(high, 3, mode="nearest")
    room = limits * (highest - lowest)
    floor, ceiling = (bound.repeat(ratio, axis=0).repeat(ratio, axis=1) for bound in (lowest - room, highest + room))
    return floor, ceiling


@njit(cache=True, nogil=True)
def _range(image: Float, valid: Mask, coarse: Float, ratio: int) -> tuple[Float, Float]:
    """Least and greatest number in each coarse pixel."""
    h, w = coarse.shape
    low = np.full((h, w), np.inf, np.float32)
    high = np.full((h, w), -np.inf, np.float32)
    for i in range(h):
        for j in range(w):
            if not np.isnan(coarse[i, j]):
                low[i, j] = high[i, j] = coarse[i, j]
            for y in range(i * ratio, (i + 1) * ratio):
                for x in range(j * ratio, (j + 1) * ratio):
                    if valid[y, x]:
                        low[i, j] = min(low[i, j], image[y, x])
                        high[i, j] = max(high[i, j], image[y, x])
    return low, high
