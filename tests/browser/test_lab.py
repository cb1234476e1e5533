"""A person in JupyterLab: opens a notebook, runs all its cells, and sees pictures, not errors."""

import ast
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


@contextlib.contextmanager
def _lab(project: Path, home: Path) -> Iterator[str]:
    """JupyterLab on loopback, in a project."""
    port = _free_port()
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
        yield address
    finally:
        if os.name == "posix":
            os.killpg(server.pid, 15)
        else:
            server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


@contextlib.contextmanager
def _opened(address: str, notebook: str) -> Iterator[Any]:
    """The page in which a person has opened a notebook and runs all its cells."""
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(f"{address}/lab/tree/notebooks/{notebook}.ipynb", wait_until="domcontentloaded")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
        page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=120_000)
        page.click(".lm-MenuBar-itemLabel:text-is('Run')", timeout=60_000)
        page.click(".lm-Menu-itemLabel:text-is('Run All Cells')", timeout=60_000)
        yield page
        browser.close()


@pytest.mark.long
def test_a_notebook_runs_from_top_to_bottom(tmp_path: Path, finished: scene.Finished) -> None:
    """In a project whose notebooks have been run, with its figures taken away."""
    project = shutil.copytree(finished.project, tmp_path / "project")
    shutil.rmtree(project / "outputs/tiny/figures")
    _edit_parameters(project / "notebooks/03_visualize.ipynb", scene.parameters(finished.data)["03_visualize"])
    with _lab(project, tmp_path / "home") as address, _opened(address, "03_visualize") as page:
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
    assert "Traceback" not in text and "LulcError" not in text
    assert pictures >= 3
    assert lists >= 1, "the widget that chooses bands is not shown"
    for name in ("bands", "composites", "histograms"):
        assert (project / f"outputs/tiny/figures/{name}.png").stat().st_size > 1000


@pytest.mark.long
def test_an_area_is_drawn_by_mouse(tmp_path: Path, data: Path) -> None:
    """A rectangle, dragged; a second in its place; and the line to copy is where they are. There is no background."""
    project = scene.make_project(tmp_path / "project", {})
    _edit_parameters(project / "notebooks/01_download.ipynb", scene.parameters(data)["01_download"])
    with _lab(project, tmp_path / "home") as address, _opened(address, "01_download") as page:
        world = page.locator(".jp-Notebook .leaflet-container")
        world.wait_for(timeout=120_000)
        line = page.locator(".jp-Notebook input[type=text][placeholder^='draw a rectangle']")
        drawn = []
        for start, end in (((0.2, 0.3), (0.35, 0.5)), ((0.5, 0.3), (0.7, 0.6))):
            world.scroll_into_view_if_needed()
            page.click(".leaflet-draw-draw-rectangle")
            place = world.bounding_box()
            corners = [(place["x"] + place["width"] * x, place["y"] + place["height"] * y) for x, y in (start, end)]
            page.mouse.move(*corners[0])
            page.mouse.down()
            page.mouse.move(*corners[1], steps=8)
            page.mouse.up()
            before = drawn[-1] if drawn else ""
            page.wait_for_function(
                "before => { const line = document.querySelector(\".jp-Notebook input[placeholder^='draw a']\");"
                " return line.value && line.value != before }",
                arg=before,
                timeout=30_000,
            )
            drawn.append(line.input_value())
        page.wait_for_function(
            "document.querySelectorAll('.jp-Notebook .leaflet-overlay-pane path').length == 1", timeout=30_000
        )
        width = place["width"]
    boxes = [ast.literal_eval(text.removeprefix("area = ")) for text in drawn]
    for (left, bottom, right, top), share in zip(boxes, (0.15, 0.2), strict=True):
        assert right - left == pytest.approx(share * width * 360 / (256 * 2**2), rel=0.02)  # zoom 2: 4 tiles of 256
        assert bottom < top
    assert boxes[0][2] < boxes[1][0]
