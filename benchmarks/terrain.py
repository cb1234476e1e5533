"""Warping an elevation model against gdalwarp, slope and aspect against gdaldem.

    python -m benchmarks.terrain [--side 4096] [--runs 5]

A simulated model of one arc second, in degrees, brought onto a UTM grid of 10 m. Every program reads a GeoTIFF and
writes an uncompressed one. Ours and gdalwarp use all cores; gdaldem has no threads, and neither have ours beside it.
gdalwarp by default lets positions be wrong by up to an eighth of a pixel; ``-et 0`` computes each one, as ours are.
Needs Debian's gdal-bin.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy.ndimage import zoom

from benchmarks import report
from lulc_kit.features import terrain
from lulc_kit.raster import warping


def simulate(path: Path, box: GeoBox) -> None:
    """Write hills of all sizes that cover a grid, in degrees of longitude and latitude."""
    extent = box.extent.to_crs("EPSG:4326").boundingbox
    step = 1 / 3600
    columns, rows = (int(n / step) + 20 for n in (extent.right - extent.left, extent.top - extent.bottom))
    rng = np.random.default_rng(0)
    hills = np.zeros((rows, columns), np.float32)
    for size in (400, 100, 25, 6):
        small = rng.normal(size=(rows // size + 2, columns // size + 2))
        hills += size * 0.5 * zoom(small, size, order=1)[:rows, :columns].astype(np.float32)
    degrees = GeoBox((rows, columns), Affine(step, 0, extent.left - 10 * step, 0, -step, extent.top + 10 * step), 4326)
    write(path, hills[None], degrees)


def write(path: Path, bands: np.ndarray, box: GeoBox) -> None:
    profile = {"driver": "GTiff", "count": len(bands), "dtype": "float32", "transform": box.affine}
    assert box.crs is not None
    with rasterio.open(path, "w", width=box.width, height=box.height, crs=box.crs.to_wkt(), **profile) as file:
        file.write(bands)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


def warp(folder: Path, box: GeoBox, kernel: str) -> None:
    write(folder / "ours.tif", warping.warp(folder / "dem.tif", box, resampling=kernel).compute()[None], box)


def gdalwarp(folder: Path, box: GeoBox, kernel: str, *options: str) -> None:
    b = box.boundingbox
    command = ["gdalwarp", "-q", "-overwrite", "-multi", "-wo", "NUM_THREADS=ALL_CPUS", "-r", kernel, *options]
    target = ["-t_srs", str(box.crs), "-te", *map(str, (b.left, b.bottom, b.right, b.top)), "-tr", "10", "10"]
    subprocess.run([*command, *target, folder / "dem.tif", folder / "gdalwarp.tif"], check=True)


def slope_aspect(folder: Path, box: GeoBox) -> None:
    slope, aspect = terrain.slope_aspect(read(folder / "gdalwarp.tif"), 10, 10)
    write(folder / "slope_ours.tif", slope[None], box[1:-1, 1:-1])
    write(folder / "aspect_ours.tif", aspect[None], box[1:-1, 1:-1])


def gdaldem(folder: Path) -> None:
    for name in ("slope", "aspect"):
        subprocess.run(["gdaldem", name, folder / "gdalwarp.tif", folder / f"{name}.tif", "-q"], check=True)


def difference(one: np.ndarray, other: np.ndarray, turn: float = np.inf) -> float:
    apart = np.abs(one - np.where(other == -9999, np.nan, other))
    return float(np.nanmax(np.minimum(apart, np.abs(turn - apart))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096, help="side of the grid, pixels")
    parser.add_argument("--runs", type=int, default=5, help="runs of which the median counts")
    arguments = parser.parse_args()
    if shutil.which("gdaldem") is None:
        raise SystemExit("gdaldem and gdalwarp are not on the path: install GDAL's programs (Debian: gdal-bin).")
    box = GeoBox((arguments.side, arguments.side), Affine(10, 0, 400_000, 0, -10, 5_800_000), "EPSG:32633")
    rows: list[list[object]] = []
    notes = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(folder / "dem.tif", box)
        for kernel in ("cubic", "bilinear"):
            mine = report.seconds(lambda k=kernel: warp(folder, box, k), arguments.runs)
            default = report.seconds(lambda k=kernel: gdalwarp(folder, box, k), arguments.runs)
            exact = report.seconds(lambda k=kernel: gdalwarp(folder, box, k, "-et", "0"), arguments.runs)
            rows.append([default / mine, f"warp, {kernel}", "ours", mine])
            rows.append([1.0, f"warp, {kernel}", "gdalwarp, within 1/8 pixel", default])
            rows.append([default / exact, f"warp, {kernel}", "gdalwarp -et 0", exact])
            apart = difference(read(folder / "ours.tif"), read(folder / "gdalwarp.tif"))
            notes.append(f"warp, {kernel}: at most {apart:.1g} m from gdalwarp -et 0.")
        mine = report.seconds(lambda: slope_aspect(folder, box), arguments.runs)
        peer = report.seconds(lambda: gdaldem(folder), arguments.runs)
        rows += [[peer / mine, "slope and aspect", "ours", mine], [1.0, "slope and aspect", "gdaldem", peer]]
        for name, turn in (("slope", np.inf), ("aspect", 360.0)):
            theirs = read(folder / f"{name}.tif")[1:-1, 1:-1]
            notes.append(f"{name}: at most {difference(read(folder / f'{name}_ours.tif'), theirs, turn):.1g}° apart.")
    title = f"Terrain on {arguments.side}×{arguments.side} pixels, medians of {arguments.runs} runs"
    report.publish("terrain", title, ["speed, times the peer's", "what", "program", "seconds"], rows, "\n".join(notes))


if __name__ == "__main__":
    main()
