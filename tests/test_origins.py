"""Models of other studies: their classes with those here, the ground they learnt on, and scores without each study."""

from pathlib import Path

import numpy as np
import pytest
from odc.geo.geobox import GeoBox

from lulc_kit import classes, mapping, origins, params
from lulc_kit.errors import FormatError, ParameterError
from lulc_kit.layout import Layout
from tests import rasters
from tests.labelled import labelled

WORKFLOW = classes.scheme("workflow")


def away(**values: object) -> params.FCN:
    return params.FCN.check({"study": "here", "run": "x", "trained": "there/net"} | values, "a test")


def test_classes_are_those_that_teach_and_those_that_test(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "here")
    mapping.write_about(layout.other("there").run("net"), "FCN", [], "", classes=WORKFLOW.subset([1, 3]).to_dict())
    own = labelled(scheme=WORKFLOW.subset([3, 5]))
    assert origins.join_classes(own, away(), layout).values == (1, 3, 5)
    assert origins.join_classes(None, away(), layout).values == (1, 3)
    assert origins.join_classes(own, params.FCN(study="here"), layout) == own.scheme
    other = labelled(scheme=classes.own(["Wood"]))
    with pytest.raises(ParameterError, match="there: 1 Build-up, 3 Forest\n  here: 1 Wood"):
        origins.join_classes(other, away(), layout)


def test_a_run_that_says_less_than_is_asked_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "here")
    mapping.write_about(layout.other("there").run("net"), "FCN", [], "", classes={}, stack={})
    assert origins.read_model(away(), layout, "stack")[0] == "there"
    with pytest.raises(FormatError, match="there/net does not say on what it was trained. Run 07_net of there again"):
        origins.read_model(away(), layout, "dates")


def test_the_same_ground_is_known_in_whatever_zone(tmp_path: Path) -> None:
    here = GeoBox.from_bbox((500_000, 5_000_000, 500_200, 5_000_200), "EPSG:32633", resolution=10)
    far = GeoBox.from_bbox((600_000, 5_000_000, 600_200, 5_000_200), "EPSG:32633", resolution=10)
    for name, grid in {"here": here, "again": here, "zone": here.to_crs("EPSG:32632"), "far": far}.items():
        rasters.write(Layout(tmp_path / name).stack, np.zeros(grid.shape, np.float32), grid, ["B4"])
    p = params.FCN(study="here", samples=["here", "again", "zone", "far", "gone"])
    assert origins.find_same_place(p, Layout(tmp_path / "here")) == ["again", "zone"]


def test_each_study_is_scored_with_what_the_others_say() -> None:
    found = origins.score_left_out(
        {"a": (np.array([1, 1, 3, 3]), np.array([1, 1, 1, 3])), "b": (np.array([1]), np.array([5]))}
    )
    f1 = (2 * 2 / 5 + 2 / 3) / 2  # of class 1: two right, one called too much; of class 3: one right, one missed
    assert found.loc["a"].tolist() == [4, round(f1, 3), 0.75]
    assert found.loc["b"].tolist() == [1, 0, 0]


def test_words_say_where_a_model_learnt() -> None:
    assert origins.describe("FCN", params.FCN(study="s")) == "FCN"
    assert origins.describe("FCN", away()) == "FCN, trained in there/net"
    assert origins.describe("FCN", params.FCN(study="s", samples=["a", "b"])) == "FCN, trained on a, b"
