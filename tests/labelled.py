"""Samples for tests: a table, or labels and folds on a grid, or both."""

import numpy as np
import pandas as pd
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes, raster
from lulc_kit.samples import Samples

TABLE = pd.DataFrame({"label": [], "fold": []})
BANDS = ("fold", "random_fold", "block")


def labelled(table=TABLE, scheme=None, labels=None, folds=None, box=None):
    """Wrap what a test has; ``folds``: numbers by band."""
    if labels is None:
        labels, folds = np.zeros((1, 1), np.uint8), {band: np.zeros((1, 1)) for band in BANDS}
    box = box or GeoBox(labels.shape, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    codes = np.stack(list(folds.values())).astype(np.uint32)
    return Samples(
        table,
        scheme or classes.scheme("workflow"),
        "3 folds of blocks",
        raster.array(labels[None], box, ["label"]),
        raster.array(codes, box, list(folds)),
    )
