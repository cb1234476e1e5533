"""What all pictures share: colours, whose data they show, titles, kilometres, and how they become PNG files."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import dask
import numpy as np
from odc.geo.geobox import GeoBox

from lulc_kit import attribution, files, raster
from lulc_kit.late import plt, xr
from lulc_kit.raster import blockwise
from lulc_kit.visualize import fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NODATA_COLOUR = "#d9d9d9"
MAX_PIXELS = 1500
"""Longest side of a picture that is drawn; larger rasters are thinned."""
PANEL_PIXELS = 750
"""The same for one picture among many."""

# Okabe & Ito: eight colours that colour-blind readers tell apart.
QUALITATIVE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000"]

Shown = TypeVar("Shown")
Options = ParamSpec("Options")


def picture(
    draw: Callable[Concatenate[Shown, Options], Figure],
) -> Callable[Concatenate[Shown | None, Options], Figure | None]:
    """Make a picture of a function that draws one: nothing for None, all scripts, and a dollar sign is a dollar sign.

    Names of classes, bands and runs are the user's; matplotlib would read what stands between two ``$`` as mathematics.
    """

    @functools.wraps(draw)
    def drawn(shown: Shown | None, /, *args: Options.args, **options: Options.kwargs) -> Figure | None:
        if shown is None:
            return None
        with plt.rc_context({"text.parse_math": False, "font.family": list(fonts.families())}):
            return draw(shown, *args, **options)

    return drawn


def subplots(rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """Return a figure that says whose data it shows, and its axes; ``options`` are those of pyplot's ``subplots``."""
    # Closed at once: pyplot would show the figure a second time at the end of a notebook's cell.
    figure, axes = plt.subplots(rows, columns, layout="constrained", **options)
    plt.close(figure)
    credit(figure)
    return figure, axes


def credit(figure: Figure) -> None:
    """Write under a figure whose data it shows, as `attribution` has it."""
    text = textwrap.fill(attribution.get(), int(16 * figure.get_figwidth()))  # letters that fit across
    if text:
        figure.supxlabel(text, x=0.99, ha="right", fontsize=7, color="#555555")


def head(figure: Figure, title: str) -> Figure:
    """Put a title above a figure, in lines that are no longer than it is wide."""
    figure.suptitle(textwrap.fill(title, int(12 * figure.get_figwidth())), fontsize="small")  # letters to the inch
    return figure


def caption(path: Path) -> str:
    """Return what an image of the cube says of itself, as a title: dates, level, correction. "" if there is none."""
    if not path.exists():
        return ""
    tags = raster.tags(path)
    days = (tags.get("dates") or tags["date"]).split()
    when = days[0] if len(days) == 1 else f"{tags['method']} of {len(days)} dates, {days[0]} … {days[-1]}"
    return f"{when} · {tags['level']} · correction: {tags['correction']}"


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, all or nothing."""
    figure.draw_without_rendering()  # lays it out, which savefig would do twice
    figure.set_layout_engine("none")
    with files.replacing(path) as part:
        figure.savefig(part, dpi=110, bbox_inches="tight")
    return path


def thin(data: xr.DataArray, side: int = MAX_PIXELS) -> xr.DataArray:
    """Return a raster of at most ``side`` rows and columns for a picture, in memory: every n-th pixel."""
    step = max(1, -(-max(data.shape[-2:]) // side))
    few = data[..., ::step, ::step]
    return few.copy(data=blockwise.decimate(data.data, step)) if dask.is_dask_collection(data.data) else few


def proportions(data: xr.DataArray) -> float:
    """Return the height of a raster over its width."""
    return data.sizes["y"] / data.sizes["x"]


def extent(geobox: GeoBox) -> tuple[float, float, float, float]:
    """Return left, right, bottom and top of a grid, km."""
    box = geobox.boundingbox
    return box.left / 1000, box.right / 1000, box.bottom / 1000, box.top / 1000


def decorate(axes: Axes, geobox: GeoBox) -> None:
    """Add kilometres, a scale bar and a north arrow to a map whose axes are in km."""
    from matplotlib.patheffects import withStroke

    left, right, bottom, top = extent(geobox)
    epsg = geobox.crs.to_epsg() if geobox.crs else None
    axes.set_xlabel(f"easting, km (EPSG:{epsg})" if epsg else "easting, km")
    axes.set_ylabel("northing, km")
    axes.ticklabel_format(useOffset=False)
    axes.tick_params(labelsize=8)
    axes.locator_params(nbins=5)
    halo = [withStroke(linewidth=3, foreground="white")]
    bar = _nice((right - left) / 4)
    x, y = left + 0.04 * (right - left), bottom + 0.06 * (top - bottom)
    # A rim wider than the bar: on black land it is all that shows.
    rim = [withStroke(linewidth=7, foreground="white")]
    axes.plot([x, x + bar], [y, y], color="black", lw=3, solid_capstyle="projecting", path_effects=rim)
    label = f"{bar:g} km" if bar >= 1 else f"{bar * 1000:g} m"
    axes.annotate(label, (x + bar / 2, y), (0, 4), textcoords="offset points", ha="center", path_effects=halo)
    axes.annotate(
        "N",
        (0.96, 0.96),
        (0.96, 0.80),
        xycoords="axes fraction",
        textcoords="axes fraction",
        ha="center",
        va="center",
        path_effects=halo,
        arrowprops={"arrowstyle": "-|>", "color": "black", "path_effects": halo},
    )


def count_map(axes: Axes, numbers: xr.DataArray, most: int, label: str) -> None:
    """Draw a map of numbers from 1 to ``most``, (1, y, x), with its colour bar; 0 is grey.

    One colour for each number as long as a reader can count them.
    """
    drawn = axes.imshow(
        np.ma.masked_equal(thin(numbers).to_numpy()[0], 0),
        cmap=plt.get_cmap("cividis", most if most <= 12 else None).with_extremes(bad=NODATA_COLOUR),
        vmin=0.5,
        vmax=most + 0.5,
        extent=extent(numbers.odc.geobox),
        interpolation="nearest",
    )
    ticks = np.unique(np.linspace(1, most, min(most, 12)).round().astype(int))
    axes.figure.colorbar(drawn, ax=axes, ticks=ticks, label=label, shrink=0.8)
    decorate(axes, numbers.odc.geobox)


def _nice(length: float) -> float:
    length *= 1 + 1e-9  # a last digit lost in subtracting edges must not halve the bar
    power = 10 ** np.floor(np.log10(length))
    return float(max(m for m in (1, 2, 5) if m * power <= length) * power)
