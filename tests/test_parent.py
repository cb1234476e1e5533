"""A process that was started by another ends with it, though nobody tells it."""

import subprocess
import sys

import psutil
import pytest

from tests.scene import REPOSITORY, environment

STARTS = """
import multiprocessing, time
from lulc_kit import parent

def work(pipe):
    parent.watch()
    pipe.send(True)
    time.sleep(600)

if __name__ == "__main__":
    context = multiprocessing.get_context("{way}")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(there,))
    process.start()
    here.recv()
    print(process.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize(
    "way",
    [
        "spawn",
        pytest.param("forkserver", marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows forks nothing")),
    ],
)
def test_a_process_ends_with_the_one_that_started_it(way, tmp_path):
    script = tmp_path / "starts.py"
    script.write_text(STARTS.replace("{way}", way), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, script], cwd=REPOSITORY, env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        child = psutil.Process(int(process.stdout.readline()))
        assert child.is_running()
        process.kill()
    _, alive = psutil.wait_procs([child], timeout=30)
    assert alive == []
