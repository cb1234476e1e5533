"""Statistics over the dates of a cube: ours, the reading alone, xarray's quantile on dask and gdal_calc, in one run.

    python -m benchmarks.temporal [--side 4096] [--dates 12]

Ten bands of int16 on every date, as notebook 02 writes them, with a third of the pixels masked. Six statistics of four
layers (three bands and NDVI), once streamed to a plain file, once by notebook 04's own function, which also makes
overviews and a Cloud-Optimized GeoTIFF of them and opens what it wrote. Reading is all dates, bands and masks, twice,
block by block, computing nothing but a sum: what the issue of this benchmark allows. xarray computes three percentiles
of the same layers (it has no single pass for the others). gdal_calc.py (Debian's gdal-bin) writes the median of one
band, by numpy.nanmedian, and so do we beside it; the two files must be the same to a hundredth of the reflectance's
step. Of notebook 04's time it says how much goes to reading and to the statistics themselves. Memory is what is taken
beyond the start; processor seconds are those of all threads and programs, which others on the machine disturb less.
"""

import argparse
import resource
import shutil
import subprocess
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
from lulc_kit.features import results, temporal
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


def calc(layout: Layout, target: Path) -> None:
    """Write the median of B8 over the clear dates, by GDAL's calculator."""
    dates = Cube(layout.cube).dates
    images = ["-A", *(layout.image(date) for date in dates), f"--A_band={BANDS.index('B8') + 1}"]
    masks = ["-B", *(CubeLayout(layout.cube).mask(date) for date in dates), "--B_band=1"]
    seen = "numpy.where((B == 0) & (A != -32768), A * 0.0001, numpy.nan).astype(numpy.float32)"
    written = ["--type=Float32", "--NoDataValue=nan", "--hideNoData", f"--outfile={target}", "--overwrite", "--quiet"]
    command = ["gdal_calc.py", *images, *masks, f"--calc=numpy.nanmedian({seen}, axis=0)", *written]
    subprocess.run(command, check=True)


def opened(layout: Layout) -> tuple[list[xr.DataArray], xr.DataArray]:
    """Return the four layers of each date and their six statistics, lazily."""
    cube = Cube(layout.cube)
    series = [results.open_layers(cube, date, LAYERS) for date in cube.dates]
    return series, temporal.compute(series, cube.dates, STATISTICS, 1)


def processors() -> float:
    """Return the seconds that this process and its children have spent computing."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def measure(work: Callable[[], object]) -> tuple[float, float, float]:
    """Return seconds, seconds of processors, and gigabytes."""
    start, computed = time.perf_counter(), processors()
    with Peak() as peak:
        work()
    return time.perf_counter() - start, processors() - computed, peak.gigabytes


def share(layout: Layout) -> str:
    """Say how much of the processors' time goes to reading, how much to computing; writing is the rest."""
    series, found = opened(layout)
    _, read_only, _ = measure(lambda: dask.compute(*(image.data.sum() for image in series)))
    _, computed, _ = measure(lambda: found.data.sum().compute())
    return f"reading {read_only:.3g}, and statistics {computed - read_only:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096, help="rows and columns, pixels")
    parser.add_argument("--dates", type=int, default=12)
    arguments = parser.parse_args()
    if shutil.which("gdal_calc.py") is None:
        raise SystemExit("gdal_calc.py is not on the path: install it first (Debian: gdal-bin, python3-gdal).")
    p = params.Features.check({"time_layers": LAYERS, "time_statistics": STATISTICS, "study": "made"}, "04_features")
    median = params.Features.check({"time_layers": ["B8"], "time_statistics": ["p50"], "study": "made"}, "04_features")
    with tempfile.TemporaryDirectory() as name:
        small = make(Path(name) / "small", 512, 3)
        results.time(p, small)  # compiles
        layout = make(Path(name) / "large", arguments.side, arguments.dates)
        cube, theirs = Cube(layout.cube), Path(name) / "theirs.tif"
        twice = measure(lambda: (read(cube), read(cube)))
        plain = measure(lambda: writing.write_plain(Path(name) / "plain.tif", opened(layout)[1]))
        (Path(name) / "plain.tif").unlink()
        ours = measure(lambda: results.time(p, layout))
        shares = share(layout)
        dasks = measure(lambda: peer(cube))
        one = measure(lambda: results.time(median, layout))
        calculated = measure(lambda: calc(layout, theirs))
        found = np.asarray(raster.read(layout.time).data)
        apart = np.abs(found - np.asarray(raster.read(theirs).data))
        if (np.isnan(found) != np.isnan(apart)).any() or not np.nanmax(apart) < 1e-6:
            raise SystemExit(f"gdal_calc.py and lulc_kit differ, by up to {np.nanmax(apart)}")
    rows: list[list[object]] = [
        ["every band and mask read twice", *twice, 1.0],
        ["lulc_kit: six statistics of four layers, streamed to a plain file", *plain, plain[0] / twice[0]],
        ["lulc_kit: the same in notebook 04, a COG with overviews", *ours, ours[0] / twice[0]],
        ["xarray on dask: three percentiles of four layers, not written", *dasks, dasks[0] / twice[0]],
        ["lulc_kit: median of one band, written", *one, one[0] / twice[0]],
        ["gdal_calc.py: median of one band, written", *calculated[:2], "", calculated[0] / twice[0]],
    ]
    note = f"{arguments.dates} dates of {arguments.side}×{arguments.side} pixels and {len(BANDS)} bands; made-up data. "
    note += (
        f"Of the {ours[1]:.3g} processor seconds of notebook 04 {shares} are taken by themselves; writing, overviews "
    )
    note += (
        f"and all else take the rest. The medians of gdal_calc.py and ours differ by {np.nanmax(apart):.1g} at most."
    )
    columns = ["what", "seconds", "processor seconds", "peak memory, GB", "× reading"]
    report.publish("temporal", "Statistics over time", columns, rows, note)


if __name__ == "__main__":
    main()
