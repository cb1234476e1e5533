"""The air of a simulated date: sun, clouds and their shadows, thin cirrus, and the edge of the swath."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit, prange

from lulc_kit.simulated.noise import fractal

_LATITUDE = 52.7  # degrees, of the simulated tiles
# In the order of phenology.BANDS.
_CLOUD = np.array([0.62, 0.62, 0.60, 0.61, 0.62, 0.63, 0.64, 0.65, 0.65, 0.58, 0.47, 0.35], np.float32)
_CIRRUS = np.array([0.40, 0.40, 0.39, 0.39, 0.39, 0.39, 0.39, 0.39, 0.38, 0.45, 0.30, 0.25], np.float32)
_DIRECT = np.array([0.45, 0.48, 0.54, 0.58, 0.61, 0.63, 0.65, 0.66, 0.67, 0.68, 0.74, 0.77], np.float32)


class Weather(NamedTuple):
    """What a date's sky is like: shares of the study, 0–1; `swath` is the share beyond the swath's edge."""

    cloud: float
    cirrus: float
    swath: float


CLEAR = Weather(0.0, 0.0, 0.0)
WEATHERS = (
    Weather(0.10, 0.00, 0.00),
    Weather(0.28, 0.00, 0.00),
    Weather(0.00, 0.00, 0.22),
    Weather(0.05, 0.12, 0.00),
    Weather(0.62, 0.00, 0.00),
    Weather(0.00, 0.00, 0.00),
    Weather(0.16, 0.10, 0.15),
    Weather(0.38, 0.00, 0.00),
    Weather(0.02, 0.00, 0.00),
)


class Sky(NamedTuple):
    """Everything that decides the air over one date; lengths in metres, angles in degrees."""

    seed: int
    scale: float
    base: float  # height of the clouds above the ground
    cloud: float  # thresholds of the two noise fields
    cirrus: float
    zenith: float
    azimuth: float
    edge: float  # east coordinate of the swath's edge in the middle row
    middle: float  # south coordinate of the middle row
    side: int  # +1: nothing east of the edge, −1: nothing west of it, 0: no edge


@dataclass(frozen=True)
class Air:
    """A strip of sky at 10 m: opacity of cloud and cirrus, depth of shadow (0–1), what is not imaged."""

    cloud: np.ndarray
    cirrus: np.ndarray
    shadow: np.ndarray
    outside: np.ndarray


def sun_angles(day: float) -> tuple[float, float]:
    """Zenith and azimuth of the sun in degrees at half past ten solar time, when Sentinel-2 passes."""
    declination = math.radians(23.44) * math.sin(2 * math.pi * (day - 81) / 365.25)
    phi, hour = math.radians(_LATITUDE), math.radians(-22.5)
    up = math.sin(phi) * math.sin(declination) + math.cos(phi) * math.cos(declination) * math.cos(hour)
    east = -math.cos(declination) * math.sin(hour)
    north = math.cos(phi) * math.sin(declination) - math.sin(phi) * math.cos(declination) * math.cos(hour)
    return math.degrees(math.acos(up)), math.degrees(math.atan2(east, north)) % 360


@njit(cache=True)
def _thickness(x: float, y: float, scale: float, seed: int) -> float:
    wx = 0.3 * fractal(x / scale, y / scale, 3, 0.5, seed + 1)
    wy = 0.3 * fractal(x / scale, y / scale, 3, 0.5, seed + 2)
    return fractal(x / scale + wx, y / scale + wy, 7, 0.58, seed + 3)


@njit(cache=True)
def _veil(x: float, y: float, scale: float, seed: int) -> float:
    """Cirrus: drawn out into fibres."""
    u, v = 0.8 * x + 0.6 * y, -0.6 * x + 0.8 * y
    return fractal(u / (3 * scale), v / (0.6 * scale), 6, 0.55, seed + 5)


@njit(cache=True, parallel=True)
def _fields(top: int, rows: int, columns: int, sky: Sky) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    cloud = np.zeros((rows, columns), np.float32)
    cirrus, shadow = np.zeros_like(cloud), np.zeros_like(cloud)
    outside = np.zeros((rows, columns), np.bool_)
    far = sky.base * math.tan(math.radians(sky.zenith))
    # What lies in shadow here has its cloud on the sun's side; south is −north.
    to_east = far * math.sin(math.radians(sky.azimuth))
    to_south = -far * math.cos(math.radians(sky.azimuth))
    for r in prange(rows):
        y = (top + r) * 10.0 + 5
        edge = sky.edge - 0.21 * (y - sky.middle)  # the descending track leans to the west
        for c in range(columns):
            x = c * 10.0 + 5
            outside[r, c] = sky.side * (x - edge) > 0
            if sky.cloud < 9:
                over = _thickness(x, y, sky.scale, sky.seed) - sky.cloud
                if over > 0:
                    cloud[r, c] = 1 - math.exp(-14 * over)
                over = _thickness(x + to_east, y + to_south, sky.scale, sky.seed) - sky.cloud
                if over > 0:
                    shadow[r, c] = 1 - math.exp(-14 * over)
            if sky.cirrus < 9:
                over = _veil(x, y, sky.scale, sky.seed) - sky.cirrus
                if over > 0:
                    cirrus[r, c] = 0.45 * (1 - math.exp(-8 * over))
    return cloud, cirrus, shadow, outside


@njit(cache=True)
def _sample(step: float, rows: int, columns: int, scale: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    cloud = np.empty((rows, columns))
    veil = np.empty((rows, columns))
    for r in range(rows):
        for c in range(columns):
            cloud[r, c] = _thickness(c * step, r * step, scale, seed)
            veil[r, c] = _veil(c * step, r * step, scale, seed)
    return cloud, veil


def make_sky(weather: Weather, day: float, size: int, width: int, height: int, seed: int) -> Sky:
    """The sky of one date.

    Parameters
    ----------
    weather
        Shares of cloud, cirrus and missing swath.
    day
        Day of the year.
    size
        Edge of a tile in pixels: over small tiles the clouds are smaller and lower, so that they and their
        shadows are both in the picture.
    width, height
        Extent of the study in 10 m pixels.
    seed
        Of this date.
    """
    rng = np.random.default_rng(seed)
    number = int(rng.integers(1 << 40))
    zenith, azimuth = sun_angles(day)
    scale = float(np.clip(3.0 * size, 700, 6000))
    step = max(width, height) * 10 / 200
    cloud, veil = _sample(step, math.ceil(height * 10 / step), math.ceil(width * 10 / step), scale, number)
    side = 0 if weather.swath == 0 else (1 if rng.random() < 0.5 else -1)
    share = 1 - weather.swath if side > 0 else weather.swath
    return Sky(
        seed=number,
        scale=scale,
        # low enough for the shadow to fall within a third of a tile of its cloud
        base=min(1200.0, 10 * size / 3 / math.tan(math.radians(zenith))),
        cloud=float(np.quantile(cloud, 1 - weather.cloud)) if weather.cloud else 9.0,
        cirrus=float(np.quantile(veil, 1 - weather.cirrus)) if weather.cirrus else 9.0,
        zenith=zenith,
        azimuth=azimuth,
        edge=share * width * 10,
        middle=height * 5,
        side=side,
    )


def look(sky: Sky, top: int, rows: int, columns: int) -> Air:
    """The air over rows ``top … top + rows`` of the study (10 m pixels)."""
    return Air(*_fields(top, rows, columns, sky))


def through(reflectance: np.ndarray, air: Air) -> np.ndarray:
    """What the ground looks like from above the air.

    Parameters
    ----------
    reflectance
        (12, rows, columns) of the ground.
    air
        Of the same rows and columns.

    Returns
    -------
    numpy.ndarray
        (12, rows, columns) float32, beyond the swath's edge too.
    """
    seen = np.empty_like(reflectance, dtype=np.float32)
    white = 0.8 + 0.4 * air.cloud**2  # thick clouds are brighter
    for b, ground in enumerate(reflectance):
        lit = ground * (1 - _DIRECT[b] * air.shadow)
        veiled = lit + air.cirrus * (_CIRRUS[b] - lit)
        seen[b] = veiled + air.cloud * (_CLOUD[b] * white - veiled)
    return seen
