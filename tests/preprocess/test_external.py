"""External programs: what they start is stopped with them, and no shell interprets their arguments."""

import os
import sys
import time

import psutil
import pytest

from lulc_kit.errors import LulcError
from lulc_kit.preprocess import external

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_batch_file_never_gets_what_its_shell_would_interpret(tmp_path):
    with pytest.raises(LulcError, match="batch files"):
        external.start([r"C:\Sen2Cor\L2A_Process.bat", r"C:\data & more\x.SAFE"], tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX's")
def test_after_the_deadline_a_program_and_its_children_are_gone(tmp_path):
    process = external.start([sys.executable, "-c", PARENT], tmp_path)
    child = int(process.stdout.readline())
    with external.deadline(process, 0.1) as expired:
        process.wait(timeout=20)
    assert expired.is_set()
    end = time.monotonic() + 10
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "the child is still running"
        time.sleep(0.05)
    process.stdout.close()
