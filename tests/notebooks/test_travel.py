"""Models that travel: trained in one half of the tiny scene, mapping the other; and two halves that teach together."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from sklearn.metrics import f1_score

from lulc_kit import classes, files, mapping, raster, study
from lulc_kit.baselines import storage
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import runs
from lulc_kit.features import components, quantize
from lulc_kit.layout import Layout
from tests import scene
from tests.notebook import execute

MIDDLE = scene.LEFT + 800
HALVES = {"west": (scene.LEFT, MIDDLE), "east": (MIDDLE, scene.LEFT + 1600)}
Run = Callable[..., dict[str, Any]]


def bounds(half: str) -> dict[str, Any]:
    left, right = HALVES[half]
    return {"bbox": [left, scene.TOP - 1600, right, scene.TOP]}


@pytest.fixture(scope="module")
def project(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scene.make_project(tmp_path_factory.mktemp("travel") / "project", {})


@pytest.fixture(scope="module")
def run(project: Path, data: Path) -> Run:
    """Run a notebook of a study with the tiny study's parameters and these changes."""
    known = {step[:2]: values for step, values in scene.parameters(data).items() if step != "06_knn"}

    def one(notebook: str, name: str, **changes: Any) -> dict[str, Any]:
        return execute(notebook, known[notebook[:2]] | {"study": name} | changes, project)

    return one


@pytest.fixture(scope="module")
def here(run: Run, project: Path) -> Layout:
    """The western half: features with all that is fitted, labels, and a forest."""
    prepare(run, "west", "west")
    run("05_samples", "west")
    run("06_baselines", "west")
    return Layout(project / "outputs/west")


def prepare(run: Run, name: str, half: str, **features: Any) -> None:
    run("01_download", name)
    run("02_preprocess", name, **bounds(half))
    run("04_features", name, **features)


@pytest.fixture(scope="module")
def eastern(run: Run, project: Path, here: Layout) -> Callable[[str], None]:
    """Make a study of the eastern half, with features fitted in the western one; computed once, then copied."""
    prepare(run, "plain", "east", fitted_in="west")

    def make(name: str) -> None:
        shutil.copytree(project / "outputs/plain", project / "outputs" / name)

    return make


@pytest.fixture(scope="module")
def there(run: Run, project: Path, eastern: Callable[[str], None]) -> Layout:
    """The eastern half without labels, mapped by the forest of the western one."""
    eastern("east")
    run("06_baselines", "east", run="away", trained="west/rf")
    return Layout(project / "outputs/east")


def test_a_model_knows_what_it_was_trained_on(here: Layout) -> None:
    about = mapping.read_about(here.run("rf"))
    assert about["stack"]["features"] == about["features"] == list(raster.header(here.stack).names)
    units = dict(zip(about["features"], about["stack"]["units"], strict=True))
    assert (units["B2"], units["NDVI"], units["TPC1"]) == ("reflectance", "1", "1")
    made = about["stack"]["made"]
    assert (made["level"], made["correction"]) == ("L2A", "none (surface as delivered)")
    assert (made["texture window"], made["texture levels"]) == ("5", "32")
    assert [c["name"] for c in about["classes"]["classes"]] == ["Farmland", "Forest", "Water"]
    assert about["origin"] == []


def test_what_was_fitted_comes_along(here: Layout, there: Layout) -> None:
    own = [layout.components().with_suffix(".json") for layout in (here, there)]
    assert own[0].read_bytes() == own[1].read_bytes()
    assert quantize.read(here.grey_levels) == quantize.read(there.grey_levels)
    found = components.read(own[0])
    bands = raster.read(there.stack, found.bands).to_numpy().astype(float)
    expected = np.tensordot(found.loadings, bands - found.mean[:, None, None], 1)
    np.testing.assert_allclose(raster.read(there.stack, ["PC1", "PC2"]).to_numpy(), expected, atol=1e-5)


def test_a_study_without_labels_is_mapped_by_the_stored_model(here: Layout, there: Layout, project: Path) -> None:
    run = there.run("away")
    assert sorted(p.name for p in run.models.iterdir()) == ["run.json"]
    model = storage.load(here.run("rf").model)
    stack = raster.read(there.stack, mapping.read_about(here.run("rf"))["features"]).to_numpy()
    flat = stack.reshape(len(stack), -1).T
    known = np.isfinite(flat).all(axis=1)
    expected = np.zeros(len(flat), np.uint8)
    expected[known] = model.predict(flat[known])
    with rasterio.open(run.map) as file:
        mapped = file.read(1).ravel()
    assert known.mean() > 0.9 and (mapped == expected).mean() > 0.999  # ties of votes may fall to another class
    about = mapping.read_about(run)
    assert about["same_place"] == [] and about["origin"] == "west/rf" and about["model"].endswith("trained in west/rf")


