"""The sun's position: published ones, real products' own, and a closed form."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit.catalog import Scene
from lulc_kit.preprocess import sun

HAVELLAND = GeoBox((768, 1536), from_origin(330_000, 5_822_040, 10, 10), "EPSG:32633")


def apart(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)


@pytest.mark.parametrize(
    ("time", "longitude", "latitude", "azimuth", "zenith"),
    [  # Mean_Sun_Angle of a real product, T01KAB, of a swath begun minutes earlier; the worked example of NREL's SPA
        (datetime(2023, 8, 21, 22, 20, 45, tzinfo=UTC), 179.7632, -16.7517, 43.3009, 38.4174),
        (datetime(2003, 10, 17, 19, 30, 30), -105.1786, 39.742476, 194.34024, 50.11162),
    ],
)
def test_position(time: datetime, longitude: float, latitude: float, azimuth: float, zenith: float) -> None:
    found = sun.position(time, longitude, latitude)
    near = 0.02 if time.tzinfo is None else 0.7
    assert apart(found[0], azimuth) < near and abs(found[1] - zenith) < near


def test_at_solar_noon_of_an_equinox_the_zenith_is_the_latitude() -> None:
    # The equinox of 2023 (21:24 UTC), where it was noon then: clocks were 7.4 minutes ahead of the sun.
    azimuth, zenith = sun.position(datetime(2023, 3, 20, 21, 24), 15 * (12 + 7.4 / 60 - 21.4), 52.0)
    assert zenith == pytest.approx(52.0, abs=0.01) and azimuth == pytest.approx(180, abs=0.1)


@pytest.mark.parametrize(
    ("sensed", "longitude", "latitude"),
    [("2017-02-16T10:21:01", 12.6, 52.5), ("2023-08-21T22:20:45", 179.7632, -16.7517)],  # times of real products
)
def test_the_usual_time_is_that_of_real_products(sensed: str, longitude: float, latitude: float) -> None:
    time = datetime.fromisoformat(sensed)
    local = (time + timedelta(hours=longitude / 15)).time()
    assert sun.crossing_time(latitude) == pytest.approx(local.hour + local.minute / 60, abs=0.25)


def test_the_orbit_is_that_of_vectors() -> None:
    """A point on a circle about the earth, at any place of its way: longitude from the node, as local time."""
    inclination = math.radians(98.62)
    for u in np.radians([-70, -30, 0, 45, 80]):  # before the descending node, northward positive
        x, y, z = math.cos(u), -math.sin(u) * math.cos(inclination), math.sin(u) * math.sin(inclination)
        hours = math.degrees(math.atan2(y, x)) / 15
        assert sun.crossing_time(math.degrees(math.asin(z))) == pytest.approx(10.5 + hours, abs=1e-9)


def test_what_the_scene_says_goes_first() -> None:
    said = sun.of_scene(Scene("2017-02-16", "L1C", {}, sun_azimuth=12.0, sun_zenith=34.0), HAVELLAND)
    assert (said.azimuth, said.zenith, said.certain) == (12.0, 34.0, True) and "metadata" in said.source


def test_time_and_place_otherwise() -> None:
    timed = sun.of_scene(Scene("2017-02-16T10:21:01Z", "L1C", {}), HAVELLAND)
    # The sample's, by another algorithm (Michalsky 1988), for 52.5°N 12.6°E at 10:21 UTC.
    assert (timed.azimuth, timed.zenith) == pytest.approx((163.2, 66.1), abs=1)
    assert timed.certain and "2017-02-16 10:21 UTC at 52." in timed.source
    dated = sun.of_scene(Scene("2017-02-16", "L1C", {}), HAVELLAND)
    assert not dated.certain and "no time is known" in dated.source
    assert apart(dated.azimuth, timed.azimuth) < 4 and abs(dated.zenith - timed.zenith) < 1
