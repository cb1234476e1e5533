"""The command line: exit codes, messages, and what it does not import."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lulc_kit import checkup, cli
from lulc_kit.download import sample
from tests import scene


def lulc(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


@pytest.fixture
def small(project: Path) -> Path:
    scene.put(project, "01_download", {"study": "s"}, "s")
    scene.put(project, "06_rf", {"study": "s", "run": "rf"}, "s")
    return project


def test_help_lists_all_commands() -> None:
    result = lulc("--help")
    assert result.exit_code == 0
    assert all(
        name in result.stdout for name in ("run", "show", "new", "sample", "download", "report", "compare", "doctor")
    )


def test_quick_commands_import_nothing_slow() -> None:
    """One process imports all that the quick commands need, and says after each module what is loaded."""
    modules = ["lulc_kit", "lulc_kit.cli", "lulc_kit.params", "lulc_kit.study", "lulc_kit.run"]
    code = "import sys, json\n" + "".join(f"import {name}; print(json.dumps([*sys.modules]))\n" for name in modules)
    done = subprocess.run(
        [sys.executable, "-c", code], env=scene.environment(), capture_output=True, text=True, check=True
    )
    slow = {"pandas", "xarray", "dask", "rasterio", "sklearn", "matplotlib", "papermill", "tensorflow", "keras"}
    for name, line in zip(modules, done.stdout.splitlines(), strict=True):
        # Class schemes, which parameters know, translate rasters.
        unwanted = slow | {"numpy"} if name in ("lulc_kit", "lulc_kit.cli") else slow
        assert unwanted & set(json.loads(line)) == set(), name


@pytest.mark.parametrize("arguments", [["run"], ["run", "s", "--no-such-option"], ["fly"], ["new"], ["show"]])
def test_wrong_usage_is_exit_code_2(small: Path, arguments: list[str]) -> None:
    assert lulc(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "nowhere"], "no study 'nowhere'"),
        (["run", "s", "nowhere"], "no study 'nowhere'"),
        (["run", "s", "--only", "07_fcn"], "no step 07_fcn. It has: 01_download, 06_rf"),
        (["run", "s", "--only", "06"], "no step 06. It has"),
        (["run", "s", "--from", "08"], "no step 08. It has"),
        (["run", "s", "--set", "06_rf.trees=x"], "found 'x'"),
        (["run", "s", "--without", "06_rf"], "--without 06_rf: expected STUDY/NN_name, of s"),
        (["run", "s", "--without", "t/06_rf"], "--without t/06_rf: expected STUDY/NN_name, of s"),
        (["show", "nowhere"], "no study 'nowhere'"),
        (["new", "s"], "exists already"),
        (["new", "a b"], "cannot be the name"),
        (["sample", "atlantis"], "no sample 'atlantis'. Samples: havelland, romania"),
    ],
)
def test_errors_are_exit_code_1_with_a_message_and_no_traceback(small: Path, arguments: list[str], says: str) -> None:
    result = lulc(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("lulc: ")
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert not (small / "outputs").exists()


def test_missing_notebook(small: Path) -> None:
    result = lulc("run", "s")
    assert result.exit_code == 1
    assert "Run lulc in the kit's folder" in result.stderr


def test_outputs_that_is_a_file(small: Path) -> None:
    (small / "notebooks/01_download.ipynb").write_bytes((scene.REPOSITORY / "notebooks/01_download.ipynb").read_bytes())
    (small / "outputs").write_text("x")
    result = lulc("run", "s")
    assert result.exit_code == 1
    assert "Choose another folder with --outputs DIR" in result.stderr
    assert (small / "outputs").read_text() == "x"


def test_show_says_what_is_to_be_done(small: Path) -> None:
    result = lulc("show", "s", "--outputs", "elsewhere")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "01_download: not run yet",
        "06_rf: not run yet",
        f"in {small / 'elsewhere/s'}",
    ]
    assert not (small / "elsewhere").exists()


def test_new_and_show(project: Path) -> None:
    result = lulc("new", "mine")
    assert result.exit_code == 0
    assert "01_download.yaml" in result.stdout
    assert lulc("new", "other", "--like", "mine").exit_code == 0
    assert lulc("show", "other").exit_code == 0


def test_new_of_an_area_says_what_is_missing_for_a_map(project: Path) -> None:
    area = ["--area", "116.8", "34.0", "117.7", "34.6", "--dates", "2021-06-01", "2021-09-30"]
    result = lulc("new", "mine", *area)
    assert result.exit_code == 0
    assert "03_visualize.yaml" in result.stdout and "06_rf.yaml" not in result.stdout
    assert "lulc run mine" in result.stdout and "--reference" in result.stdout
    result = lulc("new", "southern", "--area", "-60.5", "-3.2", "-60.1", "-2.9", *area[5:], "--reference", "esri")
    assert result.exit_code == 0, result.stderr
    assert "06_rf.yaml" in result.stdout and "needs labels" not in result.stdout
    assert lulc("new", "half", *area[:5]).exit_code == 1


def test_sample_prints_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "fetch", lambda name, cache: cache / name)
    result = lulc("sample", "romania", "--cache", str(tmp_path))
    assert result.stdout == f"romania: {tmp_path / 'romania'}\n"


def test_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = checkup.Finding(True, "GDAL"), checkup.Finding(False, "memory", "Close other programs.")
    monkeypatch.setattr(checkup, "examine", lambda: [good])
    assert lulc("doctor").exit_code == 0
    monkeypatch.setattr(checkup, "examine", lambda: [good, bad])
    result = lulc("doctor")
    assert result.exit_code == 1
    assert "BAD  memory\n     Close other programs." in result.stdout
