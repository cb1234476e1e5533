"""All notebooks end to end, by `lulc run` on the tiny study: what it leaves behind, resuming, failing.

The whole run takes most of a minute, so that it is done once (`finished` of conftest.py); what changes something works
on a copy.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import nbformat
import numpy as np
import papermill
import psutil
import pytest
import rasterio
from papermill.exceptions import PapermillExecutionError

from lulc_kit import run, study
from tests import kills, scene
from tests.scene import Finished


def states(said: str) -> dict[str, str]:
    """Return what `lulc run` said of each step: "up to date" or why it ran."""
    found: dict[str, str] = {}
    for line in said.splitlines():
        if line.startswith("tiny ") and ": " in line:
            step, _, state = line.removeprefix("tiny ").partition(": ")
            found.setdefault(step, state)
    return found


@pytest.fixture
def copy(finished: Finished, tmp_path: Path) -> Finished:
    project = shutil.copytree(finished.project, tmp_path / "project")
    return Finished(project, finished.data, finished.said, finished.before)


def test_all_steps_run(finished: Finished) -> None:
    assert finished.said.returncode == 0, finished.said.stdout + finished.said.stderr
    steps = scene.parameters(finished.data)
    assert states(finished.said.stdout) == dict.fromkeys(steps, "running (not run yet)")
    for step in steps:
        assert (finished.outputs / f"steps/{step}.json").exists()
        notebook = nbformat.read(finished.outputs / f"notebooks/{step}.ipynb", as_version=4)
        assert all(c.execution_count for c in notebook.cells if c.cell_type == "code" and c.source)
    assert {p.name for p in (finished.outputs / "notebooks").iterdir()} == {f"{step}.ipynb" for step in steps}
    assert not list(finished.outputs.rglob(".*")), "no half files are left"


def test_nothing_is_written_outside_outputs(finished: Finished) -> None:
    after = scene.hashes(finished.project)
    assert {name: h for name, h in after.items() if not name.startswith("outputs/")} == finished.before


def test_ends_with_a_table_of_all_runs_and_the_page(finished: Finished) -> None:
    lines = finished.said.stdout.splitlines()
    for name in ("knn", "rf", "fcn", "lstm"):
        assert any(line.split()[:2] == ["tiny", name] and "2 folds of whole 200 m blocks" in line for line in lines)
    assert lines[-1] == f"report: {finished.outputs / 'report/index.html'}"


def test_maps_show_the_scene(finished: Finished) -> None:
    """The classes are told apart with ease, so the baselines' maps are nearly the truth."""
    codes = np.array([{"Forest": 3, "Water": 5, "Farmland": 2}[name] for name in scene.SPECTRA])[scene.truth()]
    for name in ("knn", "rf"):
        with rasterio.open(finished.outputs / f"maps/{name}.tif") as source:
            found = source.read(1)
            assert source.crs.to_string() == scene.CRS
            assert (source.transform.c, source.transform.f) == (scene.LEFT, scene.TOP)
            assert source.colormap(1)[5][:3] == (0, 0, 255)
        assert (found == codes).mean() > 0.95
    accuracy = json.loads((finished.outputs / "report/accuracy.json").read_text(encoding="utf-8"))
    for name in ("knn", "rf"):
        assert accuracy["runs"][name]["apart_in_space"]["macro_f1"]["value"] > 0.95


def test_everything_is_on_one_grid(finished: Finished) -> None:
    grids = set()
    for folder in ("cube", "features", "samples", "maps", "models"):
        for path in (finished.outputs / folder).rglob("*.tif"):
            with rasterio.open(path) as source:
                grids.add((source.crs.to_string(), source.transform, source.shape))
    assert len(grids) == 1


def test_records_hold_parameters_and_hashes(finished: Finished) -> None:
    for step, values in scene.parameters(finished.data).items():
        record = json.loads((finished.outputs / f"steps/{step}.json").read_text(encoding="utf-8"))
        assert {name: record["parameters"][name] for name in values if name != "scenes"} == {
            name: value for name, value in values.items() if name != "scenes"
        }
        for mark in record["outputs"]:
            assert study.files.sha256(finished.outputs / mark["path"]) == mark["sha256"]
    record = json.loads((finished.outputs / "steps/06_rf.json").read_text(encoding="utf-8"))
    assert record["parameters"]["seed"] == 1


