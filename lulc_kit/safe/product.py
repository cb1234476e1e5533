"""Sentinel-2 products in SAFE format, L1C and L2A, old and new: metadata, and bands as reflectance.

Band names are B1, B2, …, B8, B8A, B9, …, B12. Everything that decides on radiometry is read from the
metadata, never guessed from a date: reprocessed products of old dates carry an offset too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import rasterio
import rioxarray  # noqa: F401  (registers the .rio accessor)
import xarray as xr
from rasterio.errors import RasterioError
from rasterio.windows import Window

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.safe import manifest
from lulc_kit.safe.metadata import Band, CloudMask, Product, read_metadata, tiles_of
from lulc_kit.safe.source import is_metadata, open_source

__all__ = [
    "Band",
    "CloudMask",
    "Product",
    "image",
    "open_product",
    "open_products",
    "open_tiles",
    "read_bands",
    "read_scl",
    "verify",
]


def open_product(path: str | Path, tile: str | None = None) -> Product:
    """Read the metadata of a product; no image is opened.

    Parameters
    ----------
    path
        A .SAFE folder, its main XML file, or a zip archive of one product (which is not unpacked).
    tile
        Which tile of a product of before December 2016 that holds several; not needed otherwise.

    Returns
    -------
    Product

    Raises
    ------
    LulcError
        If the product is incomplete, contradicts itself, or is unsafe to read.

    Examples
    --------
    >>> product = open_product("S2A_MSIL1C_20230615T101031_N0509_R022_T33UVU_20230615T142331.SAFE")
    >>> product.level, product.tile, product.processing_baseline, len(product.bands)
    ('L1C', '33UVU', '05.09', 13)
    """
    source = open_source(path)
    try:
        return read_metadata(source, tile)
    except (ValueError, IndexError, OverflowError) as error:
        raise LulcError(
            f"The metadata of {source.path} are malformed ({error}); expected Sentinel-2 metadata of L1C or "
            "L2A. Fetch the product again."
        ) from error


def open_tiles(path: str | Path) -> list[Product]:
    """Read the metadata of every tile of a product: one, or several in a product of before December 2016.

    Parameters
    ----------
    path
        As for `open_product`.

    Raises
    ------
    LulcError
        As `open_product`.
    """
    return [open_product(path, tile) for tile in tiles_of(open_source(path))]


def open_products(folder: str | Path) -> list[Product]:
    """Open all products in a folder, each tile by itself, in the order of time and tile.

    Parameters
    ----------
    folder
        Holds .SAFE folders and zip archives; other files are passed over.

    Returns
    -------
    list of Product

    Raises
    ------
    LulcError
        If there is no such folder or no product in it, or one acquisition of one tile is there twice (in two
        processing baselines, or as a folder and as its archive).
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise LulcError(f"{folder} does not exist, or is no folder; expected a folder with Sentinel-2 products in it.")
    found = [
        path
        for path in sorted(folder.glob("*"))
        if path.suffix.lower() == ".zip"
        or (path.is_dir() and any(is_metadata(file.name) for file in path.glob("*.xml")))
    ]
    if not found:
        raise LulcError(f"{folder} holds no Sentinel-2 product; expected .SAFE folders or zip archives of them.")
    products = [product for path in found for product in open_tiles(path)]
    seen: dict[tuple[object, ...], Product] = {}
    for product in products:
        key = (product.tile, product.sensing.replace(microsecond=0), product.level)
        if key in seen:
            other = seen[key]
            raise LulcError(
                f"Tile {product.tile} of {product.sensing:%Y-%m-%d} is there twice: {other.path.name} "
                f"(baseline {other.processing_baseline}) and {product.path.name} (baseline "
                f"{product.processing_baseline}); expected one. Move one away, preferably the older baseline."
            )
        seen[key] = product
    return sorted(products, key=lambda product: (product.sensing, product.tile))


