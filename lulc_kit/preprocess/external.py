"""External programs: started in a process group of their own, stopped with everything they started."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from lulc_kit.errors import LulcError


def start(command: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start a program whose output is read as one stream of text.

    Parameters
    ----------
    command
        Program and arguments; no shell is involved, except the one that Windows runs batch files with.
    folder
        Working folder.

    Returns
    -------
    subprocess.Popen
        In a process group of its own, so that `kill` reaches all it starts.

    Raises
    ------
    LulcError
        If an argument would mean something else to a Windows batch file.
    """
    if command[0].lower().endswith(".bat") and (bad := set("".join(command)) & set('&|<>^%"!')):
        raise LulcError(
            f"A path contains {''.join(sorted(bad))!r}, which Windows batch files cannot take: {command}. "
            "Use folders without such characters."
        )
    return subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=os.name == "posix",
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


@contextlib.contextmanager
def deadline(process: subprocess.Popen[str], timeout: float) -> Iterator[threading.Event]:
    """Kill a process and its children after ``timeout`` seconds; the event tells whether that happened."""
    expired = threading.Event()

    def stop() -> None:
        expired.set()
        kill(process)

    timer = threading.Timer(timeout, stop)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()


def kill(process: subprocess.Popen[str]) -> None:
    """Stop a process that `start` started, and all it started, at once."""
    victims: list[psutil.Process] = []
    if process.poll() is None:  # otherwise its number may be another's by now
        with contextlib.suppress(psutil.Error):
            victims = psutil.Process(process.pid).children(recursive=True)
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    for victim in victims:  # what left the group, and Windows, which has no groups to kill
        with contextlib.suppress(psutil.Error):
            victim.kill()
    process.kill()
