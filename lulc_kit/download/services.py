"""Where Sentinel-2 can be searched: STAC services, as entries of one table."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lulc_kit.download import secrets


@dataclass(frozen=True)
class Service:
    """A STAC API and its habits.

    Attributes
    ----------
    title, address
        What it is called, and its root.
    collections
        By level, the preferred one first: what the first lacks comes from the next.
    asks
        How it takes conditions on properties: ``"query"`` (STAC's older extension) or ``"filter"`` (CQL2).
    sign
        From the address of an asset to one that can be read for as long as its signature lives.
    forget
        Throws kept signatures away, so that `sign` asks for new ones.
    """

    title: str
    address: str
    collections: Mapping[str, tuple[str, ...]]
    asks: str
    sign: Callable[[str], str] = str
    forget: Callable[[], None] = lambda: None


def _planetary(href: str) -> str:
    import planetary_computer as pc

    if key := secrets.find("planetary-computer", "key"):  # works without, at a lower rate
        pc.set_subscription_key(key)
    return str(pc.sign(href))


def _forget_planetary() -> None:
    from planetary_computer import sas

    sas.TOKEN_CACHE.clear()


SERVICES = {
    "earth-search": Service(
        "Earth Search by Element 84",
        "https://earth-search.aws.element84.com/v1",
        {"L2A": ("sentinel-2-c1-l2a", "sentinel-2-l2a")},  # its L1C lies in a bucket where who asks pays
        "query",
    ),
    "planetary-computer": Service(
        "Microsoft Planetary Computer",
        "https://planetarycomputer.microsoft.com/api/stac/v1",
        {"L2A": ("sentinel-2-l2a",)},
        "query",
        _planetary,
        _forget_planetary,
    ),
    "cdse": Service(
        "Copernicus Data Space Ecosystem",
        "https://stac.dataspace.copernicus.eu/v1",
        {"L2A": ("sentinel-2-l2a",), "L1C": ("sentinel-2-l1c",)},
        "filter",
    ),
    "eopf": Service(
        "EOPF Sentinel Zarr Samples Service",
        "https://stac.core.eopf.eodc.eu",
        {"L2A": ("sentinel-2-l2a",), "L1C": ("sentinel-2-l1c",)},
        "filter",
    ),
    "impact-observatory": Service(
        "Impact Observatory",
        "https://api.impactobservatory.com/stac-aws",
        {},  # maps of land cover alone
        "query",
    ),
}
"""The services; those that have scenes are words of the parameter ``service``."""


def address(service: str) -> str:
    """Return a service's root; the variable ``LULC_STAC_<SERVICE>`` replaces it, for a mirror or a test."""
    return os.environ.get(f"LULC_STAC_{service}".replace("-", "_").upper()) or SERVICES[service].address
