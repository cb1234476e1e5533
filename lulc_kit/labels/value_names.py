"""What a class raster itself calls its values."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import rasterio.shutil
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from lulc_kit import palette, raster
from lulc_kit.classes import LandClass, of_tag
from lulc_kit.errors import LulcError
from lulc_kit.intake import vectors
from lulc_kit.labels import schemes

_ROLES = (
    ("value", ("5", "3"), ("value",)),
    ("name", ("2",), ("class_name", "classname", "class", "name", "label", "category", "land_cover", "landcover")),
    ("red", ("6",), ("red",)),
    ("green", ("7",), ("green",)),
    ("blue", ("8",), ("blue",)),
)
"""What the kit looks for in an attribute table: GDAL's numbers of such columns (GDALRATFieldUsage), and how columns
are called of which a program says no use (0), as ArcGIS does."""
_GENERIC, _WORDS = "0", "2"
_BLACK = "#000000"
_NOTHING = "unclassified"
"""What ENVI and ERDAS call the value 0 in every class map: there is no class."""


def read(path: Path) -> dict[float, LandClass]:
    """Return the names and colours that a raster gives to its values; empty where it gives none.

    Looked for in this order: the kit's own tag; category names or an attribute table, in ``.aux.xml`` or as GDAL finds
    them in the file (VRT, ENVI, ERDAS); ESRI's value attribute table (``.vat.dbf``); a QGIS style beside the raster
    (``.qml``). Colours come from there, otherwise from the raster's colour table, otherwise from `palette`. A value
    that has a colour and no name is called by its number.
    """
    found = _of_tag(path) or _of_aux(path) or _of_gdal(path) or _of_vat(path) or _of_style(path)
    painted = _colour_table(path)
    found |= {float(v): (str(v), colour) for v, colour in _set(painted).items() if v and v not in found}
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
    return {} if band is None else _of_band(band)


def _of_gdal(path: Path) -> _Names:
    """Return what GDAL finds in a file of whatever format; it says so in a VRT, and nowhere else to rasterio."""
    from defusedxml.ElementTree import fromstring

    try:
        with raster.open(path) as source, MemoryFile(ext=".vrt") as virtual:
            rasterio.shutil.copy(source, virtual.name, driver="VRT")
            band = fromstring(virtual.read()).find("VRTRasterBand")
    except (RasterioError, LulcError, SyntaxError):
        return {}
    found = {} if band is None else _of_band(band)
    return {value: named for value, named in found.items() if value or named[0].casefold() != _NOTHING}


def _of_band(band: Element) -> _Names:
    names = [(e.text or "").strip() for e in band.iterfind("CategoryNames/Category")]
    return {float(i): (n, None) for i, n in enumerate(names) if n} or _of_table(band)


def _of_table(band: Element) -> _Names:
    table = band.find("GDALRasterAttributeTable")
    column = _columns(table.findall("FieldDefn")) if table is not None else {}
    if table is None or not {"value", "name"} <= set(column):
        return {}
    rows = [[(f.text or "").strip() for f in row.iterfind("F")] for row in table.iterfind("Row")]
    return _painted([{role: row[i] for role, i in column.items() if i < len(row)} for row in rows])


def _columns(fields: Sequence[Element]) -> dict[str, int]:
    """Return where in the rows of an attribute table what is looked for stands."""
    said = [tuple((f.findtext(what) or "").strip() for what in ("Usage", "Name", "Type")) for f in fields]
    found: dict[str, int] = {}
    for role, usages, names in _ROLES:
        chosen = [i for u in usages for i, (usage, _, _) in enumerate(said) if usage == u] or [
            i
            for n in names
            for i, (usage, name, kind) in enumerate(said)
            if usage == _GENERIC and name.casefold() == n and (role != "name" or kind == _WORDS)
        ]
        found |= {role: chosen[0]} if chosen else {}
    return found


def _painted(rows: Sequence[Mapping[str, Any]]) -> _Names:
    """Return names and colours of the rows that have a value and a name; shares of red, green and blue are one to 1."""
    found: dict[float, tuple[str, tuple[float, ...] | None]] = {}
    for row in rows:
        try:
            rgb = tuple(float(row[part]) for part in ("red", "green", "blue")) if "red" in row else None
            if row["name"]:
                found[float(row["value"])] = str(row["name"]), rgb
        except (KeyError, ValueError):
            continue
    parts = [part for _, rgb in found.values() for part in rgb or ()]
    whole = 255 if parts and 0 < max(parts) <= 1 else 1
    return {
        value: (name, "#" + bytes(min(255, max(0, round(part * whole))) for part in rgb).hex() if rgb else None)
        for value, (name, rgb) in found.items()
    }


def _of_vat(path: Path) -> _Names:
    import pyogrio

    beside = next((f for f in path.parent.glob("*.dbf") if f.name.lower() == f"{path.name.lower()}.vat.dbf"), None)
    if beside is None:
        return {}
    try:
        table = pyogrio.read_dataframe(beside, read_geometry=False)
        if vectors.is_utf8(table):
            table = pyogrio.read_dataframe(beside, read_geometry=False, encoding="UTF-8")
    except (pyogrio.errors.DataSourceError, UnicodeDecodeError):
        return {}
    called = {str(c).casefold(): c for c in table.columns}
    column = {role: called[name] for role, _, names in reversed(_ROLES) for name in reversed(names) if name in called}
    words = [c for c in table.columns if table[c].dtype == object or str(table[c].dtype) == "str"]
    if "value" not in column or not words:
        return {}
    column["name"] = column["name"] if column.get("name") in words else words[0]
    rows = table[list(column.values())].set_axis(list(column), axis=1)
    return _painted([{role: cell for role, cell in row.items() if cell == cell} for row in rows.to_dict("records")])


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
    """Return the colours of a raster's own table, less those that are not to be seen."""
    try:
        with raster.open(path) as source:
            return {value: "#" + bytes(rgba[:3]).hex() for value, rgba in source.colormap(1).items() if rgba[3]}
    except (RasterioError, LulcError, ValueError):  # it has none
        return {}


def _set(painted: Mapping[int, str]) -> dict[int, str]:
    """Return the colours that somebody chose: a table has one for each of 256 values, black where nobody did."""
    unset = sum(colour == _BLACK for colour in painted.values()) > 1
    return {value: colour for value, colour in painted.items() if not (unset and colour == _BLACK)}
