"""The same calls on a real dask cluster: a scheduler and two worker processes give the same files, also if one dies."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import distributed
import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lulc_kit import mapping, raster, run
from lulc_kit.classes import SCHEMES
from lulc_kit.features import components, indices, stack
from lulc_kit.layout import RunLayout
from lulc_kit.raster import writing
from lulc_kit.region import items
from lulc_kit.region.items import Item
from tests import scene

GRID = GeoBox((192, 256), Affine(10, 0, 500_000, 0, -10, 5_800_000), "EPSG:32633")
BANDS = ["B3", "B4", "B8", "B11"]
CLASSES = SCHEMES["forest"]

pytestmark = pytest.mark.slow


class Slow:
    """A predictor that takes a while, so that a worker can be killed while it computes."""

    def __init__(self, predictor: mapping.Predictor, seconds: float) -> None:
        self.predictor, self.seconds = predictor, seconds

    def __call__(self, features: np.ndarray) -> np.ndarray:
        time.sleep(self.seconds)
        return self.predictor(features)


def write_image(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    data = rng.uniform(0.02, 0.5, (len(BANDS), *GRID.shape)).astype(np.float32)
    data[:, :20, :30] = np.nan
    writing.write_all([writing.reflectance(folder / "image.tif", raster.array(data, GRID, BANDS))])
    return folder / "image.tif"


def features_and_map(image: Path, folder: Path, seconds: float = 0.0) -> dict[str, np.ndarray]:
    """Do what notebooks 04 and 06 do, in blocks of 64 pixels, and return what stands in the files."""
    cube = raster.read(image, chunk=64)
    projected = components.transform(cube, components.fit(cube, 2))
    everything = stack.merge(cube, indices.compute(cube, ["NDVI", "MNDWI"]), projected)
    writing.write(folder / "features/stack.tif", everything)
    rng = np.random.default_rng(1)
    samples = rng.uniform(0, 0.5, (300, 2)).astype(np.float32)
    forest = RandomForestClassifier(10, random_state=0, n_jobs=1)
    model = make_pipeline(StandardScaler(), forest).fit(samples, 1 + (samples[:, 0] > samples[:, 1]))
    features = raster.read(folder / "features/stack.tif", ["B8", "B4"], chunk=64)
    predictor = Slow(mapping.pixelwise(model, CLASSES.values), seconds)
    mapping.write(mapping.predict(features, predictor, {}, None, CLASSES), RunLayout(folder, "rf"), CLASSES)
    found = {}
    for name in ("features/stack.tif", "maps/rf.tif", "maps/rf_probability.tif", "maps/rf_entropy.tif"):
        with rasterio.open(folder / name) as source:
            found[name] = source.read()
    return found


def _port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers, each a process of its own, on loopback."""
    address = f"tcp://127.0.0.1:{(port := _port())}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": scene.environment(), "cwd": tmp_path}
    base = [sys.executable, "-m", "dask"]
    processes = [
        subprocess.Popen([*base, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"], **quiet)
    ]
    for _ in range(2):
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1", "--death-timeout", "60"]
        processes.append(subprocess.Popen([*base, "worker", address, *options], **quiet))
    try:
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait(30)


@pytest.mark.long
def test_a_cluster_gives_the_same_files_also_if_a_worker_dies(
    tmp_path: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    image = write_image(tmp_path)
    alone = features_and_map(image, tmp_path / "alone")
    address, workers = cluster
    with distributed.Client(address, timeout="60s") as client:
        client.wait_for_workers(2, timeout=60)
        together = features_and_map(image, tmp_path / "together")
        timer = threading.Timer(1.0, os.kill, (workers[0].pid, signal.SIGKILL))
        timer.start()
        bereft = features_and_map(image, tmp_path / "bereft", seconds=0.4)
        timer.join()
        assert workers[0].poll() is not None, "the worker was to be killed while the map was made"
        assert len(client.scheduler_info()["workers"]) == 1
    for name, expected in alone.items():
        if name.startswith("features"):
            np.testing.assert_allclose(together[name], expected, atol=1e-6)
            np.testing.assert_allclose(bereft[name], expected, atol=1e-6)
        else:
            np.testing.assert_array_equal(together[name], expected)
            np.testing.assert_array_equal(bereft[name], expected)


def test_notebooks_and_areas_find_the_workers_of_scheduler(
    project: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    """What ``lulc run --scheduler`` hands over: blocks of a notebook, in a process of its own, and whole areas."""
    address, workers = cluster
    code = (
        "import os, dask; from lulc_kit import params, study; "
        "study.begin(params.Download.check({'study': 's', 'source': 'sample'}, 'test')); "
        "print(dask.delayed(os.getpid)().compute())"
    )
    scene.put(project, "02_preprocess", {"study": "r-a"}, "r-a")
    with distributed.Client(address, timeout="60s", set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        with run.cluster(address):
            kernel = subprocess.run(
                [sys.executable, "-c", code], env=scene.environment(), capture_output=True, text=True, timeout=120
            )
        assert kernel.returncode == 0, kernel.stderr
        assert int(kernel.stdout.splitlines()[-1]) in {worker.pid for worker in workers}
        workers[0].kill()
        (outcome,) = items.run_all([Item("a", run.plan("r-a"))], scheduler=address, say=lambda line: None)
        assert outcome.error is not None and "02_preprocess.ipynb does not exist" in outcome.error
        assert set(client.run(os.getcwd).values()) == {str(project)}, (
            "the area was to be run by the worker that is left"
        )
