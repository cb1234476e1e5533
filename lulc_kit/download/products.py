"""Whole Sentinel-2 products (SAFE folders or zip archives) described as a catalog."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from lulc_kit import files
from lulc_kit.catalog import Catalog
from lulc_kit.errors import FormatError
from lulc_kit.safe import eopf
from lulc_kit.safe.product import has_products, open_products
from lulc_kit.safe.scene import describe

SIMULATED = "SIMULATED data, made by lulc_kit: a teaching and testing instrument that says nothing about the earth."


def catalog(folder: str, ancillary: Mapping[str, Path], copies: Path) -> Catalog:
    """Describe the products in a folder, SAFE or EOPF Zarr; they stay where they are and are only read.

    Parameters
    ----------
    folder
        As the parameters name it.
    ancillary
        The files beside the scenes, by role.
    copies
        Where plain copies of products in EOPF Zarr are to be.

    Raises
    ------
    LulcError
        If there is no product, one is broken, one acquisition is there in two processing baselines, or simulated
        products are among real ones.
    """
    place = files.resolve(folder)
    zarrs = eopf.find(place)
    found = [] if zarrs and not has_products(place) else open_products(place)
    made_up = [product.path.name for product in found if product.simulated]
    if made_up and len(made_up) < len(found):
        raise FormatError(
            f"{len(made_up)} of {len(found)} products in {folder} are simulated, the first is {made_up[0]}; "
            f"expected real products only, or simulated ones only. Keep them in folders of their own."
        )
    scenes = [describe(product) for product in found] + [eopf.describe(path, copies) for path in zarrs]
    names = Counter((scene.tile, scene.time[:19], scene.level) for scene in scenes)
    if (twice := names.most_common(1)[0])[1] > 1:
        raise FormatError(
            f"Tile {twice[0][0]} of {twice[0][1]} is there twice in {folder}, as SAFE and as Zarr or in two processing "
            f"baselines; expected one. Move one away."
        )
    years = sorted({scene.date[:4] for scene in scenes})
    real = f"Contains modified Copernicus Sentinel data {'–'.join(dict.fromkeys((years[0], years[-1])))}."
    return Catalog(scenes, ancillary, SIMULATED if made_up else real)
