"""Rasters with named bands: opened lazily, written as Cloud-Optimized GeoTIFF, all on one grid.

A raster is an `xarray.DataArray` with dimensions (band, y, x), the band names as coordinate ``band``, and its grid
as ``array.odc.geobox`` (an `odc.geo.geobox.GeoBox`). In memory a number that is missing is NaN.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import numpy.typing as npt
import odc.geo.xr  # registers the .odc accessor
import rasterio
import rasterio.shutil
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from lulc_kit.errors import LulcError
from lulc_kit.files import replacing
from lulc_kit.progress import bar

CHUNK = 1024
"""Rows and columns of a block, pixels."""

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
        return rasterio.open(path)
    except RasterioIOError as error:
        exists = Path(str(path)).exists()
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
        data = source.read(indexes, window=window)
        if not calibrated:
            return data
        nodata = source.nodata
        out = data.astype(np.float32)
        scales = np.array([source.scales[i - 1] for i in indexes], np.float32)[:, None, None]
        offsets = np.array([source.offsets[i - 1] for i in indexes], np.float32)[:, None, None]
        if (scales != 1).any() or (offsets != 0).any():
            out = out * scales + offsets
        if nodata is not None and not np.isnan(nodata):
            out[data == nodata] = np.nan
        return out


def _lazy(path: str | Path, bands: Sequence[str] | None, calibrated: bool, dtype: Any, chunk: int) -> xr.DataArray:
    path = str(Path(path).resolve())
    names = band_names(path)
    wanted = names if bands is None else list(bands)
    missing = [b for b in wanted if b not in names]
    if missing:
        raise LulcError(f"{path} has no band {', '.join(missing)}. It has: {', '.join(names)}.")
    geobox = grid(path)
    indexes = [names.index(b) + 1 for b in wanted]
    chunks = ((len(indexes),), *da.core.normalize_chunks(chunk, shape=tuple(geobox.shape)))
    data = da.map_blocks(
        _read_block, path, indexes, calibrated, chunks=chunks, dtype=dtype, meta=np.empty((0, 0, 0), dtype)
    )
    return array(data, geobox, wanted)


def read(path: str | Path, bands: Sequence[str] | None = None, chunk: int = CHUNK) -> xr.DataArray:
    """Open bands of a raster file lazily as float32, with scale and offset applied and nodata as NaN.

    Parameters
    ----------
    path
        Any format GDAL reads.
    bands
        Names of the bands wanted; None for all.
    chunk
        Rows and columns of a block, pixels.

    Raises
    ------
    LulcError
        If the file cannot be opened, has no CRS or lacks a band; later, when the numbers are read, if it is
        truncated.
    """
    return _lazy(path, bands, True, np.float32, chunk)


def read_codes(path: str | Path, bands: Sequence[str] | None = None, chunk: int = CHUNK) -> xr.DataArray:
    """Open bands of codes (classes, masks, folds) lazily, as the integers that stand in the file."""
    with _open(path) as source:
        dtype = np.dtype(source.dtypes[0])
    if dtype.kind not in "iu":
        raise LulcError(f"{path} holds {dtype} numbers where integer codes were expected.")
    return _lazy(path, bands, False, dtype, chunk)


def warp_block(
    path: str,
    band: int,
    geobox: GeoBox,
    resampling: str,
    source_nodata: float | None,
    fill: float,
    dtype: Any,
) -> npt.NDArray[Any]:
    """Bring one band of a file onto a part of a grid, at once; see `warp`, whose blocks it computes."""
    if resampling in ("bilinear", "cubic") and np.dtype(dtype).kind == "f" and np.isnan(fill):
        found = _interpolate(path, band, geobox, resampling, source_nodata)
        if found is not None:
            return found.astype(dtype, copy=False)
    options: dict[str, Any] = {"nodata": fill}
    if source_nodata is not None:
        options["src_nodata"] = source_nodata
    with (
        _reading(path),
        _open(path) as source,
        WarpedVRT(
            source,
            crs=geobox.crs.to_wkt(),  # type: ignore[union-attr]
            transform=geobox.affine,
            width=geobox.width,
            height=geobox.height,
            resampling=Resampling[resampling],
            dtype=np.dtype(dtype).name,
            # Otherwise GDAL takes a pixel for nodata only where all bands of the file are.
            UNIFIED_SRC_NODATA="NO",
            # GDAL's default of 1/8 pixel would make the result depend on how the grid is cut into blocks.
            tolerance=1e-9,
            **options,
        ) as warped,
    ):
        return warped.read(band)


def _interpolate(
    path: str, band: int, geobox: GeoBox, kernel: str, source_nodata: float | None
) -> npt.NDArray[np.float32] | None:
    """Warp from another CRS without GDAL's warper; None where it is the better tool (finer sources, no position)."""
    own = grid(path)
    if own.crs == geobox.crs or geobox.affine.b or geobox.affine.d:
        return None
    from lulc_kit.resample import Positions, resample  # numba takes its time to load

    positions = Positions(geobox, own)
    if not positions.known or positions.step > 1 / 0.95:  # where GDAL widens its kernel
        return None
    rows, columns = positions.window(own)
    if rows.start == rows.stop or columns.start == columns.stop:
        return np.full(geobox.shape, np.nan, np.float32)
    with _reading(path), _open(path) as source:
        data = source.read(band, window=Window.from_slices(rows, columns))
    values = data.astype(np.float32)
    if source_nodata is not None and not np.isnan(source_nodata):
        values[data == source_nodata] = np.nan
    return resample(values, (rows.start, columns.start), positions, (geobox.height, geobox.width), kernel)


