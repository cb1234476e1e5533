"""Parameters: what is accepted, and what is said about what is not."""

import datetime
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lulc_kit import params
from lulc_kit.errors import LulcError
from tests import scene


@pytest.mark.parametrize("model", params.NOTEBOOKS.values(), ids=lambda m: m.notebook)
def test_defaults_are_valid_and_explained(model: type[params.Parameters]) -> None:
    assert model.check(model().model_dump(mode="json"), "defaults") == model()
    assert all(field.description for field in model.model_fields.values())


@pytest.mark.parametrize("model", params.NOTEBOOKS.values(), ids=lambda m: m.notebook)
def test_unknown_name_is_refused_and_the_known_are_listed(model: type[params.Parameters]) -> None:
    with pytest.raises(LulcError) as caught:
        model.check({"studdy": "x"}, "here")
    assert str(caught.value).startswith("here:\n  studdy: there is no such parameter.")
    assert set(re.search(r"Known: (.*)\.", str(caught.value))[1].split(", ")) == set(model.model_fields)  # type: ignore[index]


def test_unknown_name_within_a_scene_lists_what_a_scene_has() -> None:
    entry = {"date": "2023-06-15", "levle": "L2A", "bands": {"B2": "x.tif"}}
    with pytest.raises(LulcError, match=r"scenes\.0\.levle: there is no such parameter\. Known: date, level, bands"):
        params.Download.check({"source": "files", "scenes": [entry]}, "here")


@pytest.mark.parametrize(
    ("model", "name", "value", "says"),
    [
        (params.Baselines, "trees", "100", "'100'"),
        (params.Baselines, "trees", 10.5, "10.5"),
        (params.Baselines, "trees", 0, "found 0"),
        (params.Baselines, "trees", True, "True"),
        (params.Baselines, "model", "svm", "'svm'"),
        (params.Baselines, "run", "../knn", "'../knn'"),
        (params.Preprocess, "bbox", [0.0, 0.0, 1.0], "[0.0, 0.0, 1.0]"),
        (params.Preprocess, "min_clear", 1.01, "1.01"),
        (params.Preprocess, "mask_buffer", float("inf"), "found inf"),
        (params.Preprocess, "bbox", [0.0, 0.0, 1.0, float("nan")], "found nan"),
        (params.Preprocess, "dates", ["2022-06-30", "2021-07-01"], "dates ends before it begins"),
        (params.Preprocess, "composite_dates", ["2022-06-30", "2022-06-29"], "composite_dates ends before"),
        (params.Preprocess, "dates", ["2023-02-30", "2023-03-01"], "'2023-02-30' is not a date"),
        (params.Preprocess, "scl_exclude", [12], "found 12"),
        (params.Samples, "folds", 1, "found 1"),
        (params.Samples, "scheme", "corine", "'corine' is unknown; known: workflow"),
        (params.Samples, "classes", {"Moor": ["bog"]}, "'Moor' is not in scheme 'workflow': Build-up"),
        (params.Features, "bands", [], "found []"),
        (params.FCN, "patch", 20, "found 20"),
        (params.Evaluate, "confidence", 1.0, "1.0"),
        (params.Visualize, "composites", [["B4", "B3"]], "['B4', 'B3']"),
    ],
)
def test_wrong_values_are_named_with_what_was_found(
    model: type[params.Parameters], name: str, value: Any, says: str
) -> None:
    with pytest.raises(LulcError) as caught:
        model.check({name: value}, "here")
    assert name in str(caught.value)
    assert says in str(caught.value)


def test_nodata_alone_may_be_nan() -> None:
    entry = {"date": "2023-06-15", "level": "L2A", "bands": {"B2": "x.tif"}}
    p = params.Download.check({"source": "files", "scenes": [entry | {"nodata": float("nan")}]}, "here")
    assert str(p.scenes[0].nodata) == "nan"  # type: ignore[attr-defined]
    with pytest.raises(LulcError, match=r"scale: found nan"):
        params.Download.check({"source": "files", "scenes": [entry | {"scale": float("nan")}]}, "here")


