"""Parameters of 08: wrong values are named with what was found."""

from typing import Any

import pytest

from lulc_kit import params
from tests.params.refused import refused


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("length", 1, "found 1"),
        ("sequences", "all", "'all'"),
        ("network", "lstm", "'lstm'"),
    ],
)
def test_wrong_values_are_named_with_what_was_found(name: str, value: Any, says: str) -> None:
    assert says in refused(params.LSTM, name, value)


def test_only_the_lstm_starts_from_an_fcn() -> None:
    found = {name: params.LSTM(network=name).starts_from_fcn for name in ("fcn_lstm", "tempcnn", "ltae", "utae")}
    assert found == {"fcn_lstm": True, "tempcnn": False, "ltae": False, "utae": False}
