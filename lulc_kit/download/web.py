"""Asking services on the web: again while they are busy, and in words that help when they stay so."""

import email.utils
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx
import stamina

from lulc_kit.download import secrets
from lulc_kit.errors import LulcError

T = TypeVar("T")

BUSY = (408, 425, 429, 500, 502, 503, 504)
"""Answers after which it is worth asking again."""
LONGEST = 300.0
"""Who asks to wait longer than this is not waited for, seconds."""
AGENT = "lulc_kit"
GDAL = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MAX_RETRY": "6",  # of 429 and of 5xx, after ever longer pauses
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_LOW_SPEED_TIME": "60",  # a transfer that stalls so long, seconds, ends
    "GDAL_HTTP_LOW_SPEED_LIMIT": "100",
    # What a server answered once (404) is asked again, and not remembered for as long as the notebook is open.
    "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/http://:/vsicurl/https://:/vsis3/",
}
"""How GDAL reads files over the network: patiently, and without looking for what lies beside them."""


class Busy(Exception):
    """A service that cannot answer now; ``wait`` is how long it asks to wait, seconds, or None."""

    def __init__(self, said: str, wait: float | None = None) -> None:
        super().__init__(said)
        self.wait = wait


def address(name: str, usual: str) -> str:
    """Return where a service is; the variable ``LULC_<NAME>`` replaces it, for a mirror or a test."""
    return os.environ.get(f"LULC_{name}") or usual


def client(patience: float = 60.0, secret: Mapping[str, str] | None = None) -> httpx.Client:
    """Return a client that says who asks and gives up on a server that is silent for so many seconds.

    It follows redirects, unless it sends a secret header: that is for one server alone.
    """
    return httpx.Client(
        headers={"User-Agent": AGENT, **(secret or {})},
        timeout=httpx.Timeout(patience, connect=20.0),
        follow_redirects=not secret,
    )


def ask(what: str, request: Callable[[], httpx.Response], read: Callable[[httpx.Response], T]) -> T:
    """Ask a service, up to six times while it is busy, and read its answer.

    Parameters
    ----------
    what
        Who is asked, for messages; no address, for it may hold a key.
    request
        Sends the question.
    read
        Reads an answer whose status is good. It raises `Busy` where the body says otherwise: an error page, an
        overloaded server, half an answer.

    Raises
    ------
    LulcError
        If the service refuses, stays busy, or cannot be reached.
    """

    def once() -> T:
        response = request()
        if response.status_code in BUSY:
            raise Busy(f"status {response.status_code}", retry_after(response.headers))
        if response.is_error or response.has_redirect_location:
            raise LulcError(f"{what} refuses: status {response.status_code}, {_words(response)!r}.")
        return read(response)

    try:
        for attempt in stamina.retry_context(
            on=again, attempts=6, timeout=900, wait_initial=2, wait_max=60, wait_jitter=2
        ):
            with attempt:
                return once()
    except (Busy, httpx.TransportError) as error:
        said = secrets.hide(str(error)) or type(error).__name__
        raise LulcError(
            f"{what} gives no answer, asked several times ({said}). Try again later; a run goes on where it stopped."
        ) from None
    raise AssertionError("stamina returns or raises")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how long a server asks to wait (``Retry-After`` in seconds, or a date), seconds; None if it does not."""
    said = headers.get("Retry-After", "")
    if said.strip().isdecimal():
        return float(said)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return None


def decode(response: httpx.Response) -> Any:
    """Return an answer that should be JSON; `Busy` if it is not: a proxy's error page with status 200, half of it."""
    try:
        return response.json()
    except ValueError:
        raise Busy(f"no JSON but {_words(response)!r}") from None


def again(error: Exception) -> bool | float:
    """Whether it is worth asking again after an error, or how long to wait first, seconds."""
    if isinstance(error, Busy):
        return True if error.wait is None else error.wait <= LONGEST and max(error.wait, 0.1)
    return isinstance(error, httpx.TransportError)


def _words(response: httpx.Response) -> str:
    return secrets.hide(" ".join(response.text[:200].split()))
