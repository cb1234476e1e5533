"""A region of two small areas, cut from the tiny scene, with two workers of which one is killed."""

import itertools
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from lulc_kit import files, params
from tests import kills, scene
from tests.notebook import execute

pytestmark = pytest.mark.long

# Nothing that looks at neighbours, so that an area's map is that of the whole scene, cut out.
PLAIN: dict[str, dict[str, Any]] = {
    "02_preprocess": {"mask": "scl", "mask_buffer": 0.0, "sharpen": "none"},
    "04_features": {
        "bands": [*scene.FINE, *scene.COARSE],
        "indices": ["NDVI"],
        "components": 2,
        "texture_bands": [],
        "texture_components": 0,
        "context_windows": [],
    },
}
EDGES = (0, 100, 160)
"""Columns where the areas begin and end, pixels; the first is the larger one, whose zone the joined map has."""


def degrees(left: float, top: float, width: float, height: float) -> list[float]:
    """Return the box of a part of the scene in degrees, a little inside of it."""
    to = Transformer.from_crs(scene.CRS, "EPSG:4326", always_xy=True)
    corners = [to.transform(x, y) for x in (left, left + width) for y in (top - height, top)]
    lons, lats = np.sort([c[0] for c in corners]), np.sort([c[1] for c in corners])
    return [round(float(v), 7) for v in (lons[1], lats[1], lons[2], lats[2])]


def parts() -> dict[str, list[float]]:
    return {
        f"a{k}": degrees(scene.LEFT + a * scene.PIXEL, scene.TOP, (b - a) * scene.PIXEL, scene.SIDE * scene.PIXEL)
        for k, (a, b) in enumerate(itertools.pairwise(EDGES))
    }


