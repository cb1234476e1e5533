"""User names, passwords and keys of services: from the environment, netrc or the system's keyring, and nowhere else.

They are never parameters, so that no executed notebook, catalog or address holds one.
"""

import netrc
import os
import re
from collections.abc import Iterator
from pathlib import Path

from lulc_kit.errors import LulcError

_IDENTITY, _STORE = "identity.dataspace.copernicus.eu", "eodata.dataspace.copernicus.eu"
PLACES = {
    ("cdse", "user"): (_IDENTITY, "login", "the e-mail address of your account"),
    ("cdse", "password"): (_IDENTITY, "password", "its password"),
    ("cdse", "s3_key"): (_STORE, "login", "the access key of eodata (S3)"),
    ("cdse", "s3_secret"): (_STORE, "password", "its secret key"),
    ("planetary-computer", "key"): ("planetarycomputer.microsoft.com", "password", "the subscription key"),
    ("azure-maps", "key"): ("atlas.microsoft.com", "password", "the subscription key of Azure Maps"),
}
"""Of each secret: the machine in netrc, its word there, and what it is."""

_used: set[str] = set()
_SIGNED = re.compile(r"(\b\w+://[^\s?'\"]+)\?[^\s'\"]+")


def find(service: str, name: str) -> str | None:
    """Return a secret, or None where there is none; see `secret`."""
    found = next((value for value in _candidates(service, name) if value), None)
    if found:
        _used.add(found)
    return found


def secret(service: str, name: str) -> str:
    """Return a secret.

    Looked for in the variable ``LULC_<SERVICE>_<NAME>`` (``LULC_CDSE_PASSWORD``), then in netrc (``~/.netrc``, or the
    file that ``NETRC`` names), then in the system's keyring (service ``lulc_kit:cdse``, user name ``password``).

    Parameters
    ----------
    service, name
        Such as ``"cdse"`` and ``"s3_key"``; see `PLACES`.

    Raises
    ------
    LulcError
        Where to put it, if it is nowhere.
    """
    found = find(service, name)
    if found is None:
        machine, word, what = PLACES[service, name]
        raise LulcError(
            f"{service} needs {what}, which was found neither in the environment nor in netrc nor in the keyring. Set "
            f"the variable {_variable(service, name)}, or write 'machine {machine} {word} …' into ~/.netrc, or run "
            f"'keyring set lulc_kit:{service} {name}'. Never write it into a notebook or a parameter file."
        )
    return found


def guard(*found: str) -> None:
    """Let `hide` hide these, too: tokens, and keys made for a while."""
    _used.update(text for text in found if text)


def hide(text: str) -> str:
    """Return a text without the secrets that were handed out, and without the signatures of addresses in it."""
    for found in sorted(_used, key=len, reverse=True):
        text = text.replace(found, "…")
    return _SIGNED.sub(r"\1?…", text)


def _variable(service: str, name: str) -> str:
    return f"LULC_{service}_{name}".replace("-", "_").upper()


def _candidates(service: str, name: str) -> Iterator[str | None]:
    yield os.environ.get(_variable(service, name))
    yield _in_netrc(*PLACES[service, name][:2])
    import keyring
    import keyring.errors

    try:
        yield keyring.get_password(f"lulc_kit:{service}", name)
    except keyring.errors.KeyringError:  # a server without a desktop has none
        yield None


def _in_netrc(machine: str, word: str) -> str | None:
    path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    if not path.is_file():
        return None
    try:
        found = netrc.netrc(path).hosts.get(machine)
    except netrc.NetrcParseError as error:  # its message may quote what stands there
        raise LulcError(f"{path} cannot be read as netrc, line {error.lineno}. Correct it.") from None
    return None if found is None else found[0 if word == "login" else 2]
