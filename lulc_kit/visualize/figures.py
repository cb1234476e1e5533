"""Figures of images, maps and numbers. Each function returns a matplotlib Figure; `save` writes it as PNG."""

import contextlib
import os
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dask
import matplotlib.patheffects
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from odc.geo.geobox import GeoBox

from lulc_kit import attribution, files, raster
from lulc_kit.classes import Scheme
from lulc_kit.raster import blockwise

NODATA_COLOUR = "#d9d9d9"
MAX_PIXELS = 1500
"""Longest side of a picture that is drawn; larger rasters are thinned."""
PANEL_PIXELS = 750
"""The same for one picture among many."""

# Okabe & Ito: eight colours that colour-blind readers tell apart.
QUALITATIVE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000"]


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, all or nothing."""
    with files.replacing(path) as part:
        figure.savefig(part, dpi=110, bbox_inches="tight")
    return path


def thin(data: xr.DataArray, side: int = MAX_PIXELS) -> xr.DataArray:
    """Return a raster of at most ``side`` rows and columns for a picture, in memory: every n-th pixel."""
    step = max(1, -(-max(data.shape[-2:]) // side))
    few = data[..., ::step, ::step]
    return few.copy(data=blockwise.decimate(data.data, step)) if dask.is_dask_collection(data.data) else few


def _subplots(rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    # Closed at once: pyplot would show the figure a second time at the end of a notebook's cell.
    figure, axes = plt.subplots(rows, columns, **options)
    plt.close(figure)
    _credited(figure)
    return figure, axes


def _credited(figure: Figure) -> None:
    text = textwrap.fill(attribution.declared(), int(16 * figure.get_figwidth()))  # letters that fit across
    if text:
        figure.supxlabel(text, x=0.99, ha="right", fontsize=7, color="#555555")


def _extent(geobox: GeoBox) -> tuple[float, float, float, float]:
    box = geobox.boundingbox
    return box.left / 1000, box.right / 1000, box.bottom / 1000, box.top / 1000


def _nice(length: float) -> float:
    length *= 1 + 1e-9  # a last digit lost in subtracting edges must not halve the bar
    power = 10 ** np.floor(np.log10(length))
    return float(max(m for m in (1, 2, 5) if m * power <= length) * power)


def decorate(axes: Axes, geobox: GeoBox) -> None:
    """Add kilometres, a scale bar and a north arrow to a map whose axes are in km."""
    left, right, bottom, top = _extent(geobox)
    epsg = geobox.crs.to_epsg() if geobox.crs else None
    axes.set_xlabel(f"easting, km (EPSG:{epsg})" if epsg else "easting, km")
    axes.set_ylabel("northing, km")
    axes.ticklabel_format(useOffset=False)
    axes.tick_params(labelsize=8)
    axes.locator_params(nbins=5)
    halo = [matplotlib.patheffects.withStroke(linewidth=3, foreground="white")]
    bar = _nice((right - left) / 4)
    x, y = left + 0.04 * (right - left), bottom + 0.06 * (top - bottom)
    axes.plot([x, x + bar], [y, y], color="black", lw=3, solid_capstyle="butt", path_effects=halo)
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


def stretched(image: xr.DataArray, bands: Sequence[str], percentiles: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return bands as a picture: (row, column, 4), each band stretched between its percentiles, nodata transparent."""
    data = raster.select(image, bands).to_numpy().astype(float)
    valid = np.isfinite(data).all(axis=0)
    rgba = np.zeros((*valid.shape, 4))
    for i, band in enumerate(data):
        if not valid.any():
            break
        low, high = np.percentile(band[valid], percentiles)
        rgba[..., i] = np.clip((np.where(valid, band, low) - low) / max(high - low, 1e-9), 0, 1)
    rgba[..., 3] = valid
    return rgba


def true_colour(image: xr.DataArray) -> list[str]:
    """Return the bands for red, green and blue as the eye sees them; of an image that lacks them its first bands."""
    names = [str(b) for b in image.band.values]
    wanted = ["B4", "B3", "B2"]
    return wanted if set(wanted) <= set(names) else [names[min(i, len(names) - 1)] for i in range(3)]