def test_second_run_computes_nothing(finished: Finished) -> None:
    def times() -> dict[str, int]:
        return {str(p): p.stat().st_mtime_ns for p in finished.outputs.rglob("*") if p.is_file()}

    before = times()
    said = scene.lulc(finished.project, "run", "tiny")
    assert said.returncode == 0
    assert states(said.stdout) == dict.fromkeys(scene.parameters(finished.data), "up to date")
    assert times() == before
    shown = scene.lulc(finished.project, "show", "tiny")
    assert shown.returncode == 0
    assert shown.stdout.count(": up to date") == len(scene.parameters(finished.data))


def test_setting_runs_again_only_what_depends_on_it(copy: Finished) -> None:
    before = scene.hashes(copy.outputs)
    said = scene.lulc(copy.project, "run", "tiny", "--set", "06_knn.neighbours=1")
    assert said.returncode == 0, said.stderr
    assert {step: state for step, state in states(said.stdout).items() if state != "up to date"} == {
        "06_knn": "running (parameters changed: neighbours)",
        "09_evaluate": "running (inputs changed)",
    }
    after = scene.hashes(copy.outputs)
    changed = {name for name in before if before[name] != after[name]}
    assert "models/knn/model.skops" in changed
    assert not {name for name in changed if "rf" in Path(name).parts or Path(name).stem in ("rf", "06_rf", "fcn")}


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="SIGKILL is of POSIX systems")
def test_killed_and_started_again(copy: Finished, finished: Finished) -> None:
    """It goes on from the last finished step, and ends with the same bytes as a run that nobody disturbed."""
    steps = ("04_features", "05_samples", "06_rf")
    for step in steps[2:]:
        (copy.outputs / f"steps/{step}.json").unlink()
    for folder in ("maps", "models", "samples"):
        shutil.rmtree(copy.outputs / folder)
    arguments = ["run", "tiny", *(word for step in steps for word in ("--only", step))]
    process = subprocess.Popen(
        scene.command(*arguments),
        cwd=copy.project,
        env=scene.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    running, record = copy.outputs / "notebooks/05_samples.running.ipynb", copy.outputs / "steps/05_samples.json"
    try:
        while process.poll() is None and (record.exists() or not running.exists()):
            time.sleep(0.02)
        kernels = psutil.Process(process.pid).children(recursive=True)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not record.exists()
    _, alive = psutil.wait_procs(kernels, timeout=60)
    assert alive == [], "a kernel without its parent ends by itself, so that it cannot write into the next run"

    said = scene.lulc(copy.project, *arguments)
    assert said.returncode == 0, said.stderr
    assert states(said.stdout) == {"04_features": "up to date"} | dict.fromkeys(steps[1:], "running (not run yet)")
    now, then = scene.hashes(copy.outputs), scene.hashes(finished.outputs)
    for name in (
        *("samples/labels.tif", "samples/folds.tif", "samples/samples.parquet"),
        *("maps/rf.tif", "maps/rf_probability.tif", "models/rf/crossval.tif"),
    ):
        assert now[name] == then[name], name
    assert not running.exists()


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="SIGKILL is of POSIX systems")
def test_killed_at_random_moments_again_and_again(copy: Finished, finished: Finished) -> None:
    """Whatever is killed, and whenever, the run that follows at once ends with the same bytes."""
    chance = random.Random(9)
    steps = ("04_features", "06_knn")
    arguments = ["run", "tiny", *(word for step in steps for word in ("--only", step))]
    records = [copy.outputs / f"steps/{step}.json" for step in steps]
    whole = sum(json.loads(record.read_bytes())["duration_s"] for record in records)  # of a first run, which compiled
    for record in records:
        record.unlink()
    struck = [kills.strike(copy.project, arguments, how, chance.uniform(0.05, 0.5) * whole) for how in kills.HOW]
    assert any(struck)
    said = scene.lulc(copy.project, *arguments)
    assert said.returncode == 0, said.stdout + said.stderr
    assert kills.results(copy.outputs) == kills.results(finished.outputs)


