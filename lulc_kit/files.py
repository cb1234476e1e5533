"""Writing files so that a reader never meets half of one."""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lulc_kit.errors import LulcError


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
        If the folder cannot be written to.
    """
    path = Path(path)
    # The suffix stays last: GDAL and matplotlib choose the format by it.
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        yield part
        part.replace(path)
    except (PermissionError, NotADirectoryError, FileExistsError, IsADirectoryError) as error:
        raise LulcError(
            f"{path} cannot be written ({error.strerror}). Choose another folder with the parameter 'outputs' "
            f"(lulc run --outputs DIR), make this one writable, or close the program that has the file open."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


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
        raise LulcError(f"{path} does not exist. Run the notebook that writes it first.") from error
    except ValueError as error:
        raise LulcError(f"{path} is not valid JSON ({error}). Delete it and run its notebook again.") from error


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
