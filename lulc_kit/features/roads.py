"""Roads: which pixels have one, and how far it is to the nearest."""

import math
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import geopandas as gpd
import numba
import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from lulc_kit import grids, raster
from lulc_kit.errors import LulcError

LAYERS = ["road", "road_distance"]


def read_lines(path: Path, geobox: GeoBox, margin: float = 0.0) -> npt.NDArray[np.object_]:
    """Read the lines of a vector file that come near a grid, in the grid's CRS.

    Parameters
    ----------
    path
        Lines in any CRS, in any format that GDAL reads (OpenStreetMap extracts as GeoPackage or shapefile).
    geobox
        The study's grid.
    margin
        How far beyond the grid lines are wanted, metres.

    Returns
    -------
    numpy.ndarray of shapely.LineString, (line,)

    Raises
    ------
    LulcError
        If the file cannot be read, has no CRS, or has no line there.
    """
    area = gpd.GeoSeries([geobox.extent.geom.buffer(margin)], crs=geobox.crs.to_wkt() if geobox.crs else None)
    try:
        found = gpd.read_file(path, mask=area.segmentize(max(geobox.resolution.x * 256, margin)))
    except Exception as error:  # pyogrio and GDAL raise various kinds
        raise LulcError(f"{path} is not a vector file that GDAL can read ({error}).") from error
    if found.crs is None:
        raise LulcError(f"{path} has no CRS. Set it (in QGIS: Set layer CRS, then export) and try again.")
    parts = shapely.get_parts(found.to_crs(area.crs).geometry.to_numpy())
    lines = parts[shapely.get_type_id(parts) == shapely.GeometryType.LINESTRING]
    if not len(lines):
        kinds = ", ".join(sorted({str(kind) for kind in found.geom_type})) or "nothing"
        raise LulcError(
            f"{path}: expected roads as lines on the study's grid or within {margin:g} m of it, found {kinds} there. "
            f"The grid: {grids.describe(geobox)}."
        )
    return lines


@numba.njit(nogil=True, cache=True)
def _squared_distance(present, aspect, cap, top, left, out):  # type: ignore[no-untyped-def]
    rows, columns = present.shape
    # To the nearest road in the same column (Rosenfeld & Pfaltz), cut at cap + 1 rows, which is too far.
    vertical = np.empty((rows, columns), np.int32)
    for c in range(columns):
        vertical[0, c] = 0 if present[0, c] else cap + 1
    for r in range(1, rows):
        for c in range(columns):
            vertical[r, c] = 0 if present[r, c] else min(vertical[r - 1, c] + 1, cap + 1)
    for r in range(rows - 2, -1, -1):
        for c in range(columns):
            vertical[r, c] = min(vertical[r, c], vertical[r + 1, c] + 1)
    # Along the row: the lower envelope of parabolas, one for each column that has a road (Felzenszwalb & Huttenlocher).
    apex = np.empty(columns, np.int64)
    height = np.empty(columns, np.float64)
    begin = np.empty(columns + 1, np.float64)
    for r in range(out.shape[0]):
        count = 0
        for c in range(columns):
            v = vertical[top + r, c]
            if v > cap:
                continue
            h = (v * aspect) ** 2
            while count > 0:
                a = apex[count - 1]
                cross = (h + c * c - height[count - 1] - a * a) / (2.0 * (c - a))
                if cross > begin[count - 1]:
                    break
                count -= 1
            if count == 0:
                cross = -np.inf
            apex[count], height[count], begin[count] = c, h, cross
            count += 1
        begin[count] = np.inf
        k = 0
        for c in range(out.shape[1]):
            x = left + c
            if count == 0:
                out[r, c] = np.inf
                continue
            while begin[k + 1] < x:
                k += 1
            out[r, c] = (x - apex[k]) ** 2 + height[k]


