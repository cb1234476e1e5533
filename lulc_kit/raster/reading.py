"""Rasters with named bands, opened lazily, all on one grid. `writing` writes them, `warping` brings others to the grid.

A raster is an `xarray.DataArray` with dimensions (band, y, x), the band names as coordinate ``band``, and its grid
as ``array.odc.geobox`` (an `odc.geo.geobox.GeoBox`). In memory a number that is missing is NaN.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_OpenFailedError
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.windows import Window

from lulc_kit.errors import BandError, FormatError, GridError, MissingFileError
from lulc_kit.files import gdal_name, on_disk, split_archive
from lulc_kit.late import da, xr

CHUNK = 512
"""Rows and columns of a block, pixels."""

JPEG2000_TILE = 1024
"""Rows and columns of a block of JPEG 2000: those in which products store their 10 m bands, each decoded whole."""


OFFLINE = dict.fromkeys(("GDAL_HTTP_PROXY", "GDAL_HTTPS_PROXY"), "127.0.0.1:9") | {"GDAL_HTTP_MAX_RETRY": "0"}
"""Options of GDAL with which it reaches no server: all that it asks for goes to a port on which nobody listens."""

HUGE = 1e30
"""No measurement is greater; where data are missing programs write the greatest number of 32 bits, or infinity."""


def array(data: Any, geobox: GeoBox, bands: Sequence[str]) -> xr.DataArray:
    """Wrap numbers as a raster.

    Parameters
    ----------
    data
        NumPy or dask array of shape (band, row, column).
    geobox
        The grid, of shape (row, column).
    bands
        One name for each band, no name twice.

    Raises
    ------
    LulcError
        If shape, grid and names do not fit together.

    Examples
    --------
    >>> grid = GeoBox.from_bbox((0, 0, 20, 10), "EPSG:32633", resolution=10)
    >>> image = array(np.array([[[0.04, 0.25]], [[0.36, 0.25]]]), grid, ["B4", "B8"])
    >>> image.sel(band="B8").values.tolist()
    [[0.36, 0.25]]
    """
    from odc.geo.xr import xr_coords  # registers the .odc accessor

    bands = [str(b) for b in bands]
    if data.shape != (len(bands), *geobox.shape):
        raise GridError(
            f"An array of shape {data.shape} does not fit {len(bands)} bands on a grid of {tuple(geobox.shape)} "
            f"(rows, columns)."
        )
    twice = sorted({b for b in bands if bands.count(b) > 1})
    if twice:
        raise BandError(f"Band name(s) {', '.join(twice)} occur more than once. Names of bands must be unique.")
    coords = {"band": bands, **xr_coords(geobox)}
    image = xr.DataArray(data, dims=("band", *geobox.dimensions), coords=coords)
    image.name = None  # not the node of dask's graph, whose name it takes
    return image.rename(
        dict(zip(geobox.dimensions, ("y", "x"), strict=True)) if geobox.dimensions != ("y", "x") else {}
    )


def select(stack: xr.DataArray, bands: Sequence[str]) -> xr.DataArray:
    """Return the named bands in the order given; a LulcError lists the bands there are."""
    have = [str(b) for b in stack.band.values]
    missing = [b for b in bands if b not in have]
    if missing:
        raise BandError(f"Band(s) {', '.join(missing)} not found. The raster has: {', '.join(have)}.")
    return stack.sel(band=list(bands))


def open(path: str | Path) -> rasterio.DatasetReader:
    """Open a file, also inside an archive; a LulcError says whether it is missing or no raster.

    What lies on this computer is opened with `OFFLINE`, whatever it points to.
    """
    try:
        with rasterio.Env(**_reach(path)):
            return rasterio.open(gdal_name(path) if split_archive(path) else path)
    except RasterioIOError as error:
        exists = on_disk(Path(str(path))).exists()
        raise (FormatError if exists else MissingFileError)(
            f"{path} {'is not a raster that GDAL can read' if exists else 'does not exist'} ({error}). "
            f"{'It may be truncated: copy or download it again.' if exists else 'Check the path in the parameters.'}"
        ) from error


def _reach(path: str | Path) -> dict[str, str]:
    return {} if re.match(r"\w+://|/vsi(?:curl|s3|gs|az)", str(path)) else OFFLINE


@contextlib.contextmanager
def report_damage(path: str | Path) -> Iterator[None]:
    """Read a file's numbers inside: on one thread, and a LulcError says so if the file is damaged."""
    try:
        # With several threads GDAL's JPEG 2000 decoder passes damaged tiles over in silence.
        with rasterio.Env(GDAL_NUM_THREADS="1", **_reach(path)):
            yield
    except RasterioError as error:
        cause = error.__cause__ or error
        if isinstance(cause, CPLE_OpenFailedError):
            raise FormatError(
                f"{path} is put together from other files, and one of them cannot be opened ({cause}). Put it back "
                f"where it was, or build the file anew (gdalbuildvrt)."
            ) from error
        raise FormatError(
            f"{path} could not be read to its end: it is truncated or damaged. Copy or download it again. ({cause})"
        ) from error


