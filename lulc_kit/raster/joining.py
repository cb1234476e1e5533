"""Class maps of areas, each on its own grid, joined on one: copied where pixels coincide, else the nearest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from lulc_kit import grids, raster
from lulc_kit.errors import GridError
from lulc_kit.late import da, xr
from lulc_kit.raster.warping import Warping, overlaps, plan_warp

MAX_PIXELS = 4 * 10**10
"""What a joined map may have: beyond it, areas lie so far apart that most of it would be empty."""


def common_grid(parts: Sequence[GeoBox]) -> GeoBox:
    """Return the grid that holds all of some grids.

    Its CRS and pixels are those of the CRS that most pixels are in; of two as large, the first one's.

    Raises
    ------
    LulcError
        If pixels differ in size, or it would have more than `MAX_PIXELS`.
    """
    sizes = {round(abs(part.resolution.x), 6) for part in parts}
    if len(sizes) > 1:
        raise GridError(f"The areas have pixels of {', '.join(f'{s:g}' for s in sorted(sizes))} m; expected one size.")
    pixels: Counter[CRS] = Counter()
    for part in parts:
        assert part.crs is not None, "class maps say where they lie"
        pixels[part.crs] += part.width * part.height
    crs = max(pixels, key=lambda one: pixels[one])
    first = next(part for part in parts if part.crs == crs)
    boxes = [part.extent.to_crs(crs, resolution=1000.0).boundingbox for part in parts]
    step = abs(first.resolution.x)
    x0, y0 = first.affine.c, first.affine.f
    # Outward to whole pixels; what lies on the lattice already must not grow by rounding.
    left = np.floor(round((min(b.left for b in boxes) - x0) / step, 3))
    right = np.ceil(round((max(b.right for b in boxes) - x0) / step, 3))
    top = np.floor(round((y0 - max(b.top for b in boxes)) / step, 3))
    bottom = np.ceil(round((y0 - min(b.bottom for b in boxes)) / step, 3))
    shape = (int(bottom - top), int(right - left))
    if shape[0] * shape[1] > MAX_PIXELS:
        raise GridError(
            f"All areas together span {shape[1]}×{shape[0]} pixels, and a map may have {MAX_PIXELS:.0e}: they lie "
            f"too far apart. Make regions of those that lie together."
        )
    return GeoBox(shape, Affine(step, 0, x0 + left * step, 0, -step, y0 - top * step), crs)


def join(paths: Sequence[Path], grid: GeoBox) -> xr.DataArray:
    """Bring class maps onto one grid, lazily; where several have a class, the first one's counts.

    Parameters
    ----------
    paths
        Files of one band of class values, 0 for none.
    grid
        From `common_grid`. Maps in its CRS whose pixels coincide with its own are copied; of others each pixel is the
        nearest one's.

    Returns
    -------
    xarray.DataArray
        uint8, (1, y, x).
    """
    plans = [plan_warp(path, grid, resampling="nearest", nodata=0, dtype=np.uint8, fill=0) for path in paths]
    chunks = ((1,), *da.core.normalize_chunks(raster.CHUNK, shape=tuple(grid.shape)))
    data = da.map_blocks(_block, plans, chunks=chunks, dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))
    return raster.array(data, grid, ["class"])


def find_moved(paths: Sequence[Path], grid: GeoBox) -> list[Path]:
    """Return which maps are not copied but warped, since their pixels do not coincide with the grid's."""
    return [path for path in paths if not grids.on_lattice(raster.grid(path), grid)]


def _block(plans: Sequence[Warping], block_info: Any = None) -> npt.NDArray[np.uint8]:
    _, rows, columns = (slice(*ends) for ends in block_info[None]["array-location"])
    found = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    for plan in plans:
        if not (found == 0).any():
            break
        if overlaps(plan.own, plan.whole[rows, columns]):
            np.copyto(found, plan(rows, columns), where=found == 0)
    return found[None]
