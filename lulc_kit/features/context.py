"""Context: what a pixel's surroundings are like on average, and how much they vary.

A classifier of single pixels sees noise, and no field. Means of moving windows give it the field, standard deviations
its edges and grain, at a cost that does not grow with the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from lulc_kit.features import blocks
from lulc_kit.late import xr

STATISTICS = ("mean", "std")

STEP = 2.0**-20
"""Values are rounded to it. Sums of such numbers, and of their squares, have no rounding errors in any order while the
values are below about 4: what a window says does not depend on where a block begins."""


def windows(
    values: npt.NDArray[np.floating], sides: Sequence[int], statistics: Sequence[str] = STATISTICS
) -> npt.NDArray[np.float32]:
    """Compute means and standard deviations of square windows around each pixel.

    Parameters
    ----------
    values
        (layer, row, column), NaN for nodata, which no window counts; windows end at the raster's border.
    sides
        Odd sides of the windows, pixels.
    statistics
        ``"mean"`` and ``"std"`` (of all pixels of the window, not an estimate: divided by their number).

    Returns
    -------
    numpy.ndarray
        float32, (layer × side × statistic, row, column), the last of them running fastest; in the unit of the layer.
        NaN where the pixel itself has no data.

    Examples
    --------
    >>> windows(np.array([[[1.0, 2.0, 3.0]]]), [3], ["mean"])
    array([[[1.5, 2. , 2.5]]], dtype=float32)
    """
    out = np.empty((len(values), len(sides), 2, *values.shape[1:]), np.float32)
    for layer, of_layer in zip(values, out, strict=True):
        rounded = np.rint(layer.astype(np.float64) / STEP) * STEP
        for side, both in zip(sides, of_layer, strict=True):
            _slide(rounded, side // 2, both)
    chosen = out[:, :, [STATISTICS.index(name) for name in statistics]]
    return chosen.reshape(-1, *values.shape[1:])


def compute(image: xr.DataArray, sides: Sequence[int], statistics: Sequence[str]) -> xr.DataArray | None:
    """Compute context of all layers of a scene, lazily; see `windows`.

    Parameters
    ----------
    image
        (band, y, x), NaN for nodata.
    sides, statistics
        See `windows`.

    Returns
    -------
    xarray.DataArray
        float32; layers named ``<layer>_<statistic><side>`` (``B8_mean7``), NaN where there is no data. None without
        sides.
    """
    if not sides:
        return None
    names = [f"{band}_{name}{side}" for band in image.band.values for side in sides for name in statistics]

    def block(data: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return windows(data, sides, statistics)

    return blocks.with_halo(block, image, max(sides) // 2, names)


@numba.njit(nogil=True, cache=True)
def _slide(values: Any, reach: int, out: Any) -> None:  # noqa: C901
    """Slide a window over (row, column): sums of columns gain a row and lose one, the window's gains a column."""
    rows, columns = values.shape
    count, total, square = np.zeros(columns, np.int64), np.zeros(columns), np.zeros(columns)
    for row in range(-reach, rows):
        for column in range(columns):
            if row + reach < rows:
                value = values[row + reach, column]
                if not np.isnan(value):
                    count[column] += 1
                    total[column] += value
                    square[column] += value * value
            if row - reach - 1 >= 0:
                value = values[row - reach - 1, column]
                if not np.isnan(value):
                    count[column] -= 1
                    total[column] -= value
                    square[column] -= value * value
        if row < 0:
            continue
        n, s, q = 0, 0.0, 0.0
        for column in range(-reach, columns):
            if column + reach < columns:
                n += count[column + reach]
                s += total[column + reach]
                q += square[column + reach]
            if column - reach - 1 >= 0:
                n -= count[column - reach - 1]
                s -= total[column - reach - 1]
                q -= square[column - reach - 1]
            if column < 0:
                continue
            if np.isnan(values[row, column]):
                out[0, row, column] = np.nan
                out[1, row, column] = np.nan
            else:
                out[0, row, column] = s / n
                out[1, row, column] = np.sqrt(max(q - s * s / n, 0.0) / n)
