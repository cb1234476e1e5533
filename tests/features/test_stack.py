"""The stack: order, names and one grid."""

import dask.array as da
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.features import stack


def layer(**bands):
    box = GeoBox((3, 4), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    return raster.array(np.stack([np.full((3, 4), v, np.float32) for v in bands.values()]), box, list(bands))


def content(raster_):
    return {str(b): float(raster_.sel(band=b).to_numpy()[0, 0]) for b in raster_.band.values}


def test_merge_keeps_the_order_given_lazy_or_not():
    lazy = layer(NDVI=3).copy(data=da.full((1, 3, 4), 3, np.float32))
    merged = stack.merge(layer(B2=1, B3=2), lazy, None, layer(PC1=4))
    assert list(content(merged).items()) == [("B2", 1), ("B3", 2), ("NDVI", 3), ("PC1", 4)]
    assert merged.odc.geobox == layer(B2=1).odc.geobox


def test_merge_refuses_a_name_twice_another_grid_and_nothing():
    with pytest.raises(LulcError, match="Two layers are called B2.*prefix: other_"):
        stack.merge(layer(B2=1), layer(B2=2))
    moved = raster.array(
        np.zeros((1, 3, 4)), GeoBox((3, 4), from_origin(500_010, 5_000_000, 10, 10), "EPSG:32633"), ["DEM"]
    )
    with pytest.raises(LulcError, match=r"DEM.*not on the study's grid(?s:.*)500010.00(?s:.*)500000.00"):
        stack.merge(layer(B2=1), moved)
    with pytest.raises(LulcError, match="at least one"):
        stack.merge(None)
