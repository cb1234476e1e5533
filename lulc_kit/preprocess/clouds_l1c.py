"""Clouds, their shadows and snow in top-of-atmosphere reflectance, which has no scene classification.

How `find` decides
------------------
All tests run on a grid of about 20 m, where the parallax between bands of a high cloud and single bright
pixels matter less.

1. *Air*: the sunlight that molecules scatter into the sensor is subtracted, so that the thresholds hold for a
   low winter sun and a high summer sun alike: ρ_R = τ·P/(4 cos θ), single scattering seen from straight
   above, with P = ¾(1 + cos²θ) and the optical depth τ(λ) of Hansen & Travis (1974), doi:10.1007/BF00168069.
2. *Water and snow*: water has B3 > B8 and hardly any B11. Snow has NDSI = (B3 − B11)/(B3 + B11) > 0.4 and is
   brighter than water in B8 and B3 (Zhu & Woodcock 2012, doi:10.1016/j.rse.2011.10.028, with their 0.11 and
   0.10). Bright ice on a lake is snow in this sense.
3. *Cloud*: haze = B2 − B4/2, the haze-optimised transformation of the same paper. Soil, roofs and sand are
   redder than clouds and stay below; water and snow are not, and are ruled out by B11. Two thresholds: a
   bright core, and thinner cloud within 600 m of a core. Cores narrower than 60 m are dropped (white roofs,
   greenhouses).
4. *Cirrus*: B10 > 0.01. Light of its wavelength does not reach low ground; above some 2000 m of altitude, or
   in very dry air, it does, and bright ground is then taken for cirrus.
5. *Shadow*: candidates are land pixels much darker than the land around them in both B8 and B11 (a wood is
   dark in B11 only) and not bluish as thin ice is. Each cloud is moved along the line away from the sun for
   every base height from 200 m to 6000 m; the height at which it covers most candidates is kept, as in Fmask
   (same paper), with what all clouds of the scene say as the prior. Candidates under the moved cloud, the
   dark patch they belong to (up to 1500 m: the cloud may go on beyond the image) and its fringe are shadow.
   So is water under the moved cloud or between shadowed banks; dark ground elsewhere, lakes above all, is
   left alone.

What it cannot do: find the shadow of a cloud outside the image (unless it continues one that was explained),
thin veils, thin cloud over water, cloud over snow. Dense haze can pass for thin cloud, and with the sun lower
than 20° the subtraction of the air is rough. It was judged by eye on one winter scene of lowland with broken
low cloud (Havel lakes, 2017-02-16), and by numbers only on constructed scenes; it has not been compared with
a set of hand-drawn masks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lulc_kit import sentinel2
from lulc_kit.cube import Reason
from lulc_kit.distance import within
from lulc_kit.errors import BandError, LulcError, ParameterError
from lulc_kit.late import ndimage

BANDS = ("B2", "B3", "B4", "B8", "B11", "B10")
"""Bands that the rule looks at; the last may be missing."""

_WAVELENGTH = {name: sentinel2.BANDS[name].wavelength for name in ("B2", "B3", "B4", "B8")}
_SATURATED = 6.45  # (65535 − 1000)/10000: the largest number an L1C pixel can hold is the mark of saturation

_GRID = 20.0  # m, of the tests
_HAZE_CORE, _HAZE_THIN, _HAZE_SHADOW = 0.030, 0.022, 0.028
_THIN_REACH = 600.0  # m from a core
_THIN_B11 = 0.15
_CORE_WIDTH = 60.0  # m
_CIRRUS_B10 = 0.01
_DARK, _FRINGE = 0.75, 0.85  # of the land around, in the brighter of B8 and B11
_AROUND = 3000.0  # m, side of the square that is "around"
_HEIGHTS = (200.0, 6000.0)  # m, of cloud bases
_HEIGHT_STEP = 50.0  # m
_THICKNESS = 150.0  # m above and below the best height
_FOLLOW = 1500.0  # m
_BANKS = 400.0  # m, half the width of water between shadowed banks
_SMALL = 20_000.0  # m², of a cloud too small to judge by itself
_MATCH = 0.3  # smallest share of dark pixels under a moved cloud


def grid_factor(resolution: float) -> int:
    """Pixels of this size (m) that are as wide as one of the grid that the tests run on."""
    return max(1, round(_GRID / resolution))


def coarsen(bands: NDArray[np.floating], *, factor: int) -> NDArray[np.float32]:
    """Reduce a block of top-of-atmosphere reflectance to the grid that the tests run on.

    Parameters
    ----------
    bands
        (band, row, column) reflectance 0–1, NaN = no data. The block begins at a row and a column that ``factor``
        divides.
    factor
        From `grid_factor`.

    Returns
    -------
    numpy.ndarray
        (band, row, column) means of ``factor`` × ``factor`` pixels, NaN where one of them is NaN.
    """
    return np.stack([_shrink(plane.astype(np.float32, copy=False), factor) for plane in bands])


def flags(bands: NDArray[np.floating], names: Sequence[str]) -> NDArray[np.uint8]:
    """Say which pixels of a block no test can judge.

    Parameters
    ----------
    bands
        (band, row, column), as for `coarsen`.
    names
        Names of the bands.

    Returns
    -------
    numpy.ndarray
        (row, column) uint8: 0, or `Reason.NODATA`, or `Reason.DEFECTIVE` (saturated).
    """
    found = np.where((bands >= _SATURATED).any(axis=0), np.uint8(Reason.DEFECTIVE), np.uint8(Reason.CLEAR))
    found[np.isnan(bands[[name != "B10" for name in names]]).any(axis=0)] = Reason.NODATA
    return found


def find(
    ground: dict[str, NDArray[np.float32]],
    unusable: NDArray[np.uint8],
    *,
    sun_azimuth: float,
    sun_zenith: float,
    resolution: float = 10.0,
) -> NDArray[np.uint8]:
    """Find clouds, cirrus, snow and cloud shadow in bands that `coarsen` has reduced block by block.

    Parameters
    ----------
    ground
        Reduced top-of-atmosphere reflectance of the whole scene by band name, (row, column), north up. B2, B3, B4, B8
        and B11 are needed; without B10 no cirrus is found. Emptied, because a whole tile's are 700 MB.
    unusable
        `flags` of the whole scene at its own resolution, (row, column).
    sun_azimuth, sun_zenith
        Where the sun stands (degrees): clockwise from north, and away from straight above. See
        `lulc_kit.preprocess.sun`.
    resolution
        Pixel size of ``unusable`` (m), 10 or 20.

    Returns
    -------
    numpy.ndarray
        (row, column) uint8 codes of `Reason`, of the shape of ``unusable``.

    Raises
    ------
    LulcError
        If a band is missing, numbers are no reflectance, or the sun is lower than 10°.
    """
    _check(ground, sun_zenith)
    factor = grid_factor(resolution)
    grid = resolution * factor
    seen = np.isfinite(ground["B2"])
    for name, plane in ground.items():
        if name in _WAVELENGTH:
            plane -= np.float32(rayleigh(_WAVELENGTH[name], sun_zenith))
        np.nan_to_num(plane, copy=False)

    water, snow = _water_and_snow(ground)
    cloud = _clouds(ground, water, snow, grid) & seen
    dark, fringe = _dark_land(ground, cloud | water | snow | ~seen, grid)
    cirrus = ground["B10"] > _CIRRUS_B10 if "B10" in ground else np.zeros_like(seen)
    ground.clear()
    shadow = _shadows(cloud, dark, fringe, water & seen, sun_azimuth, sun_zenith, grid)

    coarse = np.zeros(seen.shape, dtype=np.uint8)
    coarse[snow] = Reason.SNOW
    coarse[shadow] = Reason.SHADOW
    coarse[cirrus] = Reason.CIRRUS
    coarse[cloud] = Reason.CLOUD
    rows, columns = unusable.shape
    mask = coarse.repeat(factor, axis=0)[:rows].repeat(factor, axis=1)[:, :columns].copy()
    np.copyto(mask, unusable, where=unusable != Reason.CLEAR)
    return mask


def rayleigh(wavelength: float, sun_zenith: float) -> float:
    """Reflectance of the clear air alone, seen from straight above.

    Parameters
    ----------
    wavelength
        In µm, 0.4 to 1.
    sun_zenith
        Sun's angle from straight above (degrees).

    Returns
    -------
    float
        τ·P(Θ)/(4 cos θ) at sea level, single scattering; τ after Hansen & Travis (1974),
        doi:10.1007/BF00168069.
    """
    depth = 0.008569 * wavelength**-4 * (1 + 0.0113 * wavelength**-2 + 0.00013 * wavelength**-4)
    cosine = math.cos(math.radians(sun_zenith))
    return depth * 0.75 * (1 + cosine**2) / (4 * cosine)


def _check(ground: Mapping[str, NDArray[np.float32]], sun_zenith: float) -> None:
    missing = [name for name in BANDS[:-1] if name not in ground]
    if missing:
        raise BandError(
            f"The bands {', '.join(missing)} are missing; cloud detection needs {', '.join(BANDS[:-1])}, "
            "and B10 for cirrus."
        )
    blue = ground["B2"][np.isfinite(ground["B2"])]
    if blue.size and np.median(blue) > 2.0:
        raise LulcError(
            f"The median of B2 is {np.median(blue):.4g}; expected reflectance 0–1. Apply the product's "
            "scale and offset."
        )
    if not 0.0 <= sun_zenith <= 80.0:
        raise ParameterError(
            f"sun_zenith is {sun_zenith}°; cloud shadows are searched for 0° to 80°. Use another scene."
        )


def _shrink(plane: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Mean of ``factor`` × ``factor`` pixels; the last row and column are repeated to fill up."""
    if factor == 1:
        return plane
    rows, columns = plane.shape
    plane = np.pad(plane, ((0, -rows % factor), (0, -columns % factor)), mode="edge")
    total = plane[::factor, ::factor].copy()
    for row in range(factor):
        for column in range(factor):
            if row or column:
                total += plane[row::factor, column::factor]
    return total / np.float32(factor * factor)


