"""Charts of numbers: estimates, confusions, spectra, loadings, dates. Each function returns a Figure, None for None."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lulc_kit.classes import Scheme
from lulc_kit.late import pd, plt, xr
from lulc_kit.visualize.style import (
    NODATA_COLOUR,
    QUALITATIVE,
    count_map,
    head,
    picture,
    proportions,
    subplots,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@picture
def loadings(table: pd.DataFrame) -> Figure:
    """Draw the loadings of principal components and the variance they explain (`Components.table`)."""
    numbers = table.drop(columns="explained")
    few = numbers.shape[1] <= 16
    figure, ax = subplots(figsize=(9 if few else 13, 0.5 * len(table) + 1.5))
    drawn = ax.imshow(numbers, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
    if few:
        _write(ax, numbers.to_numpy(), np.abs(numbers.to_numpy()) < 0.6, 8)
    long = max(map(len, numbers.columns)) * numbers.shape[1] > 90
    ax.set_xticks(range(numbers.shape[1]), numbers.columns, rotation=90 if long else 0)
    ax.set_yticks(
        range(len(table)),
        [f"{name}: {part:.1%}" for name, part in zip(table.index, table["explained"], strict=True)],
    )
    ax.set_title("Loadings, and the part of all variance that each component explains")
    figure.colorbar(drawn, ax=ax, label="loading")
    return figure


@picture
def spectra(table: pd.DataFrame, bands: Sequence[str], classes: Scheme) -> Figure:
    """Draw the median reflectance of each class by band, with the middle half of its samples."""
    figure, ax = subplots(figsize=(9, 4))
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


@picture
def distances(curves: Mapping[str, npt.ArrayLike], title: str) -> Figure:
    """Draw which part of some distances is at most so long, one curve for each kind.

    Parameters
    ----------
    curves
        Distances by what they lead from and to, metres.
    title
        What follows from them.
    """
    figure, ax = subplots(figsize=(9, 4))
    numbers = {name: np.asarray(d, float) for name, d in curves.items()}
    finite = {name: d[np.isfinite(d)] for name, d in numbers.items()}
    styles, colours = itertools.cycle(("--", "-", "-.", ":")), itertools.cycle(QUALITATIVE)
    for (name, found), style, colour in zip(finite.items(), styles, colours, strict=False):
        ax.ecdf(found, linestyle=style, color=colour, lw=2, label=f"{name}: median {np.median(found):.0f} m")
    longest = max(d.max() for d in finite.values())
    if longest > 50 * max(1e-9, min(np.median(d) for d in finite.values())):
        ax.set_xscale("symlog", linthresh=max(1.0, min(d[d > 0].min(initial=longest) for d in finite.values())))
        ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlim(0, longest)
    ax.set_xlabel("distance to the nearest one, m")
    ax.set_ylabel("part of all")
    ax.legend(loc="best", fontsize=9)
    return head(figure, title)


@picture
def confusions(matrices: Mapping[str, npt.NDArray[np.integer]], classes: Scheme) -> Figure:
    """Draw confusion matrices: rows are what was labelled, columns what was mapped, colour the part of the row."""
    columns = min(2, len(matrices))
    rows = -(-len(matrices) // columns)
    figure, axes = subplots(rows, columns, figsize=(5.6 * columns, 4.9 * rows), squeeze=False)
    for ax in axes.ravel()[len(matrices) :]:
        ax.axis("off")
    for ax, (name, matrix) in zip(axes.ravel(), matrices.items(), strict=False):
        part = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        drawn = ax.imshow(part, cmap="cividis", vmin=0, vmax=1)
        _write(ax, part, part >= 0.5, 9)
        ax.set_xticks(range(len(classes.names)), classes.names, rotation=40, ha="right")
        ax.set_yticks(range(len(classes.names)), classes.names)
        ax.set_xlabel("mapped as")
        ax.set_ylabel("labelled as")
        ax.set_title(name)
    figure.colorbar(drawn, ax=axes, label="part of the labelled pixels", shrink=0.6)
    return figure


def _write(ax: Axes, numbers: npt.NDArray[np.floating], bright: npt.NDArray[np.bool_], size: int) -> None:
    """Write each number in its cell, black where the cell is bright."""
    for (i, j), value in np.ndenumerate(numbers):
        colour = "black" if bright[i, j] else "white"
        ax.annotate(f"{value:.2f}", (j, i), ha="center", va="center", fontsize=size, color=colour)


@picture
def estimates(
    rows: Mapping[str, Mapping[str, tuple[float, float, float]]], label: str, title: str, most: float | None = 1.0
) -> Figure:
    """Draw numbers with their intervals, one row per name, one colour per series.

    Parameters
    ----------
    rows
        For each series, for each name: value, low, high.
    label
        What the numbers are.
    title
        Title of the picture.
    most
        Upper end of the axis, 1 for parts of a whole; None: as far as the numbers reach.
    """
    names = list(dict.fromkeys(n for series in rows.values() for n in series))
    figure, ax = subplots(figsize=(8, 0.45 * len(names) + 1.6))
    shift = np.linspace(-0.15, 0.15, len(rows)) if len(rows) > 1 else [0.0]
    for colour, marker, offset, (series, values) in zip(QUALITATIVE, "osD^vP*X", shift, rows.items(), strict=False):
        for name, (value, low, high) in values.items():
            y = names.index(name) + offset
            ax.plot([low, high], [y, y], color=colour, lw=2)
            ax.plot(value, y, marker, color=colour, label=series, markersize=7)
    handles, labels = ax.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    if len(unique) > 1:  # above: below stands whose data they are
        figure.legend(unique.values(), unique.keys(), loc="outside upper center", ncols=len(unique), fontsize=9)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0, most)
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel(label)
    ax.set_title(title)
    return figure


@picture
def curves(table: pd.DataFrame, label: str, title: str) -> Figure:
    """Draw the columns of a table against its index, e.g. the loss by epoch and fold."""
    figure, ax = subplots(figsize=(8, 3.5))
    for colour, column in zip(QUALITATIVE, table.columns, strict=False):
        ax.plot(table.index, table[column], "o-", color=colour, label=column, markersize=3)
    ax.set_xlabel(str(table.index.name))
    ax.set_ylabel(label)
    ax.set_title(title)
    ax.legend(fontsize=8)
    return figure


SHOWN = 30
"""Features of a picture of importances, at most."""


@picture
def importances(table: pd.DataFrame) -> Figure:
    """Draw what shuffling costs, families first, each in the order of its loss and in the colour of its family.

    Of many features those that cost most are drawn, `SHOWN` of them; the title says how many are not.

    Parameters
    ----------
    table
        For each feature and family ``loss``, ``low``, ``high`` and ``family``.
    """
    whole = table.index.isin([f"all {name}" for name in table["family"]])
    families, features = (table[part].sort_values("loss", ascending=False) for part in (whole, ~whole))
    left_out = len(features) - SHOWN
    table = pd.concat([families, features[:SHOWN]])
    figure, ax = subplots(figsize=(8, 0.25 * len(table) + 1.2))
    names, places = table["family"].unique(), np.arange(len(table))
    palette = plt.get_cmap("viridis", len(names)) if len(names) > len(QUALITATIVE) else QUALITATIVE.__getitem__
    for number, name in enumerate(names):
        part = (table["family"] == name).to_numpy()
        ax.barh(places[part], table["loss"][part], color=palette(number), label=name)
    ax.hlines(places, table["low"], table["high"], color="black", lw=1)
    ax.set_yticks(places, [str(name) for name in table.index])
    ax.invert_yaxis()
    ax.axvline(0, color="black", lw=0.8)
    ax.set_xlabel("loss of macro-F1 when shuffled (line: least and greatest of the repeats)")
    ax.set_title("What the model looks at" + (f" ({left_out} features that cost less are not shown)" * (left_out > 0)))
    ax.legend(fontsize=8)
    return figure


@picture
def reliability(runs: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Draw how often models are right by how sure they are.

    Parameters
    ----------
    runs
        For each run, by bin: ``confidence`` and ``accuracy`` (0–1), ``pixels``.
    title
        Title of the picture.
    """
    figure, ax = subplots(figsize=(5.5, 5))
    ax.plot([0, 1], [0, 1], color="#888888", lw=1)
    for colour, marker, (run, bins) in zip(QUALITATIVE, "osD^vP*X", runs.items(), strict=False):
        ax.plot(bins["confidence"], bins["accuracy"], color=colour, lw=1.5, label=run)
        size = 10 + 190 * np.sqrt(bins["pixels"] / bins["pixels"].sum())
        ax.scatter(bins["confidence"], bins["accuracy"], size, color=colour, marker=marker, edgecolor="black", lw=0.5)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.set_aspect("equal")
    ax.set_xlabel("probability of the mapped class")
    ax.set_ylabel("part that is right (large: many pixels)")
    ax.set_title(title)
    ax.legend(fontsize=8)
    return figure