def _warp_located(path: str, band: int, geobox: GeoBox, *options: Any, block_info: Any = None) -> npt.NDArray[Any]:
    rows, columns = block_info[None]["array-location"]
    return warp_block(path, band, geobox[slice(*rows), slice(*columns)], *options)


def overlaps(own: GeoBox, geobox: GeoBox) -> bool:
    """Whether two grids, in whatever CRS, share any place."""
    return own.crs is not None and bool(geobox.extent.to_crs(own.crs).intersects(own.extent))


def check_overlap(path: str | Path, geobox: GeoBox) -> None:
    """Refuse a file that has no CRS or lies wholly outside a grid."""
    own = grid(path)
    if not overlaps(own, geobox):
        raise LulcError(
            f"{path} lies wholly outside the study's grid.\n  the file:  {describe_grid(own)}\n"
            f"  the grid:  {describe_grid(geobox)}"
        )


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
    chunk: int = CHUNK,
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
    path = str(Path(path).resolve())
    with _open(path) as source:
        if not 1 <= band <= source.count:
            raise LulcError(f"{path} has {source.count} band(s); band {band} was asked for.")
        source_nodata = source.nodata if nodata is None else nodata
    check_overlap(path, geobox)
    return da.map_blocks(
        _warp_located,
        path,
        band,
        geobox,
        resampling,
        source_nodata,
        fill,
        dtype,
        chunks=da.core.normalize_chunks(chunk, shape=tuple(geobox.shape)),
        dtype=dtype,
        meta=np.empty((0, 0), dtype),
    )


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


def write_all(outputs: Sequence[Output], description: str = "") -> None:
    """Compute rasters on one grid together, one row of blocks at a time, and write each as a COG.

    What the rasters share is computed once. Memory stays that of a row of blocks. Each file appears whole or not at
    all. Blocks are computed by the dask scheduler that is active, on threads if there is none.

    Parameters
    ----------
    outputs
        What to write. All on the same grid.
    description
        Shown with the progress; default the files' names.

    Raises
    ------
    LulcError
        If grids differ, a source cannot be read, or the folder cannot be written to.
    """
    geobox = outputs[0].data.odc.geobox
    for output in outputs[1:]:
        check_grid(output.data.odc.geobox, geobox, output.path.name)
    lazy = [o.data.data if dask.is_dask_collection(o.data.data) else da.from_array(o.data.data, CHUNK) for o in outputs]
    rows = lazy[0].chunks[1]
    lazy = [a.rechunk({0: -1, 1: rows}) for a in lazy]
    names = description or ", ".join(o.path.name for o in outputs)
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context(replacing(o.path)) for o in outputs]
        plain = [stack.enter_context(_scratch(p)) for p in parts]
        with contextlib.ExitStack() as open_files, bar(geobox.height, names, "rows") as progress:
            files = [open_files.enter_context(_create(p, o, geobox)) for p, o in zip(plain, outputs, strict=True)]
            top = 0
            for height in rows:
                blocks = dask.compute(*(a[:, top : top + height] for a in lazy))
                window = Window(0, top, geobox.width, height)
                for target, output, block in zip(files, outputs, blocks, strict=True):
                    target.write(output.encode(block), window=window)
                top += height
                progress.update(height)
        for scratch, part, output in zip(plain, parts, outputs, strict=True):
            _to_cog(scratch, part, output)


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
    with rasterio.open(path, "w", **profile) as target:
        target.descriptions = tuple(str(b) for b in output.data.band.values)
        if output.scale != 1:
            target.scales = (output.scale,) * target.count
        if output.colours:
            target.write_colormap(1, {v: (*rgb, 255) for v, rgb in output.colours.items()})
        target.update_tags(**output.tags)
        yield target


def write_plain(path: Path, data: xr.DataArray) -> None:
    """Write a float32 raster as a tiled, uncompressed GeoTIFF: quick, for files that do not outlive a step."""
    with _create(path, Output(path, data), data.odc.geobox) as target:
        top = 0
        for height in data.data.chunks[1]:
            window = Window(0, top, data.sizes["x"], height)
            target.write(np.asarray(data.data[:, top : top + height]), window=window)
            top += height


def _to_cog(source: Path, target: Path, output: Output) -> None:
    codes = np.dtype(output.dtype).kind in "iu" and output.scale == 1
    rasterio.shutil.copy(
        source,
        target,
        driver="COG",
        compress="deflate",
        predictor="no" if codes else "yes",
        blocksize=512,
        overview_resampling="nearest" if codes else "average",
        statistics="no" if output.colours else "yes",
        bigtiff="if_safer",
        num_threads="all_cpus",
    )


def reflectance(path: Path, data: xr.DataArray, **tags: str) -> Output:
    """Describe a reflectance raster (0–1) to be written as int16 × 0.0001 with nodata −32768."""
    return Output(path, data, "int16", REFLECTANCE_NODATA, REFLECTANCE_SCALE, tags=tags)
