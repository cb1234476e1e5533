"""Small rasters for tests, written by rasterio alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin


def grid(
    shape: tuple[int, int],
    pixel: float = 10.0,
    left: float = 500_000.0,
    top: float = 5_000_000.0,
    crs: str | None = "EPSG:32633",
) -> GeoBox:
    """Return a grid with north up: its shape, the side of a pixel and its upper left corner in units of its CRS."""
    return GeoBox(shape, from_origin(left, top, pixel, pixel), crs)


def write(
    path: Path,
    numbers: npt.ArrayLike,
    where: GeoBox | float = 10.0,
    names: Sequence[str] = (),
    *,
    scale: float | None = None,
    offset: float | None = None,
    **profile: Any,
) -> Path:
    """Write numbers, (row, column) or (band, row, column), as they are.

    Parameters
    ----------
    path
        Its folder is made if it is not there.
    numbers
        Their type is that of the file.
    where
        Their grid, or the side of a pixel on `grid`.
    names
        Of the bands.
    scale, offset
        Declared for every band; the numbers are written as they are.
    profile
        More of rasterio's: ``nodata``, ``driver`` …
    """
    bands = np.asarray(numbers)
    bands = bands[None] if bands.ndim == 2 else bands
    count, *shape = bands.shape
    box = where if isinstance(where, GeoBox) else grid((shape[0], shape[1]), where)
    assert box.shape == tuple(shape), "the numbers do not fill the grid"
    place = {"crs": box.crs.to_wkt() if box.crs else None, "transform": box.affine, "dtype": bands.dtype}
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", count=count, height=shape[0], width=shape[1], **{"driver": "GTiff"} | place | profile
    ) as file:
        file.write(bands)
        if names:
            file.descriptions = names
        if scale is not None:
            file.scales, file.offsets = [scale] * count, [offset or 0.0] * count
    return path
