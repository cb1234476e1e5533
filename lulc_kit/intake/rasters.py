"""Rasters of a user's: what a file is understood to say, and a plain copy where it says it in an unusual way.

Inside the kit a raster is north up, its bands stand in one file that GDAL opens by its path, what is missing is a
number that the band declares, and no number is infinite. Most files are like that and stay where they are. Those that
are not (south up or mirrored, a variable for each band, a mask or an alpha band, infinite numbers) are copied once,
block by block, into the study's folder.
"""

import contextlib
import hashlib
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.windows import Window

from lulc_kit import files, grids
from lulc_kit.errors import FormatError, GridError, MissingFileError
from lulc_kit.intake.remote import refuse_remote
from lulc_kit.intake.tables import UNKNOWN
from lulc_kit.intake.vectors import DEGREES
from lulc_kit.raster.reading import HUGE, OFFLINE, report_damage

_SIDE = 1024  # of the blocks that are copied
_SAMPLED = 2000  # pixels along each side that are looked at for such a number
_CELLS = 1000  # rows or columns of the sample that lowest and highest numbers are taken from
_ADDRESS = re.compile(r"(?!file:)\w{2,}://|/vsi(?!zip)", re.IGNORECASE)
_UNEDITABLE = ("Zarr", "netCDF", "HDF5", "GRIB")
"""Drivers of files whose CRS gdal_edit cannot set."""
_REMEDIES = {
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"), "Unpack it"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "Save the table as CSV"),
    **dict.fromkeys((".dbf", ".shx", ".prj", ".cpg"), "Of a shapefile's files name the .shp"),
    **dict.fromkeys((".dxf", ".dwg", ".qgz", ".qgs", ".mxd", ".lyrx"), "Save what it shows as GeoPackage or GeoTIFF"),
    **dict.fromkeys(
        (".gpkg", ".shp", ".geojson", ".kml", ".kmz", ".fgb", ".gdb"),
        "It holds shapes: make pixels of them (gdal_rasterize, or Rasterize in QGIS), and name that file",
    ),
    ".hdr": "It describes data in a file beside it: name that one (.dat, .img, .bil …)",
    ".sgrd": "It describes data in a file beside it: name the .sdat",
    **dict.fromkeys((".tfw", ".jgw", ".pgw", ".wld", ".xml"), "It only says something of a raster: name the raster"),
}
"""What to do about a file that is no raster, by its ending."""


@dataclass(frozen=True)
class RasterBand:
    """One band as the file declares it.

    Attributes
    ----------
    name
        Its description, or ``band_1`` … where it has none.
    dtype
        Type of its numbers.
    scale, offset
        ``value = number * scale + offset``.
    nodata
        The number that means nodata, None if the file does not say.
    masked
        Whether a mask or an alpha band of the file says where data are missing.
    unit
        Of its values, as the file writes it: ``"m"``, ``"ft"``; empty where it does not say.
    moment
        When it was taken, as netCDF writes it: ``"17167 days since 1970-01-01"``; empty where it does not say.
    """

    name: str
    dtype: str
    scale: float
    offset: float
    nodata: float | None
    masked: bool
    unit: str = ""
    moment: str = ""


@dataclass(frozen=True)
class Raster:
    """What a raster file was understood to say.

    Attributes
    ----------
    source
        GDAL's names of its parts: the file, or one for each variable.
    stored
        The grid as stored.
    bands
        Its bands, in order.
    number
        For each band its part and its number in it, from 1.
    marked
        Whether GDAL would take one of them for transparency.
    """

    source: tuple[str, ...]
    stored: GeoBox
    bands: tuple[RasterBand, ...]
    number: tuple[tuple[int, int], ...]
    marked: bool = False

    def __repr__(self) -> str:
        bands = ", ".join(f"{band.name} {band.dtype}" for band in self.bands)
        return f"<Raster: {grids.describe(self.stored)}; {bands}>"

    @property
    def geobox(self) -> GeoBox:
        """The grid, north up where the stored one is merely turned over."""
        a, (height, width) = self.stored.affine, self.stored.shape
        if a.b or a.d:
            return self.stored
        left, top = (a.c + min(a.a, 0) * width), (a.f + max(a.e, 0) * height)
        return GeoBox((height, width), Affine(abs(a.a), 0, left, 0, -abs(a.e), top), self.stored.crs)

    @property
    def turned(self) -> tuple[int, int]:
        """Steps (1 or −1) through the stored rows and columns that give rows from north and columns from west."""
        a = self.stored.affine
        if a.b or a.d:  # rotated: its grid is taken as it is
            return 1, 1
        return (-1 if a.e > 0 else 1), (-1 if a.a < 0 else 1)

    @property
    def plain(self) -> bool:
        """Whether the kit can read the file as it is."""
        whole = len(self.source) == 1 and files.variable(self.source[0]) is None
        return whole and self.turned == (1, 1) and not self.marked and not any(b.masked for b in self.bands)


