"""From numbers in a product to reflectance on the study's grid."""

import numpy as np
import xarray as xr
from dask import array as da
from odc.geo.geobox import GeoBox

from lulc_kit import grids, raster
from lulc_kit.catalog import Band, Scene
from lulc_kit.raster import warping


def on_grid(band: Band, geobox: GeoBox) -> da.Array:
    """Bring one band onto the grid as reflectance.

    reflectance = number × scale + offset, after the numbers that mean nodata and saturated have become NaN, so that the
    offset never turns them into a value. A band coarser than the grid is interpolated bilinearly, a finer one averaged.

    Returns
    -------
    dask.array.Array
        float32, shape (row, column), reflectance 0–1 (bright clouds may exceed 1), NaN where there is no data.
    """
    own = band.geobox
    ratio = abs(own.resolution.x) / abs(geobox.resolution.x) if own.crs == geobox.crs else 1.0
    resampling = "average" if ratio < 0.99 else "bilinear"
    if grids.same(own, geobox):
        resampling = "nearest"
    numbers = warping.warp(band.path, geobox, band=band.number, own=own, resampling=resampling, nodata=band.nodata)
    if band.saturated is not None:
        numbers = da.where(numbers == band.saturated, np.float32(np.nan), numbers)
    return numbers * np.float32(band.scale) + np.float32(band.offset)


def codes_on_grid(band: Band, geobox: GeoBox) -> da.Array:
    """Bring one band of codes (scene classes, a mask) onto the grid: nearest neighbour, uint8, 0 outside."""
    own, nodata = band.geobox, band.nodata
    return warping.warp(
        band.path, geobox, band=band.number, own=own, resampling="nearest", nodata=nodata, dtype=np.uint8, fill=0
    )


def scene_on_grid(scene: Scene, geobox: GeoBox) -> xr.DataArray:
    """Bring all bands of a scene onto the grid as reflectance (see `on_grid`), lazily."""
    bands = list(scene.bands)
    return raster.array(da.stack([on_grid(scene.bands[b], geobox) for b in bands]), geobox, bands)
