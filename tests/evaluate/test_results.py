"""What notebook 09 writes: numbers, tables, pictures, the page made of them, layers; found where the layout says."""

import json
import shutil

import dask.array as da
import geopandas as gpd
import jsonschema
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import catalog, files, params, raster
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import doubt, results, runs
from lulc_kit.evaluate.findings import Findings
from lulc_kit.layout import Layout
from lulc_kit.raster import writing
from tests.evaluate import test_qgis, test_report, test_trust


def test_covered_counts_pixels_with_a_class():
    box = GeoBox((2, 4), from_origin(0, 0, 10, 10), "EPSG:32633")
    codes = raster.array(np.array([[[0, 1, 5, 0], [1, 1, 1, 1]]], np.uint8), box, ["class"])
    assert results.measure_coverage(codes.copy(data=da.from_array(codes.data))) == 0.75


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study of which 09 has everything: samples with features, a stack, two runs with maps; and what 09 makes."""
    layout = test_trust.study(tmp_path_factory.mktemp("study") / "s")
    catalog.write(layout.catalog, catalog.Catalog([catalog.Scene("2020-01-02", "L2A", {})], {}, "Whose data"))
    files.write_json(layout.record("06_rf"), test_report.RECORD)
    files.write_json(layout.record("09_evaluate"), test_report.RECORD | {"step": "09_evaluate"})
    p = params.Evaluate(study="s", resamples=100, density=20)
    judged = runs.evaluate(layout, resamples=100)
    trusted = results.examine(judged, test_trust.samples(layout), p, layout)
    results.write_doubt(judged, trusted, p, layout)
    pictures = {"runs": Figure(figsize=(1, 1)), "map": {"rf": Figure(figsize=(1, 1)), "x": None}, "image": None}
    pictures["certainty"] = {name: Figure(figsize=(1, 1)) for name in trusted}
    results.write(Findings(judged, trusted), pictures, p, layout)
    return layout, judged, trusted, p


def test_numbers_keep_to_the_schema_and_the_page_says_them(whole):
    layout, judged, trusted, _ = whole
    numbers = json.loads(layout.accuracy.read_text(encoding="utf-8"))
    jsonschema.validate(numbers, test_report.SCHEMA, jsonschema.Draft202012Validator)
    best = judged.ranked()[0]
    assert list(trusted) == list(numbers["trust"]) == [best]
    assert sum(numbers["trust"][best]["parts"].values()) == pytest.approx(1)
    text = test_report.Page(layout.report.read_text(encoding="utf-8")).text
    assert "Whose data" in text and "06_rf" in text and "09_evaluate" not in text
    assert {path.name for path in layout.report.parent.iterdir()} == {
        *("index.html", "accuracy.json", "pictures", "tables")
    }
    assert {path.stem for path in layout.picture("x").parent.iterdir()} == {"runs", "map_rf", f"certainty_{best}"}
    assert "Probability of the mapped class" in text and "consensus" not in text
    assert all("Water" in layout.run(run).style.read_text() for run in judged.runs)
    assert list(results.read_maps(judged, layout)) == judged.ranked()


def test_the_project_shows_every_raster_that_there_is(whole):
    layout, judged, *_ = whole
    _, root = test_qgis.read(layout.project.read_bytes())
    groups = root.find("layer-tree-group")
    assert [group.get("name") for group in groups] == ["Doubt", "Maps", "Labels"]  # this study has no image
    sources = [layer.findtext("datasource") for layer in root.findall("projectlayers/maplayer")]
    assert len(sources) == 4 + len(judged.runs) + 1
    assert all((layout.project.parent / source).exists() for source in sources)
    shown = [leaf.get("name") for leaf in root.iter("layer-tree-layer") if leaf.get("checked") == "Qt::Checked"]
    assert shown == [judged.ranked()[0]]
    assert all("Water" in layout.run(run).attributes.read_text(encoding="utf-8") for run in judged.runs)


def test_the_page_made_again_is_the_same_page(whole, tmp_path):
    layout, *_ = whole
    again = Layout(shutil.copytree(layout.folder, tmp_path / "s"))
    before = again.report.read_bytes()
    again.report.unlink()
    results.write_page(again)
    assert again.report.read_bytes() == before
    files.write_json(again.accuracy, files.read_json(again.accuracy) | {"format": "lulc_kit accuracy 0"})
    with pytest.raises(LulcError, match=r"another version of the kit \(lulc_kit accuracy 0; .*Run 09_evaluate again"):
        results.write_page(again)
    again.accuracy.unlink()
    with pytest.raises(LulcError, match="does not exist"):
        results.write_page(again)
    assert again.report.read_bytes() == before


def test_tables_hold_what_the_numbers_say(whole):
    layout, judged, trusted, _ = whole
    best = judged.ranked()[0]
    matrix = pd.read_csv(layout.table(f"confusion_{best}"), index_col=0)
    np.testing.assert_array_equal(matrix.to_numpy(), judged.runs[best].matrix)
    table = pd.read_csv(layout.table("runs"))
    row = table[(table["run"] == best) & (table["split"] == "apart_in_space") & (table["score"] == "macro")].iloc[0]
    assert row["value"] == pytest.approx(judged.runs[best].macro.value)
    blocks = pd.read_csv(layout.table(f"class_sets_blocks_{best}"))
    assert blocks["pixels"].sum() == trusted[best].sets["pixels"].sum()
    assert results.coverage(trusted, judged.classes).loc["all classes", "pixels"] == blocks["pixels"].sum()
    assert results.coverage({}, judged.classes) is None


def test_layers_of_doubt_are_named_described_and_read_back(whole):
    layout, judged, *_ = whole
    run = layout.run(judged.ranked()[0])
    care, index = results.read_doubt(run, "care"), results.read_doubt(run, "applicability")
    mapped = raster.read_codes(run.map).data[0].compute() > 0
    np.testing.assert_array_equal(care.data[0].compute() > 0, mapped)
    np.testing.assert_array_equal(np.isfinite(index.data[0].compute()), mapped)
    assert raster.tags(run.doubt("density"))["meaning"].endswith("counted up to 20")
    assert raster.tags(run.doubt("set_size"))["meaning"].endswith("an error rate of 0.1")
    assert (care.data[0].compute()[index.data[0].compute() > 1] == 4).all()
    assert results.read_doubt(layout.run("none"), "care") is None and results.parts_of_care(layout.run("none")) == {}
    assert results.read_certainty(layout.run("none")) is None
    parts = results.parts_of_care(run)
    assert list(parts) == list(doubt.CARE.names)
    assert parts["unlike the training samples"] == pytest.approx((care.data[0].compute() == 4).sum() / mapped.sum())


def test_runs_to_be_doubted_are_chosen_and_unknown_ones_refused(whole):
    layout, judged, _, p = whole

    def examined(*wanted):
        return results.examine(judged, test_trust.samples(layout), p.model_copy(update={"doubt": [*wanted]}), layout)

    assert list(examined("poor", "rf")) == ["poor", "rf"]
    assert examined() == {}
    with pytest.raises(LulcError, match="doubt names the run gone, and there are: poor, rf"):
        examined("gone")


def test_pictures_of_an_earlier_run_do_not_stay_on_the_page(whole, tmp_path):
    layout, judged, trusted, p = whole
    again = Layout(shutil.copytree(layout.folder, tmp_path / "s"))
    test_report.png(again.picture("x").parent, "map_gone")
    results.write(Findings(judged, trusted), {"runs": Figure(figsize=(1, 1))}, p, again)
    assert [path.stem for path in again.picture("x").parent.iterdir()] == ["runs"]


def test_points_are_drawn_only_if_they_are_wanted_and_have_not_come_back(whole, tmp_path):
    layout, judged, trusted, p = whole
    again = Layout(shutil.copytree(layout.folder, tmp_path / "s"))
    assert results.draw_sample(judged, p, again) is None and results.describe_sample(None) is None
    assert results.assess_sample(judged, p, again) is None
    asked = p.model_copy(update={"sample_points": 30, "sample_least": 5, "sample_run": "rf"})
    drawn = results.draw_sample(judged, asked, again)
    table = results.describe_sample(drawn)
    assert table["points"].sum() == 30 and table.index.name == "stratified by the map's classes, from the map of run rf"
    points = gpd.read_file(again.interpretation.points(".gpkg"))
    names = dict(zip(judged.classes.values, judged.classes.names, strict=True))
    points.assign(reference=[names[v] for v in drawn.stratum.tolist()]).to_file(tmp_path / "seen.gpkg")
    back = asked.model_copy(update={"interpreted": str(tmp_path / "seen.gpkg"), "interpreted_date": "2020"})
    assert results.draw_sample(judged, back, again) is None
    surveyed = results.assess_sample(judged, back, again)
    assert surveyed.runs["rf"].overall_accuracy == 1  # a person who sees what the map says
    results.write(Findings(judged, trusted, surveyed), {"runs": Figure(figsize=(1, 1))}, back, again)
    numbers = json.loads(again.accuracy.read_text(encoding="utf-8"))
    jsonschema.validate(numbers, test_report.SCHEMA, jsonschema.Draft202012Validator)
    assert numbers["survey"]["runs"]["rf"]["overall_accuracy"]["value"] == 1
    areas = pd.read_csv(again.table("survey_areas"), index_col=0)
    assert areas["area_ha"].tolist() == pytest.approx(areas["counted_ha"].tolist())
    assert pd.read_csv(again.table("survey_points_rf"), index_col=0).to_numpy().sum() == 30
    assert "Areas, in hectares" in again.report.read_text(encoding="utf-8")


def test_other_maps_are_compared_and_where_they_differ_is_written(whole, tmp_path):
    layout, judged, *_ = whole
    best = judged.ranked()[0]
    ours = raster.read_codes(layout.run(best).map)
    other = np.where(np.indices(ours.shape[1:])[0] < 9, 2, ours.data[0].compute())[None]  # value 2 is no class of ours
    writing.write(tmp_path / "o.tif", ours.copy(data=other.astype(np.uint8)), dtype="uint8", nodata=0)
    means = {name: [value] for name, value in zip(judged.classes.names, judged.classes.values, strict=True)}
    entry = params.evaluate.ReferenceMap(name="other", file=str(tmp_path / "o.tif"), classes=means)
    p = params.Evaluate(study="s", references=[entry])
    agreed = results.compare_references(judged, p, layout)
    assert list(agreed) == [f"{best}_other"]
    found, layer = agreed[f"{best}_other"]
    mapped = ours.data[0].compute() > 0
    assert found.matrix.sum() == mapped[9:].sum() == np.trace(found.matrix)
    assert (layer.data[0].compute()[:9] == 0).all() and set(np.unique(layer.data[0].compute()[9:])) <= {0, 1}
    numbers = results.numbers(Findings(judged, {}, agreed=agreed), p, layout)
    jsonschema.validate(json.loads(json.dumps(numbers)), test_report.SCHEMA, jsonschema.Draft202012Validator)
    assert results.compare_references(judged, params.Evaluate(study="s"), layout) is None
    both = results.compare_references(judged, p.model_copy(update={"reference_runs": ["rf", "poor"]}), layout)
    assert {name: (a.run, a.reference) for name, (a, _) in both.items()} == {
        f"{run}_other": (run, "other") for run in ("rf", "poor")
    }
    twice = p.model_copy(update={"references": [entry, entry]})
    with pytest.raises(LulcError, match="would be written twice"):
        results.compare_references(judged, twice, layout)
    with pytest.raises(LulcError, match="reference_runs names the run gone"):
        results.compare_references(judged, p.model_copy(update={"reference_runs": ["gone"]}), layout)
    fetched = params.evaluate.ReferenceMap(name="x", file="reference")
    with pytest.raises(LulcError, match="notebook 01 fetched, and it fetched none"):
        results.compare_references(judged, params.Evaluate(study="s", references=[fetched]), layout)


def test_a_map_is_smoothed_beside_the_run_s_and_never_in_its_place(whole):
    layout, judged, *_ = whole
    run = layout.run("rf")
    before = run.map.read_bytes()
    p = params.Evaluate(study="s", resamples=100, smooth=params.evaluate.Smoothing(runs=["rf"], least_area=0.05))
    made = results.smooth(judged, test_trust.samples(layout), p, layout)
    assert list(made) == ["rf"] and made["rf"].words.startswith(
        "probabilities averaged by a Gaussian of 1 pixels, patches of fewer than 5 pixels"
    )
    opened = results.read_smoothed(made, layout)["rf"].data[0].compute()
    old = raster.read_codes(run.map).data[0].compute()
    assert made["rf"].changed == pytest.approx((opened != old).sum() / (old > 0).sum()) and (opened != old).any()
    assert run.map.read_bytes() == before and "Water" in run.smoothed.with_suffix(".qml").read_text()
    assert raster.tags(run.smoothed)["smoothed"] == made["rf"].words
    numbers = results.numbers(Findings(judged, {}, made=made), p, layout)
    jsonschema.validate(json.loads(json.dumps(numbers)), test_report.SCHEMA, jsonschema.Draft202012Validator)
    assert results.smooth(judged, test_trust.samples(layout), params.Evaluate(study="s"), layout) == {}
    assert results.read_smoothed({}, layout) == {}
    image = np.random.default_rng(1).uniform(0.02, 0.3, (4, *test_trust.SHAPE)).astype(np.float32)
    writing.write(layout.composite, raster.array(image, test_trust.BOX, ["B2", "B3", "B4", "B8"]))
    guided = params.evaluate.Smoothing(runs=["rf", "poor"], method="guided", radius=10.0)
    both = results.smooth(judged, test_trust.samples(layout), p.model_copy(update={"smooth": guided}), layout)
    assert list(both) == ["rf", "poor"] and all("edges of the image" in found.words for found in both.values())
    wrong = params.Evaluate(study="s", smooth=params.evaluate.Smoothing(runs=["gone"]))
    with pytest.raises(LulcError, match="smooth names the run gone"):
        results.smooth(judged, test_trust.samples(layout), wrong, layout)


def test_maps_of_two_runs_are_compared_and_the_change_map_is_written(whole, tmp_path):
    layout, judged, trusted, p = whole
    again = Layout(shutil.copytree(layout.folder, tmp_path / "s"))
    assert results.compare_maps(judged, p, again) is None
    asked = p.model_copy(update={"compare_with": "s/poor", "compare_run": "rf"})
    found = results.compare_maps(judged, asked, again)
    one, other = (raster.read_codes(again.run(run).map).data[0].compute().astype(int) for run in ("poor", "rf"))
    both = (one > 0) & (other > 0)
    np.testing.assert_array_equal(raster.read_codes(again.change).data[0], np.where(both, 1000 * one + other, 0))
    assert raster.tags(again.change)["meaning"].startswith("class in s/poor × 1000 + class in s/rf")
    results.write(Findings(judged, trusted, changed=found), {"flows": Figure(figsize=(1, 1))}, asked, again)
    numbers = json.loads(again.accuracy.read_text(encoding="utf-8"))
    jsonschema.validate(numbers, test_report.SCHEMA, jsonschema.Draft202012Validator)
    assert numbers["change"]["changed"] == pytest.approx((one[both] != other[both]).mean())
    text = test_report.Page(again.report.read_text(encoding="utf-8")).text
    assert "From “s/poor” to “s/rf”" in text and "not of the land" in text
    table = pd.read_csv(again.table("change"), index_col=0)
    assert table.to_numpy().sum() == pytest.approx(both.sum() * 0.01)
    with pytest.raises(LulcError, match="compare_run names the run gone, and there are: poor, rf"):
        results.compare_maps(judged, asked.model_copy(update={"compare_run": "gone"}), again)
    with pytest.raises(LulcError, match=r"classes.json does not exist"):
        results.compare_maps(judged, asked.model_copy(update={"compare_with": "other/rf"}), again)
