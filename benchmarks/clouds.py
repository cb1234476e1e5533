"""Masks of clouds on the real Level-1C scene that comes with the kit, side by side: no labels, but light tells.

    python -m benchmarks.clouds

What a mask calls shadow on forest and water (OpenStreetMap's polygons) ought to be darker than what no mask marks.
The extra csmask has to be installed.
"""

import dataclasses
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
from rasterio.features import rasterize

from lulc_kit import raster
from lulc_kit.cube import Reason
from lulc_kit.download import sample
from lulc_kit.layout import CubeLayout, Layout
from lulc_kit.preprocess import builder, radiometry
from lulc_kit.preprocess.grid import study_grid

FOUR = ("B2", "B3", "B4", "B8")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        catalog = sample.catalog("havelland", Layout(Path(folder)))
        (scene,) = catalog.scenes
        grid = study_grid(catalog)
        four = dataclasses.replace(scene, bands={name: scene.bands[name] for name in FOUR})
        found = {}
        for name, mask, what in (
            ("spectral", "spectral", scene),
            ("csmask, 6 bands", "csmask", scene),
            ("csmask, 4 bands", "csmask", four),
        ):
            start = time.perf_counter()
            cube = CubeLayout(Path(folder) / name)
            one = dataclasses.replace(catalog, scenes=[what])
            builder.build(one, grid, cube.folder, mask=mask, mask_buffer=0, sharpen=False)
            found[name] = raster.read_codes(cube.mask(scene.date)).to_numpy()[0]
            parts = (f"{r.name.lower()} {(found[name] == r).mean():.1%}" for r in (Reason.CLOUD, Reason.SHADOW))
            print(f"{name}: {', '.join(parts)}; {time.perf_counter() - start:.0f} s with all else of 02")
        light = {name: radiometry.on_grid(scene.bands[name], grid).compute() for name in ("B8", "B11")}
        polygons = gpd.read_file(catalog.ancillary["reference"]).to_crs(grid.crs)
        clear = np.all([codes == Reason.CLEAR for codes in found.values()], axis=0)
        for kind in ("forest", "water"):
            shapes = polygons.geometry[polygons["fclass"] == kind]
            inside = rasterize(shapes, out_shape=grid.shape, transform=grid.affine).astype(bool)
            rows = {"no mask marks it": clear & inside}
            marked = np.zeros_like(clear)
            for name, codes in found.items():  # each, less what those before it call shadow or cloud
                rows[f"shadow of {name} first"] = inside & (codes == Reason.SHADOW) & ~marked
                marked |= codes != Reason.CLEAR
                print(f"{kind}: {(codes[inside] == Reason.SHADOW).mean():.0%} shadow of {name}")
            for name, where in rows.items():
                medians = ", ".join(f"{band} {np.median(image[where]):.3f}" for band, image in light.items())
                print(f"{kind}: {name}: {where.sum()} pixels, medians {medians}")


if __name__ == "__main__":
    main()
