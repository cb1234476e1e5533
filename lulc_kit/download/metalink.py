"""Carts of products (``products.meta4``, Metalink 4, RFC 5854), by aria2c where it is installed.

aria2c gets addresses and token by its standard input, never by its arguments, which everybody on a computer can read.
It would take the token to whatever address it is sent on to, so that redirects are followed here, before.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lulc_kit import files
from lulc_kit.download import secrets, servers, transfer, web
from lulc_kit.errors import FormatError, LulcError, MissingFileError
from lulc_kit.safe.metadata import find_all
from lulc_kit.safe.source import parse_xml

EXITS = {
    2: "it took too long",
    3: "the server has not this file",
    5: "it was too slow",
    6: "the network failed",
    7: "it was stopped",
    8: "the server cannot resume it",
    9: "the disk is full",
    13: "the file was there already",
    15: "the file could not be opened",
    17: "reading or writing failed",
    19: "the server's name is unknown",
    22: "the server's answer was bad or unexpected",
    23: "too many redirects",
    24: "the login was refused",
    29: "the server is overloaded",
    32: "its checksum is wrong",
}
"""What aria2c means by its exit codes (its manual, section EXIT STATUS)."""
_KINDS = {"md5": "md5", "sha-256": "sha256", "sha3-256": "sha3_256"}
_NAME = re.compile(r"(S2[A-D]_\w+?)(?:\.SAFE)?(?:\.zip)?")


@dataclass(frozen=True)
class File:
    """A file of a cart: its product, size (bytes; None: unknown), checksums by kind, and addresses, best first."""

    product: str
    size: int | None
    checksums: Mapping[str, str]
    addresses: Sequence[str]


def read(cart: Path) -> list[File]:
    """Read a cart.

    Raises
    ------
    LulcError
        If it is missing, no Metalink 4, unsafe to read, empty, or names files that are no Sentinel-2 products.
    """
    if not cart.is_file():
        raise MissingFileError(f"{cart} does not exist; expected a cart, as the Data Space's Browser writes it.")
    with cart.open("rb") as stream:
        root = parse_xml(stream, str(cart))
    found = []
    for element in find_all(root, "file"):
        name = _NAME.fullmatch(element.get("name", ""))
        if name is None:
            raise FormatError(
                f"{cart} names the file {element.get('name')!r}; expected a Sentinel-2 product such as "
                f"S2A_MSIL2A_….SAFE.zip. Take others out of the cart."
            )
        urls = sorted(find_all(element, "url"), key=lambda url: int(url.get("priority", "999999")))
        addresses = [(url.text or "").strip() for url in urls]
        addresses = [address for address in addresses if address.startswith(("https://", "http://"))]
        if not addresses or any(set("\r\n\t ") & set(address) for address in addresses):
            raise FormatError(f"{cart} gives no address for {name[1]}; expected one that begins with https://.")
        size = next((s.text or "" for s in find_all(element, "size")), "").strip()
        kinds = {
            _KINDS.get(h.get("type", "").lower()): (h.text or "").strip().lower() for h in find_all(element, "hash")
        }
        checksums = {kind: text for kind, text in kinds.items() if kind and re.fullmatch("[0-9a-f]+", text)}
        found.append(File(name[1], int(size) if size.isdecimal() and int(size) else None, checksums, addresses))
    if not found:
        raise FormatError(f"{cart} lists no files; expected Metalink 4 (RFC 5854), as products.meta4 is.")
    return found


def fetch(wanted: Sequence[transfer.Wanted], source: servers.Web | None) -> dict[Path, LulcError]:
    """Fetch files by aria2c, or without; each is verified here in any case, and what fails is tried once more here.

    Returns
    -------
    dict
        Why a file could not be had, by its path.
    """
    if source is None or not wanted:
        return {}
    program = shutil.which("aria2c")
    said: dict[Path, str] = {}
    if program is not None:
        for file in wanted:
            if not file.path.exists() and not file.record.exists():
                problem = _by_aria2c(program, file, source)
                if problem:
                    said[file.path] = f" (aria2c: {problem})"
    failed = transfer.fetch_all(wanted, source.open, "cart")
    return {path: type(error)(f"{error}{said.get(path, '')}") for path, error in failed.items()}


def _by_aria2c(program: str, file: transfer.Wanted, source: servers.Web) -> str | None:
    """Fetch one file; return what went wrong."""
    file.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        answer = source.send(file.address, {"Range": "bytes=0-0"})
        address = str(answer.url)
        answer.close()
    except (web.Busy, servers.Cut, LulcError) as error:
        return secrets.hide(str(error))
    headers = source.bearer.headers(address) if source.bearer else {}
    target = file.part.with_name(f"{file.part.name}.aria2c")
    lines = [address, f" out={target.name}", *(f" header={name}: {value}" for name, value in headers.items())]
    kinds = {"md5": "md5", "sha256": "sha-256"}
    lines += [f" checksum={kinds[k]}={v}" for k, v in file.checksums.items() if k in kinds][:1]
    options = ["--input-file=-", f"--dir={target.parent}", "--continue=true", "--auto-file-renaming=false"]
    options += [
        f"--split={servers.CONNECTIONS}",
        f"--max-connection-per-server={servers.CONNECTIONS}",
        "--quiet=true",
    ]
    with files.report_full(file.path, file.size or 0):
        done = subprocess.run([program, "--no-conf", *options], input="\n".join(lines) + "\n", text=True, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    if done.returncode:
        return EXITS.get(done.returncode, f"exit code {done.returncode}")
    problem = transfer.problem(file, target)
    if problem is None:
        target.replace(file.path)
    else:
        target.unlink()
    return problem
