"""One process works on a study at a time."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lulc_kit import lock
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout

HOLD = """
import sys, time
from pathlib import Path
from lulc_kit import lock
from lulc_kit.layout import Layout
with lock.hold(Layout(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_is_told_who_works_there_and_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    at = Layout(tmp_path / "s")
    first = subprocess.Popen([sys.executable, "-c", HOLD, str(at.folder)], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    with pytest.raises(LulcError, match=rf"Process {first.pid} on .*since 2.*works on the study"), lock.hold(at):
        pass
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    first.stdout.close()
    with lock.hold(at):
        pass
    assert not at.lock.with_suffix(".json").exists()


def test_a_notebook_of_lulc_run_works_in_what_its_parent_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = Layout(tmp_path / "s")
    with lock.hold(at):
        monkeypatch.setenv(lock.HELD, str(at.folder))
        with lock.hold(at):
            pass
        with lock.hold(Layout(tmp_path / "other")):
            pass
