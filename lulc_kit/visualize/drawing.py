"""Drawing the area of a study by mouse, in JupyterLab. Without a reader (papermill) nothing is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lulc_kit import progress
from lulc_kit.errors import LulcError

_DIGITS = 4  # of degrees: 11 metres, about a pixel
_STYLE = {"color": "#D55E00", "weight": 3, "fillOpacity": 0.1}


def draw_area(read: Callable[[Any], Any], given: Sequence[float] | str | None = None) -> Any:
    """Draw a rectangle on a map, and get the line that goes into the cell of parameters.

    The background is that of OpenStreetMap and wants the internet; without it one draws on grey.

    Parameters
    ----------
    read
        Understands ``area`` as the search will (`lulc_kit.download.area.read`): what it says of the rectangle, its
        grid or why it is refused, is shown below the map.
    given
        The parameter ``area``: where the map opens; None for the whole world.

    Returns
    -------
    ipywidgets.VBox
        The map, the line to copy (``area = [left, bottom, right, top]``, degrees), and what the kit makes of it; None
        where nobody could draw.
    """
    if not progress.has_reader():
        return None
    import ipyleaflet
    import ipywidgets

    world = ipyleaflet.Map(center=(30, 10), zoom=2, scroll_wheel_zoom=True, layout={"height": "450px"})
    pen = ipyleaflet.DrawControl(
        rectangle={"shapeOptions": _STYLE}, polyline={}, polygon={}, circlemarker={}, circle={}, marker={}
    )
    for part in (pen, ipyleaflet.ScaleControl(position="bottomleft", imperial=False)):
        world.add(part)
    line = ipywidgets.Text(description="copy", placeholder="draw a rectangle: the square in the map's left bar")
    line.layout.width = "100%"
    said = ipywidgets.Label()

    def drawn(change: Any) -> None:
        shapes = change["new"]
        if len(shapes) > 1:  # one area: the latest
            pen.data = shapes[-1:]
            return
        box = _box(shapes[0]) if shapes else None
        line.value = f"area = {box}" if box else ""
        said.value = _understood(read, box) if box else ""

    pen.observe(drawn, "data")
    if given is not None:
        left, bottom, right, top = read(given).geometry.bounds
        world.fit_bounds([[bottom, left], [top, right]])
        pen.data = [_shape(left, bottom, right, top)]
    return ipywidgets.VBox([world, line, said])


def _box(shape: dict[str, Any]) -> list[float]:
    """Return left, bottom, right, top of a rectangle as Leaflet gives it, degrees."""
    corners = shape["geometry"]["coordinates"][0]
    x, y = zip(*corners, strict=True)
    turns = ((min(x) + max(x)) / 2 + 180) // 360  # a map may be pulled round the world
    west, east = (_wrapped(v - 360 * turns) for v in (min(x), max(x)))
    return [round(v, _DIGITS) for v in (west, min(y), east, max(y))]


def _wrapped(longitude: float) -> float:
    """Return a longitude between −180 and 180°: of a rectangle across the antimeridian the right lies left."""
    return (longitude + 180) % 360 - 180 if abs(longitude) > 180 else longitude


def _shape(left: float, bottom: float, right: float, top: float) -> dict[str, Any]:
    corners = [[left, bottom], [left, top], [right, top], [right, bottom], [left, bottom]]
    style = {"style": _STYLE}
    return {"type": "Feature", "properties": style, "geometry": {"type": "Polygon", "coordinates": [corners]}}


def _understood(read: Callable[[Any], Any], box: list[float]) -> str:
    try:
        found = read(box)
    except LulcError as error:
        return str(error)
    grid = found.grid
    return f"{grid.width:,} × {grid.height:,} pixels of 10 m, {found.crs}. Now write the line into the parameters."
