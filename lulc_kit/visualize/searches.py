"""Pictures of what a search found, before anything is fetched. Each function returns a Figure, and None for None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lulc_kit.late import gpd, pd, plt, xr
from lulc_kit.visualize.style import count_map, head, picture, proportions, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@picture
def footprints(found: gpd.GeoDataFrame) -> Figure:
    """Draw where scenes have data, in the colour of their cloud cover, and the area that was asked for.

    Parameters
    ----------
    found
        In degrees, with ``cloud`` (%) and ``tile``; in its ``attrs`` the ``area`` (degrees) and its ``name``.
    """
    area, name = found.attrs["area"], found.attrs["name"]
    figure, ax = subplots(figsize=(8, 7))
    cmap = plt.get_cmap("cividis")
    # The cloudiest first, so that clear ones lie on top.
    for row in found.sort_values("cloud", ascending=False).itertuples():
        colour = cmap(row.cloud / 100)
        for part in getattr(row.geometry, "geoms", [row.geometry]):
            x, y = part.exterior.xy
            ax.fill(x, y, facecolor=(*colour[:3], 0.08), edgecolor=colour, linewidth=1)
    for tile, shapes in found.groupby("tile").geometry:
        middle = shapes.union_all().centroid
        ax.annotate(str(tile), (middle.x, middle.y), ha="center", fontsize=8)
    for part in getattr(area, "geoms", [area]):
        x, y = part.exterior.xy
        ax.plot(x, y, color="#D55E00", linewidth=2.5)
    ax.set_aspect(1 / np.cos(np.radians(area.centroid.y)))  # a kilometre is as long in both directions
    ax.set_xlabel("longitude, °")
    ax.set_ylabel("latitude, °")
    ax.ticklabel_format(useOffset=False)
    figure.colorbar(plt.cm.ScalarMappable(plt.Normalize(0, 100), cmap), ax=ax, label="cloud cover, %", shrink=0.8)
    return head(figure, f"{len(found)} scene(s) and the area (red) {name}")


@picture
def cloud_cover(found: pd.DataFrame) -> Figure:
    """Draw the cloud cover of each date as a bar, a row of bars for each tile.

    Parameters
    ----------
    found
        One row per scene: ``date``, ``tile``, ``cloud`` (%).
    """
    tiles = sorted(found["tile"].unique())
    figure, axes = subplots(len(tiles), figsize=(9, 1.6 * len(tiles) + 1), sharex=True, sharey=True, squeeze=False)
    days = pd.to_datetime(found["date"])
    apart = days.drop_duplicates().sort_values().diff().dt.days.dropna()
    width = 0.8 * min(float(apart.min()) if len(apart) else 1.0, 20.0)
    for ax, tile in zip(axes[:, 0], tiles, strict=True):
        own = found["tile"] == tile
        ax.bar(days[own], found["cloud"][own], width, color="#0072B2")
        ax.plot(days[own], np.zeros(own.sum()), "|", color="black", markersize=5)  # a clear day's bar has no height
        ax.set_ylim(0, 100)
        ax.set_ylabel(f"{tile}\ncloud, %", fontsize=8)
    axes[-1, 0].tick_params(axis="x", rotation=30)
    return head(figure, f"Cloud cover of {len(found)} scene(s), as their metadata say")


@picture
def coverage(count: xr.DataArray) -> Figure:
    """Draw on how many dates each pixel would be seen, clouds or not, (1, y, x); 0 is grey."""
    most = max(1, int(count.max()))
    figure, ax = subplots(figsize=(9, min(9, 8 * proportions(count)) + 0.5))
    count_map(ax, count, most, "dates (grey: none)")
    ax.set_title("On how many dates each pixel would be seen, clouds or not")
    return figure


@picture
def quicklooks(pictures: Mapping[str, npt.NDArray[np.uint8]]) -> Figure:
    """Draw small pictures, (row, column, 3), side by side under their names."""
    columns = max(1, min(6, len(pictures)))
    rows = max(1, -(-len(pictures) // columns))
    figure, axes = subplots(rows, columns, figsize=(max(4, 2 * columns), 2.3 * rows + 0.3), squeeze=False)
    for ax in axes.ravel():
        ax.axis("off")
    for ax, (name, shown) in zip(axes.ravel(), pictures.items(), strict=False):
        ax.imshow(shown)
        ax.set_title(name, fontsize=8)
    return figure
