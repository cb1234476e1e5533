"""Parameters of 03: wrong values are named with what was found."""

from typing import Any

import pytest

from lulc_kit import params
from tests.params.refused import refused


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("composites", [["B4", "B3"]], "['B4', 'B3']"),
        ("stretch", [-1.0, 98.0], "found -1.0"),
    ],
)
def test_wrong_values_are_named_with_what_was_found(name: str, value: Any, says: str) -> None:
    assert says in refused(params.Visualize, name, value)
