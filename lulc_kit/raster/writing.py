"""Rasters written as Cloud-Optimized GeoTIFF, whole or not at all; and plain files for the length of a step."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import dask
import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.windows import Window

from lulc_kit import attribution, files, grids, raster
from lulc_kit.errors import LulcError
from lulc_kit.late import da, xr
from lulc_kit.progress import bar
from lulc_kit.raster import blockwise

TILE = 512
"""Rows and columns of a tile of the files, pixels."""

REFLECTANCE_SCALE = 0.0001
REFLECTANCE_NODATA = -32768


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
        If grids differ, a source cannot be read, the folder cannot be written to, its disk is full, or not even one
        block fits into the memory allowed.
    """
    geobox = outputs[0].data.odc.geobox
    for output in outputs[1:]:
        grids.check(output.data.odc.geobox, geobox, output.path.name)
    given = [o.data.data for o in outputs]
    lazy = [a if dask.is_dask_collection(a) else da.from_array(a, raster.CHUNK) for a in given]
    chunks = lazy[0].chunks[1:]
    lazy = [a.rechunk({0: -1, 1: chunks[0], 2: chunks[1]}) for a in lazy]
    # A block as it is computed, the one before, and as that is in the file.
    sizes = [
        a.shape[0] * (2 * a.dtype.itemsize + np.dtype(o.dtype).itemsize) for a, o in zip(lazy, outputs, strict=True)
    ]
    names = description or ", ".join(o.path.name for o in outputs)
    count = blockwise.blocks_at_once(sum(sizes) + 4 * layers, max(chunks[0]) * max(chunks[1]), names)
    path, size = outputs[0].path, sum(map(_plain_size, outputs))
    files.refuse_full(path, size)
    most = size * 8 // 3  # the plain files, their overviews (a third), and copies of both that did not get smaller
    with contextlib.ExitStack() as stack:
        stack.enter_context(_bound_cache())
        parts = [stack.enter_context(files.replacing(o.path)) for o in outputs]
        plain = [stack.enter_context(_scratch(p)) for p in parts]
        stack.enter_context(files.report_full(path, most, [*plain, *parts]))
        with contextlib.ExitStack() as open_files, bar(lazy[0].npartitions * len(lazy), names, "blocks") as progress:
            lock = Lock()
            targets = [
                open_files.enter_context(_create(p, o, geobox, lock)) for p, o in zip(plain, outputs, strict=True)
            ]
            blockwise.store(
                lazy,
                [
                    Canvas(target, array.shape, lock, output.encode, progress.update)
                    for target, array, output in zip(targets, lazy, outputs, strict=True)
                ],
                count,
            )
        for scratch, part, output in zip(plain, parts, outputs, strict=True):
            _to_cog(scratch, part, output)
            if files.free_space(path) < most:
                _refuse_loss(scratch, part)


