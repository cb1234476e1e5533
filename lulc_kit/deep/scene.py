"""What a network learns from: features, labels and folds of a scene, in memory that does not grow with the features."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from lulc_kit import files
from lulc_kit.deep import inner
from lulc_kit.samples import Samples

ROWS = 128
"""Rows that are copied, or looked at, at once."""
LEAST = 1e-12
"""Variances are at least this."""


class Scene:
    """What a network learns from.

    The features lie in an uncompressed copy on the disk, (row, column, band), of which windows are read at once; it is
    gone with the object.

    Parameters
    ----------
    stack
        Features, (band, y, x).
    samples
        Labels, their classes and their folds apart in space.
    gap
        How far land that validates is kept from land that teaches, pixels; None: as far as test and training are apart.

    Attributes
    ----------
    features
        float32, (row, column, band), NaN where there is no data.
    labels
        Class values, (row, column), 0 for no label.
    valid
        Pixels with all features, (row, column).
    trainable
        Which pixels may train the network that fold 1, 2, … tests, (fold, row, column).
    parts
        Where the studies lie in it that teach together (`joined`), rows and columns by study; empty for one alone.
    """

    def __init__(self, stack: xr.DataArray, samples: Samples, gap: float | None = None) -> None:
        self.features, self.valid = scratch(stack)
        self.labels = np.asarray(samples.on_grid()[0].data[0])
        self.trainable = samples.trainable()
        self.fold, self.blocks = samples.codes("fold"), samples.codes("block")
        self.classes = samples.scheme
        self.gap = inner.gap(self.fold, self.trainable) if gap is None else gap
        self.parts: dict[str, tuple[slice, slice]] = {}
        self.bands = [str(b) for b in stack.band.values]

    @property
    def folds(self) -> int:
        """Number of folds."""
        return len(self.trainable)

    def statistics(self, teaches: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return mean and variance of each feature over pixels, (band,) each, in two passes of strips."""
        count = int(teaches.sum())
        mean = sum(part.sum(axis=0, dtype=np.float64) for part in self._strips(teaches)) / count
        squares = sum(np.square(part - mean).sum(axis=0) for part in self._strips(teaches)) / count
        return np.asarray(mean, np.float32), np.maximum(squares, LEAST).astype(np.float32)

    def _strips(self, wanted: npt.NDArray[np.bool_]) -> Iterator[npt.NDArray[np.float32]]:
        for top in range(0, len(wanted), ROWS):
            rows = slice(top, top + ROWS)
            yield self.features[rows][wanted[rows]]


def windows(wanted: npt.NDArray[np.bool_], side: int) -> list[tuple[int, int]]:
    """Return the upper left corners (row, column) of windows, side by side, that hold anything that is wanted."""
    return [
        (row, column)
        for row in range(0, wanted.shape[0], side)
        for column in range(0, wanted.shape[1], side)
        if wanted[row : row + side, column : column + side].any()
    ]


def scratch(stack: xr.DataArray) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Copy a stack (band, y, x) to an uncompressed file without a name.

    Returns
    -------
    numpy.memmap
        float32, (row, column, band), read-only.
    numpy.ndarray
        Where all bands are finite, (row, column).

    Raises
    ------
    StorageError
        If the disk of temporary files is full.
    """
    bands, height, width = stack.shape
    valid = np.zeros((height, width), bool)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the array
    with files.report_full(Path(tempfile.gettempdir()) / "scratch", needed=4 * stack.size):
        for top in range(0, height, ROWS):
            strip = np.moveaxis(np.asarray(stack[:, top : top + ROWS].data, np.float32), 0, -1)
            valid[top : top + ROWS] = np.isfinite(strip).all(axis=-1)
            file.write(np.ascontiguousarray(strip).data)
        file.flush()
    return np.memmap(file, np.float32, "r", shape=(height, width, bands)), valid
