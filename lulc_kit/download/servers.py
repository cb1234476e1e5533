"""What sends files: servers of the web, to some of which a token is shown, and object stores.

Files come by requests, and not by httpx as questions do (`web`): bytes go from the socket to the file as they come,
and httpx takes them through a state machine in Python, 64 KB at a time, for half as much processor time again as curl.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from lulc_kit.download import secrets, web
from lulc_kit.errors import LulcError, MissingFileError

if TYPE_CHECKING:
    from obstore.store import S3Store

CONNECTIONS = 4
"""So many files are on their way at once; more is against the rules of the Copernicus Data Space."""
REQUESTS = 2000
"""So often the object store is asked in a minute at most, which is its rule, too."""
CDSE_HOSTS = ("https://dataspace.copernicus.eu", "https://*.dataspace.copernicus.eu")
"""Where a token of the Copernicus Data Space may go."""

PIECE = 1 << 18
"""Bytes read and written at once, at most."""

_REDIRECTS = 10
_RENEWALS = 3  # others may renew it, too, so that one more may have ended meanwhile


@dataclass(frozen=True)
class Answer:
    """What a source sends: from which byte on, of how many, of which version (None: unknown), and the bytes."""

    start: int
    total: int | None
    version: str | None
    pieces: Iterator[bytes]


Open = Callable[[str, int, str | None], contextlib.AbstractContextManager[Answer]]
"""Asks a source for an address from a byte on, of the version that one has a part of."""


class Cut(Exception):
    """The connection failed, or the bytes ended too early; going on is worth a try."""


class Changed(Exception):
    """What is there cannot be gone on with; it is begun anew."""


@dataclass(frozen=True)
class Bearer:
    """A token, and the hosts that may see it.

    Attributes
    ----------
    token
        Returns one that is good now.
    renew
        Is called with a token that a server calls no good.
    hosts
        Patterns such as ``"https://*.dataspace.copernicus.eu"``.
    """

    token: Callable[[], str]
    renew: Callable[[str], None] = lambda _: None
    hosts: Sequence[str] = CDSE_HOSTS

    def headers(self, url: str) -> dict[str, str]:
        """Return the header that carries the token, if this address may see it."""
        try:
            parts = urllib3.util.parse_url(url)  # as requests reads it: parsers differ about who is the host
        except urllib3.exceptions.LocationParseError:
            return {}
        there = f"{parts.scheme}://{parts.host}"
        may = any(fnmatchcase(there, host) for host in self.hosts)
        return {"Authorization": f"Bearer {self.token()}"} if may else {}


class Web:
    """Files on the web.

    Parameters
    ----------
    bearer
        The token; None for servers that want none.
    silence
        A server that says nothing for so long is left, seconds.
    """

    def __init__(self, bearer: Bearer | None = None, silence: float = 60.0) -> None:
        self.bearer, self.silence = bearer, silence
        self.session = requests.Session()
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS, pool_block=True))
        self.session.headers.update({"User-Agent": web.AGENT, "Accept-Encoding": "identity"})

    @contextlib.contextmanager
    def open(self, address: str, start: int, version: str | None) -> Iterator[Answer]:
        """Ask for a file; see `Open`."""
        ranged = {"Range": f"bytes={start}-"} if start else {}
        if start and version and version.startswith('"'):
            ranged["If-Range"] = version
        response = self.send(address, ranged)
        try:
            if response.status_code == 416:
                raise Changed
            sent = _content_range(response) if response.status_code == 206 else (0, _length(response))
            kind = response.headers.get("Content-Type", "").partition(";")[0]
            if kind == "text/html" and not address.endswith((".html", ".htm")) and ".html" not in address:
                raise web.Busy("a web page instead of the file")
            yield Answer(*sent, _version(response, sent[1]), self._pieces(response))
        finally:
            response.close()

    def send(self, address: str, headers: Mapping[str, str]) -> requests.Response:
        """Ask, following redirects by the token's rule; the body is still to be read, and the answer to be closed."""
        url, renewed = address, 0
        for _ in range(_REDIRECTS):
            own = self.bearer.headers(url) if self.bearer else {}
            response = self._get(url, {**headers, **own})
            if response.next is not None:
                url = str(response.next.url)
                response.close()
            elif response.status_code == 401 and own and renewed < _RENEWALS and self.bearer:
                response.close()
                self.bearer.renew(own["Authorization"].removeprefix("Bearer "))
                url, renewed = address, renewed + 1
            elif 200 <= response.status_code < 300 or response.status_code == 416:
                return response
            else:
                raise _refused(response, secrets.hide(url))
        raise LulcError(f"{secrets.hide(address)} leads from one address to the next without end. Try again later.")

    def _get(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        try:
            return self.session.get(
                url,
                headers=headers,
                auth=lambda request: request,  # else it would take a login from netrc, in the token's place
                stream=True,
                allow_redirects=False,
                timeout=(min(20.0, self.silence), self.silence),
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise Cut(_said(error)) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise LulcError(
                f"{secrets.hide(url)[:200]} is no address to fetch from ({type(error).__name__}). Search again."
            ) from None

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        try:
            # As it comes: what is gathered would be lost with the connection.
            while piece := response.raw.read1(PIECE, decode_content=False):
                if self.bearer:
                    self.bearer.token()  # renewed before it ends, also while one file takes longer than it lives
                yield piece
        except urllib3.exceptions.HTTPError as error:
            raise Cut(_said(error)) from None


class Bucket:
    """Files in an object store, which is asked at most `REQUESTS` times a minute: one question for each `open`."""

    def __init__(self, store: S3Store) -> None:
        self.store = store
        self._lock, self._next = threading.Lock(), 0.0

    @contextlib.contextmanager
    def open(self, address: str, start: int, version: str | None) -> Iterator[Answer]:
        """Ask for a file; see `Open`."""
        import obstore
        import obstore.exceptions as said

        with self._lock:
            time.sleep(max(0.0, self._next - time.monotonic()))
            self._next = time.monotonic() + 60 / REQUESTS
        options: Any = {"range": {"offset": start}} if start else {}
        if start and version:
            options["if_match"] = version
        try:
            found = obstore.get(self.store, address, options=options)
            yield Answer(found.range[0], found.meta["size"], found.meta["e_tag"], map(bytes, found.stream(PIECE)))
        except (said.PreconditionError, said.NotModifiedError):
            raise Changed from None
        except (said.NotFoundError, FileNotFoundError):
            raise MissingFileError(
                f"{address} is not in the object store; the product may have been deleted."
            ) from None
        except (said.PermissionDeniedError, said.UnauthenticatedError, PermissionError):
            raise LulcError(
                f"The object store refuses to give {address}: check the S3 keys (lulc_kit.download.secrets)."
            ) from None
        except (said.BaseError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of the disk on this side
            raise Cut(secrets.hide(str(error))[:200]) from None


def _refused(response: requests.Response, where: str) -> Exception:
    said = ""
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        said = response.raw.read(2000, decode_content=True).decode("utf-8", "replace")
    response.close()
    status = response.status_code
    if status in web.BUSY:
        return web.Busy(f"status {status}", web.retry_after(response.headers))
    said = secrets.hide(" ".join(said[:200].split()))
    kind = MissingFileError if status in (404, 410) else LulcError
    return kind(f"{where} is refused: status {status}, {said!r}. Check the name, and whether your account may have it.")


def _said(error: Exception) -> str:
    """Return what a connection's error says, without the address, which may be signed."""
    inner = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    reason = inner.reason if isinstance(inner, urllib3.exceptions.MaxRetryError) else inner
    return f"{type(reason).__name__}: {reason}"[:200]


def _content_range(response: requests.Response) -> tuple[int, int | None]:
    try:
        span, _, total = response.headers["Content-Range"].removeprefix("bytes ").partition("/")
        return int(span.partition("-")[0]), None if total == "*" else int(total)
    except (KeyError, ValueError):
        raise Changed from None


def _length(response: requests.Response) -> int | None:
    said = response.headers.get("Content-Length", "")
    return int(said) if said.isdecimal() else None


def _version(response: requests.Response, total: int | None) -> str | None:
    """Return a strong ETag, or else length and date; only with one of these a file can be resumed."""
    tag, date = response.headers.get("ETag", ""), response.headers.get("Last-Modified")
    if tag.startswith('"'):
        return str(tag)
    return f"{total} {date}" if total is not None and date else None
