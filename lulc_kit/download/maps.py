"""Maps of the world, cut out for a study: reference maps of land cover, and elevation models."""

from __future__ import annotations

import datetime as dt
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from odc.geo.geobox import GeoBox

from lulc_kit import classes, files, raster
from lulc_kit.download import search, services, tiles
from lulc_kit.errors import FormatError, GridError, LulcError, ParameterError
from lulc_kit.late import pd
from lulc_kit.raster import writing

if TYPE_CHECKING:
    import pystac

MARGIN = 4
"""How far an elevation model is fetched beyond the area, its pixels: slope and interpolation look around."""


@dataclass(frozen=True)
class Edition:
    """Where a map is: a service of `services.SERVICES`, its collection and asset, and its years, if it has any."""

    service: str
    collection: str
    asset: str
    years: tuple[int, ...] = ()


@dataclass(frozen=True)
class WorldMap:
    """A map: whose it is, and where; of two editions of a year the first counts. The scheme is that of its classes."""

    title: str
    attribution: str
    editions: tuple[Edition, ...]
    scheme: str | None = None

    @property
    def years(self) -> list[int]:
        """The years that there are."""
        return sorted({year for edition in self.editions for year in edition.years})


REFERENCES = {
    "esri": WorldMap(
        "Impact Observatory / Esri 10 m annual land cover",
        "Land cover: Impact Observatory, Microsoft and Esri, from Copernicus Sentinel-2 data (CC BY 4.0).",
        (
            Edition("planetary-computer", "io-lulc-annual-v02", "data", tuple(range(2017, 2024))),
            Edition("impact-observatory", "io-10m-annual-lulc", "supercell", tuple(range(2017, 2025))),
        ),
        "esri",
    ),
    "worldcover": WorldMap(
        "ESA WorldCover",
        "Land cover: © ESA WorldCover project, contains modified Copernicus Sentinel data processed by the ESA "
        "WorldCover consortium (CC BY 4.0).",
        (Edition("planetary-computer", "esa-worldcover", "map", (2020, 2021)),),
        "worldcover",
    ),
}
"""Reference maps by the words of the parameter ``reference``."""

DEMS = {
    "cop-dem-glo-30": WorldMap(
        "Copernicus DEM GLO-30",
        "Elevation: © DLR e.V. 2010–2014 and © Airbus Defence and Space GmbH 2014–2018, provided under COPERNICUS by "
        "the European Union and ESA; all rights reserved.",
        (Edition("earth-search", "cop-dem-glo-30", "data"),),
    ),
    "nasadem": WorldMap(
        "NASADEM",
        "Elevation: NASADEM (NASA JPL, 2020).",
        (Edition("planetary-computer", "nasadem", "elevation"),),
    ),
}
"""Elevation models by the words of the parameter ``dem``."""

_TILE_NAMES = {
    "esri": r"\d\d[C-X]_(?P<year>\d{4})(?:0101-\d{4}0101)?\.tif",
    "worldcover": r"ESA_WorldCover_10m_(?P<year>\d{4})_v\d{3}_[NS]\d\d[EW]\d{3}_Map\.tif",
}
"""How the makers name tiles of the reference maps."""


