"""Seven dates of two classes that only time tells apart, some of them hidden."""

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import params, raster
from lulc_kit.deep import results
from lulc_kit.raster import writing

SHAPE = (32, 48)
BOX = GeoBox(SHAPE, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
DATES = [f"2020-{m:02}-01" for m in range(1, 8)]


def series_of(layout, bands, dates=None, gaps="mean"):
    return results.read_series(layout, bands, params.LSTM(length=3, dates=dates, gaps=gaps))


def truth():
    """Squares of two classes, both dark in half of the dates: one is bright early, the other late."""
    return np.kron(np.random.default_rng(1).integers(0, 2, (4, 6)), np.ones((8, 8), int))


def put_cube(layout, level="L2A", bands=("B4", "B8")):
    """Write the dates and their masks."""
    generator = np.random.default_rng(2)
    for i, date in enumerate(DATES):
        bright = (truth() == 0) == (i < 3)
        image = 0.2 + 0.4 * bright + generator.normal(0, 0.03, (len(bands), *SHAPE))
        mask = np.where(generator.random(SHAPE) < 0.1, 2, 0)
        mask[:4, :4] = 2  # never clear
        mask[10:14, 20:24] = 2 if i in (0, 3, 6) else 0  # hidden on the dates of the fixed sequence
        layer = raster.array(image.astype(np.float32), BOX, list(bands))
        writing.write_all(
            [
                writing.reflectance(layout.image(date), layer, level=level),
                writing.Output(
                    layout.mask(date), raster.array(mask[None].astype(np.uint8), BOX, ["mask"]), "uint8", None
                ),
            ]
        )
    return layout
