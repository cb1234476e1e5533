"""Widgets for looking around in JupyterLab. Without a reader (papermill) they draw one picture and leave it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from lulc_kit.late import pd, xr
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
        picture.value = _png(shown)

    for control in (*lists, slider):
        control.observe(draw, "value")
    draw()
    return ipywidgets.VBox([ipywidgets.HBox(lists), slider, picture])


def over_time(series: xr.DataArray | None, background: xr.DataArray | None, fit: Callable[..., Any]) -> Any:
    """Choose a pixel, and see its clear observations in time with the yearly wave that is fitted to them.

    Parameters
    ----------
    series
        One layer on many dates, (date, y, x), NaN where it is not clear; None shows nothing.
    background
        Of the map: its first band is drawn, however many pixels it has, (band, y, x).
    fit
        From the values of a pixel, (date,), the dates and the order (1 or 2), to days and the fit on each
        (`lulc_kit.features.temporal.curve`).

    Returns
    -------
    ipywidgets.VBox
        Two sliders for row and column, the choice of the wave, and the picture: map with the pixel, and its curve.
    """
    if series is None or background is None:
        return None
    import ipywidgets

    rows, columns = series.shape[1:]
    behind = np.asarray(background)[0]
    dates = [str(date) for date in series["date"].values]
    row = ipywidgets.IntSlider(rows // 2, 0, rows - 1, description="row", continuous_update=False)
    column = ipywidgets.IntSlider(columns // 2, 0, columns - 1, description="column", continuous_update=False)
    order = ipywidgets.ToggleButtons(options=[("a year", 1), ("and half a year", 2)], description="wave of")
    picture = ipywidgets.Image(format="png")

    def draw(_: object = None) -> None:
        values = np.asarray(series[:, row.value, column.value], float)
        figure, (left, right) = style.subplots(1, 2, figsize=(12, 4), width_ratios=[1, 2])
        left.imshow(behind, cmap="viridis", extent=(0, columns, rows, 0))
        left.plot(column.value + 0.5, row.value + 0.5, "o", markersize=9, color="none", markeredgecolor="red")
        left.set_title(str(background.band.values[0]))
        left.set_xlabel("column")
        left.set_ylabel("row")
        right.plot(pd.to_datetime(dates), values, "o", color="#0072B2", label="clear observations")
        days, fitted = fit(values, dates, order.value)
        right.plot(pd.to_datetime(days), fitted, color="#D55E00", label="fitted wave")
        right.set_ylabel(str(series.name))
        right.set_title(f"{np.isfinite(values).sum()} of {len(values)} dates are clear here")
        right.legend(fontsize=8)
        picture.value = _png(figure)

    for control in (row, column, order):
        control.observe(draw, "value")
    draw()
    return ipywidgets.VBox([ipywidgets.HBox([row, column, order]), picture])


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    return buffer.getvalue()
