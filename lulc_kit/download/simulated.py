"""The simulated study as a source of scenes: its products are made in the study's folder and described from there."""

from lulc_kit.catalog import Catalog
from lulc_kit.download.products import SIMULATED
from lulc_kit.layout import Layout
from lulc_kit.safe.product import open_products
from lulc_kit.safe.scene import describe
from lulc_kit.simulated import simulate

__all__ = ["catalog", "simulate"]


def catalog(layout: Layout, *, size: int, tiles: int, seed: int, later: bool = False) -> Catalog:
    """Make the products, and describe them; see `lulc_kit.simulated` for what the numbers mean."""
    made = simulate(layout.folder, size=size, tiles=tiles, seed=seed, later=later)
    scenes = [describe(product) for product in open_products(layout.scenes)]
    return Catalog(scenes, {"reference": made.training, "dem": made.dem, "roads": made.roads}, SIMULATED)
