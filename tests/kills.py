"""Killing `lulc run` as a computer does it: without warning, at whatever moment, the whole of it or a part."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from tests import scene

RESULTS = ("catalog.json", "cube", "features", "samples", "maps", "models", "report")
"""What a study is for; the rest says when and how long a step ran."""


def _group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)


def _parent(process: subprocess.Popen[bytes]) -> None:
    process.kill()


def is_kernel(process: psutil.Process) -> bool:
    """Whether a process is a notebook's kernel: alone in its own session it has led since it was started or forked."""
    return os.getsid(process.pid) == process.pid


def busy(process: subprocess.Popen[Any]) -> psutil.Process | None:
    """Return a worker of ``lulc`` in which the notebook of an area runs."""
    with contextlib.suppress(psutil.Error, ProcessLookupError):  # processes come and go while one looks
        for child in psutil.Process(process.pid).children(recursive=True):
            if is_kernel(child):  # forked by a server that the worker started
                return next((p for p in child.parents() if p.ppid() == process.pid), None)
    return None


def _kernel(process: subprocess.Popen[bytes]) -> None:
    below = psutil.Process(process.pid).children(recursive=True)
    for kernel in [p for p in below if is_kernel(p)] or below or [psutil.Process(process.pid)]:
        kernel.kill()


HOW: dict[str, Callable[[subprocess.Popen[bytes]], None]] = {"group": _group, "parent": _parent, "kernel": _kernel}
"""What is killed: all of it; `lulc` alone, so that a kernel is orphaned; a kernel alone, so that `lulc` loses it."""


def strike(project: Path, arguments: Sequence[str], how: str, after: float) -> bool:
    """Start ``lulc`` in a project and kill it after some seconds; return whether it was still running then."""
    process = subprocess.Popen(
        scene.command(*arguments),
        cwd=project,
        env=scene.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after)
            return False
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            HOW[how](process)
        # `lulc` that has lost a kernel says so and ends; one that was only starting is started again, and all goes on.
        process.wait(1800)
        return True
    finally:
        if process.poll() is None:
            _group(process)
            process.wait()


def results(study: Path) -> dict[str, str]:
    """Return the hashes of a study's `RESULTS`, by name."""
    found = scene.hashes(study)
    # skops numbers what it stores anew each time, Keras writes the hour beside it; what models say is in the maps.
    # The page says how long each step took; its numbers are in accuracy.json.
    other = (".skops", ".keras", "report/index.html")
    return {n: digest for n, digest in found.items() if n.split("/")[0] in RESULTS and not n.endswith(other)}
