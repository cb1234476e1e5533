"""Kernels that are forked: each is what `jupyter_client` itself would have started, and ends as that does."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
import zmq
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner
from nbclient.exceptions import CellExecutionError, DeadKernelError

from lulc_kit import environment, kernels, provenance, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")

FACTS = """
import json, os, sys
import dask, matplotlib, numpy
print(json.dumps({
    "folder": os.getcwd(),
    "variables": {k: v for k, v in os.environ.items() if k != "JPY_PARENT_PID"},
    "backend": matplotlib.rcParams["backend"],
    "name": __name__,
    "leads its session": os.getsid(0) == os.getpid(),
    "scheduler": dask.config.get("scheduler-address", None),
}))
"""
DRAWN = "import matplotlib.pyplot as plt\nfigure, axes = plt.subplots()\naxes.plot([1, 2]);"
KIT = "import sys\nprint(sorted(name for name in sys.modules if name.startswith('lulc_kit.')))"
CHANCE = "import numpy, random, uuid\nprint(numpy.random.rand(), random.random(), uuid.uuid4())"


def start(provisioner: type[LocalProvisioner], **spec: Any) -> AsyncKernelManager:
    """Return a manager whose kernel the provisioner starts."""
    manager = AsyncKernelManager(kernel_name="python3")
    for name, value in spec.items():
        setattr(manager.kernel_spec, name, value)
    manager.provisioner = provisioner(kernel_id="test", kernel_spec=manager.kernel_spec, parent=manager)
    return manager


def show(manager: AsyncKernelManager, folder: Path, *cells: str) -> list[list[nbformat.NotebookNode]]:
    """Execute cells and return what each of them shows."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, km=manager, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell.outputs for cell in notebook.cells]


def test_a_forked_kernel_is_as_a_started_one(tmp_path: Path) -> None:
    """Folder, variables, a cluster's address, pictures in the notebook: all as `LocalProvisioner` gives them."""
    with environment.change({"LULC_TEST": "here", "DASK_SCHEDULER_ADDRESS": "tcp://127.0.0.1:9"}):
        own, started = (show(start(kind), tmp_path, FACTS, DRAWN) for kind in (kernels.Forked, LocalProvisioner))
    assert own[0][0].text == started[0][0].text
    assert '"scheduler": "tcp://127.0.0.1:9"' in own[0][0].text and '"LULC_TEST": "here"' in own[0][0].text
    assert "image/png" in own[1][-1].data and own[1][-1].keys() == started[1][-1].keys()


def test_what_a_step_uses_of_the_kit_is_what_it_loads_itself(tmp_path: Path) -> None:
    """Two kernels of one server: neither has anything of the kit but what decides no number, nor the other's chance."""
    first, second = (show(start(kernels.Forked), tmp_path, KIT, CHANCE) for _ in range(2))
    loaded = {name.split(".")[1] for name in eval(first[0][0].text)}
    assert loaded and loaded <= set(provenance.BOOKKEEPING)
    numbers = [cells[1][0].text.split() for cells in (first, second)]
    assert all(a != b for a, b in zip(*numbers, strict=True))


def test_a_kernel_that_dies_is_found_dead(tmp_path: Path) -> None:
    manager = start(kernels.Forked)
    with pytest.raises(DeadKernelError):
        show(manager, tmp_path, "import os\nos._exit(3)")
    assert not asyncio.run(manager.is_alive())


def test_signals_reach_the_kernel(tmp_path: Path) -> None:
    with pytest.raises(CellExecutionError, match="KeyboardInterrupt"):
        show(
            start(kernels.Forked),
            tmp_path,
            "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time\ntime.sleep(30)",
        )

    async def killed() -> int | None:
        manager = start(kernels.Forked)
        await manager.start_kernel()
        process = manager.provisioner.process
        await manager.provisioner.send_signal(signal.SIGKILL)
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            await asyncio.sleep(0.1)
        code = await manager.provisioner.wait()
        await manager.cleanup_resources()
        return code

    assert asyncio.run(killed()) == -signal.SIGKILL


def test_another_language_or_python_is_started_as_ever(tmp_path: Path) -> None:
    argv = ["/usr/bin/env", sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager = start(kernels.Forked, argv=argv)
    (shown,) = show(manager, tmp_path, "import sys\nprint(sys.argv[0])")
    assert shown[0].text.strip().endswith("ipykernel_launcher.py") and Path(shown[0].text.strip()).is_absolute()


@pytest.mark.parametrize("error", [OSError("AF_UNIX path too long"), EOFError])
def test_where_nothing_can_be_forked_it_is_started_as_ever(error: Any, tmp_path: Path, monkeypatch: Any) -> None:
    def refuse(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(kernels, "_Kernel", refuse)
    assert show(start(kernels.Forked), tmp_path, "print(1 + 1)")[0][0].text == "2\n"


def test_one_step_alone_is_not_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "JUPYTER_DEFAULT_PROVISIONER_NAME"
    monkeypatch.delenv(name, raising=False)
    with run.fork_kernels(1):
        assert name not in os.environ
    with run.fork_kernels(2):
        assert os.environ[name] == run.FORKED
    assert name not in os.environ
    monkeypatch.setattr(metadata, "entry_points", lambda **asked: metadata.EntryPoints())
    with run.fork_kernels(2):  # the kit was installed before it had this
        assert name not in os.environ
    monkeypatch.undo()
    monkeypatch.setattr(sys, "platform", "darwin")
    with run.fork_kernels(2):
        assert os.environ.get(name) != run.FORKED


def test_the_name_is_that_of_the_provisioner() -> None:
    (found,) = metadata.entry_points(group="jupyter_client.kernel_provisioners", name=run.FORKED)
    assert found.load() is kernels.Forked


def test_what_the_end_of_a_kernel_says_of_its_own_sockets_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """Under load ipykernel's control thread writes to a socket that the end has closed: no fault of the notebook's."""
    logger, ended = logging.getLogger("test.kernels"), kernels.Ended()
    logger.addFilter(ended)
    with zmq.Context() as context:
        socket = context.socket(zmq.PUSH)
        socket.close()
    faults: list[Callable[[], object]] = [lambda: socket.send(b""), lambda: 1 / 0]
    for fault in faults:
        try:
            fault()
        except (zmq.ZMQError, ZeroDivisionError):
            logger.exception("Uncaught exception")
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]
