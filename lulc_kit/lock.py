"""One process works on a study at a time."""

import contextlib
import datetime
import json
import os
import socket
from collections.abc import Iterator

import filelock

from lulc_kit import files
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout

HELD = "LULC_STUDY_HELD"
"""Name of the environment variable by which `lulc run` tells its notebooks that it holds the study for them."""


@contextlib.contextmanager
def hold(layout: Layout) -> Iterator[None]:
    """Keep a study for this process; the system gives it back when the process ends, however it ends.

    Raises
    ------
    LulcError
        If another process has it: who, and since when. Or if the folder cannot be written to.
    """
    if os.environ.get(HELD) == str(layout.folder):
        yield
        return
    about = layout.lock.with_suffix(".json")
    lock = filelock.FileLock(layout.lock, timeout=0)
    try:
        with files.report_full(layout.lock):
            layout.lock.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    except filelock.Timeout:
        raise LulcError(
            f"{_who(layout)} works on the study in {layout.folder}. Two runs at once would take each other's files "
            f"away: wait until it has ended, or stop it, and run the same command again."
        ) from None
    except OSError as error:
        raise LulcError(
            f"No permission to write in {layout.folder}. Choose another folder with the parameter 'outputs' "
            f"(lulc run --outputs DIR), or make this one writable. ({error})"
        ) from error
    try:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        files.write_json(about, {"process": os.getpid(), "computer": socket.gethostname(), "since": now})
        yield
    finally:
        about.unlink(missing_ok=True)
        lock.release()


def _who(layout: Layout) -> str:
    try:
        about = json.loads(layout.lock.with_suffix(".json").read_text(encoding="utf-8"))
        return f"Process {about['process']} on {about['computer']} (since {about['since'].replace('T', ' ')})"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):  # just begun, or just ended
        return "Another process"
