"""Noise that is a pure function of place and seed, so that any block of a scene can be made by itself."""

import math

import numpy as np
from numba import njit

_ANGLES = np.linspace(0, 2 * np.pi, 64, endpoint=False)
_COS, _SIN = np.cos(_ANGLES), np.sin(_ANGLES)


@njit(cache=True)
def mix(i: int, j: int, seed: int) -> int:
    """Hash two integers and a seed to 64 well-mixed bits."""
    h = np.uint64(i) * np.uint64(0x9E3779B97F4A7C15)
    h ^= np.uint64(j) * np.uint64(0xC2B2AE3D27D4EB4F) + (h >> np.uint64(29))
    h ^= np.uint64(seed) * np.uint64(0x165667B19E3779F9)
    h = (h ^ (h >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    h = (h ^ (h >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return h ^ (h >> np.uint64(32))  # type: ignore[return-value]


@njit(cache=True)
def unit(i: int, j: int, seed: int) -> float:
    """Uniform number in [0, 1) that belongs to (i, j, seed)."""
    return float(mix(i, j, seed) >> np.uint64(40)) / 16777216.0


@njit(cache=True)
def _corner(i: int, j: int, dx: float, dy: float, seed: int) -> float:
    k = mix(i, j, seed) & np.uint64(63)
    return _COS[k] * dx + _SIN[k] * dy


@njit(cache=True)
def perlin(x: float, y: float, seed: int) -> float:
    """Gradient noise of wavelength about 1; mean 0, within about ±0.7."""
    fx, fy = math.floor(x), math.floor(y)
    i, j, dx, dy = int(fx), int(fy), x - fx, y - fy
    u = dx * dx * dx * (dx * (dx * 6 - 15) + 10)
    v = dy * dy * dy * (dy * (dy * 6 - 15) + 10)
    top = _corner(i, j, dx, dy, seed) * (1 - u) + _corner(i + 1, j, dx - 1, dy, seed) * u
    low = _corner(i, j + 1, dx, dy - 1, seed) * (1 - u) + _corner(i + 1, j + 1, dx - 1, dy - 1, seed) * u
    return top * (1 - v) + low * v


@njit(cache=True)
def fractal(x: float, y: float, octaves: int, gain: float, seed: int) -> float:
    """Sum of gradient noises, each of half the wavelength and `gain` times the height of the last."""
    total, height, norm = 0.0, 1.0, 0.0
    for octave in range(octaves):
        total += height * perlin(x, y, seed + 101 * octave)
        norm += height
        height *= gain
        # turned by about 37°, so that the octaves' lattices do not line up
        x, y = 1.6 * x - 1.2 * y + 17.3, 1.2 * x + 1.6 * y - 5.1
    return total / norm


@njit(cache=True)
def octaves_down_to(longest: float, shortest: float) -> int:
    """Number of octaves from one wavelength down to another, both in metres."""
    return max(1, math.ceil(math.log2(longest / shortest)) + 1)
