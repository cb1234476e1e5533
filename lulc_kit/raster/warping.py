"""Bringing rasters onto the study's grid, lazily, the same whatever the blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio.warp
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from lulc_kit import grids, raster
from lulc_kit.errors import BandError, GridError
from lulc_kit.files import gdal_name
from lulc_kit.late import da


@dataclass(frozen=True)
class Warping:
    """How one band of a file comes onto a grid: all that its blocks have in common (see `warp`)."""

    path: str
    band: int
    own: GeoBox
    whole: GeoBox
    resampling: str
    source_nodata: float | None
    fill: float
    dtype: Any
    kernel: Mapping[str, float]

    def __call__(self, rows: slice, columns: slice) -> npt.NDArray[Any]:
        """Compute a part of the grid."""
        if grids.same(self.own, self.whole):
            return self._read(rows, columns)
        geobox = self.whole[rows, columns]
        if self.resampling in ("bilinear", "cubic") and np.dtype(self.dtype).kind == "f" and np.isnan(self.fill):
            found = self._interpolate(geobox)
            if found is not None:
                return found.astype(self.dtype, copy=False)
        options: dict[str, Any] = {"nodata": self.fill} | dict(self.kernel)
        if self.source_nodata is not None:
            options["src_nodata"] = self.source_nodata
        with (
            raster.report_damage(self.path),
            raster.open(self.path) as source,
            WarpedVRT(
                source,
                crs=geobox.crs.to_wkt(),  # type: ignore[union-attr]
                transform=geobox.affine,
                width=geobox.width,
                height=geobox.height,
                resampling=Resampling[self.resampling],
                dtype=np.dtype(self.dtype).name,
                # Otherwise GDAL takes a pixel for nodata only where all bands of the file are.
                UNIFIED_SRC_NODATA="NO",
                # GDAL's default of 1/8 pixel would make the result depend on how the grid is cut into blocks.
                tolerance=1e-9,
                **options,
            ) as warped,
        ):
            return warped.read(self.band)

    def _read(self, rows: slice, columns: slice) -> npt.NDArray[Any]:
        with raster.report_damage(self.path), raster.open(self.path) as source:
            data = source.read(self.band, window=Window.from_slices(rows, columns))
        found = data.astype(self.dtype)
        if self.source_nodata is not None:
            found[data == self.source_nodata] = self.fill
        return found

    def _interpolate(self, geobox: GeoBox) -> npt.NDArray[np.float32] | None:
        """Warp from another CRS without GDAL's warper; None where that is better (finer sources, no position)."""
        own = self.own
        if own.crs == geobox.crs or geobox.affine.b or geobox.affine.d:
            return None
        from lulc_kit.raster.resample import Positions, resample  # numba takes its time to load

        positions = Positions(geobox, own)
        if not positions.known or positions.step > 1 / 0.95:  # where GDAL widens its kernel
            return None
        rows, columns = positions.window(own)
        if rows.start == rows.stop or columns.start == columns.stop:
            return np.full(geobox.shape, np.nan, np.float32)
        with raster.report_damage(self.path), raster.open(self.path) as source:
            data = source.read(self.band, window=Window.from_slices(rows, columns))
        values = data.astype(np.float32)
        if self.source_nodata is not None and not np.isnan(self.source_nodata):
            values[data == self.source_nodata] = np.nan
        return resample(values, (rows.start, columns.start), positions, (geobox.height, geobox.width), self.resampling)


def _kernel_size(own: GeoBox, whole: GeoBox) -> dict[str, float]:
    """Return GDAL's options for how wide its kernels are on a source finer than the grid.

    By itself it measures that anew for each block, from the pixels that the block happens to cover.
    """
    column, row = whole.width / 2, whole.height / 2
    corners = [whole.affine * (column + i, row + j) for i, j in ((0, 0), (1, 0), (0, 1))]
    moved = rasterio.warp.transform(whole.crs, own.crs, *zip(*corners, strict=True))
    x, y = np.transpose([~own.affine * point for point in zip(*moved, strict=True)])
    across, down = (float(np.hypot(v[1] - v[0], v[2] - v[0])) for v in (x, y))
    if not np.isfinite([across, down]).all():
        return {}
    # Destination pixels per source pixel; enough of the source around a block for the widest kernel.
    return {
        "XSCALE": min(1.0, 1 / across),
        "YSCALE": min(1.0, 1 / down),
        "SOURCE_EXTRA": int(4 * max(1.0, across, down)) + 2,
    }


