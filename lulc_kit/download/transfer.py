"""Files of any size, verified and resumable: nothing has its final name before it is what it should be.

Why requests, stamina and obstore: each does one thing that is easily done wrong (HTTP with time limits for silence,
pauses between tries, S3), and the small rest stands here. Programs made for these services (eodag, cdsetool) search
and log in, but neither resumes a partial file nor verifies a checksum (CS-SI/eodag #1007, CDSETool #40).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import stamina

from lulc_kit import files
from lulc_kit.download import secrets, web
from lulc_kit.download.servers import CONNECTIONS, PIECE, Changed, Cut, Open
from lulc_kit.errors import FormatError, LulcError
from lulc_kit.progress import bar

PATIENCE = 2 * 3600
"""A file that does not grow for so long is given up, seconds."""
BLOCK = 1 << 16
"""What is dropped of a partial file before it is resumed, bytes: a proxy may have put an error page there."""
_BEGIN: dict[str, tuple[bytes, ...]] = {
    ".jp2": (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
    ".zip": (b"PK\x03\x04", b"PK\x05\x06"),
    ".tif": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<error", b"<body")


class FaultyAtSourceError(FormatError):
    """A file arrives wrong again and again, with the same bytes."""


@dataclass(frozen=True)
class Wanted:
    """A file to be fetched.

    Attributes
    ----------
    address
        URL, or a key in an object store.
    path
        Where it is to be.
    size
        Bytes, if somebody says.
    checksums
        Hexadecimal, by kind (names of hashlib, ``"blake3"``); kinds that cannot be computed here are passed over.
    check
        Looks into the file where that is the only witness; raises a LulcError if it is damaged.
    """

    address: str
    path: Path
    size: int | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Path], None] | None = None

    @property
    def part(self) -> Path:
        """What is there of it so far."""
        return self.path.with_name(f".{self.path.name}.part")

    @property
    def record(self) -> Path:
        """Of which version of the file that is."""
        return self.path.with_name(f".{self.path.name}.part.json")


def fetch_all(wanted: Sequence[Wanted], open_: Open, description: str) -> dict[Path, LulcError]:
    """Fetch files, some at once; what is there already is not fetched again.

    Parameters
    ----------
    wanted
        What to fetch.
    open_
        `servers.Web.open` or `servers.Bucket.open`.
    description
        What they are, for the bar, which shows bytes, rate and the time left.

    Returns
    -------
    dict
        Why a file could not be had, by its path: the others go on.
    """
    left = [file for file in wanted if not file.path.exists()]
    known = sum(file.size or 0 for file in left)
    failed: dict[Path, LulcError] = {}
    with bar(known or None, description, "B") as progress, ThreadPoolExecutor(CONNECTIONS) as pool:
        lock, stopped = threading.Lock(), threading.Event()

        def advance(count: int) -> None:
            if stopped.is_set():
                raise LulcError("Stopped.")
            with lock:
                progress.update(count)

        begun = {pool.submit(fetch, file, open_, advance): file for file in left}
        try:
            for done in as_completed(begun):
                try:
                    done.result()
                    progress.set_postfix_str(begun[done].path.name)
                except LulcError as error:
                    failed[begun[done].path] = error
                    if "disk of" in str(error):
                        raise
        except BaseException:  # an interrupt must not wait for hundreds of megabytes
            stopped.set()
            pool.shutdown(cancel_futures=True)
            raise
    return failed


def fetch(wanted: Wanted, open_: Open, advance: Callable[[int], object] = lambda _: None) -> Path:
    """Fetch one file, going on with what is there of it, and verify it.

    Parameters
    ----------
    wanted
        What to fetch.
    open_
        `servers.Web.open` or `servers.Bucket.open`.
    advance
        Is told how many bytes came; fewer than none if some are dropped.

    Returns
    -------
    pathlib.Path
        The file, verified.

    Raises
    ------
    LulcError
        If it is not there, refused, still not whole after two hours without a byte more, or the disk is full.
    FaultyAtSourceError
        If it came whole twice, both times with the same wrong bytes.
    """
    seen: set[str] = set()
    meter = _Meter(advance)
    while True:
        _complete(wanted, open_, meter)
        wrong = problem(wanted, wanted.part)
        if wrong is None:
            wanted.part.replace(wanted.path)
            wanted.record.unlink(missing_ok=True)
            return wanted.path
        digest = files.sha256(wanted.part)
        meter.to(0)
        _forget(wanted)
        if digest in seen or len(seen) > 4:
            raise FaultyAtSourceError(
                f"{wanted.path.name} is faulty at its source: {wrong}, and a second download brought the same. Other "
                f"files are not concerned. Look for another processing of the product, or ask its provider."
            )
        seen.add(digest)


class _Meter:
    """How many bytes of a file are there, told as differences."""

    def __init__(self, advance: Callable[[int], object]) -> None:
        self.advance, self.there = advance, 0

    def to(self, there: int) -> None:
        difference, self.there = there - self.there, there
        self.advance(difference)


def _complete(wanted: Wanted, open_: Open, meter: _Meter) -> None:
    """Fetch until all bytes are there; as long as it grows, pauses begin small again."""
    wanted.path.parent.mkdir(parents=True, exist_ok=True)
    most = 0
    try:
        while True:
            for attempt in stamina.retry_context(
                on=_again, attempts=None, timeout=PATIENCE, wait_initial=1, wait_max=300, wait_jitter=1
            ):
                with attempt:
                    try:
                        return _go_on(wanted, open_, meter)
                    except Changed:
                        meter.to(0)
                        _forget(wanted)
                        raise Cut("the file changed at its source") from None
                    except Cut:
                        there = _size(wanted.part)
                        if there <= most:
                            raise
                        most = there
    except (Cut, web.Busy) as error:
        raise LulcError(
            f"{wanted.path.name} could not be fetched whole ({secrets.hide(str(error))}); "
            f"{_size(wanted.part) / 1e6:,.1f} MB of it are here. Try again later: it goes on from there."
        ) from None


def _go_on(wanted: Wanted, open_: Open, meter: _Meter) -> None:
    record = _read_record(wanted)
    start = max(0, _size(wanted.part) - BLOCK) if record.get("version") else 0
    with open_(wanted.address, start, record.get("version")) as answer:
        if answer.start not in (0, start):
            raise Changed
        if answer.start and (answer.version, answer.total) != (record["version"], record["total"]):
            raise Changed
        now = {"version": answer.version, "total": answer.total, "url": secrets.hide(wanted.address)}
        with files.report_full(wanted.path, wanted.size or 0, [wanted.part]):
            files.write_json(wanted.record, now)
            with wanted.part.open("r+b" if answer.start else "wb") as part:
                part.truncate(answer.start)
                part.seek(answer.start)
                there, head = answer.start, answer.start == 0
                for piece in answer.pieces:
                    if head:
                        _refuse_page(wanted, piece)
                        head = False
                    part.write(piece)
                    there += len(piece)
                    meter.to(there)
    if answer.total is not None and there != answer.total:
        if there > answer.total:
            raise Changed
        raise Cut(f"{there} of {answer.total} bytes")


def problem(wanted: Wanted, path: Path) -> str | None:
    """Return what is wrong with a file that came whole and lies at ``path``; None if nothing is."""
    size = path.stat().st_size
    if wanted.size is not None and size != wanted.size:
        return f"it has {size} bytes, expected {wanted.size}"
    for kind, expected in wanted.checksums.items():
        found = digest(path, kind)
        if found is not None and found != expected.lower():
            return f"its {kind} is {found}, expected {expected.lower()}"
    if wanted.check is not None:
        try:
            wanted.check(path)
        except LulcError as error:
            return str(error).rstrip(".")
    return None


def digest(path: Path, kind: str) -> str | None:
    """Return a file's checksum, hexadecimal; None if this computer cannot compute its kind."""
    if kind == "blake3":
        if importlib.util.find_spec("blake3") is None:
            return None
        import blake3

        total: Any = blake3.blake3()
    elif kind in hashlib.algorithms_available:
        total = hashlib.new(kind, usedforsecurity=False)
    else:
        return None
    with path.open("rb") as stream:
        while piece := stream.read(PIECE):
            total.update(piece)
    return str(total.hexdigest())