def test_a_travelled_step_is_outdated_when_the_model_changes(
    here: Layout, there: Layout, project: Path, run: Run
) -> None:
    p = run("06_baselines", "east", run="away", trained="west/rf")["p"]
    with contextlib.chdir(project):
        assert study.Study(p).outdated(p) is None
        kept = here.run("rf").about.read_bytes()
        here.run("rf").about.write_bytes(kept + b"\n")
        assert study.Study(p).outdated(p) == "inputs changed"
        here.run("rf").about.write_bytes(kept)


def test_networks_map_a_study_without_labels_too(here: Layout, there: Layout, run: Run, project: Path) -> None:
    dates = {"network": "ltae", "patch": 16}
    run("07_fcn", "west")
    run("08_lstm", "west", run="dates", **dates)
    for notebook, name, more in (("07_fcn", "fcn", {"features": None}), ("08_lstm", "dates", dates)):
        done = run(notebook, "east", run=f"away_{name}", trained=f"west/{name}", **more)
        files_of_run = there.run(f"away_{name}")
        assert [p.name for p in files_of_run.models.iterdir()] == ["run.json"]
        with rasterio.open(files_of_run.map) as file:
            assert set(np.unique(file.read(1))) <= {0, 2, 3, 5} and (file.read(1) > 0).mean() > 0.9
        with contextlib.chdir(project):
            assert study.Study(done["p"]).outdated(done["p"]) is None
            card = here.run(name).network(1)
            kept = card.read_bytes()
            card.write_bytes(kept + b"x")
            assert study.Study(done["p"]).outdated(done["p"]) == "inputs changed"
            card.write_bytes(kept)


def test_with_labels_the_cost_of_travelling_is_judged(
    here: Layout, eastern: Callable[[str], None], run: Run, project: Path
) -> None:
    """Follows the test above: its networks are there."""
    eastern("labelled")
    run("05_samples", "labelled")
    for name, origin in (("own", None), ("away", "west/rf")):
        run("06_baselines", "labelled", run=name, trained=origin)
    run("07_fcn", "labelled", run="own_fcn")
    run("07_fcn", "labelled", run="away_fcn", trained="west/fcn", features=None)
    run("09_evaluate", "labelled")
    layout = Layout(project / "outputs/labelled")
    judged = runs.evaluate(layout, resamples=100)
    with rasterio.open(layout.labels) as labels, rasterio.open(layout.run("away").map) as away:
        true, mapped = labels.read(1), away.read(1)
    both = (true > 0) & (mapped > 0)
    expected = f1_score(true[both], mapped[both], average="macro")
    assert judged.runs["away"].macro.value == pytest.approx(expected)  # the map itself is the test: nothing was trained
    assert "away" not in judged.leaking and "own" in judged.leaking
    by_run = {row["run"]: row for row in judged.travelled().to_dict("records")}
    assert set(by_run) == {"away", "away_fcn"} and by_run["away_fcn"]["trained in"] == "west/fcn"
    with rasterio.open(layout.run("away_fcn").map) as network:
        seen = (true > 0) & (network.read(1) > 0)
        expected_of_network = f1_score(true[seen], network.read(1)[seen], average="macro")
    assert judged.runs["away_fcn"].macro.value == pytest.approx(expected_of_network)
    row = by_run["away"]
    assert (row["run"], row["trained in"], row["here"]) == ("away", "west/rf", "own")
    assert row["cost"] == pytest.approx(judged.runs["own"].macro.value - expected)
    page = layout.report.read_text(encoding="utf-8")
    assert "Run “away” was trained in west/rf and has seen no label of this study" in page
    assert "Run “away_fcn” was trained in west/fcn and has seen no label of this study" in page
    assert {row["run"] for row in files.read_json(layout.accuracy)["travelled"]} == {"away", "away_fcn"}


def test_two_halves_teach_together_and_each_is_tested_by_the_other(
    here: Layout, eastern: Callable[[str], None], run: Run, project: Path
) -> None:
    eastern("half")
    run("05_samples", "half")
    done = run("06_baselines", "half", run="both", samples=["west", "half"], class_weight="none")
    layout = Layout(project / "outputs/half")
    tables = {name: pd.read_parquet(here.other(name).samples) for name in ("west", "half")}
    features = list(done["fitted"].features)
    alone = run("06_baselines", "west", run="alone", class_weight="none")["fitted"].final
    predicted = alone.predict(tables["half"][features].to_numpy(np.float32))
    expected = f1_score(tables["half"]["label"], predicted, average="macro")
    assert done["fitted"].left_out.loc["half", "macro_f1"] == pytest.approx(expected, abs=6e-4)
    assert list(done["fitted"].left_out.index) == ["west", "half"]
    # What tests the labels of this half is the model that has seen the western one alone.
    with rasterio.open(layout.labels) as labels, rasterio.open(layout.run("both").crossval) as crossval:
        true, codes = labels.read(1), crossval.read(1)
    stack = raster.read(layout.stack, features).to_numpy().reshape(len(features), -1).T[true.ravel() > 0]
    assert (alone.predict(stack) == codes[true > 0]).mean() > 0.999
    about = mapping.read_about(layout.run("both"))
    assert about["origin"] == ["west", "half"] and set(about["left_out"]) == {"west", "half"}


