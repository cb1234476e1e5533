"""Parameters: what is accepted, and what is said about what is not."""

import pytest

from lulc_kit import params
from lulc_kit.errors import LulcError
from tests import scene


def test_step_names() -> None:
    assert params.Baselines(run="a-b").step == "06_a-b"
    assert params.Features().step == "04_features"
    assert params.model_of("07_anything") is params.FCN
    assert params.model_of("09_evaluate") is params.Evaluate
    for wrong in ("10_more", "04_other", "readme", ""):
        with pytest.raises(LulcError, match="There is no notebook"):
            params.model_of(wrong)


@pytest.mark.parametrize("study", ["havelland", "romania", "simulated"])
def test_studies_of_the_kit_have_every_notebook_they_can(study: str) -> None:
    steps = {path.stem for path in (scene.REPOSITORY / "params" / study).glob("*.yaml")}
    assert {step[:2] for step in steps} >= {"01", "02", "03", "04", "05", "06", "07", "09"}
    for step in steps:
        path = scene.REPOSITORY / "params" / study / f"{step}.yaml"
        p = params.model_of(step).check(params.load(path), str(path))
        assert (p.study, p.step) == (study, step)


@pytest.mark.parametrize("model", params.NOTEBOOKS.values(), ids=lambda m: m.notebook)
def test_what_a_notebook_does_by_itself_is_what_its_study_does(model: type[params.Parameters]) -> None:
    """Who runs a notebook by hand gets the numbers of the README."""
    default = model()
    path = scene.REPOSITORY / "params" / default.study / f"{default.step}.yaml"
    assert model.check(params.load(path), str(path)) == default


def test_the_simulated_study_runs_all_nine_notebooks_and_says_what_it_is() -> None:
    folder = scene.REPOSITORY / "params/simulated"
    steps = sorted(path.stem for path in folder.glob("*.yaml"))
    assert {params.model_of(step).notebook for step in steps} == set(params.NOTEBOOKS)
    first = (folder / "01_download.yaml").read_text(encoding="utf-8")
    assert first.startswith("# SIMULATED data") and "says nothing about the earth" in first
