"""Labels: what is left of them where features have data."""

import warnings
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pyproj
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes
from lulc_kit.errors import LulcError
from lulc_kit.labels import sources, splits
from lulc_kit.labels.sources import Labels
from lulc_kit.labels.splitters import GroupSplit

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


def world(longitude, latitude, crs=4326):
    """Labels of a table whose rows lie at these degrees."""
    values = np.ones((1, len(longitude)), np.uint8)
    places = gpd.points_from_xy(longitude, latitude)
    frame = gpd.GeoDataFrame({"B4": np.arange(len(places))}, geometry=places, crs=4326).to_crs(crs)
    return Labels(values, values.astype(np.uint32), GRID, SCHEME, frame=frame)


@pytest.mark.parametrize(
    ("longitude", "latitude", "off"),
    [
        ([8, 14], [50, 55], 0.01),  # one zone
        ([-10, 40], [36, 70], 0.1),  # a continent
        ([179, -179, 178], [-17, -18, -16], 0.01),  # around 180°
        ([0, 100, -100], [89, 88, 87], 0.01),  # around a pole
        ([-60, 20, 10], [0, -30, 50], 0.35),
    ],
)
def test_a_kilometre_of_a_table_in_degrees_is_a_kilometre_wherever_it_lies(longitude, latitude, off):
    earth = pyproj.Geod(ellps="WGS84")
    for azimuth in (0, 45, 90):
        beside = earth.fwd(longitude, latitude, [azimuth] * len(longitude), [1000.0] * len(longitude))[:2]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if off > 0.1 else "error")
            both = world([*longitude, *beside[0]], [*latitude, *beside[1]]).points()
        apart = np.hypot(*(both[: len(longitude)] - both[len(longitude) :]).T)
        assert (apart >= 990).all() and (apart <= 1000 * (1 + off)).all(), apart


@pytest.mark.parametrize("crs", [3857, 3395, 2263, 32618, 4269])  # two Mercators, feet, UTM, degrees
def test_a_kilometre_of_a_table_is_a_kilometre_in_whatever_crs_it_comes(crs):
    north = pyproj.Geod(ellps="WGS84").fwd(-74, 41, 0, 1000.0)
    x, y = world([-74, north[0]], [41, north[1]], crs).points().T
    assert np.hypot(*np.diff([x, y]).ravel()) == pytest.approx(1000, rel=0.002)


def test_places_too_far_apart_for_metres_are_warned_of_and_those_of_the_whole_earth_refused():
    with pytest.warns(UserWarning, match=r"up to \d+° from their middle.*up to \d+% too long"):
        world([-60, 20, 10], [0, -30, 50]).points()
    with pytest.raises(LulcError, match="no map keeps distances over more than half the earth.*table_group"):
        world([0, 90, 180, -90], [0, 10, 0, -10]).points()
    found = world([0, 1, 90, 91, 180, -90], [0, 0, 10, 10, 0, -10])
    found = replace(found, values=np.array([[1, 2, 1, 2, 1, 2]], np.uint8), source=np.arange(1, 7)[None])
    grouped = splits.split(replace(found, groups=np.array(list("aabbcc"))), GroupSplit(3))
    assert grouped.count == 3, "what the message advises needs no places"
    np.testing.assert_allclose(world([9, 15], [0, 0], "EPSG:32632").points()[0], [500_000, 0], atol=1e-6)
