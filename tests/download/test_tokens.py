"""One login, renewed and ended; keys that are made, waited for and deleted."""

import time
from collections.abc import Iterator

import obstore
import pytest
import stamina

from lulc_kit.download import secrets, tokens
from lulc_kit.errors import LulcError
from tests.services.cdse import DIGITS, Server


@pytest.fixture
def server(data_space: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(tokens, "_digits", [])
    with stamina.set_testing(True, attempts=5):
        yield data_space


def test_the_password_is_sent_once_and_the_token_renewed_before_it_ends(server: Server) -> None:
    server.expires_in = 0.2  # renewed at half its life
    with tokens.session() as login:
        first = login.token()
        assert login.token() == first
        time.sleep(0.12)
        assert login.token() != first
        assert server.logins == ["password", "refresh_token"]
        assert len(server.sessions) == 1
    assert server.sessions == set()


def test_a_login_that_ended_early_is_begun_anew(server: Server) -> None:
    with tokens.session() as login:
        login.token()
        server.sessions.clear()
        login.renew()
        assert server.logins == ["password", "refresh_token", "password"]


def test_a_second_factor_is_taken_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.totp = True
    with tokens.session() as login:
        with pytest.raises(LulcError, match="LULC_CDSE_TOTP"):
            login.token()
        monkeypatch.setenv("LULC_CDSE_TOTP", DIGITS)
        login.token()
        login.renew()
    assert server.logins == ["password", "password", "refresh_token"]


def test_nothing_of_it_is_shown(server: Server) -> None:
    with tokens.session() as login:
        token = login.token()
        assert "marked" not in secrets.hide(
            f"Bearer {token} marked-refresh-1 {server.environment()['LULC_CDSE_PASSWORD']}"
        )


def test_keys_are_waited_for_and_deleted_whatever_happens(server: Server) -> None:
    server.keys_refused = 3
    with tokens.session() as login:
        with pytest.raises(RuntimeError), tokens.store(login) as store:
            assert server.keys == {"marked-key-1"}
            obstore.list_with_delimiter(store)
            raise RuntimeError
        assert server.keys == set()


def test_keys_that_never_work(server: Server) -> None:
    server.keys_refused = 100
    with (
        tokens.session() as login,
        pytest.raises(LulcError, match="does not know the keys") as caught,
        tokens.store(login),
    ):
        pass
    assert "marked" not in str(caught.value)
    assert server.keys == set()


def test_a_token_that_two_found_ended_is_renewed_once(server: Server) -> None:
    with tokens.session() as login:
        ended = login.token()
        login.renew(ended)
        login.renew(ended)
        assert server.logins == ["password", "refresh_token"]
