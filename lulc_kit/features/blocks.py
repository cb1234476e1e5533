"""Applying a function of arrays to a lazy raster, block by block, each block seeing its neighbours' rim."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import numpy as np
import numpy.typing as npt

from lulc_kit import raster
from lulc_kit.late import da, xr

Function = Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]


def lazy(image: xr.DataArray) -> da.Array:
    """Return an image's numbers as a dask array whose blocks hold all bands."""
    data = image.data if dask.is_dask_collection(image.data) else da.from_array(image.data, raster.CHUNK)
    return data.rechunk({0: -1})


def with_halo(function: Function, image: xr.DataArray, halo: int, bands: list[str]) -> xr.DataArray:
    """Apply a function of (band, row, column) to each block with ``halo`` pixels of its neighbours around it.

    Parameters
    ----------
    function
        Gives an array of as many rows and columns as it gets, with one layer for each of ``bands``. What it gives
        for the outermost ``halo`` pixels does not matter, except at the raster's own border.
    image
        (band, y, x), lazy or not.
    halo
        Pixels that are needed around each.
    bands
        Names of the layers that the function gives.

    Returns
    -------
    xarray.DataArray
        float32, lazy; independent of how the image is cut into blocks if the function needs no more than ``halo``.
    """
    depth = {0: 0, 1: halo, 2: halo}
    data = da.overlap.overlap(lazy(image), depth, "none")
    options: dict[str, Any] = {"dtype": np.float32, "meta": np.empty((0, 0, 0), np.float32)}
    out = da.map_blocks(function, data, chunks=((len(bands),), *data.chunks[1:]), **options)
    return raster.array(da.overlap.trim_internal(out, depth, "none"), image.odc.geobox, bands)