def read_multihash(text: str) -> dict[str, str]:
    """Read STAC's ``file:checksum``, a multihash in hexadecimal: kind and digest; nothing of kinds unknown here.

    Examples
    --------
    >>> read_multihash("d50110d41d8cd98f00b204e9800998ecf8427e")
    {'md5': 'd41d8cd98f00b204e9800998ecf8427e'}
    """
    kinds = {"d50110": "md5", "1220": "sha256", "1620": "sha3_256", "1e20": "blake3"}
    for prefix, kind in kinds.items():
        if text.lower().startswith(prefix):
            return {kind: text.lower().removeprefix(prefix)}
    return {}


def _refuse_page(wanted: Wanted, head: bytes) -> None:
    """Recognise a page of an error where a file should begin."""
    begin, suffix = head[:64].lstrip().lower(), wanted.path.suffix.lower()
    expected = _BEGIN.get(suffix)
    page = begin.startswith(_PAGES) and suffix not in (".html", ".htm")
    if page or (expected and begin.startswith(b"<")):
        raise web.Busy(f"a page instead of the file, which begins {head[:40]!r}")
    if expected and len(head) >= 8 and not head.startswith(expected):
        raise web.Busy(f"something that is no {suffix}, which begins {head[:16]!r}")


def _again(error: Exception) -> bool | float:
    if isinstance(error, web.Busy) and error.wait is not None:
        return error.wait <= PATIENCE and max(error.wait, 0.1)
    return isinstance(error, (Cut, web.Busy))


def _read_record(wanted: Wanted) -> dict[str, Any]:
    try:
        found = json.loads(wanted.record.read_text(encoding="utf-8")) if wanted.part.exists() else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _forget(wanted: Wanted) -> None:
    wanted.part.unlink(missing_ok=True)
    wanted.record.unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
