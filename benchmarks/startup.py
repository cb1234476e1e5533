"""What each notebook imports, in seconds, each time in a fresh interpreter.

    python -m benchmarks.startup [--runs 3] [--modules] [--study]

All import statements of a notebook's cells are run one after the other. With ``--modules`` the dearest modules are
listed too, as ``python -X importtime`` tells them. A kernel itself, and papermill that starts it, stand in rows of
their own; with ``--study`` also the ten steps of the tests' tiny study (simulated), with kernels that are started one
by one and with kernels forked from a process that has loaded the libraries.
"""

import argparse
import ast
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from benchmarks import report
from tests import scene

ROOT = Path(__file__).parents[1]
GOAL, LIGHT = 3.0, ("01", "02", "03", "04", "05", "06", "09")
KERNEL = """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
client.stop_channels()
manager.shutdown_kernel(now=True)
"""


def imports(notebook: Path) -> str:
    """Return the import statements of a notebook, in order."""
    cells = nbformat.read(notebook, as_version=4).cells
    trees = [ast.parse(cell.source) for cell in cells if cell.cell_type == "code"]
    found = [node for tree in trees for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(ast.unparse(node) for node in found)


def seconds(code: str, runs: int) -> float:
    """Median time of a fresh interpreter that runs ``code``; a first run, which does not count, compiles."""
    times = []
    for _ in range(1 + runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def dearest(code: str, count: int = 15) -> list[tuple[float, str]]:
    """Return the modules that take longest with all that they import: seconds, name."""
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], cwd=ROOT, capture_output=True, text=True)
    lines = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines() if "|" in line]
    found = [(int(line[1]) / 1e6, line[2].strip()) for line in lines if line[1].strip().isdigit()]
    return sorted(found, reverse=True)[:count]


def take_study(forked: bool) -> float:
    """Time a run of the tiny study, in a process of its own."""
    code = (
        "from lulc_kit import run\nsteps = run.plan('tiny')\n"
        f"with run.fork_kernels({'len(steps)' if forked else 1}): run.run(steps)"
    )
    with tempfile.TemporaryDirectory() as folder:
        data = scene.write_data(Path(folder) / "data")
        project = scene.make_project(Path(folder) / "project", scene.parameters(data))
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=project, env=scene.environment(), check=True)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median counts")
    parser.add_argument("--modules", action="store_true", help="list the dearest modules of each notebook")
    parser.add_argument("--study", action="store_true", help="run the tiny study with and without forks, minutes")
    arguments = parser.parse_args()
    rows: list[list[object]] = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        code = imports(path)
        goal = GOAL if path.stem[:2] in LIGHT else "–"
        rows.append([path.stem, seconds(code, arguments.runs), goal])
        if arguments.modules:
            print(path.stem, *(f"  {took:6.2f} {name}" for took, name in dearest(code)), sep="\n", flush=True)
    for name, code in (
        ("import lulc_kit", "import lulc_kit"),
        ("lulc (its command line)", "import lulc_kit.cli"),
        ("papermill", "import papermill"),
        ("a Jupyter kernel, started and stopped", KERNEL),
    ):
        rows.append([name, seconds(code, arguments.runs), "–"])
    if arguments.study:
        for forked in (False, True):
            name = f"ten steps of a tiny study, kernels {'forked' if forked else 'started'}"
            rows.append([name, take_study(forked), "–"])
    report.publish(
        "startup", f"Imports in fresh interpreters, median of {arguments.runs}", ["what", "seconds", "goal"], rows
    )


if __name__ == "__main__":
    main()
