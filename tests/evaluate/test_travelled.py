"""What travelling costs, on matrices made by hand."""

import numpy as np
import pytest

from lulc_kit import classes
from lulc_kit.evaluate import accuracy, travelled

SCHEME = classes.scheme("forest")


def judged(right: list[int], seed: int = 1) -> accuracy.Accuracy:
    """Return the accuracy of blocks in which so many of ten pixels of each class are right."""
    matrices = np.array([[[n, 10 - n], [10 - n, n]] for n in right])
    return accuracy.assess(matrices, SCHEME, confidence=0.95, resamples=500, seed=seed)


RUNS = {"rf": judged([9, 8, 9, 8, 9]), "knn": judged([7, 7, 7, 7, 7]), "away": judged([6, 5, 6, 5, 6])}
ABOUT = {"rf": {"origin": []}, "knn": {}, "away": {"origin": "far/rf"}}


def test_the_cost_is_the_difference_to_the_best_run_trained_here() -> None:
    (row,) = travelled.costs(RUNS, ABOUT, "near", 0.95).to_dict("records")
    assert (row["run"], row["trained in"], row["here"]) == ("away", "far/rf", "rf")
    assert row["macro_f1"] == pytest.approx(0.56) and row["cost"] == pytest.approx(0.86 - 0.56)
    assert row["low"] == pytest.approx(0.3) == row["high"]  # every block loses three of ten
    assert "travelling costs 0.300 (0.300 to 0.300)" in travelled.sentence(row)


def test_a_model_that_gains_by_travelling_costs_less_than_nothing() -> None:
    runs = {"rf": RUNS["knn"], "away": RUNS["rf"]}
    (row,) = travelled.costs(runs, ABOUT, "near", 0.95).to_dict("records")
    assert row["cost"] == pytest.approx(-0.16) and row["low"] <= row["cost"] <= row["high"] < 0


def test_what_cannot_be_told_apart_is_said() -> None:
    runs = {"rf": judged([8, 6, 8, 6]), "away": judged([6, 8, 6, 8])}
    (row,) = travelled.costs(runs, ABOUT, "near", 0.95).to_dict("records")
    assert row["low"] < 0 < row["high"]
    assert "cannot tell from nothing" in travelled.sentence(row)


def test_several_studies_are_those_but_this_one() -> None:
    about = {"both": {"origin": ["near", "far"]}}
    (row,) = travelled.costs({"both": RUNS["away"]}, about, "near", 0.95).to_dict("records")
    assert (row["trained in"], row["here"], row["cost"]) == ("far", None, None)
    assert "Nothing was trained here" in travelled.sentence(row)


def test_another_time_of_the_same_place_is_said_to_flatter() -> None:
    about = {"away": {"origin": "then/rf", "same_place": ["then"]}}
    (row,) = travelled.costs({"away": RUNS["away"]}, about, "now", 0.95).to_dict("records")
    said = travelled.sentence(row)
    assert "on this very ground at another time" in said and "flatters" in said and "seen no label" not in said


def test_studies_without_travellers_have_no_row() -> None:
    assert travelled.costs({"rf": RUNS["rf"]}, ABOUT, "near", 0.95).empty
