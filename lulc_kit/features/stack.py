"""The feature stack: layers of one grid under one name each, and choosing among them by name."""

from collections.abc import Mapping, Sequence

import dask.array as da
import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from lulc_kit import grids, raster
from lulc_kit.errors import LulcError


def merge(*layers: xr.DataArray) -> xr.DataArray:
    """Put rasters of one grid one upon the other, in the order given.

    Raises
    ------
    LulcError
        If they are not on the same grid, or a band name occurs twice.
    """
    if not layers:
        raise LulcError("merge needs at least one raster.")
    geobox = layers[0].odc.geobox
    for layer in layers[1:]:
        grids.check(layer.odc.geobox, geobox, f"The raster with bands {', '.join(map(str, layer.band.values))}")
    names = [str(b) for layer in layers for b in layer.band.values]
    return raster.array(da.concatenate([da.asarray(layer.data) for layer in layers]), geobox, names)


def nothing(geobox: GeoBox) -> xr.DataArray:
    """Return a raster without bands, which `merge` takes like any other."""
    return raster.array(da.zeros((0, *geobox.shape), dtype=np.float32, chunks=raster.CHUNK), geobox, [])


def rename(stack: xr.DataArray, names: Mapping[str, str]) -> xr.DataArray:
    """Give bands new names: ``{"band_1": "NDVI"}``. A LulcError if one is missing or a name would occur twice."""
    raster.select(stack, list(names))
    return raster.array(stack.data, stack.odc.geobox, [names.get(str(b), str(b)) for b in stack.band.values])


def reorder(stack: xr.DataArray, first: Sequence[str]) -> xr.DataArray:
    """Bring the named bands to the front, in the order given; the others follow as they were."""
    rest = [str(b) for b in stack.band.values if str(b) not in first]
    return raster.select(stack, [*first, *rest])
