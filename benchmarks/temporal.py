"""Statistics over the dates of a cube: ours, the reading alone, and xarray's quantile on dask, in one run.

    python -m benchmarks.temporal [--side 4096] [--dates 12]

Ten bands of int16 on every date, as notebook 02 writes them, with a third of the pixels masked. Six statistics of four
layers (three bands and NDVI). Reading is all dates, bands and masks, twice, block by block, computing nothing but a
sum: what the issue of this benchmark allows. xarray computes three percentiles of the same layers (it has no single
pass for the others). Memory is what is taken beyond the start.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import xarray as xr

from benchmarks import report
from benchmarks.sharpen import Peak
from lulc_kit import params, raster
from lulc_kit.cube import Cube
from lulc_kit.features import results
from lulc_kit.layout import CubeLayout, Layout
from lulc_kit.raster import writing
from tests.rasters import grid

BANDS = ["B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12"]
LAYERS = ["B4", "B8", "B11", "NDVI"]
STATISTICS = ["p10", "p50", "p90", "mean", "std", "max_day"]


def make(folder: Path, side: int, dates: int) -> Layout:
    """Write a cube of made-up numbers."""
    layout, random = Layout(folder), da.random.default_rng(1)
    for k in range(dates):
        day = f"2021-{k % 12 + 1:02d}-{1 + k // 12:02d}"
        numbers = random.uniform(0.02, 0.5, (len(BANDS), side, side), chunks=(-1, 512, 512)).astype(np.float32)
        writing.write_all([writing.reflectance(layout.image(day), raster.array(numbers, grid((side, side)), BANDS))])
        cloud = (random.random((1, side, side), chunks=(-1, 512, 512)) < 1 / 3).astype(np.uint8) * np.uint8(2)
        mask = raster.array(cloud, grid((side, side)), ["mask"])
        writing.write(CubeLayout(layout.cube).mask(day), mask, dtype="uint8", nodata=None)
    return layout


def read(cube: Cube) -> None:
    """Read everything once."""
    dask.compute(*(cube.clear(date).data.sum() for date in cube.dates))


def peer(cube: Cube) -> None:
    """Three percentiles by xarray on dask."""
    images = []
    for date in cube.dates:
        image = cube.clear(date, ["B4", "B8", "B11"])
        red, infrared = image.sel(band="B4"), image.sel(band="B8")
        ndvi = ((infrared - red) / (infrared + red)).expand_dims(band=["NDVI"])
        images.append(xr.concat([image, ndvi], "band"))
    stacked = xr.concat(images, "time").chunk({"time": -1, "y": 512, "x": 512})
    stacked.quantile([0.1, 0.5, 0.9], "time", skipna=True).data.sum().compute()


def measure(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds and gigabytes."""
    start = time.perf_counter()
    with Peak() as peak:
        work()
    return time.perf_counter() - start, peak.gigabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096, help="rows and columns, pixels")
    parser.add_argument("--dates", type=int, default=12)
    arguments = parser.parse_args()
    asked = {"time_layers": LAYERS, "time_statistics": STATISTICS, "study": "made"}
    with tempfile.TemporaryDirectory() as name:
        small = make(Path(name) / "small", 512, 3)
        p = params.Features.check(asked, "04_features")
        results.time(p, small)  # compiles
        layout = make(Path(name) / "large", arguments.side, arguments.dates)
        cube = Cube(layout.cube)
        twice = measure(lambda: (read(cube), read(cube)))
        ours = measure(lambda: results.time(p, layout))
        theirs = measure(lambda: peer(cube))
    rows = [
        ["every band and mask read twice", *twice, 1.0],
        ["lulc_kit: six statistics of four layers, written", *ours, ours[0] / twice[0]],
        ["xarray on dask: three percentiles of four layers, not written", *theirs, theirs[0] / twice[0]],
    ]
    note = f"{arguments.dates} dates of {arguments.side}×{arguments.side} pixels and {len(BANDS)} bands; made-up data."
    report.publish("temporal", "Statistics over time", ["what", "seconds", "peak memory, GB", "× reading"], rows, note)


if __name__ == "__main__":
    main()
