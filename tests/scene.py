"""A study so small that all nine notebooks run on it in a minute, with everything about it known.

160 × 160 pixels of 10 m, three dates, six bands of 10 and 20 m, three classes in a chequerboard of 200 m fields.
Every field has one spectrum; noise is a hundredth of reflectance. One corner of each date lies under a cloud.
"""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import nbformat
import numpy as np
import shapely
import yaml

from tests import rasters

REPOSITORY = Path(__file__).parents[1]
CRS = "EPSG:32633"
LEFT, TOP, SIDE, PIXEL, FIELD = 500_000.0, 5_800_000.0, 160, 10.0, 20
DATES = ("2023-05-01", "2023-06-15", "2023-08-20")
FINE, COARSE = ("B2", "B3", "B4", "B8"), ("B11", "B12")
SPECTRA = {  # reflectance of FINE and COARSE, in order
    "Forest": (0.03, 0.05, 0.03, 0.35, 0.15, 0.08),
    "Water": (0.06, 0.05, 0.03, 0.02, 0.01, 0.01),
    "Farmland": (0.08, 0.11, 0.15, 0.25, 0.35, 0.28),
}
SCALE, OFFSET = 0.0001, -0.1  # as since processing baseline 04.00
CLOUD = 12  # side of the cloud, in pixels of 20 m
VEGETATION, CLOUD_HIGH = 4, 9  # values of the scene classification


def truth() -> np.ndarray:
    """Return the number of each pixel's class in `SPECTRA`, shape (160, 160)."""
    row, column = np.indices((SIDE, SIDE)) // FIELD
    return (row + column) % len(SPECTRA)


def write(
    path: Path, data: np.ndarray, pixel: float, crs: str | None = CRS, left: float = LEFT, **profile: Any
) -> Path:
    """Write a raster whose upper left corner is that of the scene."""
    return rasters.write(path, data, rasters.grid(data.shape[-2:], pixel, left, TOP, crs), **profile)


