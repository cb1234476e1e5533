"""Labels: what is left of them where features have data."""

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes
from lulc_kit.errors import LulcError
from lulc_kit.labels import sources
from lulc_kit.labels.sources import Labels

SCHEME = classes.scheme("workflow")
GRID = GeoBox((60, 80), from_origin(500_000, 5_000_600, 10, 10), "EPSG:32633")


def small(values):
    values = np.array(values, np.uint8)
    geobox = GeoBox(values.shape, GRID.affine, "EPSG:32633")
    return Labels(values, np.arange(1, values.size + 1, dtype=np.uint32).reshape(values.shape), geobox, SCHEME)


def test_usable_drops_labels_without_features():
    valid = np.array([[True, False, True], [True, True, True]])
    with pytest.warns(UserWarning, match=r"1 of 5 labelled pixels \(20\.0%\) are left out.*data: slope on 1\)\.$"):
        found = sources.usable(small([[1, 1, 2], [0, 2, 1]]), valid, {"B4": 0, "slope": 1})
    assert found.values.tolist() == [[1, 0, 2], [0, 2, 1]]
    assert found.source.tolist() == [[1, 0, 3], [0, 5, 6]]


def test_usable_refuses_a_lost_class_and_a_single_one():
    with pytest.raises(LulcError, match=r"No pixel of Farmland is left"):
        sources.usable(small([[1, 2, 3]]), np.array([[True, False, True]]))
    with pytest.raises(LulcError, match=r"features have data \(labelled pixels without data: dem on 3, B4 on 1\): all"):
        sources.usable(small([[1, 2, 3]]), np.zeros((1, 3), bool), {"B4": 1, "dem": 3})
    with pytest.raises(LulcError, match="single class"):
        sources.usable(small([[1, 1, 0]]), np.ones((1, 3), bool))
