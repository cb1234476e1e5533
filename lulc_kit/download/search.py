"""Search a service for Sentinel-2 items of an area, and keep one of each: the newest processing of a product."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import shapely

from lulc_kit.download import secrets, services
from lulc_kit.download.area import Area
from lulc_kit.errors import LulcError

if TYPE_CHECKING:
    import pystac
    from pystac_client import Client
    from shapely.geometry.base import BaseGeometry

PAGE = 250
"""Items that are asked for at once: services give 100 to 500."""
MOST = 10_000
"""Items that services give to one question at most; beyond it the question is asked month by month."""
WAIT = 600
"""The longest pause that a service may ask for, seconds."""
TRIES = 8
"""How often a busy or broken service is asked again, after ever longer pauses."""

_PRODUCT = re.compile(
    r"(?P<platform>S2[A-D])_MSIL(?P<level>1C|2A)_(?P<sensed>\d{8}T\d{6})_(?:N(?P<baseline>\d{4})_)?R(?P<orbit>\d{3})_"
    r"T(?P<tile>\d\d[A-Z]{3})_(?P<made>\d{8}T\d{6})"
)


@dataclass(frozen=True)
class Product:
    """What the name of an item's product says.

    Attributes
    ----------
    name
        As ESA gives it, without ``.SAFE``.
    platform, level, tile
        Such as ``"sentinel-2a"``, ``"L2A"``, ``"33TWM"``.
    sensed
        When the datatake began, ``"20230815T095031"``.
    baseline
        ``"05.09"``; None where neither name nor properties say.
    made
        The name's last part, which tells products of one datatake and tile apart.
    orbit
        Relative, 1–143.
    """

    name: str
    platform: str
    level: str
    tile: str
    sensed: str
    baseline: str | None
    made: str
    orbit: int


def product(item: pystac.Item) -> Product:
    """Read the name of an item's product, in the property ``s2:product_uri`` or the item's own; a LulcError if none."""
    said = item.properties
    match = _PRODUCT.match(str(said.get("s2:product_uri") or item.id))
    if match is None:
        raise LulcError(
            f"Item {item.id} of {item.collection_id} does not name its Sentinel-2 product (s2:product_uri); expected "
            f"one like S2A_MSIL2A_20230815T095031_N0509_R079_T33TWM_20230815T155057."
        )
    coded = match["baseline"]
    baseline = said.get("s2:processing_baseline") or said.get("processing:version")
    return Product(
        match[0],
        f"sentinel-{match['platform'][1:].lower()}",
        f"L{match['level']}",
        match["tile"],
        match["sensed"],
        f"{coded[:2]}.{coded[2:]}" if coded else baseline and f"{float(baseline):05.2f}",
        match["made"],
        int(match["orbit"]),
    )


def cloud_cover(item: pystac.Item) -> float:
    """Return the cloud cover of an item's tile, %; 100 where it does not say."""
    return float(item.properties.get("eo:cloud_cover", 100))


def find(
    area: Area,
    service: str,
    dates: Sequence[str],
    *,
    level: str = "L2A",
    cloud: float = 100.0,
    tiles: Sequence[str] = (),
    months: Sequence[int] = (),
    baseline: str | None = None,
) -> list[pystac.Item]:
    """Search for items.

    Parameters
    ----------
    area
        Where.
    service
        A word of `services.SERVICES`.
    dates
        First and last day, ``"YYYY-MM-DD"``.
    level
        ``"L1C"`` or ``"L2A"``.
    cloud
        Greatest cloud cover of a tile, %.
    tiles
        MGRS tiles; none for all that meet the area.
    months
        1–12; none for all.
    baseline
        The oldest processing baseline wanted, ``"05.00"``; None for any.

    Returns
    -------
    list of pystac.Item
        In order of time and tile; of each tile and datatake one, from the preferred collection, in its newest
        processing. Addresses of assets are not signed.

    Raises
    ------
    LulcError
        If the service has not this level, cannot be reached, asks for more patience than ten minutes, answers with
        something else than STAC, or has nothing.
    """
    collections = services.SERVICES[service].collections.get(level)
    if collections is None:
        have = ", ".join(s for s, known in services.SERVICES.items() if level in known.collections)
        raise LulcError(f"{services.SERVICES[service].title} has no {level}. Services that have it: {have}.")
    wanted = {tile.removeprefix("T").zfill(5) for tile in tiles}
    found: list[tuple[Product, pystac.Item]] = []
    for collection in collections:
        for item in _ask(service, collection, area, dates, cloud):
            known = product(item)
            if (
                cloud_cover(item) <= cloud
                and (not wanted or known.tile in wanted)
                and (not months or int(known.sensed[4:6]) in months)
                and (baseline is None or (known.baseline or "") >= baseline)
            ):
                found.append((known, item))
    if not found:
        raise LulcError(
            f"{services.SERVICES[service].title} has no {level} of {area.name} from {dates[0]} to {dates[1]} with at "
            f"most {cloud:g} % of cloud{f', tiles {sorted(wanted)}' if wanted else ''}"
            f"{f', baseline {baseline} or later' if baseline else ''}. Ask for more dates or months, or more cloud."
        )
    return newest(found, collections)


