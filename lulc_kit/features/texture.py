"""Texture of an image: features of the grey-level co-occurrence matrix (GLCM) in a moving window.

Haralick, R. M., Shanmugam, K. and Dinstein, I. (1973): Textural features for image classification. IEEE
Transactions on Systems, Man, and Cybernetics 3(6), 610–621, doi:10.1109/TSMC.1973.4309314.
"""

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lulc_kit.errors import ParameterError
from lulc_kit.features import _cooccurrence as kernels
from lulc_kit.features.quantize import Method, Quantizer, as_image, fit_quantizer

FEATURES = {
    "contrast": kernels.CONTRAST,
    "dissimilarity": kernels.DISSIMILARITY,
    "homogeneity": kernels.HOMOGENEITY,
    "asm": kernels.ASM,
    "energy": kernels.ENERGY,
    "maximum": kernels.MAXIMUM,
    "entropy": kernels.ENTROPY,
    "mean": kernels.MEAN,
    "variance": kernels.VARIANCE,
    "correlation": kernels.CORRELATION,
}
ANGLES = (0, 45, 90, 135)

# A tile's running sums and its ring of codes stay in the processor's second-level cache.
TILE_ROWS, TILE_COLUMNS = 128, 512


def halo(window: int) -> int:
    """Pixels that a block needs around it so that its texture is that of the whole image.

    Half the window, whatever the distance: both pixels of a pair lie in the window.
    """
    whole = isinstance(window, int | np.integer) and not isinstance(window, bool)
    if not whole or not 3 <= window <= 31 or window % 2 == 0:
        raise ParameterError(f"window must be an odd number of pixels from 3 to 31, got {window!r}.")
    return int(window) // 2


@dataclass(frozen=True)
class Settings:
    """Which texture is computed, and how.

    Attributes
    ----------
    features
        Names of the table in `glcm`, in the order of the result.
    window
        Side of the window in pixels, odd, 3–31. At the image's border the pairs that exist are used.
    levels
        Number of grey levels, 8–256.
    range
        Values where the first level begins and the last one ends; what lies outside joins them. None takes
        the 1st and 99th percentile of the image.
    directions
        ``"all"``: the pairs of 0, 45, 90 and 135 degrees in one matrix. ``"average"``: the mean of the
        features of the four matrices (of those that have pairs). A list of angles: their pairs in one matrix.
    distance
        Distance of a pair in pixels, 1 … ``window`` − 1.
    convention
        ``"haralick"``: the definitions in `glcm`, equal to scikit-image's symmetric, normed matrix; as there, 45°
        is one pixel down and one to the right, and a diagonal step is ``distance``/√2 rounded, in rows and
        columns. ``"snap"``: as ESA SNAP's GLCM operator, whose p sums to 2 (so the ranges there do not hold),
        whose 45° is one down and one to the left, and whose diagonal step is ``distance`` rows and columns.
        Unlike SNAP, a pixel of nodata stays nodata, and a correlation 0/0 is 1.
    quantizer
        Grey levels of equal width, ``"equal_width"``, or about equally frequent, ``"equal_probability"``.

    Raises
    ------
    LulcError
        If ``features``, ``window``, ``directions``, ``distance`` or ``convention`` is not as said above.

    Examples
    --------
    >>> Settings(features=("contrast", "entropy"), window=9).features
    ('contrast', 'entropy')
    """

    features: Sequence[str] = ("entropy", "correlation")
    window: int = 5
    levels: int = 32
    range: Sequence[float] | None = None
    directions: str | Sequence[int] = "all"
    distance: int = 1
    convention: Literal["haralick", "snap"] = "haralick"
    quantizer: Method = "equal_width"

    def __post_init__(self) -> None:
        halo(self.window)
        if self.convention not in ("haralick", "snap"):
            raise ParameterError(f"Unknown convention {self.convention!r}: choose 'haralick' or 'snap'.")
        _check_features(self.features)
        _matrices(self)

    def fit(self, image: npt.ArrayLike) -> Quantizer:
        """Find the borders between the grey levels of an image; see `lulc_kit.features.quantize.fit_quantizer`."""
        return fit_quantizer(image, levels=self.levels, value_range=self.range, method=self.quantizer)


