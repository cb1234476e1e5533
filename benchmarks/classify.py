"""Class maps by four classifiers: ours, plain scikit-learn, and OTB's ImageClassifier.

    python -m benchmarks.classify [--kinds knn rf hgb svm] [--runs 3]

The same simulated stack of 20 features, the same 30 000 training samples of 6 classes (6 000 for the support vector
machine), 15 neighbours, 100 trees, 100 rounds of boosting, all cores: scikit-learn's own threads, and for the support
vector machine, which has none, a thread for each core. Each reads the stack from a GeoTIFF and writes what it writes:
ours the class, the probabilities and their entropy; scikit-learn and OTB the class alone. Needs OTB for its rows
(Debian: otb-bin).
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import threadpoolctl
from affine import Affine
from odc.geo.geobox import GeoBox
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks import report
from lulc_kit import mapping, raster
from lulc_kit.baselines import acceleration
from lulc_kit.classes import SCHEMES
from lulc_kit.layout import RunLayout
from lulc_kit.raster import writing

FEATURES, SAMPLES, NEIGHBOURS, TREES = 20, 30_000, 15, 100
SIDES = {"knn": 512, "rf": 1024, "hgb": 1024, "svm": 512}
"""Rows and columns of the scenes: k-nearest neighbours and support vectors take their time."""
FEW = 6_000
MODELS = {
    "knn": KNeighborsClassifier(NEIGHBOURS, algorithm="brute", n_jobs=-1),
    "rf": RandomForestClassifier(TREES, min_samples_leaf=3, random_state=1, n_jobs=-1),
    "hgb": HistGradientBoostingClassifier(early_stopping=False, random_state=1),
    "svm": CalibratedClassifierCV(SVC(cache_size=500), cv=3, ensemble=False),
}
NAMES = [f"f{i}" for i in range(1, FEATURES + 1)]


def simulate(folder: Path, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Write a stack whose classes overlap as real ones do, and return training samples and labels."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(6, FEATURES))
    true = np.kron(rng.integers(0, 6, (side // 16 + 1, side // 16 + 1)), np.ones((16, 16), int))[:side, :side]
    stack = (centres[true] + rng.normal(scale=1.5, size=(side, side, FEATURES))).astype(np.float32)
    grid = GeoBox((side, side), Affine(10, 0, 500_000, 0, -10, 5_800_000), "EPSG:32633")
    writing.write(folder / "stack.tif", raster.array(np.moveaxis(stack, -1, 0).copy(), grid, NAMES))
    labels = rng.integers(0, 6, SAMPLES)
    return (centres[labels] + rng.normal(scale=1.5, size=(SAMPLES, FEATURES))).astype(np.float32), labels + 1


def ours(folder: Path, model: object) -> None:
    stack = raster.read(folder / "stack.tif", chunk=512)
    predictor = mapping.pixelwise(acceleration.accelerate(model), SCHEMES["workflow"].values)
    maps = mapping.predict(stack, predictor, {}, None, SCHEMES["workflow"])
    with threadpoolctl.threadpool_limits(1, "blas"):  # as notebook 06 does
        mapping.write(maps, RunLayout(folder, "ours"), SCHEMES["workflow"])


def scikit_learn(folder: Path, model: Any, threads: int) -> None:
    with rasterio.open(folder / "stack.tif") as source:
        pixels = source.read().reshape(FEATURES, -1).T
        side = source.width
    with ThreadPoolExecutor(threads) as pool:
        codes = np.concatenate(list(pool.map(model.predict, np.array_split(pixels, max(1, len(pixels) // 65536)))))
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 1, "dtype": "uint8"}
    with rasterio.open(folder / "sklearn.tif", "w", **profile) as target:
        target.write(codes.reshape(1, side, side).astype(np.uint8))


def train_otb(folder: Path, x: np.ndarray, y: np.ndarray, kind: str) -> bool:
    """Train OTB's classifier on the same standardized samples; False if OTB is missing or has no such classifier."""
    if shutil.which("otbcli_TrainVectorClassifier") is None:
        return False
    table = gpd.GeoDataFrame(dict(zip(NAMES, x.T, strict=True)) | {"code": y})
    table = table.set_geometry(gpd.points_from_xy(np.zeros(len(x)), np.zeros(len(x))), crs="EPSG:32633")
    table.to_file(folder / "samples.gpkg")
    options = {
        "knn": ["-classifier", "knn", "-classifier.knn.k", str(NEIGHBOURS)],
        "rf": [
            *("-classifier", "rf", "-classifier.rf.nbtrees", str(TREES), "-classifier.rf.max", "25"),
            *("-classifier.rf.min", "3", "-classifier.rf.acc", "0"),
        ],
    }
    if kind not in options:
        return False
    command = [
        *("otbcli_TrainVectorClassifier", "-io.vd", folder / "samples.gpkg", "-cfield", "code"),
        *("-io.out", folder / f"{kind}.otb", "-feat", *NAMES, *options[kind]),
    ]
    return subprocess.run(command, capture_output=True).returncode == 0


