"""Statistics of many dates: what a pixel does in the course of time, from its clear observations alone."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from lulc_kit import raster
from lulc_kit.errors import ParameterError
from lulc_kit.late import da, xr
from lulc_kit.params.features import HARMONIC, PERCENTILE, PLAIN

ROUNDS = 5
"""Of reweighting in the robust fit."""


def is_known(name: str) -> bool:
    """Whether a statistic has such a name: ``p0`` … ``p100``, or one that `params.features` lists."""
    return name in PLAIN + HARMONIC or _percentile(name) is not None


def _percentile(name: str) -> int | None:
    found = re.fullmatch(PERCENTILE, name)
    return int(found["percent"]) if found else None


def count_needed(name: str, names: Sequence[str], minimum: int) -> int:
    """Return how many clear dates a pixel needs at least for a statistic, beside others (see `statistics`)."""
    if name == "count":
        return 1
    if name in HARMONIC:
        both = any(other in HARMONIC and other.endswith("2") for other in names)
        return max(minimum, 2 * (5 if both else 3))
    return max(minimum, 2 if name == "slope" else 1)


def statistics(
    images: npt.NDArray[np.floating], dates: Sequence[str], names: Sequence[str], minimum: int = 1
) -> npt.NDArray[np.float32]:
    """Compute statistics over time of each pixel.

    Parameters
    ----------
    images
        (time, row, column), NaN where a date shows nothing.
    dates
        ``YYYY-MM-DD`` of each.
    names
        - ``p5`` … percentiles (0–100, linear between observations), ``mean``, ``std`` (divided by the number),
          ``iqr`` (p75 − p25), ``min``, ``max``, ``amplitude`` (max − min): in the unit of the images;
        - ``min_day``, ``max_day``: day of the year (1–366) of the first lowest and highest observation;
        - ``slope``: of a straight line by least squares, unit per year; NaN if all observations are of one day;
        - ``count``: number of observations;
        - ``amplitude1``, ``phase1``, ``amplitude2``, ``phase2``: of a wave of a year, and of half a year, over a
          constant, ``level`` (harmonic regression, Jakubauskas et al. 2001, PE&RS 67:461–470), fitted robustly (Huber's
          weights on the median absolute deviation); the phase is when the wave is highest, days from 1 January. Both
          waves are fitted where one of ``…2`` is asked for. NaN with fewer observations than twice the coefficients.
    minimum
        A pixel with fewer observations gets NaN, but for its count.

    Returns
    -------
    numpy.ndarray
        float32, (statistic, row, column), in the order of the names.

    Raises
    ------
    LulcError
        If a name is unknown, or there are not as many dates as images.

    Examples
    --------
    >>> values = np.array([0.2, 0.8, np.nan, 0.4]).reshape(4, 1, 1)
    >>> days = ["2021-03-01", "2021-06-15", "2021-08-01", "2021-10-01"]
    >>> statistics(values, days, ["p50", "max_day", "count"]).ravel().tolist()
    [0.4000000059604645, 166.0, 3.0]
    """
    if unknown := [name for name in names if not is_known(name)]:
        raise ParameterError(
            f"{unknown[0]!r} is no statistic over time. There are: p0 to p100, {', '.join(PLAIN + HARMONIC)}."
        )
    if len(dates) != len(images):
        raise ParameterError(f"{len(dates)} dates for {len(images)} images; expected one for each.")
    days = [datetime.date.fromisoformat(d) for d in dates]
    first = datetime.date(min(days).year, 1, 1) if days else datetime.date(2000, 1, 1)
    codes = np.array([_code(name) for name in names], np.int64)
    order = 2 if any(n.endswith("2") for n in names if n in HARMONIC) else int(any(n in HARMONIC for n in names))
    out = np.empty((len(names), *images.shape[1:]), np.float32)
    of_year = np.array([d.timetuple().tm_yday for d in days], np.float64)
    since = np.array([(d - first).days for d in days], np.float64)
    _each(np.ascontiguousarray(images), of_year, since, codes, order, minimum, out)
    return out


def curve(
    values: npt.NDArray[np.floating], dates: Sequence[str], order: int = 1
) -> tuple[list[datetime.date], npt.NDArray[np.float64]]:
    """Return the waves that `statistics` fits to one pixel, every tenth day from the first to the last date.

    Parameters
    ----------
    values
        (time,), NaN where a date shows nothing.
    dates
        ``YYYY-MM-DD`` of each, in order.
    order
        1: a wave of a year; 2: and one of half a year.

    Returns
    -------
    list of datetime.date
        The days.
    numpy.ndarray
        The fit on each, in the unit of the values; NaN with too few observations.
    """
    names = ["level", "amplitude1", "phase1", "amplitude2", "phase2"][: 1 + 2 * order]
    level, *waves = (float(v) for v in statistics(values[:, None, None], dates, names).ravel())
    first, last = datetime.date.fromisoformat(dates[0]), datetime.date.fromisoformat(dates[-1])
    days = [first + datetime.timedelta(days=k) for k in range(0, (last - first).days + 1, 10)]
    since = np.array([(day - datetime.date(first.year, 1, 1)).days for day in days], float)
    fitted = np.full(len(days), level)
    for k in range(order):
        height, crest = waves[2 * k : 2 * k + 2]
        fitted += height * np.cos(2 * np.pi * (k + 1) * (since - crest) / 365.25)
    return days, fitted


def _code(name: str) -> int:
    """Number a statistic: percentiles by themselves, the others after them."""
    percent = _percentile(name)
    return percent if percent is not None else 101 + (PLAIN + HARMONIC).index(name)


def compute(series: Sequence[xr.DataArray], dates: Sequence[str], names: Sequence[str], minimum: int) -> xr.DataArray:
    """Compute statistics over time of layers, lazily, block by block; see `statistics`.

    Parameters
    ----------
    series
        For each date (layer, y, x), NaN where it shows nothing; the same layers on each.
    dates, names, minimum
        See `statistics`.

    Returns
    -------
    xarray.DataArray
        float32, layers named ``<layer>_<statistic>`` (``NDVI_p90``), layer by layer.
    """
    layers = [str(band) for band in series[0].band.values]
    images = [da.asarray(image.data).rechunk({0: -1}) for image in series]

    def block(*images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        # One layer of all dates at a time: never all layers of all dates twice in memory.
        return np.concatenate(
            [statistics(np.stack([image[k] for image in images]), dates, names, minimum) for k in range(len(layers))]
        )

    out = da.map_blocks(
        block,
        *images,
        chunks=((len(layers) * len(names),), *images[0].chunks[1:]),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )
    return raster.array(out, series[0].odc.geobox, [f"{layer}_{name}" for layer in layers for name in names])


@numba.njit(nogil=True, cache=True)
def _each(images: Any, of_year: Any, since: Any, codes: Any, order: int, minimum: int, out: Any) -> None:  # noqa: C901
    dates, rows, columns = images.shape
    seen, when, waves = np.empty(dates), np.empty(dates, np.int64), np.empty(5)
    ordered, line = np.empty(dates), np.empty((columns, dates))
    ranks = ((codes <= 100) | (codes == 103) | (codes == 104) | (codes == 105) | (codes == 108)).any()
    for row in range(rows):
        # Date by date, as they lie in memory, then pixel by pixel.
        for k in range(dates):
            for column in range(columns):
                line[column, k] = images[k, row, column]
        for column in range(columns):
            n = 0
            for k in range(dates):
                value = line[column, k]
                if not np.isnan(value):
                    seen[n], when[n] = value, k
                    n += 1
            x = ordered[:n]
            if ranks:
                _sort(seen[:n], x)
            if order > 0 and n >= max(minimum, 2 * (1 + 2 * order)):
                _waves(seen[:n], since[when[:n]], order, waves)
            else:
                waves[:] = np.nan
            # Loops, not numpy's functions: for a handful of numbers they take longer to begin than to end.
            mean, lowest, highest = 0.0, 0, 0
            for k in range(n):
                mean += seen[k]
                lowest = k if seen[k] < seen[lowest] else lowest
                highest = k if seen[k] > seen[highest] else highest
            mean /= max(n, 1)
            for i in range(len(codes)):
                code = codes[i]
                if code == 110:
                    out[i, row, column] = n
                elif n < max(minimum, 1):
                    out[i, row, column] = np.nan
                elif code <= 100:
                    out[i, row, column] = _quantile(x, code / 100)
                elif code == 101:
                    out[i, row, column] = mean
                elif code == 102:
                    spread = 0.0
                    for k in range(n):
                        spread += (seen[k] - mean) ** 2
                    out[i, row, column] = np.sqrt(spread / n)
                elif code == 103:
                    out[i, row, column] = _quantile(x, 0.75) - _quantile(x, 0.25)
                elif code == 104:
                    out[i, row, column] = x[0]
                elif code == 105:
                    out[i, row, column] = x[n - 1]
                elif code == 106:
                    out[i, row, column] = of_year[when[lowest]]
                elif code == 107:
                    out[i, row, column] = of_year[when[highest]]
                elif code == 108:
                    out[i, row, column] = x[n - 1] - x[0]
                elif code == 109:
                    out[i, row, column] = _slope(seen[:n], since[when[:n]] / 365.25)
                else:
                    out[i, row, column] = waves[code - 111]


@numba.njit(nogil=True, cache=True)
def _sort(values: Any, out: Any) -> None:
    """Sort by insertion, the quickest for the few dates of a year; many are left to numpy."""
    if len(values) > 64:
        out[:] = np.sort(values)
        return
    for i in range(len(values)):
        value, j = values[i], i
        while j > 0 and out[j - 1] > value:
            out[j] = out[j - 1]
            j -= 1
        out[j] = value


@numba.njit(nogil=True, cache=True)
def _quantile(x: Any, q: float) -> float:
    """Interpolate as numpy does, to the last bit."""
    at = q * (len(x) - 1)
    low = int(np.floor(at))
    high = min(low + 1, len(x) - 1)
    part = at - low
    step = x[high] - x[low]
    return x[high] - step * (1 - part) if part >= 0.5 else x[low] + step * part


@numba.njit(nogil=True, cache=True)
def _slope(y: Any, t: Any) -> float:
    centred = t - t.sum() / len(t)
    spread = (centred**2).sum()
    return (centred * y).sum() / spread if spread > 0 else np.nan


@numba.njit(nogil=True, cache=True)
def _waves(y: Any, t: Any, order: int, waves: Any) -> None:
    """Fit a constant and waves of a year (and of half a year) by reweighted least squares."""
    n, size = len(y), 1 + 2 * order
    design = np.ones((n, size))
    for k in range(order):
        turn = 2 * np.pi * (k + 1) / 365.25
        design[:, 1 + 2 * k] = np.cos(turn * t)
        design[:, 2 + 2 * k] = np.sin(turn * t)
    weights, fit = np.ones(n), np.zeros(size)
    waves[:] = np.nan
    for _ in range(ROUNDS):
        normal, right = np.zeros((size, size)), np.zeros(size)
        for i in range(n):
            for a in range(size):
                right[a] += weights[i] * design[i, a] * y[i]
                for b in range(size):
                    normal[a, b] += weights[i] * design[i, a] * design[i, b]
        if not _solve(normal, right, fit):
            return
        left = np.abs(y - design @ fit)
        limit = 1.345 * 1.4826 * np.median(left)
        if limit <= 1e-9:
            break
        for i in range(n):
            weights[i] = 1.0 if left[i] <= limit else limit / left[i]
    waves[4] = fit[0]
    for k in range(order):
        a, b = fit[1 + 2 * k], fit[2 + 2 * k]
        waves[2 * k] = np.hypot(a, b)
        waves[2 * k + 1] = (np.arctan2(b, a) / (2 * np.pi) % 1.0) * 365.25 / (k + 1)


@numba.njit(nogil=True, cache=True)
def _solve(normal: Any, right: Any, fit: Any) -> bool:
    """Solve by elimination with pivots; False where the dates do not determine the waves."""
    size = len(right)
    for k in range(size):
        pivot = k + np.argmax(np.abs(normal[k:, k]))
        if abs(normal[pivot, k]) < 1e-6:
            return False
        for j in range(size):
            normal[k, j], normal[pivot, j] = normal[pivot, j], normal[k, j]
        right[k], right[pivot] = right[pivot], right[k]
        for i in range(k + 1, size):
            part = normal[i, k] / normal[k, k]
            for j in range(k, size):
                normal[i, j] -= part * normal[k, j]
            right[i] -= part * right[k]
    for k in range(size - 1, -1, -1):
        fit[k] = right[k]
        for j in range(k + 1, size):
            fit[k] -= normal[k, j] * fit[j]
        fit[k] /= normal[k, k]
    return True
