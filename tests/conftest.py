"""What tests of several rooms share."""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import dask
import filelock
import psutil
import pytest

from lulc_kit import attribution, run
from lulc_kit.raster import blockwise

with run._without("rfc3987_syntax"):  # jsonschema would compile a grammar of addresses, in every worker
    from tests import scene

HERE = Path(__file__).parent
SLOW = tuple(
    str(HERE / name)
    for name in (
        "baselines",
        "browser",
        "deep",
        "download/test_area.py",
        "download/test_products.py",
        "download/test_stac.py",
        "download/test_whole.py",
        "evaluate/test_survey.py",
        "features/test_results.py",
        "labels/quality",
        "labels/splitters",
        "labels/test_shapes.py",
        "labels/test_splits.py",
        "notebooks",
        "preprocess/sharpening",
        "preprocess/test_builder.py",
        "preprocess/test_composite.py",
        "preprocess/test_correction.py",
        "preprocess/test_csmask.py",
        "preprocess/test_product_clouds.py",
        "preprocess/test_products.py",
        "preprocess/test_registration.py",
        "preprocess/test_window.py",
        "safe/test_eopf.py",
        "simulated",
        "test_late.py",
        "visualize/test_images.py",
    )
)
"""Tests of whole studies, notebooks, models and products; single tests that are slow carry the mark themselves."""

LONGEST = tuple(
    str(HERE / name)
    for name in (
        "notebooks/test_run.py",
        "region/test_regions.py",
        "notebooks/test_choices.py",
        "notebooks/test_travel.py",
        "deep/test_temporal.py",
        "deep/test_training.py",
        "notebooks/test_own_data.py",
        "browser/test_lab.py",
        "test_cluster.py",
    )
)
"""Files that take longest, in order: begun last, one of them would keep one worker busy while the other waits."""

FRESH = 400_000_000
"""Bytes that a process has with the kit's libraries loaded."""

MUCH = 100_000_000
"""Bytes that a file of tests has to leave behind before all that is in memory is looked through for what can go."""


def pytest_configure(config: pytest.Config) -> None:
    """Let workers of pytest-xdist take files in our order, not those of many tests first, and each its own cores."""
    config.option.loadscopereorder = False
    if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
        threads = str(max(1, (os.cpu_count() or 1) // workers))
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):  # of the kernels that they start, too
            os.environ.setdefault(name, threads)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What is slow as a whole is not even imported where it is left out: networks take seconds for that alone."""
    return True if config.option.markexpr == "not slow" and str(collection_path).startswith(SLOW) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in `SLOW` or is long, so that ``pytest -m "not slow"`` leaves it out; `LONGEST` come first."""
    for item in items:
        if str(item.path).startswith(SLOW) or item.get_closest_marker("long"):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: next((i for i, path in enumerate(LONGEST) if str(item.path) == path), len(LONGEST)))


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
    """Networks of one file of tests do not stay in memory until the last; small files need not pay for looking."""
    process = psutil.Process()
    before = process.memory_info().rss
    yield
    if process.memory_info().rss - before > MUCH:
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
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[scene.Finished]:
    """The tiny study after `lulc run`, made once for all workers; who changes something works on a copy."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, about = shared / "finished", shared / "finished.json"
    with filelock.FileLock(shared / "finished.lock"):
        if not about.exists():
            made = scene.finish(folder)
            about.write_text(json.dumps([made.said.returncode, made.said.stdout, made.said.stderr, made.before]))
    code, out, error, before = json.loads(about.read_text())
    said = subprocess.CompletedProcess("lulc", code, out, error)
    files = scene.hashes(folder / "data")
    yield scene.Finished(folder / "project", folder / "data", said, before)
    assert scene.hashes(folder / "data") == files, "a test, or the kit, changed the user's own files"
