"""The whole of notebook 04, run as a user runs it: time and memory against the size of the scene.

    python -m benchmarks.features [--sizes 1 4 16 51 120] [--memory 3000]

For each size (megapixels; 51 is the source workflow's scene of 8187×6239, 120 a full tile) a composite of ten bands,
an elevation model and roads are simulated, and ``lulc run --only 04_features`` makes of them: the stack of 20 bands,
GLCM correlation and entropy of all ten bands in four directions, and the principal components of both. Time is that
of the whole command, start of Python and Jupyter included; memory the highest resident set of its kernel.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dask.array as da
import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import yaml
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely import LineString

from benchmarks import report
from lulc_kit import catalog, raster, sentinel2
from lulc_kit.raster import writing

BANDS = [name for name in sentinel2.MTF if sentinel2.BANDS[name].resolution < 60]
INDICES = ["NDVI", "NDRE", "EVI2", "BI2", "MNDWI", "NDBI"]
GROUND = ["DEM", "slope", "aspect", "road_distance"]
SHAPES = {51: (6239, 8187), 120: (10980, 10980)}


def shape_of(megapixels: int) -> tuple[int, int]:
    side = math.isqrt(megapixels * 1_000_000)
    return SHAPES.get(megapixels, (side, side))


def _fields(block_info: Any = None) -> np.ndarray:
    """Fields of their own brightness and grain, and noise."""
    (top, bottom), (left, right) = block_info[None]["array-location"][1:]
    rng = np.random.default_rng([top, left])
    shape = (bottom - top, right - left)
    small = rng.normal(size=(len(BANDS), shape[0] // 32 + 1, shape[1] // 32 + 1)).astype(np.float32)
    image = np.repeat(np.repeat(small, 32, axis=1), 32, axis=2)[:, : shape[0], : shape[1]] * 0.05
    image += rng.standard_normal(image.shape, np.float32) * 0.01
    return np.clip(image + 0.25, 0.001, 1)


def _hills(block_info: Any = None) -> np.ndarray:
    (top, bottom), (left, right) = block_info[None]["array-location"][1:]
    rows, columns = np.mgrid[top:bottom, left:right]
    return (200 + 100 * np.sin(rows / 40) * np.cos(columns / 55)).astype(np.float32)[None]


def simulate(folder: Path, shape: tuple[int, int]) -> None:
    """Write what the steps before 04 would have left."""
    grid = GeoBox(shape, Affine(10, 0, 500_000, 0, -10, 5_800_000), "EPSG:32650")
    chunks = da.core.normalize_chunks(raster.CHUNK, shape=shape)
    bands = da.map_blocks(
        _fields, chunks=((len(BANDS),), *chunks), dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)
    )
    writing.write_all([writing.reflectance(folder / "cube/composite.tif", raster.array(bands, grid, BANDS))])
    coarse = GeoBox(
        (shape[0] // 3 + 9, shape[1] // 3 + 9), grid.affine * Affine.translation(-9, -9) * Affine.scale(3), grid.crs
    )
    chunks = da.core.normalize_chunks(raster.CHUNK, shape=coarse.shape)
    hills = da.map_blocks(_hills, chunks=((1,), *chunks), dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))
    writing.write(folder / "dem.tif", raster.array(hills, coarse, ["elevation"]))
    box, rng = grid.boundingbox, np.random.default_rng(1)
    ends = rng.uniform((box.left, box.bottom), (box.right, box.top), (max(4, shape[0] // 100), 2, 2))
    gpd.GeoDataFrame(geometry=[LineString(pair) for pair in ends], crs=grid.crs).to_file(folder / "roads.gpkg")
    catalog.write(
        folder / "catalog.json", catalog.Catalog([], {"dem": folder / "dem.tif", "roads": folder / "roads.gpkg"})
    )


def measure(megapixels: int, memory: int) -> tuple[float, float, float]:
    """Return the seconds of the whole command, its processor seconds, and the kernel's peak memory in GB."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        simulate(home / "outputs/bench", shape_of(megapixels))
        (home / "bench").mkdir()
        parameters = {
            "study": "bench",
            "bands": BANDS,
            "indices": INDICES,
            "components": 3,
            "texture_bands": BANDS,
            "texture_features": ["correlation", "entropy"],
            "texture_components": 3,
            "stack": [*BANDS, *INDICES, *GROUND],
            "memory": memory,
        }
        (home / "bench/04_features.yaml").write_text(yaml.safe_dump(parameters))
        command = [Path(sys.executable).parent / "lulc", "run", str(home / "bench"), "--outputs", str(home / "outputs")]
        start, before = time.perf_counter(), _processor_seconds()
        subprocess.run(command, check=True)
        seconds, used = time.perf_counter() - start, _processor_seconds() - before
        record = json.loads((home / "outputs/bench/steps/04_features.json").read_text())
        return seconds, used, record["peak_memory_mb"] / 1e3


def _processor_seconds() -> float:
    """Of the processes that this one started and that have ended."""
    used = os.times()
    return used.children_user + used.children_system


def draw(path: Path, rows: list[list[Any]], memory: int) -> None:
    sizes, seconds, peaks = (np.array(c) for c in zip(*((r[0], r[2], r[4]) for r in rows), strict=True))
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    axes[0].plot(sizes, seconds / 60, "o-", color="#0072B2")
    axes[0].set(ylabel="time (min)", title="Time grows with the scene")
    axes[1].plot(sizes, peaks, "o-", color="#D55E00")
    axes[1].axhline(memory / 1e3, color="grey", linestyle=":")
    axes[1].annotate("the parameter memory", (sizes[-1], memory / 1e3), ha="right", va="top", color="grey")
    axes[1].set(ylabel="peak memory (GB)", title="Memory does not")
    for ax in axes:
        ax.set(xlabel="scene (megapixels)", xlim=(0, None), ylim=(0, None))
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 4, 16, 51, 120], help="megapixels")
    parser.add_argument("--memory", type=int, default=3000, help="the parameter memory, MB")
    arguments = parser.parse_args()
    rows = []
    for size in arguments.sizes:
        seconds, used, peak = measure(size, arguments.memory)
        pixels = math.prod(shape_of(size)) / 1e6
        rows.append([pixels, "×".join(map(str, shape_of(size)[::-1])), seconds, used, peak, pixels / seconds])
        print(rows[-1], flush=True)
    report.DOCS.mkdir(parents=True, exist_ok=True)
    draw(report.DOCS / "features.png", rows, arguments.memory)
    columns = ["Mpx", "columns×rows", "seconds", "processor seconds", "peak memory, GB", "Mpx/s"]
    title = f"The whole of 04, memory set to {arguments.memory} MB"
    report.publish("features", title, columns, rows, "![Time and memory](features.png)")


if __name__ == "__main__":
    main()
