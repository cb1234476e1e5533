"""Pixels of a given spectrum, and what spyndex itself says of them."""

import dask.array as da
import numpy as np
import spyndex
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import raster
from lulc_kit.features import indices


def image(bands, shape=(1, 1), lazy=True):
    box = GeoBox(shape, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    data = np.stack([np.broadcast_to(np.float32(v), shape) for v in bands.values()])
    return raster.array(da.from_array(data, (1, 2, 2)) if lazy else data, box, list(bands))


def value(name, **bands):
    return indices.compute(image(bands), [name]).to_numpy()[0, 0, 0]


SPECTRUM = {
    band: np.random.default_rng(i).uniform(0.02, 0.5, (4, 5)).astype(np.float32)
    for i, band in enumerate(["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12"])
}


def spyndex_value(name, **constants):
    """What spyndex itself computes, in double precision."""
    values = {k: c.default for k, c in spyndex.constants.items()}
    values |= {"lambdaN": 832.8, "lambdaR": 664.6, "lambdaG": 559.8, "lambdaN2": 864.7}
    values |= {"lambdaS1": 1613.7, "lambdaS2": 2202.4}
    letters = {k: b.sentinel2a.band for k, b in spyndex.bands.items() if hasattr(b, "sentinel2a")}
    values |= {k: SPECTRUM[b].astype(float) for k, b in letters.items()} | constants
    with np.errstate(all="ignore"):
        return np.broadcast_to(spyndex.computeIndex(name, params=values), (4, 5))
