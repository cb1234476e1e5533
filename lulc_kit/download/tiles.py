"""Tiles of a global map, near or far, cropped to an area: the map's own pixels, not resampled where that can be."""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from lulc_kit import grids, raster
from lulc_kit.download import secrets, web
from lulc_kit.errors import FormatError, GridError
from lulc_kit.late import da, xr
from lulc_kit.raster import warping

CHUNK = 2048
"""Rows and columns that are read at once, pixels: fewer, larger requests than for files on the disk."""
SLIVER = 1e-3
"""Part of an area without a tile that is not worth a word: rounding of corners."""


@dataclass(frozen=True)
class _Source:
    name: str
    own: GeoBox
    nodata: float | None

    def read(self, part: GeoBox, fill: float, dtype: str, resampling: str) -> npt.NDArray[Any]:
        """Return the tile's numbers on a part of the map's grid, ``fill`` where it has none."""
        with _open(self.name) as source:
            if not grids.on_lattice(part, self.own):
                with WarpedVRT(
                    source,
                    crs=part.crs.to_wkt(),  # type: ignore[union-attr]
                    transform=part.affine,
                    width=part.width,
                    height=part.height,
                    resampling=Resampling[resampling],
                    src_nodata=self.nodata,
                    nodata=fill,
                    dtype=dtype,
                    tolerance=1e-9,
                ) as warped:
                    return warped.read(1)
            found = np.full(part.shape, fill, dtype)
            column, row = (round(v) for v in ~self.own.affine * (part.affine * (0, 0)))
            rows = slice(max(row, 0), min(row + part.height, self.own.height))
            columns = slice(max(column, 0), min(column + part.width, self.own.width))
            if rows.start < rows.stop and columns.start < columns.stop:
                data = source.read(1, window=Window.from_slices(rows, columns))
                values = data.astype(dtype)
                if self.nodata is not None:
                    values[data == self.nodata] = fill
                found[rows.start - row : rows.stop - row, columns.start - column : columns.stop - column] = values
            return found


def readable(href: str) -> str:
    """Return the address by which anybody may read an object of a public bucket of AWS; others as they are.

    Examples
    --------
    >>> readable("s3://copernicus-dem-30m/N41/DEM.tif")
    'https://copernicus-dem-30m.s3.amazonaws.com/N41/DEM.tif'
    """
    match = re.fullmatch("s3://([^/]+)/(.+)", href)
    return f"https://{match[1]}.s3.amazonaws.com/{match[2]}" if match else href


def crop(
    names: Sequence[str],
    area: GeoBox,
    *,
    band: str,
    dtype: str,
    fill: float,
    resampling: str = "nearest",
    margin: int = 0,
) -> xr.DataArray:
    """Join tiles on the pixels of the one that covers most of an area, and cut out the area, lazily.

    Tiles on the same lattice of pixels are copied. Those of another (a neighbouring UTM zone; an elevation model whose
    pixels widen towards the poles) are resampled, and fill what the others leave.

    Parameters
    ----------
    names
        Files or addresses, one band each.
    area
        A grid in whatever CRS; all of it is wanted.
    band
        Name of the result's band.
    dtype, fill
        Type of the result, and the number for no data in it.
    resampling
        ``"nearest"`` for classes, ``"bilinear"`` for heights; of `rasterio.enums.Resampling`.
    margin
        How far beyond the area the map is wanted, pixels of it.

    Returns
    -------
    xarray.DataArray
        Shape (1, row, column).

    Raises
    ------
    LulcError
        If a tile cannot be read or has no CRS, or none of them meets the area; later, if one cannot be read to its
        end.
    """
    sources = [_look(name) for name in names]
    shares = {source: _share(source.own, area) for source in sources}
    sources = sorted((s for s in sources if shares[s] > 0), key=lambda s: -shares[s])
    if not sources:
        raise GridError(f"None of {len(names)} tiles meets the area ({grids.describe(area)}).")
    lattice = _around(area, sources[0].own, margin)
    left_out = 1 - _covered([s.own for s in sources], area)
    if left_out > SLIVER:
        warnings.warn(f"{left_out:.1%} of the area has no tile of {band} and stays without data.", stacklevel=2)
    chunks = ((1,), *da.core.normalize_chunks(CHUNK, shape=tuple(lattice.shape)))
    data = da.map_blocks(
        _block,
        sources,
        lattice,
        (fill, dtype, resampling),
        chunks=chunks,
        dtype=dtype,
        meta=np.empty((0, 0, 0), dtype),
    )
    return raster.array(data, lattice, [band])


def _block(
    sources: Sequence[_Source], lattice: GeoBox, how: tuple[float, str, str], block_info: Any = None
) -> npt.NDArray[Any]:
    _, rows, columns = block_info[None]["array-location"]
    part = lattice[slice(*rows), slice(*columns)]
    fill, dtype, resampling = how
    found = np.full(part.shape, fill, dtype)
    for source in sources:
        empty = np.isnan(found) if math.isnan(fill) else found == fill
        if not empty.any():
            break
        if warping.overlaps(source.own, part):
            found = np.where(empty, source.read(part, fill, dtype, resampling), found)
    return found[None]


@contextlib.contextmanager
def _open(name: str) -> Iterator[rasterio.DatasetReader]:
    try:
        with rasterio.Env(**web.GDAL), rasterio.open(name) as source:
            yield source
    except RasterioError as error:
        raise FormatError(
            f"{secrets.hide(name)} cannot be read as a raster ({secrets.hide(str(error))}): it is not there, or not "
            f"whole, or an error page is in its place. Run 01_download again later."
        ) from None


def _look(name: str) -> _Source:
    with _open(name) as source:
        if source.crs is None:
            raise GridError(f"{secrets.hide(name)} has no CRS; expected a tile of a map that says where it lies.")
        return _Source(name, GeoBox(source.shape, source.transform, source.crs), source.nodata)


def _share(own: GeoBox, area: GeoBox) -> float:
    """Return the part of an area that a tile covers, 0–1."""
    extent = area.extent.to_crs(own.crs)  # type: ignore[arg-type]
    return float(extent.geom.intersection(own.extent.geom).area / extent.geom.area)


def _covered(tiles: Sequence[GeoBox], area: GeoBox) -> float:
    """Return the part of an area that tiles cover together, 0–1."""
    import shapely

    touching = area.resolution.x / 10  # tiles that meet along an edge, but for rounding
    extents = [own.extent.to_crs(area.crs).geom for own in tiles]  # type: ignore[arg-type]
    joined = shapely.union_all([extent.buffer(touching) for extent in extents])
    return float(area.extent.geom.intersection(joined).area / area.extent.geom.area)


def _around(area: GeoBox, own: GeoBox, margin: int) -> GeoBox:
    """Return the grid of a tile's pixels, continued beyond it, that holds an area and a margin."""
    extent = area.extent.to_crs(own.crs, resolution=area.resolution.x * 100)  # type: ignore[arg-type]
    left, bottom, right, top = extent.boundingbox
    corners = [~own.affine * corner for corner in ((left, top), (right, bottom))]
    (column, row), (last_column, last_row) = corners
    near = grids.TOLERANCE  # a corner that lies on a pixel's edge but for rounding
    begin = math.floor(column + near) - margin, math.floor(row + near) - margin
    end = math.ceil(last_column - near) + margin, math.ceil(last_row - near) + margin
    move = own.affine * rasterio.Affine.translation(*begin)
    return GeoBox((end[1] - begin[1], end[0] - begin[0]), move, own.crs)
