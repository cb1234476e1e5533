"""Whole Sentinel-2 products (SAFE folders or zip archives), and simulated ones, described as a catalog."""

from pathlib import Path

from lulc_kit import params, study
from lulc_kit.catalog import Catalog
from lulc_kit.download import own_files
from lulc_kit.safe.product import open_products
from lulc_kit.safe.scene import describe

SIMULATED = "SIMULATED data, made by lulc_kit: a teaching and testing instrument that says nothing about the earth."


def catalog(p: params.Download) -> Catalog:
    """Describe the products in a folder; they stay where they are and are only read.

    Raises
    ------
    LulcError
        If there is no product, one is broken, or one acquisition is there in two processing baselines.
    """
    assert p.products is not None
    scenes = [describe(product) for product in open_products(study.resolve(p.products))]
    years = sorted({scene.date[:4] for scene in scenes})
    return Catalog(
        scenes, own_files.ancillary(p), f"Contains modified Copernicus Sentinel data {'–'.join({years[0], years[-1]})}."
    )


def simulated(p: params.Download, folder: Path) -> Catalog:
    """Make the simulated study's products in the study's folder, and describe them."""
    from lulc_kit.download.simulated import simulate

    made = simulate(folder, size=p.size, tiles=p.tiles, seed=p.seed)
    scenes = [describe(product) for product in open_products(folder / "scenes")]
    return Catalog(scenes, {"reference": made.training, "dem": made.dem, "roads": made.roads}, SIMULATED)