def nearest_year(years: Sequence[int], dates: Sequence[str]) -> int:
    """Return the year whose middle is nearest to the middle one of the scenes' days, ``YYYY-MM-DD``.

    Examples
    --------
    >>> nearest_year([2020, 2021], ["2023-06-15"]), nearest_year(range(2017, 2025), ["2020-12-30", "2021-01-02"])
    (2021, 2020)
    """
    days = sorted(dt.date.fromisoformat(day) for day in dates)
    middle = days[(len(days) - 1) // 2]
    return min(years, key=lambda year: (abs((dt.date(year, 7, 1) - middle).days), year))


def reference(name: str, area: GeoBox, dates: Sequence[str], folder: Path, year: int | None = None) -> Path:
    """Fetch a reference map of an area: its own pixels, with the names and colours of its classes.

    Parameters
    ----------
    name
        A word of `REFERENCES`.
    area
        A grid; all of it is wanted.
    dates
        Days of the scenes, ``YYYY-MM-DD``.
    folder
        Where ``<name>_<year>.tif`` (uint8, 0 no data) and its style for QGIS are to be.
    year
        Of the map; None takes the one nearest to the scenes, see `nearest_year`.

    Returns
    -------
    pathlib.Path
        The map; one that is there already, of this area and edition, is not fetched again.

    Raises
    ------
    LulcError
        If there is no such year, the service fails, or the map has no data there.
    """
    known = REFERENCES[name]
    chosen = nearest_year(known.years, dates) if year is None else year
    edition = next((e for e in known.editions if chosen in e.years), None)
    if edition is None:
        raise ParameterError(
            f"{known.title} has no map of {chosen}; it has {known.years[0]} to {known.years[-1]}. Set reference_year "
            f"in 01_download.yaml to one of them, or to null for the nearest."
        )
    _warn_of_years(known, chosen, dates)
    found = partial(_addresses, known, edition, chosen)
    return _signed_anew(edition, partial(_land_cover, name, chosen, area, folder, edition.collection, found))


def recognize(path: Path) -> tuple[str, int] | None:
    """Return which reference map a file is by its name, as its makers name tiles, and of which year; None for others.

    Examples
    --------
    >>> recognize(Path("50S_20210101-20220101.tif")), recognize(Path("ESA_WorldCover_10m_2020_v100_N33E114_Map.tif"))
    (('esri', 2021), ('worldcover', 2020))
    >>> recognize(Path("50S.tif"))
    """
    for name, pattern in _TILE_NAMES.items():
        if match := re.fullmatch(pattern, path.name, re.I):
            return name, int(match["year"])
    return None


def cut(path: Path, area: GeoBox, dates: Sequence[str], folder: Path) -> Path:
    """Cut an area out of a tile of a reference map that one has (`recognize`), and name its classes, as `reference`.

    Raises
    ------
    LulcError
        If the file cannot be read, or lies elsewhere.
    """
    found = recognize(path)
    assert found is not None
    name, year = found
    _warn_of_years(REFERENCES[name], year, dates)
    about = path.stat()
    origin = f"{path.name} {about.st_size} {about.st_mtime_ns}"
    return _land_cover(name, year, area, folder, origin, lambda area: [str(path)])


def dem(name: str, area: GeoBox, folder: Path) -> Path:
    """Fetch an elevation model of an area and a few pixels around it, metres; float32, NaN for no data.

    Parameters, errors and what is returned are those of `reference`; the file is ``<name>.tif``.
    """
    known = DEMS[name]
    (edition,) = known.editions
    found = partial(_addresses, known, edition, None)
    how = {"dtype": "float32", "fill": math.nan, "resampling": "bilinear", "margin": MARGIN}
    path = folder / f"{name}.tif"
    return _signed_anew(edition, partial(_write, path, known, area, edition.collection, found, how))


def shares(path: Path) -> pd.DataFrame:
    """Return how much of a reference map each of its classes covers: class, value, share of what is known, 0–1."""
    names = dict(entry.split(" ", 1) for entry in raster.tags(path)["classes"].split("; "))
    counts = np.zeros(256, np.int64)
    for block in raster.read_codes(path, chunk=tiles.CHUNK).data.to_delayed().ravel():
        counts += np.bincount(block.compute().ravel(), minlength=256)
    counts[0] = 0
    rows = [(names.get(str(v), "?"), v, counts[v] / counts.sum()) for v in np.flatnonzero(counts).tolist()]
    return pd.DataFrame(rows, columns=["class", "value", "share"]).set_index("class")


def _warn_of_years(known: WorldMap, year: int, dates: Sequence[str]) -> None:
    taken = sorted(int(day[:4]) for day in dates)
    if not taken[0] - 1 <= year <= taken[-1] + 1:
        between = str(taken[0]) if taken[0] == taken[-1] else f"{taken[0]} to {taken[-1]}"
        warnings.warn(
            f"{known.title} is of {year}, the scenes of {between}: what changed between them is labelled wrong.",
            stacklevel=3,
        )


def _signed_anew(edition: Edition, fetch: Callable[[], Path]) -> Path:
    """Fetch; if a tile cannot be read, once more under new signatures, for they may end before their time."""
    try:
        return fetch()
    except FormatError:
        services.SERVICES[edition.service].forget()
        return fetch()


_Names = Callable[[GeoBox], Sequence[str]]
"""From an area to the files or addresses of its tiles."""


def _land_cover(name: str, year: int, area: GeoBox, folder: Path, origin: str, names: _Names) -> Path:
    known = REFERENCES[name]
    scheme = classes.scheme(str(known.scheme))
    path = folder / f"{name}_{year}.tif"
    tags = {"classes": scheme.to_tag(), "year": str(year)}
    how = {"dtype": "uint8", "fill": 0, "resampling": "nearest"}
    _write(path, known, area, f"{origin} {year}", names, how, tags, {c.value: c.rgb for c in scheme.classes})
    files.write_text(path.with_suffix(".qml"), classes.qml(scheme))
    return path


def _write(
    path: Path,
    known: WorldMap,
    area: GeoBox,
    origin: str,
    names: _Names,
    how: Mapping[str, Any],
    tags: Mapping[str, str] | None = None,
    colours: Mapping[int, tuple[int, int, int]] | None = None,
) -> Path:
    """Write the part of a map, unless the file is there already with all of the same origin and area."""
    box = [round(v, 6) for v in area.extent.to_crs("EPSG:4326").boundingbox]
    tags = {**(tags or {}), "origin": f"{origin} {box}", "source": known.title, "attribution": known.attribution}
    if path.exists() and raster.tags(path).get("origin") == tags["origin"]:
        return path
    data = tiles.crop(names(area), area, band=known.title, **how)
    with files.replacing(path) as part:
        writing.write(part, data, dtype=how["dtype"], nodata=how["fill"], colours=colours, tags=tags)
        if bool(raster.read(part).isnull().all()):
            raise GridError(f"{known.title} has no data in {box}. Check the area, or name a file of yours instead.")
    return path


def _addresses(known: WorldMap, edition: Edition, year: int | None, area: GeoBox) -> list[str]:
    """Ask a service for the tiles of an area."""
    # A map of a year is said to end on the first moment of the next: in midsummer there is no doubt.
    dates = None if year is None else (f"{year}-06-01", f"{year}-07-01")
    place = area.extent.to_crs("EPSG:4326")
    found = search.world(edition.service, edition.collection, place.geom, dates)
    items = [item for item in found if year is None or _year(item) == year]
    if not items:
        raise LulcError(
            f"{services.SERVICES[edition.service].title} has no tile of {known.title}{f' {year}' if year else ''} for "
            f"{[round(v, 6) for v in place.boundingbox]}. Check the area; is it all sea? Or name a file of yours."
        )
    return [_address(edition, item) for item in items]


def _year(item: pystac.Item) -> int:
    moment = item.datetime or item.common_metadata.start_datetime
    return moment.year if moment else 0


def _address(edition: Edition, item: pystac.Item) -> str:
    if edition.asset not in item.assets:
        raise LulcError(
            f"Item {item.id} of {edition.collection} has no asset {edition.asset!r}; it has "
            f"{', '.join(item.assets)}. The service has changed: name a file of yours instead, and report it."
        )
    return services.SERVICES[edition.service].sign(tiles.readable(item.assets[edition.asset].href))
