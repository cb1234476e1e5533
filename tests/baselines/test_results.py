"""Notebook 06 on samples that are a table alone: no scene, no maps, and still cross-validated and reported."""

import contextlib

import numpy as np
import pandas as pd
import pytest
import rasterio
from sklearn.metrics import f1_score

from lulc_kit import classes, mapping, params, study, travel
from lulc_kit.baselines import results
from lulc_kit.errors import BandError, ParameterError
from lulc_kit.evaluate import runs
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples
from tests import rasters
from tests.notebook import execute

SCHEME = classes.scheme("workflow").subset([1, 3])


def table(count=240):
    """Rows of two classes that a threshold of NDVI tells apart, but for a tenth of them."""
    generator = np.random.default_rng(1)
    label = np.resize([1, 3], count).astype(np.uint8)
    wrong = generator.random(count) < 0.1
    rows = pd.DataFrame({"NDVI": (0.2 * label + 0.3 * wrong * (2 - label.astype(float))).astype(np.float32)})
    rows["VH"] = generator.normal(size=count).astype(np.float32)
    rows["block"] = np.arange(count) // 20 + 1
    rows["label"], rows["class"] = label, pd.Categorical(np.where(label == 1, *SCHEME.names))
    rows["fold"], rows["random_fold"] = rows["block"] % 3 + 1, generator.permutation(np.resize([1, 2, 3], count))
    rows[["row", "column", "polygon"]] = 0
    return rows.assign(**{f"train_{k}": rows["fold"] != k for k in (1, 2, 3)})


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "notebooks").mkdir()
    (folder / "params").mkdir()
    layout = Layout(folder / "outputs/rows")
    Samples(table(), SCHEME, "3 folds of blocks", None, None).write(layout)
    return folder


def test_a_study_of_a_table_is_trained_judged_and_reported_without_maps(project):
    layout = Layout(project / "outputs/rows")
    for run, model in (("few", "rf"), ("near", "knn")):
        p = execute("06_baselines", {"study": "rows", "run": run, "model": model, "trees": 10}, project)["p"]
        with contextlib.chdir(project):
            assert study.Study(p).outdated(p) is None
    assert layout.runs() == ["few", "near"]
    # The feature that tells the classes apart is worth much, and notebook 09 can read it.
    worth = mapping.read_about(layout.run("few"))["importance"]
    assert set(worth) == {"NDVI", "VH"} and worth["NDVI"] > 0.3 > abs(worth["VH"])
    assert not (layout.folder / "maps").exists()
    rows = pd.read_parquet(layout.run("few").crossval_table).query("split == 'fold'")
    judged = runs.evaluate(layout, resamples=100)
    expected = f1_score(rows["label"], rows["predicted"], average="macro")
    assert judged.runs["few"].macro.value == pytest.approx(expected) and 0.8 < expected < 1
    assert judged.runs["few"].macro.low < expected < judged.runs["few"].macro.high
    p = execute("09_evaluate", {"study": "rows", "resamples": 100}, project)["p"]
    with contextlib.chdir(project):
        assert study.Study(p).outdated(p) is None
    page = layout.report.read_text(encoding="utf-8")
    assert "240 labelled rows of a table" in page and "Masked land" not in page and "The maps" not in page


@pytest.mark.parametrize(
    ("band", "level", "says"),
    [("B8", "L1C", "level: L2A in here, L1C here"), ("B4", "L2A", r"no layer B8.\n  wanted: B8\n  there:  B4")],
)
def test_a_model_of_another_level_or_other_bands_maps_nothing(tmp_path, band, level, says):
    here, there = Layout(tmp_path / "here"), Layout(tmp_path / "there")
    for layout, name, facts in ((here, "B8", {"level": "L2A"}), (there, band, {"level": level})):
        layout.stack.parent.mkdir(parents=True)
        rasters.write(layout.stack, np.zeros((1, 2, 2), np.float32), names=[name])
        with rasterio.open(layout.stack, "r+") as file:
            file.update_tags(**travel.tag({name: ("bands", "reflectance")}, {"all": facts}))
    known = {"stack": travel.describe(here.stack), "classes": SCHEME.to_dict()}
    mapping.write_about(here.run("rf"), "forest", ["B8"], "", **known)
    before = sorted(there.folder.rglob("*"))
    p = params.Baselines.check({"study": "there", "run": "away", "trained": "here/rf"}, "a test")
    with pytest.raises((BandError, ParameterError), match=says):
        results.train(None, p, there)
    assert sorted(there.folder.rglob("*")) == before