def test_all_wrong_parameters_are_named_at_once() -> None:
    with pytest.raises(LulcError, match=r"(?s)trees.*seed|seed.*trees"):
        params.Baselines.check({"trees": "x", "seed": -1}, "here")


@given(st.integers(1, 9), st.integers(-12, 12), st.sampled_from(["{}e{}", "{}.5e{}", "-{}E{}"]))
def test_hint_for_exponents_is_a_number_in_yaml(mantissa: int, exponent: int, form: str) -> None:
    text = form.format(mantissa, exponent)
    found = yaml.safe_load(text)
    if not isinstance(found, str):  # already a number for YAML
        return
    with pytest.raises(LulcError) as caught:
        params.FCN.check({"learning_rate": found}, "here")
    hint = re.search(r"as text: write (\S+)\.$", str(caught.value))
    assert hint is not None
    assert yaml.safe_load(hint[1]) == float(text)


def test_exponent_where_a_whole_number_is_wanted() -> None:
    with pytest.raises(LulcError, match=r"write 1000\.$"):
        params.Baselines.check({"trees": yaml.safe_load("1e3")}, "here")


def test_date_without_quotes_says_to_quote_it() -> None:
    found = yaml.safe_load("[2023-06-15, 2023-06-16]")
    assert isinstance(found[0], datetime.date)
    with pytest.raises(LulcError, match='in quotes, "2023-06-15"'):
        params.Preprocess.check({"dates": found}, "here")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"bands": None}, "give either 'bands'"),
        ({"file": "x.tif"}, "give either 'bands'"),
        ({"bands": None, "file": "x.tif"}, "'file' needs 'names'"),
        ({"bands": None, "file": "x.tif", "names": ["B2", "B2"]}, "a band occurs twice"),
        ({"level": "L3"}, "L1C"),
        ({"scale": 0.0}, "greater than 0"),
    ],
)
def test_scenes_of_ones_own(changed: dict[str, Any], says: str) -> None:
    entry = {"date": "2023-06-15", "level": "L2A", "bands": {"B2": "x.tif"}}
    assert params.Download.check({"source": "files", "scenes": [entry]}, "here").scenes[0].date == "2023-06-15"
    with pytest.raises(LulcError, match=says):
        params.Download.check({"source": "files", "scenes": [entry | changed]}, "here")


def test_scenes_need_source_files_and_different_dates() -> None:
    entry = {"date": "2023-06-15", "level": "L2A", "bands": {"B2": "x.tif"}}
    for wrong in ({"source": "files"}, {"scenes": [entry]}, {"source": "files", "scenes": [entry, entry]}):
        with pytest.raises(LulcError, match="scenes"):
            params.Download.check(wrong, "here")


def test_a_name_given_twice_in_yaml_is_refused(tmp_path: Any) -> None:
    """Plain YAML takes the last: a band given twice would be read from one of the two files, and nobody told."""
    path = tmp_path / "01_download.yaml"
    for text in ("study: a\nstudy: b\n", "scenes:\n- bands:\n    B2: x.tif\n    B2: y.tif\n"):
        path.write_text(text)
        with pytest.raises(LulcError, match=r"(?s)01_download\.yaml.*given twice"):
            params.load(path)


@pytest.mark.parametrize("text", ["study: [", "- a\n- b\n", "7", "1: x\n", b"\xff\xfe\x00"])
def test_not_a_parameter_file(tmp_path: Any, text: str | bytes) -> None:
    path = tmp_path / "06_rf.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(LulcError, match=r"06_rf\.yaml"):
        params.load(path)


def test_empty_and_missing_parameter_files(tmp_path: Any) -> None:
    (tmp_path / "06_rf.yaml").write_text("# nothing\n")
    assert params.load(tmp_path / "06_rf.yaml") == {}
    with pytest.raises(LulcError, match="cannot be read"):
        params.load(tmp_path)


