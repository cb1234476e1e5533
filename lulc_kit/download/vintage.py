"""How old the imagery is over which one digitises: capture dates of basemaps, beside the dates of the scenes.

A polygon drawn over a sharp basemap shows what was there when the basemap was taken, and that may be years from the
scene that it labels. Esri says when by the metadata of its archive Wayback, Azure Maps in a header of each tile, Bing
in metadata that somebody saved while its service still gave them.
"""

import datetime as dt
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from lulc_kit.download import web
from lulc_kit.errors import FormatError, LulcError
from lulc_kit.progress import track

if TYPE_CHECKING:
    import pandas as pd

ESRI = "https://metadata.maptiles.arcgis.com/arcgis/rest/services"
AZURE = "https://atlas.microsoft.com/map/tile"
HEADER = "Data-Capture-Date-Range"
FINEST = 23
"""Zoom of layer 0 of Esri's metadata; each layer is one zoom coarser, and the last is for all that are coarser yet."""
LAST_LAYER = 13

Place = tuple[float, float]
"""Longitude and latitude, degrees."""


@dataclass(frozen=True)
class Capture:
    """Between which days the imagery of a place was taken; None where the service does not say.

    Attributes
    ----------
    where
        Longitude and latitude, degrees; None if it is not known.
    zoom
        Level of the basemap: the finer, the newer or older an image may be.
    source
        Whose imagery, and by which satellite if that is said.
    first, last
        Days.
    """

    where: Place | None
    zoom: int
    source: str
    first: dt.date | None
    last: dt.date | None

    def days_from(self, scene: dt.date) -> int | None:
        """Return how far from a scene the imagery may at most have been taken, days."""
        if self.first is None or self.last is None:
            return None
        return max(abs((self.first - scene).days), abs((self.last - scene).days))


def places(box: tuple[float, float, float, float], side: int) -> list[Place]:
    """Return the centres of side × side parts of a box (west, south, east, north in degrees), row by row from north."""
    west, south, east, north = box
    steps = [(k + 0.5) / side for k in range(side)]
    return [(west + x * (east - west), north - y * (north - south)) for y in steps for x in steps]


def wayback(release: str, where: Sequence[Place], zoom: int) -> list[Capture]:
    """Ask when Esri's World Imagery was taken, as of one of its releases.

    Parameters
    ----------
    release
        Such as ``"2021_r12"``: the release of the archive that the polygons were drawn over.
    where
        Places.
    zoom
        Zoom of the map while drawing, 1–23.

    Raises
    ------
    LulcError
        If the service fails, or has no such release.
    """
    layer = min(LAST_LAYER, FINEST - zoom)
    url = f"{web.address('ESRI_WAYBACK', ESRI)}/World_Imagery_Metadata_{release}/MapServer/{layer}/query"

    def read(response: httpx.Response) -> list[dict[str, Any]]:
        found = web.decode(response)
        if "error" in found:  # with status 200
            raise LulcError(
                f"Esri's archive has no release {release}, or not zoom {zoom}: {found['error'].get('message')}. The "
                f"releases are listed at livingatlas.arcgis.com/wayback; write one as 2021_r12."
            )
        return [feature["attributes"] for feature in found.get("features", [])]

    captures = []
    with web.client() as client:
        for longitude, latitude in track(where, "capture dates from Esri", unit="places"):
            query = {
                "f": "json",
                "where": "1=1",
                "outFields": "SRC_DATE2,NICE_DESC,SRC_DESC",
                "geometry": f"{longitude},{latitude}",
                "inSR": "4326",
                "geometryType": "esriGeometryPoint",
                "spatialRel": "esriSpatialRelIntersects",
                "returnGeometry": "false",
            }
            known = web.ask("Esri's archive of imagery", partial(client.get, url, params=query), read)
            days = [dt.datetime.fromtimestamp(a["SRC_DATE2"] / 1000, dt.UTC).date() for a in known if a["SRC_DATE2"]]
            makers = sorted({" ".join(filter(None, (a.get("NICE_DESC"), a.get("SRC_DESC")))) for a in known} - {""})
            source = " ".join(["Esri", release, *([f"({', '.join(makers)})"] if makers else [])])
            captures.append(
                Capture((longitude, latitude), zoom, source, min(days, default=None), max(days, default=None))
            )
    return captures


def azure(key: str, where: Sequence[Place], zoom: int) -> list[Capture]:
    """Ask when the satellite imagery of Azure Maps was taken: one tile for each place.

    Parameters
    ----------
    key
        The subscription key; it is sent as a header and written nowhere.
    where, zoom
        As for `wayback`; zoom 1–19.

    Raises
    ------
    LulcError
        If the service fails or refuses the key.
    """
    captures = []
    with web.client(secret={"subscription-key": key}) as client:
        for place in track(where, "capture dates from Azure Maps", unit="places"):
            x, y = tile_of(place, zoom)
            query: dict[str, Any] = {"api-version": "2024-04-01", "tilesetId": "microsoft.imagery", "zoom": zoom}
            query |= {"x": x, "y": y}
            response = web.ask(
                "Azure Maps",
                partial(client.get, web.address("AZURE_MAPS", AZURE), params=query),
                lambda response: response,
            )
            captures.append(Capture(place, zoom, "Azure Maps", *_american(response.headers.get(HEADER, ""))))
    return captures


