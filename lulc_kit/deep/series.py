"""Images of many dates, of which windows are read: memory does not grow with the scene."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from lulc_kit import files
from lulc_kit.deep import gaps
from lulc_kit.raster.writing import REFLECTANCE_NODATA, REFLECTANCE_SCALE

ROWS = 256
"""Rows that are copied at once."""
Numbers = npt.NDArray[np.float32]
Chosen = npt.NDArray[np.intp] | Sequence[int] | slice
"""Numbers of dates."""


@dataclass(frozen=True)
class Window:
    """A part of a series.

    Attributes
    ----------
    images
        float32, (time, row, column, band), NaN where there are no numbers.
    seen
        Whether the date shows the pixel, (time, row, column); what is filled in is not seen.
    days
        Of the year, (time,), 1–366.
    """

    images: Numbers
    seen: npt.NDArray[np.bool_]
    days: npt.NDArray[np.intp]

    @property
    def there(self) -> npt.NDArray[np.bool_]:
        """Whether there are numbers, seen or filled in, (time, row, column)."""
        return _whole(self.images)


View = Callable[[Window], Numbers]
"""From a window of a series to what a network sees of it, (time, row, column, band), no NaN."""


class Series:
    """Images of many dates on one grid.

    Parameters
    ----------
    images
        (time, row, column, band), of which windows are taken: float32, NaN where a date is masked, or int16 as in the
        cube's files (`scratch`).
    dates
        ``YYYY-MM-DD``, in order.
    filled
        Whether gaps are filled in time (`gaps.linear`).
    """

    def __init__(self, images: npt.NDArray[np.float32 | np.int16], dates: Sequence[str], filled: bool = False) -> None:
        self.stored, self.dates, self.filled = images, list(dates), filled
        self.shape: tuple[int, int] = images.shape[1], images.shape[2]
        self.bands: int = images.shape[3]
        self.days = np.array([pd.Timestamp(day).dayofyear for day in dates], np.intp)

    def window(self, top: int, bottom: int, left: int, right: int, chosen: Chosen = slice(None)) -> Window:
        """Read a window of the dates that are chosen; where gaps are filled, all dates fill them."""
        part = self.stored[:, top:bottom, left:right]
        images = _decoded(part if self.filled else part[chosen])
        if not self.filled:
            return Window(images, _whole(images), self.days[chosen])
        images, flags = gaps.linear(images, self.dates)
        return Window(images[chosen], (flags == gaps.Flag.OBSERVED)[chosen], self.days[chosen])

    def clear_parts(self) -> list[float]:
        """Part of the pixels (0–1) that is clear on each date."""
        height, width = self.shape
        found = []
        for date in self.stored:  # one date and a strip of rows at a time
            strips = (_decoded(date[top : top + ROWS]) for top in range(0, height, ROWS))
            found.append(sum(int(_whole(strip).sum()) for strip in strips) / (height * width))
        return found


def _whole(images: Numbers) -> npt.NDArray[np.bool_]:
    """Return where all bands are there; an observation that lacks one is none."""
    return np.asarray(np.isfinite(images).all(axis=-1))


def _decoded(numbers: npt.NDArray[np.float32 | np.int16]) -> Numbers:
    if numbers.dtype != np.int16:
        return np.asarray(numbers, np.float32)
    out = numbers * np.float32(REFLECTANCE_SCALE)
    out[numbers == REFLECTANCE_NODATA] = np.nan
    return out


def scratch(images: Sequence[xr.DataArray]) -> npt.NDArray[np.int16]:
    """Copy images of reflectance (band, y, x), NaN where masked, to an uncompressed file without a name.

    Returns
    -------
    numpy.memmap
        int16 as in the cube's files, (time, row, column, band), read-only.

    Raises
    ------
    StorageError
        If the disk of temporary files is full.
    """
    bands, height, width = images[0].shape
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the array
    with files.report_full(Path(tempfile.gettempdir()) / "scratch", needed=2 * len(images) * images[0].size):
        for image in images:
            for top in range(0, height, ROWS):
                strip = np.moveaxis(np.asarray(image[:, top : top + ROWS].data, np.float32), 0, -1)
                missing = ~_whole(strip)
                codes = np.rint(np.where(missing[..., None], 0, strip) / REFLECTANCE_SCALE).astype(np.int16)
                codes[missing] = REFLECTANCE_NODATA
                file.write(np.ascontiguousarray(codes).data)
        file.flush()
    return np.memmap(file, np.int16, "r", shape=(len(images), height, width, bands))
