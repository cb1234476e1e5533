"""Parameters of 02: wrong values are named with what was found."""

from typing import Any

import pytest

from lulc_kit import params
from tests.params.refused import refused


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("bbox", [0.0, 0.0, 1.0], "[0.0, 0.0, 1.0]"),
        ("min_clear", 1.01, "1.01"),
        ("mask_buffer", float("inf"), "found inf"),
        ("bbox", [0.0, 0.0, 1.0, float("nan")], "found nan"),
        ("dates", ["2022-06-30", "2021-07-01"], "dates ends before it begins"),
        ("composite_dates", ["2022-06-30", "2022-06-29"], "composite_dates ends before"),
        ("dates", ["2023-02-30", "2023-03-01"], "'2023-02-30' is not a date"),
        ("scl_exclude", [12], "found 12"),
    ],
)
def test_wrong_values_are_named_with_what_was_found(name: str, value: Any, says: str) -> None:
    assert says in refused(params.Preprocess, name, value)
