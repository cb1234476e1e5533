"""From a map to points, to a person who sees the truth, and back: of the simulated landscape, whose truth is known."""

import json
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes, map_layers, raster
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import accuracy, design, interpretation, sampling, survey
from lulc_kit.layout import Layout
from lulc_kit.raster import writing
from lulc_kit.simulated import landscape
from lulc_kit.simulated.phenology import COVER_CLASS

SHAPE = (400, 400)
BOX = GeoBox(SHAPE, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
SCHEME = classes.scheme("workflow")
VALUES = np.array(SCHEME.values)


def truth():
    plan = landscape.make_plan(400, 400, 400, 3)
    return COVER_CLASS[landscape.paint(plan, 0, *SHAPE).covers[::2, ::2]]


TRUTH = truth()


def mapped(wrong, seed):
    """A map, and the probabilities behind it: honest, so that it is wrong as often as they say."""
    generator = np.random.default_rng(seed)
    doubt = generator.beta(1, 1 / wrong - 1, SHAPE)  # how likely another class than the likeliest is
    codes = np.where(
        generator.random(SHAPE) < doubt, generator.choice(VALUES, SHAPE, p=[0.05, 0.5, 0.2, 0.2, 0.02, 0.03]), TRUTH
    )
    probability = np.where(codes[None] == VALUES[:, None, None], 1 - doubt, doubt / 5)
    return codes.astype(np.uint8), np.rint(100 * probability).astype(np.uint8)


def write_run(layout, run, wrong, seed):
    codes, percent = mapped(wrong, seed)
    writing.write(layout.run(run).map, raster.array(codes[None], BOX, ["class"]), dtype="uint8", nodata=0)
    layer = raster.array(percent, BOX, SCHEME.names)
    writing.write(layout.run(run).layer("probability"), layer, dtype="uint8", nodata=map_layers.PERCENT_NODATA)
    return codes


def judged(*runs):
    """As much of an evaluation as a survey asks for."""
    cross = np.diag([60, 200, 90, 80, 20, 20]) + 3
    found = accuracy.assess(np.stack([cross] * 5), SCHEME, confidence=0.95, resamples=100, seed=1)
    return SimpleNamespace(runs=dict.fromkeys(runs, found), classes=SCHEME, confidence=0.95, ranked=lambda: list(runs))


def interpret(layout, path, change=None):
    """Fill the points in as a person would who is always right."""
    rows = gpd.read_file(layout.interpretation.points(".gpkg"))
    column = ((rows.geometry.x - 500_000) // 10).astype(int)
    row = ((5_000_000 - rows.geometry.y) // 10).astype(int)
    names = dict(zip(SCHEME.values, SCHEME.names, strict=True))
    rows["reference"] = [names[v] for v in TRUTH[row, column]]
    rows = change(rows) if change else rows
    rows.to_file(path)
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    layout = Layout(tmp_path_factory.mktemp("study"))
    write_run(layout, "rf", 0.15, 1)
    write_run(layout, "knn", 0.3, 2)
    return layout


@pytest.fixture
def layout(study, tmp_path):
    """The maps, without a sample as yet."""
    (tmp_path / "maps").symlink_to(study.folder / "maps")
    return Layout(tmp_path)


def true_shares():
    return np.array([(TRUTH == v).mean() for v in VALUES])


OPTIONS = {
    "equal": {"points": 600},
    "neyman": {"points": 600, "allocation": "neyman"},
    "for an error": {"points": 0, "standard_error": 0.012, "allocation": "proportional", "least": 40},
    "simple": {"points": 600, "how": "simple"},
    "systematic": {"points": 600, "how": "systematic"},
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_the_intervals_hold_the_true_areas_and_accuracies(layout, kind, tmp_path):
    runs = judged("rf", "knn")
    drawn = survey.draw(runs, layout, **OPTIONS[kind], seed=4)
    found = survey.assess(runs, layout, interpret(layout, tmp_path / "seen.gpkg"), "2021")
    assert found.points == len(drawn.row) and found.run == "rf" and found.date == "2021"
    for run, (wrong, seed) in {"rf": (0.15, 1), "knn": (0.3, 2)}.items():
        codes = mapped(wrong, seed)[0]
        # 99.9 %, so that no seed has to be chosen: 7 numbers of two runs are held here.
        low, high = found.runs[run].interval("overall_accuracy", 0.999)
        assert low <= (codes == TRUTH).mean() <= high
        low, high = found.runs[run].interval("users_accuracy", 0.999)
        users = np.array([(TRUTH[codes == v] == v).mean() for v in VALUES])
        assert ((low <= users) & (users <= high)).all()
    low, high = found.runs["rf"].interval("area_share", 0.999)
    assert ((low <= true_shares()) & (true_shares() <= high)).all()
    areas = found.areas()
    assert areas["counted_ha"].sum() == pytest.approx(400 * 400 / 100)
    assert areas["area_ha"].sum() == pytest.approx(1600)
    assert ((areas["low_ha"] <= areas["area_ha"]) & (areas["area_ha"] <= areas["high_ha"])).all()
    if kind == "for an error":
        assert found.runs["rf"].overall_accuracy_se == pytest.approx(0.012, rel=0.35)  # planned with a guess


def test_points_are_nearer_to_the_true_areas_than_counted_pixels(layout, tmp_path):
    survey.draw(judged("knn"), layout, points=2500, allocation="proportional", seed=2)
    found = survey.assess(judged("knn"), layout, interpret(layout, tmp_path / "seen.gpkg"), "2021")
    table = found.areas()
    true = true_shares() * 1600
    assert abs(table["area_ha"] - true).sum() < 0.5 * abs(table["counted_ha"] - true).sum()
    assert found.assisted is not None and (found.assisted.power > 0).all()
    assert abs(table["assisted_ha"] - true).sum() < 0.5 * abs(table["counted_ha"] - true).sum()
    assert found.assisted.se.mean() < found.runs["knn"].area_share_se.mean()
    shares = found.estimates()
    assert list(shares) == ["the sample", "with the map's probabilities", "counted pixels"]
    assert shares["the sample"]["Water"][0] == pytest.approx(table.loc["Water", "area_ha"] / 1600)


def test_mean_probabilities_of_the_strata_are_those_of_all_pixels(study):
    codes, percent = mapped(0.15, 1)
    sums = survey._sum_by_class(np.concatenate([codes[None], percent]), SCHEME.values)
    for i, value in enumerate(VALUES):
        part = percent[:, codes == value].astype(float)
        np.testing.assert_allclose(sums[i], (part / part.sum(axis=0)).sum(axis=1))


def test_the_same_request_keeps_the_sample_and_another_one_touches_nothing(layout):
    first = survey.draw(judged("rf", "knn"), layout, points=200)
    before = layout.interpretation.points(".csv").read_bytes()
    assert survey.draw(judged("rf", "knn"), layout, points=200).name == first.name
    with pytest.raises(LulcError, match="Move that folder away"):
        survey.draw(judged("rf", "knn"), layout, points=300)
    assert layout.interpretation.points(".csv").read_bytes() == before
    assert survey.draw(judged("rf", "knn"), Layout(layout.folder), points=200).name == first.name


def test_a_map_that_was_made_anew_is_judged_by_the_old_strata(layout, study, tmp_path):
    (tmp_path / "maps").unlink()
    write_run(layout, "rf", 0.3, 7)
    survey.draw(judged("rf"), layout, points=900)
    codes = write_run(layout, "rf", 0.1, 8)
    found = survey.assess(judged("rf"), layout, interpret(layout, tmp_path / "seen.gpkg"), "2021")
    assert "has been made anew" in found.notes[0] and found.assisted is None
    low, high = found.runs["rf"].interval("overall_accuracy", 0.999)
    assert low <= (codes == TRUTH).mean() <= high
    low, high = found.runs["rf"].interval("area_share", 0.999)
    assert ((low <= true_shares()) & (true_shares() <= high)).all()


def test_two_interpreters_agree_as_far_as_they_do(layout, tmp_path):
    def second(rows):
        rows["second"] = [*rows["reference"][:40], *([None] * (len(rows) - 40))]
        rows.loc[:3, "second"] = ["Water" if name != "Water" else "Forest" for name in rows.loc[:3, "reference"]]
        return rows

    survey.draw(judged("rf"), layout, points=200)
    found = survey.assess(judged("rf"), layout, interpret(layout, tmp_path / "seen.gpkg", second), "2021").agreement
    assert (found.points, found.share) == (40, 0.9)
    assert found.low < 0.9 < found.high and 0 < found.kappa < 0.9


def test_planning_guesses_where_cross_validation_knows_nothing_of_a_class():
    """Of a class that no label has and no model names there, as with a model from elsewhere, there is no row."""
    runs = judged("rf")
    known = dict(runs.runs["rf"].classes)
    known.pop("Forest")
    short = SimpleNamespace(**vars(runs) | {"runs": {"rf": SimpleNamespace(classes=known)}})
    found, whole = survey._expected(short, "rf"), survey._expected(runs, "rf")
    assert found[2] == sampling.GUESS != whole[2]
    np.testing.assert_array_equal(np.delete(found, 2), np.delete(whole, 2))


def test_rare_classes_are_named_and_all_numbers_are_plain_data(layout, tmp_path):
    survey.draw(judged("rf", "knn"), layout, points=120, least=10)
    found = survey.assess(judged("rf", "knn"), layout, interpret(layout, tmp_path / "seen.gpkg"), "2021-06")
    assert any("No spread was seen" in note or "Fewer than 10" in note for note in found.notes)
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    meadow = data["runs"]["rf"]["classes"]["Meadow"]["users_accuracy"]
    assert meadow["value"] == found.runs["rf"].users_accuracy[3]
    assert meadow["low"] == found.runs["rf"].interval("users_accuracy")[0][3]
    assert data["areas"]["Water"]["area_ha"] == found.areas().loc["Water", "area_ha"]
    assert np.array(data["runs"]["knn"]["points"]).sum() == 120
    assert abs(found.more - 3 * 120) < 20  # of so large a map the correction is little
    assert found.scores("knn").loc[("f1", "Meadow"), "value"] == found.runs["knn"].f1[3]


def test_a_simple_sample_that_misses_a_class_is_not_stratified_afterwards(layout, tmp_path):
    survey.draw(judged("rf"), layout, points=25, how="simple")
    found = survey.assess(judged("rf"), layout, interpret(layout, tmp_path / "seen.gpkg"), "2021")
    counts = found.matrices["rf"]
    assert (counts.sum(axis=1) < 2).any()
    plain = design.estimate_stratified(counts[None], [1.0], population=[160_000])
    assert found.runs["rf"].overall_accuracy == plain.overall_accuracy and found.assisted is None


def test_what_does_not_belong_together_is_refused(layout, study, tmp_path):
    with pytest.raises(LulcError, match="no run 'svm'. The runs are: rf"):
        survey.draw(judged("rf"), layout, points=100, run="svm")
    with pytest.raises(LulcError, match="has no map, as its samples are a table"):
        survey.draw(judged("table"), layout, points=100)
    survey.draw(judged("rf"), layout, points=200)
    path = interpret(layout, tmp_path / "seen.gpkg")
    with pytest.raises(LulcError, match="map of run rf, which the study no longer has"):
        survey.assess(judged("knn"), layout, path, "2021")
    (tmp_path / "maps").unlink()
    codes = write_run(layout, "rf", 0.15, 1)
    holes = np.where(np.arange(SHAPE[1]) < 200, codes, 0).astype(np.uint8)
    writing.write(layout.run("hole").map, raster.array(holes[None], BOX, ["class"]), dtype="uint8", nodata=0)
    found = survey.assess(judged("rf", "hole"), layout, path, "2021")
    assert (
        list(found.runs) == ["rf"] and "run hole has no class at" in found.notes[0] and "sample_run" in found.notes[0]
    )
    writing.write(layout.run("rf").map, raster.array(holes[None], BOX, ["class"]), dtype="uint8", nodata=0)
    with pytest.raises(LulcError, match="map of run rf has no class at .* points of the sample.*draw a new sample"):
        survey.assess(judged("rf"), layout, path, "2021")
    write_run(layout, "rf", 0.15, 1)
    east = GeoBox(SHAPE, from_origin(500_010, 5_000_000, 10, 10), "EPSG:32633")
    writing.write(layout.run("east").map, raster.array(codes[None], east, ["class"]), dtype="uint8", nodata=0)
    with pytest.raises(LulcError, match="map of run east is not on the study's grid"):
        survey.assess(judged("rf", "east"), layout, path, "2021")
    assert interpretation.read_drawn(layout.interpretation).run == "rf"
