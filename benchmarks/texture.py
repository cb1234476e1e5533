"""GLCM texture against OTB's HaralickTextureExtraction and a scikit-image loop.

    python -m benchmarks.texture [--side 4096] [--runs 3]

Needs OTB (Debian: otb-bin). Prints a table, ratios first, and writes docs/benchmarks/texture.{md,json,png}.

Both programs compute features of one direction in 5×5 windows with 32 levels from the same float32 GeoTIFF,
with all processors: OTB its eight simple ones, of which one cannot choose, the kit six. Five of OTB's follow
from ours (`agreement` compares the values): its "correlation" is ours divided by the variance, which is
therefore our sixth. We have no cluster moments, and nothing like its "Haralick correlation", which takes the
mean of the margin's shares for the mean of the levels.
"""

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median

import matplotlib.pyplot as plt
import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from scipy.ndimage import gaussian_filter
from skimage.feature import graycomatrix, graycoprops

from lulc_kit.features.quantize import fit_quantizer, quantize
from lulc_kit.features.texture import Settings, glcm

OTB = "otbcli_HaralickTextureExtraction"
DOCS = Path(__file__).parents[1] / "docs" / "benchmarks"
SIX = ("asm", "entropy", "correlation", "homogeneity", "contrast", "variance")
RANGE = (0.0, 256.0)  # OTB's bins reach from its minimum to its maximum + 1: 0 and 255
SCRIPT = f"""
import sys
import rasterio
from lulc_kit.features.texture import Settings, glcm
with rasterio.open(sys.argv[1]) as file:
    image = file.read(1)
bands = glcm(image, Settings(range={RANGE}, directions=[45], features={SIX}))
count, height, width = bands.shape
with rasterio.open(
    sys.argv[2], "w", driver="GTiff", count=count, height=height, width=width, dtype="float32"
) as file:
    file.write(bands)
"""
WINDOWS = (3, 5, 7, 9, 13, 17, 21)
LEVELS = (8, 16, 32, 64, 128)