@picture
def errors_by_index(table: pd.DataFrame, title: str) -> Figure:
    """Draw which part of the samples is wrong by how unlike the others they are.

    Parameters
    ----------
    table
        For each group of samples: median ``index`` (over the threshold: up to 1 is inside the area of applicability),
        ``error`` (0–1), number of ``samples``.
    title
        Title of the picture.
    """
    figure, ax = subplots(figsize=(7, 3.5))
    half = 1.96 * np.sqrt(table["error"] * (1 - table["error"]) / table["samples"])
    ax.errorbar(table["index"], table["error"], half, fmt="o-", color=QUALITATIVE[0], capsize=3)
    ax.axvline(1, color=QUALITATIVE[5], ls="--", label="threshold: beyond, nobody tested")
    ax.set_xlim(0, max(1.1, 1.05 * float(table["index"].max())))
    ax.set_ylim(0)
    ax.set_xlabel("dissimilarity over its threshold (groups alike in size)")
    ax.set_ylabel("part that is wrong")
    ax.set_title(title)
    ax.legend(fontsize=8)
    return figure


@picture
def coverage(blocks: pd.DataFrame, error_rate: float, title: str) -> Figure:
    """Draw in which part of the blocks class sets hold the true class how often.

    Parameters
    ----------
    blocks
        One row per block: ``covered`` (part of its pixels, 0–1) and ``pixels``.
    error_rate
        Part of sets that may lack the true class.
    title
        Title of the picture.
    """
    figure, ax = subplots(figsize=(7, 3.5))
    ax.hist(blocks["covered"], bins=np.linspace(0, 1, 21).tolist(), color=QUALITATIVE[0], edgecolor="black")
    whole = float((blocks["covered"] * blocks["pixels"]).sum() / blocks["pixels"].sum())
    ax.axvline(1 - error_rate, color=QUALITATIVE[5], ls="--", label=f"asked for: {1 - error_rate:.2f}")
    ax.axvline(whole, color="black", label=f"all pixels together: {whole:.2f}")
    ax.set_xlim(0, 1)
    ax.set_xlabel("part of the block's sets that hold the true class")
    ax.set_ylabel("blocks")
    ax.set_title(title)
    ax.legend(fontsize=8)
    return figure


