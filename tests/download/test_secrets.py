"""Secrets are found in three places, and never shown."""

from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from lulc_kit.download import secrets
from lulc_kit.errors import LulcError


class Ring(KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture(autouse=True)
def ring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ring:
    found, before = Ring(), keyring.get_keyring()
    keyring.set_keyring(found)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(secrets, "_used", set())
    yield found
    keyring.set_keyring(before)


def test_the_environment_goes_before_netrc_and_netrc_before_the_keyring(
    ring: Ring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ring.set_password("lulc_kit:cdse", "s3_secret", "from the ring")
    assert secrets.secret("cdse", "s3_secret") == "from the ring"
    (tmp_path / "netrc").write_text("machine eodata.dataspace.copernicus.eu login me password from_netrc\n")
    assert secrets.secret("cdse", "s3_key") == "me"
    assert secrets.secret("cdse", "s3_secret") == "from_netrc"
    monkeypatch.setenv("LULC_CDSE_S3_SECRET", "from the environment")
    assert secrets.secret("cdse", "s3_secret") == "from the environment"


def test_none_is_none_and_an_error_says_where_to_put_it() -> None:
    assert secrets.find("planetary-computer", "key") is None
    says = r"cdse needs its password.*LULC_CDSE_PASSWORD.*machine identity.*keyring set lulc_kit:cdse password"
    with pytest.raises(LulcError, match=says):
        secrets.secret("cdse", "password")


def test_a_broken_netrc_is_named_without_what_stands_in_it(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine x login y passwort hunter2\n")
    with pytest.raises(LulcError, match="cannot be read as netrc, line 1") as caught:
        secrets.find("cdse", "user")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_what_was_handed_out_is_hidden_and_so_are_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LULC_CDSE_PASSWORD", "hunter2")
    assert secrets.hide("hunter2") == "hunter2"  # nobody asked for it
    secrets.secret("cdse", "password")
    text = "403 for /vsicurl/https://x.net/a/B04.tif?st=2026&sig=abc%3D and 'https://y.org/b?token=1' with hunter2"
    assert secrets.hide(text) == "403 for /vsicurl/https://x.net/a/B04.tif?… and 'https://y.org/b?…' with …"
