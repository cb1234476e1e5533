"""What QGIS and other GIS programs need to show a study by themselves: a project, and class names beside each map.

A project (``.qgz``) is a zip archive that holds one XML file. Its paths are relative, so that a study may be moved.
"""

from __future__ import annotations

import os
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as XML
from xml.etree.ElementTree import Element, SubElement

from odc.geo.geobox import GeoBox

from lulc_kit.classes import Scheme

VERSION = "3.22.16-Białowieża"
"""Of QGIS, whose elements these are; later ones read them."""

WHEN = (2020, 1, 1, 0, 0, 0)
"""Time that the archive's entry bears, so that the same project is the same file."""


@dataclass(frozen=True)
class RasterLayer:
    """One raster of a project.

    Attributes
    ----------
    name
        What it is called.
    path
        The file.
    classes
        Of a raster of codes: their names and colours.
    colours
        Of an image: three of its bands (numbers from 1) as red, green and blue, each with the numbers shown as black
        and white.
    span
        Of a raster of numbers: those shown as black and as white.
    shown
        Whether it is switched on when the project opens.
    """

    name: str
    path: Path
    classes: Scheme | None = None
    colours: Sequence[tuple[int, float, float]] = ()
    span: tuple[float, float] | None = None
    shown: bool = False


def project(groups: Mapping[str, Sequence[RasterLayer]], geobox: GeoBox, title: str, target: Path) -> bytes:
    """Return a project as the bytes of its archive.

    Parameters
    ----------
    groups
        Layers by the name of their group, from above to below.
    geobox
        The study's grid: CRS and extent of the view.
    title
        Title of the project.
    target
        Where the archive is to be: paths are relative to its folder.
    """
    import io

    text = b"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + XML.tostring(
        _project(groups, geobox, title, target.parent), encoding="utf-8"
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(f"{target.stem}.qgs", WHEN), text, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _project(groups: Mapping[str, Sequence[RasterLayer]], geobox: GeoBox, title: str, folder: Path) -> Element:
    root = Element("qgis", version=VERSION, projectname=title)
    SubElement(root, "title").text = title
    SubElement(root, "projectCrs").append(_crs(geobox))
    tree = SubElement(root, "layer-tree-group")
    canvas = SubElement(root, "mapcanvas", name="theMapCanvas")
    SubElement(canvas, "units").text = "meters"
    box, extent = geobox.boundingbox, SubElement(canvas, "extent")
    for key, value in (("xmin", box.left), ("ymin", box.bottom), ("xmax", box.right), ("ymax", box.top)):
        SubElement(extent, key).text = repr(value)
    SubElement(SubElement(canvas, "destinationsrs"), "spatialrefsys").extend(list(_crs(geobox)))
    layers, order = SubElement(root, "projectlayers"), SubElement(root, "layerorder")
    for group, members in groups.items():
        shown = any(member.shown for member in members)
        branch = SubElement(tree, "layer-tree-group", name=group, expanded="1", checked=_checked(shown))
        for member in members:
            source = Path(os.path.relpath(member.path, folder)).as_posix()
            source = source if source.startswith(".") else f"./{source}"
            # QGIS makes a new id of one that is short or has other signs, and then the tree finds no layer.
            key = f"layer_{uuid.uuid5(uuid.NAMESPACE_URL, source).hex}"
            attributes = {"id": key, "name": member.name, "source": source, "providerKey": "gdal"}
            SubElement(branch, "layer-tree-layer", attributes | {"checked": _checked(member.shown), "expanded": "0"})
            layers.append(_layer(member, key, source, geobox))
            SubElement(order, "layer", id=key)
    properties = SubElement(root, "properties")
    SubElement(SubElement(properties, "Paths"), "Absolute", type="bool").text = "false"
    SubElement(SubElement(properties, "SpatialRefSys"), "ProjectionsEnabled", type="int").text = "1"
    return root


def _checked(shown: bool) -> str:
    return "Qt::Checked" if shown else "Qt::Unchecked"


def _crs(geobox: GeoBox) -> Element:
    found = Element("spatialrefsys")
    assert geobox.crs is not None
    SubElement(found, "wkt").text = geobox.crs.to_wkt()
    if epsg := geobox.crs.to_epsg():
        SubElement(found, "srid").text = str(epsg)
        SubElement(found, "authid").text = f"EPSG:{epsg}"
    return found


def _layer(member: RasterLayer, key: str, source: str, geobox: GeoBox) -> Element:
    found = Element("maplayer", type="raster", autoRefreshEnabled="0")
    SubElement(found, "id").text = key
    SubElement(found, "datasource").text = source
    SubElement(found, "layername").text = member.name
    SubElement(found, "srs").append(_crs(geobox))
    SubElement(found, "provider").text = "gdal"
    SubElement(found, "pipe").append(_renderer(member))
    return found


def _renderer(member: RasterLayer) -> Element:
    shared = {"opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    if member.classes is not None:
        found = Element("rasterrenderer", shared | {"type": "paletted", "band": "1"})
        palette = SubElement(found, "colorPalette")
        for c in member.classes.classes:
            entry = {"value": str(c.value), "color": c.colour, "label": c.name, "alpha": "255"}
            SubElement(palette, "paletteEntry", entry)
    elif member.colours:
        bands = dict(zip(("redBand", "greenBand", "blueBand"), (str(b) for b, *_ in member.colours), strict=True))
        found = Element("rasterrenderer", shared | {"type": "multibandcolor"} | bands)
        for colour, (_, low, high) in zip(("red", "green", "blue"), member.colours, strict=True):
            _stretch(found, f"{colour}ContrastEnhancement", low, high)
    else:
        grey = {"type": "singlebandgray", "grayBand": "1", "gradient": "BlackToWhite"}
        found = Element("rasterrenderer", shared | grey)
        if member.span is not None:
            _stretch(found, "contrastEnhancement", *member.span)
    return found


def _stretch(parent: Element, name: str, low: float, high: float) -> None:
    found = SubElement(parent, name)
    for key, value in (("minValue", low), ("maxValue", high), ("algorithm", "StretchToMinimumMaximum")):
        SubElement(found, key).text = str(value)


def attributes(classes: Scheme) -> str:
    """Return the names and colours of a class map's values as GDAL keeps them beside a file (``.aux.xml``).

    QGIS shows the table as the raster's attributes, `gdalinfo` prints it, ArcGIS names the classes by it.
    """
    root = Element("PAMDataset")
    band = SubElement(root, "PAMRasterBand", band="1")
    names = {c.value: c.name for c in classes.classes}
    categories = SubElement(band, "CategoryNames")
    for value in range(max(names) + 1):
        SubElement(categories, "Category").text = names.get(value, "")
    table = SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    # Type 0 is a whole number, 2 a text; usage 5 the value, 2 its name, 6 to 8 its colour.
    fields = (("Value", 0, 5), ("Class", 2, 2), ("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8))
    for index, (name, kind, usage) in enumerate(fields):
        field = SubElement(table, "FieldDefn", index=str(index))
        for key, text in (("Name", name), ("Type", str(kind)), ("Usage", str(usage))):
            SubElement(field, key).text = text
    for index, c in enumerate(classes.classes):
        row = SubElement(table, "Row", index=str(index))
        for number in (c.value, c.name, *c.rgb):
            SubElement(row, "F").text = str(number)
    XML.indent(root)
    return XML.tostring(root, encoding="unicode") + "\n"
