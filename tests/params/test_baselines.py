"""Parameters of 06: wrong values are named with what was found."""

from typing import Any

import pytest

from lulc_kit import params
from tests.params.refused import refused


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("trees", "100", "'100'"),
        ("trees", 10.5, "10.5"),
        ("trees", 0, "found 0"),
        ("trees", True, "True"),
        ("model", "svm", "'svm'"),
    ],
)
def test_wrong_values_are_named_with_what_was_found(name: str, value: Any, says: str) -> None:
    assert says in refused(params.Baselines, name, value)
