"""Parameters of 07: wrong values are named with what was found."""

from typing import Any

import pytest

from lulc_kit import params
from tests.params.refused import refused


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("patch", 20, "found 20"),
        ("filters", [1, 2, 3, 4], "filters"),
        ("network", "cnn", "'cnn'"),
    ],
)
def test_wrong_values_are_named_with_what_was_found(name: str, value: Any, says: str) -> None:
    assert says in refused(params.FCN, name, value)