CHANGES: dict[str, tuple[dict[str, dict[str, Any]], str]] = {
    "another level": ({"01_download": {"level": "L1C"}}, "level: L2A in west, L1C here"),
    "not fitted there": ({"04_features": {"fitted_in": None}}, "components: .* in west, .* here"),
    "a layer less": ({"04_features": {"indices": ["NDVI"]}}, "no layer MNDWI"),
    "another window": ({"04_features": {"texture_window": 7}}, "texture window: 5 in west, 7 here"),
    "interpolated": ({"02_preprocess": {"sharpen": "none"}}, "bands: sharpened in west, interpolated here"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_stack_made_in_another_way_is_refused_with_what_is_there_and_here(
    case: str, here: Layout, run: Run, project: Path, data: Path
) -> None:
    changes, says = CHANGES[case]
    name = case.replace(" ", "_")
    level = changes.get("01_download", {}).get("level", "L2A")
    mask = {"mask": "none", "radiometry": "trust"} if level == "L1C" else {}
    run("01_download", name, scenes=scene.scenes(data, level=level))
    run("02_preprocess", name, **bounds("east") | mask | changes.get("02_preprocess", {}))
    run("04_features", name, **{"fitted_in": "west"} | changes.get("04_features", {}))
    with pytest.raises(LulcError, match=says):
        run("06_baselines", name, run="away", trained="west/rf")
    assert not (project / "outputs" / name / "maps").exists()
    assert not (project / "outputs" / name / "models").exists()


def test_grey_levels_and_components_that_are_not_there_are_refused(here: Layout, run: Run, project: Path) -> None:
    run("01_download", "other")
    run("02_preprocess", "other", **bounds("east"))
    for wrong, says in (
        ({"texture_levels": 16}, r"there \(levels by band\): B8 32, B11 32\n  here:  B8 16, B11 16"),
        ({"components": 3}, "there: 2 of B2, B3, B4, B8, B11, B12\n  here:  3 of"),
        ({"fitted_in": "nowhere"}, "from the study nowhere, and that is not there"),
    ):
        with pytest.raises(LulcError, match=says):
            run("04_features", "other", **{"fitted_in": "west"} | wrong)
        assert not (project / "outputs/other/features/stack.tif").exists()


def test_other_classes_and_missing_models_are_refused(
    here: Layout, eastern: Callable[[str], None], run: Run, project: Path
) -> None:
    eastern("named")
    named = {"scheme": None, "classes": {"Wood": ["Forest"], "Lake": ["Water"], "Field": ["Farmland"]}}
    run("05_samples", "named", **named)
    with pytest.raises(LulcError, match="west: 2 Farmland, 3 Forest, 5 Water\n  named: 1 Wood, 2 Lake, 3 Field"):
        run("06_baselines", "named", run="away", trained="west/rf")
    with pytest.raises(LulcError, match="The classes of west and named are not the same"):
        run("06_baselines", "named", run="both", samples=["west", "named"])
    with pytest.raises(LulcError, match="takes .*gone.* from the study west"):
        run("06_baselines", "named", run="away", trained="west/gone")
    assert not (project / "outputs/named/models").exists()


def test_a_class_that_is_not_here_counts_as_wrong(
    here: Layout, eastern: Callable[[str], None], run: Run, project: Path
) -> None:
    """Without labels of water, water that the travelled model sees in labelled forest is an error, not left out."""
    eastern("dry")
    run("05_samples", "dry", classes={"Forest": ["Forest"], "Farmland": ["Farmland"]})
    run("06_baselines", "dry", run="away", trained="west/rf")
    layout = Layout(project / "outputs/dry")
    with rasterio.open(layout.run("away").crossval, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
        codes = file.read(1)
        labelled = np.argwhere(codes > 0)[:50]
        codes[tuple(labelled.T)] = classes.scheme("workflow").find("Water").value
        file.write(codes, 1)
    judged = runs.evaluate(layout, resamples=100)
    with rasterio.open(layout.labels) as file:
        true = file.read(1)
    expected = f1_score(true[true > 0], codes[true > 0], average="macro")
    assert judged.runs["away"].macro.value == pytest.approx(expected)
    assert judged.classes.names == ("Farmland", "Forest", "Water")
    run("09_evaluate", "dry")
    assert "Water" in layout.report.read_text(encoding="utf-8")
