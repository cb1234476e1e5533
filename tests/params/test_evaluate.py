"""Parameters of 09: wrong values are named with what was found."""

from typing import Any

import pytest

from lulc_kit import params
from lulc_kit.errors import ParameterError
from tests.params.refused import refused


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("confidence", 1.0, "1.0"),
        ("change_points", 50, "name the earlier map (compare_with)"),
        ("interpreted", "a.gpkg", "without interpreted_date"),
        ("change_dates", ["2015"], "change_dates"),
        ("change_dates", ["2015", "last summer"], "last summer"),
        ("smooth", {"runs": []}, "smooth.runs"),
    ],
)
def test_wrong_values_are_named_with_what_was_found(name: str, value: Any, says: str) -> None:
    assert says in refused(params.Evaluate, name, value)


def test_points_of_change_need_the_dates_of_both_images() -> None:
    given = {"compare_with": "s/rf", "change_interpreted": "a.gpkg"}
    with pytest.raises(ParameterError, match="change_interpreted is given without change_dates"):
        params.Evaluate.check(given, "here")
    assert params.Evaluate.check(given | {"change_dates": ["2015", "2021-06-15"]}, "here").change_points == 0
