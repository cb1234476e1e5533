"""Kernels of notebooks that start at once: forked from a process that has loaded the libraries, once for all steps.

Most of what a small step takes is loading libraries. A provisioner of `jupyter_client` (its documented door for such
things) forks kernels from the forkserver of Python's `multiprocessing`, which has loaded other people's packages, never
the kit's own: which of those a step loads is what its record says that it used.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import zmq
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from lulc_kit import environment, parent

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess  # Windows has none

LOADED = (
    "ipykernel.kernelapp",
    "IPython.core.display",
    "ipywidgets",
    "numpy",
    "pandas",
    "pydantic",
    "jinja2",
    "dask.array",
    "dask.threaded",
    "xarray",
    "pyproj",
    "rasterio.enums",
    "rasterio.features",
    "rasterio.shutil",
    "rasterio.vrt",
    "rasterio.warp",
    "rasterio.windows",
    "odc.geo.xr",
    "shapely",
    "pyogrio",
    "geopandas",
    "matplotlib.pyplot",
    "matplotlib.patches",
    "matplotlib.patheffects",
    "scipy.ndimage",
    "scipy.spatial",
    "scipy.stats",
    "numba",
    "sklearn.ensemble",
    "sklearn.neighbors",
    "skops.io",
)
"""What is loaded before the fork: what most notebooks use, and nothing that starts threads of its own (TensorFlow)."""

# What ipykernel sets, which is too late for a matplotlib that is there already.
_INLINE: dict[str, str | None] = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}


class Forked(LocalProvisioner):
    """Starts the kernel of this Python by a fork; any other as `LocalProvisioner` does."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel; parameters and result are those of `LocalProvisioner`."""
        own = cmd[1:3] == ["-m", "ipykernel_launcher"] and Path(cmd[0]) == Path(sys.executable)
        if not own or multiprocessing.current_process().daemon:  # which may have no children
            return await super().launch_kernel(cmd, **kwargs)
        self.cwd = kwargs.get("cwd") or Path.cwd()
        try:
            with environment.change(_INLINE):
                kernel = _Kernel(cmd[3:], dict(kwargs.get("env") or os.environ), self.cwd)
        except (OSError, EOFError):  # no server: a name too long for its socket, or a library that ends it as it loads
            return await super().launch_kernel(cmd, **kwargs)
        self.process = cast(subprocess.Popen[bytes], kernel)
        self.pid = self.pgid = kernel.pid
        return self.connection_info


class _Kernel:
    """A forked process in the shape of `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, arguments: list[str], variables: dict[str, str], folder: str | Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([*LOADED])
        self._process: ForkServerProcess = context.Process(target=_serve, args=(arguments, variables, folder))
        self._process.start()
        self.pid = self._process.pid
        atexit.register(self.kill)  # before multiprocessing waits for it

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        atexit.unregister(self.kill)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None and self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Ended(logging.Filter):
    """Passes over what ipykernel's control thread says where the kernel, ending, has closed its sockets already."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be shown."""
        error = record.exc_info[1] if record.exc_info else None
        return not (isinstance(error, zmq.ZMQError) and error.errno == zmq.ENOTSOCK)


def _serve(arguments: list[str], variables: Mapping[str, str], folder: str | Path) -> None:
    """Be a kernel: what follows the fork, in the child."""
    import dask
    import numpy as np
    from ipykernel import kernelapp

    os.setsid()  # signals to the kernel's group reach what it starts, and a terminal's Ctrl-C does not reach it
    os.environ.clear()
    os.environ.update(variables)
    os.environ.pop("JPY_PARENT_PID", None)  # of the kernel that `lulc run` was called from, if one was
    os.chdir(folder)
    dask.config.refresh()  # it reads the environment (DASK_SCHEDULER_ADDRESS) when it is loaded
    np.random.seed()  # noqa: NPY002 - the state that all forks would share
    parent.watch()  # not the forkserver, but who asked for the kernel: without it nobody reads what it says
    logging.getLogger("tornado.general").addFilter(Ended())
    sys.argv = ["ipykernel_launcher.py", *arguments]
    kernelapp.launch_new_instance(arguments)