def bing(paths: Sequence[Path]) -> list[Capture]:
    """Read saved answers of Bing's metadata service (XML; it ended in June 2025).

    Place and zoom are those of the tile that the answer names, if it names one.

    Raises
    ------
    LulcError
        If a file is no such XML, or declares a document type or entities.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, parse

    captures = []
    for path in paths:
        try:
            root = parse(path, forbid_dtd=True).getroot()
        except (OSError, ParseError, DefusedXmlException) as error:
            raise FormatError(f"{path} is not readable metadata of Bing ({error or type(error).__name__}).") from None
        found = [e for e in root.iter() if e.tag.rpartition("}")[2] == "ImageryMetadata"]
        if not found:
            raise FormatError(f"{path} has no ImageryMetadata; expected what Bing's metadata service answered.")
        for entry in found:
            said = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in entry}
            key = re.search(r"/tiles/[a-z]*([0-3]+)\.", said.get("ImageUrl", ""))
            zoom = len(key[1]) if key else int(said.get("ZoomMin") or 0)
            days = (_day(said.get("VintageStart")), _day(said.get("VintageEnd")))
            captures.append(Capture(centre_of(key[1]) if key else None, zoom, f"Bing ({path.name})", *days))
    return captures


def table(captures: Sequence[Capture], dates: Sequence[str], most_days: int) -> "pd.DataFrame":
    """Set capture dates beside the scenes', and warn of imagery that is too far from them.

    Parameters
    ----------
    captures
        From `wayback`, `azure`, `bing`.
    dates
        Days of the scenes, ``YYYY-MM-DD``.
    most_days
        Imagery that may be further than this from the nearest scene is warned of.

    Returns
    -------
    pandas.DataFrame
        One row per capture: longitude, latitude (degrees), zoom, source, first, last; the nearest scene; and days from
        it, at most: imagery of a range of days may be of any of them. What is not known is empty.
    """
    import pandas as pd

    scenes = [dt.date.fromisoformat(day) for day in dates]
    rows = []
    for capture in captures:
        apart = {scene: days for scene in scenes if (days := capture.days_from(scene)) is not None}
        nearest = min(apart, key=lambda scene: (apart[scene], scene), default=None)
        rows.append(
            {
                "longitude": capture.where[0] if capture.where else math.nan,
                "latitude": capture.where[1] if capture.where else math.nan,
                "zoom": capture.zoom,
                "source": capture.source,
                "first": capture.first,
                "last": capture.last,
                "scene": nearest,
                "days": apart.get(nearest) if nearest else None,
            }
        )
    found = pd.DataFrame(rows)
    found["days"] = found["days"].astype("Int64")
    far, unknown = found[found["days"] > most_days], found[found["days"].isna()]
    if len(far):
        worst = far.sort_values("days").iloc[-1]
        warnings.warn(
            f"{len(far)} of {len(found)} places: the basemap may have been taken more than {most_days} days from the "
            f"nearest scene, at worst {worst['days']} ({worst['source']}, {worst['first']} to {worst['last']}). What "
            f"you draw over it may not be what the scene saw: check such polygons against the scene itself.",
            stacklevel=2,
        )
    if len(unknown):
        warnings.warn(f"{len(unknown)} of {len(found)} places: nobody says when the basemap was taken.", stacklevel=2)
    return found


def tile_of(where: Place, zoom: int) -> tuple[int, int]:
    """Return column and row of the Web Mercator tile that holds a place.

    Examples
    --------
    >>> tile_of((0.1, -0.1), 1)
    (1, 1)
    """
    longitude, latitude = where
    side = 2**zoom
    y = math.asinh(math.tan(math.radians(latitude))) / math.pi
    return min(side - 1, int((longitude + 180) / 360 * side)), min(side - 1, int((1 - y) / 2 * side))


def centre_of(key: str) -> Place:
    """Return the centre of the tile of a quadkey, longitude and latitude.

    Examples
    --------
    >>> centre_of("3")[0]
    90.0
    """
    column = int("".join(str(int(digit) & 1) for digit in key), 2)
    row = int("".join(str(int(digit) >> 1) for digit in key), 2)
    side = 2 ** len(key)
    latitude = math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * (row + 0.5) / side))))
    return (column + 0.5) / side * 360 - 180, latitude


def _american(said: str) -> tuple[dt.date | None, dt.date | None]:
    """Read ``7/31/2022-9/1/2023``, or one such day; none where nothing, or something else, is said."""
    found = [(int(y), int(m), int(d)) for m, d, y in re.findall(r"(\d{1,2})/(\d{1,2})/(\d{4})", said)]
    days = [dt.date(*day) for day in found]
    return min(days, default=None), max(days, default=None)


def _day(said: str | None) -> dt.date | None:
    """Read ``2011-06-05T00:00:00Z`` or ``02 Dec 2019 GMT``."""
    import pandas as pd

    try:
        return pd.Timestamp(said.removesuffix(" GMT")).date() if said else None
    except ValueError:
        return None
