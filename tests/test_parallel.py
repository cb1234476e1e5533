"""Steps side by side: which waits for which, and what running them at once says and leaves."""

import io
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from lulc_kit import parallel, params
from lulc_kit.run import Planned
from tests import scene


def plan(study: str, steps: dict[str, dict[str, Any]]) -> list[Planned]:
    return [
        Planned(step, params.model_of(step).check({"study": study, "run": step[3:]} | values, step))
        if step[:2] in ("06", "07", "08")
        else Planned(step, params.model_of(step).check({"study": study} | values, step))
        for step, values in steps.items()
    ]


def named(steps: list[Planned]) -> dict[str, set[str]]:
    """Return what each step waits for, itself and all that those wait for aside, by study and number."""
    found = parallel.needs(steps)
    names = [f"{s.parameters.study} {s.step}" for s in steps]
    return {names[i]: {names[j] for j in waits if not any(j in found[k] for k in waits)} for i, waits in found.items()}


def test_a_step_waits_for_those_that_write_what_it_reads(project: Path) -> None:
    names = ("01_download", "02_preprocess", "03_visualize", "04_features", "05_samples", "06_knn", "06_rf", "07_fcn")
    one = plan("one", {n: {} for n in (*names, "08_lstm", "08_ltae", "09_evaluate")} | {"08_ltae": {"network": "ltae"}})
    assert named(one) == {
        "one 01_download": set(),
        "one 02_preprocess": {"one 01_download"},
        "one 03_visualize": {"one 02_preprocess"},
        "one 04_features": {"one 02_preprocess"},
        "one 05_samples": {"one 04_features"},
        "one 06_knn": {"one 05_samples"},
        "one 06_rf": {"one 05_samples"},
        "one 07_fcn": {"one 05_samples"},
        "one 08_lstm": {"one 07_fcn"},  # it is put on the networks of that run
        "one 08_ltae": {"one 05_samples"},
        "one 09_evaluate": {f"one {step}" for step in ("03_visualize", "06_knn", "06_rf", "08_lstm", "08_ltae")},
    }


def test_a_step_waits_for_the_model_of_another_study(project: Path) -> None:
    there = plan("there", {"05_samples": {}, "06_rf": {}, "06_knn": {}})
    here = plan("here", {"04_features": {}, "06_rf": {"trained": "there/rf"}})
    assert named(there + here)["here 06_rf"] == {"there 06_rf", "here 04_features"}
    assert named(here + there)["here 06_rf"] == {"here 04_features"}, "as one after the other: it must be there"


def test_lines_carry_the_name_of_their_step() -> None:
    stream = io.StringIO()
    out = parallel.Named(stream, "a 06_rf")
    for part in ("tree 1", "\ntree", " 2\n\n", "tree 3"):
        out.write(part)
    assert stream.getvalue() == "a 06_rf: tree 1\na 06_rf: tree 2\n"


MEETS = """
import time
from pathlib import Path
from lulc_kit import params
from lulc_kit.study import begin
p = params.Download.from_notebook(globals())
step = begin(p)
(step.study.folder / "here").touch()
late = time.monotonic() + 90
while len([*step.study.folder.parent.glob("*/here")]) < 2 and time.monotonic() < late:
    time.sleep(0.05)
assert time.monotonic() < late, "the other study did not run at the same time"
print("met")
step.layout.catalog.write_text("{}")
step.finish()
"""


def put_notebook(project: Path, name: str, code: str) -> None:
    content = nbformat.read(scene.REPOSITORY / f"notebooks/{name}.ipynb", as_version=4)
    content.cells = [content.cells[[c.cell_type for c in content.cells].index("code")], nbformat.v4.new_code_cell(code)]
    nbformat.write(content, project / f"notebooks/{name}.ipynb")


@pytest.mark.slow
def test_two_studies_at_once_and_one_that_fails_stops_no_other(project: Path) -> None:
    """Each waits until the other has begun; takes ten seconds."""
    put_notebook(project, "01_download", MEETS)
    put_notebook(project, "02_preprocess", "raise ValueError('no light')")
    for study, steps in {"one": ("01_download", "02_preprocess", "03_visualize"), "two": ("01_download",)}.items():
        for step in steps:
            scene.put(project, step, {"study": study}, study)
    said = scene.lulc(project, "run", "one", "two", "--jobs", "2")
    assert said.returncode == 1
    assert "lulc: one 02_preprocess failed: ValueError: no light" in said.stderr
    assert "Traceback" not in said.stderr
    lines = said.stdout.splitlines()
    assert {"one 01_download: met", "two 01_download: met", "one 02_preprocess: running (not run yet)"} <= {*lines}
    assert not any("03_visualize" in line for line in lines), "it needs what failed"
    assert {p.name for p in (project / "outputs").glob("*/steps/0*.json")} == {"01_download.json"}


@pytest.mark.slow
def test_killed_it_leaves_nothing_at_work(project: Path) -> None:
    """Of `lulc` alone, so that its processes are orphaned; takes five seconds."""
    put_notebook(project, "01_download", MEETS)
    scene.put(project, "01_download", {"study": "one"}, "one")
    process = subprocess.Popen(
        scene.command("run", "one", "--jobs", "2"),
        cwd=project,
        env=scene.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 90
        while not (project / "outputs/one/here").exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        children = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.wait()
    assert len(children) >= 2, "a process for the step, and its kernel"
    assert psutil.wait_procs(children, timeout=60)[1] == []
    assert sys.platform == "win32" or not (project / "outputs/one/steps/01_download.json").exists()
