"""A person in JupyterLab: opens a notebook, runs all its cells, and sees pictures, not errors."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests import scene

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"),
]


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _edit_parameters(notebook: Path, values: dict[str, object]) -> None:
    """Do what a person does: write other values into the cell tagged ``parameters``."""
    content = nbformat.read(notebook, as_version=4)
    cell = next(c for c in content.cells if "parameters" in c.metadata.get("tags", []))
    cell.source += "".join(f"\n{name} = {value!r}" for name, value in values.items())
    nbformat.write(content, notebook)


@pytest.fixture
def lab(tmp_path: Path, finished: scene.Finished) -> Iterator[tuple[str, Path]]:
    """JupyterLab on loopback, in a project whose notebooks have been run, with its figures taken away."""
    project = shutil.copytree(finished.project, tmp_path / "project")
    shutil.rmtree(project / "outputs/tiny/figures")
    _edit_parameters(project / "notebooks/03_visualize.ipynb", scene.parameters(finished.data)["03_visualize"])
    port, home = _free_port(), tmp_path / "home"
    # Every cell stays in the page, also those out of sight.
    settings = home / "config/lab/user-settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"windowingMode": "none"}')
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}"),
            *("--ServerApp.ip=127.0.0.1", "--ServerApp.token=", "--ServerApp.password=", f"--notebook-dir={project}"),
            "--ServerApp.port_retries=0",
        ],
        env=scene.environment() | {"HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=5)
                break
            except OSError:
                assert server.poll() is None, "JupyterLab ended while starting"
                time.sleep(0.5)
        yield address, project
    finally:
        if os.name == "posix":
            os.killpg(server.pid, 15)
        else:
            server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


def test_a_notebook_runs_from_top_to_bottom(lab: tuple[str, Path]) -> None:
    address, project = lab
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(f"{address}/lab/tree/notebooks/03_visualize.ipynb", wait_until="domcontentloaded")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
        page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=120_000)
        page.click(".lm-MenuBar-itemLabel:text-is('Run')", timeout=60_000)
        page.click(".lm-Menu-itemLabel:text-is('Run All Cells')", timeout=60_000)
        # The last code cell says what was written; it cannot before all others ran.
        try:
            page.wait_for_function(
                "document.querySelector('.jp-Notebook').innerText.includes('Written to')", timeout=120_000
            )
        except playwright.TimeoutError:
            page.screenshot(path=str(project / "lab.png"))
            pytest.fail(f"the notebook did not run to its end; see {project / 'lab.png'}")
        text = page.inner_text(".jp-Notebook")
        pictures = page.locator(".jp-Notebook .jp-RenderedImage img").count()
        lists = page.locator(".jp-Notebook select").count()
        browser.close()
    assert "Traceback" not in text and "LulcError" not in text
    assert pictures >= 3
    assert lists >= 1, "the widget that chooses bands is not shown"
    for name in ("bands", "composites", "histograms"):
        assert (project / f"outputs/tiny/figures/{name}.png").stat().st_size > 1000