def describe(name: str | Path, parameters: str = "01_download.yaml") -> Raster:
    """Open a raster of a user's and say what it is, without reading its numbers.

    Parameters
    ----------
    name
        Path of any raster GDAL reads, or GDAL's name of a variable in it.
    parameters
        File of the parameters, for messages.

    Raises
    ------
    LulcError
        If it is missing, no raster, without a usable CRS, points to the network, or its variables do not fit together.

    Examples
    --------
    >>> found = describe("image.tif")
    >>> found
    <Raster: EPSG:32633, 2×1 px of 10 m, upper left 0.00 10.00; B4 int16, B8 int16>
    >>> [(band.name, band.scale, band.nodata) for band in found.bands]
    [('B4', 0.0001, -32768.0), ('B8', 0.0001, -32768.0)]
    """
    with _opened(name, parameters) as (raster, _):
        return raster


def look(
    name: str | Path, parameters: str = "01_download.yaml", nodata: float | None = None, *, numbers: bool = True
) -> tuple[Raster, list[dict[str, Any]]]:
    """Open a raster of a user's, say what it is, and what was understood, a row for each band, in values of JSON.

    Lowest and highest number, and the share that is missing, are those of at most 1000 × 1000 pixels in the middle.

    Parameters
    ----------
    name, parameters
        As for `describe`, whose errors are raised.
    nodata
        The number that the parameters say means nodata; None for what the file says.
    numbers
        Whether to look at the numbers, too.
    """
    with _opened(name, parameters) as (raster, sources):
        return raster, _rows(raster, name, nodata, sources if numbers else None)


@contextlib.contextmanager
def _opened(name: str | Path, parameters: str) -> Iterator[tuple[Raster, list[rasterio.DatasetReader]]]:
    """Give what a raster is and its parts, open."""
    whole = _checked(str(name), parameters)
    boxes: list[GeoBox] = []
    bands: list[RasterBand] = []
    numbers: list[tuple[int, int]] = []
    marked = False
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(_open(whole, name))
        parts = (whole,) if file.count else tuple(file.subdatasets)
        if not parts:
            raise FormatError(f"{name} holds no bands. Expected a raster with bands, or a variable for each band.")
        if parts != (whole,):
            parts = tuple(part for part in parts if not _is_coordinate(part)) or parts
        sources = [file if part == whole else stack.enter_context(_open(part, name)) for part in parts]
        for k, (part, source) in enumerate(zip(parts, sources, strict=True)):
            boxes.append(_grid(source, name))
            data = [b for b in source.indexes if b != _alpha(source)]
            for b in data:
                variable = part.rsplit(":", 1)[-1].lstrip("/") if len(parts) > 1 and len(data) == 1 else None
                bands.append(_band(source, b, variable))
                numbers.append((k, b))
                marked |= source.colorinterp[b - 1] == ColorInterp.alpha
        odd = [part for part, box in zip(parts, boxes, strict=True) if not grids.same(box, boxes[0])]
        if odd:
            raise GridError(
                f"{name} holds variables on different grids ({parts[0]} and {odd[0]}). Name each band's variable by "
                f"itself in {parameters} (bands: {{B2: '{parts[0]}', …}}), or save them to GeoTIFFs."
            )
        yield Raster(parts, boxes[0], tuple(bands), tuple(numbers), marked), sources