@picture
def learning_curve(table: pd.DataFrame, title: str) -> Figure:
    """Draw accuracy by the number of polygons or blocks (index): ``mean``, ``lowest`` and ``highest`` macro-F1."""
    figure, ax = subplots(figsize=(7, 3.5))
    ax.fill_between(table.index, table["lowest"], table["highest"], color=QUALITATIVE[0], alpha=0.2)
    ax.plot(table.index, table["mean"], "o-", color=QUALITATIVE[0])
    gain = table["mean"].iloc[-1] - table["mean"].iloc[-2]
    ax.set_xlim(0)
    ax.set_xlabel(f"{table.index.name} in a training set")
    ax.set_ylabel("macro-F1 (band: least, greatest)")
    ax.set_title(f"{title}: the last {table.index[-1] - table.index[-2]} {table.index.name} brought {gain:+.3f}")
    return figure


@picture
def observations(dates: Sequence[str], clear: Sequence[float]) -> Figure:
    """Draw the clear part of each date along time."""
    figure, ax = subplots(figsize=(9, 2.6))
    days = pd.to_datetime(list(dates))
    ax.vlines(days, 0, 100 * np.asarray(clear), color="#0072B2")
    ax.plot(days, 100 * np.asarray(clear), "o", color="#0072B2", markersize=4)
    _clear_by_day(ax, days)
    ax.set_title(f"{len(days)} date(s)")
    return figure