def put_table(project: Path, boxes: dict[str, list[float]]) -> None:
    lines = ["name,left,bottom,right,top", *(f"{n},{','.join(map(str, box))}" for n, box in boxes.items())]
    files.write_text(project / "params/region/areas.csv", "\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def project(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a study that has been trained, and a region that it is applied to."""
    common = scene.parameters(data)
    here = {s: common[s] | PLAIN.get(s, {}) for s in ("01_download", "02_preprocess", "04_features", "05_samples")}
    here["06_rf"] = common["06_rf"]
    folder = scene.make_project(tmp_path_factory.mktemp("region") / "project", here)
    for step, values in here.items():
        execute(params.model_of(step).notebook, values, folder)
    made = scene.lulc(folder, "new", "region", "--apply", "tiny/rf")
    assert made.returncode == 0, made.stderr
    (folder / "params/region/03_visualize.yaml").unlink(missing_ok=True)
    return folder


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return np.asarray(file.read(1))


def test_one_of_two_workers_is_killed_and_every_area_is_mapped(project: Path) -> None:
    put_table(project, parts())
    process = subprocess.Popen(
        scene.command("run", "region", "--workers", "2"),
        cwd=project,
        env=scene.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        victim, until = None, time.monotonic() + 120
        while victim is None and process.poll() is None and time.monotonic() < until:
            time.sleep(0.2)
            victim = kills.busy(process)
        assert victim is not None and victim.pid != process.pid
        time.sleep(3)
        victim.kill()
        said, _ = process.communicate(timeout=900)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 0, said
    assert said.count(": done") == len(parts()) and f"2 of {len(parts())}" in said
    joined, whole = read(project / "outputs/region/maps/rf_from_tiny.tif"), read(project / "outputs/tiny/maps/rf.tif")
    with (
        rasterio.open(project / "outputs/region/maps/rf_from_tiny.tif") as file,
        rasterio.open(project / "outputs/tiny/maps/rf.tif") as scene_map,
    ):
        assert file.tags()["warped"] == "none"
        column, row = (round(v) for v in ~scene_map.transform * (file.transform.c, file.transform.f))
    cut = whole[row : row + joined.shape[0], column : column + joined.shape[1]]
    known = (cut > 0) & (joined > 0)
    assert known.mean() > 0.95
    np.testing.assert_array_equal(joined[known], cut[known])
    page = (project / "outputs/region/report/index.html").read_text(encoding="utf-8")
    assert "2 of 2 areas mapped" in page and "their pixels are copied" in page


def test_areas_that_are_done_are_not_run_again_and_one_that_fails_stops_no_other(project: Path) -> None:
    """Follows the test above: its areas are there; another zone and a place without scenes join the table."""
    records = {n: (project / f"outputs/region-{n}/steps/06_rf_from_tiny.json").stat().st_mtime_ns for n in parts()}
    put_table(project, parts() | {"outside": [20.0, 40.0, 20.01, 40.01]})
    said = scene.lulc(project, "run", "region")
    assert said.returncode == 1
    assert "outside: failed" in said.stdout and "does not meet the scenes" in said.stdout
    assert "1 of 3 areas have no map: outside" in said.stderr
    assert not (project / "outputs/region-outside/maps").exists()
    assert not (project / "outputs/region-outside/cube/composite.tif").exists()
    for name, written in records.items():
        assert (project / f"outputs/region-{name}/steps/06_rf_from_tiny.json").stat().st_mtime_ns == written
    page = (project / "outputs/region/report/index.html").read_text(encoding="utf-8")
    assert "2 of 3 areas mapped" in page and "does not meet the scenes" in page
    found = files.read_json(project / "outputs/region/report/areas.json")["areas"]
    assert [a["area"] for a in found if a["error"] is not None] == ["outside"]
    assert all(a["seconds"] > 0 and a["memory_mb"] > 100 and a["stored_mb"] > 0 for a in found if a["error"] is None)


def test_a_name_twice_stops_before_anything_runs(project: Path) -> None:
    before = scene.hashes(project / "outputs/region")
    box = next(iter(parts().values()))
    lines = ["name,left,bottom,right,top", *(f"a,{','.join(map(str, box))}" for _ in range(2))]
    files.write_text(project / "params/region/areas.csv", "\n".join(lines) + "\n")
    said = scene.lulc(project, "run", "region")
    assert said.returncode == 1 and "'a' is there 2 times" in said.stderr
    assert scene.hashes(project / "outputs/region") == before and not (project / "outputs/region-a").exists()
    shown = scene.lulc(project, "show", "region")
    assert shown.returncode == 1 and "'a' is there 2 times" in shown.stderr


def test_two_zones_each_on_its_own_grid_are_joined_by_the_nearest_pixel(project: Path) -> None:
    """The same land once in the zone of the scenes and once in the neighbouring one."""
    names = list(parts())
    lines = ["name,left,bottom,right,top,crs"]
    lines += [f"{n},{','.join(map(str, parts()[n]))},{'EPSG:32632' if n == 'a1' else ''}" for n in names]
    files.write_text(project / "params/region/areas.csv", "\n".join(lines) + "\n")
    own = read(project / "outputs/region/maps/rf_from_tiny.tif")
    said = scene.lulc(project, "run", "region")
    assert said.returncode == 0, said.stdout + said.stderr
    with rasterio.open(project / "outputs/region-a1/maps/rf_from_tiny.tif") as file:
        assert file.crs.to_epsg() == 32632
    with rasterio.open(project / "outputs/region/maps/rf_from_tiny.tif") as file:
        assert file.crs.to_epsg() == 32633 and file.tags()["warped"] == "region-a1"
        joined = file.read(1)
    page = (project / "outputs/region/report/index.html").read_text(encoding="utf-8")
    assert "Not copied but warped to it" in page and "their pixels are copied" not in page
    rows, columns = (min(a, b) for a, b in zip(own.shape, joined.shape, strict=True))
    both = (own[:rows, :columns] > 0) & (joined[:rows, :columns] > 0)
    assert (own[:rows, :columns] == joined[:rows, :columns])[
        both
    ].mean() > 0.75  # turned, twice resampled: of fields of 16 pixels a quarter lies on edges