def _checked(name: str, parameters: str) -> str:
    """Return the name by which GDAL opens what a parameter names, after a look at the file on the disk."""
    match = files.variable(name)
    inside = files.split_archive(Path(name))
    path = files.resolve(inside[0]) if inside else files.locate(name)
    if not _there(path):
        if _ADDRESS.match(name):
            raise MissingFileError(
                f"{name} is an address. Files of yours are on this computer: fetch it first, and name the file in "
                f"{parameters}; or let 01 search a service (source: stac)."
            )
        raise MissingFileError(
            f"{name[:500] or 'A file without a name'} does not exist. Check the path in {parameters}; it starts at the "
            f"project's folder."
        )
    if not (path.is_file() or path.is_dir()):
        raise FormatError(f"{name} is neither a file nor a folder. Check the path in {parameters}.")
    refuse_remote(path)
    if inside:
        return files.join_archive(path, inside[1])
    return name.replace(match["path"], str(path), 1) if match else str(path)


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no file can have a name so long
        return False


def _open(gdal_name: str, name: str | Path) -> rasterio.DatasetReader:
    try:
        with rasterio.Env(GDAL_NUM_THREADS="1", **OFFLINE):  # see `report_damage`
            return rasterio.open(gdal_name)
    except RasterioIOError as error:
        remedy = _REMEDIES.get(Path(str(name)).suffix.lower(), "It may be truncated: copy or download it again")
        remedy = "It is a folder: name a file in it" if Path(gdal_name).is_dir() else remedy
        raise FormatError(f"{name} is not a raster that GDAL can read ({error}). {remedy}.") from error


def _is_coordinate(gdal_name: str) -> bool:
    """Whether a variable is no image: a coordinate, a line of numbers; or a scalar, in which Zarr keeps the CRS."""
    try:
        with warnings.catch_warnings(), rasterio.Env(**OFFLINE):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(gdal_name) as source:
                return source.crs is None and 1 in source.shape
    except RasterioIOError as error:
        return "number of dimensions" in str(error)


def _grid(source: rasterio.DatasetReader, name: str | Path) -> GeoBox:
    if source.transform.is_identity and (source.gcps[0] or source.rpcs):
        raise GridError(
            f"{name} has no grid: it is placed by {'control points' if source.gcps[0] else 'a camera model (RPC)'}. "
            f"Bring it to a grid first (gdalwarp -t_srs EPSG:… FILE OUT.tif, or the georeferencer of QGIS)."
        )
    if source.crs is not None and source.transform.is_identity and source.driver in _UNEDITABLE:
        raise GridError(
            f"{name} names a CRS, but GDAL finds in it no coordinates of rows and columns. Write them with their "
            f"standard names (those of the CF conventions), or save it as a GeoTIFF: gdal_translate -a_ullr LEFT TOP "
            f"RIGHT BOTTOM FILE OUT.tif."
        )
    if source.crs is not None and source.transform.is_identity:
        raise GridError(
            f"{name} names a CRS, but not where in it its corner lies and how large its pixels are. Set both "
            f"(gdal_edit.py -a_ullr LEFT TOP RIGHT BOTTOM FILE), or put the world file beside it that came with it."
        )
    if source.crs is None and source.driver in _UNEDITABLE:
        raise GridError(
            f"{name} has no CRS that GDAL understands. Save it as a GeoTIFF that has one: gdal_translate -a_srs EPSG:… "
            f"FILE OUT.tif."
        )
    if source.crs is None:
        raise GridError(f"{name} has no CRS. Set it (gdal_edit.py -a_srs EPSG:… FILE, or in QGIS) and try again.")
    if not (source.crs.is_projected or source.crs.is_geographic):
        raise GridError(
            f"{name} has a CRS that is tied to no place on the earth ({source.crs.to_wkt()[:60]} …). Find out the real "
            f"one, set it (gdal_edit.py -a_srs EPSG:… FILE, or in QGIS) and try again."
        )
    if source.crs.is_geographic and max(map(abs, source.bounds)) > DEGREES:
        raise GridError(
            f"{name} says that its coordinates are degrees ({source.crs.to_string()[:60]}), but they reach from "
            f"{source.bounds.left:.0f}, {source.bounds.bottom:.0f} to {source.bounds.right:.0f}, "
            f"{source.bounds.top:.0f}. Find out the real CRS, and set it (gdal_edit.py -a_srs EPSG:… FILE, or in QGIS)."
        )
    return GeoBox(source.shape, source.transform, source.crs)