@picture
def clear_observations(counts: xr.DataArray, dates: pd.DataFrame) -> Figure:
    """Draw on how many dates each pixel is clear, as a map, and how clear each date is, as bars.

    Parameters
    ----------
    counts
        Clear dates of each pixel, (1, y, x).
    dates
        One row per date: ``date``, ``clear`` (part of the grid, 0–1), ``in the cube`` (whether it is used).
    """
    height = min(9, 8 * proportions(counts))
    figure, (top, low) = subplots(2, figsize=(9, height + 3), height_ratios=[height, 2])
    used = int(dates["in the cube"].sum())
    count_map(top, counts, used, "clear dates (grey: never clear)")
    top.set_title(f"On how many of {used} date(s) each pixel is clear")
    days = pd.to_datetime(dates["date"])
    apart = days.diff().dt.days.dropna()
    width = 0.8 * min(float(apart.min()) if len(apart) else 1.0, 20.0)
    for colour, name, wanted in (("#0072B2", "in the cube", True), ("#999999", "left out", False)):
        part = dates["in the cube"] == wanted
        if part.any():
            low.bar(days[part], 100 * dates["clear"][part], width, color=colour, label=name)
    _clear_by_day(low, pd.DatetimeIndex(days))
    if not dates["in the cube"].all():
        low.legend(fontsize=8)
    return figure


@picture
def clear_months(table: pd.DataFrame) -> Figure:
    """Draw how often a pixel is clear in each month, and which part never is (`features.results.clear_by_month`)."""
    figure, (top, low) = subplots(2, figsize=(9, 4), sharex=True)
    place = np.arange(len(table))
    top.bar(place, table["clear"], color="#0072B2")
    top.set_ylabel("clear dates\nof a pixel")
    top.set_title("Clear observations, month by month")
    low.bar(place, 100 * table["never"], color="#999999")
    low.set_ylabel("pixels without\nany, %")
    low.set_ylim(0, 100)
    shown = np.unique(np.linspace(0, len(table) - 1, min(len(table), 12)).round().astype(int))
    low.set_xticks(shown, table.index[shown], rotation=40, ha="right")
    return figure


def _clear_by_day(ax: Axes, days: pd.DatetimeIndex) -> None:
    """Give an axes the part of clear pixels upward, and days along, however few: never hours."""
    from matplotlib.dates import ConciseDateFormatter, date2num

    ax.set_ylim(0, 105)
    ax.set_ylabel("clear pixels, %")
    around = pd.Timedelta(days=4)
    if (days.max() - days.min()).days < 7:
        ax.set_xticks(days, days.strftime("%Y-%m-%d"))
        ax.set_xlim(*(date2num(day) for day in (days.min() - around, days.max() + around)))
    else:
        ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))


@picture
def balance(table: pd.DataFrame, classes: Scheme) -> Figure:
    """Draw how many samples each class has, and write how many polygons and blocks they come from."""
    figure, ax = subplots(figsize=(8, 0.4 * len(table) + 1.4))
    colours = {c.name: c.colour for c in classes.classes}
    bars = ax.barh(
        table.index.astype(str), table["samples"], color=[colours[n] for n in table.index], edgecolor="black"
    )
    independent = [name for name in ("polygons", "blocks") if name in table]
    words = [", ".join(f"{table.loc[kind, name]} {name}" for name in independent) for kind in table.index]
    ax.bar_label(bars, words, padding=4, fontsize=8)
    ax.invert_yaxis()
    ax.margins(x=0.4)
    ax.set_xlabel("samples")
    ax.set_title("How many samples each class has, and where they come from")
    return figure


