"""Variables of the environment are as before, whatever happens meanwhile."""

import os

import pytest

from lulc_kit import environment


def test_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "somebody's notebook")
    before = dict(os.environ)
    with environment.change({"JPY_SESSION_NAME": None, "LULC_TEST": "1"}):
        assert "JPY_SESSION_NAME" not in os.environ
        assert os.environ["LULC_TEST"] == "1"
    assert dict(os.environ) == before


def test_environment_is_as_before_also_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LULC_TEST", raising=False)
    with pytest.raises(KeyError), environment.change({"LULC_TEST": "1"}):
        raise KeyError
    assert "LULC_TEST" not in os.environ