@dataclass(frozen=True)
class Header:
    """What a raster file says of itself: its grid; name, type and number for nodata of each band."""

    geobox: GeoBox
    names: list[str]
    dtypes: list[str]
    nodata: list[float | None]


def header(path: str | Path) -> Header:
    """Read the header of a raster file.

    Raises
    ------
    LulcError
        If the file cannot be opened or has no CRS.
    """
    with open(path) as source:
        if source.crs is None:
            raise GridError(f"{path} has no CRS. Set it (gdal_edit.py -a_srs EPSG:… FILE, or in QGIS) and try again.")
        return Header(
            GeoBox(source.shape, source.transform, source.crs),
            [d or f"band_{i}" for i, d in enumerate(source.descriptions, 1)],
            list(source.dtypes),
            [None if n is None else float(n) for n in source.nodatavals],
        )


def grid(path: str | Path) -> GeoBox:
    """Return the grid of a raster file; errors are those of `header`."""
    return header(path).geobox


def band_names(path: str | Path) -> list[str]:
    """Return the names of a file's bands: their descriptions, or ``band_1`` … where a file has none."""
    return header(path).names


def _read_block(path: str, indexes: list[int], calibrated: bool, block_info: Any = None) -> npt.NDArray[np.generic]:
    location = block_info[None]["array-location"]
    (top, bottom), (left, right) = location[1], location[2]
    window = Window.from_slices((top, bottom), (left, right))
    with report_damage(path), open(path) as source:
        return _calibrate(source, indexes, window=window) if calibrated else source.read(indexes, window=window)


def _calibrate(source: rasterio.DatasetReader, indexes: list[int], **what: Any) -> npt.NDArray[np.float32]:
    # Converted by GDAL and calibrated in place: fresh memory costs more than the arithmetic.
    exact = all(np.can_cast(source.dtypes[i - 1], np.float32) for i in indexes)
    numbers = source.read(indexes, out_dtype=np.float32 if exact else None, **what)
    may_be_huge = any(np.dtype(source.dtypes[i - 1]).kind == "f" for i in indexes)
    missing = _missing(numbers, [source.nodatavals[i - 1] for i in indexes], may_be_huge)
    out = numbers.astype(np.float32, copy=False)
    scales = np.array([source.scales[i - 1] for i in indexes], np.float32)[:, None, None]
    offsets = np.array([source.offsets[i - 1] for i in indexes], np.float32)[:, None, None]
    if (scales != 1).any():
        out *= scales
    if (offsets != 0).any():
        out += offsets
    if missing is not None:
        out[missing] = np.nan
    return out


def _missing(
    numbers: npt.NDArray[Any], nodata: Sequence[float | None], may_be_huge: bool
) -> npt.NDArray[np.bool_] | None:
    """Return where bands have no data, each by its own number; a `HUGE` number is no measurement either."""
    missing = np.abs(numbers) > HUGE if may_be_huge else np.zeros(numbers.shape, bool)
    for k, n in enumerate(nodata):
        if n is not None and not np.isnan(n):
            missing[k] |= numbers[k] == n
    return missing if missing.any() else None


