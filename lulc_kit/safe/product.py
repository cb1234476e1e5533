"""Sentinel-2 products in SAFE format, L1C and L2A, old and new: their metadata, and where their images are.

Everything that decides on radiometry is read from the
metadata, never guessed from a date: reprocessed products of old dates carry an offset too.
"""

from pathlib import Path

from lulc_kit import raster
from lulc_kit.errors import FormatError, LulcError, MissingFileError
from lulc_kit.safe.metadata import Product, read_metadata, tiles_of
from lulc_kit.safe.source import is_metadata, open_source


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
        raise FormatError(
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
        raise MissingFileError(
            f"{folder} does not exist, or is no folder; expected a folder with Sentinel-2 products in it."
        )
    found = _paths(folder)
    if not found:
        raise MissingFileError(f"{folder} holds no Sentinel-2 product; expected .SAFE folders or zip archives of them.")
    products = [product for path in found for product in open_tiles(path)]
    seen: dict[tuple[object, ...], Product] = {}
    for product in products:
        key = (product.tile, product.sensing.replace(microsecond=0), product.level)
        if key in seen:
            other = seen[key]
            raise FormatError(
                f"Tile {product.tile} of {product.sensing:%Y-%m-%d} is there twice: {other.path.name} "
                f"(baseline {other.processing_baseline}) and {product.path.name} (baseline "
                f"{product.processing_baseline}); expected one. Move one away, preferably the older baseline."
            )
        seen[key] = product
    return sorted(products, key=lambda product: (product.sensing, product.tile))


def has_products(folder: Path) -> bool:
    """Whether a folder holds SAFE folders or zip archives; they are not opened."""
    return folder.is_dir() and bool(_paths(folder))


def _paths(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.glob("[!.]*"))  # macOS leaves ._ files beside everything
        if path.suffix.lower() == ".zip"
        or (path.is_dir() and any(is_metadata(file.name) for file in path.glob("*.xml")))
    ]


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
        raise MissingFileError(
            f"{product.name} lists no image of {name} at {resolution} m; the product is incomplete. Fetch it again."
        )
    try:
        header = raster.header(path)
    except LulcError:
        raise MissingFileError(
            f"The image of {name} is missing or unreadable: {path}; expected the file that the metadata of "
            f"{product.name} list. Fetch the product again."
        ) from None
    shape, transform, crs = header.geobox.shape, header.geobox.affine, header.geobox.crs
    if shape != product.shapes[resolution]:
        raise FormatError(
            f"{path} has {shape[0]}×{shape[1]} pixels; the metadata of {product.name} say "
            f"{product.shapes[resolution][0]}×{product.shapes[resolution][1]}. Fetch the product again."
        )
    place = product.transforms[resolution]
    if not transform.almost_equals(place, 0.01) or crs != product.crs:
        raise FormatError(
            f"{path} lies at {transform.c:.0f} {transform.f:.0f} in {crs}; the metadata of {product.name} say "
            f"{place.c:.0f} {place.f:.0f} in {product.crs}: it is the image of another tile. Fetch the product again."
        )
    return path, header