def test_yaml_cannot_run_code(tmp_path: Any) -> None:
    path = tmp_path / "06_rf.yaml"
    path.write_text("study: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(LulcError, match="not valid YAML"):
        params.load(path)


def test_a_day_may_be_written_without_hyphens_and_is_the_same_day() -> None:
    entries = [{"date": day, "level": "L2A", "bands": {"B2": "x.tif"}} for day in ("20230615", "2023-06-15", 20230616)]
    p = params.Download.check({"source": "files", "scenes": [entries[0], entries[2]]}, "here")
    assert [s.date for s in p.scenes] == ["2023-06-15", "2023-06-16"]
    with pytest.raises(LulcError, match="two scenes have the same date: 2023-06-15"):
        params.Download.check({"source": "files", "scenes": entries}, "here")
    assert params.Preprocess.check({"dates": ["20230101", "20231231"]}, "here").dates == ["2023-01-01", "2023-12-31"]


def test_a_typographic_minus_is_named() -> None:
    entry = {"date": "2023-06-15", "level": "L2A", "bands": {"B2": "x.tif"}, "offset": "−0.1"}
    with pytest.raises(LulcError, match=r"typographic.*write -0\.1\."):
        params.Download.check({"source": "files", "scenes": [entry]}, "here")


@pytest.mark.parametrize("text", ["a: " + "[" * 3000, "a: " + "9" * 6000, "a: 2023-13-45", "a: \xff"])
def test_files_that_are_hostile_or_broken(tmp_path: Path, text: str) -> None:
    path = tmp_path / "01_download.yaml"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(LulcError, match=r"01_download\.yaml is not"):
        params.load(path)


def test_step_names() -> None:
    assert params.Baselines(run="a-b").step == "06_a-b"
    assert params.Features().step == "04_features"
    assert params.model_of("07_anything") is params.FCN
    assert params.model_of("09_evaluate") is params.Evaluate
    for wrong in ("10_more", "04_other", "readme", ""):
        with pytest.raises(LulcError, match="There is no notebook"):
            params.model_of(wrong)


def test_notebook_namespace() -> None:
    defaults = params.Baselines().model_dump()
    assert params.Baselines.from_notebook(defaults) == params.Baselines()
    injected = defaults | {"trees": 7, "In": ["", "trees = 100", "# Parameters\ntrees = 7\n"]}
    assert params.Baselines.from_notebook(injected).trees == 7  # type: ignore[attr-defined]
    misspelt = defaults | {"tress": 7, "In": ["", "# Parameters\ntress = 7\n"]}
    with pytest.raises(LulcError, match="tress: there is no such parameter"):
        params.Baselines.from_notebook(misspelt)
    without = {k: v for k, v in defaults.items() if k != "trees"}
    with pytest.raises(LulcError, match="does not set trees"):
        params.Baselines.from_notebook(without)


@pytest.mark.parametrize("study", ["havelland", "romania", "simulated"])
def test_studies_of_the_kit_have_every_notebook_they_can(study: str) -> None:
    steps = {path.stem for path in (scene.REPOSITORY / "params" / study).glob("*.yaml")}
    assert {step[:2] for step in steps} >= {"01", "02", "03", "04", "05", "06", "07", "09"}
    for step in steps:
        path = scene.REPOSITORY / "params" / study / f"{step}.yaml"
        p = params.model_of(step).check(params.load(path), str(path))
        assert (p.study, p.step) == (study, step)


def test_the_simulated_study_runs_all_nine_notebooks_and_says_what_it_is() -> None:
    folder = scene.REPOSITORY / "params/simulated"
    steps = sorted(path.stem for path in folder.glob("*.yaml"))
    assert {params.model_of(step).notebook for step in steps} == set(params.NOTEBOOKS)
    first = (folder / "01_download.yaml").read_text(encoding="utf-8")
    assert first.startswith("# SIMULATED data") and "says nothing about the earth" in first
