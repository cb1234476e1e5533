"""The report page: one file, nothing from elsewhere, names escaped, words that follow the numbers."""

import dataclasses
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from lulc_kit.classes import LandClass, Scheme
from lulc_kit.evaluate import accuracy, calibration, report
from lulc_kit.evaluate.runs import Evaluation

NAMES = ("Water", "Forest <b>&", "Scrub", "Marsh")
SCHEME = Scheme("x", "X", tuple(LandClass(i, n, "#00ff00") for i, n in enumerate(NAMES, 1)))
FIGURES = [field.name for field in dataclasses.fields(report.Pictures)]
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
    about = {name: {"model": f"model <i>{name}</i>"} for name in runs}
    counts = calibration.count(np.array([1, 2, 3, 4]), np.eye(4) * 0.6 + 0.1, [1, 2, 3, 4])
    sure = dict.fromkeys(runs, calibration.assess(counts))
    return Evaluation(SCHEME, "3 folds of whole <640 m> blocks", runs, leaking, about, 0.9, sure)


def write(found, **options):
    pictures = report.Pictures(**{key: Figure(figsize=(1, 1)) for key in FIGURES})
    defaults = {"study": "hav<el>land", "attribution": "contains modified Copernicus Sentinel data", "covered": 0.82}
    return report.render(found, pictures, **defaults | options)


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
    assert report.verdicts(found, "rf") == {
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
    wrapped = Evaluation(SCHEME, "x", {"rf": found}, {}, {"rf": {"model": "m"}}, 0.9, {})
    assert any(c.startswith("Water") for c in report.verdicts(wrapped, "rf")["between"])


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
    assert report.confused(found, "rf") == []
    text = Page(write(found)).text
    assert "Poor:" not in text
    assert "Most frequent confusions" not in text
    assert "0% of" not in text


def test_most_frequent_confusions_are_parts_of_the_labelled_class():
    assert report.confused(evaluation(), "rf", 2) == [
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
    tuned = dataclasses.replace(judged, about={"rf": about | {"model": "x"}})
    assert "0.01 … 2" in Page(write(tuned)).text


def test_a_study_of_a_table_has_no_maps_on_its_page():
    pictures = {key: Figure(figsize=(1, 1)) for key in FIGURES}
    pictures |= dict.fromkeys(("maps", "image", "labels", "confidence"))
    text = report.render(evaluation(), report.Pictures(**pictures), study="x", attribution="", covered=None)
    page = Page(text)
    assert page.tags.count("img") == len(FIGURES) - 4
    assert "labelled rows of a table" in page.text and "The maps" not in page.text and "Masked land" not in page.text


def test_labels_made_of_the_image_and_classes_too_small_are_said():
    row = {"class": "Marsh", "fold": 0, "pixels": 12, "units": 2, "least_pixels": 50, "least_units": 6}
    plain = Page(write(evaluation())).text
    assert "Too little for a score" not in plain and "Mind:" not in plain
    page = Page(write(dataclasses.replace(evaluation(), scarce=[row], doubt="Made by <k-means>."))).text
    assert "Made by <k-means>." in page and "Too little for a score" in page
    assert page.index("Too little") < page.index("12")
