"""Small pictures from a stand-in; one that cannot be had is passed over."""

import io

import numpy as np
import pytest
from PIL import Image
from pytest_httpserver import HTTPServer
from werkzeug import Response

from lulc_kit.download import quicklooks


@pytest.fixture
def shown(httpserver: HTTPServer) -> dict[str, str]:
    red = io.BytesIO()
    Image.new("RGB", (600, 300), (200, 10, 10)).save(red, "png")
    httpserver.expect_request("/a.png").respond_with_data(red.getvalue(), content_type="image/png")
    httpserver.expect_request("/page").respond_with_data("<html>no</html>")
    httpserver.expect_request("/gone").respond_with_response(Response("", 404))
    return {name: httpserver.url_for(f"/{name}") for name in ("a.png", "page", "gone")}


def test_pictures_come_small_and_what_is_none_is_passed_over(shown: dict[str, str]) -> None:
    found = quicklooks.fetch(shown)
    assert found is not None
    assert list(found) == ["a.png"]
    assert found["a.png"].shape == (172, 343, 3)
    assert np.unique(found["a.png"][..., 0]).tolist() == [200]


def test_none_are_none(shown: dict[str, str]) -> None:
    assert quicklooks.fetch({}) is None
    assert quicklooks.fetch({"x": shown["gone"]}) is None


def test_of_many_a_few_are_shown_from_first_to_last(shown: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quicklooks, "MOST", 3)
    found = quicklooks.fetch({str(k): shown["a.png"] for k in range(9)})
    assert found is not None
    assert list(found) == ["0", "4", "8"]
