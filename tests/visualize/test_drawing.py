"""The area drawn by mouse: what JupyterLab sends to the kernel is sent here."""

import asyncio
from typing import Any

import pytest

from lulc_kit.download import area
from lulc_kit.visualize import drawing

pytest.importorskip("ipyleaflet")


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/01_download.ipynb")


def shape(*corners: tuple[float, float]) -> dict[str, Any]:
    ring = [list(corner) for corner in (*corners, corners[0])]
    return {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def rectangle(left: float, bottom: float, right: float, top: float) -> dict[str, Any]:
    return shape((left, bottom), (left, top), (right, top), (right, bottom))


def draw(world: Any, *shapes: dict[str, Any]) -> None:
    """Let the page tell the kernel what is drawn now, as Jupyter's protocol of widgets does."""
    (pen,) = (control for control in world.controls if hasattr(control, "rectangle"))
    update = {"method": "update", "state": {"data": list(shapes)}, "buffer_paths": []}
    pen._handle_msg({"content": {"data": update}, "buffers": []})


@pytest.mark.usefixtures("somebody")
def test_a_rectangle_becomes_the_line_for_the_parameters() -> None:
    world, line, said = drawing.draw_area(area.read).children
    assert (line.value, said.value) == ("", "")
    draw(world, rectangle(116.80996, 34.02004, 117.717, 34.588))
    assert line.value == "area = [116.81, 34.02, 117.717, 34.588]"
    values: dict[str, Any] = {}
    exec(line.value, values)  # as the cell of parameters does
    assert area.read(values["area"]).crs == "EPSG:32650"
    assert "8,382 × 6,330 pixels of 10 m, EPSG:32650" in said.value  # of the docstring of area.read
    draw(world)  # deleted
    assert (line.value, said.value) == ("", "")


@pytest.mark.usefixtures("somebody")
def test_of_two_rectangles_the_latest_stays() -> None:
    world, line, _ = drawing.draw_area(area.read).children
    draw(world, rectangle(1, 2, 3, 4), rectangle(12.0, 53.0, 12.5, 53.5))
    assert line.value == "area = [12.0, 53.0, 12.5, 53.5]"
    (pen,) = (control for control in world.controls if hasattr(control, "rectangle"))
    assert len(pen.data) == 1


@pytest.mark.usefixtures("somebody")
@pytest.mark.parametrize(
    ("drawn", "line", "says"),
    [
        ((476.81, 34.0, 477.7, 34.6), "area = [116.81, 34.0, 117.7, 34.6]", "EPSG:32650"),  # once round the world
        ((-243.19, 34.0, -242.3, 34.6), "area = [116.81, 34.0, 117.7, 34.6]", "EPSG:32650"),
        ((179.5, -17.0, 180.5, -16.0), "area = [179.5, -17.0, -179.5, -16.0]", "crosses the antimeridian"),
        ((0.0, 40.0, 30.0, 50.0), "area = [0.0, 40.0, 30.0, 50.0]", "divide the area"),
        ((0.0, 70.0, 3.0, 85.0), "area = [0.0, 70.0, 3.0, 85.0]", "end at"),
    ],
)
def test_what_cannot_be_an_area_is_said_under_the_map(drawn: tuple[float, ...], line: str, says: str) -> None:
    world, shown, said = drawing.draw_area(area.read).children
    draw(world, rectangle(*drawn))  # type: ignore[arg-type]
    assert shown.value == line
    assert says in said.value


@pytest.mark.usefixtures("somebody")
def test_it_opens_where_the_area_is_already() -> None:
    async def cell() -> Any:  # a kernel's cells run in a loop, and ipyleaflet moves the map by a task of it
        parts = drawing.draw_area(area.read, [12.0, 53.0, 12.5, 53.5]).children
        (moving,) = asyncio.all_tasks() - {asyncio.current_task()}
        moving.cancel()  # it waits for a page to answer
        return parts

    loop = asyncio.new_event_loop()  # not asyncio.run, which takes the thread's own loop away from later tests
    try:
        _, line, said = loop.run_until_complete(cell())
    finally:
        loop.close()
    assert line.value == "area = [12.0, 53.0, 12.5, 53.5]"
    assert "EPSG:32633" in said.value


def test_without_a_reader_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert drawing.draw_area(area.read) is None
