"""Reading what others computed: any raster, or the tiles of an Earth Engine export, as named bands on the grid."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox

from lulc_kit import files, grids, raster
from lulc_kit.errors import BandError, FormatError, GridError, ParameterError
from lulc_kit.intake import rasters
from lulc_kit.late import da, xr
from lulc_kit.raster import warping
from lulc_kit.samples import is_reserved

TILE = re.compile(r"(?P<name>.+?)-?(?P<row>\d{10})-(?P<column>\d{10})\.tiff?$", re.IGNORECASE)
GDAL_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "float32": "Float32",
    "float64": "Float64",
}


def join(tiles: Sequence[Path], target: Path) -> Path:
    """Join the tiles of an Earth Engine export into one raster, without copying: as a GDAL virtual raster.

    Earth Engine cuts a large export into ``NAME-0000000000-0000000000.tif``, ``NAME-0000000000-0000008192.tif``, …:
    the numbers are the first row and column of each.

    Parameters
    ----------
    tiles
        All tiles of one export.
    target
        The ``.vrt`` file to write. It refers to the tiles by their absolute paths.

    Raises
    ------
    LulcError
        If a tile's name is none of an export's, tiles differ in CRS, pixel size, bands or type, do not lie where
        their names say, or a tile is missing (Earth Engine leaves out empty ones only if asked to) and no number
        means nodata.
    """
    places = {tile: read_place(tile) for tile in tiles}
    if len({name for name, _, _ in places.values()}) > 1:
        names = ", ".join(sorted({name for name, _, _ in places.values()}))
        raise ParameterError(
            f"The tiles are of several exports: {names}. Name one export for each entry of 'external'."
        )
    order = sorted(tiles, key=lambda tile: places[tile][1:])
    placed = {tile: raster.grid(tile) for tile in order}
    first = order[0]
    kind = _kind(first)
    origin = placed[first].affine * (-places[first][2], -places[first][1])
    for tile in order:
        _check_tile(tile, first, kind, placed, origin, places[tile][1:])
    rows = max(places[t][1] + placed[t].height for t in order)
    columns = max(places[t][2] + placed[t].width for t in order)
    covered = sum(g.height * g.width for g in placed.values())
    dtype, nodata, bands, meaning = kind
    if covered < rows * columns and nodata is None:
        if not dtype.startswith("float"):
            raise FormatError(
                f"{places[first][0]}: {len(order)} tile(s) cover only {covered / (rows * columns):.0%} of "
                f"{rows}×{columns} pixels, and no number means nodata. Fetch the missing tiles."
            )
        nodata = float("nan")
    geobox = placed[first]
    a = geobox.affine
    root = ElementTree.Element("VRTDataset", rasterXSize=str(columns), rasterYSize=str(rows))
    ElementTree.SubElement(root, "SRS").text = geobox.crs.to_wkt() if geobox.crs else ""
    ElementTree.SubElement(root, "GeoTransform").text = f"{origin[0]!r}, {a.a!r}, 0.0, {origin[1]!r}, 0.0, {a.e!r}"
    for number, (name, (scale, offset)) in enumerate(zip(bands, meaning, strict=True), 1):
        band = ElementTree.SubElement(root, "VRTRasterBand", dataType=GDAL_TYPES[dtype], band=str(number))
        ElementTree.SubElement(band, "Description").text = name
        if (scale, offset) != (1, 0):
            ElementTree.SubElement(band, "Scale").text = repr(scale)
            ElementTree.SubElement(band, "Offset").text = repr(offset)
        if nodata is not None:
            ElementTree.SubElement(band, "NoDataValue").text = str(nodata)
        for tile in order:
            width, height = str(placed[tile].width), str(placed[tile].height)
            source = ElementTree.SubElement(band, "SimpleSource")
            ElementTree.SubElement(source, "SourceFilename", relativeToVRT="0").text = str(tile.absolute())
            ElementTree.SubElement(source, "SourceBand").text = str(number)
            ElementTree.SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=width, ySize=height)
            place = {"xOff": str(places[tile][2]), "yOff": str(places[tile][1])}
            ElementTree.SubElement(source, "DstRect", place, xSize=width, ySize=height)
    files.write_text(target, ElementTree.tostring(root, encoding="unicode") + "\n")
    return target


def read_place(tile: Path) -> tuple[str, int, int]:
    """Return the name of the export that a tile belongs to, and its first row and column there, from its name."""
    match = TILE.match(tile.name)
    if match is None:
        raise FormatError(
            f"{tile} is not a tile of an Earth Engine export (NAME-0000000000-0000000000.tif). "
            f"Give other rasters one entry of 'external' each."
        )
    return match["name"], int(match["row"]), int(match["column"])


def _kind(tile: Path) -> tuple[str, float | None, list[str], list[tuple[float, float]]]:
    if any(band.masked for band in rasters.describe(tile).bands):
        raise FormatError(
            f"{tile} hides pixels by a mask, as no tile of an export does. Bring the tiles together yourself "
            f"(gdalwarp TILES OUT.tif) and name that file."
        )
    with rasterio.open(tile) as source:
        dtype = Counter(source.dtypes).most_common()
        meaning = list(zip(source.scales, source.offsets, strict=True))
    if len(dtype) > 1 or dtype[0][0] not in GDAL_TYPES:
        raise FormatError(f"{tile}: expected bands of one real type, found {', '.join(name for name, _ in dtype)}.")
    return dtype[0][0], raster.nodata(tile), raster.band_names(tile), meaning


def _check_tile(
    tile: Path,
    first: Path,
    kind: Any,
    placed: dict[Path, GeoBox],
    origin: tuple[float, float],
    place: tuple[int, int],
) -> None:
    if str(_kind(tile)) != str(kind):  # as text: NaN is not equal to NaN
        raise FormatError(
            f"{tile.name} and {first.name} differ in type, nodata, bands or scale: {_kind(tile)} and {kind}."
        )
    own, other = placed[tile], placed[first]
    if own.crs != other.crs or not np.allclose(own.affine[:6:4], other.affine[:6:4], rtol=1e-9):
        raise GridError(
            f"{tile.name} and {first.name} differ in CRS or pixel size:\n  {grids.describe(own)}\n"
            f"  {grids.describe(other)}"
        )
    found = ~own.affine * origin
    if abs(found[0] + place[1]) > 0.01 or abs(found[1] + place[0]) > 0.01:
        raise GridError(
            f"{tile.name}: its name says that it begins at row {place[0]}, column {place[1]} of the export, but its "
            f"corner lies at row {-found[1]:.1f}, column {-found[0]:.1f}. Fetch the tiles of one export anew."
        )


def read(
    path: Path,
    geobox: GeoBox,
    *,
    bands: Sequence[str] | None = None,
    prefix: str = "",
    align: str | None = None,
    nodata: float | None = None,
    chunk: int | None = None,
) -> xr.DataArray:
    """Read bands of a raster on the study's grid, lazily.

    Parameters
    ----------
    path
        Any raster GDAL reads; scale and offset that it declares are applied.
    geobox
        The study's grid. Where the raster does not reach there is no data.
    bands
        Names of the bands wanted (``band_1``, … where the file has no names); None for all.
    prefix
        What the names get in front in the result.
    align
        How to resample a raster whose pixels are not the grid's: ``"bilinear"`` or ``"cubic"`` for measurements,
        ``"nearest"`` for classes, ``"average"`` for finer ones. None refuses it.
    nodata
        The number that means nodata, for a file that does not say.
    chunk
        Rows and columns of a block, pixels.

    Returns
    -------
    xarray.DataArray
        float32, NaN for nodata.

    Raises
    ------
    LulcError
        If the file cannot be read, has no such band, lies outside the grid, or is off the grid and ``align`` is
        None.
    """
    found = raster.header(path)
    own, names = found.geobox, found.names
    wanted = names if bands is None else list(bands)
    if taken := [prefix + b for b in wanted if is_reserved(prefix + b)]:
        raise BandError(
            f"{path}: the kit's table of samples has columns called {', '.join(taken)} already. Give the entry of "
            f"'external' in 04_features.yaml a prefix, for example prefix: other_"
        )
    if twice := sorted({b for b in wanted if names.count(b) > 1}):
        raise BandError(f"{path} calls several of its bands {', '.join(twice)}. Give each a name of its own, in QGIS.")
    if absent := [b for b in wanted if b not in names]:
        raise BandError(f"{path} has no band {', '.join(absent)}. It has: {', '.join(names)}.")
    fits = grids.on_lattice(own, geobox)
    if not fits and align is None:
        raise GridError(
            f"{path} is not on the study's grid.\n  found:    {grids.describe(own)}\n"
            f"  expected: {grids.describe(geobox)}\nSay how to resample it: align: bilinear (or cubic) for "
            f"measurements, nearest for classes, average for a finer raster."
        )
    resampling = "nearest" if fits or align is None else align
    with rasterio.open(path) as source:
        scales, offsets = source.scales, source.offsets
    layers = []
    for name in wanted:
        number = names.index(name) + 1
        missing = _undeclared(path, found, number) if nodata is None else nodata
        layer = warping.warp(path, geobox, band=number, resampling=resampling, nodata=missing, chunk=chunk)
        scale, offset = scales[number - 1], offsets[number - 1]
        if (scale, offset) != (1, 0):
            layer = layer * np.float32(scale) + np.float32(offset)
        layers.append(da.where(abs(layer) > raster.HUGE, np.float32(np.nan), layer))
    return raster.array(da.stack(layers), geobox, [prefix + name for name in wanted])


def _undeclared(path: Path, found: raster.Header, number: int) -> int | None:
    """Return what means nodata in a band that does not say so, with a warning; None where nothing looks like it."""
    if found.nodata[number - 1] is not None:
        return None
    customary = rasters.find_undeclared(path, number, found.dtypes[number - 1])
    if customary is not None:
        warnings.warn(
            f"{path} has pixels of {customary} in {found.names[number - 1]} and does not say what means nodata: they "
            f"are taken for missing. If they are values, give the entry of 'external' in 04_features.yaml a nodata "
            f"that no pixel has.",
            stacklevel=3,
        )
    return customary
