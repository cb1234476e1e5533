"""Parameters: what is accepted, and what is said about what is not."""

import pytest

from lulc_kit import params, run
from lulc_kit.classes import SCHEMES
from lulc_kit.download import area
from lulc_kit.errors import LulcError
from lulc_kit.features import terrain
from tests import scene


def test_step_names() -> None:
    assert params.Baselines(run="a-b").step == "06_a-b"
    assert params.Features().step == "04_features"
    assert params.model_of("07_anything") is params.FCN
    assert params.model_of("09_evaluate") is params.Evaluate
    for wrong in ("10_more", "04_other", "readme", ""):
        with pytest.raises(LulcError, match="There is no notebook"):
            params.model_of(wrong)


@pytest.mark.parametrize("study", ["havelland", "romania", "simulated", "xuzhou"])
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


# Of the source workflow's final stack, in its order, as its report lists them.
TWENTY = [
    *("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12"),
    *("NDVI", "NDRE", "EVI2", "BI2", "MNDWI", "NDBI", "DEM", "slope", "aspect"),
]


def test_the_study_of_the_source_workflow_holds_together() -> None:
    """It cannot run without the services: but each step has what the one before gives, and no two write one file."""
    steps = {planned.step: planned.parameters for planned in run.plan(str(scene.REPOSITORY / "params/xuzhou"))}
    assert {"06_knn", "06_rf", "07_fcn", "08_lstm_fixed", "08_lstm_random"} <= set(steps)
    first, cube = steps["01_download"], steps["02_preprocess"]
    features, labels = steps["04_features"], steps["05_samples"]
    assert isinstance(first, params.Download) and isinstance(cube, params.Preprocess)
    assert isinstance(features, params.Features) and isinstance(labels, params.Samples)
    year = [f"{layer}_{name}" for layer in features.time_layers for name in features.time_statistics]
    assert features.stack == TWENTY + year
    assert {getattr(steps[step], "features", None) == TWENTY for step in ("06_knn", "06_rf")} == {True}
    assert getattr(steps["06_rf_year"], "features", TWENTY) is None  # all of the stack
    families = [*features.bands, *features.indices, *terrain.LAYERS]
    assert set(TWENTY) <= set(families) and first.dem is not None
    known = area.read(first.area, first.crs)  # type: ignore[arg-type]
    assert known.crs == "EPSG:32650" and cube.crs is None and cube.bbox is None  # 02 takes the area's
    for tile in ("50SMC", "50SMD"):
        crs, square = area.tile_square(tile)
        assert crs == known.crs and known.grid.extent.geom.intersects(square)
    assert first.dates is not None and cube.composite_dates is not None
    assert first.dates[0] <= cube.composite_dates[0] <= cube.composite_dates[1] <= first.dates[1]
    assert first.reference == "esri" and first.reference_year == 2021 and labels.labels == "reference"
    values = {value for values in labels.classes.values() for value in values}  # type: ignore[union-attr]
    assert values < set(SCHEMES["esri"].values) and set(labels.classes) == set(SCHEMES["workflow"].names)  # type: ignore[arg-type]
    for run_ in ("07_fcn", "08_lstm_fixed", "08_lstm_random"):
        network = steps[run_]
        assert set(getattr(network, "features", None) or []) <= set(features.bands)  # what single dates have too
        days = getattr(network, "dates", first.dates)
        assert first.dates[0] <= days[0] <= days[1] <= first.dates[1]


def test_what_runs_by_itself_does_not_try_the_study_that_needs_the_internet() -> None:
    for name in ("Makefile", ".ci/run"):
        assert "xuzhou" not in (scene.REPOSITORY / name).read_text(encoding="utf-8")