def read_bands(product: Product, names: Sequence[str], chunks: int = 2048) -> xr.DataArray:
    """Bands of a product as calibrated reflectance, read when computed.

    Parameters
    ----------
    product
        From `open_product`.
    names
        Bands of the same native resolution, such as ``["B2", "B3", "B4", "B8"]``.
    chunks
        Edge of a dask block in pixels.

    Returns
    -------
    xarray.DataArray
        (band, y, x) float32, reflectance (DN + offset) / quantification. No data (DN 0, before the offset)
        and saturated pixels are NaN. Attributes tell the product, its baseline and what was applied.

    Raises
    ------
    LulcError
        Now: if a band is missing, or the bands differ in resolution. When computed: if an image cannot be
        decoded.
    """
    resolution = _common_resolution(product, names)
    shape = product.shapes[resolution]
    scale, invalid = product.quantification, (product.nodata, product.saturated)
    layers = []
    for name in names:
        band = product.bands[name]
        numbers = _lazy(_checked(product, name, resolution, band.images.get(resolution))[0], shape, "uint16", chunks)
        layers.append(da.map_blocks(_reflectance, numbers, band.offset, scale, invalid, dtype="float32"))
    attributes = {
        "product": product.name,
        "level": product.level,
        "processing_baseline": product.processing_baseline,
        "applied_offset": [product.bands[name].offset for name in names],
        "quantification": product.quantification,
        "simulated": int(product.simulated),
    }
    array = _placed(product, da.stack(layers), resolution, list(names))
    return array.assign_attrs(attributes)


def read_scl(product: Product, chunks: int = 2048) -> xr.DataArray:
    """The scene classification of an L2A product, read when computed.

    Returns
    -------
    xarray.DataArray
        (y, x) uint8, values 0–11, 0 = no data.

    Raises
    ------
    LulcError
        If the product has none.
    """
    if product.scl is None:
        raise LulcError(
            f"{product.name} has no scene classification (SCL); expected an L2A product with SCL_20m.jp2. "
            "Use the spectral cloud test for L1C, or fetch the product again."
        )
    resolution = 60 if product.scl.endswith("_60m.jp2") else 20
    values = _lazy(product.scl, product.shapes[resolution], "uint8", chunks)
    return _placed(product, values[None], resolution, ["SCL"])[0]


def verify(product: Product) -> int:
    """Compare the files of a product with the checksums in its manifest.

    A damaged image does not always fail to decode: a few wrong bytes may become a few wrong pixels. This
    reads every file once.

    Parameters
    ----------
    product
        From `open_product`.

    Returns
    -------
    int
        Number of files that were compared; files that are not there are passed over.

    Raises
    ------
    LulcError
        If the product has no manifest, or a file differs from it.
    """
    source = open_source(product.path)
    if "manifest.safe" not in source.files:
        raise LulcError(f"{product.path} has no manifest.safe, so that its files cannot be compared with anything.")
    listed = manifest.checksums(source)
    damaged = [name for name, checksum in listed.items() if source.digest(name, checksum.kind) != checksum.digest]
    if damaged:
        raise LulcError(
            f"{len(damaged)} of {len(listed)} files in {product.path} differ from the manifest's checksums: "
            f"{', '.join(damaged[:5])}. Fetch the product again."
        )
    return len(listed)


def _common_resolution(product: Product, names: Sequence[str]) -> int:
    if not names:
        raise LulcError("No band was asked for; expected names such as ['B2', 'B3', 'B4'].")
    unknown = [name for name in names if name not in product.bands]
    if unknown:
        raise LulcError(
            f"{', '.join(unknown)} is not among the bands of {product.name}; expected names of "
            f"{', '.join(product.bands)}."
        )
    resolutions = {product.bands[name].resolution for name in names}
    if len(resolutions) > 1:
        groups = "; ".join(
            f"{step} m: {', '.join(name for name in names if product.bands[name].resolution == step)}"
            for step in sorted(resolutions)
        )
        raise LulcError(f"The bands have different resolutions ({groups}); read each group by itself, or sharpen.")
    return resolutions.pop()


