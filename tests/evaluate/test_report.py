"""The report page: one file, nothing from elsewhere, names escaped, words that follow the numbers."""

import dataclasses
import json
import struct
import tempfile
import zlib
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from lulc_kit import params
from lulc_kit.classes import LandClass, Scheme
from lulc_kit.evaluate import accuracy, calibration, design, report, survey
from lulc_kit.evaluate.runs import Evaluation

NAMES = ("Water", "Forest <b>&", "Scrub", "Marsh")
SCHEME = Scheme("x", "X", tuple(LandClass(i, n, "#00ff00") for i, n in enumerate(NAMES, 1)))
FIGURES = [
    "runs",
    "distances",
    "classes",
    "confusion",
    "reliability",
    "image",
    "labels",
    "map_rf",
    "care_rf",
    "applicability_rf",
]
SCHEMA = json.loads((Path(report.__file__).parent / "accuracy.schema.json").read_text(encoding="utf-8"))
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Collects tags, addresses and text, and holds that every tag is closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.addresses, self.text = [], [], [], ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "href", "action", "data", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


# Water: nearly always right. Forest: fairly. Scrub: so-so, taken for forest. Marsh: hardly ever.
GOOD = np.array([[97, 1, 1, 1], [2, 75, 20, 3], [1, 30, 66, 3], [10, 20, 50, 20]])


def assess(matrix, blocks=40):
    return accuracy.assess(np.stack([np.array(matrix)] * blocks), SCHEME, confidence=0.9, resamples=100, seed=1)


def evaluation(matrix=GOOD, run="rf", leak=True, **others):
    runs = {run: assess(matrix)} | {name: assess(m) for name, m in others.items()}
    leaking = {run: assess(GOOD + 300 * np.eye(4, dtype=int))} if leak else {}
    about = {name: {"model": f"model <i>{name}</i>", "features": ["B2"], "folds": "f"} for name in runs}
    counts = calibration.count(np.array([1, 2, 3, 4]), np.eye(4) * 0.6 + 0.1, [1, 2, 3, 4])
    sure = dict.fromkeys(runs, calibration.assess(counts))
    return Evaluation(SCHEME, "3 folds of whole <640 m> blocks", runs, leaking, about, 0.9, sure)


