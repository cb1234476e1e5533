"""Plans of studies, checked before anything runs. What running does is in notebooks/test_run.py."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from lulc_kit import params, run, study
from lulc_kit import steps as traffic
from lulc_kit.errors import GridError, LulcError
from tests import scene


def put(project: Path, step: str, **values: Any) -> Path:
    return scene.put(project, step, {"study": "s"} | values, "s")


def test_plan_is_the_folder_in_order(project: Path) -> None:
    for step in ("09_evaluate", "01_download", "04_features"):
        put(project, step)
    put(project, "06_rf", run="rf")
    put(project, "06_knn", run="knn", model="knn")
    steps = run.plan("s")
    assert [s.step for s in steps] == ["01_download", "04_features", "06_knn", "06_rf", "09_evaluate"]
    assert [s.parameters.step for s in steps] == [s.step for s in steps]
    assert run.plan(str(project / "params/s")) == steps
    (project / "params/s/._06_rf.yaml").write_bytes(b"\0\5\x16\7")  # what macOS leaves beside a file
    assert run.plan("s") == steps


def test_settings_replace_values_and_are_typed(project: Path) -> None:
    put(project, "06_rf", run="rf", trees=10)
    given = run.parse_settings(["06_rf.trees=20", "06_rf.features=[B2, B3]", "06_rf.seed=3", "06_rf.seed=4"])
    p = run.plan("s", given, outputs="elsewhere")[0].parameters
    assert isinstance(p, params.Baselines)
    assert (p.trees, p.features, p.seed, p.outputs) == (20, ["B2", "B3"], 4, "elsewhere")
    assert p.model == "rf"


def test_settings_may_hold_equals_signs_and_null() -> None:
    assert run.parse_settings(["01_download.dem=a=b.tif", "06_a-b.features=null"]) == {
        "01_download": {"dem": "a=b.tif"},
        "06_a-b": {"features": None},
    }


@pytest.mark.parametrize("setting", ["trees=5", "06_rf.trees", "rf.trees=5", "06_rf.trees=[", "=", ""])
def test_settings_that_are_none(setting: str) -> None:
    with pytest.raises(LulcError, match="--set"):
        run.parse_settings([setting])


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("06_rf.tress=5", "tress: there is no such parameter"),
        ("06_rf.trees=many", "found 'many'"),
        ("06_rf.trees=0", "found 0"),
        ("06_svm.trees=5", "--set names 06_svm, but s has only: 06_rf"),
        ("06_rf.run=other", "'run' must be what the file's name says"),
    ],
)
def test_wrong_settings(project: Path, setting: str, says: str) -> None:
    put(project, "06_rf", run="rf")
    with pytest.raises(LulcError) as caught:
        run.plan("s", run.parse_settings([setting]))
    assert says in str(caught.value)


def test_everything_wrong_is_said_at_once(project: Path) -> None:
    put(project, "06_rf", run="rf", trees="many")
    put(project, "07_other", run="fcn")
    put(project, "09_evaluate", resample=5)
    with pytest.raises(LulcError) as caught:
        run.plan("s")
    for says in (
        "06_rf.yaml",
        "'many'",
        "07_other.yaml",
        "rename the file to 07_fcn.yaml",
        "09_evaluate.yaml",
        "resample:",
    ):
        assert says in str(caught.value)


def test_parameter_file_with_another_ending_is_not_passed_over(project: Path) -> None:
    put(project, "06_rf", run="rf")
    (project / "params/s/07_fcn.yml").write_text("study: s\nrun: fcn\n")
    with pytest.raises(LulcError, match=r"07_fcn\.yml would not be read.*Rename it to 07_fcn\.yaml"):
        run.plan("s")


def test_study_must_be_named_once(project: Path) -> None:
    path = put(project, "04_features")
    path.write_text("components: 2\n")
    with pytest.raises(LulcError, match="Write the line: study: s"):
        run.plan("s")
    path.write_text("study: other\n")
    put(project, "09_evaluate")
    with pytest.raises(LulcError, match=r"different studies \(other, s\)"):
        run.plan("s")


def test_no_such_study(project: Path) -> None:
    put(project, "04_features")
    with pytest.raises(LulcError, match=r"no study 'x'.*Studies here: s\. Start one with: lulc new x"):
        run.plan("x")
    (project / "params/empty").mkdir()
    with pytest.raises(LulcError, match="holds no parameter file"):
        run.plan("empty")


def accuracy(value: float) -> dict[str, Any]:
    estimate = {"value": value, "low": value - 0.1, "high": value + 0.1}
    return {"apart_in_space": {"macro_f1": estimate, "overall_accuracy": estimate}}


def test_results_are_those_of_reports_that_are_up_to_date(project: Path) -> None:
    put(project, "09_evaluate")
    steps = run.plan("s")
    p = steps[0].parameters
    folder = study.Study(p).folder
    for path in traffic.reads(p, study.Study(p).layout):
        path = Path(str(path).replace("*", "rf"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert run.results(steps) == ([], [])
    step = study.begin(p)
    for path in traffic.writes(p, study.Study(p).layout):
        path = Path(str(path).replace("*", "rf"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (folder / "report/accuracy.json").write_text(json.dumps({"separation": "4 folds", "runs": {"rf": accuracy(0.5)}}))
    step.finish()
    pages, rows = run.results(steps)
    assert pages == [folder / "report/index.html"]
    assert [(r.study, r.run, r.macro_f1, r.separation) for r in rows] == [("s", "rf", "0.500 (0.400–0.600)", "4 folds")]
    (folder / "maps/rf.tif").write_text("a newer map")
    assert run.results(steps) == ([], [])


@pytest.mark.parametrize(
    ("only", "start", "chosen"),
    [
        ([], None, ["01_download", "02_preprocess", "06_rf"]),
        (["06_rf", "01_download"], None, ["01_download", "06_rf"]),
        ([], "02", ["02_preprocess", "06_rf"]),
        ([], "06_rf", ["06_rf"]),
        (["01_download"], "02", []),
        (["02"], None, "has no step 02"),
        ([], "07", "has no step 07"),
        ([], "6", r"has no step 6\. It has: 01_download, 02_preprocess, 06_rf"),
    ],
)
def test_steps_are_selected(only: list[str], start: str | None, chosen: list[str] | str) -> None:
    p = params.Download.check({"study": "s"}, "here")
    steps = [run.Planned(name, p) for name in ("01_download", "02_preprocess", "06_rf")]
    if isinstance(chosen, str):
        with pytest.raises(LulcError, match=chosen):
            run.select(steps, only, start)
    else:
        assert [s.step for s in run.select(steps, only, start)] == chosen


def test_steps_of_this_study_are_left_out() -> None:
    p = params.Download.check({"study": "s"}, "here")
    steps = [run.Planned(name, p) for name in ("01_download", "06_rf")]
    assert run.parse_left_out(["s/06_rf"], [steps]) == {"s": ["06_rf"]}
    assert [s.step for s in run.select(steps, without=["06_rf"])] == ["01_download"]
    with pytest.raises(LulcError, match="Study s has no step 06"):
        run.select(steps, without=["06"])


def test_cluster_options_exclude_each_other() -> None:
    with pytest.raises(LulcError, match="--scheduler and --workers"), run.cluster("tcp://127.0.0.1:1", 2):
        pass


@pytest.mark.parametrize(
    ("kind", "says"),
    [(LulcError, "why"), (GridError, "why"), (KeyError, "KeyError: why")],
)
def test_the_kit_speaks_for_itself_and_names_the_errors_of_others(
    project: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception], says: str
) -> None:
    """A step fails in another process: all that comes back of the error is its name and its text."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    put(project, "01_download")
    (planned,) = run.plan("s")
    (project / "notebooks/01_download.ipynb").write_text('{"cells": []}')

    def execute(source: str, target: str, **_: Any) -> None:
        Path(target).write_text("as far as it came")
        raise PapermillExecutionError(1, 1, "", kind.__name__, "why", [])

    monkeypatch.setattr(papermill, "execute_notebook", execute)
    with pytest.raises(LulcError, match=f"^s 01_download failed: {says}\n"):
        run._execute(planned)


