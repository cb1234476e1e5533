"""Parameters of 04: wrong values are named with what was found."""

from typing import Any

import pytest

from lulc_kit import params
from tests.params.refused import refused


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("bands", [], "found []"),
        ("texture_window", 4, "must be odd, found 4"),
        ("components", 50, "there are"),
    ],
)
def test_wrong_values_are_named_with_what_was_found(name: str, value: Any, says: str) -> None:
    assert says in refused(params.Features, name, value)