def _alpha(source: rasterio.DatasetReader) -> int | None:
    """Return the number of the band that says where data are missing, if there is one.

    GDAL marks the last of four bands of 8 bits as transparency unless told otherwise; one with a name of its own is
    none.
    """
    marked = (b for b in source.indexes if source.colorinterp[b - 1] == ColorInterp.alpha)
    return next((b for b in marked if (source.descriptions[b - 1] or "alpha").lower() in ("alpha", "mask")), None)


def _band(source: rasterio.DatasetReader, b: int, variable: str | None) -> RasterBand:
    nodata = source.nodatavals[b - 1]
    dtype = source.dtypes[b - 1]
    if "complex" in dtype:
        raise FormatError(f"{source.name}: band {b} holds complex numbers. Save its amplitude or real part instead.")
    scale, offset = source.scales[b - 1], source.offsets[b - 1]
    if not (np.isfinite([scale, offset]).all() and scale):
        raise FormatError(
            f"{source.name}: band {b} says that its numbers mean number × {scale:g} + {offset:g}, which are no values. "
            f"Set them right: gdal_edit.py -scale 1 -offset 0 FILE."
        )
    return RasterBand(
        variable or source.descriptions[b - 1] or f"band_{b}",
        dtype,
        scale,
        offset,
        None if nodata is None else float(nodata),
        _alpha(source) is not None
        or (MaskFlags.per_dataset in (flags := source.mask_flag_enums[b - 1]) and MaskFlags.alpha not in flags),
        source.units[b - 1] or "",
        _moment(source, b),
    )


def _moment(source: rasterio.DatasetReader, b: int) -> str:
    units = {name.removesuffix("#units"): unit for name, unit in source.tags().items() if name.endswith("#units")}
    places = {name.removeprefix("NETCDF_DIM_"): at for name, at in source.tags(b).items()}
    return next((f"{places[axis]} {unit}" for axis, unit in units.items() if axis in places and " since " in unit), "")


def read(raster: Raster, band: int, rows: slice, columns: slice) -> npt.NDArray[Any]:
    """Read a part of a band, rows from north and columns from west, as the numbers that stand in the file.

    Parameters
    ----------
    raster
        From `describe`.
    band
        Counted from 1 through all parts.
    rows, columns
        Of `Raster.geobox`.

    Returns
    -------
    numpy.ndarray or numpy.ma.MaskedArray
        (row, column); masked where a mask or alpha band says that data are missing.
    """
    part, _ = raster.number[band - 1]
    with report_damage(raster.source[part]), rasterio.open(raster.source[part]) as source:
        return _read(source, raster, band, rows, columns)


def _read(source: rasterio.DatasetReader, raster: Raster, band: int, rows: slice, columns: slice) -> npt.NDArray[Any]:
    (height, width), (down, right) = raster.stored.shape, raster.turned
    window = Window.from_slices(_stored(rows, height, down), _stored(columns, width, right))
    _, number = raster.number[band - 1]
    data = source.read(number, window=window)
    if raster.bands[band - 1].masked:
        # GDAL itself looks for an alpha band only where there are two or four bands.
        alpha = _alpha(source)
        shown = source.read(alpha, window=window) if alpha else source.read_masks(number, window=window)
        data = np.ma.masked_array(data, shown == 0)
    return data[::down, ::right]


def _stored(wanted: slice, size: int, step: int) -> slice:
    start, stop, _ = wanted.indices(size)
    return slice(start, stop) if step > 0 else slice(size - stop, size - start)


def missing_number(band: RasterBand, given: float | None) -> float | None:
    """Return the number that means nodata in a plain copy of a band: the file's, or one that its type can hold."""
    kind = np.dtype(band.dtype)
    there = [number for number in (given, band.nodata) if number is not None]
    if kind.kind in "iu":  # no pixel has a number beyond its type's
        there = [number for number in there if np.iinfo(kind).min <= number <= np.iinfo(kind).max]
    own = there[0] if there else None
    if own is not None or not band.masked:
        return own
    if kind.kind == "f":
        return float("nan")
    # Of 64 bits one that a float holds, as which it is written into the file.
    return float(max(np.iinfo(kind).min, -(2**53)) if kind.kind == "i" else min(np.iinfo(kind).max, 2**53))