def distance(
    present: npt.NDArray[np.bool_], x_size: float, y_size: float, maximum: float, margin: tuple[int, int] = (0, 0)
) -> npt.NDArray[np.float32]:
    """Compute the distance from each pixel's centre to the centre of the nearest pixel that has a road.

    Exact Euclidean distance (Felzenszwalb & Huttenlocher 2012, doi:10.4086/toc.2012.v008a019).

    Parameters
    ----------
    present : (row, column)
        Which pixels have a road.
    x_size, y_size
        Sides of a pixel, metres.
    maximum
        Greater distances are given as this one, metres.
    margin
        Rows and columns on each side for which no distance is wanted.

    Returns
    -------
    numpy.ndarray of float32, (row − 2 × margin, column − 2 × margin)
        Metres, 0 … ``maximum``.
    """
    rows, columns = (n - 2 * m for n, m in zip(present.shape, margin, strict=True))
    out = np.empty((rows, columns))
    _squared_distance(present, y_size / x_size, math.ceil(maximum / y_size), *margin, out)
    return np.minimum(np.sqrt(out) * x_size, maximum).astype(np.float32)


def _block(lines: npt.NDArray[np.object_], block: GeoBox, all_touched: bool, maximum: float) -> npt.NDArray[np.float32]:
    x_size, y_size = abs(block.resolution.x), abs(block.resolution.y)
    margin = math.ceil(maximum / y_size), math.ceil(maximum / x_size)
    wide = block.pad(margin[1], margin[0])
    present = np.zeros(wide.shape, np.uint8)
    if len(lines):
        rasterize(lines, out=present, transform=wide.affine, default_value=1, all_touched=all_touched)
    inner = present[margin[0] : -margin[0], margin[1] : -margin[1]]
    return np.stack([inner.astype(np.float32), distance(present != 0, x_size, y_size, maximum, margin)])


def compute(
    path: Path,
    geobox: GeoBox,
    *,
    all_touched: bool = True,
    maximum: float = 2000.0,
    chunk: int | None = None,
) -> xr.DataArray:
    """Compute presence of roads and distance to them on a grid, lazily.

    Parameters
    ----------
    path
        Lines, see `read_lines`.
    geobox
        The study's grid; its CRS is in metres.
    all_touched
        True: every pixel that a line touches has a road. False: a line is drawn one pixel wide.
    maximum
        Distances are exact up to this one and given as this one beyond, metres. Roads beside the grid count, too.
        Each block looks so far over its border: time grows with it.
    chunk
        Rows and columns of a block, pixels.

    Returns
    -------
    xarray.DataArray
        float32, bands ``road`` (0 or 1) and ``road_distance`` (metres between the centres of pixels).

    Raises
    ------
    LulcError
        See `read_lines`.
    """
    if maximum <= 0:
        raise LulcError(f"The greatest distance to a road must be above 0 m, got {maximum:g}.")
    # A pixel more than the distance: a line may touch the outermost pixel without coming near its centre.
    reach = maximum + 2 * max(abs(geobox.resolution.x), abs(geobox.resolution.y))
    lines = read_lines(path, geobox, reach)
    tree = shapely.STRtree(lines)
    chunks = da.core.normalize_chunks(chunk or raster.CHUNK, shape=tuple(geobox.shape))
    delayed: Any = dask.delayed(_block)

    def block(rows: slice, columns: slice) -> da.Array:
        part = geobox[rows, columns]
        near = lines[np.sort(tree.query(part.extent.geom.buffer(reach)))]
        shape = (len(LAYERS), *part.shape)
        return da.from_delayed(delayed(near, part, all_touched, maximum), shape, np.float32)

    row_slices, column_slices = (_slices(lengths) for lengths in chunks)
    data = da.block([[block(rows, columns) for columns in column_slices] for rows in row_slices])
    return raster.array(data, geobox, LAYERS)


def _slices(lengths: tuple[int, ...]) -> list[slice]:
    ends = np.cumsum(lengths).tolist()
    return [slice(end - length, end) for length, end in zip(lengths, ends, strict=True)]
