"""Rasters with named bands: opened lazily, written as Cloud-Optimized GeoTIFF, all on one grid.

A raster is an `xarray.DataArray` with dimensions (band, y, x), the band names as coordinate ``band``, and its grid
as ``array.odc.geobox`` (an `odc.geo.geobox.GeoBox`). In memory a number that is missing is NaN.
"""

import contextlib
import ctypes
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import dask
import dask.array as da
import numpy as np
import numpy.typing as npt
import odc.geo.xr  # registers the .odc accessor
import psutil
import rasterio
import rasterio.shutil
import rasterio.warp
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from lulc_kit import attribution
from lulc_kit.errors import LulcError
from lulc_kit.files import gdal_name, on_disk, replacing, split_archived
from lulc_kit.progress import bar

CHUNK = 512
"""Rows and columns of a block, pixels."""

JPEG2000_TILE = 1024
"""Rows and columns of a block of JPEG 2000: those in which products store their 10 m bands, each decoded whole."""

MEMORY = 3000
"""Megabytes that a process may take while it computes rasters, unless a notebook's parameter says otherwise."""
CACHE = 128
"""Megabytes of GDAL's cache of blocks that are written; by itself it takes a twentieth of the machine's memory."""

REFLECTANCE_SCALE = 0.0001
REFLECTANCE_NODATA = -32768


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
    """
    bands = [str(b) for b in bands]
    if data.shape != (len(bands), *geobox.shape):
        raise LulcError(
            f"An array of shape {data.shape} does not fit {len(bands)} bands on a grid of {tuple(geobox.shape)} "
            f"(rows, columns)."
        )
    twice = sorted({b for b in bands if bands.count(b) > 1})
    if twice:
        raise LulcError(f"Band name(s) {', '.join(twice)} occur more than once. Names of bands must be unique.")
    coords = {"band": bands, **odc.geo.xr.xr_coords(geobox)}
    return xr.DataArray(data, dims=("band", *geobox.dimensions), coords=coords).rename(
        dict(zip(geobox.dimensions, ("y", "x"), strict=True)) if geobox.dimensions != ("y", "x") else {}
    )


def select(stack: xr.DataArray, bands: Sequence[str]) -> xr.DataArray:
    """Return the named bands in the order given; a LulcError lists the bands there are."""
    have = [str(b) for b in stack.band.values]
    missing = [b for b in bands if b not in have]
    if missing:
        raise LulcError(f"Band(s) {', '.join(missing)} not found. The raster has: {', '.join(have)}.")
    return stack.sel(band=list(bands))


def describe_grid(geobox: GeoBox) -> str:
    """Return CRS, size, resolution and upper left corner in one line."""
    crs = geobox.crs.to_epsg() if geobox.crs else None
    name = f"EPSG:{crs}" if crs else ("a CRS without EPSG code" if geobox.crs else "no CRS")
    return (
        f"{name}, {geobox.width}×{geobox.height} px of {abs(geobox.resolution.x):g} m, "
        f"upper left {geobox.affine.c:.2f} {geobox.affine.f:.2f}"
    )


def same_grid(one: GeoBox, other: GeoBox) -> bool:
    """Whether two grids have the same CRS and shape, and corners within a thousandth of a pixel."""
    if one.shape != other.shape or one.crs != other.crs:
        return False
    tolerance = 1e-3 * abs(one.resolution.x)
    corners = zip(one.boundingbox, other.boundingbox, strict=True)
    return all(abs(a - b) <= tolerance for a, b in corners)


def check_grid(found: GeoBox, expected: GeoBox, what: str) -> None:
    """Refuse a raster that is not on the study's grid.

    Raises
    ------
    LulcError
        With both grids written out.
    """
    if not same_grid(found, expected):
        raise LulcError(
            f"{what} is not on the study's grid.\n  found:    {describe_grid(found)}\n"
            f"  expected: {describe_grid(expected)}\nWarp it with lulc_kit.raster.warp, or run the steps anew from 02."
        )


def _open(path: str | Path) -> rasterio.DatasetReader:
    try:
        return rasterio.open(gdal_name(path) if split_archived(path) else path)
    except RasterioIOError as error:
        exists = on_disk(Path(str(path))).exists()
        raise LulcError(
            f"{path} {'is not a raster that GDAL can read' if exists else 'does not exist'} ({error}). "
            f"{'It may be truncated: copy or download it again.' if exists else 'Check the path in the parameters.'}"
        ) from error


@contextlib.contextmanager
def _reading(path: str | Path) -> Iterator[None]:
    try:
        # With several threads GDAL's JPEG 2000 decoder passes damaged tiles over in silence.
        with rasterio.Env(GDAL_NUM_THREADS="1"):
            yield
    except RasterioError as error:
        raise LulcError(
            f"{path} could not be read to its end: it is truncated or damaged. Copy or download it again. ({error})"
        ) from error


def grid(path: str | Path) -> GeoBox:
    """Return the grid of a raster file.

    Raises
    ------
    LulcError
        If the file cannot be opened or has no CRS.
    """
    with _open(path) as source:
        if source.crs is None:
            raise LulcError(f"{path} has no CRS. Set it (gdal_edit.py -a_srs EPSG:… FILE, or in QGIS) and try again.")
        return GeoBox(source.shape, source.transform, source.crs)


def band_names(path: str | Path) -> list[str]:
    """Return the names of a file's bands: their descriptions, or ``band_1`` … where a file has none."""
    with _open(path) as source:
        return [d or f"band_{i}" for i, d in enumerate(source.descriptions, 1)]


