"""The stand-ins for the STAC services and the Copernicus Data Space, and for patience."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
from pytest_httpserver import HTTPServer

from tests.services.cdse import Server
from tests.services.stac import KEYS, Stac


@pytest.fixture
def stac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stac]:
    """A server that all three services lead to."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "localhost,127.0.0.1")
    with HTTPServer(threaded=True) as server:
        found = Stac(server, tmp_path / "served")
        for service in (*KEYS, "eopf"):
            monkeypatch.setenv(f"LULC_STAC_{service}".replace("-", "_").upper(), found.url)
        yield found


@pytest.fixture
def data_space(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that the addresses of the Copernicus Data Space lead to."""
    with Server() as found:
        for name, value in found.environment().items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture
def impatient() -> Iterator[None]:
    """Ask as often as ever, without a pause."""
    with stamina.set_testing(True, attempts=6):
        yield