def _warp_block(planned: Warping, block_info: Any = None) -> npt.NDArray[Any]:
    rows, columns = block_info[None]["array-location"]
    return planned(slice(*rows), slice(*columns))


def overlaps(own: GeoBox, geobox: GeoBox) -> bool:
    """Whether two grids, in whatever CRS, share any place."""
    return own.crs is not None and bool(geobox.extent.to_crs(own.crs).intersects(own.extent))


def check_overlap(path: str | Path, geobox: GeoBox, own: GeoBox | None = None) -> None:
    """Refuse a file that has no CRS or lies wholly outside a grid; ``own`` is its grid, if known."""
    own = own or raster.grid(path)
    if not overlaps(own, geobox):
        raise GridError(
            f"{path} lies wholly outside the study's grid.\n  the file:  {grids.describe(own)}\n"
            f"  the grid:  {grids.describe(geobox)}"
        )


def warp(path: str | Path, geobox: GeoBox, *, chunk: int | None = None, **how: Any) -> da.Array:
    """Bring one band of a file onto a grid, lazily, block by block.

    Parameters
    ----------
    path, geobox, how
        As for `plan_warp`.
    chunk
        Rows and columns of a block, pixels; by itself what suits the file.

    Returns
    -------
    dask.array.Array
        Shape (row, column) of ``geobox``; the file's own numbers (no scale or offset applied).

    Raises
    ------
    LulcError
        As `plan_warp`.
    """
    planned = plan_warp(path, geobox, **how)
    chunk = chunk or (raster.JPEG2000_TILE if raster.is_jpeg2000(path) else raster.CHUNK)
    return da.map_blocks(
        _warp_block,
        planned,
        chunks=da.core.normalize_chunks(chunk, shape=tuple(geobox.shape)),
        dtype=planned.dtype,
        meta=np.empty((0, 0), planned.dtype),
    )


def plan_warp(
    path: str | Path,
    geobox: GeoBox,
    *,
    band: int = 1,
    own: GeoBox | None = None,
    resampling: str = "bilinear",
    nodata: float | None = None,
    dtype: Any = np.float32,
    fill: float = np.nan,
) -> Warping:
    """Plan how one band of a file comes onto a grid; the plan computes any part of it at once.

    Parameters
    ----------
    path
        Any raster GDAL reads, in any CRS and resolution.
    geobox
        The grid to bring it to.
    band
        Number of the band in the file, from 1.
    own
        The file's grid, if it is known that the file has it and this band: then its header is not read, and only
        ``nodata`` counts.
    resampling
        ``"nearest"`` for classes, ``"bilinear"``, ``"cubic"``, ``"average"``, … (`rasterio.enums.Resampling`).
    nodata
        The number that means nodata in the file; None takes the file's own. Pixels of it never mix into others.
    dtype, fill
        Type of the result and the number that stands for nodata in it.

    Raises
    ------
    LulcError
        If the file cannot be opened, has no such band or no CRS, or lies wholly outside the grid.
    """
    path = gdal_name(path)
    if own is None:
        found = raster.header(path)
        own = found.geobox
        if not 1 <= band <= len(found.names):
            raise BandError(f"{path} has {len(found.names)} band(s); band {band} was asked for.")
        nodata = found.nodata[band - 1] if nodata is None else nodata
    check_overlap(path, geobox, own)
    return Warping(path, band, own, geobox, resampling, nodata, fill, dtype, _kernel_size(own, geobox))
