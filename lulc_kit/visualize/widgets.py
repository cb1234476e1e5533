"""Widgets for looking around in JupyterLab. Without a reader (papermill) they draw one picture and leave it."""

from typing import Any

import ipywidgets
import xarray as xr

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
    ipywidgets.interactive
        Shown by JupyterLab as three lists of bands, a slider and the picture.
    """
    small = style.thin(image)
    names = [str(b) for b in small.band.values]
    first = images.true_colour(small)

    def draw(red: str, green: str, blue: str, stretch: tuple[float, float]) -> Any:
        return images.composites(small, [[red, green, blue]], stretch, title)

    lists = {
        colour: ipywidgets.Dropdown(options=names, value=band, description=colour)
        for colour, band in zip(("red", "green", "blue"), first, strict=True)
    }
    slider = ipywidgets.FloatRangeSlider(value=(2, 98), min=0, max=100, description="percentiles")
    return ipywidgets.interactive(draw, {"auto_display": True}, **lists, stretch=slider)
