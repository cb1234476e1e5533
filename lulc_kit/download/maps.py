"""Maps of the world, cut out for a study: reference maps of land cover, and elevation models."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from odc.geo.geobox import GeoBox

from lulc_kit import classes, files, raster
from lulc_kit.download import search, services, tiles
from lulc_kit.errors import GridError, LulcError, ParameterError
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
    taken = [int(day[:4]) for day in dates]
    if not min(taken) - 1 <= chosen <= max(taken) + 1:
        warnings.warn(
            f"{known.title} is of {chosen}, the scenes of {' to '.join(sorted({dates[0][:4], dates[-1][:4]}))}: what "
            f"changed between them is labelled wrong.",
            stacklevel=2,
        )
    scheme = classes.scheme(str(known.scheme))
    path = folder / f"{name}_{chosen}.tif"
    tags = {"classes": "; ".join(f"{c.value} {c.name}" for c in scheme.classes), "year": str(chosen)}
    if _fetch(known, edition, area, path, chosen, dtype="uint8", nodata=0, tags=tags, scheme=scheme):
        files.write_text(path.with_suffix(".qml"), classes.qml(scheme))
    return path


def dem(name: str, area: GeoBox, folder: Path) -> Path:
    """Fetch an elevation model of an area and a few pixels around it, metres; float32, NaN for no data.

    Parameters, errors and what is returned are those of `reference`; the file is ``<name>.tif``.
    """
    known = DEMS[name]
    path = folder / f"{name}.tif"
    _fetch(known, known.editions[0], area, path, None, dtype="float32", nodata=float("nan"), tags={})
    return path


def shares(path: Path) -> pd.DataFrame:
    """Return how much of a reference map each of its classes covers: class, value, share of what is known, 0–1."""
    names = dict(entry.split(" ", 1) for entry in raster.tags(path)["classes"].split("; "))
    counts = np.bincount(raster.read_codes(path).to_numpy().ravel(), minlength=256)
    counts[0] = 0
    rows = [(names.get(str(v), "?"), v, counts[v] / counts.sum()) for v in np.flatnonzero(counts).tolist()]
    return pd.DataFrame(rows, columns=["class", "value", "share"]).set_index("class")


def _fetch(
    known: WorldMap,
    edition: Edition,
    area: GeoBox,
    path: Path,
    year: int | None,
    *,
    dtype: str,
    nodata: float,
    tags: dict[str, str],
    scheme: classes.Scheme | None = None,
) -> bool:
    """Write a map's part; False if it is there already."""
    box = [round(v, 6) for v in area.extent.to_crs("EPSG:4326").boundingbox]
    origin = f"{edition.collection} {year or ''} {box}"
    if path.exists() and raster.tags(path).get("origin") == origin:
        return False
    items = [item for item in _items(edition, area, year) if year is None or _year(item) == year]
    if not items:
        raise LulcError(
            f"{services.SERVICES[edition.service].title} has no tile of {known.title}{f' {year}' if year else ''} for "
            f"{box}. Check the area; is it all sea? Or name a file of yours instead."
        )
    names = [_address(edition, item) for item in items]
    how = {"resampling": "nearest"} if scheme else {"resampling": "bilinear", "margin": MARGIN}
    data = tiles.crop(names, area, band=known.title, dtype=dtype, fill=nodata, **how)
    colours = {c.value: c.rgb for c in scheme.classes} if scheme else None
    tags = tags | {"origin": origin, "source": known.title, "attribution": known.attribution}
    with files.replacing(path) as part:
        writing.write(part, data, dtype=dtype, nodata=nodata, colours=colours, tags=tags)
        if bool(raster.read(part).isnull().all()):
            raise GridError(f"{known.title} has no data in {box}. Check the area, or name a file of yours instead.")
    return True


def _items(edition: Edition, area: GeoBox, year: int | None) -> list[pystac.Item]:
    # A map of a year is said to end on the first moment of the next: in midsummer there is no doubt.
    dates = None if year is None else (f"{year}-06-01", f"{year}-07-01")
    return search.world(edition.service, edition.collection, area.extent.to_crs("EPSG:4326").geom, dates)


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