def _plain_size(output: Output) -> int:
    """Bytes of an output as a plain GeoTIFF, whose tiles are whole."""
    bands, *sides = output.data.shape
    rows, columns = (-(-side // TILE) * TILE for side in sides)
    return int(bands * rows * columns * np.dtype(output.dtype).itemsize)


def _refuse_loss(source: Path, copy: Path) -> None:
    """Compare two files; GDAL does not always say that it could not write all of a copy."""
    with rasterio.open(source) as one:
        levels: list[int | None] = [None, *range(len(one.overviews(1)))]
    for level in levels:
        options = {} if level is None else {"overview_level": level}
        with rasterio.open(source, **options) as one, rasterio.open(copy, **options) as other:
            for _, window in one.block_windows(1):
                if one.read(window=window).tobytes() != other.read(window=window).tobytes():
                    raise OSError(errno.ENOSPC, "GDAL lost a part of it")


@contextlib.contextmanager
def _scratch(part: Path) -> Iterator[Path]:
    path = part.with_name(part.name.replace(".part", ".rows"))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _bound_cache() -> rasterio.Env:
    return rasterio.Env(GDAL_CACHEMAX=blockwise.CACHE * 2**20)


@contextlib.contextmanager
def _create(path: Path, output: Output, geobox: GeoBox, lock: Lock) -> Iterator[rasterio.io.DatasetWriter]:
    """Open a file to be written by whoever holds the lock; it is not closed while somebody does."""
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
        "blockxsize": TILE,
        "blockysize": TILE,
        "interleave": "band",
        "bigtiff": "if_safer",
    }
    with rasterio.open(path, "w", **profile) as target:
        target.descriptions = tuple(str(b) for b in output.data.band.values)
        if output.scale != 1:
            target.scales = (output.scale,) * target.count
        if output.colours:
            target.write_colormap(1, {v: (*rgb, 255) for v, rgb in output.colours.items()})
        if attribution.get():
            target.update_tags(attribution=attribution.get())
        target.update_tags(**output.tags)
        try:
            yield target
        finally:
            with lock:  # where one block fails, threads may be about to write others
                target.close()


@contextlib.contextmanager
def _room(output: Output) -> Iterator[None]:
    """Write one plain file inside; a LulcError says so if its disk is full."""
    size = _plain_size(output)
    files.refuse_full(output.path, size)
    with _bound_cache(), files.report_full(output.path, size, [output.path]):
        yield


def write_plain(
    path: Path, data: xr.DataArray, dtype: str = "float32", beside: tuple[da.Array, npt.NDArray[Any]] | None = None
) -> None:
    """Write a raster as a tiled, uncompressed GeoTIFF: quick, for files that do not outlive a step.

    ``beside`` is an array of the same blocks that is computed in the same pass, and what takes its numbers.
    """
    nodata = np.nan if np.dtype(dtype).kind == "f" else None
    output = Output(path, data, dtype, nodata)
    with _room(output), _create(path, output, data.odc.geobox, lock := Lock()) as target:
        own = Canvas(target, data.shape, lock)
        pairs: list[tuple[da.Array, Any]] = [(data.data, own), *([beside] if beside else [])]
        arrays, targets = zip(*pairs, strict=True)
        blockwise.store(arrays, targets, data.data.numblocks[2])


@dataclass(frozen=True)
class Canvas:
    """A file that takes what is assigned to parts of it, (band, row, column), from any thread: see `open_canvas`."""

    file: rasterio.io.DatasetWriter
    shape: tuple[int, ...]
    lock: Lock
    encode: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] = np.asarray
    done: Callable[[], Any] = int

    def __setitem__(self, part: tuple[int | slice, slice, slice], numbers: npt.NDArray[Any]) -> None:
        bands, rows, columns = part
        numbers = self.encode(numbers)
        with self.lock:
            which = list(self.file.indexes[bands]) if isinstance(bands, slice) else self.file.indexes[bands]
            self.file.write(numbers, which, window=Window.from_slices(rows, columns))
            self.done()


@contextlib.contextmanager
def open_canvas(path: Path, bands: Sequence[str], geobox: GeoBox) -> Iterator[Canvas]:
    """Open a tiled, uncompressed float32 GeoTIFF to be filled in any order, for a file that does not outlive a step."""
    shape = (len(bands), geobox.height, geobox.width)
    empty = raster.array(da.empty(shape, np.float32), geobox, bands)
    with _room(Output(path, empty)), _create(path, Output(path, empty), geobox, lock := Lock()) as target:
        yield Canvas(target, shape, lock)


def _to_cog(source: Path, target: Path, output: Output) -> None:
    kind = np.dtype(output.dtype).kind
    codes = kind in "iu" and output.scale == 1
    resampling = "nearest" if codes else "average"
    # GDAL holds about eight tiles of all bands for each thread.
    allowed, held = blockwise.allowance()
    tile = output.data.sizes["band"] * np.dtype(output.dtype).itemsize * TILE**2 / 1e6
    threads = max(1, min(os.cpu_count() or 1, int((allowed - held) / (8 * tile))))
    # GDAL would compress the overviews twice if it made them on its way to the COG.
    with rasterio.open(source, "r+") as file:
        steps = [2**n for n in range(1, 32) if max(file.shape) > TILE * 2 ** (n - 1)]
        if steps:
            with rasterio.Env(GDAL_NUM_THREADS=str(threads)):
                file.build_overviews(steps, Resampling[resampling])
    rasterio.shutil.copy(
        source,
        target,
        driver="COG",
        # Floats hardly get smaller, however long one tries.
        **({"compress": "zstd", "level": 1} if kind == "f" else {"compress": "deflate"}),
        predictor="no" if codes else "yes",
        blocksize=TILE,
        overview_resampling=resampling,
        statistics="no" if output.colours else "yes",
        bigtiff="if_safer",
        num_threads=threads,
    )


def reflectance(path: Path, data: xr.DataArray, **tags: str) -> Output:
    """Describe a reflectance raster (0–1) to be written as int16 × 0.0001 with nodata −32768."""
    return Output(path, data, "int16", REFLECTANCE_NODATA, REFLECTANCE_SCALE, tags=tags)