def copy(raster: Raster, target: Path, nodata: float | None = None) -> Path:
    """Write a plain copy: north up, one file, what a mask hides written as nodata.

    Parameters
    ----------
    raster
        From `describe`.
    target
        The GeoTIFF to write.
    nodata
        What the user said means nodata; None for what the file says.

    Raises
    ------
    LulcError
        If numbers are of 64 bits, and none of them is left to mean nodata.
    """
    height, width = raster.stored.shape
    dtype = np.result_type(*(b.dtype for b in raster.bands))
    fills = list({repr(n): n for n in (missing_number(b, nodata) for b in raster.bands)}.values())
    fill = fills[0]
    windows = list(_windows(raster))
    taken = (_taken(raster, b, fill, windows) for b in range(1, len(raster.bands) + 1))
    if len(fills) > 1 or (fill != nodata and any(taken)):
        dtype, fill = _wider(dtype, raster.source[0])
    profile: dict[str, Any] = {"driver": "GTiff", "dtype": str(dtype), "count": len(raster.bands), "tiled": True}
    profile |= {"height": height, "width": width, "blockxsize": 512, "blockysize": 512, "compress": "ZSTD"}
    profile |= {"crs": str(raster.stored.crs), "transform": raster.geobox.affine, "BIGTIFF": "IF_SAFER"}
    profile |= {"photometric": "MINISBLACK", "alpha": "NO"}
    with files.replacing(target) as part, rasterio.open(part, "w", nodata=fill, **profile) as out:
        for b, band in enumerate(raster.bands, 1):
            out.set_band_description(b, band.name)
            for rows, columns in windows:
                block = _filled(read(raster, b, rows, columns), band, fill, nodata, dtype)
                out.write(block, b, window=Window.from_slices(rows, columns))
        out.scales, out.offsets = [b.scale for b in raster.bands], [b.offset for b in raster.bands]
    return target


def _windows(raster: Raster) -> Iterator[tuple[slice, slice]]:
    height, width = raster.stored.shape
    for top in range(0, height, _SIDE):
        for left in range(0, width, _SIDE):
            yield slice(top, min(top + _SIDE, height)), slice(left, min(left + _SIDE, width))


def _taken(raster: Raster, band: int, fill: float | None, windows: Sequence[tuple[slice, slice]]) -> bool:
    """Whether a pixel that a mask shows has the very number that is to mean nodata."""
    said = raster.bands[band - 1]
    if not said.masked or fill is None or np.isnan(fill) or fill == said.nodata:
        return False
    blocks = (read(raster, band, rows, columns) for rows, columns in windows)
    return any((np.ma.getdata(block)[~np.ma.getmaskarray(block)] == fill).any() for block in blocks)


def _wider(dtype: np.dtype[Any], name: str) -> tuple[np.dtype[Any], float]:
    """Return a type that holds all numbers of another, and one more, for nodata."""
    if dtype.kind == "f":
        return dtype, float("nan")
    if dtype.itemsize > 4:
        raise FormatError(
            f"{name}: pixels are missing by a mask, or by other numbers in each band, and no number of {dtype} is left "
            f"that could mean nodata in all. Save it as 32 bits (gdal_translate -ot Int32 FILE OUT.tif)."
        )
    wide = np.dtype({1: "int16", 2: "int32", 4: "float64"}[dtype.itemsize])
    return wide, float("nan") if wide.kind == "f" else float(np.iinfo(wide).min)