def _box(plane: NDArray[np.float32], metres: float, grid: float) -> NDArray[np.float32]:
    return ndimage.uniform_filter(plane, size=2 * round(metres / grid / 2) + 1, mode="nearest")


def _water_and_snow(ground: Mapping[str, NDArray[np.float32]]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    green, swir, near = ground["B3"], ground["B11"], ground["B8"]
    # NDSI > 0.4 without the division: (g − s)/(g + s) > 0.4  ⇔  3 g > 7 s
    snow = (3 * green > 7 * swir) & (near > 0.11) & (green > 0.10)
    water = (green > near) & (swir < 0.06) & ~snow
    return water, snow


def _haze(ground: Mapping[str, NDArray[np.float32]], grid: float) -> NDArray[np.float32]:
    return _box(ground["B2"], 60.0, grid) - np.float32(0.5) * _box(ground["B4"], 60.0, grid)


def _clouds(
    ground: Mapping[str, NDArray[np.float32]], water: NDArray[np.bool_], snow: NDArray[np.bool_], grid: float
) -> NDArray[np.bool_]:
    haze = _haze(ground, grid)
    possible = ~(water | snow)
    core = possible & (haze > _HAZE_CORE) & (ground["B11"] > 0.1)
    core = ndimage.binary_opening(core, structure=np.ones((round(_CORE_WIDTH / grid) + 1,) * 2, dtype=bool))
    thin = possible & (haze > _HAZE_THIN) & (ground["B11"] > _THIN_B11)
    return core | (thin & within(core, _THIN_REACH / grid))


def _dark_land(
    ground: Mapping[str, NDArray[np.float32]], out: NDArray[np.bool_], grid: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Land pixels clearly and slightly darker than the land around, in both B8 and B11."""
    land = (~out).astype(np.float32)
    share = np.maximum(_box(land, _AROUND, grid), np.float32(1e-3))
    relative = np.maximum(
        *(ground[name] * share / np.maximum(_box(ground[name] * land, _AROUND, grid), 1e-4) for name in ("B8", "B11"))
    )
    # thin ice on ponds is as dark as shadow, but bluish
    out = out | (_haze(ground, grid) > _HAZE_SHADOW)
    return ~out & (relative < _DARK), ~out & (relative < _FRINGE)


def _shadows(
    cloud: NDArray[np.bool_],
    dark: NDArray[np.bool_],
    fringe: NDArray[np.bool_],
    water: NDArray[np.bool_],
    sun_azimuth: float,
    sun_zenith: float,
    grid: float,
) -> NDArray[np.bool_]:
    """Move each cloud away from the sun, keep the height at which it covers most dark land."""
    shadow = np.zeros_like(cloud)
    labels, count = ndimage.label(ndimage.binary_dilation(cloud))
    if not count:
        return shadow
    labels *= cloud
    rows, columns = (index.astype(np.int32) for index in np.nonzero(labels))
    owner = labels[rows, columns]
    size = np.bincount(owner, minlength=count + 1)

    # pixels per metre of height, away from the sun; rows count southward
    reach = math.tan(math.radians(sun_zenith)) / grid
    down = math.cos(math.radians(sun_azimuth)) * reach
    right = -math.sin(math.radians(sun_azimuth)) * reach
    heights = np.arange(_HEIGHTS[0], _HEIGHTS[1] + 1, _HEIGHT_STEP)

    def move(height: float | NDArray[np.floating]) -> tuple[NDArray[np.int32], NDArray[np.int32], Any]:
        """Rows and columns of cloud pixels after the move, and which of them are still in the image."""
        r = rows + np.rint(down * height).astype(np.int32)
        c = columns + np.rint(right * height).astype(np.int32)
        inside = (r >= 0) & (r < cloud.shape[0]) & (c >= 0) & (c < cloud.shape[1])
        return r[inside], c[inside], inside

    land = ~(cloud | water)
    seen = np.empty((len(heights), count + 1))
    hit = np.empty((len(heights), count + 1))
    for number, height in enumerate(heights):
        r, c, inside = move(height)
        seen[number] = np.bincount(owner[inside], weights=land[r, c], minlength=count + 1)
        hit[number] = np.bincount(owner[inside], weights=dark[r, c], minlength=count + 1)
    # Clouds of one scene have similar bases: what all of them say together counts as much as a cloud's own
    # pixels, and decides for the smallest. A tenth of its size keeps a sliver at the edge from a perfect
    # match.
    together = hit.sum(axis=1) / np.maximum(seen.sum(axis=1) + 0.1 * size.sum(), 1)
    prior = _SMALL / grid**2
    share = (hit + prior * together[:, None]) / (seen + 0.1 * size + prior)
    best = (share * (1 + together[:, None] / max(together.max(), 1e-6))).argmax(axis=0)
    explained = (share[best, np.arange(count + 1)] > _MATCH)[owner]
    rows, columns, base = rows[explained], columns[explained], heights[best][owner[explained]]
    under = np.zeros_like(cloud)
    for offset in np.arange(-_THICKNESS, _THICKNESS + 1, max(1 / max(reach, 1e-6), 10.0)):
        r, c, _ = move(base + offset)
        under[r, c] = True
    core = dark & within(under, 100.0 / grid)
    # the shadow goes on under a cloud beyond the image: follow it, but not along the dark rims of lakes
    patches, _ = ndimage.label(ndimage.binary_opening(dark, structure=np.ones((5, 5), dtype=bool)))
    touched = np.unique(patches[core])
    core |= np.isin(patches, touched[touched > 0]) & within(core, _FOLLOW / grid)
    core |= fringe & within(core, 200.0 / grid)
    # water is too dark to tell: it is in shadow under the moved cloud, and between banks that are
    between = ~within(~within(core | under, _BANKS / grid), _BANKS / grid)
    return (core | (water & (under | between))) & ~cloud
