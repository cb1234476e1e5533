"""What items of the three services call bands, and what they say of scale and offset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lulc_kit.download.search import product
from lulc_kit.errors import BandError
from lulc_kit.offset import OFFSET, Witness
from lulc_kit.sentinel2 import BANDS

if TYPE_CHECKING:
    import pystac

WITH_OFFSET = "04.00"
"""The processing baseline since which ESA adds 1000 to the numbers."""
APPLIED = "earthsearch:boa_offset_applied"

_EARTH_SEARCH = {"B5": "rededge1", "B6": "rededge2", "B7": "rededge3"}
_OTHERS = {"SCL": ("scl", "SCL", "SCL_20m", "SCL_60m"), "TCI": ("visual", "TCI_10m", "TCI")}


def asset_key(item: pystac.Item, name: str) -> str:
    """Return the key of a band's asset, the finest one.

    Parameters
    ----------
    item
        Of Earth Search (``red``), the Planetary Computer (``B04``) or CDSE (``B04_10m``).
    name
        A band, ``"SCL"`` or ``"TCI"`` (the true-colour picture).

    Raises
    ------
    LulcError
        If the item has none; it says what it has.
    """
    names = _OTHERS.get(name) or tuple(_names(name))
    found = next((key for key in names if key in item.assets), None)
    if found is None:
        have = ", ".join(item.assets) or "nothing at all"
        raise BandError(f"Item {item.id} of {item.collection_id} has no {name} ({' or '.join(names)}). It has: {have}.")
    return found


def _names(band: str) -> Iterator[str]:
    known = BANDS[band]
    yield _EARTH_SEARCH.get(band, known.common_name)
    yield known.file_name
    yield from (f"{known.file_name}_{resolution}m" for resolution in (10, 20, 60))


def zarr_product(item: pystac.Item) -> str | None:
    """Return the address of the product in EOPF Zarr that an item's assets are parts of; None of other items.

    As in the EOPF Sentinel Zarr Samples Service: ``B04_10m`` is ``….zarr/measurements/reflectance/r10m/b04``.
    """
    for asset in item.assets.values():
        before, found, _ = asset.href.partition(".zarr")
        if found:
            return before + found
    return None


def declared_offset(item: pystac.Item, key: str) -> float | None:
    """Return the offset, reflectance, that an item declares for an asset; None if it declares none.

    Three dialects: ``raster:bands`` (STAC 1.0), ``raster:offset`` of the asset or of its one band (1.1), and silence.
    """
    said = item.assets[key].extra_fields
    bands: list[Mapping[str, Any]] = [*said.get("raster:bands", []), *said.get("bands", [])]
    for place, name in [(said, "raster:offset"), *((b, n) for b in bands for n in ("offset", "raster:offset"))]:
        if name in place:
            return float(place[name])
    return None


def from_metadata(item: pystac.Item) -> Witness:
    """Hear the metadata: is the offset in the numbers of the item's files?

    Before baseline 04.00 nothing was added. Since then: what Earth Search's flag says, then the offset that is declared
    for red, and where nothing is declared (Planetary Computer), it is in them as ESA delivers it.
    """
    known, declared = product(item), declared_offset(item, asset_key(item, "B4"))
    words = [f"baseline {known.baseline or 'unknown'}"]
    flag = item.properties.get(APPLIED)
    if flag is not None:
        words.append(f"{APPLIED} {str(flag).lower()}")
    words.append(f"declared offset {'none' if declared is None else f'{declared:g}'}")
    says: bool | None
    if (known.baseline is not None and known.baseline < WITH_OFFSET) or flag:
        says = False
    elif declared is not None:
        says = abs(declared - OFFSET) < 1e-6 or (None if declared else False)
    else:
        says = True if known.baseline else None
    return Witness("metadata", says, ", ".join(words))
