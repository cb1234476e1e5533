"""Services that are busy, refuse, or answer with something else: a real server on this computer."""

import email.utils
import time
from collections.abc import Sequence
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from lulc_kit.download import web
from lulc_kit.errors import LulcError


def serve(httpserver: HTTPServer, answers: Sequence[Response]) -> str:
    """Let the server give these answers in turn, the last for ever; return its address."""
    left = list(answers)
    httpserver.expect_request("/x").respond_with_handler(lambda request: left.pop(0) if len(left) > 1 else left[0])
    return httpserver.url_for("/x")


def ask(address: str) -> Any:
    with web.client() as client:
        return web.ask("The service", lambda: client.get(address), web.decode)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "fault",
    [
        Response("wait", 429, {"Retry-After": "1"}),
        Response("too much", 504),
        Response("<html>maintenance</html>", 200),
        Response('{"half": [1, 2', 200),
    ],
    ids=["429", "504", "html with status 200", "half an answer"],
)
def test_who_is_busy_is_asked_again(httpserver: HTTPServer, fault: Response) -> None:
    assert ask(serve(httpserver, [fault, fault, Response('{"good": 1}')])) == {"good": 1}
    assert len(httpserver.log) == 3


@pytest.mark.usefixtures("impatient")
def test_who_stays_busy_is_given_up_in_words(httpserver: HTTPServer) -> None:
    with pytest.raises(LulcError, match=r"The service gives no answer, asked several times \(status 503\)"):
        ask(serve(httpserver, [Response("no", 503)]))
    assert len(httpserver.log) == 6


@pytest.mark.usefixtures("impatient")
def test_who_refuses_is_not_asked_again_and_no_key_is_shown(httpserver: HTTPServer) -> None:
    address = serve(httpserver, [Response("this key is unknown", 403)])
    with pytest.raises(LulcError, match="refuses: status 403, 'this key is unknown'") as raised:
        ask(f"{address}?key=geheim")
    assert len(httpserver.log) == 1
    assert "geheim" not in str(raised.value)


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_not_there() -> None:
    with pytest.raises(LulcError, match="The service gives no answer"):
        ask("http://127.0.0.1:9/")


def test_a_server_that_asks_for_an_hour_is_not_waited_for(httpserver: HTTPServer) -> None:
    with pytest.raises(LulcError, match="429"):
        ask(serve(httpserver, [Response("", 429, {"Retry-After": "3600"})]))
    assert len(httpserver.log) == 1


def test_waits_are_those_the_server_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    date = email.utils.formatdate(time.time() + 50, usegmt=True)
    for said, wait in (("7", 7.0), (date, 50.0), ("", None), ("soon", None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)):
        found = web.retry_after({"Retry-After": said})
        assert found == (wait if wait is None else pytest.approx(wait, abs=2))