def _read_block(path: str, indexes: list[int], calibrated: bool, block_info: Any = None) -> npt.NDArray[np.generic]:
    location = block_info[None]["array-location"]
    (top, bottom), (left, right) = location[1], location[2]
    window = Window.from_slices((top, bottom), (left, right))
    with _reading(path), _open(path) as source:
        return _calibrated(source, indexes, window=window) if calibrated else source.read(indexes, window=window)


def _calibrated(source: rasterio.DatasetReader, indexes: list[int], **what: Any) -> npt.NDArray[np.float32]:
    # Converted by GDAL and calibrated in place: fresh memory costs more than the arithmetic.
    exact = all(np.can_cast(source.dtypes[i - 1], np.float32) for i in indexes)
    numbers = source.read(indexes, out_dtype=np.float32 if exact else None, **what)
    nodata = source.nodata
    missing = None if nodata is None or np.isnan(nodata) else numbers == nodata
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


def _indexes(path: str | Path, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    missing = [b for b in wanted if b not in names]
    if missing:
        raise LulcError(f"{path} has no band {', '.join(missing)}. It has: {', '.join(names)}.")
    return [names.index(b) + 1 for b in wanted]


def _lazy(
    path: str | Path, bands: Sequence[str] | None, calibrated: bool, dtype: Any, chunk: int | None
) -> xr.DataArray:
    path = gdal_name(path)
    names = band_names(path)
    wanted = names if bands is None else list(bands)
    geobox = grid(path)
    indexes = _indexes(path, names, wanted)
    chunks = ((len(indexes),), *da.core.normalize_chunks(chunk or CHUNK, shape=tuple(geobox.shape)))
    data = da.map_blocks(
        _read_block, path, indexes, calibrated, chunks=chunks, dtype=dtype, meta=np.empty((0, 0, 0), dtype)
    )
    return array(data, geobox, wanted)


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
    """
    return _lazy(path, bands, True, np.float32, chunk)


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
    geobox, names = grid(path), band_names(path)
    wanted = names if bands is None else list(bands)
    shrink = max(1.0, max(geobox.shape) / side)
    small = geobox.zoom_to((max(1, round(geobox.height / shrink)), max(1, round(geobox.width / shrink))))
    indexes = _indexes(path, names, wanted)
    with _reading(path), _open(path) as source:
        return array(_calibrated(source, indexes, out_shape=(len(indexes), *small.shape)), small, wanted)


def read_codes(path: str | Path, bands: Sequence[str] | None = None, chunk: int | None = None) -> xr.DataArray:
    """Open bands of codes (classes, masks, folds) lazily, as the integers that stand in the file."""
    with _open(path) as source:
        dtype = np.dtype(source.dtypes[0])
    if dtype.kind not in "iu":
        raise LulcError(f"{path} holds {dtype} numbers where integer codes were expected.")
    return _lazy(path, bands, False, dtype, chunk)


@dataclass(frozen=True)
class Warping:
    """How one band of a file comes onto a grid: all that its blocks have in common (see `warp`)."""

    path: str
    band: int
    own: GeoBox
    whole: GeoBox
    resampling: str
    source_nodata: float | None
    fill: float
    dtype: Any
    kernel: Mapping[str, float]

    def __call__(self, rows: slice, columns: slice) -> npt.NDArray[Any]:
        """Compute a part of the grid."""
        if same_grid(self.own, self.whole):
            return self._read(rows, columns)
        geobox = self.whole[rows, columns]
        if self.resampling in ("bilinear", "cubic") and np.dtype(self.dtype).kind == "f" and np.isnan(self.fill):
            found = self._interpolate(geobox)
            if found is not None:
                return found.astype(self.dtype, copy=False)
        options: dict[str, Any] = {"nodata": self.fill} | dict(self.kernel)
        if self.source_nodata is not None:
            options["src_nodata"] = self.source_nodata
        with (
            _reading(self.path),
            _open(self.path) as source,
            WarpedVRT(
                source,
                crs=geobox.crs.to_wkt(),  # type: ignore[union-attr]
                transform=geobox.affine,
                width=geobox.width,
                height=geobox.height,
                resampling=Resampling[self.resampling],
                dtype=np.dtype(self.dtype).name,
                # Otherwise GDAL takes a pixel for nodata only where all bands of the file are.
                UNIFIED_SRC_NODATA="NO",
                # GDAL's default of 1/8 pixel would make the result depend on how the grid is cut into blocks.
                tolerance=1e-9,
                **options,
            ) as warped,
        ):
            return warped.read(self.band)

    def _read(self, rows: slice, columns: slice) -> npt.NDArray[Any]:
        with _reading(self.path), _open(self.path) as source:
            data = source.read(self.band, window=Window.from_slices(rows, columns))
        found = data.astype(self.dtype)
        if self.source_nodata is not None:
            found[data == self.source_nodata] = self.fill
        return found

    def _interpolate(self, geobox: GeoBox) -> npt.NDArray[np.float32] | None:
        """Warp from another CRS without GDAL's warper; None where that is better (finer sources, no position)."""
        own = self.own
        if own.crs == geobox.crs or geobox.affine.b or geobox.affine.d:
            return None
        from lulc_kit.resample import Positions, resample  # numba takes its time to load

        positions = Positions(geobox, own)
        if not positions.known or positions.step > 1 / 0.95:  # where GDAL widens its kernel
            return None
        rows, columns = positions.window(own)
        if rows.start == rows.stop or columns.start == columns.stop:
            return np.full(geobox.shape, np.nan, np.float32)
        with _reading(self.path), _open(self.path) as source:
            data = source.read(self.band, window=Window.from_slices(rows, columns))
        values = data.astype(np.float32)
        if self.source_nodata is not None and not np.isnan(self.source_nodata):
            values[data == self.source_nodata] = np.nan
        return resample(values, (rows.start, columns.start), positions, (geobox.height, geobox.width), self.resampling)


def _kernel_size(own: GeoBox, whole: GeoBox) -> dict[str, float]:
    """Return GDAL's options for how wide its kernels are on a source finer than the grid.

    By itself it measures that anew for each block, from the pixels that the block happens to cover.
    """
    column, row = whole.width / 2, whole.height / 2
    corners = [whole.affine * (column + i, row + j) for i, j in ((0, 0), (1, 0), (0, 1))]
    moved = rasterio.warp.transform(whole.crs, own.crs, *zip(*corners, strict=True))
    x, y = np.transpose([~own.affine * point for point in zip(*moved, strict=True)])
    across, down = (float(np.hypot(v[1] - v[0], v[2] - v[0])) for v in (x, y))
    if not np.isfinite([across, down]).all():
        return {}
    # Destination pixels per source pixel; enough of the source around a block for the widest kernel.
    return {
        "XSCALE": min(1.0, 1 / across),
        "YSCALE": min(1.0, 1 / down),
        "SOURCE_EXTRA": int(4 * max(1.0, across, down)) + 2,
    }


def _warp_located(warping: Warping, block_info: Any = None) -> npt.NDArray[Any]:
    rows, columns = block_info[None]["array-location"]
    return warping(slice(*rows), slice(*columns))


def overlaps(own: GeoBox, geobox: GeoBox) -> bool:
    """Whether two grids, in whatever CRS, share any place."""
    return own.crs is not None and bool(geobox.extent.to_crs(own.crs).intersects(own.extent))


def check_overlap(path: str | Path, geobox: GeoBox) -> GeoBox:
    """Refuse a file that has no CRS or lies wholly outside a grid; return its own grid."""
    own = grid(path)
    if not overlaps(own, geobox):
        raise LulcError(
            f"{path} lies wholly outside the study's grid.\n  the file:  {describe_grid(own)}\n"
            f"  the grid:  {describe_grid(geobox)}"
        )
    return own


def tags(path: str | Path) -> dict[str, str]:
    """Return the words of a file's metadata (`Output.tags`)."""
    with _open(path) as source:
        return dict(source.tags())


def is_jpeg2000(path: str | Path) -> bool:
    """Whether a file is JPEG 2000, as products' bands are: slow to decode."""
    with _open(path) as source:
        return source.driver.startswith("JP2")


def nodata(path: str | Path) -> float | None:
    """Return the number that a file says means nodata, or None."""
    with _open(path) as source:
        return None if source.nodata is None else float(source.nodata)


def warp(
    path: str | Path,
    geobox: GeoBox,
    *,
    band: int = 1,
    resampling: str = "bilinear",
    nodata: float | None = None,
    dtype: Any = np.float32,
    fill: float = np.nan,
    chunk: int | None = None,
) -> da.Array:
    """Bring one band of a file onto a grid, lazily, block by block.

    Parameters
    ----------
    path
        Any raster GDAL reads, in any CRS and resolution.
    geobox
        The grid to bring it to.
    band
        Number of the band in the file, from 1.
    resampling
        ``"nearest"`` for classes, ``"bilinear"``, ``"cubic"``, ``"average"``, … (`rasterio.enums.Resampling`).
    nodata
        The number that means nodata in the file; None takes the file's own. Pixels of it never mix into others.
    dtype, fill
        Type of the result and the number that stands for nodata in it.

    Returns
    -------
    dask.array.Array
        Shape (row, column) of ``geobox``; the file's own numbers (no scale or offset applied).

    Raises
    ------
    LulcError
        If the file cannot be opened, has no such band or no CRS, or lies wholly outside the grid.
    """
    warping = plan_warp(path, geobox, band=band, resampling=resampling, nodata=nodata, dtype=dtype, fill=fill)
    chunk = chunk or (JPEG2000_TILE if is_jpeg2000(path) else CHUNK)
    return da.map_blocks(
        _warp_located,
        warping,
        chunks=da.core.normalize_chunks(chunk, shape=tuple(geobox.shape)),
        dtype=dtype,
        meta=np.empty((0, 0), dtype),
    )


def plan_warp(
    path: str | Path,
    geobox: GeoBox,
    *,
    band: int = 1,
    resampling: str = "bilinear",
    nodata: float | None = None,
    dtype: Any = np.float32,
    fill: float = np.nan,
) -> Warping:
    """Return what computes any part of a warped band at once; parameters and errors are those of `warp`."""
    path = gdal_name(path)
    with _open(path) as source:
        if not 1 <= band <= source.count:
            raise LulcError(f"{path} has {source.count} band(s); band {band} was asked for.")
        source_nodata = source.nodata if nodata is None else nodata
    own = check_overlap(path, geobox)
    kernel = _kernel_size(own, geobox)
    return Warping(path, band, own, geobox, resampling, source_nodata, fill, dtype, kernel)


@dataclass
class Output:
    """One raster file to be written by `write_all`.

    Attributes
    ----------
    path
        Where the file is to be; it is replaced only when the new one is whole.
    data
        The raster, lazy or not.
    dtype
        Number type in the file.
    nodata
        The number that stands for NaN (or, for codes, that means nodata); None for none.
    scale
        The file holds ``round(value / scale)`` and says so in its scale; 1 leaves numbers as they are.
    colours
        Red, green, blue (0–255) by value, for a class raster of type uint8.
    tags
        Words for the file's metadata.
    """

    path: Path
    data: xr.DataArray
    dtype: str = "float32"
    nodata: float | None = np.nan
    scale: float = 1.0
    colours: Mapping[int, tuple[int, int, int]] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def encode(self, block: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turn numbers in memory into those of the file; a LulcError if they do not fit its type."""
        dtype = np.dtype(self.dtype)
        if block.dtype.kind != "f" and self.scale == 1:
            self._check_codes(block, dtype)
            return block.astype(dtype, copy=False)
        as_it_is = dtype.kind == "f" and self.scale == 1 and (self.nodata is None or np.isnan(self.nodata))
        if as_it_is:
            return block.astype(dtype, copy=False)
        missing = np.isnan(block)
        numbers = block / self.scale if self.scale != 1 else block
        if dtype.kind == "f":
            out = numbers.astype(dtype)
            if self.nodata is not None:
                out[missing] = self.nodata
            return out
        if missing.any() and self.nodata is None:
            raise LulcError(f"{self.path.name}: missing numbers (NaN) in a raster that has no nodata value.")
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        # A value must not become nodata by clipping.
        low, high = low + (low == self.nodata), high - (high == self.nodata)
        with np.errstate(invalid="ignore"):
            out = np.clip(np.rint(numbers), low, high)
        if self.nodata is not None:
            out[missing] = self.nodata
        return out.astype(dtype)

    def _check_codes(self, block: npt.NDArray[np.generic], dtype: np.dtype[Any]) -> None:
        if dtype.kind not in "iu" or np.can_cast(block.dtype, dtype) or not block.size:
            return
        limits = np.iinfo(dtype)
        for code in (int(block.min()), int(block.max())):
            if not limits.min <= code <= limits.max:
                raise LulcError(
                    f"{self.path.name}: code {code} does not fit {dtype} ({limits.min} to {limits.max}). "
                    f"Write it with a wider dtype, or give the codes smaller numbers."
                )


def write(path: Path, data: xr.DataArray, **options: Any) -> None:
    """Write one raster; ``options`` are those of `Output`."""
    write_all([Output(Path(path), data, **options)])


def write_all(outputs: Sequence[Output], description: str = "", *, layers: int = 0) -> None:
    """Compute rasters on one grid together, a few blocks at a time, and write each as a COG.

    What the rasters share is computed once. Each file appears whole or not at all. Blocks are computed by the dask
    scheduler that is active, on threads if there is none.

    Parameters
    ----------
    outputs
        What to write. All on the same grid.
    description
        Shown with the progress; default the files' names.
    layers
        How many float32 layers of a block are in memory while it is computed, beside the outputs: as many blocks
        are computed at once as `limit_memory` allows.

    Raises
    ------
    LulcError
        If grids differ, a source cannot be read, the folder cannot be written to, or not even one block fits into
        the memory allowed.
    """
    geobox = outputs[0].data.odc.geobox
    for output in outputs[1:]:
        check_grid(output.data.odc.geobox, geobox, output.path.name)
    lazy = [o.data.data if dask.is_dask_collection(o.data.data) else da.from_array(o.data.data, CHUNK) for o in outputs]
    chunks = lazy[0].chunks[1:]
    lazy = [a.rechunk({0: -1, 1: chunks[0], 2: chunks[1]}) for a in lazy]
    # A block as it is computed, the one before, and as that is in the file.
    sizes = [
        a.shape[0] * (2 * a.dtype.itemsize + np.dtype(o.dtype).itemsize) for a, o in zip(lazy, outputs, strict=True)
    ]
    names = description or ", ".join(o.path.name for o in outputs)
    count = _blocks_at_once(sum(sizes) + 4 * layers, max(chunks[0]) * max(chunks[1]), names)
    with contextlib.ExitStack() as stack:
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=CACHE * 2**20))
        parts = [stack.enter_context(replacing(o.path)) for o in outputs]
        plain = [stack.enter_context(_scratch(p)) for p in parts]
        with contextlib.ExitStack() as open_files, bar(lazy[0].npartitions, names, "blocks") as progress:
            files = [open_files.enter_context(_create(p, o, geobox)) for p, o in zip(plain, outputs, strict=True)]

            def store(blocks: Sequence[npt.NDArray[Any]], window: Window) -> None:
                for target, output, block in zip(files, outputs, blocks, strict=True):
                    target.write(output.encode(block), window=window)

            writer = open_files.enter_context(ThreadPoolExecutor(1))  # while the next blocks are computed
            stored = None
            for rows, columns in _batches(chunks, count):
                wanted = [a[:, rows, columns] for a in lazy]
                blocks = _compute(wanted, count)
                if stored is not None:
                    stored.result()
                stored = writer.submit(store, blocks, Window.from_slices(rows, columns))
                progress.update(wanted[0].npartitions)
            if stored is not None:
                stored.result()
        for scratch, part, output in zip(plain, parts, outputs, strict=True):
            _to_cog(scratch, part, output)


def limit_memory(megabytes: int | None) -> None:
    """Set how much memory this process may take while it computes rasters.

    With None it may take `MEMORY`, or what a single block needs where it holds more than that already.
    On a cluster the workers have limits of their own, and this one is for what they send back.
    """
    dask.config.set({"lulc_kit.memory": megabytes})


def _blocks_at_once(pixel: int, block: int, what: str) -> int:
    """Return how many blocks of so many pixels, of so many bytes each, fit into the memory that is left."""
    allowed, held = _memory()
    each = pixel * block / 1e6
    count = int((allowed - held) / each)
    if count < 1 and dask.config.get("lulc_kit.memory", None) is not None:
        raise LulcError(
            f"{what}: the parameter memory leaves {allowed} MB for it, {held:.0f} MB are taken already, and one block "
            f"needs {each:.0f} MB. Set memory to at least {(held + each) / 0.9:.0f}."
        )
    return max(1, count)


def _memory() -> tuple[int, float]:
    """Return the megabytes that are allowed (less a tenth for what nobody counts), and those that are taken already."""
    with contextlib.suppress(OSError, AttributeError):  # glibc keeps what was freed, and it would count as taken
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    allowed = dask.config.get("lulc_kit.memory", None) or MEMORY
    return round(0.9 * allowed), psutil.Process().memory_info().rss / 1e6 + CACHE


def _compute(arrays: Sequence[da.Array], count: int) -> tuple[npt.NDArray[Any], ...]:
    # As many threads as blocks fit, where no cluster does the work.
    threads = dask.config.get("num_workers", None) or os.cpu_count() or 1
    with dask.config.set(num_workers=min(threads, count)):
        return dask.compute(*arrays)


def reduced(
    function: Callable[..., Any], data: da.Array, *arguments: Any, layers: int = 0, what: str = "statistics"
) -> list[Any]:
    """Apply a function to each block of an array, as many at once as `limit_memory` allows.

    Parameters
    ----------
    function
        Turns a block, (band, row, column), and ``arguments`` into something small.
    data
        (band, row, column); each block gets all bands.
    layers
        How many float32 layers of a block are in memory while it is computed, beside the block itself.
    what
        For the message, if not even one block fits.
    """
    data = data.rechunk({0: -1})
    pixel = data.shape[0] * data.dtype.itemsize + 4 * layers
    count = _blocks_at_once(pixel, max(data.chunks[1]) * max(data.chunks[2]), what)
    tasks = [dask.delayed(function)(block, *arguments) for block in data.to_delayed().ravel()]
    return list(_compute(tasks, count))


def thinned(data: da.Array, step: int, other: int | None = None) -> npt.NDArray[Any]:
    """Compute every n-th row and column. No block stays in memory for the sake of its few pixels."""
    few = data[..., ::step, :: other or step].map_blocks(np.array)
    pixel = data.dtype.itemsize * (data.size // math.prod(data.shape[-2:]))
    return _compute([few], _blocks_at_once(2 * pixel, max(data.chunks[-2]) * max(data.chunks[-1]), "a thinned image"))[
        0
    ]


def _batches(chunks: tuple[tuple[int, ...], tuple[int, ...]], count: int) -> Iterator[tuple[slice, slice]]:
    """Cut a grid of blocks into rectangles of at most ``count`` blocks: parts of a row of blocks, or whole rows."""
    down, across = ([0, *np.cumsum(c).tolist()] for c in chunks)
    tall, wide = max(1, count // len(chunks[1])), min(count, len(chunks[1]))
    for i in range(0, len(chunks[0]), tall):
        for j in range(0, len(chunks[1]), wide):
            rows = slice(down[i], down[min(i + tall, len(chunks[0]))])
            yield rows, slice(across[j], across[min(j + wide, len(chunks[1]))])


@contextlib.contextmanager
def _scratch(part: Path) -> Iterator[Path]:
    path = part.with_name(part.name.replace(".part", ".rows"))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _create(path: Path, output: Output, geobox: GeoBox) -> Iterator[rasterio.io.DatasetWriter]:
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": output.dtype,
        "count": output.data.shape[0],
        "height": geobox.height,
        "width": geobox.width,
        "crs": geobox.crs.to_wkt() if geobox.crs else None,
        "transform": geobox.affine,
        "nodata": output.nodata,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "interleave": "band",
        "bigtiff": "if_safer",
    }
    with rasterio.Env(GDAL_CACHEMAX=CACHE * 2**20), rasterio.open(path, "w", **profile) as target:
        target.descriptions = tuple(str(b) for b in output.data.band.values)
        if output.scale != 1:
            target.scales = (output.scale,) * target.count
        if output.colours:
            target.write_colormap(1, {v: (*rgb, 255) for v, rgb in output.colours.items()})
        if attribution.declared():
            target.update_tags(attribution=attribution.declared())
        target.update_tags(**output.tags)
        yield target


def write_plain(path: Path, data: xr.DataArray, dtype: str = "float32") -> None:
    """Write a raster as a tiled, uncompressed GeoTIFF: quick, for files that do not outlive a step."""
    nodata = np.nan if np.dtype(dtype).kind == "f" else None
    with _create(path, Output(path, data, dtype, nodata), data.odc.geobox) as target:
        top = 0
        for height in data.data.chunks[1]:
            window = Window(0, top, data.sizes["x"], height)
            target.write(np.asarray(data.data[:, top : top + height]), window=window)
            top += height


@dataclass(frozen=True)
class Canvas:
    """A file that takes what is assigned to parts of it, (band, row, column), from any thread: see `canvas`."""

    file: rasterio.io.DatasetWriter
    shape: tuple[int, int, int]
    lock: Lock = field(default_factory=Lock)

    def __setitem__(self, part: tuple[int, slice, slice], numbers: npt.NDArray[Any]) -> None:
        band, rows, columns = part
        with self.lock:
            self.file.write(numbers, band + 1, window=Window.from_slices(rows, columns))


@contextlib.contextmanager
def canvas(path: Path, bands: Sequence[str], geobox: GeoBox) -> Iterator[Canvas]:
    """Open a tiled, uncompressed float32 GeoTIFF to be filled in any order, for a file that does not outlive a step."""
    shape = (len(bands), geobox.height, geobox.width)
    empty = array(da.empty(shape, np.float32), geobox, bands)
    with _create(path, Output(path, empty), geobox) as target:
        yield Canvas(target, shape)


def _to_cog(source: Path, target: Path, output: Output) -> None:
    kind = np.dtype(output.dtype).kind
    codes = kind in "iu" and output.scale == 1
    resampling = "nearest" if codes else "average"
    # GDAL holds about eight tiles of all bands for each thread.
    allowed, held = _memory()
    tile = output.data.sizes["band"] * np.dtype(output.dtype).itemsize * 512**2 / 1e6
    threads = max(1, min(os.cpu_count() or 1, int((allowed - held) / (8 * tile))))
    # GDAL would compress the overviews twice if it made them on its way to the COG.
    with rasterio.open(source, "r+") as file:
        steps = [2**n for n in range(1, 32) if max(file.shape) > 512 * 2 ** (n - 1)]
        if steps:
            file.build_overviews(steps, Resampling[resampling])
    rasterio.shutil.copy(
        source,
        target,
        driver="COG",
        # Floats hardly get smaller, however long one tries.
        **({"compress": "zstd", "level": 1} if kind == "f" else {"compress": "deflate"}),
        predictor="no" if codes else "yes",
        blocksize=512,
        overview_resampling=resampling,
        statistics="no" if output.colours else "yes",
        bigtiff="if_safer",
        num_threads=threads,
    )


def reflectance(path: Path, data: xr.DataArray, **tags: str) -> Output:
    """Describe a reflectance raster (0–1) to be written as int16 × 0.0001 with nodata −32768."""
    return Output(path, data, "int16", REFLECTANCE_NODATA, REFLECTANCE_SCALE, tags=tags)
