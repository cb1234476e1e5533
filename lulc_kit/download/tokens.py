"""Logging in to the Copernicus Data Space: tokens that are renewed, and keys of its object store for a while.

Written from the service's documentation as of 2026-11 (realm CDSE, client cdse-public; at most 100 sessions).
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx

from lulc_kit import progress
from lulc_kit.download import secrets, web
from lulc_kit.errors import LulcError

if TYPE_CHECKING:
    from obstore.store import S3Store

IDENTITY = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect"
KEYS = "https://s3-keys-manager.cloudferro.com/api/user"
STORE = "https://eodata.dataspace.copernicus.eu"
MARGIN = 60.0
"""A token is renewed so long before it ends, seconds, or at half its life if that is shorter."""
WARM_UP = 60.0
"""Keys that the object store does not know after so long are given up, seconds."""

_WHO = "The login of the Copernicus Data Space"


def identity() -> str:
    """Return where one logs in; the variable ``LULC_CDSE_IDENTITY`` replaces it."""
    return web.address("CDSE_IDENTITY", IDENTITY)


class Session:
    """One login: the password is sent once, then the token is renewed for as long as it is needed.

    A second factor (``LULC_CDSE_TOTP``, or asked for where there is a terminal or a notebook) is used once.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._access, self._refresh = "", ""
        self._renew_at = self._ends = 0.0
        self._client = web.client()

    def token(self) -> str:
        """Return a token that is good now.

        Raises
        ------
        LulcError
            If the login is refused.
        """
        with self._lock:
            if time.monotonic() >= self._renew_at:
                self.renew()
            return self._access

    def renew(self, failed: str | None = None) -> None:
        """Get a new token, by the old login if that still holds; not if another thread did since one ``failed``."""
        with self._lock:
            if failed is not None and failed != self._access:
                return None
            if self._refresh and time.monotonic() < self._ends:
                with contextlib.suppress(LulcError):  # ended early: log in anew
                    return self._ask({"grant_type": "refresh_token", "refresh_token": self._refresh})
            self._refresh = ""
            asked = {
                "grant_type": "password",
                "username": secrets.secret("cdse", "user"),
                "password": secrets.secret("cdse", "password"),
            }
            self._ask(asked | _second_factor())

    def end(self) -> None:
        """Log out: an account has room for 100 logins."""
        if self._refresh:
            with contextlib.suppress(httpx.HTTPError):
                self._client.post(
                    f"{identity()}/logout", data={"client_id": "cdse-public", "refresh_token": self._refresh}
                )
            self._refresh = ""
        self._client.close()

    def _ask(self, asked: dict[str, str]) -> None:
        def request() -> httpx.Response:
            answer = self._client.post(f"{identity()}/token", data={"client_id": "cdse-public", **asked})
            if answer.status_code in (400, 401):
                raise LulcError(
                    f"{_WHO} refuses user name and password ({_reason(answer)}). Check LULC_CDSE_USER and "
                    f"LULC_CDSE_PASSWORD (or netrc, or the keyring); an account with a second factor needs its six "
                    f"digits in LULC_CDSE_TOTP, which are good for half a minute."
                )
            return answer

        said = web.ask(_WHO, request, web.decode)
        if not isinstance(said, dict) or not isinstance(said.get("access_token"), str):
            raise LulcError(f"{_WHO} answered without a token. Try again later.")
        self._access, self._refresh = said["access_token"], str(said.get("refresh_token") or "")
        secrets.guard(self._access, self._refresh)
        life, now = float(said.get("expires_in", 600)), time.monotonic()
        self._renew_at = now + max(life - MARGIN, life / 2)
        self._ends = now + float(said.get("refresh_expires_in") or life)


@contextlib.contextmanager
def session() -> Iterator[Session]:
    """Give a login that ends with the block, however that ends."""
    found = Session()
    try:
        yield found
    finally:
        found.end()


@contextlib.contextmanager
def store(login: Session | None) -> Iterator[S3Store]:
    """Give the object store, with the user's own keys, or with keys that are made now and deleted at the end.

    Parameters
    ----------
    login
        Makes the keys; None for the user's own (``LULC_CDSE_S3_KEY``, ``LULC_CDSE_S3_SECRET``).

    Raises
    ------
    LulcError
        If there are no keys, or the store does not know them after a minute.
    """
    if login is None:
        yield _store(secrets.secret("cdse", "s3_key"), secrets.secret("cdse", "s3_secret"))
        return
    root = web.address("CDSE_KEYS", KEYS)
    with web.client(secret={"Authorization": f"Bearer {login.token()}"}) as client:
        said = web.ask("The maker of S3 keys", lambda: client.post(f"{root}/credentials"), web.decode)
    key, word = str(said["access_id"]), str(said["secret"])
    secrets.guard(key, word)
    try:
        made = _store(key, word)
        _wait_until_known(made)
        yield made
    finally:
        with (
            contextlib.suppress(httpx.HTTPError, LulcError),
            web.client(secret={"Authorization": f"Bearer {login.token()}"}) as client,
        ):
            client.delete(f"{root}/credentials/access_id/{key}")


def _store(key: str, word: str) -> S3Store:
    from obstore.store import S3Store

    endpoint = web.address("CDSE_S3", STORE)
    options: Any = {"connect_timeout": "20s", "timeout": "3600s", "allow_http": endpoint.startswith("http://")}
    return S3Store(
        "eodata",
        endpoint=endpoint,
        region="default",
        access_key_id=key,
        secret_access_key=word,
        virtual_hosted_style_request=False,
        client_options=options,
        retry_config={"max_retries": 0},  # whoever asks tries again, and counts
    )


def _wait_until_known(made: S3Store) -> None:
    """Wait until new keys work, which takes some seconds."""
    import obstore
    import obstore.exceptions as said
    import stamina

    refused = (said.PermissionDeniedError, said.UnauthenticatedError, said.GenericError, PermissionError)
    try:
        for attempt in stamina.retry_context(
            on=refused, attempts=None, timeout=WARM_UP, wait_initial=1, wait_max=5, wait_jitter=0
        ):
            with attempt:
                obstore.list_with_delimiter(made, "Sentinel-2/")
    except refused as error:
        raise LulcError(
            f"The object store of the Copernicus Data Space does not know the keys that it made a minute ago "
            f"({secrets.hide(str(error))[:120]}). Try again, or set fetch: files in 01_download.yaml."
        ) from None


_digits: list[str] = []  # of the second factor, which are taken once


def _second_factor() -> dict[str, str]:
    given = os.environ.get("LULC_CDSE_TOTP", "")
    if given == "ask" and (sys.stdin.isatty() or progress.has_reader()):
        import getpass

        given = getpass.getpass("Six digits of the second factor: ")
    if not given or given == "ask" or given in _digits:
        return {}
    _digits.append(given)
    secrets.guard(given)
    return {"totp": given}


def _reason(answer: httpx.Response) -> str:
    try:
        return secrets.hide(str(answer.json().get("error_description", "no reason given")))[:100]
    except (ValueError, AttributeError):
        return f"status {answer.status_code}"
