"""Parameters of 05: wrong values are named with what was found."""

from typing import Any

import pytest

from lulc_kit import params
from lulc_kit.errors import ParameterError
from tests.params.refused import refused


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("folds", 1, "found 1"),
        ("folds", None, "folds: null is for split: groups"),
        ("split", "groups", "set group_field"),
        ("split", "squares", "'blocks', 'polygons', 'groups', 'knndm' or 'random'"),
        ("per_class", {"Forest": 5}, "found 5"),
        ("scheme", "corine", "'corine' is unknown; known: workflow"),
        ("classes", {"Moor": ["bog"]}, "'Moor' is not in scheme 'workflow': Build-up"),
        ("classes", {"Forest": [2.5]}, "found 2.5; a value is text or a whole number; write the range [2.5, 2.5]"),
        ("homogeneous", 4, "4 × 4 pixels have no middle"),
    ],
)
def test_wrong_values_are_named_with_what_was_found(name: str, value: Any, says: str) -> None:
    assert says in refused(params.Samples, name, value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"split": "polygons", "rare": "smaller_blocks"}, "rare: smaller_blocks is for split: blocks"),
        ({"per_class": {"Forest": 50}, "allocation": "sqrt"}, "allocation must be balanced"),
        ({"further_split": "groups"}, "further_split: groups needs what names the groups"),
        ({"labels": "a.csv", "table_class": "c", "split": "knndm"}, "no map, which validation and split: knndm need"),
    ],
)
def test_what_does_not_fit_together_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        params.Samples.check(values, "here")


def test_whole_numbers_with_a_point_are_whole_numbers() -> None:
    found = params.Samples.check({"classes": {"Forest": [1.0, [1.5, 2.5], "oak"]}}, "here").classes
    assert repr(found) == "{'Forest': [1, [1.5, 2.5], 'oak']}"
