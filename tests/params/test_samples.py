"""Parameters of 05: wrong values are named with what was found."""

from typing import Any

import pytest

from lulc_kit import params
from tests.params.refused import refused


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("folds", 1, "found 1"),
        ("scheme", "corine", "'corine' is unknown; known: workflow"),
        ("classes", {"Moor": ["bog"]}, "'Moor' is not in scheme 'workflow': Build-up"),
        ("homogeneous", 4, "4 × 4 pixels have no middle"),
    ],
)
def test_wrong_values_are_named_with_what_was_found(name: str, value: Any, says: str) -> None:
    assert says in refused(params.Samples, name, value)
