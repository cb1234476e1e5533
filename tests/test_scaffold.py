"""New studies: files that are valid as they stand, and explain themselves."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lulc_kit import params, run, scaffold
from lulc_kit.classes import SCHEMES
from lulc_kit.errors import LulcError


def test_new_study_is_valid_and_complete(project: Path) -> None:
    folder = scaffold.new("my_area")
    assert folder == project / "params/my_area"
    steps = run.plan("my_area")
    assert {s.step[:2] for s in steps} >= {"01", "02", "03", "04", "05", "06", "07", "09"}
    assert {s.parameters.study for s in steps} == {"my_area"}


def test_every_parameter_is_there_under_its_explanation(project: Path) -> None:
    for path in scaffold.new("my_area").iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        model = params.model_of(path.stem)
        assert set(values) == set(model.model_fields) - {"outputs"}
        for name, field in model.model_fields.items():
            if name != "outputs":
                at = next(i for i, line in enumerate(lines) if line.startswith(f"{name}:"))
                assert lines[at - 1] == f"# {field.description}"


AREA, DATES = (116.8, 34.0, 117.7, 34.6), ("2021-06-01", "2021-09-30")


def test_a_study_of_an_area_downloads_preprocesses_and_shows(project: Path) -> None:
    scaffold.new("mine", area=AREA, dates=DATES)
    steps = {planned.step: planned.parameters for planned in run.plan("mine")}
    assert list(steps) == ["01_download", "02_preprocess", "03_visualize"]
    first = steps["01_download"]
    assert isinstance(first, params.Download)
    assert (first.source, first.area, first.dates) == ("stac", list(AREA), list(DATES))
    assert (first.reference, first.dem, first.roads) == (None, "cop-dem-glo-30", "osm")


@pytest.mark.parametrize("reference", ["esri", "worldcover", "data/mine.gpkg"])
def test_with_a_reference_it_goes_on_to_the_report(reference: str, project: Path) -> None:
    folder = scaffold.new("mine", area=AREA, dates=DATES, reference=reference)
    steps = {planned.step: planned.parameters for planned in run.plan("mine")}
    assert {step[:2] for step in steps} >= {"04", "05", "06", "07", "09"}
    labels = steps["05_samples"]
    assert isinstance(labels, params.Samples)
    text = (folder / "05_samples.yaml").read_text(encoding="utf-8")
    assert ("made by a network" in text or "a network made" in text) == (reference in SCHEMES)
    if reference in SCHEMES:
        values = [value for values in labels.classes.values() for value in values]  # type: ignore[union-attr]
        assert len(set(values)) == len(values) and set(values) <= set(SCHEMES[reference].values)
        assert set(labels.classes) == set(SCHEMES["workflow"].names)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"area": AREA}, "--dates FIRST LAST together"),
        ({"dates": DATES}, "--area LEFT BOTTOM RIGHT TOP"),
        ({"reference": "esri"}, "needs --area"),
        ({"area": AREA, "dates": DATES, "like": "old"}, "neither --like"),
        ({"area": AREA, "dates": ("2021-09-30", "2021-06-01")}, "end before they begin"),
        ({"area": (116.8, 34.0, 999.0, 34.6), "dates": DATES}, "area"),
    ],
)
def test_an_area_that_cannot_be_leaves_nothing(given: dict[str, Any], says: str, project: Path) -> None:
    with pytest.raises(LulcError, match=says):
        scaffold.new("mine", **given)
    assert not (project / "params/mine").exists()


def test_like_copies_everything_but_the_name(project: Path) -> None:
    source = project / "params/old"
    source.mkdir()
    (source / "01_download.yaml").write_text("# why\nstudy: old  # name\nsample: romania\n")
    (source / "06_a.yaml").write_text("study: 'old'\nrun: a\n")
    folder = scaffold.new("new", "old")
    assert (folder / "01_download.yaml").read_text() == "# why\nstudy: new\nsample: romania\n"
    assert {s.parameters.study for s in run.plan("new")} == {"new"}


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", ".hidden", "ä", "-x", "name\n"])
def test_names_that_cannot_be(project: Path, name: str) -> None:
    with pytest.raises(LulcError, match="cannot be the name of a study"):
        scaffold.new(name)
    assert list((project / "params").iterdir()) == []


def test_taken_name_and_missing_model(project: Path) -> None:
    scaffold.new("a")
    before = (project / "params/a/06_rf.yaml").read_text()
    with pytest.raises(LulcError, match="exists already"):
        scaffold.new("a")
    assert (project / "params/a/06_rf.yaml").read_text() == before
    with pytest.raises(LulcError, match="no study 'nowhere'"):
        scaffold.new("b", "nowhere")
    assert not (project / "params/b").exists()


def test_nothing_is_left_when_writing_fails(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, *args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(LulcError, match="No space left"):
        scaffold.new("a")
    assert not (project / "params/a").exists()


@pytest.fixture
def trained(project: Path) -> Path:
    """A study with two forests, one of them travelled itself, and two networks."""
    folder = scaffold.new("here")
    for path in folder.glob("0[678]_*.yaml"):
        path.unlink()
    (folder / "02_preprocess.yaml").write_text("study: here\nmask: scl\nbbox: [1.0, 2.0, 3.0, 4.0]\nsharpen: none\n")
    (folder / "04_features.yaml").write_text("study: here\nbands: [B2, B3, B4]\ncomponents: 2\n")
    (folder / "06_rf.yaml").write_text("study: here\nrun: rf\ntrees: 7\n")
    (folder / "06_old.yaml").write_text("study: here\nrun: old\ntrained: far/rf\n")
    (folder / "07_fcn.yaml").write_text("study: here\nrun: fcn\nfeatures: [B2]\nflips: true\nsteps: 9\n")
    dated = "network: ltae\nlength: 4\ngaps: linear\ndates: ['2017-01-01', '2017-12-31']\nsteps: 9\n"
    (folder / "08_dates.yaml").write_text(f"study: here\nrun: dates\n{dated}")
    return folder


def test_a_study_is_mapped_by_the_models_of_another(trained: Path) -> None:
    scaffold.new("there", apply="here")
    steps = {planned.step: planned.parameters for planned in run.plan("there")}
    assert [s for s in steps if s[:2] > "03"] == [
        *("04_features", "06_old_from_here", "06_rf_from_here", "07_fcn_from_here", "08_dates_from_here")
    ]
    first, features, forest = steps["02_preprocess"], steps["04_features"], steps["06_rf_from_here"]
    assert isinstance(first, params.Preprocess) and isinstance(features, params.Features)
    assert (first.bbox, first.sharpen) == (None, "none")  # how, but not where
    assert (features.fitted_in, features.bands, features.components) == ("here", ["B2", "B3", "B4"], 2)
    assert isinstance(forest, params.Baselines) and forest.trained == "here/rf"
    assert getattr(steps["06_old_from_here"], "trained", None) == "far/rf"
    network, dated = steps["07_fcn_from_here"], steps["08_dates_from_here"]
    assert isinstance(network, params.FCN) and isinstance(dated, params.LSTM)
    assert (network.trained, network.features, network.flips) == ("here/fcn", None, True)
    assert (dated.trained, dated.network, dated.length, dated.gaps) == ("here/dates", "ltae", 4, "linear")
    assert dated.dates is None  # how, but not when


def test_one_run_with_labels_is_trained_there_too(trained: Path) -> None:
    scaffold.new("there", apply="here/rf", area=AREA, dates=DATES, reference="data/mine.gpkg")
    steps = {planned.step: planned.parameters for planned in run.plan("there")}
    assert {s for s in steps if s[:2] > "04"} == {"05_samples", "06_rf", "06_rf_from_here", "09_evaluate"}
    first = steps["01_download"]
    assert isinstance(first, params.Download) and (first.area, first.reference) == (list(AREA), "data/mine.gpkg")
    assert getattr(steps["06_rf"], "trees", None) == 7


@pytest.mark.parametrize(("apply", "averaged"), [("here", ["rf", "fcn"]), ("here/rf", None)])
def test_runs_are_averaged_there_if_all_come_along(apply: str, averaged: list[str] | None, trained: Path) -> None:
    (trained / "09_evaluate.yaml").write_text("study: here\nensemble: [rf, fcn]\n")
    scaffold.new("there", apply=apply, reference="data/mine.gpkg")
    judged = {planned.step: planned.parameters for planned in run.plan("there")}["09_evaluate"]
    assert isinstance(judged, params.Evaluate) and judged.ensemble == averaged


@pytest.mark.parametrize(
    ("apply", "says"),
    [("here/gone", "Its runs: old, rf, fcn, dates"), ("nowhere", "no study 'nowhere'"), ("here", "give one of them")],
)
def test_models_that_are_not_there_leave_nothing(apply: str, says: str, trained: Path) -> None:
    with pytest.raises(LulcError, match=says):
        scaffold.new("there", "here" if apply == "here" else None, apply=apply)
    assert not trained.with_name("there").exists()
