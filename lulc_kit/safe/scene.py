"""A product as a scene of the catalog: what notebook 01 describes, and what notebook 02 gets back from Sen2Cor."""

import datetime as dt
import math
import zipfile
from pathlib import Path

from lulc_kit import files
from lulc_kit.catalog import Band, Scene
from lulc_kit.safe.metadata import Product
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
    return Scene(
        product.sensing.astimezone(dt.UTC).isoformat().replace("+00:00", "Z"),
        product.level,
        {name: describe_band(product, name) for name in product.bands},
        scl=describe_band(product, "SCL") if product.scl else None,
        sun_azimuth=_known(product.sun_azimuth),
        sun_zenith=_known(product.sun_zenith),
        baseline=product.processing_baseline,
        tile=product.tile,
        product=product.path.absolute(),
        clouds=_present(product.cloud_mask),
        picture=_present(product.picture),
        quality=_quality(product),
        platform=product.satellite.lower(),
        orbit=product.orbit,
    )


def describe_band(product: Product, name: str) -> Band:
    """Describe one band of a product in its finest image, or its scene classification (``"SCL"``); see `describe`."""
    path, header = image(product, name)
    if name == "SCL":
        return Band.of(Path(path), nodata=0, header=header)
    scale, offset = 1 / product.quantification, product.bands[name].offset / product.quantification
    return Band.of(Path(path), 1, scale, offset, product.nodata, product.saturated, header)


def _present(mask: str | None) -> Path | None:
    # Partial downloads often lack the folder QI_DATA, and nothing else needs it.
    if mask is None:
        return None
    inside = files.split_archive(mask)
    if inside is None:
        return Path(mask) if Path(mask).is_file() else None
    with zipfile.ZipFile(inside[0]) as archive:
        return Path(mask) if inside[1] in archive.namelist() else None


def _known(angle: float) -> float | None:
    return None if math.isnan(angle) else angle


def _quality(product: Product) -> dict[str, float | str]:
    numbers = {"cloud_percentage": product.cloud_percentage, "degraded_percentage": product.degraded_percentage}
    return {name: value for name, value in numbers.items() if not math.isnan(value)} | dict(product.quality)
