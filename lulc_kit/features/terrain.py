"""Elevation, slope and aspect on the study's grid, from any elevation model.

Slope and aspect are those of Horn (1981), as in GDAL, GRASS and ArcGIS: the gradient is a weighted mean over the eight
neighbours. Where the elevation model ends, or has a gap, the neighbours that are missing lie on the straight line
through those that are there (one-sided differences), so that a plane has its slope up to its rim.

References
----------
Horn, B. K. P. (1981): Hill shading and the reflectance map. Proceedings of the IEEE 69(1), 14–47,
doi:10.1109/PROC.1981.11918.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from lulc_kit import raster
from lulc_kit.errors import FormatError, ParameterError
from lulc_kit.late import da, xr
from lulc_kit.raster import warping

LAYERS = ["DEM", "slope", "aspect"]
HALO = 1
METRES = {
    **dict.fromkeys(("", "m", "metre", "metres", "meter", "meters"), 1.0),
    **dict.fromkeys(("ft", "foot", "feet", "international foot", "international feet"), 0.3048),
    **dict.fromkeys(("us-ft", "us_ft", "ftus", "us survey foot", "foot_us", "us_survey_foot"), 1200 / 3937),
    **{"km": 1000.0, "kilometre": 1000.0, "dm": 0.1, "decimetre": 0.1, "cm": 0.01, "centimetre": 0.01},
    **{"mm": 0.001, "millimetre": 0.001},
}
"""Metres in a unit of elevation, by what files call it, in lower case; a file that says nothing means metres."""
HIGHEST = 9000
"""No land is higher, or deeper below the sea, metres."""
LOWEST = -450
"""No dry land lies lower, metres: what does, beside a wall, means nodata (-999 often does), or was mixed with it."""
WALL = 75
"""No ground is so steep over the side of a pixel as the rim of such a hole, degrees."""
DEGREES = 180 / math.pi


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _extend(w):  # type: ignore[no-untyped-def]
    """Fill what is missing of a pixel's 3×3 window along straight lines; NaN stays where no line leads."""
    known = ~np.isnan(w)
    for k in (0, 2):
        if not known[k, 1]:
            w[k, 1] = 2 * w[1, 1] - w[2 - k, 1]
        if not known[1, k]:
            w[1, k] = 2 * w[1, 1] - w[1, 2 - k]
    for i in (0, 2):
        for j in (0, 2):
            if known[i, j]:
                continue
            if not known[i, 1] and known[1, j] and known[2 - i, j]:
                w[i, j] = 2 * w[1, j] - w[2 - i, j]  # down the column, as along a northern or southern rim
            elif not known[1, j] and known[i, 1] and known[i, 2 - j]:
                w[i, j] = 2 * w[i, 1] - w[i, 2 - j]
            else:
                w[i, j] = w[i, 1] + w[1, j] - w[1, 1]  # the plane through the three


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _differences(above, middle, below, c):  # type: ignore[no-untyped-def]
    """East less west and north less south, eight times a pixel's rise, as sums of float32 in the order of gdaldem.

    So nearly flat ground gets the same aspect.
    """
    west = above[c] + middle[c] + middle[c] + below[c]
    east = above[c + 2] + middle[c + 2] + middle[c + 2] + below[c + 2]
    north = above[c] + above[c + 1] + above[c + 1] + above[c + 2]
    south = below[c] + below[c + 1] + below[c + 1] + below[c + 2]
    return east - west, north - south


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _horn(dem, x_size, y_size, flat_aspect, slope, aspect):  # type: ignore[no-untyped-def]
    rows, columns = slope.shape
    east_factor, north_factor = 1 / (8 * x_size), 1 / (8 * y_size)
    window = np.empty((3, 3), np.float32)
    for r in range(rows):
        above, middle, below = dem[r], dem[r + 1], dem[r + 2]
        for c in range(columns):
            east, north = _differences(above, middle, below, c)
            if np.isnan(east + north) and not np.isnan(middle[c + 1]):
                window[:] = dem[r : r + 3, c : c + 3]
                _extend(window)
                east, north = _differences(window[0], window[1], window[2], 0)
            up_east, up_north = east * east_factor, north * north_factor
            steepness = np.sqrt(up_east * up_east + up_north * up_north)
            if np.isnan(steepness) or np.isnan(middle[c + 1]):
                slope[r, c] = aspect[r, c] = np.nan
                continue
            slope[r, c] = np.arctan(steepness) * DEGREES
            if steepness == 0:
                aspect[r, c] = flat_aspect
                continue
            # Downhill is opposite to the gradient; clockwise from north.
            angle = np.arctan2(-up_east, -up_north) * DEGREES
            aspect[r, c] = angle + 360 if angle < 0 else angle
            if aspect[r, c] >= 360:  # by rounding
                aspect[r, c] = 0


