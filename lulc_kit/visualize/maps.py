"""Maps: classes, masks, folds, confidence. Each function returns a Figure, and None for None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lulc_kit import raster
from lulc_kit.classes import LandClass, Scheme
from lulc_kit.late import pd, plt, xr
from lulc_kit.visualize import fonts
from lulc_kit.visualize.style import (
    NODATA_COLOUR,
    PANEL_PIXELS,
    QUALITATIVE,
    decorate,
    extent,
    head,
    picture,
    proportions,
    subplots,
    thin,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch


@picture
def class_map(codes: xr.DataArray, classes: Scheme, title: str = "", missing: str = "no data") -> Figure:
    """Draw a class map in the scheme's colours, with legend, kilometres, scale bar and north arrow.

    Parameters
    ----------
    codes
        Class values, (1, y, x); 0 is drawn as no data.
    classes
        The classes.
    title
        Title of the picture.
    missing
        What the legend calls 0.
    """
    entries = legend(classes, missing)
    figure, ax = _sheet(codes, entries)
    _paint(ax, codes, _colours(classes), title)
    return figure


@picture
def class_maps(maps: Mapping[str, xr.DataArray], classes: Scheme) -> Figure:
    """Draw several class maps of one scene side by side, with one legend."""
    shape = proportions(next(iter(maps.values())))
    columns = 1 if shape < 1 / 1.4 else min(3, len(maps))
    rows = -(-len(maps) // columns)
    width = 9 if shape < 1 / 1.4 else 4.6 * columns
    entries = legend(classes)
    height = max(rows * (width / columns * shape + 0.6), _height(entries))
    figure, axes = subplots(rows, columns, figsize=(width + 1.5, height), squeeze=False)
    for ax in axes.ravel()[len(maps) :]:
        ax.axis("off")
    for ax, (name, codes) in zip(axes.ravel(), maps.items(), strict=False):
        _paint(ax, codes, _colours(classes), name)
    figure.legend(handles=entries, loc="outside right upper", frameon=False)
    return figure


def legend(classes: Scheme, missing: str = "no data") -> list[Patch]:
    """Return the entries of a class legend."""
    fonts.check(classes.names)
    return [*(_entry(c.colour, c.name) for c in classes.classes), _entry(NODATA_COLOUR, missing)]


@picture
def categories(codes: xr.DataArray, names: Mapping[int, str], colours: Mapping[int, str], title: str) -> Figure:
    """Draw a raster of codes that are not land-cover classes (mask reasons, folds), each in a named colour."""
    present = set(np.unique(thin(codes).to_numpy()).tolist())
    shown = [v for v in names if v in present]
    figure, ax = _sheet(codes, [_entry(colours[v], names[v]) for v in shown])
    _paint(ax, codes, {v: colours[v] for v in shown}, title)
    return figure


@picture
def folds(split: xr.DataArray, title: str = "") -> Figure:
    """Draw which fold each labelled pixel belongs to, and which pixels train, test and wait while fold 1 is tested.

    Parameters
    ----------
    split
        Fold numbers, 0 for no label, in the band ``fold``; and in ``train_1`` whether a pixel may train the model that
        fold 1 tests. (band, y, x).
    title
        How the folds are kept apart.
    """
    fold, train = (raster.select(split, [name]) for name in ("fold", "train_1"))
    count = int(fold.max())
    colours = {k: QUALITATIVE[(k - 1) % len(QUALITATIVE)] for k in range(1, count + 1)}
    # Too near: labelled, of another fold, and yet not for training.
    role = fold.copy(data=np.where(fold.data == 1, 2, np.where(train.data > 0, 1, np.where(fold.data > 0, 3, 0))))
    roles = {
        1: ("trains", "#56B4E9"),
        2: ("tests: fold 1", "#D55E00"),
        3: ("left out: too near", "#000000"),
    }
    shape = proportions(split)
    size = (13, max(3.5, 5.2 * shape + 1)) if shape < 1.6 else (11, 9)
    figure, axes = subplots(1, 2, figsize=size)
    empty = {0: "#f2f2f2"}
    entries = [
        [_entry(empty[0], "no label"), *(_entry(c, f"fold {k}") for k, c in list(colours.items())[:20])],
        [_entry(colour, name) for name, colour in roles.values()],
    ]
    _paint(axes[0], fold, empty | colours, "Folds")
    _paint(axes[1], role, empty | {k: c for k, (_, c) in roles.items()}, "While fold 1 is tested")
    for ax, shown in zip(axes, entries, strict=True):
        ax.legend(handles=shown, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False, fontsize=8)
    return head(figure, title)


@picture
def doubtful(labels: xr.DataArray, suspects: pd.DataFrame, strangers: pd.DataFrame, classes: Scheme) -> Figure:
    """Draw where labels are doubtful: dots in the colour of the class they look like, crosses on what is like none.

    Parameters
    ----------
    labels
        Class values, (1, y, x), 0 for no label; drawn pale.
    suspects, strangers
        Tables of `quality.doubtful`: ``easting``, ``northing`` in the labels' CRS, and of suspects ``suggested``.
    classes
        The classes.
    """
    colours = {c.name: c.colour for c in classes.classes}
    pale = {0: "#ffffff"} | {c.value: _pale(c) for c in classes.classes}
    figure, ax = _sheet(labels, legend(classes, "no label"))
    _paint(
        ax,
        labels,
        pale,
        f"Labels to look at: {len(suspects)} like another class (dots), {len(strangers)} like none (crosses)",
    )
    for table, style in (
        (suspects, {"marker": "o", "c": [colours[n] for n in suspects.get("suggested", [])], "edgecolors": "black"}),
        (strangers, {"marker": "x", "c": "black"}),
    ):
        if len(table):
            ax.scatter(table["easting"] / 1000, table["northing"] / 1000, s=28, linewidths=1, **style)
    return figure


@picture
def confidence(probabilities: xr.DataArray, title: str) -> Figure:
    """Draw how sure a model is: the probability of the likeliest class, percent. 255 in the file is no data."""
    data = thin(probabilities).to_numpy()
    best = np.ma.masked_where((data == 255).any(axis=0), data.max(axis=0))
    figure, ax = _sheet(probabilities)
    cmap = plt.get_cmap("cividis").with_extremes(bad=NODATA_COLOUR)
    drawn = ax.imshow(best, cmap=cmap, vmin=0, vmax=100, extent=extent(probabilities.odc.geobox))
    ax.set_title(title)
    decorate(ax, probabilities.odc.geobox)
    figure.colorbar(drawn, ax=ax, label="probability of the mapped class, % (grey: no data)", shrink=0.8)
    return figure


@picture
def certainty(layers: Mapping[str, xr.DataArray], title: str) -> Figure:
    """Draw layers in whole percent side by side, such as probability, margin and entropy. 255 in a file is no data.

    Parameters
    ----------
    layers
        By what they are called; of a layer with several bands the greatest number of each pixel is shown.
    title
        Title of the picture.
    """
    shape = proportions(next(iter(layers.values())))
    columns = 2 if len(layers) == 4 else 1 if shape < 1 / 1.8 else len(layers)
    rows = -(-len(layers) // columns)
    width = 9.0 if columns == 1 else 4.4 * columns
    figure, axes = subplots(rows, columns, figsize=(width, rows * (width / columns * shape + 0.7)), squeeze=False)
    cmap = plt.get_cmap("cividis").with_extremes(bad=NODATA_COLOUR)
    for ax, (name, layer) in zip(axes.ravel(), layers.items(), strict=True):
        data = thin(layer, PANEL_PIXELS).to_numpy()
        shown = np.ma.masked_where((data == 255).any(axis=0), data.max(axis=0))
        drawn = ax.imshow(shown, cmap=cmap, vmin=0, vmax=100, extent=extent(layer.odc.geobox))
        ax.set_title(name)
        decorate(ax, layer.odc.geobox)
    figure.colorbar(drawn, ax=axes, label="% (grey: no data)", shrink=0.8)
    return head(figure, title)


@picture
def applicability(index: xr.DataArray, title: str) -> Figure:
    """Draw how unlike the training samples each pixel is: blue inside the area of applicability, red outside.

    Parameters
    ----------
    index
        Dissimilarity over its threshold, (1, y, x), NaN for no data.
    title
        Title of the picture.
    """
    from matplotlib.colors import TwoSlopeNorm

    data = thin(index).to_numpy()[0]
    figure, ax = _sheet(index)
    cmap = plt.get_cmap("RdYlBu_r").with_extremes(bad=NODATA_COLOUR)
    norm = TwoSlopeNorm(vcenter=1, vmin=0, vmax=2)
    drawn = ax.imshow(np.ma.masked_invalid(data), cmap=cmap, norm=norm, extent=extent(index.odc.geobox))
    known = data[np.isfinite(data)]
    part = f" ({(known <= 1).mean():.0%} inside)" if known.size else ""
    ax.set_title(title + part)
    decorate(ax, index.odc.geobox)
    label = "dissimilarity over its threshold (grey: no data)"
    figure.colorbar(drawn, ax=ax, label=label, shrink=0.8, extend="max")
    return figure


@picture
def set_sizes(sizes: xr.DataArray, classes: Scheme, title: str) -> Figure:
    """Draw how many of the classes each pixel may be; (1, y, x), NaN for no data."""
    most = len(classes.values)
    data = thin(sizes).to_numpy()[0]
    figure, ax = _sheet(sizes)
    cmap = plt.get_cmap("viridis", most + 1).with_extremes(bad=NODATA_COLOUR)
    drawn = ax.imshow(
        np.ma.masked_invalid(data),
        cmap=cmap,
        vmin=-0.5,
        vmax=most + 0.5,
        extent=extent(sizes.odc.geobox),
        interpolation="nearest",
    )
    ax.set_title(title)
    decorate(ax, sizes.odc.geobox)
    ticks = np.unique(np.linspace(0, most, min(most, 12) + 1).round().astype(int))
    figure.colorbar(drawn, ax=ax, ticks=ticks, label="classes in the set (grey: no data)", shrink=0.8)
    return figure


def _colours(classes: Scheme) -> dict[int, str]:
    return {0: NODATA_COLOUR} | {c.value: c.colour for c in classes.classes}


def _pale(of: LandClass) -> str:
    return "#" + "".join(f"{round(0.3 * part + 0.7 * 255):02x}" for part in of.rgb)


def _entry(colour: str, name: str) -> Patch:
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, edgecolor="black", label=name)


def _height(entries: Sequence[Patch]) -> float:
    """Return the height that a legend needs, with what stands under it; inches."""
    return 0.22 * len(entries) + 0.8


def _sheet(codes: xr.DataArray, entries: Sequence[Patch] = ()) -> tuple[Figure, Axes]:
    """Return a figure for one map, with its legend."""
    figure, ax = subplots(figsize=(9, max(min(9, 8 * proportions(codes) + 1), _height(entries))))
    if entries:
        figure.legend(handles=entries, loc="outside right upper", frameon=False)
    return figure, ax


def _paint(ax: Axes, codes: xr.DataArray, colours: Mapping[int, str], title: str) -> None:
    """Paint codes (1, y, x), 0–255, in their colours."""
    from matplotlib.colors import BoundaryNorm, ListedColormap

    # Codes become positions first: the norm needs neighbours that are one apart.
    position = np.zeros(256, int)
    position[list(colours)] = np.arange(len(colours))
    ax.imshow(
        position[thin(codes).to_numpy()[0]],
        cmap=ListedColormap(list(colours.values())),
        norm=BoundaryNorm(np.arange(len(colours) + 1) - 0.5, len(colours)),
        extent=extent(codes.odc.geobox),
        interpolation="nearest",
    )
    ax.set_title(title)
    decorate(ax, codes.odc.geobox)
