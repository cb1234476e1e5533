"""What tests of several rooms share."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import dask
import psutil
import pytest

from lulc_kit import attribution
from lulc_kit.raster import blockwise
from tests import scene

SLOW = tuple(
    str(Path(__file__).parent / name)
    for name in ("browser", "deep", "simulated", "preprocess/test_products.py", "preprocess/test_correction.py")
)
"""Tests of whole studies, networks and products; files and tests that are slow by themselves carry the mark."""

FRESH = 400_000_000
"""Bytes that a process has with the kit's libraries loaded."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in `SLOW`, so that ``pytest -m "not slow"`` leaves it out."""
    for item in items:
        if str(item.path).startswith(SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def memory_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A limit of memory counts what the test takes, not what networks and pictures of others left in the process."""
    process = psutil.Process()
    others = max(0, process.memory_info().rss - FRESH)
    own = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=process.memory_info().rss - others))
    monkeypatch.setattr(blockwise, "psutil", SimpleNamespace(Process=lambda: own))
    with dask.config.set({"lulc_kit.memory": None}):  # what a notebook sets that a test runs ends with the test
        yield


@pytest.fixture(autouse=True, scope="module")
def networks_forgotten() -> Iterator[None]:
    """Networks of one file of tests do not stay in memory until the last."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()
    gc.collect()


@pytest.fixture(autouse=True)
def nothing_declared() -> Iterator[None]:
    """A test that begins a step leaves no line under the pictures of the next one."""
    yield
    attribution.declare("")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project (notebooks/, params/) that is the working folder."""
    folder = tmp_path / "project"
    for name in ("notebooks", "params"):
        (folder / name).mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of the tiny scene; whoever changes one is found out at the end of the session."""
    folder = scene.write_data(tmp_path_factory.mktemp("data"))
    before = scene.hashes(folder)
    yield folder
    assert scene.hashes(folder) == before, "a test, or the kit, changed the user's own files"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path) -> scene.Finished:
    """The tiny study after `lulc run`, made once; who changes something works on a copy."""
    project = scene.make_project(tmp_path_factory.mktemp("finished") / "project", scene.parameters(data))
    # Somebody tried things out in JupyterLab and saved: the parameter file counts, and the model's defaults.
    scene.edit(project / "notebooks/06_baselines.ipynb", "seed = 1 ", "seed = 99 ")
    before = scene.hashes(project)
    return scene.Finished(project, scene.lulc(project, "run", "tiny"), before)
