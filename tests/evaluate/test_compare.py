"""Several studies on one page: numbers of each where they belong, maps side by side, what lacks is a dash."""

import dataclasses
import json

import numpy as np
import pytest

from lulc_kit import files
from lulc_kit.classes import LandClass, Scheme
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import compare
from lulc_kit.layout import Layout
from tests import scene
from tests.evaluate.test_report import GOOD, Page, evaluation, numbers, png
from tests.test_cli import lulc

NORTH, SOUTH = numbers(evaluation(knn=GOOD)), numbers(evaluation(np.diag([9, 9, 9, 9]), leak=False))


def test_runs_that_more_studies_have_come_first():
    assert compare.runs({"north": NORTH, "south": SOUTH}) == ["rf", "knn"]


def test_each_number_stands_in_its_study_s_column(tmp_path):
    pictures = {"north": {"map_rf": png(tmp_path, "map_rf"), "runs": png(tmp_path, "runs")}, "south": {}}
    text = compare.render({"north": NORTH, "south": SOUTH}, pictures)
    page = Page(text)
    macro = NORTH["runs"]["rf"]["apart_in_space"]["macro_f1"]
    north = f"{macro['value']:.3f} ({macro['low']:.3f}–{macro['high']:.3f})"
    first = text[text.index("<td>rf</td>") :]
    first = first[: first.index("</tr>")]
    assert first.index(north) < first.index("<strong>1.000 (1.000–1.000)</strong>")
    row = text[text.index("<td>knn</td>") :]
    assert row[: row.index("</tr>")].endswith('<td class="n">–</td>')
    assert page.tags.count("img") == 1 and "Maps of “rf”" in page.text and "Maps of “knn”" not in page.text
    assert "Forest &lt;b&gt;&amp;" in text and "Forest <b>" not in text
    assert "different classes" not in page.text and "no reason for doubt" in page.text


def test_other_classes_are_said_to_be_other_classes():
    scheme = Scheme("x", "X", tuple(LandClass(i, f"c{i}", "#00ff00") for i in range(1, 5)))
    renamed = evaluation()
    kinds = dict(zip(scheme.names, renamed.runs["rf"].classes.values(), strict=True))
    runs = {"rf": dataclasses.replace(renamed.runs["rf"], classes=kinds)}
    other = numbers(dataclasses.replace(renamed, classes=scheme, runs=runs, leaking={}))
    studies = {"a": NORTH, "b": other}
    assert compare.class_names(studies) == [row["name"] for row in NORTH["classes"]["classes"]] + [*scheme.names]
    assert "The studies have different classes" in Page(compare.render(studies, {"a": {}, "b": {}})).text


def test_what_cannot_be_compared_is_refused(tmp_path):
    layout = Layout(tmp_path / "a")
    files.write_json(layout.accuracy, json.loads(json.dumps(NORTH)))
    with pytest.raises(LulcError, match="two studies or more; found a"):
        compare.write({"a": layout}, tmp_path / "x.html")
    with pytest.raises(LulcError, match="does not exist"):
        compare.write({"a": layout, "b": Layout(tmp_path / "b")}, tmp_path / "x.html")
    files.write_json(Layout(tmp_path / "b").accuracy, {"format": "old"})
    with pytest.raises(LulcError, match="lulc run b --only 09_evaluate"):
        compare.write({"a": layout, "b": Layout(tmp_path / "b")}, tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_the_commands_make_the_pages_again_and_side_by_side(project):
    """`lulc report` and `lulc compare` read what 09 left, and compute nothing."""
    for name, content in (("north", NORTH), ("south", SOUTH)):
        scene.put(project, "09_evaluate", {"study": name}, name)
        layout = Layout(project / "outputs" / name)
        files.write_json(layout.accuracy, json.loads(json.dumps(content)))
        layout.picture("map_rf").parent.mkdir()
        png(layout.picture("x").parent, "map_rf")
    done = lulc("report", "north")
    assert done.exit_code == 0, done.output
    page = Page(Layout(project / "outputs/north").report.read_text(encoding="utf-8"))
    assert page.tags.count("img") == 1 and "Methods, ready to paste" in page.text
    done = lulc("compare", "north", "south")
    assert done.exit_code == 0, done.output
    assert "north, south: side by side" in Page((project / "outputs/compare.html").read_text(encoding="utf-8")).text
    assert lulc("compare", "north", "south", "--to", "here.html").exit_code == 0
    assert (project / "here.html").exists()
    Layout(project / "outputs/north").accuracy.unlink()
    assert lulc("report", "north").exit_code == 1