def _filled(
    block: npt.NDArray[Any], band: RasterBand, fill: float | None, nodata: float | None, dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    data = np.ma.getdata(block)
    gone = np.ma.getmaskarray(block)
    for number in {band.nodata, nodata} - {None}:
        gone = gone | (data == number)
    found = data.astype(dtype)
    if fill is not None:
        found[gone] = fill
    return found


def find_undeclared(path: str | Path, number: int, dtype: str) -> int | None:
    """Return the number that means nodata in a band which declares none, if pixels have one that many programs write.

    Parameters
    ----------
    path
        A file that the kit can read as it is.
    number, dtype
        Of the band, from 1, and its type. Up to 2000 × 2000 of its pixels, evenly spread, are looked at.
    """
    if np.dtype(dtype).kind not in "if" or dtype == "int8":  # which hold none of them
        return None
    with report_damage(path), rasterio.open(path) as source:
        shape = (min(source.height, _SAMPLED), min(source.width, _SAMPLED))
        there = source.read(number, out_shape=shape)  # the nearest pixels; of a small file all
    return next((customary for customary in UNKNOWN if (there == customary).any()), None)


def _overruled(raster: Raster, nodata: float | None) -> list[float]:
    """Return the numbers for nodata that a file declares, has, and the parameter's number would take the place of."""
    if nodata is None:
        return []
    found = {
        band.nodata
        for k, band in enumerate(raster.bands, 1)
        if band.nodata not in (None, nodata)
        and any(
            (np.ma.getdata(read(raster, k, rows, columns)) == band.nodata).any() for rows, columns in _windows(raster)
        )
    }
    return sorted(number for number in found if number is not None)


def plain(raster: Raster, name: str | Path, folder: Path, nodata: float | None = None) -> Path:
    """Return a file that the kit can read as it is: the user's own, or a plain copy of it in a folder of the study.

    Where a file declares a number for nodata, pixels have it, and the parameter (``nodata``) names another, both mean
    nodata in the copy, and a warning says so.
    """
    overruled = _overruled(raster, nodata)
    if overruled:
        warnings.warn(
            f"{name} says that {', '.join(f'{n:g}' for n in overruled)} means nodata, and the parameter nodata says "
            f"{nodata:g}: both are taken for missing. If what the file says is wrong, take it out: gdal_edit.py "
            f"-unsetnodata FILE.",
            stacklevel=2,
        )
    if raster.plain and not overruled:
        inside = files.split_archive(Path(str(name)))
        return Path(raster.source[0]) if inside else files.locate(str(name))
    stem = re.sub(r"[^\w\-]+", "_", Path(str(name)).stem)
    # Files of one name in several folders, and variables of one file, have copies of their own.
    own = hashlib.sha256("\n".join(raster.source).encode()).hexdigest()[:8]
    return copy(raster, folder / f"{stem}_{own}_plain.tif", nodata)


def _rows(
    raster: Raster, name: str | Path, nodata: float | None, sources: Sequence[rasterio.DatasetReader] | None
) -> list[dict[str, Any]]:
    """Return the rows of `look`, with what the open parts' numbers are."""
    geobox, (height, width) = raster.geobox, raster.stored.shape
    epsg = geobox.crs.to_epsg() if geobox.crs else None
    unit = geobox.crs.units[0] if geobox.crs else "–"
    down = slice(max(0, (height - _CELLS) // 2), min(height, (height + _CELLS) // 2))
    across = slice(max(0, (width - _CELLS) // 2), min(width, (width + _CELLS) // 2))
    found = []
    for b, band in enumerate(raster.bands, 1):
        own = band.nodata if nodata is None else nodata
        source = (
            "mask in the file"
            if band.masked
            else ("–" if own is None else "the parameter" if nodata is not None else "the file")
        )
        found.append(
            {
                "file": Path(str(name)).name,
                "band": band.name,
                "CRS": f"EPSG:{epsg}" if epsg else "no EPSG code",
                "pixel": f"{abs(geobox.resolution.x):g} {unit}",
                "stored": "north up" if raster.turned == (1, 1) else "turned over",
                "type": band.dtype,
                "values": _meaning(band),
                "nodata": "nan" if own is not None and np.isnan(own) else own,
                "nodata from": "–" if own is None and not band.masked else source,
            }
            | (_range(raster, b, (down, across), own, sources) if sources else {})
        )
    return found


def _meaning(band: RasterBand) -> str:
    """Return what a band's numbers mean by what the file says, in words."""
    factor = f"number × {band.scale:g}" if band.scale != 1 else "number"
    shift = f" {'−' if band.offset < 0 else '+'} {abs(band.offset):g}" if band.offset else ""
    return f"{factor}{shift}{f', {band.unit}' if band.unit else ''}"


def _range(
    raster: Raster,
    band: int,
    window: tuple[slice, slice],
    nodata: float | None,
    sources: Sequence[rasterio.DatasetReader],
) -> dict[str, Any]:
    part, _ = raster.number[band - 1]
    with report_damage(raster.source[part]):
        block = _read(sources[part], raster, band, *window)
    data = np.ma.getdata(block)
    gone = np.ma.getmaskarray(block) | ((data == nodata) if nodata is not None else False)
    gone = gone | ~(np.abs(data) < HUGE) if data.dtype.kind == "f" else gone
    there = data[~gone]
    return {
        "missing, %": round(100 * float(gone.mean()), 2),
        "lowest": there.min().item() if there.size else None,
        "highest": there.max().item() if there.size else None,
    }
