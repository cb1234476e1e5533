"""Widgets for looking around in JupyterLab. Without a reader (papermill) they draw one picture and leave it."""

from __future__ import annotations

import io
from typing import Any

from lulc_kit.late import xr
from lulc_kit.visualize import images, style


def explore(image: xr.DataArray, title: str = "") -> Any:
    """Choose three bands and a stretch, and see the composite.

    Parameters
    ----------
    image
        Reflectance, (band, y, x).
    title
        What the image is (see `style.caption`).

    Returns
    -------
    ipywidgets.VBox
        Shown by JupyterLab as three lists of bands, a slider and the picture.
    """
    import ipywidgets

    small = style.thin(image)
    names = [str(b) for b in small.band.values]
    first = images.true_colour(small)

    lists = [
        ipywidgets.Dropdown(options=names, value=band, description=colour)
        for colour, band in zip(("red", "green", "blue"), first, strict=True)
    ]
    slider = ipywidgets.FloatRangeSlider(value=(2, 98), min=0, max=100, description="percentiles")
    # A picture of its own, not an Output widget: while one of those is open, nbclient waits for ever.
    picture = ipywidgets.Image(format="png")

    def draw(_: object = None) -> None:
        shown = images.composites(small, [[choice.value for choice in lists]], slider.value, title)
        assert shown is not None
        buffer = io.BytesIO()
        shown.savefig(buffer, format="png", bbox_inches="tight")
        picture.value = buffer.getvalue()

    for control in (*lists, slider):
        control.observe(draw, "value")
    draw()
    return ipywidgets.VBox([ipywidgets.HBox(lists), slider, picture])
