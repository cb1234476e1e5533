"""Runs of a study: judged on the same pixels, refused if they were made with other folds."""

import json

import geopandas as gpd
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from sklearn.metrics import accuracy_score, f1_score

from lulc_kit import classes, files, mapping, raster
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import runs
from lulc_kit.layout import Layout
from lulc_kit.raster import writing
from tests.labelled import labelled as labelled_samples

SHAPE = (60, 80)
BOX = GeoBox(SHAPE, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
SCHEME = classes.scheme("workflow").subset([1, 3, 5])


def labels():
    fields = np.random.default_rng(1).choice([0, 1, 3, 5], (15, 20), p=[0.3, 0.3, 0.3, 0.1])
    return np.kron(fields, np.ones((4, 4), int)).astype(np.uint8)


def predicted(quality, seed):
    generator = np.random.default_rng(seed)
    guess = generator.choice(np.array([1, 3, 5], np.uint8), SHAPE)
    return np.where(generator.random(SHAPE) < quality, labels(), guess) * (labels() > 0)


def percent(codes):
    """Return class probabilities for a stack of codes: 80 % for the class that is named, 10 % for the others."""
    return np.concatenate(
        [np.where(band == 0, 255, np.where(band == v, 80, 10))[None] for band in codes for v in SCHEME.values]
    ).astype(np.uint8)


def study(folder, **crossval):
    """A study's files with samples and, by run, the bands of its cross-validated map."""
    layout = Layout(folder)
    rows, columns = np.indices(SHAPE)
    labelled = labels() > 0
    block = ((rows // 20) * 4 + columns // 20 + 1) * labelled
    random = np.random.default_rng(2).integers(1, 4, SHAPE)
    folds = {"fold": (block % 3 + 1) * labelled, "random_fold": random * labelled, "block": block}
    table = gpd.GeoDataFrame({"label": [1], "fold": [1]}, geometry=gpd.points_from_xy([500_005], [4_999_995]))
    labelled_samples(table, SCHEME, labels(), folds, BOX).write(layout)
    for run, bands in crossval.items():
        data = np.stack(list(bands.values())).astype(np.uint8)
        writing.write(layout.run(run).crossval, raster.array(data, BOX, list(bands)), dtype="uint8", nodata=0)
        writing.write(
            layout.run(run).crossval_probability,
            raster.array(percent(data), BOX, [f"{split} {name}" for split in bands for name in SCHEME.names]),
            dtype="uint8",
            nodata=255,
        )
        mapping.write_about(layout.run(run), f"model {run}", ["B2"], files.sha256(layout.folds))
    return layout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return study(
        tmp_path_factory.mktemp("study") / "s",
        rf={"fold": predicted(0.7, 1), "random_fold": predicted(0.95, 2)},
        fcn={"fold": predicted(0.9, 3)},
    )


@pytest.fixture(scope="module")
def found(folder):
    return runs.evaluate(folder, resamples=300)


def test_numbers_are_those_of_the_labelled_pixels(found):
    labelled = labels() > 0
    true = labels()[labelled]
    for accuracy, guess in (
        (found.runs["rf"], predicted(0.7, 1)),
        (found.leaking["rf"], predicted(0.95, 2)),
        (found.runs["fcn"], predicted(0.9, 3)),
    ):
        assert accuracy.matrix.sum() == labelled.sum()
        assert accuracy.overall.value == pytest.approx(accuracy_score(true, guess[labelled]))
        assert accuracy.macro.value == pytest.approx(f1_score(true, guess[labelled], average="macro"))
        assert accuracy.macro.low < accuracy.macro.value < accuracy.macro.high
    assert set(found.leaking) == {"rf"}
    assert found.separation == "3 folds of blocks"


def test_tables_are_ranked_and_name_the_flattery(found):
    assert found.ranked() == ["fcn", "rf"]
    table = found.table()
    assert table.index.tolist() == ["fcn", "rf"]
    assert table.loc["fcn", "flatters_by"] == "–"
    by = found.leaking["rf"].macro.value - found.runs["rf"].macro.value
    assert by > 0.1
    assert table.loc["rf", "flatters_by"] == f"+{by:.3f}"
    assert found.class_table("rf").index.tolist() == ["Build-up", "Forest", "Water"]
    assert set(found.estimates()) == {"apart in space", "random pixels"}
    assert list(found.class_estimates()) == ["fcn", "rf"]


def test_a_further_split_stands_beside_the_first_for_runs_that_have_it(tmp_path):
    """The forest was scored on it, the network was not."""
    matched, labelled = predicted(0.8, 4), labels() > 0
    there = study(
        tmp_path / "s", rf={"fold": predicted(0.7, 1), "further_fold": matched}, fcn={"fold": predicted(0.9, 3)}
    )
    about = files.read_json(there.classes) | {"further": "4 folds of polygons, matched to the distances (kNNDM)"}
    files.write_json(there.classes, about)
    found = runs.evaluate(there, resamples=100)
    assert set(found.further) == {"rf"}
    assert found.further["rf"].macro.value == pytest.approx(
        f1_score(labels()[labelled], matched[labelled], average="macro")
    )
    assert found.further["rf"].left_out.shape == found.runs["rf"].left_out.shape, "drawn by the same blocks"
    column = found.table()["distance-matched (kNNDM)"]
    assert column.to_dict() == {"fcn": "not computed", "rf": str(found.further["rf"].macro)}
    assert list(found.estimates()) == ["apart in space", "distance-matched (kNNDM)"]
    data = found.to_dict()
    assert "further_split" not in data["runs"]["fcn"] and data["further_separation"] == about["further"]
    assert data["runs"]["rf"]["further_split"]["confusion"] == found.further["rf"].matrix.tolist()


def test_plain_data_hold_all_numbers(found):
    data = json.loads(json.dumps(found.to_dict()))
    rf = data["runs"]["rf"]["apart_in_space"]
    assert rf["confusion"] == found.runs["rf"].matrix.tolist()
    assert rf["macro_f1"]["value"] == found.runs["rf"].macro.value
    assert rf["quantity"] + rf["allocation"] == pytest.approx(1 - rf["overall_accuracy"]["value"])
    assert "random_pixels" not in data["runs"]["fcn"]
    earlier = {"apart in space", "random pixels"}, {"apart in space"}
    assert ({*data["runs"]["rf"]} & earlier[0], {*data["runs"]["fcn"]} & earlier[0]) == earlier
    assert data["runs"]["rf"]["apart in space"] == rf, "also under the name of format 1"
    assert data["comparison"][0]["better"] == "fcn"
    assert data["runs"]["rf"]["about"]["model"] == "model rf"


def test_calibration_is_of_the_labelled_pixels_and_of_folds_apart_in_space(found):
    for run in ("rf", "fcn"):
        right, calibration = found.runs[run].overall.value, found.calibration[run]
        # 80 % sure of one class: (0.2² + 2 · 0.1²) if it is right, else (0.8² + 0.9² + 0.1²).
        assert calibration.brier == pytest.approx(0.06 * right + 1.46 * (1 - right))
        assert calibration.error == pytest.approx(abs(0.8 - right))
        assert calibration.bins["pixels"].tolist() == [found.runs[run].matrix.sum()]
    table = found.calibration_table()
    assert table.index.tolist() == ["fcn", "rf"] and table.loc["fcn", "brier"] < table.loc["rf", "brier"]
    assert found.to_dict()["runs"]["rf"]["calibration"]["error"] == found.calibration["rf"].error


def test_one_run_can_be_judged_alone(folder):
    assert list(runs.evaluate(folder, runs=["rf"], resamples=100).runs) == ["rf"]


def test_the_same_seed_gives_the_same_intervals(folder, found):
    again = runs.evaluate(folder, resamples=300)
    assert again.runs["rf"].macro == found.runs["rf"].macro


def test_runs_that_leave_pixels_unmapped_are_still_compared(tmp_path):
    hole = predicted(0.7, 1)
    hole[:20, :20] = 0
    there = study(tmp_path / "s", whole={"fold": predicted(0.9, 3)}, hole={"fold": hole})
    found = runs.evaluate(there, resamples=100)
    assert found.runs["hole"].matrix.sum() < found.runs["whole"].matrix.sum()
    assert len(found.to_dict()["comparison"]) == 1


def test_a_run_with_other_folds_another_grid_or_none_is_refused(tmp_path):
    there = study(tmp_path / "s", rf={"fold": predicted(0.7, 1)})
    about = files.read_json(there.run("rf").about)
    files.write_json(there.run("rf").about, about | {"folds": "0" * 64})
    with pytest.raises(LulcError, match=r"Run rf was made with other folds.*delete models/rf"):
        runs.evaluate(there)
    files.write_json(there.run("rf").about, about)
    other = GeoBox(SHAPE, from_origin(500_010, 5_000_000, 10, 10), "EPSG:32633")
    writing.write(
        there.run("rf").crossval,
        raster.array(predicted(0.7, 1)[None].astype(np.uint8), other, ["fold"]),
        dtype="uint8",
        nodata=0,
    )
    with pytest.raises(LulcError, match=r"run rf is not on the study's grid"):
        runs.evaluate(there)
    with pytest.raises(LulcError, match="No run in"):
        runs.evaluate(study(tmp_path / "none"))


def test_the_independent_test_set_is_judged_on_the_final_map(tmp_path):
    layout = study(tmp_path / "s", rf={"fold": predicted(0.7, 1)})
    mapped = np.random.default_rng(5).choice(np.array([1, 3, 5], np.uint8), SHAPE)
    truth = np.where(np.random.default_rng(6).random(SHAPE) < 0.6, mapped, labels())
    rows, columns = np.indices(SHAPE)
    drawn = (rows % 10 < 3) & (columns % 20 < 4) & (truth > 0)
    feature = (rows // 10 * 4 + columns // 20 + 1) * drawn
    test = np.stack([truth * drawn, feature]).astype(np.uint32)
    writing.write(layout.validation, raster.array(test, BOX, ["label", "feature"]), dtype="uint32", nodata=0)
    writing.write(layout.run("rf").map, raster.array(mapped[None], BOX, ["class"]), dtype="uint8", nodata=0)
    found = runs.evaluate(layout, resamples=200)
    score = found.validated["rf"]
    assert score.matrix.sum() == drawn.sum()
    assert score.overall.value == pytest.approx(accuracy_score(truth[drawn], mapped[drawn]))
    assert score.macro.value == pytest.approx(f1_score(truth[drawn], mapped[drawn], average="macro"))
    assert found.table().loc["rf", "macro_f1_test_set"] == str(score.macro)
    assert "independent_test_set" in found.to_dict()["runs"]["rf"]
    assert set(found.estimates()) == {"apart in space", "independent test set"}


def test_pairs_are_counted_by_the_pixels_that_only_one_run_has_right_and_both_map(tmp_path):
    hole = predicted(0.7, 1)
    hole[:20, :20] = 0
    there = study(tmp_path / "s", whole={"fold": predicted(0.9, 3)}, hole={"fold": hole})
    found = runs.evaluate(there, resamples=100)
    true, one, both = labels(), predicted(0.9, 3), (labels() > 0) & (hole > 0)
    assert found.only["whole", "hole"].sum() == (both & (one == true) & (hole != true)).sum()
    assert found.only["hole", "whole"].sum() == (both & (one != true) & (hole == true)).sum()
    assert len(found.only["hole", "whole"]) == len(found.runs["whole"].left_out)
    row = found.comparison().iloc[0]
    assert row["p_mcnemar"] < 0.05 and row["said"].startswith("whole is better than hole by")


def test_losses_have_intervals_from_the_blocks(found):
    for run in ("rf", "fcn"):
        right, calibration = found.runs[run].overall.value, found.calibration[run]
        assert calibration.brier_interval.value == pytest.approx(calibration.brier)
        assert calibration.log_loss.value == pytest.approx(-right * np.log(0.8) - (1 - right) * np.log(0.1))
        assert calibration.log_loss.low < calibration.log_loss.value < calibration.log_loss.high
    data = found.to_dict()["runs"]["rf"]
    assert data["calibration"]["log_loss"]["value"] == found.calibration["rf"].log_loss.value
    assert data["apart_in_space"]["kappa"]["low"] < data["apart_in_space"]["kappa"]["value"]
    assert data["apart_in_space"]["blocks"] == 12