def caption(path: Path) -> str:
    """Return what an image of the cube says of itself, as a title: dates, level, correction."""
    tags = raster.tags(path)
    days = (tags.get("dates") or tags["date"]).split()
    when = days[0] if len(days) == 1 else f"{tags['method']} of {len(days)} dates, {days[0]} … {days[-1]}"
    return f"{when} · {tags['level']} · correction: {tags['correction']}"


def _headed(figure: Figure, title: str) -> Figure:
    """Put a title above a figure, in lines that are no longer than it is wide."""
    figure.suptitle(textwrap.fill(title, int(12 * figure.get_figwidth())), fontsize="small")  # letters to the inch
    return figure


def composites(
    image: xr.DataArray, triples: Sequence[Sequence[str]], percentiles: Sequence[float], title: str = ""
) -> Figure:
    """Draw colour composites side by side; what has no data is grey.

    Parameters
    ----------
    image
        Reflectance, (band, y, x).
    triples
        For each picture the bands shown as red, green, blue.
    percentiles
        Percentiles shown as black and as white.
    title
        What the image is (see `caption`), above all pictures.
    """
    small = thin(image)
    wide = small.sizes["x"] > 1.4 * small.sizes["y"]
    rows, columns = (len(triples), 1) if wide else (1, len(triples))
    height = 8 * small.sizes["y"] / small.sizes["x"] if wide else 5
    figure, axes = _subplots(
        rows,
        columns,
        figsize=(9 if wide else 5 * columns, (height + 0.8) * rows),
        squeeze=False,
        layout="constrained",
    )
    geobox = image.odc.geobox
    for ax, triple in zip(axes.ravel(), triples, strict=True):
        ax.set_facecolor(NODATA_COLOUR)
        ax.imshow(stretched(small, triple, percentiles), extent=_extent(geobox))
        ax.set_title(f"red {triple[0]}, green {triple[1]}, blue {triple[2]}")
        decorate(ax, geobox)
    return _headed(figure, title)


