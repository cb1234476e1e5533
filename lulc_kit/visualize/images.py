"""Pictures of images and layers: composites, bands, histograms. Each function returns a Figure, and None for None."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lulc_kit import environment, raster
from lulc_kit.late import plt, xr
from lulc_kit.visualize.style import (
    NODATA_COLOUR,
    PANEL_PIXELS,
    credit,
    decorate,
    extent,
    head,
    picture,
    proportions,
    subplots,
    thin,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def stretch(image: xr.DataArray, bands: Sequence[str], percentiles: Sequence[float]) -> npt.NDArray[np.float64]:
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


def true_colour(image: xr.DataArray | None) -> list[str]:
    """Return the bands for red, green and blue as the eye sees them; of an image that lacks them its first bands."""
    if image is None:
        return []
    names = [str(b) for b in image.band.values]
    wanted = ["B4", "B3", "B2"]
    return wanted if set(wanted) <= set(names) else [names[min(i, len(names) - 1)] for i in range(3)]


@picture
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
        What the image is (see `style.caption`), above all pictures.
    """
    small = thin(image)
    wide = small.sizes["x"] > 1.4 * small.sizes["y"]
    rows, columns = (len(triples), 1) if wide else (1, len(triples))
    size = (9, (8 * proportions(small) + 0.8) * rows) if wide else (5 * columns, 5.8)
    figure, axes = subplots(rows, columns, figsize=size, squeeze=False)
    geobox = image.odc.geobox
    for ax, triple in zip(axes.ravel(), triples, strict=True):
        ax.set_facecolor(NODATA_COLOUR)
        ax.imshow(stretch(small, triple, percentiles), extent=extent(geobox))
        ax.set_title(f"red {triple[0]}, green {triple[1]}, blue {triple[2]}")
        decorate(ax, geobox)
    return head(figure, title)


@picture
def band_panels(image: xr.DataArray, title: str = "") -> Figure:
    """Draw every band as a grey picture with earthpy's ``plot_bands``, on one scale of reflectance.

    ``title`` says what the image is (see `style.caption`).
    """
    small = thin(image)
    data = small.to_numpy()
    top = float(np.nanpercentile(data, 98))
    names = [str(b) for b in small.band.values]
    rows = -(-len(names) // 3)
    with _earthpy() as earthpy:
        axes = earthpy.plot_bands(
            np.ma.masked_invalid(np.clip(data, 0, top)),
            title=names,
            cols=3,
            cbar=False,
            scale=False,
            vmin=0,
            vmax=top,
            figsize=(12, rows * (4 * proportions(small) + 0.35)),
        )
    panels = list(np.ravel(axes))
    figure = panels[0].figure
    figure.set_layout_engine("constrained")
    credit(figure)
    for ax in panels:
        ax.set_facecolor("#fdd0a2")  # nodata: a colour no grey can be taken for
    images = [i for ax in panels for i in ax.get_images()]
    label = f"reflectance (white: {top:.2f} and more; orange: masked or no data)"
    figure.colorbar(images[0], ax=panels, location="bottom", shrink=0.5, aspect=40, label=label)
    return head(figure, title)


@picture
def histograms(image: xr.DataArray, title: str = "") -> Figure:
    """Draw the distribution of reflectance in every band with earthpy's ``hist``, counts on a logarithmic scale.

    ``title`` says what the image is (see `style.caption`).
    """
    from matplotlib.ticker import LogFormatter

    data = thin(image).to_numpy()
    names = [str(b) for b in image.band.values]
    with _earthpy() as earthpy:
        figure, axes = earthpy.hist(
            np.ma.masked_invalid(data),
            title=names,
            cols=3,
            bins=60,
            hist_range=(0, float(np.nanpercentile(data, 99.5))),
            figsize=(11, 1.8 * -(-len(names) // 3)),
            xlabel="reflectance",
            ylabel="pixels",
            colors=["#0072B2"],
        )
    for ax in np.ravel(axes):
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(LogFormatter())  # 1000; the usual 10³ is mathematics (see `picture`)
        ax.yaxis.set_minor_formatter(LogFormatter())
    figure.set_layout_engine("constrained")
    credit(figure)
    return head(figure, title)


@contextlib.contextmanager
def _earthpy() -> Iterator[Any]:
    """Give earthpy's plotting, without its habits.

    Importing it makes a folder in the home directory, and its functions show their figure at once, which a notebook
    would then show twice.
    """
    # The module itself: what is set on a late import's stand-in, others do not see.
    from matplotlib import pyplot

    shown, before = pyplot.show, set(pyplot.get_fignums())
    with tempfile.TemporaryDirectory() as home, environment.change({"HOME": home, "USERPROFILE": home}):
        import earthpy.plot
    pyplot.show = lambda *_, **__: None
    try:
        yield earthpy.plot
    finally:
        pyplot.show = shown
        for number in set(pyplot.get_fignums()) - before:
            pyplot.close(number)


PANELS = 30
"""Of one picture of layers, at most."""

UNITS = {"DEM": "m", "slope": "°", "aspect": "° clockwise from north", "road_distance": "m"}
"""Units of layers that are no plain numbers, by name."""


@picture
def layers(stack: xr.DataArray) -> Figure:
    """Draw the layers of a stack, each with its own colour bar (2–98 %; aspect: a circle); no data is grey.

    Of a stack of more than `PANELS` layers evenly many in its order.
    """
    every = -(-stack.sizes["band"] // PANELS)
    small = thin(stack.isel(band=slice(None, None, every)), PANEL_PIXELS)
    names = [str(b) for b in small.band.values]
    columns = 2 if small.sizes["x"] > 1.4 * small.sizes["y"] else 3
    rows = -(-len(names) // columns)
    height = rows * (10 / columns * proportions(small) + 0.5)
    figure, axes = subplots(rows, columns, figsize=(11, height), squeeze=False)
    for ax in axes.ravel()[len(names) :]:
        ax.axis("off")
    if every > 1:
        figure.suptitle(f"{len(names)} of {stack.sizes['band']} layers")
    for ax, name in zip(axes.ravel(), names, strict=False):
        data = small.sel(band=name).to_numpy()
        low, high = np.nanpercentile(data, [2, 98]) if np.isfinite(data).any() else (0, 1)
        if name == "aspect":  # 359° and 1° are neighbours, and so are their colours; flat ground is below 0
            data, low, high = np.where(data < 0, np.nan, data), 0, 360
        cmap = plt.get_cmap("twilight" if name == "aspect" else "viridis").with_extremes(bad=NODATA_COLOUR)
        drawn = ax.imshow(np.ma.masked_invalid(data), cmap=cmap, vmin=low, vmax=high, extent=extent(stack.odc.geobox))
        ax.set_title(name)
        ax.set_xticks([]), ax.set_yticks([])
        figure.colorbar(drawn, ax=ax, shrink=0.8, label=UNITS.get(name, ""))
    return figure
