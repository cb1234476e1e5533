"""Principal components against OTB's DimensionalityReduction.

    python -m benchmarks.pca [--side 3000] [--runs 5]

Three components of ten correlated float32 bands, from a tiled GeoTIFF into an uncompressed one, all cores. A row of its
own shows ours written the kit's way: a compressed Cloud-Optimized GeoTIFF with overviews and statistics. Needs OTB
(Debian: otb-bin).
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from benchmarks import report
from lulc_kit import raster
from lulc_kit.features import components
from lulc_kit.raster import writing

OTB = "otbcli_DimensionalityReduction"
BANDS, KEPT = 10, 3


def simulate(path: Path, side: int) -> None:
    """Write bands that are mixtures of four, with a little noise of their own."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(4, side, side)).astype(np.float32)
    mixing = rng.uniform(0, 0.05, (BANDS, 4)).astype(np.float32)
    profile = {"driver": "GTiff", "count": BANDS, "dtype": "float32", "tiled": True, "crs": "EPSG:32633"}
    transform = Affine(10, 0, 500_000, 0, -10, 5_800_000)
    with rasterio.open(path, "w", width=side, height=side, transform=transform, **profile) as file:
        for number, weights in enumerate(mixing, 1):
            noise = rng.normal(scale=0.005, size=(side, side)).astype(np.float32)
            file.write(0.25 + np.tensordot(weights, hidden, 1) + noise, number)


def ours(folder: Path) -> None:
    image = raster.read(folder / "in.tif")
    projected = components.transform(image, components.fit(image, KEPT))
    values, box = projected.to_numpy(), projected.odc.geobox
    profile = {"driver": "GTiff", "count": KEPT, "dtype": "float32", "transform": box.affine, "crs": box.crs.to_wkt()}
    with rasterio.open(folder / "ours.tif", "w", width=box.width, height=box.height, **profile) as file:
        file.write(values)


def ours_as_cog(folder: Path) -> None:
    image = raster.read(folder / "in.tif")
    writing.write(folder / "cog.tif", components.transform(image, components.fit(image, KEPT)))


def otb(folder: Path) -> None:
    options = ["-method", "pca", "-method.pca.whiten", "false", "-nbcomp", str(KEPT), "-ram", "2048"]
    command = [OTB, "-in", folder / "in.tif", "-out", folder / "otb.tif", "float", *options]
    subprocess.run(command, check=True, capture_output=True)


def apart(folder: Path) -> float:
    """Largest difference of a component's values, in its standard deviations, after mean and sign."""
    found = []
    for name in ("ours", "otb"):
        with rasterio.open(folder / f"{name}.tif") as file:
            values = file.read().reshape(KEPT, -1).astype(np.float64)
        found.append((values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True))
    signs = np.sign((found[0] * found[1]).sum(axis=1, keepdims=True))
    return float(np.abs(found[0] - signs * found[1]).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=3000, help="side of the scene, pixels")
    parser.add_argument("--runs", type=int, default=5, help="runs of which the median counts")
    arguments = parser.parse_args()
    if shutil.which(OTB) is None:
        raise SystemExit(f"{OTB} is not on the path: install OTB first (Debian: otb-bin).")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(folder / "in.tif", arguments.side)
        peer = report.seconds(lambda: otb(folder), arguments.runs)
        mine = report.seconds(lambda: ours(folder), arguments.runs)
        cog = report.seconds(lambda: ours_as_cog(folder), arguments.runs)
        note = f"Same components: at most {apart(folder):.1g} standard deviations apart."
    rows: list[list[object]] = [[peer / mine, "ours", mine], [1.0, "OTB", peer], [peer / cog, "ours, as a COG", cog]]
    title = f"{KEPT} components of {BANDS} bands, {arguments.side}×{arguments.side} pixels, {arguments.runs} runs"
    report.publish("pca", title, ["speed, times OTB's", "program", "seconds"], rows, note)


if __name__ == "__main__":
    main()
