"""The mean of runs: against whole numbers added by hand, a run averaged with itself, what is refused and told."""

import shutil
import warnings
import zipfile

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.figure import Figure

from lulc_kit import catalog, files, map_layers, mapping, params, raster, steps
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import ensemble, results, runs
from lulc_kit.evaluate.findings import Findings
from lulc_kit.layout import ENSEMBLE, Layout
from lulc_kit.raster import writing
from tests.evaluate import test_report, test_trust

VALUES = np.array(test_trust.SCHEME.values)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two runs, of which one has a hole that the other has not and other classes in the south, and their mean."""
    layout = test_trust.study(tmp_path_factory.mktemp("study") / "s")
    poor = layout.run("poor")
    for path in (poor.layer("probability"), poor.crossval_probability):
        percent, names = raster.read_codes(path).data.compute(), raster.band_names(path)
        percent[:, 25:] = np.roll(percent[:, 25:], 1, axis=0)
        percent[:, 20:23, 30:34] = 255
        writing.write(path, raster.array(percent, test_trust.BOX, names), dtype="uint8", nodata=255)
        likely = np.where(percent > 100, np.nan, percent / np.float32(100)).astype(np.float32)
        codes = raster.array(map_layers.classify(likely, VALUES)[None], test_trust.BOX, ["fold"])
        writing.write(poor.crossval if names[0].startswith("fold") else poor.map, codes, dtype="uint8", nodata=0)
    names = results.combine(test_trust.samples(layout), asked("rf", "poor"), layout)
    return layout, names


def asked(*names, **more):
    return params.Evaluate(study="s", ensemble=list(names), resamples=100, **more)


def by_itself():
    return params.Evaluate(study="s", resamples=100)


def read(layout, run, name):
    return raster.read_codes(layout.run(run).layer(name)).data.compute().astype(int)


@given(arrays(np.uint8, (3, 2, 4, 5), elements=st.integers(0, 100)), arrays(bool, (3, 4, 5)))
def test_it_is_the_mean_where_all_runs_have_data(percent, gone):
    held = np.where(gone[:, None], 255, percent).astype(np.uint8)
    found = ensemble.mean(held.reshape(-1, 4, 5), 3)
    expected = np.where(gone.any(axis=0), np.nan, percent.astype(np.int64).sum(axis=0) / 300)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_map_and_what_is_tested_are_those_of_the_summed_percent(study):
    layout, names = study
    assert names == ["poor", "rf", ENSEMBLE]
    both = [read(layout, run, "probability") for run in ("rf", "poor")]
    gone = np.any(both, axis=0).any(axis=0) & (np.max(both, axis=0) > 100).any(axis=0)
    assert gone.sum() == 4 + 12
    expected = np.where(gone, 0, VALUES[np.sum(both, axis=0).argmax(axis=0)])
    np.testing.assert_array_equal(raster.read_codes(layout.run(ENSEMBLE).map).data[0], expected)
    labelled = test_trust.landscape()[0] > 0
    unseen = [raster.read_codes(layout.run(run).crossval_probability).data.compute().astype(int) for run in names[:2]]
    whole = labelled & (np.max(unseen, axis=0) <= 100).all(axis=0)
    tested = np.where(whole, VALUES[np.sum(unseen, axis=0).argmax(axis=0)], 0)
    np.testing.assert_array_equal(raster.read_codes(layout.run(ENSEMBLE).crossval).data[0], tested)
    agree = np.mean([raster.read_codes(layout.run(run).map).data[0].compute() == expected for run in names[:2]], axis=0)
    np.testing.assert_array_equal(read(layout, ENSEMBLE, "consensus")[0], np.where(gone, 255, 100 * agree))
    assert set(np.unique(agree[~gone])) >= {0.5, 1.0}


def test_it_is_judged_doubted_and_described_as_any_run(study):
    layout, names = study
    judged = runs.evaluate(layout, runs=names, resamples=100)
    assert judged.about[ENSEMBLE]["model"] == "mean of the probabilities of rf, poor"
    assert judged.about[ENSEMBLE]["features"] == list(test_trust.NAMES)
    p = asked("rf", "poor", doubt=[ENSEMBLE])
    trusted = results.examine(judged, test_trust.samples(layout), p, layout)
    results.write_doubt(judged, trusted, p, layout)
    assert results.parts_of_care(layout.run(ENSEMBLE))
    assert list(results.read_certainty(layout.run(ENSEMBLE))) == ["probability", "margin", "entropy", "consensus"]
    assert "consensus" not in results.read_certainty(layout.run("rf"))
    catalog.write(layout.catalog, catalog.Catalog([catalog.Scene("2020-01-02", "L2A", {})], {}, "Whose data"))
    files.write_json(layout.record("06_rf"), test_report.RECORD)
    results.write(Findings(judged, trusted), {"certainty": {ENSEMBLE: Figure(figsize=(1, 1))}}, p, layout)
    jsonschema.validate(files.read_json(layout.accuracy), test_report.SCHEMA, jsonschema.Draft202012Validator)
    text = layout.report.read_text(encoding="utf-8")
    assert "consensus: how many of the runs rf, poor say this class by themselves" in text
    assert f"{ENSEMBLE}_consensus.tif" in zipfile.ZipFile(layout.project).read("s.qgs").decode()


def test_a_run_averaged_with_its_copy_is_that_run(study, tmp_path):
    layout = Layout(shutil.copytree(study[0].folder, tmp_path / "s"))
    rf, twin = layout.run("rf"), layout.run("twin")
    shutil.copytree(rf.models, twin.models)
    for path in rf.map.parent.glob("rf*.tif"):
        shutil.copy(path, path.with_name(path.name.replace("rf", "twin", 1)))
    ensemble.combine(layout, ["rf", "twin"], test_trust.samples(layout))
    mapped = raster.read_codes(rf.map).data[0].compute() > 0
    for name, most in (("probability", 0), ("margin", 1)):  # that of whole percent, and that of what rounds to them
        difference = np.abs(read(layout, ENSEMBLE, name) - read(layout, "rf", name))[:, mapped]
        assert difference.max() <= most
    codes = raster.read_codes(rf.map).data.compute()
    same = raster.read_codes(layout.run(ENSEMBLE).map).data.compute() == codes
    tied = np.sort(read(layout, "rf", "probability"), axis=0)
    assert same[0][(tied[-1] > tied[-2]) | (codes[0] == 0)].all() and same.mean() > 0.99
    assert (read(layout, ENSEMBLE, "consensus")[same & (codes > 0)] == 100).all()


def test_runs_that_are_left_out_are_told_and_unknown_ones_refused(study, tmp_path, monkeypatch):
    layout = Layout(shutil.copytree(study[0].folder, tmp_path / "outputs" / "s"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "project_folder", lambda: tmp_path)
    files.write_text(tmp_path / "params/s/07_fcn.yaml", "study: s")
    samples = test_trust.samples(layout)
    with pytest.raises(LulcError, match="ensemble names the run gone, and there are: fcn, poor, rf"):
        results.combine(samples, asked("rf", "gone"), layout)
    with pytest.warns(UserWarning, match="fcn did not run, so the mean is that of rf, poor"):
        assert results.combine(samples, asked("rf", "fcn", "poor"), layout)[-1] == ENSEMBLE
    with pytest.warns(UserWarning, match="fcn did not run, so there is no mean"):
        assert results.combine(samples, asked("rf", "fcn"), layout) == ["poor", "rf"]
    files.write_json(layout.plan, ["06_rf", "09_evaluate"])  # lulc run --without s/06_poor
    with pytest.warns(UserWarning, match="poor did not run, so there is no mean"):
        assert results.combine(samples, asked("rf", "poor"), layout) == ["rf"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert results.combine(samples, asked(), layout) == ["rf"]


def test_only_runs_of_the_plan_and_never_an_old_mean_are_judged(study, tmp_path):
    layout = Layout(shutil.copytree(study[0].folder, tmp_path / "s"))
    assert list(runs.evaluate(layout, resamples=100).runs) == ["poor", "rf"]
    files.write_json(layout.plan, ["06_rf", "09_evaluate"])
    assert list(runs.evaluate(layout, resamples=100).runs) == ["rf"]


def test_where_nothing_is_said_boosting_and_the_fcn_are_averaged_if_both_are_there(study, tmp_path):
    layout = Layout(shutil.copytree(study[0].folder, tmp_path / "s"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert results.combine(test_trust.samples(layout), by_itself(), layout) == ["poor", "rf"]
        for old, new in (("rf", "hgb"), ("poor", "fcn")):
            layout.run(old).models.rename(layout.run(new).models)
            for path in layout.run(old).map.parent.glob(f"{old}*.tif"):
                path.rename(path.with_name(path.name.replace(old, new, 1)))
        assert results.combine(test_trust.samples(layout), by_itself(), layout) == ["fcn", "hgb", ENSEMBLE]
        assert results.combine(test_trust.samples(layout), asked(), layout) == ["fcn", "hgb"]
    assert steps.members(by_itself(), layout) == ["hgb", "fcn"]


def test_what_it_writes_is_the_step_s(study):
    layout, _ = study
    written = steps.writes(asked("rf", "poor"), layout)
    assert layout.run(ENSEMBLE).about in written and layout.run(ENSEMBLE).layer("consensus") in written
    for p in (asked(), asked("rf", "gone")):
        assert not any(path.stem.startswith(ENSEMBLE) for path in steps.writes(p, layout))
    made = layout.run(ENSEMBLE)
    assert not {made.map, made.about} & set(steps.reads(asked("rf", "poor"), layout))


def test_other_classes_are_refused_with_both_lists(study, tmp_path):
    layout = Layout(shutil.copytree(study[0].folder, tmp_path / "s"))
    probability = layout.run("poor").layer("probability")
    percent = raster.read_codes(probability).data[:2].compute()
    writing.write(probability, raster.array(percent, test_trust.BOX, ["Water", "Ice"]), dtype="uint8", nodata=255)
    with pytest.raises(LulcError, match=r"run poor tells Water, Ice, and the labels have .*take poor out of ensemble"):
        ensemble.combine(layout, ["rf", "poor"], test_trust.samples(layout))


def test_its_name_is_taken_and_one_run_has_no_mean():
    for notebook in (params.Baselines, params.FCN, params.LSTM):
        with pytest.raises(LulcError, match="ensemble is what 09 calls the mean of several runs"):
            notebook.check({"study": "s", "run": "Ensemble"}, "06_x")
        with pytest.raises(LulcError, match="there/ensemble is a mean of several runs and has no model"):
            notebook.check({"study": "s", "trained": "there/ensemble"}, "06_x")
    for names in (["rf"], ["rf", "rf"]):
        with pytest.raises(LulcError, match="ensemble must name two runs or more"):
            params.Evaluate.check({"study": "s", "ensemble": names}, "09_evaluate")


def test_samples_that_are_a_table_have_no_mean(study, tmp_path):
    layout = Layout(shutil.copytree(study[0].folder, tmp_path / "s"))
    samples = test_trust.samples(layout)
    layout.labels.unlink()
    with pytest.raises(LulcError, match="ensemble averages maps"):
        ensemble.combine(layout, ["rf", "poor"], samples)
    assert mapping.read_about(layout.run("rf"))["run"] == "rf"
