"""Parameters of 04: wrong values are named with what was found."""

from typing import Any

import pytest

from lulc_kit import params
from lulc_kit.errors import LulcError
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


def test_nothing_is_fitted_in_the_study_itself() -> None:
    with pytest.raises(LulcError, match="fitted_in is this study itself, s: write null"):
        params.Features.check({"study": "s", "fitted_in": "s"}, "04_features.yaml")