def _indexes(path: str | Path, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    missing = [b for b in wanted if b not in names]
    if missing:
        raise BandError(f"{path} has no band {', '.join(missing)}. It has: {', '.join(names)}.")
    return [names.index(b) + 1 for b in wanted]


def _lazy(path: str | Path, bands: Sequence[str] | None, calibrated: bool, chunk: int | None) -> xr.DataArray:
    path, found = gdal_name(path), header(path)
    dtype = np.dtype(np.float32 if calibrated else found.dtypes[0])
    if not calibrated and dtype.kind not in "iu":
        raise FormatError(f"{path} holds {dtype} numbers where integer codes were expected.")
    wanted = found.names if bands is None else list(bands)
    indexes = _indexes(path, found.names, wanted)
    chunks = ((len(indexes),), *da.core.normalize_chunks(chunk or CHUNK, shape=tuple(found.geobox.shape)))
    data = da.map_blocks(
        _read_block, path, indexes, calibrated, chunks=chunks, dtype=dtype, meta=np.empty((0, 0, 0), dtype)
    )
    return array(data, found.geobox, wanted)


def read(path: str | Path, bands: Sequence[str] | None = None, chunk: int | None = None) -> xr.DataArray:
    """Open bands of a raster file lazily as float32, with scale and offset applied and nodata as NaN.

    Parameters
    ----------
    path
        Any format GDAL reads.
    bands
        Names of the bands wanted; None for all.
    chunk
        Rows and columns of a block, pixels; default `CHUNK`.

    Raises
    ------
    LulcError
        If the file cannot be opened, has no CRS or lacks a band; later, when the numbers are read, if it is
        truncated.

    Examples
    --------
    The numbers 400 and 2500 stand in the file, with a scale of 0.0001.

    >>> image = read("image.tif", ["B4"])
    >>> image.dims
    ('band', 'y', 'x')
    >>> image.values.round(2)
    array([[[0.04, 0.25]]], dtype=float32)
    """
    return _lazy(path, bands, True, chunk)


def preview(path: str | Path, bands: Sequence[str] | None = None, side: int = 750) -> xr.DataArray:
    """Read bands of a file at a coarse resolution, at once: for pictures. Quick where the file has overviews.

    Parameters
    ----------
    path, bands
        As for `read`.
    side
        Rows and columns that the result has at most.

    Returns
    -------
    xarray.DataArray
        Like `read`'s, in memory, with larger pixels; means of overviews where the file has them.
    """
    found = header(path)
    geobox, names = found.geobox, found.names
    wanted = names if bands is None else list(bands)
    shrink = max(1.0, max(geobox.shape) / side)
    small = geobox.zoom_to((max(1, round(geobox.height / shrink)), max(1, round(geobox.width / shrink))))
    indexes = _indexes(path, names, wanted)
    with report_damage(path), open(path) as source:
        return array(_calibrate(source, indexes, out_shape=(len(indexes), *small.shape)), small, wanted)


def read_codes(path: str | Path, bands: Sequence[str] | None = None, chunk: int | None = None) -> xr.DataArray:
    """Open bands of codes (classes, masks, folds) lazily, as the integers that stand in the file."""
    return _lazy(path, bands, False, chunk)


def tags(path: str | Path) -> dict[str, str]:
    """Return the words of a file's metadata (`Output.tags`)."""
    with open(path) as source:
        return dict(source.tags())


def is_jpeg2000(path: str | Path) -> bool:
    """Whether a file is JPEG 2000 by its name, as products' bands are: slow to decode."""
    return Path(path).suffix.lower() in (".jp2", ".j2k")


def nodata(path: str | Path) -> float | None:
    """Return the number that a file says means nodata, or None."""
    return header(path).nodata[0]
