"""The cube: for each date reflectance on the study's grid, and a mask that says why a pixel is out."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path

import numpy as np

from lulc_kit import raster
from lulc_kit.late import xr
from lulc_kit.layout import CubeLayout

_LASTING = ("level", "correction", "correction_limits", "coarse_bands")


class Reason(IntEnum):
    """Why a pixel is out; the codes of every mask of the kit (uint8)."""

    CLEAR = 0
    NODATA = 1
    CLOUD = 2
    CIRRUS = 3
    SHADOW = 4
    SNOW = 5
    DEFECTIVE = 6
    BUFFER = 7
    EXCLUDED = 8


REASONS: dict[Reason, tuple[str, str]] = {
    Reason.CLEAR: ("clear", "#ffffff"),
    Reason.NODATA: ("no data", "#000000"),
    Reason.CLOUD: ("cloud", "#d73027"),
    Reason.CIRRUS: ("thin cirrus", "#fdae61"),
    Reason.SHADOW: ("shadow", "#4575b4"),
    Reason.SNOW: ("snow or ice", "#91e0f7"),
    Reason.DEFECTIVE: ("saturated or defective", "#c51b7d"),
    Reason.BUFFER: ("near cloud or shadow", "#fee090"),
    Reason.EXCLUDED: ("class excluded by choice", "#999999"),
}
"""Name and colour of each reason."""


def legend() -> tuple[dict[int, str], dict[int, str]]:
    """Return the reasons' names and colours, each by its code."""
    names = {reason.value: name for reason, (name, _) in REASONS.items()}
    return names, {reason.value: colour for reason, (_, colour) in REASONS.items()}


class Cube:
    """The dates that notebook 02 has made.

    Parameters
    ----------
    folder
        Where they are: ``outputs/<study>/cube``.

    Attributes
    ----------
    files
        Names of the files.
    dates
        ``YYYY-MM-DD``, in order.

    Examples
    --------
    A study of one date, whose second pixel is cloud.

    >>> cube = Cube("outputs/mine/cube")
    >>> cube
    <Cube outputs/mine/cube: 2022-06-15>
    >>> cube.clear("2022-06-15", ["B4"]).values.round(2)
    array([[[0.04,  nan]]], dtype=float32)
    """

    def __init__(self, folder: str | Path) -> None:
        self.files = CubeLayout(Path(folder))
        self.dates = self.files.dates()

    def __repr__(self) -> str:
        return f"<Cube {self.files.folder}: {', '.join(self.dates) or 'no dates'}>"

    def between(self, first_last: Sequence[str] | None) -> list[str]:
        """Return the dates from the first to the last day; all for None."""
        return [d for d in self.dates if first_last is None or first_last[0] <= d <= first_last[1]]

    def image(self, date: str, bands: Sequence[str] | None = None, chunk: int | None = None) -> xr.DataArray:
        """Open a date lazily: reflectance 0–1, (band, y, x), also of pixels that its mask leaves out."""
        return raster.read(self.files.image(date), bands, chunk)

    def mask(self, date: str, chunk: int | None = None) -> xr.DataArray:
        """Open the mask of a date lazily: uint8 codes of `Reason`, (1, y, x)."""
        return raster.read_codes(self.files.mask(date), chunk=chunk)

    def clear(self, date: str, bands: Sequence[str] | None = None, chunk: int | None = None) -> xr.DataArray:
        """Open a date lazily, with every pixel that its mask leaves out as NaN (see `raster.read`)."""
        return self.image(date, bands, chunk).where(self.mask(date, chunk).data[0] == Reason.CLEAR)

    def observations(self, dates: Sequence[str] | None = None) -> xr.DataArray:
        """Count on how many of the dates (None: all) each pixel is clear: uint16, (1, y, x), lazily."""
        masks = [self.mask(date) for date in (self.dates if dates is None else dates)]
        counts = sum((m.data == Reason.CLEAR).astype(np.uint16) for m in masks)
        return raster.array(counts, masks[0].odc.geobox, ["clear observations"])

    def lasting_tags(self, date: str) -> dict[str, str]:
        """Return the tags of a date that hold for whatever is made of it, too: level, correction."""
        tags = raster.tags(self.files.image(date))
        return {name: tags[name] for name in _LASTING if name in tags}
