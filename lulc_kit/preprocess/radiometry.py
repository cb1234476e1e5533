"""From numbers in a product to reflectance on the study's grid."""

from __future__ import annotations

import numpy as np
from odc.geo.geobox import GeoBox

from lulc_kit import grids, offset, raster
from lulc_kit.catalog import Band, Scene
from lulc_kit.late import da, xr
from lulc_kit.raster import warping

COARSE = 400
"""Rows and columns, at most, on which a scene is compared with its true-colour picture."""


def on_grid(band: Band, geobox: GeoBox) -> da.Array:
    """Bring one band onto the grid as reflectance.

    reflectance = number × scale + offset, after the numbers that mean nodata and saturated have become NaN, so that the
    offset never turns them into a value. A band coarser than the grid is interpolated bilinearly, a finer one averaged.

    Returns
    -------
    dask.array.Array
        float32, shape (row, column), reflectance 0–1 (bright clouds may exceed 1), NaN where there is no data.
    """
    numbers = _numbers_on_grid(band, geobox)
    if np.dtype(band.dtype).kind == "f":
        numbers = da.where(abs(numbers) > raster.HUGE, np.float32(np.nan), numbers)
    if band.saturated is not None:
        numbers = da.where(numbers == band.saturated, np.float32(np.nan), numbers)
    return numbers * np.float32(band.scale) + np.float32(band.offset)


def saturated_on_grid(scene: Scene, geobox: GeoBox) -> list[da.Array]:
    """Say for each band that may have saturated pixels which ones are: bool, (row, column); in one pass with `on_grid`.

    Only of bands whose grid is that of the study: elsewhere such pixels have mixed into others.
    """
    marked = [band for band in scene.bands.values() if band.saturated is not None]
    return [_numbers_on_grid(band, geobox) == band.saturated for band in marked]


def _numbers_on_grid(band: Band, geobox: GeoBox) -> da.Array:
    own = band.geobox
    sides = [(own.resolution.x, geobox.resolution.x), (own.resolution.y, geobox.resolution.y)]
    finer = own.crs == geobox.crs and any(abs(side) < 0.99 * abs(wanted) for side, wanted in sides)
    resampling = "average" if finer else "bilinear"
    if grids.same(own, geobox):
        resampling = "nearest"
    return warping.warp(band.path, geobox, band=band.number, own=own, resampling=resampling, nodata=band.nodata)


def picture_beginning(scene: Scene) -> float:
    """Return the reflectance that belongs to 0 in a scene's true-colour picture; see `lulc_kit.offset.beginning`."""
    assert scene.picture is not None
    own = scene.bands["B4"].geobox
    shrink = max(1.0, max(own.shape) / COARSE)
    coarse = own.zoom_to((max(1, round(own.height / shrink)), max(1, round(own.width / shrink))))
    seen = da.stack([on_grid(scene.bands[band], coarse) for band in offset.RGB])
    shown = da.stack([on_grid(Band.of(scene.picture, number, nodata=0), coarse) for number in (1, 2, 3)])
    return offset.beginning(*da.compute(seen, shown))


def codes_on_grid(band: Band, geobox: GeoBox) -> da.Array:
    """Bring one band of codes (scene classes, a mask) onto the grid: nearest neighbour, 0 outside.

    The codes are uint8 where the file's are, otherwise float64, so that none of them turns into another one.
    """
    dtype = np.uint8 if band.dtype == "uint8" else np.float64
    own, nodata = band.geobox, band.nodata
    return warping.warp(
        band.path, geobox, band=band.number, own=own, resampling="nearest", nodata=nodata, dtype=dtype, fill=0
    )


def mask_on_grid(band: Band, geobox: GeoBox) -> da.Array:
    """Bring a mask of the user's onto the grid as the values that its numbers mean, NaN where it says nothing."""
    nodata = None if band.nodata == 0 else band.nodata  # 0 is clear, whatever a program wrote into the header
    own, number = band.geobox, band.number
    numbers = warping.warp(
        band.path, geobox, band=number, own=own, resampling="nearest", nodata=nodata, dtype=np.float64, fill=np.nan
    )
    return numbers * band.scale + band.offset


def scene_on_grid(scene: Scene, geobox: GeoBox) -> xr.DataArray:
    """Bring all bands of a scene onto the grid as reflectance (see `on_grid`), lazily."""
    bands = list(scene.bands)
    return raster.array(da.stack([on_grid(scene.bands[b], geobox) for b in bands]), geobox, bands)
