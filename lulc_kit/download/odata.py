"""The catalogue of the Copernicus Data Space (OData): a product by its name, where its files are, what became of it.

Written from the service's documentation as of 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lulc_kit.download import web
from lulc_kit.errors import FormatError, LulcError, MissingFileError

CATALOGUE = "https://catalogue.dataspace.copernicus.eu/odata/v1"
DOWNLOAD = "https://download.dataspace.copernicus.eu/odata/v1"
_WHO = "The catalogue of the Copernicus Data Space"
_DIGITS = {"md5": 32, "sha256": 64, "sha3_256": 64, "blake3": 64}


@dataclass(frozen=True)
class Entry:
    """A product in the catalogue.

    Attributes
    ----------
    id, name
        Its number there, and its name with ``.SAFE``.
    size
        Of the zip archive, bytes; None where the catalogue does not know.
    checksums
        Of the zip archive, hexadecimal by kind; the catalogue knows none of many products.
    folder
        Of its files in the object store's bucket ``eodata``.
    """

    id: str
    name: str
    size: int | None
    checksums: Mapping[str, str]
    folder: str

    @property
    def archive(self) -> str:
        """Address of the whole product as a zip archive."""
        return f"{_root()}/Products({self.id})/$value"

    def node(self, path: str) -> str:
        """Return the address of one of its files, by its path in the product."""
        nodes = "/".join(f"Nodes({part})" for part in (self.name, *path.split("/")))
        return f"{_root()}/Products({self.id})/{nodes}/$value"

    def key(self, path: str) -> str:
        """Return the key of one of its files in the object store."""
        return f"{self.folder}/{path}"


def find(name: str) -> Entry:
    """Look a product up.

    Parameters
    ----------
    name
        With or without ``.SAFE``.

    Raises
    ------
    MissingFileError
        If it is not there: when and why it was deleted, if it was; or if it has to be ordered first.
    LulcError
        If the catalogue gives no answer.
    """
    name = f"{name.removesuffix('.SAFE')}.SAFE"
    found = _ask("Products", name)
    if not found:
        raise MissingFileError(_why_gone(name))
    said = found[0]
    if said.get("Online") is False:
        raise MissingFileError(
            f"{name} is offline: the Copernicus Data Space keeps it on tape. Order it in its Browser "
            f"(https://browser.dataspace.copernicus.eu), and run 01_download again when it has come."
        )
    try:
        number, folder = str(said["Id"]), str(said.get("S3Path") or "")
    except KeyError:
        raise FormatError(f"{_WHO} answered about {name} without its Id. Try again later.") from None
    if not re.fullmatch(r"[0-9a-fA-F-]{8,64}", number):
        raise FormatError(f"{_WHO} gives {name} the Id {number[:60]!r}; expected a UUID. Try again later.")
    return Entry(
        number,
        name,
        _size(said.get("ContentLength")),
        _checksums(said.get("Checksum")),
        folder.removeprefix("/eodata/"),
    )


def _ask(kind: str, name: str) -> list[dict[str, Any]]:
    asked = {"$filter": f"Name eq '{name}'", "$top": "1"}
    root = web.address("CDSE_CATALOGUE", CATALOGUE)
    with web.client() as client:
        said = web.ask(_WHO, lambda: client.get(f"{root}/{kind}", params=asked), web.decode)
    values = said.get("value") if isinstance(said, dict) else None
    if not isinstance(values, list):
        raise LulcError(f"{_WHO} answered without a list of products. Try again later.")
    return [value for value in values if isinstance(value, dict) and value.get("Name") == name]


def _why_gone(name: str) -> str:
    gone = _ask("DeletedProducts", name)
    if gone:
        when, why = str(gone[0].get("DeletionDate", ""))[:10], gone[0].get("DeletionCause") or "no cause is given"
        return (
            f"{name} was deleted from the Copernicus Data Space{f' on {when}' if when else ''} ({why}). Search again: "
            f"there may be a newer processing of it."
        )
    return f"The Copernicus Data Space has no product {name}. Search again; another service may name it otherwise."


def _root() -> str:
    return web.address("CDSE_DOWNLOAD", DOWNLOAD)


def _size(said: object) -> int | None:
    """Return a size in bytes; 0, "N/A" and the like mean that nobody knows."""
    return said if isinstance(said, int) and said > 0 else None


def _checksums(said: object) -> dict[str, str]:
    """Return checksums by kind; null, [], "N/A" and zeros mean that nobody knows."""
    found = {}
    for entry in said if isinstance(said, list) else []:
        if not isinstance(entry, dict):
            continue
        kind = str(entry.get("Algorithm", "")).lower().replace("-", "_")
        text = str(entry.get("Value", "")).lower()
        if len(text) == _DIGITS.get(kind) and re.fullmatch("[0-9a-f]+", text) and text.strip("0"):
            found[kind] = text
    return found