def slope_aspect(
    dem: npt.NDArray[np.float32], x_size: float, y_size: float, flat_aspect: float = math.nan
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Compute slope and aspect.

    Parameters
    ----------
    dem : (row, column)
        Elevation, in the unit of the pixels' sides; rows run southward; NaN for nodata.
    x_size, y_size
        Sides of a pixel.
    flat_aspect
        Aspect where the slope is zero: a number of degrees, or NaN.

    Returns
    -------
    slope, aspect : numpy.ndarray of float32, (row − 2, column − 2)
        Of all pixels but those of the rim. Slope 0–90 degrees; aspect is the direction that faces downhill, degrees
        clockwise from north, 0 ≤ aspect < 360. NaN where the pixel has no data, or both its neighbours on a line.
        Beside nodata they are those of ``gdaldem -compute_edges`` at the rim of a model, except in the corners and
        beside gaps, where gdaldem repeats the pixel itself and halves a plane's slope.

    Raises
    ------
    LulcError
        If the elevation model has fewer than three rows or columns.

    Examples
    --------
    Ground that falls by 10 m on 10 m, eastward.

    >>> dem = np.array([[30, 20, 10], [30, 20, 10], [30, 20, 10]])
    >>> slope, aspect = slope_aspect(dem, 10, 10)
    >>> float(slope[0, 0]), float(aspect[0, 0])
    (45.0, 90.0)
    """
    dem = np.ascontiguousarray(dem, np.float32)
    if dem.ndim != 2 or min(dem.shape) < 3:
        raise ParameterError(
            f"Slope needs an elevation model of at least 3×3 pixels, got an array of shape {dem.shape}."
        )
    slope = np.empty((dem.shape[0] - 2, dem.shape[1] - 2), np.float32)
    aspect = np.empty_like(slope)
    _horn(dem, float(x_size), float(y_size), float(flat_aspect), slope, aspect)
    return slope, aspect


def metres(scale: float, offset: float, unit: str, path: Path | str = "The elevation model") -> tuple[float, float]:
    """Return scale and offset that make metres of a file's numbers.

    Parameters
    ----------
    scale, offset, unit
        What the file declares: ``value = number * scale + offset``, in this unit.
    path
        The file, for messages.

    Raises
    ------
    LulcError
        If the unit is none of length that is known.

    Examples
    --------
    Whole decimetres, and feet.

    >>> metres(0.1, 0, "m")
    (0.1, 0.0)
    >>> metres(1, 100, "ft")
    (0.3048, 30.48)
    """
    known = METRES.get(unit.strip().lower().rstrip("."))
    if known is None:
        raise ParameterError(
            f"{path} gives elevation in {unit!r}, and slopes need metres. Convert it, and set its unit: "
            f"gdal_edit.py -units m FILE."
        )
    return scale * known, offset * known


def _block(
    planned: warping.Warping,
    geobox: GeoBox,
    flat_aspect: float,
    calibration: tuple[float, float],
    block_info: Any = None,
) -> npt.NDArray[Any]:
    _, rows, columns = block_info[None]["array-location"]
    # One pixel more on each side, also beyond the grid: slopes at the rim are as right as elsewhere.
    dem = planned(slice(rows[0], rows[1] + 2 * HALO), slice(columns[0], columns[1] + 2 * HALO))
    scale, offset = calibration
    dem = dem if calibration == (1, 0) else dem * np.float32(scale) + np.float32(offset)
    lowest = np.nanmin(dem, initial=HIGHEST)
    if (wild := dem[np.abs(dem) > HIGHEST]).size:
        raise FormatError(
            f"{planned.path} has elevations of {wild[0]:g} m, which no land has: a number that means nodata, and the "
            f"file does not say so? Set it (gdal_edit.py -a_nodata NUMBER FILE), or the unit (gdal_edit.py -units ft)."
        )
    slope, aspect = slope_aspect(dem, abs(geobox.resolution.x), abs(geobox.resolution.y), flat_aspect)
    if lowest < LOWEST and np.nanmax(slope, initial=0) > WALL:
        raise FormatError(
            f"{planned.path} has elevations down to {lowest:g} m beside others that a wall of more than {WALL}° would "
            f"lead to: a number that means nodata, and the file does not say so? Say so with gdal_edit.py -a_nodata "
            f"-999 FILE, if it is that."
        )
    if _drops_to_zero(dem, slope):
        warnings.warn(
            f"{planned.path} has elevations of 0 m at the foot of walls of more than {WALL}°: holes that the file does "
            f"not declare? If so, say it with gdal_edit.py -a_nodata 0 FILE, which makes sea level nodata, too, or "
            f"fill them (gdal_fillnodata.py).",
            stacklevel=2,
        )
    return np.stack([dem[HALO:-HALO, HALO:-HALO], slope, aspect])


def _drops_to_zero(dem: npt.NDArray[np.float32], slope: npt.NDArray[np.float32]) -> bool:
    """Whether a wall stands beside a pixel of exactly 0: a hole's rim more often than a cliff by the sea."""
    rows, columns = np.nonzero(slope > WALL)
    return any((dem[r : r + 3, c : c + 3] == 0).any() for r, c in zip(rows, columns, strict=True))


def compute(
    path: Path,
    geobox: GeoBox,
    *,
    resampling: str = "bilinear",
    flat_aspect: float | None = None,
    calibration: tuple[float, float] = (1, 0),
) -> xr.DataArray:
    """Compute elevation, slope and aspect on a grid, lazily.

    The elevation model is warped first, so that one in degrees of longitude and latitude gives right slopes too.

    Parameters
    ----------
    path
        Elevation, any raster GDAL reads.
    geobox
        The study's grid; its CRS is in metres.
    resampling
        ``"bilinear"``, ``"cubic"``, … for a model as coarse as the grid or coarser; ``"average"`` for a finer one.
        Bilinear interpolation of a much coarser model makes facets that show in the slope; cubic is smoother.
    flat_aspect
        Aspect of flat ground, degrees; None for nodata.
    calibration
        Scale and offset that make metres of the file's numbers (`metres`).

    Returns
    -------
    xarray.DataArray
        float32, bands DEM (metres), slope (degrees) and aspect (degrees clockwise from north); NaN for nodata.

    Raises
    ------
    LulcError
        If the file cannot be read, has no CRS, or lies wholly outside the grid; later, if it holds numbers that no
        elevation has.
    """
    path = Path(path)
    warping.check_overlap(path, geobox)
    flat = math.nan if flat_aspect is None else flat_aspect
    rows, columns = da.core.normalize_chunks(raster.CHUNK, shape=tuple(geobox.shape))
    data = da.map_blocks(
        _block,
        warping.plan_warp(path, geobox.pad(HALO), resampling=resampling),
        geobox,
        flat,
        calibration,
        chunks=((len(LAYERS),), rows, columns),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )
    return raster.array(data, geobox, LAYERS)
