"""Writing files so that a reader never meets half of one; where the files lie that parameters name."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

from lulc_kit.errors import FormatError, LulcError, MissingFileError, StorageError

# Braces around the archive, as GDAL offers: no ".zip" in a folder's name misleads it, and no double slash is there
# for pathlib to fold.
_WINDOWS = os.name == "nt"
_ARCHIVED = re.compile(r"/vsizip/\{(.+)\}/(.+)")
_VARIABLE = re.compile(r'(?P<driver>[A-Z][A-Z0-9_]+):"?(?P<path>[^"]+?)"?(?::(?P<inside>[^":]+))?')
_ARCHIVED_PLAIN = re.compile(r"/vsizip/(.+?\.zip)/(.+)", re.IGNORECASE)


_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NEARLY = 4_000_000  # bytes that are left when GDAL, whose errors have no number, gives up: less than it writes at once


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; rename it to ``path`` when the block ends without an error.

    Parameters
    ----------
    path
        Where the file is to be. Its folder is made. What stands there stays whole until the very end.

    Raises
    ------
    LulcError
        If the folder cannot be written to, or its disk is full.
    """
    path = Path(path)
    # The suffix stays last: GDAL and matplotlib choose the format by it.
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        with report_full(path, partial=[part]):
            path.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            yield part
            part.replace(path)
    except (PermissionError, NotADirectoryError, FileExistsError, IsADirectoryError) as error:
        raise StorageError(
            f"{path} cannot be written ({error.strerror}). Choose another folder with the parameter 'outputs' "
            f"(lulc run --outputs DIR), make this one writable, or close the program that has the file open."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def report_full(path: Path, needed: int = 0, partial: Sequence[Path] = ()) -> Iterator[None]:
    """Write a file inside; a LulcError says so if its disk is full.

    Parameters
    ----------
    path
        What is written, for the message, which says how much is free in its folder.
    needed
        Bytes that it needs at most; 0 if nobody knows.
    partial
        Files and folders that hold what is written meanwhile, and will be gone.
    """
    try:
        yield
    except Exception as error:
        said_by_system = isinstance(error, OSError) and error.errno in _FULL
        said_by_gdal = (isinstance(error, OSError) and error.errno is None) or isinstance(error, SystemError)
        if not (said_by_system or said_by_gdal or type(error).__name__.startswith("CPLE_")):
            raise
        files = [file for held in partial for file in (held, *held.rglob("*")) if file.is_file()]
        taken = sum(file.stat().st_size for file in files)
        if said_by_system or free_space(path) < _NEARLY or free_space(path) + taken < needed:
            raise StorageError(_full(path, taken, needed, str(getattr(error, "strerror", None) or error))) from error
        raise


def refuse_full(path: Path, needed: int) -> None:
    """Refuse to begin a file that needs so many bytes, if its disk has fewer."""
    if free_space(path) < needed:
        raise StorageError(_full(path, 0, needed, "no room for it"))


def free_space(path: Path) -> int:
    """Return the bytes that are free on the disk on which a file lies, or will lie."""
    folder = next(folder for folder in path.absolute().parents if folder.is_dir())
    usage = shutil.disk_usage(folder)
    return usage.free if usage.total else sys.maxsize  # some shares do not say


def _full(path: Path, taken: int, needed: int, why: str) -> str:
    free = f"{(free_space(path) + taken) / 1e6:,.1f}"
    wanted = f"about {needed / 1e6:,.1f}" if needed > taken else f"more than {taken / 1e6:,.1f}"
    return (
        f"{path} cannot be written ({why}): the disk of {path.parent} has {free} MB free, "
        f"and {wanted} MB are needed. What was there before is as it was. Free some space, or choose another folder "
        f"with the parameter 'outputs' (lulc run --outputs DIR)."
    )


def project_folder() -> Path:
    """Return the folder that holds ``notebooks/`` and ``params/``: the working folder or the nearest one above."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "params").is_dir():
            return folder
    return here


def resolve(path: str) -> Path:
    """Return a parameter's path as an absolute one; relative paths start at the project's folder."""
    return (project_folder() / Path(path).expanduser()).absolute()


def variable(name: str) -> re.Match[str] | None:
    """Take GDAL's name of a variable apart (``NETCDF:"a.nc":B2``): driver, path, inside; None for any other name."""
    match = _VARIABLE.fullmatch(name)
    return match if match and len(match["driver"]) > 1 else None  # C: is a drive


def locate(name: str) -> Path:
    """Return the file that a parameter names: by its path, or by GDAL's name of a variable in it."""
    match = variable(name)
    return resolve(match["path"] if match else name)


def find(pattern: str) -> list[Path]:
    """Return the files that a parameter names: one path, or those that fit a glob (``exports/NAME-*.tif``).

    A file of just that name goes before the pattern, so that brackets in a name mean themselves. Of GDAL's name of a
    variable or of a file in an archive it is the file on the disk. What macOS leaves beside files (``._NAME-1.tif``)
    fits no pattern.
    """
    path = resolve(pattern)
    if not path.exists() and (variable(pattern) or split_archive(pattern)):
        return [on_disk(locate(pattern))]
    if path.exists() or not any(mark in pattern for mark in "*?["):
        return [path]
    # Folders that are there mean themselves, brackets in their names too.
    there = next(parent for parent in path.parents if parent.exists())
    found = there.glob(str(path.relative_to(there)))
    return sorted(f for f in found if f.is_file() and not f.name.startswith("._"))


def inside(path: Path, folder: Path) -> bool:
    """Whether a path leads into a folder once links and ``..`` are followed."""
    return path.resolve().is_relative_to(folder.resolve())


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, all or nothing."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, all or nothing."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; a LulcError names the file if it is missing or broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingFileError(f"{path} does not exist. Run the notebook that writes it first.") from error
    except (OSError, ValueError, RecursionError) as error:  # nested too deeply, numbers of thousands of digits
        raise FormatError(f"{path} is not valid JSON ({error}). Delete it and run its notebook again.") from error


@contextlib.contextmanager
def parse(path: Path, step: str) -> Iterator[Any]:
    """Give what a JSON file holds, to be taken apart; a LulcError says so if it is not what ``step`` writes there."""
    content = read_json(path)
    try:
        yield content
    except LulcError:
        raise
    except Exception as error:  # lists for names, words for numbers, names that lack: whatever a hand or a disk did
        raise FormatError(
            f"{path} is not what {step} writes ({str(error)[:200] or type(error).__name__}). Run {step} again."
        ) from error


def join_archive(archive: Path | str, member: str) -> str:
    """Return the name by which GDAL opens a file inside a zip archive, which is not unpacked.

    Parameters
    ----------
    archive
        The archive; relative paths stay relative.
    member
        Path inside it, with forward slashes.
    """
    return f"/vsizip/{{{PurePath(archive).as_posix()}}}/{member}"


def split_archive(path: PurePath | str) -> tuple[str, str] | None:
    """Take a name that `join_archive` made apart: the archive and the path inside it; None for any other file.

    GDAL's form without braces (``/vsizip//home/me/x.zip/B02.jp2``) is understood too, even after pathlib has folded
    the double slash, which would make GDAL look for a relative path: the archive is then an absolute one.
    """
    name = path.as_posix() if isinstance(path, PurePath) else path.replace("\\", "/")
    if found := _ARCHIVED.fullmatch(name):
        folded_share = _WINDOWS and re.match(r"/(?!/)", found[1])  # of a share's two slashes pathlib leaves one
        return ("/" if folded_share else "") + found[1], found[2]
    if found := _ARCHIVED_PLAIN.fullmatch(name):
        drive = re.match(r"/*([A-Za-z]:/.*)", found[1])
        return (drive[1] if drive else "/" + found[1].lstrip("/")), found[2]
    return None


def gdal_name(path: PurePath | str) -> str:
    """Return the name by which GDAL opens a file, on the disk or inside a zip archive.

    A link is not followed: what says where and what a file is (``.tfw``, ``.hdr``, ``.aux.xml``) lies beside the link.
    """
    inside = split_archive(path)
    return join_archive(*inside) if inside else str(Path(path).absolute())


def on_disk(path: Path) -> Path:
    """Return the file that lies on the disk: the archive of an archived file, any other as it is."""
    inside = split_archive(path)
    return Path(inside[0]) if inside else path


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