def newest(found: Sequence[tuple[Product, pystac.Item]], collections: Sequence[str]) -> list[pystac.Item]:
    """Keep of each tile and datatake one item: of the first collection that has it, the newest processing.

    A datatake may cross a tile in two parts that were received apart. Of two items that are both of one baseline the
    second stays if it shows more of the tile than the first, by a twentieth.
    """

    def rank(entry: tuple[Product, pystac.Item]) -> tuple[int, str, str]:
        known, item = entry
        return (-collections.index(str(item.collection_id)), known.baseline or "", known.made)

    kept: dict[tuple[str, str], list[tuple[Product, pystac.Item]]] = {}
    for entry in sorted(found, key=rank, reverse=True):
        own = kept.setdefault((entry[0].tile, entry[0].sensed), [])
        if not own or (rank(entry)[:2] == rank(own[0])[:2] and _adds(entry[1], [item for _, item in own])):
            own.append(entry)
    every = [entry for own in kept.values() for entry in own]
    return [item for _, item in sorted(every, key=lambda e: (e[0].sensed, e[0].tile, e[0].made))]


def _adds(item: pystac.Item, others: Sequence[pystac.Item]) -> bool:
    shape = shapely.geometry.shape(item.geometry)
    known = shapely.union_all([shapely.geometry.shape(other.geometry) for other in others])
    return bool(shape.difference(known).area > 0.05 * known.area)


def world(service: str, collection: str, geometry: BaseGeometry, dates: Sequence[str] | None) -> list[pystac.Item]:
    """Search for the tiles of a map of the world.

    Parameters
    ----------
    service, collection
        Where.
    geometry
        Longitude and latitude; tiles that meet it are wanted.
    dates
        First and last day, ``"YYYY-MM-DD"``; None for a map that has none.

    Raises
    ------
    LulcError
        If the service cannot be asked, as `find`.
    """
    period = None if dates is None else f"{dates[0]}T00:00:00Z/{dates[1]}T23:59:59Z"
    where = shapely.geometry.mapping(geometry)

    def question(client: Client) -> Iterator[pystac.Item]:
        return client.search(collections=[collection], intersects=where, datetime=period, limit=PAGE).items()

    return _patiently(service, question)


def _ask(service: str, collection: str, area: Area, dates: Sequence[str], cloud: float) -> list[pystac.Item]:
    def of(period: Sequence[str]) -> list[pystac.Item]:
        return _patiently(service, lambda client: _items(client, service, collection, area, period, cloud))

    found = of(dates)
    return found if len(found) < MOST else [item for month in _months(dates) for item in of(month)]


def _patiently(service: str, question: Callable[[Client], Iterator[pystac.Item]]) -> list[pystac.Item]:
    """Return what a service answers, at most `MOST` items; asked again where it answers with something else."""
    import stamina
    from pystac import STACError
    from pystac_client.exceptions import APIError

    title = services.SERVICES[service].title

    @stamina.retry(on=json.JSONDecodeError, attempts=3, wait_initial=0.5)
    def ask() -> list[pystac.Item]:
        return list(islice(question(_client(service)), MOST))

    try:
        return ask()
    except json.JSONDecodeError as error:
        raise LulcError(
            f"{title} answered with something that is no STAC (it begins {error.doc[:40]!r}): a page of an error, or "
            f"of a network that wants a login first. Open {services.address(service)} in a browser, and try again."
        ) from None
    except (APIError, STACError) as error:
        raise LulcError(
            f"{title} could not be asked ({secrets.hide(str(error))[:300]}). Look whether {services.address(service)} "
            f"opens in a browser, try again later, or choose another 'service' in 01_download.yaml."
        ) from None


def _client(service: str) -> Client:
    from pystac_client import Client
    from pystac_client.stac_api_io import StacApiIO
    from urllib3 import Retry

    patience = Retry(
        total=TRIES,
        backoff_factor=0.5,
        backoff_jitter=0.5,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,  # a search is a POST, and may be asked again
        retry_after_max=WAIT,
    )
    return Client.open(services.address(service), stac_io=StacApiIO(max_retries=patience, timeout=60))


def _items(
    client: Client, service: str, collection: str, area: Area, dates: Sequence[str], cloud: float
) -> Iterator[pystac.Item]:
    conditions: dict[str, Any] = {}
    if cloud < 100 and services.SERVICES[service].asks == "query":
        conditions = {"query": {"eo:cloud_cover": {"lte": cloud}}}
    elif cloud < 100:
        least = {"op": "<=", "args": [{"property": "eo:cloud_cover"}, cloud]}
        conditions = {"filter": least, "filter_lang": "cql2-json"}
    return client.search(
        collections=[collection],
        intersects=shapely.geometry.mapping(area.question),
        datetime=f"{dates[0]}T00:00:00Z/{dates[1]}T23:59:59Z",
        limit=PAGE,
        **conditions,
    ).items()


def _months(dates: Sequence[str]) -> Iterator[tuple[str, str]]:
    first, last = map(dt.date.fromisoformat, dates)
    while first <= last:
        following = (first.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        yield first.isoformat(), min(last, following - dt.timedelta(days=1)).isoformat()
        first = following
