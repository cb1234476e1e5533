"""Roads: which pixels have one, and how far it is to the nearest."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import dask
import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from lulc_kit import grids, raster
from lulc_kit.distance import distance
from lulc_kit.errors import GridError, ParameterError
from lulc_kit.intake import vectors
from lulc_kit.late import da, gpd, xr

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
    near = area.segmentize(max(geobox.resolution.x * 256, margin))
    found = vectors.read(path, mask=near, parameters="01_download.yaml").table
    parts = found.to_crs(area.crs).geometry.to_numpy()
    while (shapely.get_type_id(parts) > shapely.GeometryType.POLYGON).any():  # collections may hold collections
        parts = shapely.get_parts(parts)
    kind = shapely.get_type_id(parts)
    is_line = (kind == shapely.GeometryType.LINESTRING) | (kind == shapely.GeometryType.LINEARRING)
    lines = parts[is_line & ~shapely.is_empty(parts)]
    if len(lines) and (other := int((~is_line & (kind >= 0)).sum())):
        warnings.warn(
            f"{other} of {len(parts)} shapes of {path.name} are no lines and count as no roads: "
            f"{', '.join(sorted({shape.geom_type for shape in parts[~is_line] if shape is not None}))}.",
            stacklevel=4,
        )
    if not len(lines):
        kinds = ", ".join(sorted({str(kind) for kind in found.geom_type})) or "nothing"
        raise GridError(
            f"{path}: expected roads as lines on the study's grid or within {margin:g} m of it, found {kinds} there. "
            f"The grid: {grids.describe(geobox)}."
        )
    return lines


def _block(lines: npt.NDArray[np.object_], block: GeoBox, all_touched: bool, maximum: float) -> npt.NDArray[np.float32]:
    x_size, y_size = abs(block.resolution.x), abs(block.resolution.y)
    margin = math.ceil(maximum / y_size), math.ceil(maximum / x_size)
    wide = block.pad(margin[1], margin[0])
    present = np.zeros(wide.shape, np.uint8)
    if len(lines):
        rasterize(lines, out=present, transform=wide.affine, default_value=1, all_touched=all_touched)
    inner = present[margin[0] : -margin[0], margin[1] : -margin[1]]
    metres = distance(present != 0, maximum, pixel=(y_size, x_size), margin=margin)
    return np.stack([inner, metres], dtype=np.float32, casting="same_kind")


def compute(
    path: Path,
    geobox: GeoBox,
    *,
    all_touched: bool = True,
    maximum: float = 2000.0,
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
        raise ParameterError(f"The greatest distance to a road must be above 0 m, got {maximum:g}.")
    # A pixel more than the distance: a line may touch the outermost pixel without coming near its centre.
    reach = maximum + 2 * max(abs(geobox.resolution.x), abs(geobox.resolution.y))
    lines = read_lines(path, geobox, reach)
    tree = shapely.STRtree(lines)
    chunks = da.core.normalize_chunks(raster.CHUNK, shape=tuple(geobox.shape))
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
