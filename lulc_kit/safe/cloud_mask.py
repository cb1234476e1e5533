"""The cloud polygons that products of before baseline 04.00 bring (``MSK_CLOUDS_B00.gml``)."""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from lulc_kit import files
from lulc_kit.errors import FormatError
from lulc_kit.safe.metadata import find_all
from lulc_kit.safe.source import parse_xml


@dataclass(frozen=True)
class CloudPolygons:
    """Clouds as a product outlines them.

    Attributes
    ----------
    crs
        Such as ``"EPSG:32631"``; None where the file does not say (then that of the product's bands).
    opaque, cirrus
        GeoJSON polygons, easting and northing.
    """

    crs: str | None
    opaque: tuple[dict[str, Any], ...]
    cirrus: tuple[dict[str, Any], ...]


def read_polygons(path: Path) -> CloudPolygons:
    """Read a vector cloud mask, in a folder or (`lulc_kit.files.join_archive`) in a zip archive.

    Raises
    ------
    LulcError
        If it is missing, unsafe, no XML, or its coordinates are not pairs of numbers.
    """
    root = _root(path)
    found: dict[str, list[dict[str, Any]]] = {"OPAQUE": [], "CIRRUS": []}
    for feature in find_all(root, "MaskFeature"):
        kind = "".join((e.text or "").strip() for e in find_all(feature, "maskType"))
        if kind in found:
            found[kind] += [_polygon(p, path) for p in find_all(feature, "Polygon")]
    named = [re.search(r"(\d+)$", e.get("srsName", "")) for e in find_all(root, "Envelope")]
    crs = next((f"EPSG:{match[1]}" for match in named if match), None)
    return CloudPolygons(crs, tuple(found["OPAQUE"]), tuple(found["CIRRUS"]))


def _root(path: Path) -> Element:
    inside = files.split_archive(path)
    try:
        if inside is None:
            with path.open("rb") as stream:
                return parse_xml(stream, str(path))
        with zipfile.ZipFile(inside[0]) as archive, archive.open(inside[1]) as stream:
            return parse_xml(stream, str(path))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise FormatError(f"The cloud mask {path} cannot be read ({error}). Fetch the product again.") from error


def _polygon(element: Element, path: Path) -> dict[str, Any]:
    rings = []
    for line in find_all(element, "posList"):  # the outer ring stands first
        try:
            numbers = [float(number) for number in (line.text or "").split()]
        except ValueError as error:
            raise FormatError(f"The cloud mask {path} is malformed ({error}). Fetch the product again.") from None
        size = int(line.get("srsDimension", "2"))
        if size != 2 or len(numbers) % 2 or len(numbers) < 8:
            raise FormatError(
                f"The cloud mask {path} has a ring of {len(numbers)} numbers in {size} dimensions; expected pairs of "
                "easting and northing, four or more. Fetch the product again."
            )
        rings.append(list(zip(numbers[::2], numbers[1::2], strict=True)))
    return {"type": "Polygon", "coordinates": rings}
