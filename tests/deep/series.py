"""Seven dates of two classes that only time tells apart, some of them hidden."""

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import params
from lulc_kit.deep import results

SHAPE = (32, 48)
BOX = GeoBox(SHAPE, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
DATES = [f"2020-{m:02}-01" for m in range(1, 8)]


def series_of(layout, bands, dates=None, gaps="mean"):
    return results.read_series(layout, bands, params.LSTM(length=3, dates=dates, gaps=gaps))


def truth():
    """Squares of two classes, both dark in half of the dates: one is bright early, the other late."""
    return np.kron(np.random.default_rng(1).integers(0, 2, (4, 6)), np.ones((8, 8), int))
