"""What a class raster itself calls its values."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import rasterio
from rasterio.errors import RasterioError

from lulc_kit import palette, raster
from lulc_kit.classes import LandClass, of_tag
from lulc_kit.labels import schemes

NAME, VALUE, LOW, RED, GREEN, BLUE = "2", "5", "3", "6", "7", "8"
"""GDAL's numbers for what a column of a raster attribute table holds (GDALRATFieldUsage)."""


def read(path: Path) -> dict[float, LandClass]:
    """Return the names and colours that a raster gives to its values; empty where it gives none.

    Looked for in this order: the kit's own tag; GDAL's category names or attribute table (``.aux.xml``); ESRI's value
    attribute table (``.vat.dbf``); a QGIS style beside the raster (``.qml``). Colours come from there, otherwise from
    the raster's colour table, otherwise from `palette`.
    """
    found = _of_tag(path) or _of_aux(path) or _of_vat(path) or _of_style(path)
    painted = _colour_table(path)
    spare = palette.colours(len(found))
    return {
        value: LandClass(int(value) if 1 <= value <= 255 else 1, name, (colour or painted.get(int(value), spare[i])))
        for i, (value, (name, colour)) in enumerate(sorted(found.items()))
    }


_Names = dict[float, tuple[str, str | None]]


def _of_tag(path: Path) -> _Names:
    return {float(value): (name, None) for value, name in of_tag(raster.tags(path).get("classes", "")).items()}


def _of_aux(path: Path) -> _Names:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, parse

    beside = path.with_name(f"{path.name}.aux.xml")
    try:
        band = parse(beside, forbid_dtd=True).getroot().find("PAMRasterBand") if beside.is_file() else None
    except (DefusedXmlException, ParseError, OSError):
        return {}
    if band is None:
        return {}
    names = [(e.text or "").strip() for e in band.iterfind("CategoryNames/Category")]
    return {float(i): (n, None) for i, n in enumerate(names) if n} or dict(_rows(band))


def _rows(band: Element) -> Iterator[tuple[float, tuple[str, str | None]]]:
    table = band.find("GDALRasterAttributeTable")
    usage = [(f.findtext("Usage") or "").strip() for f in table.iterfind("FieldDefn")] if table is not None else []
    value = next((u for u in (VALUE, LOW) if u in usage), None)
    if table is None or value is None or NAME not in usage:
        return
    for row in table.iterfind("Row"):
        cells = dict(zip(usage, [(f.text or "").strip() for f in row.iterfind("F")], strict=False))
        try:
            rgb = [int(float(cells[part])) for part in (RED, GREEN, BLUE)] if RED in usage else None
            if cells[NAME]:
                yield float(cells[value]), (cells[NAME], bytes(rgb).hex().join(("#", "")) if rgb else None)
        except (KeyError, ValueError):
            continue


def _of_vat(path: Path) -> _Names:
    import pyogrio

    beside = next((f for f in path.parent.glob("*.dbf") if f.name.lower() == f"{path.name.lower()}.vat.dbf"), None)
    if beside is None:
        return {}
    try:
        table = pyogrio.read_dataframe(beside, read_geometry=False)
    except (pyogrio.errors.DataSourceError, UnicodeDecodeError):
        return {}
    columns = {str(c).lower(): c for c in table.columns}
    words = [c for c in table.columns if table[c].dtype == object or str(table[c].dtype) == "str"]
    if "value" not in columns or not words:
        return {}
    return {float(v): (str(n), None) for v, n in zip(table[columns["value"]], table[words[0]], strict=True) if n}


def _of_style(path: Path) -> _Names:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError

    style = path.with_suffix(".qml")
    try:  # a style of shades names no value, and one that is broken is not what was asked to be read
        found = schemes.read_style(style) if style.is_file() else []
        rows = [(v, n, c) for v, n, c in found if float(v) != 0 or n.strip() != "0"]  # QGIS' label of what nobody named
        return {float(v): (n, c if c and re.fullmatch("#[0-9a-fA-F]{6}", c) else None) for v, n, c in rows}
    except (DefusedXmlException, ParseError, OSError, KeyError, ValueError):
        return {}


def _colour_table(path: Path) -> dict[int, str]:
    try:
        with rasterio.open(path) as source:
            return {value: "#" + bytes(rgba[:3]).hex() for value, rgba in source.colormap(1).items()}
    except (RasterioError, ValueError):  # it has none
        return {}
