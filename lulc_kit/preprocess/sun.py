"""Where the sun stood when a scene was sensed: as the scene says, or reckoned from place and time."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

from odc.geo.geobox import GeoBox

from lulc_kit.catalog import Scene
from lulc_kit.late import pd

_CROSSING = 10.5
_INCLINATION = math.radians(98.62)


@dataclass(frozen=True)
class Sun:
    """Degrees: clockwise from north, and away from straight above. In words: where they come from."""

    azimuth: float
    zenith: float
    source: str
    certain: bool = True


def of_scene(scene: Scene, geobox: GeoBox) -> Sun:
    """Return where the sun stood: by the scene's own angles, otherwise reckoned for the centre of a grid.

    A scene that has a date and no time was sensed at `crossing_time`.
    """
    if scene.sun_azimuth is not None and scene.sun_zenith is not None:
        return Sun(scene.sun_azimuth, scene.sun_zenith, "as the scene's metadata or parameters say")
    longitude, latitude = geobox.extent.centroid.to_crs("EPSG:4326").coords[0]
    place = f"{abs(latitude):.2f}°{'N' if latitude >= 0 else 'S'} {abs(longitude):.2f}°{'E' if longitude >= 0 else 'W'}"
    certain = len(scene.time) > len(scene.date)
    if certain:
        time = dt.datetime.fromisoformat(scene.time)
        how = "the time in its metadata"
    else:
        midnight = dt.datetime.fromisoformat(scene.date)
        time = midnight + dt.timedelta(hours=crossing_time(latitude) - longitude / 15)
        how = "no time is known: that at which Sentinel-2 usually crosses, 10:30 local solar time at the equator"
    azimuth, zenith = position(time, longitude, latitude)
    return Sun(azimuth, zenith, f"reckoned for {time:%Y-%m-%d %H:%M} UTC at {place} ({how})", certain)


def position(time: dt.datetime, longitude: float, latitude: float) -> tuple[float, float]:
    """Return where the sun stands, by NREL's algorithm, without refraction.

    Parameters
    ----------
    time
        With a time zone, or in UTC.
    longitude, latitude
        Degrees east and north.

    Returns
    -------
    azimuth, zenith
        Degrees clockwise from north, and from straight above.

    References
    ----------
    Reda, I. & Andreas, A. (2004): Solar position algorithm for solar radiation applications. Solar Energy 76,
    577–589, doi:10.1016/j.solener.2003.12.003.
    """
    from pvlib.solarposition import get_solarposition  # takes a second to load

    moment = pd.DatetimeIndex([time if time.tzinfo else time.replace(tzinfo=dt.UTC)])
    found = get_solarposition(moment, latitude, longitude).iloc[0]
    return float(found["azimuth"]), float(found["zenith"])


def crossing_time(latitude: float) -> float:
    """Return the local mean solar time at which Sentinel-2 passes over a latitude, southward, in hours.

    10:30 at the equator. Its orbit is inclined by 98.62° and keeps its place to the sun, so that on the way there it
    passes farther east, where it is later: α = atan(|cos i|·tan u) with sin u = sin φ / sin i. The swath is 290 km
    wide: at its rims it is some minutes earlier or later.

    Examples
    --------
    >>> round(crossing_time(0), 2), round(crossing_time(52.5), 2)
    (10.5, 11.26)
    """
    along = math.asin(max(-1.0, min(1.0, math.sin(math.radians(latitude)) / math.sin(_INCLINATION))))
    return _CROSSING + math.degrees(math.atan(abs(math.cos(_INCLINATION)) * math.tan(along))) / 15
