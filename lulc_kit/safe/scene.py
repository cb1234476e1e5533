"""A product as a scene of the catalog: what notebook 01 describes, and what notebook 02 gets back from Sen2Cor."""

import math
import zipfile
from pathlib import Path

from lulc_kit import files
from lulc_kit.catalog import Band, Scene
from lulc_kit.safe.metadata import CloudMask, Product
from lulc_kit.safe.product import image


def describe(product: Product) -> Scene:
    """Describe a product, after a look at the header of each of its images.

    Parameters
    ----------
    product
        From `open_product`.

    Returns
    -------
    lulc_kit.catalog.Scene
        Each band in its finest image, with scale, offset and nodata as the metadata declare them; the scene
        classification, the product's own cloud mask and its quality flags where there are any.

    Raises
    ------
    LulcError
        If the image of a band, or the scene classification, is missing, unreadable, or of another size than the
        metadata say.
    """
    bands = {}
    for name, band in product.bands.items():
        path, header = image(product, name)
        scale, offset = 1 / product.quantification, band.offset / product.quantification
        bands[name] = Band.of(Path(path), 1, scale, offset, product.nodata, product.saturated, header)
    scl = image(product, "SCL") if product.scl else None
    return Scene(
        product.sensing.date().isoformat(),
        product.level,
        bands,
        scl=Band.of(Path(scl[0]), nodata=0, header=scl[1]) if scl else None,
        sun_azimuth=product.sun_azimuth,
        sun_zenith=product.sun_zenith,
        baseline=product.processing_baseline,
        tile=product.tile,
        product=product.path.absolute(),
        clouds=_present(product.cloud_mask),
        quality=_quality(product),
    )


def _present(mask: CloudMask | None) -> Path | None:
    # Partial downloads often lack the folder QI_DATA, and nothing else needs it.
    if mask is None:
        return None
    inside = files.split_archived(mask.path)
    if inside is None:
        return Path(mask.path) if Path(mask.path).is_file() else None
    with zipfile.ZipFile(inside[0]) as archive:
        return Path(mask.path) if inside[1] in archive.namelist() else None


def _quality(product: Product) -> dict[str, float | str]:
    numbers = {"cloud_percentage": product.cloud_percentage, "degraded_percentage": product.degraded_percentage}
    return {name: value for name, value in numbers.items() if not math.isnan(value)} | dict(product.quality)