def put_notebook(project: Path, *code: str) -> None:
    """Put a notebook 01 of these cells after its parameters."""
    path = project / "notebooks/01_download.ipynb"
    content = nbformat.read(path, as_version=4)
    first = next(cell for cell in content.cells if cell.cell_type == "code")
    content.cells = [first, *map(nbformat.v4.new_code_cell, code)]
    nbformat.write(content, path)


BEGIN = "from lulc_kit import params\nfrom lulc_kit.study import begin\n" + (
    "p = params.Download.from_notebook(globals())\nstep = begin(p)"
)


@pytest.fixture
def first_step(tmp_path: Path, data: Path) -> Path:
    steps = scene.parameters(data)
    return scene.make_project(tmp_path / "project", {"01_download": steps["01_download"]})


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ([BEGIN, "step.finish()"], "01_download ended without writing catalog.json: the step has failed"),
        ([BEGIN, "step.layout.catalog.write_text('{}')"], "the step was not finished"),
        ([BEGIN, "1 / 0"], "ZeroDivisionError: division by zero"),
        ([BEGIN, "import os", "os._exit(1)"], "its Python process died"),
    ],
    ids=["writes nothing", "does not finish", "raises", "dies"],
)
def test_step_that_fails(first_step: Path, code: list[str], says: str) -> None:
    put_notebook(first_step, *code)
    said = scene.lulc(first_step, "run", "tiny")
    assert said.returncode == 1
    assert says in said.stderr
    assert "Traceback" not in said.stderr
    assert not (first_step / "outputs/tiny/steps/01_download.json").exists()
    assert "01_download: not run yet" in scene.lulc(first_step, "show", "tiny").stdout


def test_notebook_that_does_not_take_part_has_failed_even_after_a_good_run(
    first_step: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(first_step)
    monkeypatch.setenv("PYTHONPATH", scene.environment()["PYTHONPATH"])
    (planned,) = run.plan("tiny")
    step = study.begin(planned.parameters)
    step.layout.catalog.write_text("{}")
    step.finish()
    put_notebook(first_step, "print('nothing')")
    with pytest.raises(run.LulcError, match="the step was not finished"):
        run.run([planned])


def test_missing_file_of_ones_own(first_step: Path, data: Path) -> None:
    values = scene.parameters(data)["01_download"]
    values["scenes"][0]["bands"]["B2"] = str(data / "no_such_file.tif")
    scene.put(first_step, "01_download", values)
    said = scene.lulc(first_step, "run", "tiny")
    assert said.returncode == 1
    assert "lulc: tiny 01_download failed: 01_download needs" in said.stderr
    assert "no_such_file.tif, which is not there. Check the path in its parameters." in said.stderr
    assert "Traceback" not in said.stderr
    failed = first_step / "outputs/tiny/notebooks/01_download.failed.ipynb"
    assert failed.exists()
    assert f"(the notebook as far as it came: {failed})" in said.stderr


def test_typo_in_the_last_file_is_found_before_the_first_step(tmp_path: Path, data: Path) -> None:
    steps = scene.parameters(data)
    steps["09_evaluate"]["resample"] = 100
    steps["07_fcn"]["learning_rate"] = "1e-4"  # what YAML makes of 1e-4
    project = scene.make_project(tmp_path / "project", steps)
    said = scene.lulc(project, "run", "tiny")
    assert said.returncode == 1
    assert said.stdout == ""
    assert "resample: there is no such parameter" in said.stderr
    assert "learning_rate: found '1e-4'" in said.stderr
    assert "write 1.0e-4." in said.stderr
    assert not (project / "outputs").exists()


def test_papermill_alone_is_refused_what_the_notebook_does_not_know(
    first_step: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", scene.environment()["PYTHONPATH"])
    with pytest.raises(PapermillExecutionError) as caught:
        papermill.execute_notebook(
            str(first_step / "notebooks/01_download.ipynb"),
            str(first_step / "out.ipynb"),
            parameters={"study": "tiny", "sceens": [], "sample": "atlantis"},
            cwd=str(first_step),
            progress_bar=False,
        )
    assert caught.value.ename == "LulcError"
    assert "sceens: there is no such parameter" in caught.value.evalue
    assert "found 'atlantis'" in caught.value.evalue
    assert not (first_step / "outputs").exists()