@picture
def separability(jeffries_matusita: pd.DataFrame, divergence: pd.DataFrame) -> Figure:
    """Draw how far apart each two classes are, by both measures (`quality.separability`)."""
    side = max(4.2, 0.6 * len(divergence) + 2.2)
    figure, axes = subplots(1, 2, figsize=(2 * side, side))
    measures = (("Jeffries–Matusita distance", jeffries_matusita, 2), ("transformed divergence", divergence, 2000))
    for ax, (title, table, top) in zip(axes, measures, strict=True):
        numbers = np.where(np.eye(len(table), dtype=bool), np.nan, table.to_numpy(float))
        drawn = ax.imshow(numbers, cmap=plt.get_cmap("cividis").with_extremes(bad=NODATA_COLOUR), vmin=0, vmax=top)
        for (i, j), value in np.ndenumerate(numbers):
            if np.isfinite(value):
                text = f"{value:.2f}" if top == 2 else f"{value:.0f}"
                colour = "black" if value >= top / 2 else "white"
                ax.annotate(text, (j, i), ha="center", va="center", fontsize=8, color=colour)
        ax.set_xticks(range(len(table)), table.columns, rotation=40, ha="right")
        ax.set_yticks(range(len(table)), table.index)
        ax.set_title(title)
        figure.colorbar(drawn, ax=ax, shrink=0.6, label=f"0: the same, {top}: apart (grey: no number)")
    return figure


@picture
def clouds(table: pd.DataFrame, classes: Scheme) -> Figure:
    """Draw which part of each class's samples is not clear on each date (`quality.dates.clouds`)."""
    names = [name for name in classes.names if name in table]
    figure, ax = subplots(figsize=(9, 0.35 * len(names) + 1.8))
    drawn = ax.imshow(100 * table[names].to_numpy(float).T, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    shown = np.unique(np.linspace(0, len(table) - 1, min(len(table), 12)).round().astype(int))
    ax.set_xticks(shown, table.index[shown], rotation=40, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.set_title("Samples under cloud, shadow or no data, by date")
    figure.colorbar(drawn, ax=ax, label="not clear, %")
    return figure


@picture
def profiles(table: pd.DataFrame, classes: Scheme) -> Figure:
    """Draw the NDVI of each class along time: median and middle half of its clear samples (see `quality.dates`)."""
    from matplotlib.dates import ConciseDateFormatter

    figure, ax = subplots(figsize=(9, 4))
    for c in classes.classes:
        part = table[table["class"] == c.name]
        if part.empty:
            continue
        days = pd.to_datetime(part["date"])
        ax.plot(days, part["median"], "o-", color=c.colour, markeredgecolor="black", markersize=4, label=c.name)
        ax.fill_between(days, part["low"], part["high"], color=c.colour, alpha=0.15)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    ax.set_ylabel("NDVI")
    ax.set_facecolor("#e8e8e8")  # yellow and cyan would vanish on white
    ax.set_title("The classes in time: median and middle half of the clear samples")
    ax.legend(fontsize=8)
    return figure


@picture
def attention(table: pd.DataFrame, classes: Scheme) -> Figure:
    """Draw how much a network of dates looks at each date, by class.

    Parameters
    ----------
    table
        For each date (index, ``YYYY-MM-DD``) and class (columns) the weight in parts of an even share: 1 is as much as
        any other date, 2 twice as much; NaN where the date shows no pixel of the class.
    classes
        The classes, with their colours.
    """
    from matplotlib.dates import ConciseDateFormatter

    figure, ax = subplots(figsize=(9, 3.5))
    days = pd.to_datetime(table.index)
    ax.axhline(1, color="#888888", lw=1, linestyle="--")
    for c in classes.classes:
        if c.name in table:
            ax.plot(days, table[c.name], "o-", color=c.colour, markeredgecolor="black", markersize=4, label=c.name)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
    ax.set_ylim(0)
    ax.set_ylabel("attention, even shares")
    ax.set_facecolor("#e8e8e8")  # yellow and cyan would vanish on white
    ax.set_title("Which dates the network looks at (dashed: all alike)")
    ax.legend(fontsize=8)
    return figure