def image(product: Product, name: str) -> tuple[str, raster.Header]:
    """Find the finest image of a band, or of the scene classification, and look at its header.

    Parameters
    ----------
    product
        From `open_product`.
    name
        Such as ``"B8A"``, or ``"SCL"``.

    Returns
    -------
    str
        The name by which GDAL opens it.
    lulc_kit.raster.Header
        What the image itself says.

    Raises
    ------
    LulcError
        If it is missing, unreadable, or of another size or place than the metadata say.
    """
    if name == "SCL" and product.scl:
        return _checked(product, name, 60 if product.scl.endswith("_60m.jp2") else 20, product.scl)
    band = product.bands[name]
    resolution = min(band.images, default=band.resolution)
    return _checked(product, name, resolution, band.images.get(resolution))


def _checked(product: Product, name: str, resolution: int, path: str | None) -> tuple[str, raster.Header]:
    if path is None:
        raise LulcError(
            f"{product.name} lists no image of {name} at {resolution} m; the product is incomplete. Fetch it again."
        )
    try:
        header = raster.header(path)
    except LulcError:
        raise LulcError(
            f"The image of {name} is missing or unreadable: {path}; expected the file that the metadata of "
            f"{product.name} list. Fetch the product again."
        ) from None
    shape, transform, crs = header.geobox.shape, header.geobox.affine, header.geobox.crs
    if shape != product.shapes[resolution]:
        raise LulcError(
            f"{path} has {shape[0]}×{shape[1]} pixels; the metadata of {product.name} say "
            f"{product.shapes[resolution][0]}×{product.shapes[resolution][1]}. Fetch the product again."
        )
    place = product.transforms[resolution]
    if not transform.almost_equals(place, 0.01) or crs != product.crs:
        raise LulcError(
            f"{path} lies at {transform.c:.0f} {transform.f:.0f} in {crs}; the metadata of {product.name} say "
            f"{place.c:.0f} {place.f:.0f} in {product.crs}: it is the image of another tile. Fetch the product again."
        )
    return path, header


def _lazy(path: str, shape: tuple[int, int], dtype: str, chunks: int) -> da.Array:
    template = da.zeros(shape, chunks=chunks, dtype=dtype)
    return da.map_blocks(_read_block, path=path, kind=dtype, chunks=template.chunks, meta=np.empty((0, 0), dtype))


def _read_block(path: str, kind: str, block_info: Any = None) -> np.ndarray:
    (top, bottom), (left, right) = block_info[None]["array-location"]
    try:
        # Decoding in several threads, which is GDAL's default, it passes damaged tiles on as noise without an
        # error; dask reads several blocks at a time instead.
        with rasterio.Env(GDAL_NUM_THREADS="1"), rasterio.open(path) as file:
            return file.read(1, window=Window(left, top, right - left, bottom - top)).astype(kind, copy=False)
    except RasterioError as error:
        raise LulcError(
            f"{path} cannot be decoded in rows {top}–{bottom}, columns {left}–{right} "
            f"({error.__cause__ or error}); the file is damaged. Fetch the product again."
        ) from None


def _reflectance(numbers: np.ndarray, offset: float, quantification: float, invalid: tuple[int, int]) -> np.ndarray:
    value = (numbers.astype(np.float32) + np.float32(offset)) / np.float32(quantification)
    value[np.isin(numbers, invalid)] = np.nan
    return value


def _placed(product: Product, values: da.Array, resolution: int, names: list[str]) -> xr.DataArray:
    transform = product.transforms[resolution]
    rows, columns = product.shapes[resolution]
    array = xr.DataArray(
        values,
        dims=("band", "y", "x"),
        coords={
            "band": names,
            "y": transform.f + transform.e * (np.arange(rows) + 0.5),
            "x": transform.c + transform.a * (np.arange(columns) + 0.5),
        },
        name="reflectance" if names != ["SCL"] else "scl",
    )
    return array.rio.write_crs(product.crs).rio.write_transform(transform)