def png(folder, name):
    """Write a picture of one white pixel."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\xff")),
        (b"IEND", b""),
    ]
    path = folder / f"{name}.png"
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


SETS = {"covered": 0.9, "mean_size": 1.5, "single": 0.5, "empty": 0.0, "pixels": 400}
TRUST = {
    "applicability": {
        "thresholds": {"all classes": 0.5},
        "weighted_by_importance": True,
        "error_by_index": [{"index": 0.5, "error": 0.1, "samples": 10}],
    },
    "class_sets": {
        "error_rate": 0.1,
        "by_class": True,
        "least_percent": dict.fromkeys(NAMES, 20),
        "coverage": {"all classes": SETS},
        "blocks": {"number": 40, "below_target": 0.25, "lowest": 0.4, "median": 0.92},
    },
    "parts": {"no reason for doubt": 0.7, "unlike the training samples": 0.3},
}
RECORD = {
    "step": "06_rf",
    "parameters": {"study": "x", "trees": 100},
    "started": "2026-01-02T03:04:05+00:00",
    "duration_s": 90.0,
    "peak_memory_mb": 512.0,
    "inputs": [{"path": f"<{k}>.tif", "sha256": f"{k:064x}"} for k in range(14)],
}


def numbers(found, table=False, **data):
    """Return what accuracy.json holds, of a study with a map or of a table."""
    grid = {"crs": "EPSG:32633", "resolution": 10.0, "rows": 5, "columns": 7}
    about = {"attribution": "contains modified Copernicus Sentinel data", "dates": ["2020-01-02"], "levels": ["L2A"]}
    about |= {"table": table, "grid": None if table else grid, "covered": None if table else 0.82, "labelled": 400}
    return {
        "format": report.FORMAT,
        "study": "hav<el>land",
        "data": about | data,
        **found.to_dict(),
        "trust": {"rf": TRUST | ({"parts": {}} if table else {})},
        "agreement": [],
        "smoothed": [],
        "parameters": params.Evaluate().model_dump(mode="json"),
        "versions": {"lulc_kit": "0.1.0", "python": "3.11.0", "numpy": "2.0"},
    }


def write(found, figures=FIGURES, records=(RECORD,), **options):
    with tempfile.TemporaryDirectory() as folder:
        pictures = {name: png(Path(folder), name) for name in figures}
        return report.render(numbers(found, **options), pictures, records)


def test_the_page_is_whole_and_needs_nothing_from_elsewhere():
    text = write(evaluation())
    page = Page(text)
    assert page.tags.count("img") == len(FIGURES)
    assert len(page.addresses) == len(FIGURES)
    assert all(a.startswith("data:image/png;base64,iVBOR") for a in page.addresses)
    assert "script" not in page.tags
    assert "@import" not in text and "url(" not in text


def test_whose_data_it_is_stands_before_the_first_number():
    """Nobody is to quote the accuracy of a simulated landscape as one on the earth."""
    text = write(evaluation(), attribution="SIMULATED data: says nothing about the earth.")
    told = Page(text).text
    assert told.index("SIMULATED data: says nothing about the earth.") < told.index("macro-F1")


def test_names_are_escaped():
    text = write(evaluation())
    assert "Forest &lt;b&gt;&amp;" in text
    for raw in ("Forest <b>", "hav<el>land", "<i>rf", "<640 m>"):
        assert raw not in text
    page = Page(text)
    for shown in ("Forest <b>&", "hav<el>land", "model <i>rf</i>", "3 folds of whole <640 m> blocks"):
        assert shown in page.text


def test_classes_are_sorted_by_what_their_f1_says():
    found = evaluation()
    f1 = {name: row["f1"] for name, row in found.runs["rf"].classes.items()}
    # By hand: 2·right / (row + column).
    assert f1["Water"].value == pytest.approx(2 * 97 / (100 + 110))
    assert f1["Marsh"].value == pytest.approx(2 * 20 / (100 + 27))
    assert report.verdicts(numbers(found), "rf") == {
        "reliable": [f"Water ({2 * 97 / (100 + 110):.3f})"],
        "between": [f"Forest <b>& ({2 * 75 / (100 + 126):.3f})", f"Scrub ({2 * 66 / (100 + 137):.3f})"],
        "poor": [f"Marsh ({2 * 20 / (100 + 27):.3f})"],
    }


def test_a_class_whose_interval_reaches_below_the_limit_is_not_reliable():
    each = np.zeros((12, 4, 4), int)
    each[:, [0, 1, 2, 3], [0, 1, 2, 3]] = 10
    each[:3, 0, 0], each[:3, 0, 1] = 0, 10  # a quarter of the blocks is wholly wrong
    found = accuracy.assess(each, SCHEME, confidence=0.9, resamples=400, seed=1)
    f1 = found.classes["Water"]["f1"]
    assert f1.value > report.RELIABLE > f1.low
    wrapped = dataclasses.replace(evaluation(), runs={"rf": found}, leaking={})
    assert any(c.startswith("Water") for c in report.verdicts(numbers(wrapped), "rf")["between"])


def test_the_page_says_what_the_verdicts_say():
    text = Page(write(evaluation())).text
    assert "Reliable: Water (0.924)." in text
    assert "Poor: Marsh (0.315)." in text
    assert "With care: Forest" in text
    assert "50% of Marsh is mapped as Scrub; 30% of Scrub is mapped as Forest" in text
    assert "18 % of the scene is cloud, shadow or no data" in text
    assert "contains modified Copernicus Sentinel data" in text
    assert "90% confidence intervals" in text


def test_a_map_without_a_reliable_class_says_so():
    text = Page(write(evaluation(np.full((4, 4), 10)))).text
    assert "No class is reliable" in text
    assert "Reliable:" not in text
    assert "Poor:" in text


def test_a_map_without_a_mistake_names_no_confusion():
    found = evaluation(np.diag([10, 20, 30, 40]), leak=False)
    assert report.find_confused(numbers(found), "rf") == []
    text = Page(write(found)).text
    assert "Poor:" not in text
    assert "Most frequent confusions" not in text
    assert "0% of" not in text


def test_a_confusion_of_a_few_pixels_is_none():
    rare = np.diag([1000, 1000, 1000, 1000])
    rare[0, 1], rare[2, 3] = 4, 6
    assert report.find_confused(numbers(evaluation(rare)), "rf") == ["1% of Scrub is mapped as Marsh"]


def test_most_frequent_confusions_are_parts_of_the_labelled_class():
    assert report.find_confused(numbers(evaluation()), "rf", 2) == [
        "50% of Marsh is mapped as Scrub",
        "30% of Scrub is mapped as Forest <b>&",
    ]


def test_the_flattery_of_a_random_split_is_named_or_left_out():
    found = evaluation(other=GOOD)
    apart, random = found.runs["rf"].macro.value, found.leaking["rf"].macro.value
    assert random > apart + 0.2
    text = " ".join(Page(write(found)).text.split())
    assert f"“rf” reports {random:.3f} instead of {apart:.3f}." in text
    assert "“other” reports" not in text
    assert "is not skill" in text
    assert "is not skill" not in Page(write(evaluation(leak=False))).text


def test_runs_that_cannot_be_told_apart_are_called_so():
    text = Page(write(evaluation(same=GOOD, worse=np.full((4, 4), 10)))).text
    assert "cannot be told apart" in text
    assert "told apart" in text.replace("cannot be told apart", "")


def test_chosen_settings_are_named_with_their_spread_over_folds():
    about = {"chosen": {"all samples": {"C": 0.5, "weights": "uniform"}}}
    about["chosen"] |= {"fold 1": {"C": 0.01, "weights": "uniform"}, "fold 2": {"C": 2.0, "weights": "distance"}}
    assert report.chosen_settings({}) == {}
    found = report.chosen_settings(about)
    assert found == {"C": ("0.5", "0.01 … 2"), "weights": ("uniform", "distance, uniform")}
    judged = evaluation()
    assert "Settings that were chosen" not in Page(write(judged)).text
    tuned = dataclasses.replace(judged, about={"rf": about | {"model": "x", "features": ["B2"]}})
    assert "0.01 … 2" in Page(write(tuned)).text


def test_a_study_of_a_table_has_no_maps_on_its_page():
    page = Page(write(evaluation(), FIGURES[:4], table=True))
    assert page.tags.count("img") == 4
    assert "labelled rows of a table" in page.text and "The maps" not in page.text and "Masked land" not in page.text
    assert "part of the map" not in page.text and "sets that hold it" in page.text


def test_doubt_has_its_place_on_the_page():
    text = " ".join(Page(write(evaluation())).text.split())
    assert "Of the map of “rf”, 70 % raises no doubt" in text
    assert "Up to the threshold (index 0.500) cross-validation has tried the model" in text
    assert "in 25 % of 40 blocks fewer sets hold the true class" in text
    assert "as their importance to this run says" in text


def test_three_numbers_stand_in_the_first_table_and_what_no_score_knows_of():
    judged = dataclasses.replace(evaluation(other=GOOD), unmapped={"rf": 1234, "other": 0})
    validated = dataclasses.replace(judged, validated={"rf": assess(np.diag([9, 9, 9, 9]))})
    text = write(validated)
    first = text[: text.index("</table>")]
    for number in ("1,234", "independent test set", "random split: flatters", "apart in space: transfer"):
        assert number in first
    assert f"{judged.leaking['rf'].macro.value:.3f}" in first and "1.000 (1.000–1.000)" in first
    matched = dataclasses.replace(judged, separation="4 folds matched to the distances of the map (kNNDM)")
    assert "distance-matched (kNNDM): what the map is asked" in write(matched)


def test_a_further_split_has_its_column_between_what_flatters_and_what_is_severe():
    """Of two runs only one was scored on it; of labels that have none the page says so."""
    judged = dataclasses.replace(evaluation(other=GOOD), further={"rf": assess(GOOD + 40 * np.eye(4, dtype=int))})
    judged = dataclasses.replace(judged, further_separation="4 folds of polygons, matched to the map (kNNDM)")
    text = write(judged)
    first = text[: text.index("</table>")]
    order = [first.index(w) for w in ("random split: flatters", "distance-matched (kNNDM)", "apart in space: transfer")]
    assert order == sorted(order)
    assert f"{judged.further['rf'].macro.value:.3f} (" in first
    assert first.count("not computed") == 2, "of the other run neither the random nor the further split"
    assert "and, for comparison, in 4 folds of polygons, matched to the map (kNNDM)" in text
    assert "Linnenbrink et al. 2024" in text
    swapped = dataclasses.replace(judged, separation=judged.further_separation, further_separation="4 folds of blocks")
    keys = [key for key, _ in report.columns(numbers(swapped))]
    assert keys == ["random_pixels", "apart_in_space", "further_split"]
    two = dataclasses.replace(judged, further_separation="4 folds of groups")
    assert [heading for _, heading in report.columns(numbers(two))][1:] == [
        "apart in space: transfer, can be severe (3 folds of whole <640 m> blocks)",
        "apart in space: transfer, can be severe (4 folds of groups)",
    ]
    assert "A distance-matched number was not computed" in write(evaluation())


def test_too_few_blocks_for_intervals_are_said_with_the_number_from_which_on_they_hold():
    """Simulations (docs/benchmarks/evaluate.md): from 40 blocks on 95 % intervals hold what they should."""
    few = dataclasses.replace(evaluation(leak=False), runs={"rf": assess(GOOD, blocks=12)})
    said = " ".join(Page(write(few)).text.split())
    assert "There are 12 blocks" in said and "only from about 40 on" in said and "too narrow with fewer" in said
    assert "only from about" not in Page(write(evaluation())).text


def test_other_maps_and_the_smoothed_one_have_their_place_with_the_caution():
    found = numbers(evaluation())
    row = {"of ours": 0.75, "of theirs": None, "our share": 0.5, "their share": 0.25}
    other = {"reference": "<esri>", "run": "rf", "pixels": 4321, "same": 0.625, "matrix": [[7] * 4] * 4}
    est = {"value": 0.7, "low": 0.6, "high": 0.8}
    each = {"macro_f1": est, "overall_accuracy": est}
    smooth = {"run": "rf", "how": "by a <sieve>", "changed": 0.125, "before": each, "after": each}
    smooth["gain"] = {"value": -0.012, "low": -0.03, "high": 0.004}
    found |= {"agreement": [other | {"classes": {"Water": row}}], "smoothed": [smooth, smooth | {"run": "knn"}]}
    text = " ".join(Page(report.render(found, {}, [])).text.split())
    assert "Agreement is not accuracy" in text and "say the same of 62.5 % of 4,321 pixels" in text
    assert (
        "rf and <esri>" in text
        and "map of “knn”, smoothed: by a <sieve>" in text
        and "12.5 % of the pixels have another class" in text
    )
    assert "-0.012 (-0.030 … +0.004)" in text and "flatters smoothing" in text
    plain = Page(report.render(numbers(evaluation()), {}, [])).text
    assert "Agreement" not in plain and "without specks" not in plain


def test_steps_say_what_they_took_and_what_went_in():
    html = write(evaluation())
    assert "<td>06_rf</td><td>2026-01-02 03:04</td>" in html and ">1.5</td>" in html and ">512</td>" in html
    text = " ".join(Page(html).text.split())
    assert "trees: 100" in text and "<0>.tif" in text and "<11>.tif" in text and "<12>.tif" not in text
    assert "and 2 more" in text
    assert "How this was made" not in Page(write(evaluation(), records=())).text


def test_tables_scroll_on_a_phone_and_print_whole():
    text = write(evaluation())
    assert 'name="viewport" content="width=device-width' in text
    assert text.count("<table") == text.count('<div class="scroll"><table')
    style = text[text.index("@media print") : text.index("</style>")]
    assert "overflow: visible" in style and "display: table-header-group" in style


@pytest.mark.parametrize("table", [False, True])
def test_numbers_keep_to_the_schema(table):
    judged = dataclasses.replace(evaluation(other=GOOD), validated={"rf": assess(GOOD)})
    plain = json.loads(json.dumps(numbers(judged, table=table)))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(plain, SCHEMA, jsonschema.Draft202012Validator)
    for spoilt in ({"format": "2"}, {"runs": {}}, {"confidence": 95}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(plain | spoilt, SCHEMA, jsonschema.Draft202012Validator)
    plain["runs"]["rf"]["apart_in_space"]["macro_f1"].pop("low")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain, SCHEMA, jsonschema.Draft202012Validator)


def test_labels_made_of_the_image_and_classes_too_small_are_said():
    row = {"class": "Marsh", "fold": 0, "pixels": 12, "units": 2, "least_pixels": 50, "least_units": 6}
    plain = Page(write(evaluation())).text
    assert "Too little for a score" not in plain and "Mind:" not in plain
    page = Page(write(dataclasses.replace(evaluation(), scarce=[row], doubt="Made by <k-means>."))).text
    assert "Made by <k-means>." in page and "Too little for a score" in page
    assert page.index("Too little") < page.index("12")


def surveyed(agreement=None):
    counts = np.array([[40, 0, 0, 0], [2, 30, 8, 0], [0, 6, 33, 1], [1, 2, 4, 33]])
    pixels = np.array([4000, 3000, 2000, 1000])
    runs = {"rf": design.estimate_stratified(counts, pixels)}
    notes = ("No spread was seen in <Water>.",)
    given = {"runs": runs, "matrices": {"rf": counts}, "assisted": None, "more": 480, "agreement": agreement}
    how = {"classes": SCHEME, "how": "stratified by the map's classes", "run": "rf", "date": "2021", "confidence": 0.95}
    return survey.Survey(**how, pixels=pixels, hectare=0.01, **given, notes=notes)


def test_without_a_probability_sample_the_page_has_no_areas_and_says_so():
    text = Page(write(evaluation())).text
    assert "No probability sample of the map has been interpreted" in text
    assert "Set sample_points of notebook 09 to draw one" in text
    assert "hectares" in text and "Areas, in hectares" not in text


def test_with_a_probability_sample_it_has_areas_with_intervals_and_keeps_the_two_accuracies_apart():
    found = surveyed(survey.Agreement(20, 0.9, 0.7, 0.97, 0.86))
    data = json.loads(json.dumps(numbers(evaluation()) | {"survey": found.to_dict()}, allow_nan=False))
    jsonschema.validate(data, SCHEMA, jsonschema.Draft202012Validator)
    text = " ".join(Page(report.render(data, {}, [RECORD])).text.split())
    assert "not of the method on its labels: 160 points, stratified by the map's classes" in text
    assert "is of 2021" in text and "480 more points" in text and "A second interpreter looked at 20" in text
    assert "Do not count pixels" not in text and "No probability sample" not in text
    area = found.areas().loc["Water"]
    # By hand: 100 ha × (0.4 · 1 + 0.3 · 2/40 + 0.1 · 1/40).
    assert area["area_ha"] == pytest.approx(100 * (0.4 + 0.3 * 2 / 40 + 0.1 / 40))
    assert f"Water40.0{area['area_ha']:.1f} ({area['low_ha']:.1f}–{area['high_ha']:.1f})" in text
    assert "No spread was seen in <Water>." in text
