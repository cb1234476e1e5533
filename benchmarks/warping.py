"""Bringing rasters from other coordinate systems onto a tile's grid: the kit's warper against GDAL's exact one.

    python -m benchmarks.warping [--side 10980]

What the kit would do without its own warper is what it does for kernels that this has not: GDAL block by block,
every pixel's place computed. Beside it GDAL on the whole grid at once, and once more with places that may be wrong
by a thousandth of a pixel, which then depend on how the grid is cut. Two inputs: an elevation model of one arc second
in degrees, for notebook 04, and a band of 10 m from the next UTM zone, for notebook 02, where each of 12 bands takes
that long. The shares of a step are of ``docs/benchmarks/features.json``, whose elevation model lies in the tile's own
zone and needs no warper, and of ``docs/benchmarks/preprocess.json``.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from benchmarks import report
from benchmarks.terrain import simulate
from lulc_kit.raster import warping

TILE = 10980
THREADS = 2
DEM, BAND, OURS = "elevation, cubic", "band, bilinear", "the kit's"
WORDS = (
    "Times are of processors; those of the notebooks are from the machines that their own pages name. Differences are "
    "of metres, or of whole numbers (reflectance × 10,000)."
)
FILL = -9999.0
"""The kit's own warper knows only NaN: with any other number GDAL does the work."""


def band(path: Path, box: GeoBox) -> None:
    """Write a band of reflectance, 10 m, in the zone west of a grid's, that covers the grid."""
    extent = box.extent.to_crs("EPSG:32632").boundingbox
    columns, rows = (int(n / 10) + 20 for n in (extent.right - extent.left, extent.top - extent.bottom))
    affine = Affine(10, 0, extent.left // 10 * 10 - 100, 0, -10, extent.top // 10 * 10 + 100)
    numbers = np.random.default_rng(0).integers(200, 6000, (rows, columns), np.uint16)
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint16", "nodata": 0, "crs": "EPSG:32632", "tiled": True}
    with rasterio.open(path, "w", width=columns, height=rows, transform=affine, **profile) as file:
        file.write(numbers, 1)


def kit(path: Path, box: GeoBox, kernel: str) -> np.ndarray:
    return warping.warp(path, box, resampling=kernel).compute(num_workers=THREADS)


def gdal_blocks(path: Path, box: GeoBox, kernel: str) -> np.ndarray:
    return warping.warp(path, box, resampling=kernel, fill=FILL).compute(num_workers=THREADS)


def gdal_whole(path: Path, box: GeoBox, kernel: str, tolerance: float) -> np.ndarray:
    assert box.crs is not None
    grid = {"crs": box.crs.to_wkt(), "transform": box.affine, "width": box.width, "height": box.height}
    # By itself GDAL takes the turned square for a coarser grid, and smooths.
    kernels = {"XSCALE": 1.0, "YSCALE": 1.0, "SOURCE_EXTRA": 8, "NUM_THREADS": THREADS}
    how: dict[str, Any] = {"resampling": Resampling[kernel], "dtype": "float32", "nodata": FILL, "tolerance": tolerance}
    with rasterio.open(path) as source, WarpedVRT(source, **grid, **how, **kernels) as warped:
        return warped.read(1)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference where both have numbers."""
    return float(np.nanmax(np.abs(one - np.where(other == FILL, np.nan, other))))


WAYS: dict[str, Callable[[Path, GeoBox, str], np.ndarray]] = {
    OURS: kit,
    "GDAL exact, block by block": gdal_blocks,
    "GDAL exact, at once": partial(gdal_whole, tolerance=1e-9),
    "GDAL within 1/1000 pixel, at once": partial(gdal_whole, tolerance=1e-3),
}


def measure(
    warp: Callable[[Path, GeoBox, str], np.ndarray], path: Path, box: GeoBox, kernel: str
) -> tuple[np.ndarray, float, float]:
    """Return what one way makes of a file, and its seconds: by the clock, and of processors."""
    start = time.perf_counter(), time.process_time()
    out = warp(path, box, kernel)
    return out, time.perf_counter() - start[0], time.process_time() - start[1]


def shares(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Say what the kit's warper saves of a whole step, in processor seconds: a busy machine does not change them."""
    used = {(what, way): float(seconds) for what, way, _, seconds, *_ in rows}
    said = []
    for what, times, step, name, column in (
        (DEM, 1, "04", "features", "processor seconds"),
        (BAND, 12, "02", "preprocess", "processor, s"),
    ):
        whole = json.loads((report.DOCS / f"{name}.json").read_text(encoding="utf-8"))["rows"][-1][column]
        for instead in ("exact", "within 1/1000 pixel"):
            other = min(seconds for (of, way), seconds in used.items() if of == what and instead in way)
            saved = times * (other - used[what, OURS])
            said.append(
                f"{what}, {times} of them: against GDAL {instead} {saved:.0f} s of processors are saved, "
                f"{saved / (whole + saved):.0%} of notebook {step} without it ({whole:.0f} s and these)."
            )
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=TILE, help="side of the grid, pixels")
    arguments = parser.parse_args()
    # West of its zone, where the next one's tiles overlap.
    box = GeoBox((arguments.side, arguments.side), Affine(10, 0, 300_000, 0, -10, 5_800_000), "EPSG:32633")
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as name:
        for what, make, kernel in ((DEM, simulate, "cubic"), (BAND, band, "bilinear")):
            path = Path(name) / "input.tif"
            make(path, box)
            kit(path, box[:100, :100], kernel)  # compiles
            measured = {way: measure(warp, path, box, kernel) for way, warp in WAYS.items()}
            mine = measured[OURS]
            for way, (out, seconds, used) in measured.items():
                rows.append([what, way, seconds, used, used / mine[2], apart(mine[0], out)])
    report.publish(
        "warping",
        f"Warping onto {arguments.side}×{arguments.side} pixels, {THREADS} threads",
        ["what", "how", "seconds", "processor seconds", "times the kit's", "largest difference to the kit's"],
        rows,
        "\n".join([*(shares(rows) if arguments.side == TILE else []), WORDS]),
    )


if __name__ == "__main__":
    main()
