"""Networks that travel: those of another study map this one, and several studies teach together."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from lulc_kit import classes, mapping, origins, params, raster
from lulc_kit.deep import results, storage
from lulc_kit.errors import BandError, FormatError, LulcError, ParameterError
from tests.deep import studies
from tests.deep.series import put_cube

SETTINGS = {"patch": 16, "steps": 40, "learning_rate": 0.03, "filters": [8], "network": "mlp"}


def fcn(layout, **values):
    """Do what notebook 07 does."""
    p = params.FCN.check({"study": layout.folder.name, "run": "net"} | SETTINGS | values, "a test")
    own = origins.open_samples(layout)
    scene = results.open_scene(own, p.features, p, layout)
    fitted = results.train_fcn(scene, p, layout)
    return fitted, results.write_fcn(fitted, scene, own, p, layout)


def lstm(layout, **values):
    """Do what notebook 08 does."""
    given = {"study": layout.folder.name, "run": "dates", "length": 3, "dates": None, "steps": 2, "patch": 16}
    p = params.LSTM.check(given | values, "a test")
    own = origins.open_samples(layout)
    first = results.open_first(p, own, layout)
    scene = results.open_scene(own, first.features, p, layout)
    series = results.read_series(layout, first.features, p)
    fitted = results.train_lstm(scene, series, first, p, layout)
    results.write_lstm(fitted, first, series, own, p, layout)
    return fitted


def codes(path):
    return raster.read_codes(path).to_numpy()[0]


def said(layout, models):
    """What networks of single pixels say on average, computed by Keras on the whole stack at once."""
    image = np.moveaxis(raster.read(layout.stack, ["B4", "B8"]).to_numpy(), 0, -1)
    return np.mean([np.asarray(model(image[None]))[0] for model in models], axis=0)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A study with networks of its own."""
    layout = studies.put(tmp_path_factory.mktemp("outputs"), "here")
    fcn(layout)
    return layout


def unlabelled(layout):
    for path in (layout.samples, layout.labels, layout.folds, layout.classes):
        path.unlink()
    return layout


def test_a_study_without_labels_is_mapped_by_the_stored_networks(here):
    there = unlabelled(studies.put(here.folder.parent, "bare", seed=5))
    fitted, left_out = fcn(there, run="away", trained="here/net")
    expected = said(there, storage.load(here.run("net")))
    values = np.array([1, 3])
    certain = np.abs(expected[..., 0] - 0.5) > 1e-4
    np.testing.assert_array_equal(codes(there.run("away").map)[certain], values[expected.argmax(-1)][certain])
    shown = raster.read_codes(there.run("away").layer("probability")).to_numpy()
    np.testing.assert_allclose(shown, 100 * np.moveaxis(expected, -1, 0), atol=0.51)
    assert [p.name for p in there.run("away").models.iterdir()] == ["run.json"], "nothing was tested, nothing stored"
    about = mapping.read_about(there.run("away"))
    assert about["origin"] == "here/net" and about["model"].endswith("trained in here/net")
    assert about["same_place"] == ["here"], "the tests' studies lie on one place"
    assert left_out is None and fitted.curves("loss") is None


def test_networks_know_what_they_were_trained_on(here):
    about = mapping.read_about(here.run("net"))
    assert about["stack"] == {"features": ["B4", "B8"], "units": ["reflectance"] * 2, "made": {"level": "L2A"}}
    assert (about["tells"], [c["name"] for c in about["classes"]["classes"]]) == ([1, 3], ["Build-up", "Forest"])
    assert about["origin"] == []


def test_all_labels_of_the_new_place_test_it(here):
    """Water, which the networks do not know, is a class of the map, and is always missed."""
    there = studies.put(here.folder.parent, "wet", (1, 3, 5), seed=6)
    fcn(there, run="away", trained="here/net")
    run = there.run("away")
    np.testing.assert_array_equal(codes(run.crossval), codes(run.map))
    assert set(np.unique(codes(run.map))) == {1, 3}
    about = mapping.read_about(run)
    assert [c["value"] for c in about["classes"]["classes"]] == [1, 3, 5]
    shown = raster.read_codes(run.layer("probability"))
    assert shown.band.values.tolist() == ["Build-up", "Forest", "Water"] and not shown.to_numpy()[2].any()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"level": "L1C"}, "level: L2A in here, L1C here"),
        ({"bands": ("B4", "B11")}, r"no layer B8.\n  wanted: B4, B8\n  there:  B4, B11"),
        (
            {"named": classes.own(["Wood", "x", "Lake"]).subset([1, 3])},
            "here: 1 Build-up, 3 Forest\n  .*: 1 Wood, 3 Lake",
        ),
    ],
)
def test_what_is_not_the_same_is_refused_with_both(here, changes, says):
    there = studies.put(here.folder.parent, f"other{len(says)}", **changes)
    with pytest.raises((ParameterError, BandError), match=says):
        fcn(there, run="away", trained="here/net")
    assert not there.run("away").models.exists() and not there.run("away").map.exists()


def test_a_run_that_does_not_say_what_it_was_trained_on_is_refused(here):
    there = studies.put(here.folder.parent, "after")
    mapping.write_about(here.run("old"), "x", ["B4"], "", classes=["Build-up", "Forest"])
    with pytest.raises(FormatError, match="here/old does not say on what it was trained. Run 07_old of here again"):
        fcn(there, run="away", trained="here/old")


