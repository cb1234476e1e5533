"""The cloud mask that a product brings, on the study's grid.

Before processing baseline 04.00 it is a set of polygons (GML), since then a raster of 60 m with one layer each for
opaque cloud, cirrus and snow. Neither marks cloud shadows, and the polygons of the first years miss many clouds: look
at the mask before you trust it.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio.features
from odc.geo.geobox import GeoBox
from rasterio.warp import transform_geom

from lulc_kit import raster
from lulc_kit.cube import Reason
from lulc_kit.raster import warping
from lulc_kit.safe.cloud_mask import read_polygons

_LAYERS = (Reason.CLOUD, Reason.CIRRUS, Reason.SNOW)


def from_product(path: Path, geobox: GeoBox, *, crs: str) -> npt.NDArray[np.uint8]:
    """Bring a product's own cloud mask onto a grid.

    Parameters
    ----------
    path
        ``MSK_CLOUDS_B00.gml`` or ``MSK_CLASSI_B00.jp2``.
    geobox
        The grid.
    crs
        Of the polygons, if their file does not say.

    Returns
    -------
    numpy.ndarray
        (row, column) uint8 codes of `Reason`; a pixel is under a polygon if its centre is. Opaque cloud counts before
        cirrus, cirrus before snow.

    Raises
    ------
    LulcError
        If the file is missing or damaged.
    """
    return _vector(path, geobox, crs) if path.suffix.lower() == ".gml" else _layers(path, geobox)


def _vector(path: Path, geobox: GeoBox, crs: str) -> npt.NDArray[np.uint8]:
    polygons = read_polygons(path)
    target = geobox.crs.to_wkt()  # type: ignore[union-attr]  # the study's grid has a CRS
    shapes = [
        (transform_geom(polygons.crs or crs, target, polygon), code.value)
        for code, found in ((Reason.CIRRUS, polygons.cirrus), (Reason.CLOUD, polygons.opaque))
        for polygon in found
    ]
    codes = np.zeros(geobox.shape, np.uint8)
    if shapes:
        rasterio.features.rasterize(shapes, out=codes, transform=geobox.affine)  # the last drawn lies on top
    return codes


def _layers(path: Path, geobox: GeoBox) -> npt.NDArray[np.uint8]:
    codes = np.zeros(geobox.shape, np.uint8)
    count = min(len(raster.band_names(path)), len(_LAYERS))
    for number, reason in reversed(list(enumerate(_LAYERS[:count], 1))):
        layer = warping.warp(path, geobox, band=number, resampling="nearest", dtype=np.uint8, fill=0).compute()
        codes[layer != 0] = reason
    return codes
