"""What tests of pictures share: small rasters, and the colours that matplotlib paints them in."""

import dask.array as da
import matplotlib
import matplotlib.colors as mcolors
import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes, raster

matplotlib.use("Agg")

SCHEME = classes.scheme("worldcover").subset([10, 40, 80, 100])


def grid(rows, columns, resolution=10.0):
    return GeoBox((rows, columns), from_origin(500_000, 5_000_000, resolution, resolution), "EPSG:32633")


def codes(numbers, resolution=10.0):
    numbers = np.asarray(numbers, np.uint8)
    lazy = da.from_array(numbers[None], (1, 64, 64))
    return raster.array(lazy, grid(*numbers.shape, resolution), ["class"])


def image(rows=20, columns=30, bands=("B2", "B3", "B4")):
    data = np.random.default_rng(1).random((len(bands), rows, columns)).astype(np.float32)
    data[:, :3, :4] = np.nan
    return raster.array(data, grid(rows, columns), bands)


def pixels(ax):
    """The colours that matplotlib paints, (row, column, 3), 0–255, first row on top."""
    (drawn,) = ax.get_images()
    rgba = drawn.to_rgba(drawn.get_array(), bytes=True)
    return rgba[..., :3] if drawn.origin == "upper" else rgba[::-1, :, :3]


def rgb(colour):
    return tuple(round(255 * v) for v in mcolors.to_rgb(colour))