def test_two_studies_teach_together_and_each_is_tested_by_the_other(here):
    there = studies.put(here.folder.parent, "both", seed=7)
    fitted, left_out = fcn(there, run="both", samples=["here", "both"])
    of_both, of_here = fitted.networks  # the first has not seen here, the second has seen nothing else
    run, true, values = there.run("both"), codes(there.labels), np.array([1, 3])
    tested = values[said(there, [of_here]).argmax(-1)]
    assert (codes(run.crossval) == tested).mean() > 0.999  # rounding near a tie
    assert (codes(run.map) == values[said(there, fitted.networks).argmax(-1)]).mean() > 0.999
    expected = f1_score(true.ravel(), tested.ravel(), average="macro")
    assert left_out.loc["both", "macro_f1"] == pytest.approx(expected, abs=2e-3)
    elsewhere = values[said(here, [of_both]).argmax(-1)]
    expected = f1_score(codes(here.labels).ravel(), elsewhere.ravel(), average="macro")
    assert left_out.loc["here", "macro_f1"] == pytest.approx(expected, abs=2e-3)
    assert left_out["samples"].tolist() == [32 * 48] * 2
    about = mapping.read_about(run)
    assert about["origin"] == ["here", "both"] and about["model"].endswith("trained on here, both")
    text = run.card(2).read_text(encoding="utf-8")
    assert "whole studies" in text and f"test fold: {left_out.loc['both', 'macro_f1']:.3f}" in text
    with pytest.raises(LulcError, match="learnt in .*'here', 'both'.*Name a run of 07 that was trained here"):
        results.open_fcn(run, origins.open_samples(there))


def test_a_study_that_teaches_nothing_is_mapped_by_the_mean_of_those_that_do(here):
    studies.put(here.folder.parent, "second", seed=8)
    third = studies.put(here.folder.parent, "third", seed=9)
    fitted, left_out = fcn(third, run="both", samples=["here", "second"])
    mapped = np.array([1, 3])[said(third, fitted.networks).argmax(-1)]
    assert (codes(third.run("both").map) == mapped).mean() > 0.999
    np.testing.assert_array_equal(codes(third.run("both").crossval), codes(third.run("both").map))
    assert list(left_out.index) == ["here", "second"]


@pytest.fixture(scope="module")
def dated(tmp_path_factory):
    """A study with a cube and networks of dates."""
    layout = studies.put(tmp_path_factory.mktemp("outputs"), "here")
    put_cube(layout)
    fcn(layout, network="fcn", filters=[4], steps=2, run="fcn")
    return layout


def another(layout, name, **cube):
    there = unlabelled(studies.put(layout.folder.parent, name, bands=cube.get("bands", ("B4", "B8"))))
    put_cube(there, **cube)
    return there


RUNS = {
    "ltae": {"network": "ltae", "sequences": "fixed"},
    "linear": {"network": "fcn_lstm", "gaps": "linear", "sequences": "random", "draws": 2},
}


@pytest.mark.parametrize("name", RUNS)
def test_the_same_dates_elsewhere_get_the_same_map_from_the_stored_networks(dated, name):
    settings = RUNS[name]
    lstm(dated, run=name, **settings)
    there = another(dated, f"of_{name}")
    lstm(there, run="away", trained=f"here/{name}", **settings)
    np.testing.assert_array_equal(codes(there.run("away").map), codes(dated.run(name).map))
    for layer in ("probability", "margin"):
        own, away = (raster.read_codes(at.layer(layer)).to_numpy() for at in (dated.run(name), there.run("away")))
        np.testing.assert_allclose(away.astype(int), own.astype(int), atol=1)
    about = mapping.read_about(dated.run(name))
    assert about["dates"]["features"] == ["B4", "B8"]
    assert about["dates"]["made"]["dates in a sequence"] == "3" and about["dates"]["made"]["level"] == "L2A"


@pytest.mark.parametrize(
    ("cube", "settings", "says"),
    [
        ({}, {"length": 4}, "dates in a sequence: 3 in here, 4 here"),
        ({}, {"gaps": "linear"}, "what clouds hide: mean in here, linear here"),
        ({"level": "L1C"}, {}, "level: L2A in here, L1C here"),
        ({"bands": ("B4", "B11")}, {}, r"no band B8.\n  wanted: B4, B8\n  there:  B4, B11"),
    ],
)
def test_other_dates_and_sequences_are_refused_with_both(dated, cube, settings, says):
    """Follows the test above: its networks are there."""
    there = another(dated, f"no{len(says)}", **cube)
    with pytest.raises((ParameterError, BandError), match=says):
        lstm(there, run="away", trained="here/ltae", **RUNS["ltae"] | settings)
    assert not there.run("away").models.exists() and not there.run("away").map.exists()


def test_networks_of_fixed_sequences_read_random_ones_elsewhere(dated):
    """Follows the tests above. Of three dates there is one sequence of three, drawn or not."""
    there = another(dated, "drawn")
    for way in ("fixed", "random"):
        settings = RUNS["ltae"] | {"sequences": way, "draws": 2, "dates": ["2020-03-01", "2020-05-31"]}
        lstm(there, run=way, trained="here/ltae", **settings)
    np.testing.assert_array_equal(codes(there.run("random").map), codes(there.run("fixed").map))
