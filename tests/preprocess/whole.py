"""Whole products through notebooks 01 and 02, and clouds known by construction."""

from pathlib import Path
from typing import Any

import numpy as np

from lulc_kit import catalog, params
from lulc_kit.catalog import Catalog
from lulc_kit.cube import Reason
from lulc_kit.download import scenes as get_scenes
from lulc_kit.layout import Layout
from lulc_kit.preprocess import builder, composite, grid
from tests import products


def described(project: Path, folder: Path) -> Catalog:
    """Do what notebook 01 does, and read the catalog back as notebook 02 does."""
    p = params.Download.check({"study": "s", "source": "products", "products": str(folder)}, "here")
    found = get_scenes.get(p, Layout(project / "outputs/s"))
    catalog.write(project / "outputs/s/catalog.json", found)
    return catalog.read(project / "outputs/s/catalog.json")


def preprocess(project: Path, folder: Path, mask: str = "none", **options: Any) -> Path:
    """Do notebooks 01 and 02; return the cube's folder."""
    found = described(project, folder)
    geobox = grid.study_grid(found, options.pop("crs", None), options.pop("bbox", None))
    builder.build(found, geobox, project / "outputs/s/cube", mask=mask, scl_exclude=[3, 8, 9, 10], **options)
    composite.write(project / "outputs/s/cube")
    return project / "outputs/s/cube"


def rectangle(rows: tuple[int, int], columns: tuple[int, int], size: int = 60) -> list[tuple[float, float]]:
    """Corners of a rectangle of pixels of 60 m, as a closed ring."""
    left, right = (products.LEFT + size * c for c in columns)
    top, bottom = (products.TOP - size * r for r in rows)
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]


def layers() -> np.ndarray:
    """Opaque cloud, cirrus, snow; cirrus overlaps both others."""
    found = np.zeros((3, 20, 20), np.uint8)
    found[0, 2:6, 3:9], found[1, 4:12, 7:15], found[2, 10:14, 12:18] = 1, 1, 1
    return found


def expected(snow: bool) -> np.ndarray:
    codes = np.zeros((20, 20), np.uint8)
    if snow:
        codes[10:14, 12:18] = Reason.SNOW
    codes[4:12, 7:15] = Reason.CIRRUS
    codes[2:6, 3:9] = Reason.CLOUD
    return np.kron(codes, np.ones((6, 6), np.uint8))


POLYGONS = [("OPAQUE", rectangle((2, 6), (3, 9))), ("CIRRUS", rectangle((4, 12), (7, 15)))]


def nothing_half_written(project: Path) -> None:
    left = [f for f in (project / "outputs").rglob("*") if f.is_file() and f.name != "catalog.json"]
    assert left == []