def band_panels(image: xr.DataArray, title: str = "") -> Figure:
    """Draw every band as a grey picture with earthpy's ``plot_bands``, on one scale of reflectance.

    ``title`` says what the image is (see `caption`).
    """
    small = thin(image)
    data = small.to_numpy()
    top = float(np.nanpercentile(data, 98))
    names = [str(b) for b in small.band.values]
    rows = -(-len(names) // 3)
    size = (12, rows * (4 * small.sizes["y"] / small.sizes["x"] + 0.35))
    with _earthpy() as earthpy:
        axes = earthpy.plot_bands(
            np.ma.masked_invalid(np.clip(data, 0, top)),
            title=names,
            cols=3,
            cbar=False,
            scale=False,
            vmin=0,
            vmax=top,
            figsize=size,
        )
    figure = np.ravel(axes)[0].figure
    figure.set_layout_engine("constrained")
    _credited(figure)
    for ax in np.ravel(axes):
        ax.set_facecolor("#fdd0a2")  # nodata: a colour no grey can be taken for
    images = [i for ax in np.ravel(axes) for i in ax.get_images()]
    label = f"reflectance (white: {top:.2f} and more; orange: masked or no data)"
    figure.colorbar(images[0], ax=list(np.ravel(axes)), location="bottom", shrink=0.5, aspect=40, label=label)
    return _headed(figure, title)


def histograms(image: xr.DataArray, title: str = "") -> Figure:
    """Draw the distribution of reflectance in every band with earthpy's ``hist``, counts on a logarithmic scale.

    ``title`` says what the image is (see `caption`).
    """
    small = thin(image)
    data = small.to_numpy()
    names = [str(b) for b in small.band.values]
    top = float(np.nanpercentile(data, 99.5))
    rows = -(-len(names) // 3)
    with _earthpy() as earthpy:
        figure, axes = earthpy.hist(
            np.ma.masked_invalid(data),
            title=names,
            cols=3,
            bins=60,
            hist_range=(0, top),
            figsize=(11, 1.8 * rows),
            xlabel="reflectance",
            ylabel="pixels",
            colors=["#0072B2"],
        )
    for ax in np.ravel(axes):
        ax.set_yscale("log")
    figure.set_layout_engine("constrained")
    _credited(figure)
    return _headed(figure, title)


@contextlib.contextmanager
def _earthpy() -> Iterator[Any]:
    """Give earthpy's plotting, without its habits.

    Importing it makes a folder in the home directory, and its functions show their figure at once, which a notebook
    would then show twice.
    """
    shown, before = plt.show, set(plt.get_fignums())
    with tempfile.TemporaryDirectory() as home, _environment(HOME=home, USERPROFILE=home):
        import earthpy.plot
    plt.show = lambda *_, **__: None
    try:
        yield earthpy.plot
    finally:
        plt.show = shown
        for number in set(plt.get_fignums()) - before:
            plt.close(number)


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def class_map(
    codes: xr.DataArray, classes: Scheme, title: str = "", ax: Axes | None = None, missing: str = "no data"
) -> Figure:
    """Draw a class map in the scheme's colours, with legend, kilometres, scale bar and north arrow.

    Parameters
    ----------
    codes
        Class values, (1, y, x); 0 is drawn as no data.
    classes
        The classes.
    title
        Title of the picture.
    ax
        Axes to draw in, without a legend; None makes a figure.
    missing
        What the legend calls 0.
    """
    small = thin(codes)
    geobox = codes.odc.geobox
    own = ax is None
    if ax is None:
        shape = small.sizes["y"] / small.sizes["x"]
        _, ax = _subplots(figsize=(9, min(9, 8 * shape + 1)), layout="constrained")
    values, colours = [0, *classes.values], [NODATA_COLOUR, *(c.colour for c in classes.classes)]
    # Codes become positions first: the norm needs neighbours that are one apart.
    position = np.zeros(256, int)
    position[values] = np.arange(len(values))
    norm = BoundaryNorm(np.arange(len(values) + 1) - 0.5, len(values))
    ax.imshow(
        position[small.to_numpy()[0]],
        cmap=ListedColormap(colours),
        norm=norm,
        extent=_extent(geobox),
        interpolation="nearest",
    )
    ax.set_title(title)
    decorate(ax, geobox)
    figure = ax.figure
    assert isinstance(figure, Figure)
    if own:
        figure.legend(handles=legend(classes, missing), loc="outside right upper", frameon=False)
    return figure


def legend(classes: Scheme, missing: str = "no data") -> list[Patch]:
    """Return the entries of a class legend."""
    entries = [Patch(facecolor=c.colour, edgecolor="black", label=c.name) for c in classes.classes]
    return [*entries, Patch(facecolor=NODATA_COLOUR, edgecolor="black", label=missing)]


def class_maps(maps: Mapping[str, xr.DataArray], classes: Scheme) -> Figure:
    """Draw several class maps of one scene side by side, with one legend."""
    first = next(iter(maps.values()))
    wide = first.sizes["x"] > 1.4 * first.sizes["y"]
    columns = 1 if wide else min(3, len(maps))
    rows = -(-len(maps) // columns)
    width = 9 if wide else 4.6 * columns
    height = rows * (width / columns * first.sizes["y"] / first.sizes["x"] + 0.6)
    figure, axes = _subplots(rows, columns, figsize=(width + 1.5, height), squeeze=False, layout="constrained")
    for ax in axes.ravel()[len(maps) :]:
        ax.axis("off")
    for ax, (name, codes) in zip(axes.ravel(), maps.items(), strict=False):
        class_map(codes, classes, name, ax)
    figure.legend(handles=legend(classes), loc="outside right upper", frameon=False)
    return figure


def categories(codes: xr.DataArray, names: Mapping[int, str], colours: Mapping[int, str], title: str) -> Figure:
    """Draw a raster of codes that are not land-cover classes (mask reasons, folds), each in a named colour."""
    small = thin(codes)
    shown = [v for v in names if (small.to_numpy() == v).any()]
    position = np.zeros(int(max(names)) + 1, int)
    position[shown] = np.arange(len(shown))
    shape = small.sizes["y"] / small.sizes["x"]
    figure, ax = _subplots(figsize=(9, min(9, 8 * shape + 1)), layout="constrained")
    ax.imshow(
        position[np.clip(small.to_numpy()[0], 0, len(position) - 1)],
        cmap=ListedColormap([colours[v] for v in shown]),
        norm=BoundaryNorm(np.arange(len(shown) + 1) - 0.5, len(shown)),
        extent=_extent(codes.odc.geobox),
        interpolation="nearest",
    )
    ax.set_title(title)
    decorate(ax, codes.odc.geobox)
    handles = [Patch(facecolor=colours[v], edgecolor="black", label=names[v]) for v in shown]
    figure.legend(handles=handles, loc="outside right upper", frameon=False)
    return figure


def folds(split: xr.DataArray) -> Figure:
    """Draw which fold each labelled pixel belongs to. ``split``: fold numbers, (1, y, x), 0 for no label."""
    count = int(split.max())
    names = {0: "no label"} | {k: f"fold {k}" for k in range(1, count + 1)}
    colours = {0: "#f2f2f2"} | {k: QUALITATIVE[(k - 1) % len(QUALITATIVE)] for k in range(1, count + 1)}
    return categories(split, names, colours, "Folds: whole blocks are tested together")


UNITS = {"DEM": "m", "slope": "°", "aspect": "° clockwise from north", "road_distance": "m"}
"""Units of layers that are no plain numbers, by name."""


def layers(stack: xr.DataArray | None, bands: Sequence[str] | None = None, unit: str = "") -> Figure | None:
    """Draw layers of a stack, each with its own colour bar (2–98 %; aspect: a circle); no data is grey."""
    if stack is None:
        return None
    small = thin(stack if bands is None else raster.select(stack, bands), PANEL_PIXELS)
    names = [str(b) for b in small.band.values]
    columns = 2 if small.sizes["x"] > 1.4 * small.sizes["y"] else 3
    rows = -(-len(names) // columns)
    height = rows * (10 / columns * small.sizes["y"] / small.sizes["x"] + 0.5)
    figure, axes = _subplots(rows, columns, figsize=(11, height), squeeze=False, layout="constrained")
    for ax in axes.ravel()[len(names) :]:
        ax.axis("off")
    for ax, name in zip(axes.ravel(), names, strict=False):
        data = small.sel(band=name).to_numpy()
        low, high = np.nanpercentile(data, [2, 98]) if np.isfinite(data).any() else (0, 1)
        if name == "aspect":  # 359° and 1° are neighbours, and so are their colours; flat ground is below 0
            data, low, high = np.where(data < 0, np.nan, data), 0, 360
        cmap = plt.get_cmap("twilight" if name == "aspect" else "viridis").with_extremes(bad=NODATA_COLOUR)
        drawn = ax.imshow(np.ma.masked_invalid(data), cmap=cmap, vmin=low, vmax=high, extent=_extent(stack.odc.geobox))
        ax.set_title(name)
        ax.set_xticks([]), ax.set_yticks([])
        figure.colorbar(drawn, ax=ax, shrink=0.8, label=unit or UNITS.get(name, ""))
    return figure


def loadings(table: pd.DataFrame | None) -> Figure | None:
    """Draw the loadings of principal components and the variance they explain (`components.table`)."""
    if table is None:
        return None
    numbers = table.drop(columns="explained")
    few = numbers.shape[1] <= 16
    figure, ax = _subplots(figsize=(9 if few else 13, 0.5 * len(table) + 1.5), layout="constrained")
    drawn = ax.imshow(numbers, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
    for (i, j), value in np.ndenumerate(numbers.to_numpy() if few else np.empty((0, 0))):
        ax.annotate(
            f"{value:.2f}",
            (j, i),
            ha="center",
            va="center",
            fontsize=8,
            color="black" if abs(value) < 0.6 else "white",
        )
    long = max(map(len, numbers.columns)) * numbers.shape[1] > 90
    ax.set_xticks(range(numbers.shape[1]), numbers.columns, rotation=90 if long else 0)
    ax.set_yticks(
        range(len(table)),
        [f"{name}: {part:.1%}" for name, part in zip(table.index, table["explained"], strict=True)],
    )
    ax.set_title("Loadings, and the part of all variance that each component explains")
    figure.colorbar(drawn, ax=ax, label="loading")
    return figure


def spectra(table: pd.DataFrame, bands: Sequence[str], classes: Scheme) -> Figure:
    """Draw the median reflectance of each class by band, with the middle half of its samples."""
    figure, ax = _subplots(figsize=(9, 4), layout="constrained")
    x = np.arange(len(bands))
    for c in classes.classes:
        part = table.loc[table["label"] == c.value, list(bands)]
        if part.empty:
            continue
        low, middle, high = part.quantile([0.25, 0.5, 0.75]).to_numpy()
        ax.plot(x, middle, "o-", color=c.colour, markeredgecolor="black", label=c.name)
        ax.fill_between(x, low, high, color=c.colour, alpha=0.15)
    ax.set_xticks(x, bands)
    ax.set_ylabel("reflectance")
    ax.set_facecolor("#e8e8e8")  # yellow and cyan would vanish on white
    ax.set_title("What the classes look like: median and middle half of the samples")
    ax.legend(fontsize=8)
    return figure


def confusions(matrices: Mapping[str, npt.NDArray[np.integer]], classes: Scheme) -> Figure:
    """Draw confusion matrices: rows are what was labelled, columns what was mapped, colour the part of the row."""
    columns = min(2, len(matrices))
    rows = -(-len(matrices) // columns)
    figure, axes = _subplots(rows, columns, figsize=(5.6 * columns, 4.9 * rows), squeeze=False, layout="constrained")
    drawn = None
    for ax in axes.ravel()[len(matrices) :]:
        ax.axis("off")
    for ax, (name, matrix) in zip(axes.ravel(), matrices.items(), strict=False):
        part = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        drawn = ax.imshow(part, cmap="cividis", vmin=0, vmax=1)
        for (i, j), value in np.ndenumerate(part):
            ax.annotate(
                f"{value:.2f}",
                (j, i),
                ha="center",
                va="center",
                color="white" if value < 0.5 else "black",
                fontsize=9,
            )
        ax.set_xticks(range(len(classes.names)), classes.names, rotation=40, ha="right")
        ax.set_yticks(range(len(classes.names)), classes.names)
        ax.set_xlabel("mapped as")
        ax.set_ylabel("labelled as")
        ax.set_title(name)
    if drawn is not None:
        figure.colorbar(drawn, ax=axes, label="part of the labelled pixels", shrink=0.6)
    return figure


def estimates(rows: Mapping[str, Mapping[str, tuple[float, float, float]]], label: str, title: str) -> Figure:
    """Draw numbers with their intervals, one row per name, one colour per series.

    Parameters
    ----------
    rows
        For each series, for each name: value, low, high.
    label
        What the numbers are.
    title
        Title of the picture.
    """
    names = list(dict.fromkeys(n for series in rows.values() for n in series))
    figure, ax = _subplots(figsize=(8, 0.45 * len(names) + 1.6), layout="constrained")
    shift = np.linspace(-0.15, 0.15, len(rows)) if len(rows) > 1 else [0.0]
    for colour, marker, offset, (series, values) in zip(QUALITATIVE, "osD^vP*X", shift, rows.items(), strict=False):
        for name, (value, low, high) in values.items():
            y = names.index(name) + offset
            ax.plot([low, high], [y, y], color=colour, lw=2)
            ax.plot(value, y, marker, color=colour, label=series, markersize=7)
    handles, labels = ax.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    if len(unique) > 1:
        figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=len(unique), fontsize=9)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel(label)
    ax.set_title(title)
    return figure


def curves(table: pd.DataFrame, label: str, title: str) -> Figure:
    """Draw the columns of a table against its index, e.g. the loss by epoch and fold."""
    figure, ax = _subplots(figsize=(8, 3.5), layout="constrained")
    for colour, column in zip(QUALITATIVE, table.columns, strict=False):
        ax.plot(table.index, table[column], "o-", color=colour, label=column, markersize=3)
    ax.set_xlabel(str(table.index.name))
    ax.set_ylabel(label)
    ax.set_title(title)
    ax.legend(fontsize=8)
    return figure


def bars(series: pd.Series, label: str, title: str) -> Figure:
    """Draw a series as horizontal bars, in its order."""
    figure, ax = _subplots(figsize=(8, 0.25 * len(series) + 1), layout="constrained")
    ax.barh([str(i) for i in series.index], series.to_numpy(), color="#0072B2")
    ax.invert_yaxis()
    ax.set_xlabel(label)
    ax.set_title(title)
    return figure


def importances(series: pd.Series | None) -> Figure | None:
    """Draw the importance of each feature, largest first; None (a model that has none) draws nothing."""
    return None if series is None else bars(series, "mean decrease in impurity", "What the trees looked at")


def observations(dates: Sequence[str], clear: Sequence[float]) -> Figure:
    """Draw the clear part of each date along time."""
    figure, ax = _subplots(figsize=(9, 2.6), layout="constrained")
    days = pd.to_datetime(list(dates))
    ax.vlines(days, 0, 100 * np.asarray(clear), color="#0072B2")
    ax.plot(days, 100 * np.asarray(clear), "o", color="#0072B2", markersize=4)
    ax.set_ylim(0, 105)
    ax.set_ylabel("clear pixels, %")
    ax.set_title(f"{len(days)} dates")
    return figure


def clear_observations(counts: xr.DataArray, dates: pd.DataFrame) -> Figure:
    """Draw on how many dates each pixel is clear, as a map, and how clear each date is, as bars.

    Parameters
    ----------
    counts
        Clear dates of each pixel, (1, y, x).
    dates
        One row per date: ``date``, ``clear`` (part of the grid, 0–1), ``in the cube`` (whether it is used).
    """
    small = thin(counts)
    shape = small.sizes["y"] / small.sizes["x"]
    figure, (top, low) = _subplots(
        2, figsize=(9, min(9, 8 * shape) + 3), height_ratios=[min(9, 8 * shape), 2], layout="constrained"
    )
    used = int(dates["in the cube"].sum())
    # One colour for each number as long as a reader can count them.
    cmap = plt.get_cmap("cividis", used if used <= 12 else None).with_extremes(bad=NODATA_COLOUR)
    drawn = top.imshow(
        np.ma.masked_equal(small.to_numpy()[0], 0),
        cmap=cmap,
        vmin=0.5,
        vmax=used + 0.5,
        extent=_extent(counts.odc.geobox),
        interpolation="nearest",
    )
    ticks = np.unique(np.linspace(1, used, min(used, 12)).round().astype(int))
    figure.colorbar(drawn, ax=top, ticks=ticks, label="clear dates (grey: never clear)", shrink=0.8)
    top.set_title(f"On how many of {used} date(s) each pixel is clear")
    decorate(top, counts.odc.geobox)
    days = pd.to_datetime(dates["date"])
    apart = days.diff().dt.days.dropna()
    width = 0.8 * min(float(apart.min()) if len(apart) else 1.0, 20.0)
    for colour, name, wanted in (("#0072B2", "in the cube", True), ("#999999", "left out", False)):
        part = dates["in the cube"] == wanted
        if part.any():
            low.bar(days[part], 100 * dates["clear"][part], width, color=colour, label=name)
    low.set_ylim(0, 105)
    low.set_ylabel("clear pixels, %")
    low.xaxis.set_major_formatter(ConciseDateFormatter(low.xaxis.get_major_locator()))
    if not dates["in the cube"].all():
        low.legend(fontsize=8)
    return figure


def confidence(probabilities: xr.DataArray, title: str) -> Figure:
    """Draw how sure a model is: the probability of the likeliest class, percent. 255 in the file is no data."""
    small = thin(probabilities)
    data = small.to_numpy()
    best = np.ma.masked_where((data == 255).any(axis=0), data.max(axis=0))
    shape = small.sizes["y"] / small.sizes["x"]
    figure, ax = _subplots(figsize=(9, min(9, 8 * shape + 1)), layout="constrained")
    cmap = plt.get_cmap("cividis").with_extremes(bad=NODATA_COLOUR)
    drawn = ax.imshow(best, cmap=cmap, vmin=0, vmax=100, extent=_extent(probabilities.odc.geobox))
    ax.set_title(title)
    decorate(ax, probabilities.odc.geobox)
    figure.colorbar(drawn, ax=ax, label="probability of the mapped class, % (grey: no data)", shrink=0.8)
    return figure