def glcm(
    image: npt.ArrayLike,
    settings: Settings | None = None,
    *,
    quantizer: Quantizer | None = None,
    threads: int | None = None,
) -> npt.NDArray[Any]:
    """Compute co-occurrence texture around every pixel.

    In a window of ``window`` × ``window`` pixels each pair of pixels that lie ``distance`` apart in the given
    direction is counted, in both orders. p(i, j) is the share of pairs with levels i and j; μ and σ² are the
    mean and the variance of p's margin:

    ======================= ==================================  ==========================
    contrast                Σ p (i − j)²                        0 … (levels − 1)²
    dissimilarity           Σ p abs(i − j)                      0 … levels − 1
    homogeneity             Σ p / (1 + (i − j)²)                0 … 1
    asm                     Σ p²  (angular second moment)       0 … 1
    energy                  √asm                                0 … 1
    maximum                 max p                               0 … 1
    entropy                 −Σ p ln p, in nats                  0 … 2 ln levels
    mean                    μ = Σ p i                           0 … levels − 1
    variance                σ² = Σ p (i − μ)²                   0 … (levels − 1)² / 4
    correlation             Σ p (i − μ)(j − μ) / σ²             −1 … 1; 1 where σ² = 0
    ======================= ==================================  ==========================

    Parameters
    ----------
    image : array_like of float, (row, column)
        One band in any unit. What is not finite is nodata: no pair includes it.
    settings
        Which features, and how; default `Settings` without arguments.
    quantizer
        Fitted before, to other pixels of the scene (`Settings.fit`), to compare images or blocks. None fits one to
        this image.
    threads
        Number of threads; None for all processors that this process may use. 1 where blocks run in parallel.

    Returns
    -------
    numpy.ndarray of float32 (for a float32 image) or float64, (feature, row, column)
        NaN where the pixel is nodata or no pair exists. A block that has `halo` pixels around it and the
        scene's quantizer gives what the scene gives, to the last bit.

    Raises
    ------
    LulcError
        If the image is not 2-D and real, or the levels are not as `Settings` says.

    References
    ----------
    Haralick et al. (1973), doi:10.1109/TSMC.1973.4309314.

    Examples
    --------
    On a chessboard every neighbour lies at the other end of the grey levels: contrast is (levels − 1)².

    >>> board = np.indices((5, 5)).sum(axis=0) % 2
    >>> settings = Settings(features=("contrast",), window=3, levels=8, range=(0, 1), directions=(0,))
    >>> contrast = glcm(board, settings)
    >>> contrast.shape, float(contrast[0, 2, 2])
    ((1, 5, 5), 49.0)
    """
    image = as_image(image)
    settings = settings or Settings()
    if quantizer is None:
        quantizer = settings.fit(image)
    elif quantizer.levels != settings.levels:
        raise ParameterError(f"The quantizer has {quantizer.levels} levels, but {settings.levels} are asked for.")
    window, levels = settings.window, quantizer.levels
    codes = np.array([FEATURES[name] for name in settings.features], np.int64)
    matrices = _matrices(settings)
    plans = [_plan(offsets, window) for offsets in matrices]
    tables = _tables(window, levels, max(len(offsets) for offsets in matrices))
    total = 2.0 if settings.convention == "snap" else 1.0
    out = np.empty((len(codes), *image.shape), np.float32 if image.dtype == np.float32 else np.float64)

    def compute(place: tuple[int, int, int, int]) -> None:
        top, left, rows, columns = place
        half = window // 2
        tile = quantizer.tile(image, top - half, left - half, rows + 2 * half, columns + 2 * half)
        if len(plans) == 1:
            kernels.texture_tile(tile, window, levels, plans[0], codes, total, tables, out, top, left)
            return
        each = np.empty((len(plans), len(codes), rows, columns))
        for plan, result in zip(plans, each, strict=True):
            kernels.texture_tile(tile, window, levels, plan, codes, total, tables, result, 0, 0)
        out[:, top : top + rows, left : left + columns] = _mean(each)

    places = list(_places(*image.shape))
    workers = min(len(places), _processors() if threads is None else max(1, int(threads)))
    if workers == 1:
        for place in places:
            compute(place)
    else:
        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(compute, places):
                pass
    return out