def make_scene(side: int) -> np.ndarray:
    """A float32 image within 0–255: fields of different tone and roughness."""
    rng = np.random.default_rng(0)
    small = np.kron(rng.normal(size=(side // 32 + 1, side // 32 + 1)), np.ones((32, 32)))[:side, :side]
    rough = rng.normal(size=(side, side))
    scene = 110 + 25 * gaussian_filter(small, 1) + gaussian_filter(rough, 1) * (20 + 15 * np.sign(small))
    return np.clip(scene, 0, 255).astype(np.float32)


def write(path: Path, bands: np.ndarray) -> None:
    bands = bands.reshape(-1, *bands.shape[-2:])
    profile = {"driver": "GTiff", "count": len(bands), "dtype": "float32"}
    with rasterio.open(path, "w", height=bands.shape[1], width=bands.shape[2], **profile) as file:
        file.write(bands)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read()


def ours(image: np.ndarray, window: int = 5, levels: int = 32) -> np.ndarray:
    settings = Settings(window=window, levels=levels, range=RANGE, directions=[45], features=SIX)
    return glcm(image, settings)


def ours_from_file_to_file(source: Path, target: Path) -> None:
    write(target, ours(read(source)[0]))


def otb(source: Path, target: Path, radius=(2, 2), offset=(1, 1), levels: int = 32) -> None:
    parameters = {"xrad": radius[0], "yrad": radius[1], "xoff": offset[0], "yoff": offset[1]}
    parameters |= {"min": 0, "max": 255, "nbbin": levels}
    options = [x for name, value in parameters.items() for x in (f"-parameters.{name}", str(value))]
    command = [OTB, "-in", str(source), *options, "-texture", "simple", "-out", str(target), "float"]
    subprocess.run([*command, "-ram", "2048"], check=True, capture_output=True)


def scikit_image(image: np.ndarray) -> np.ndarray:
    """The six features, window by window."""
    grey = quantize(image, fit_quantizer(image, levels=32, value_range=RANGE)).astype(np.uint8)
    names = ("ASM", "entropy", "correlation", "homogeneity", "contrast", "variance")
    out = np.zeros((len(names), *image.shape))
    for r in range(2, image.shape[0] - 2):
        for c in range(2, image.shape[1] - 2):
            patch = grey[r - 2 : r + 3, c - 2 : c + 3]
            matrix = graycomatrix(patch, [1], [math.pi / 4], levels=32, symmetric=True, normed=True)
            out[:, r, c] = [graycoprops(matrix, name)[0, 0] for name in names]
    return out


def seconds(function: Callable, *arguments, runs: int) -> float:
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - begin)
    return median(times)


def agreement(image: np.ndarray, folder: Path) -> dict[str, float]:
    """Largest relative difference to OTB, of the features that both define.

    OTB moves the first pixel of a pair through the window and lets the second leave it; we keep both inside.
    Pairs two columns apart whose first pixel moves through 3 columns × 5 rows are those of our 5×5 window,
    whose centre is one column further right.
    """
    write(folder / "small.tif", image)
    otb(folder / "small.tif", folder / "small_otb.tif", radius=(1, 2), offset=(2, 0))
    theirs = read(folder / "small_otb.tif")[:, 2:-2, 1:-3]
    settings = Settings(range=RANGE, directions=[0], distance=2, features=SIX)
    mine = glcm(image, settings)[:, 2:-2, 2:-2]
    value = dict(zip(SIX, mine.astype(np.float64), strict=True))
    varied = value["variance"] > 1e-6
    share = value["correlation"] / np.where(varied, value["variance"], 1.0)
    pairs = {
        "Energy = asm": (theirs[0], value["asm"]),
        "Entropy = entropy / ln 2": (theirs[1], value["entropy"] / math.log(2)),
        "Correlation = correlation / variance": (theirs[2], share),
        "Inverse difference moment = homogeneity": (theirs[3], value["homogeneity"]),
        "Inertia = contrast": (theirs[4], value["contrast"]),
    }
    return {name: float(np.max(np.abs(a - b)[varied]) / np.max(np.abs(a[varied]))) for name, (a, b) in pairs.items()}


def curves(image: np.ndarray, folder: Path, runs: int) -> dict[str, dict[int, dict[str, float]]]:
    """Mpx/s over windows and levels; OTB once each, on a smaller part."""
    part = np.ascontiguousarray(image[:512, :512])
    write(folder / "part.tif", part)

    def both(window: int, levels: int) -> dict[str, float]:
        mine = seconds(ours, image, window, levels, runs=runs + 2)
        half = window // 2
        theirs = seconds(otb, folder / "part.tif", folder / "part_otb.tif", (half, half), (1, 1), levels, runs=1)
        return {"ours": image.size / mine / 1e6, "OTB": part.size / theirs / 1e6}

    return {
        "window": {window: both(window, 32) for window in WINDOWS},
        "levels": {levels: both(5, levels) for levels in LEVELS},
    }


def machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    busy = f", load average {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return f"{model}, {cores} cores, {platform.system()}, Python {platform.python_version()}{busy}"


def table(result: dict) -> str:
    side = result["side"]
    lines = [
        f"OTB eight, the kit six features, one direction, 5×5, 32 levels, {side}×{side} pixels; medians of "
        f"{result['runs']} runs (scikit-image: on 64×64; OTB's curves: one run, on 512×512).",
        f"{result['machine']}.",
        "",
        "| | times OTB's speed | seconds | Mpx/s |",
        "|---|---:|---:|---:|",
    ]
    otb_rate = result["rows"]["OTB, file to file"]["rate"]
    for name, row in result["rows"].items():
        lines.append(f"| {name} | {row['rate'] / otb_rate:.3g} | {row['seconds']:.3g} | {row['rate']:.3g} |")
    for axis, points in result["curves"].items():
        lines += ["", f"| {axis} | times OTB's speed | ours, Mpx/s | OTB, Mpx/s |", "|---:|---:|---:|---:|"]
        for x, rate in points.items():
            ratio = rate["ours"] / rate["OTB"]
            lines.append(f"| {x} | {ratio:.3g} | {rate['ours']:.3g} | {rate['OTB']:.3g} |")
    lines += ["", "| same value as OTB | largest difference / largest value |", "|---|---:|"]
    lines += [f"| {name} | {difference:.1e} |" for name, difference in result["agreement"].items()]
    return "\n".join(lines) + "\n"


def plot(result: dict, path: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    labels = {"window": "window side, pixels (32 levels)", "levels": "grey levels (5×5 window)"}
    for axis, (name, points) in zip(axes, result["curves"].items(), strict=True):
        x = list(points)
        axis.plot(x, [p["ours"] for p in points.values()], "o-", color="#1b7837", label="lulc_kit")
        axis.plot(x, [p["OTB"] for p in points.values()], "s-", color="#762a83", label="OTB")
        axis.set(xlabel=labels[name], yscale="log")
        axis.set_xticks(x, [str(v) for v in x])
        axis.grid(alpha=0.3)
    axes[1].set_xscale("log", base=2)
    axes[1].set_xticks(list(result["curves"]["levels"]), [str(v) for v in result["curves"]["levels"]])
    axes[0].set_ylabel("million pixels per second")
    axes[0].legend()
    figure.suptitle("GLCM features of one direction")
    figure.savefig(path, dpi=120)


def run(side: int, runs: int) -> dict:
    if shutil.which(OTB) is None:
        raise SystemExit(f"{OTB} is not on the path: install OTB first (Debian: otb-bin).")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = make_scene(side)
        source, target = folder / "scene.tif", folder / "texture.tif"
        write(source, scene)
        ours(scene[:64, :64])  # compile, or load from the cache, once
        new = [sys.executable, "-c", SCRIPT, str(source), str(target)]
        crop = scene[:64, :64]
        timed = {
            "ours, array to array": (lambda: ours(scene), scene.size),
            "ours, file to file": (lambda: ours_from_file_to_file(source, target), scene.size),
            "ours, file to file, with the start of Python": (
                lambda: subprocess.run(new, check=True, capture_output=True),
                scene.size,
            ),
            "OTB, file to file": (lambda: otb(source, target), scene.size),
            "scikit-image loop, array to array (six features)": (lambda: scikit_image(crop), crop.size),
        }
        # In turn, so that what else the machine does meets all of them.
        rounds = [{name: seconds(f, runs=1) for name, (f, _) in timed.items()} for _ in range(runs)]
        rows = {}
        for name, (_, pixels) in timed.items():
            middle = median(times[name] for times in rounds)
            rows[name] = {"seconds": middle, "pixels": pixels, "rate": pixels / middle / 1e6}
        return {
            "side": side,
            "runs": runs,
            "rows": rows,
            "agreement": agreement(np.ascontiguousarray(scene[:300, :280]), folder),
            "curves": curves(np.ascontiguousarray(scene[:2048, :2048]), folder, runs),
            "machine": machine(),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=4096, help="rows and columns of the scene")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median is taken")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    result = run(arguments.side, arguments.runs)
    DOCS.mkdir(parents=True, exist_ok=True)
    (DOCS / "texture.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (DOCS / "texture.md").write_text(table(result), encoding="utf-8")
    plot(result, DOCS / "texture.png")
    print(table(result))


if __name__ == "__main__":
    main()
