"""Grey levels for texture: a quantizer is found once for a scene and then serves every block of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lulc_kit import files
from lulc_kit.errors import ParameterError
from lulc_kit.features._cooccurrence import quantize_tile

Method = Literal["equal_width", "equal_probability"]

ROBUST_PERCENTILES = (1.0, 99.0)
SAMPLE_SIDE = 1024  # limits and quantiles come from at most about this many rows and columns


@dataclass(frozen=True)
class Quantizer:
    """Borders between grey levels.

    Attributes
    ----------
    levels
        Number of levels.
    low, high
        Values where the first level begins and the last one ends. What lies outside belongs to the first or
        the last level.
    edges
        The ``levels`` − 1 borders between the levels where they are not equally wide, else empty. A value on
        a border belongs to the upper level.
    """

    levels: int
    low: float
    high: float
    edges: tuple[float, ...] = field(default=(), repr=False)

    def tile(self, image: npt.NDArray[Any], top: int, left: int, rows: int, columns: int) -> npt.NDArray[np.int16]:
        """Levels of a rectangle, which may reach over the image's border (nodata there)."""
        levels = np.empty((rows, columns), np.int16)
        width = self.high - self.low if self.high > self.low else math.inf  # all in the first level
        edges = np.asarray(self.edges, np.float64)
        quantize_tile(image, top, left, self.low, width, float(self.levels), edges, levels)
        return levels


def as_image(image: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return ``image`` as a 2-D array of float32 or float64 (integers as float64), or raise `LulcError`."""
    array = np.asarray(image)
    if array.ndim != 2 or array.size == 0:
        raise ParameterError(
            f"Texture needs a 2-D image (row, column), got shape {array.shape}. Give one band at a time."
        )
    if array.dtype.kind not in "fiu":
        raise ParameterError(f"Texture needs an image of real numbers, got dtype {array.dtype}.")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    return np.ascontiguousarray(array)  # one memory layout, so that one kernel is compiled


def fit_quantizer(
    image: npt.ArrayLike,
    *,
    levels: int = 32,
    value_range: Sequence[float] | None = None,
    method: Method = "equal_width",
) -> Quantizer:
    """Find the borders between grey levels for an image.

    Parameters
    ----------
    image : array_like of float, (row, column)
        One band; what is not finite is nodata. Of a large image every n-th row and column is looked at (about
        a million pixels), so a decimated image of a scene gives nearly the same quantizer.
    levels
        Number of levels, 8–256.
    value_range
        Lowest and highest value, in units of the image. None takes the 1st and the 99th percentile, or the
        extremes if those are equal.
    method
        ``"equal_width"``: equal steps over the range. ``"equal_probability"``: borders at quantiles of the
        values within the range (of all values without a range): every level is about equally frequent.

    Returns
    -------
    Quantizer
        The same for every block of the scene. An image without data gives one that is never used.

    Raises
    ------
    LulcError
        If the image is not 2-D, ``levels`` is outside 8–256, the range is not increasing and finite, or the
        method is unknown.
    """
    image = as_image(image)
    if isinstance(levels, bool) or not isinstance(levels, int | np.integer) or not 8 <= levels <= 256:
        raise ParameterError(f"levels must be a whole number from 8 to 256, got {levels!r}.")
    if method not in ("equal_width", "equal_probability"):
        raise ParameterError(f"Unknown quantizer {method!r}: choose 'equal_width' or 'equal_probability'.")
    if value_range is not None:
        low, high = _check_range(value_range)
        if method == "equal_width":
            return Quantizer(int(levels), low, high)
    step_row, step_column = (math.ceil(n / SAMPLE_SIDE) for n in image.shape)
    values = image[::step_row, ::step_column]
    values = values[np.isfinite(values)].astype(np.float64)
    if values.size == 0:  # a thin strip of data between the sampled rows, or none at all
        values = image[np.isfinite(image)].astype(np.float64)
    if value_range is not None:
        values = values[(values >= low) & (values <= high)]
    if values.size == 0:
        return Quantizer(int(levels), 0.0, 0.0)
    if method == "equal_probability":
        edges = np.quantile(values, np.arange(1, levels) / levels)
        return Quantizer(int(levels), float(values.min()), float(values.max()), tuple(edges.tolist()))
    low, high = np.percentile(values, ROBUST_PERCENTILES).tolist()
    if low == high:
        low, high = float(values.min()), float(values.max())
    return Quantizer(int(levels), low, high)


def quantize(image: npt.ArrayLike, quantizer: Quantizer) -> npt.NDArray[np.int16]:
    """Turn values into grey levels.

    Parameters
    ----------
    image : array_like of float, (row, column)
        One band; what is not finite is nodata.
    quantizer
        From `fit_quantizer`.

    Returns
    -------
    numpy.ndarray of int16, (row, column)
        Levels 0 … ``quantizer.levels`` − 1; −1 is nodata.

    Raises
    ------
    LulcError
        If the image is not 2-D.
    """
    image = as_image(image)
    return quantizer.tile(image, 0, 0, *image.shape)


def _check_range(value_range: Sequence[float]) -> tuple[float, float]:
    try:
        low, high = (float(v) for v in value_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ParameterError(f"value_range must be (lowest, highest) with lowest < highest, got {value_range!r}.")
    return low, high


def write(path: Path, fitted: Mapping[str, Quantizer]) -> None:
    """Write the quantizers of bands, by name, as JSON."""
    files.write_json(path, {band: asdict(quantizer) for band, quantizer in fitted.items()})


def read(path: Path) -> dict[str, Quantizer]:
    """Return the quantizers that `write` wrote, by band; a LulcError if the file is missing or is not that."""
    with files.parse(path, "04_features") as content:
        return {band: Quantizer(**{**one, "edges": tuple(one["edges"])}) for band, one in content.items()}