def numbers(date: str, band: int) -> np.ndarray:
    """Return a band's numbers as they stand in a product: 10 m bands 160 × 160, 20 m bands 80 × 80."""
    noise = np.random.default_rng([DATES.index(date), band]).normal(0, 0.01, (SIDE, SIDE))
    reflectance = np.array(list(SPECTRA.values()))[truth(), band] + noise
    if band >= len(FINE):
        reflectance = reflectance.reshape(SIDE // 2, 2, SIDE // 2, 2).mean(axis=(1, 3))
    return np.clip(np.rint((reflectance - OFFSET) / SCALE), 1, 65535).astype(np.uint16)


def polygons(crs: str = CRS, shift: float = 0.0, side: int = SIDE) -> gpd.GeoDataFrame:
    """Return squares inside the fields, two thirds of them, with the field's class."""
    shapes, names, sites = [], [], []
    fields = side // FIELD
    for row in range(fields):
        for column in range(fields):
            if (row + 2 * column) % 3 == 2:
                continue
            x, y = LEFT + shift + column * FIELD * PIXEL, TOP - row * FIELD * PIXEL
            side = FIELD * PIXEL
            shapes.append(shapely.box(x + 30, y - side + 30, x + side - 30, y - 30))
            names.append(list(SPECTRA)[(row + column) % 3])
            sites.append("west" if column % 4 < 2 else "east")
    return gpd.GeoDataFrame({"class": names, "site": sites}, geometry=shapes, crs=CRS).to_crs(crs)


def write_data(folder: Path, side: int = SIDE) -> Path:
    """Write the scene's files, or those of its upper left corner: bands, scene classifications, polygons."""
    for i, date in enumerate(DATES):
        for number, band in enumerate((*FINE, *COARSE)):
            ratio = 1 if band in FINE else 2
            cut = numbers(date, number)[: side // ratio, : side // ratio]
            write(folder / date / f"{band}.tif", cut, ratio * PIXEL)
        scl = np.full((side // 2, side // 2), VEGETATION, np.uint8)
        scl[:CLOUD, i * CLOUD : (i + 1) * CLOUD] = CLOUD_HIGH
        write(folder / date / "SCL.tif", scl, 2 * PIXEL)
    polygons(side=side).to_file(folder / "polygons.gpkg", layer="fields")
    return folder


def scenes(data: Path, **extra: Any) -> list[dict[str, Any]]:
    """Return the entries of the parameter ``scenes``."""
    return [
        {
            "date": date,
            "level": "L2A",
            "bands": {band: str(data / date / f"{band}.tif") for band in (*FINE, *COARSE)},
            "scale": SCALE,
            "offset": OFFSET,
            "scl": str(data / date / "SCL.tif"),
        }
        | extra
        for date in DATES
    ]


def parameters(data: Path) -> dict[str, dict[str, Any]]:
    """Return the study's parameters by step."""
    steps: dict[str, dict[str, Any]] = {
        "01_download": {"source": "files", "scenes": scenes(data), "reference": str(data / "polygons.gpkg")},
        # Fields are 16 pixels wide, and every pixel is judged, not those inside polygons alone: here sharpening pays.
        "02_preprocess": {"mask": "scl", "mask_buffer": 0.0, "sharpen": "local"},
        "03_visualize": {"composites": [["B4", "B3", "B2"], ["B12", "B8", "B4"]]},
        # No context: fields are so small here that windows see little but their neighbours, and the gap is small too.
        "04_features": {
            "bands": [*FINE, *COARSE],
            "indices": ["NDVI", "MNDWI"],
            "components": 2,
            "context_windows": [],
        },
        "05_samples": {
            "field": "class",
            "classes": {name: [name] for name in SPECTRA},
            "folds": 2,
            "block": 200.0,
            "gap": 20.0,
            "per_class": 200,
        },
        "06_knn": {"run": "knn", "model": "knn", "neighbours": 5},
        "06_rf": {"run": "rf", "model": "rf", "trees": 10},
        "07_fcn": {"run": "fcn", "features": [*FINE, *COARSE], "filters": [4], "patch": 16, "steps": 2},
        "08_lstm": {"run": "lstm", "length": 2, "dates": None, "steps": 2, "draws": 1, "sequences": "fixed"},
        "09_evaluate": {"resamples": 100},
    }
    return {step: {"study": "tiny"} | values for step, values in steps.items()}


def make_project(folder: Path, steps: dict[str, dict[str, Any]], study: str = "tiny") -> Path:
    """Make a project: a copy of the notebooks, and a parameter folder with these steps."""
    notebooks = folder / "notebooks"
    notebooks.mkdir(parents=True)
    for source in (REPOSITORY / "notebooks").glob("*.ipynb"):
        (notebooks / source.name).write_bytes(source.read_bytes())
    for step, values in steps.items():
        put(folder, step, values, study)
    return folder


def put(project: Path, step: str, values: dict[str, Any], study: str = "tiny") -> Path:
    """Write one parameter file of a project."""
    path = project / "params" / study / f"{step}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


def environment() -> dict[str, str]:
    """Return an environment in which subprocesses use this checkout's lulc_kit."""
    path = os.pathsep.join(p for p in (str(REPOSITORY), os.environ.get("PYTHONPATH")) if p)
    # Pictures are small, which a test need not wait for.
    small = {"MATPLOTLIBRC": str(REPOSITORY / "tests/matplotlibrc")}
    return os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | small


def command(*arguments: str) -> list[str]:
    """Return the command line of ``lulc`` with these arguments."""
    return [sys.executable, "-c", "from lulc_kit.cli import app; app()", *arguments]


def lulc(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``lulc`` in a project, as a user does."""
    return subprocess.run(
        command(*arguments), cwd=project, env=environment(), capture_output=True, text=True, encoding="utf-8"
    )


def hashes(folder: Path) -> dict[str, str]:
    """Return SHA-256 by name of all files in a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def edit(notebook: Path, old: str, new: str) -> None:
    """Change code of a notebook."""
    content = nbformat.read(notebook, as_version=4)
    found = [cell for cell in content.cells if cell.cell_type == "code" and old in cell.source]
    assert found, old
    for cell in found:
        cell.source = cell.source.replace(old, new)
    nbformat.write(content, notebook)


@dataclass(frozen=True)
class Finished:
    """A project after `lulc run tiny`, the scene's files, what the run said, and the project's files before."""

    project: Path
    data: Path
    said: subprocess.CompletedProcess[str]
    before: dict[str, str]

    @property
    def outputs(self) -> Path:
        return self.project / "outputs/tiny"


def finish(folder: Path) -> Finished:
    """Make the tiny study in a folder and run all of it."""
    data = write_data(folder / "data")
    project = make_project(folder / "project", parameters(data))
    # Somebody tried things out in JupyterLab and saved: the parameter file counts, and the model's defaults.
    edit(project / "notebooks/06_baselines.ipynb", "seed = 1 ", "seed = 99 ")
    before = hashes(project)
    return Finished(project, data, lulc(project, "run", "tiny"), before)