def _check_features(features: Sequence[str]) -> None:
    offered = ", ".join(FEATURES)
    if isinstance(features, str):
        raise ParameterError(f"features must be a list of names, got {features!r}: write [{features!r}].")
    if not features:
        raise ParameterError(f"No texture feature is asked for: choose from {offered}.")
    unknown = [name for name in features if name not in FEATURES]
    if unknown:
        raise ParameterError(f"There are no texture features {unknown}: choose from {offered}.")


def _matrices(settings: Settings) -> list[list[tuple[int, int]]]:
    """Steps (rows ≥ 0, columns) of the directions, one list for each matrix whose features are averaged."""
    distance, directions, last = settings.distance, settings.directions, settings.window - 1
    whole = isinstance(distance, int | np.integer) and not isinstance(distance, bool)
    if not whole or not 1 <= distance <= last:
        raise ParameterError(f"distance must be a whole number from 1 to {last} (window − 1), got {distance!r}.")
    angles = _angles(directions)
    d = int(distance)
    diagonal, mirror = (d, -1) if settings.convention == "snap" else (round(d * math.sqrt(0.5)), 1)
    steps = {0: (0, d), 45: (diagonal, mirror * diagonal), 90: (d, 0), 135: (diagonal, -mirror * diagonal)}
    if isinstance(directions, str) and directions == "average":
        return [[steps[angle]] for angle in angles]
    return [[steps[angle] for angle in angles]]


def _angles(directions: str | Sequence[int]) -> tuple[int, ...]:
    choice = "'all', 'average', or a list of angles out of 0, 45, 90, 135"
    if isinstance(directions, str):
        if directions not in ("all", "average"):
            raise ParameterError(f"Unknown directions {directions!r}: choose {choice}.")
        return ANGLES
    angles = tuple(np.atleast_1d(np.asarray(directions)).tolist())
    if not angles or any(angle not in ANGLES for angle in angles) or len(set(angles)) < len(angles):
        raise ParameterError(f"Wrong directions {directions!r}: choose {choice}, each once.")
    return angles


def _plan(offsets: list[tuple[int, int]], window: int) -> kernels.Plan:
    offsets = sorted(offsets, key=lambda offset: abs(offset[1]))
    row_steps, column_steps = np.array(offsets, np.int64).T.copy()
    steps, groups = np.unique(abs(column_steps), return_inverse=True)
    slots = np.concatenate([[0], np.cumsum(window - row_steps)])
    first_of_group = np.searchsorted(abs(column_steps), steps)
    group_slots = np.append(slots[first_of_group], slots[-1])
    return kernels.Plan(row_steps, column_steps, groups, slots[:-1].copy(), steps, group_slots)


def _tables(window: int, levels: int, directions: int) -> kernels.Tables:
    difference = np.arange(levels + 1, dtype=np.float64)
    inverse = np.round(kernels.FIXED_POINT / (1.0 + difference**2)) / kernels.FIXED_POINT
    count = np.arange(directions * window * window + 1, dtype=np.float64)
    logarithm = np.round(count * np.log(np.maximum(count, 1.0)) * kernels.FIXED_POINT).astype(np.int64)
    return kernels.Tables(inverse, logarithm, np.diff(logarithm))


def _places(rows: int, columns: int) -> Iterator[tuple[int, int, int, int]]:
    """Top, left, rows and columns of the tiles."""
    for top in range(0, rows, TILE_ROWS):
        for left in range(0, columns, TILE_COLUMNS):
            yield top, left, min(TILE_ROWS, rows - top), min(TILE_COLUMNS, columns - left)


def _mean(each: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean over the first axis of what is not NaN; NaN where nothing is left."""
    known = ~np.isnan(each)
    count = known.sum(axis=0)
    total = np.where(known, each, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