def otb(folder: Path, kind: str) -> None:
    command = [
        *("otbcli_ImageClassifier", "-in", folder / "stack.tif", "-model", folder / f"{kind}.otb"),
        *("-out", folder / "otb.tif", "uint8"),
    ]
    subprocess.run(command, check=True, capture_output=True)


def compare(kind: str, classifier: object, folder: Path, runs: int) -> tuple[list[list[object]], list[str]]:
    """Return one row per program, and remarks."""
    x, y = simulate(folder, SIDES[kind])
    pixels, few = SIDES[kind] ** 2, FEW if kind == "svm" else None
    model = make_pipeline(StandardScaler(), classifier).fit(x[:few], y[:few])
    peer = report.seconds(partial(scikit_learn, folder, model, os.cpu_count() if kind == "svm" else 1), runs)
    if kind in ("knn", "rf"):
        model[-1].set_params(n_jobs=1)  # blocks of the map run on all cores
    mine = report.seconds(partial(ours, folder, model), runs)
    rows = [[peer / mine, kind, "ours", mine, pixels / mine], [1.0, kind, "scikit-learn", peer, pixels / peer]]
    with rasterio.open(RunLayout(folder, "ours").map) as a, rasterio.open(folder / "sklearn.tif") as b:
        same = float((a.read(1) == b.read(1)).mean())
    remarks = [f"{kind}: {same:.4%} of the pixels have scikit-learn's class."]
    if train_otb(folder, x, y, kind):
        start = time.perf_counter()
        otb(folder, kind)  # one run: its nearest neighbours take minutes
        other = time.perf_counter() - start
        rows.append([peer / other, kind, "OTB ImageClassifier", other, pixels / other])
    else:
        remarks.append(f"{kind}: OTB's classifier is not installed, or does not know it.")
    return rows, remarks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=list(MODELS), choices=list(MODELS), help="which; all by default")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median counts; OTB's is one")
    arguments = parser.parse_args()
    columns = ["speed, times scikit-learn", "model", "program", "seconds", "pixels/s"]
    rows: list[list[object]] = report.earlier("classify", columns, lambda row: row["model"] in arguments.kinds)
    remarks = [f"{kind}: measured in an earlier run." for kind in dict.fromkeys(str(row[1]) for row in rows)]
    for kind in arguments.kinds:
        with tempfile.TemporaryDirectory() as name:
            found, said = compare(kind, MODELS[kind], Path(name), arguments.runs)
        rows += found
        remarks += said
    title = f"Class maps: {FEATURES} features, {SAMPLES} samples ({FEW} for svm)"
    report.publish("classify", title, columns, rows, "\n".join(remarks))
    for row in rows:
        if row[2] == "ours":
            print(f"{row[1]}: {row[0]:.2f} of scikit-learn with all threads")


if __name__ == "__main__":
    main()
