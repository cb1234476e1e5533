"""What is said about a value that a parameter cannot have."""

from typing import Any

import pytest

from lulc_kit import params
from lulc_kit.errors import ParameterError


def refused(model: type[params.Parameters], name: str, value: Any) -> str:
    """Give a parameter a value; return the message, which names the parameter."""
    with pytest.raises(ParameterError) as caught:
        model.check({name: value}, "here")
    assert name in str(caught.value)
    return str(caught.value)