def test_output_that_is_slow_on_a_busy_computer_is_waited_for(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from papermill.clientwrap import PapermillNotebookClient

    put(project, "01_download")
    (planned,) = run.plan("s")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    empty = nbformat.v4.new_notebook(metadata=kernel)
    (project / "notebooks/01_download.ipynb").write_text(nbformat.writes(empty))
    waits = []
    monkeypatch.setattr(PapermillNotebookClient, "execute", lambda client: waits.append(client.iopub_timeout))
    run._execute(planned)
    assert waits == [run.OUTPUT] and run.OUTPUT > PapermillNotebookClient.iopub_timeout.default_value


def test_kernel_that_does_not_come_up_is_started_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import papermill

    put(project, "01_download")
    (planned,) = run.plan("s")
    (project / "notebooks/01_download.ipynb").write_text('{"cells": []}')
    failures = ["Kernel died before replying to kernel_info", "Kernel didn't respond in 60 seconds"]

    def execute(source: str, target: str, **_: Any) -> None:
        if failures:
            raise RuntimeError(failures.pop())
        Path(target).write_text("done")

    monkeypatch.setattr(papermill, "execute_notebook", execute)
    run._execute(planned)
    assert (project / "outputs/s/notebooks/01_download.ipynb").read_text() == "done"
    failures += ["Kernel died before replying to kernel_info"] * run.STARTS
    with pytest.raises(LulcError, match=r"(?s)kernel did not start.*lulc doctor"):
        run._execute(planned)
    failures += ["something else"]
    with pytest.raises(RuntimeError, match="something else"):
        run._execute(planned)
