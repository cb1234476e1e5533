"""Drawing a probability sample of a map's pixels: how many points, shared out how, and which pixels.

Olofsson et al. 2014 (doi:10.1016/j.rse.2014.02.015, section 5.1); Cochran 1977, chapters 5 and 8.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from lulc_kit.classes import Scheme
from lulc_kit.errors import ParameterError

Codes = npt.NDArray[np.integer]

LEAST = 2
"""Points in a stratum, below which nothing has a standard error."""

ROWS = 1024
"""Rows of a map that are searched at a time."""

GUESS = 0.8
"""User's accuracy of a class of which nobody knows better, for planning."""

HOW = {
    "stratified": "stratified by the map's classes",
    "simple": "simple random",
    "systematic": "systematic, on a square grid with a random start",
}
"""How pixels are drawn, in words."""


@dataclass(frozen=True)
class Drawn:
    """A sample of a map's pixels, as it was drawn: all that estimators need to know of it.

    Attributes
    ----------
    how
        Name in `HOW`.
    run
        The run whose map it was drawn from.
    map
        `fingerprint` of that map.
    classes
        The map's classes.
    grid
        The map's grid.
    pixels
        Mapped pixels by class, in the classes' order.
    row, column
        Of each point, 0 at the upper left. Points are in random order, and numbered from 1.
    stratum
        Class that the map had at each point.
    asked
        What it was drawn with, as plain data: a sample is drawn anew only if something else is asked for.
    """

    how: str
    run: str
    map: str
    classes: Scheme
    grid: GeoBox
    pixels: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    stratum: npt.NDArray[np.int64]
    asked: Mapping[str, Any]

    @property
    def name(self) -> str:
        """A short name by which a file says which sample it belongs to."""
        of = f"{self.how} {self.map} {self.row.tolist()} {self.column.tolist()}"
        return hashlib.sha256(of.encode()).hexdigest()[:10]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; `from_dict` is its inverse."""
        crs = self.grid.crs
        return {
            "version": 1,
            "sample": self.name,
            "how": self.how,
            "run": self.run,
            "map": self.map,
            "asked": dict(self.asked),
            "crs": crs.to_wkt() if crs else None,
            "transform": list(self.grid.affine)[:6],
            "shape": list(self.grid.shape),
            "classes": self.classes.to_dict(),
            "pixels": self.pixels.tolist(),
            "row": self.row.tolist(),
            "column": self.column.tolist(),
            "stratum": self.stratum.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Drawn:
        """Rebuild a sample from `to_dict`."""
        from affine import Affine

        rows, columns = data["shape"]
        grid = GeoBox((int(rows), int(columns)), Affine(*data["transform"]), data["crs"])
        how, run, mark = (str(data[name]) for name in ("how", "run", "map"))
        pixels, row, column, stratum = (np.asarray(data[n], np.int64) for n in ("pixels", "row", "column", "stratum"))
        classes, asked = Scheme.from_dict(data["classes"]), dict(data["asked"])
        return cls(how, run, mark, classes, grid, pixels, row, column, stratum, asked)


def fingerprint(codes: Codes) -> str:
    """Return what tells a map from any other, whatever file it lies in."""
    return hashlib.sha256(np.ascontiguousarray(codes, np.uint8).tobytes()).hexdigest()


def count_pixels(codes: Codes, values: Sequence[int]) -> npt.NDArray[np.int64]:
    """Count the pixels of each class of a map (row, column)."""
    counts = sum(np.bincount(codes[i : i + ROWS].ravel(), minlength=256) for i in range(0, len(codes), ROWS))
    return np.asarray(counts, np.int64)[list(values)]


def points_for(
    standard_error: float, weights: npt.ArrayLike, users: npt.ArrayLike, pixels: npt.ArrayLike | None = None
) -> int:
    """Return how many points give overall accuracy a standard error (Olofsson et al. 2014, equation 13).

    Parameters
    ----------
    standard_error
        Of overall accuracy, 0–1.
    weights
        Each class's part of the map, or anything proportional to it.
    users
        The user's accuracy that is expected of each class, 0–1.
    pixels
        Pixels of each class, for the finite population correction; None for none.

    Examples
    --------
    >>> points_for(0.01, [0.020, 0.015, 0.320, 0.645], [0.70, 0.60, 0.90, 0.95])
    641
    """
    share, accuracy = np.asarray(weights, float), np.asarray(users, float)
    share = share / share.sum()
    spread = np.sqrt(accuracy * (1 - accuracy))
    whole = np.inf if pixels is None else float(np.sum(pixels))
    return math.ceil((share @ spread) ** 2 / (standard_error**2 + share @ spread**2 / whole) - 1e-9)


def allocate(
    points: int,
    pixels: npt.ArrayLike,
    how: str = "equal",
    *,
    users: npt.ArrayLike | None = None,
    least: int = LEAST,
) -> npt.NDArray[np.int64]:
    """Share points out among the classes of a map.

    Parameters
    ----------
    points
        How many.
    pixels
        Pixels of each class.
    how
        ``"equal"``: the same for each class, for user's accuracies. ``"proportional"`` to the class's pixels, for
        overall accuracy and areas. ``"neyman"``: proportional to pixels × √(user's accuracy × (1 − it)), which gives
        overall accuracy the least standard error.
    users
        The user's accuracy that is expected of each class, 0–1, for ``"neyman"``; None: `GUESS`.
    least
        Points that each class gets at least (all its pixels, if it has fewer).

    Raises
    ------
    LulcError
        If the points do not suffice, the map has fewer pixels, or the word is unknown.

    Examples
    --------
    >>> allocate(640, [200_000, 150_000, 3_200_000, 6_450_000], "proportional", least=75).tolist()
    [75, 75, 162, 328]
    """
    size = np.asarray(pixels, np.int64)
    floor = np.minimum(size, least)
    if floor.sum() > points or size.sum() < points:
        raise ParameterError(
            f"{points} points cannot be shared out: {np.count_nonzero(size)} classes with at least {least} each need "
            f"{floor.sum()}, and the map has {size.sum()} pixels. Ask for more points, or for fewer of each class."
        )
    if how not in ("equal", "proportional", "neyman"):
        raise ParameterError(f'{how!r} is no allocation; there are "equal", "proportional" and "neyman".')
    accuracy = np.full(size.shape, GUESS) if users is None else np.asarray(users, float)
    wanted = {
        "equal": np.ones(size.shape),
        "proportional": size.astype(float),
        "neyman": size * np.sqrt(np.clip(accuracy * (1 - accuracy), 1e-4, None)),  # nobody is always right
    }[how]
    wanted[size == 0] = 0
    # What one class cannot take, or must have, is taken from the others until it fits.
    found, fixed = np.zeros(size.shape), np.zeros(size.shape, bool)
    while not fixed.all():
        free = ~fixed
        found[free] = (points - found[fixed].sum()) * wanted[free] / max(wanted[free].sum(), 1e-300)
        low, high = free & (found < floor), free & (found > size)
        if not (low.any() or high.any()):
            break
        # Which limits bind for good is seen from what all of them would cost together; the others may yet move.
        limited = np.clip(found, floor, size)
        which = low if not high.any() or (low.any() and limited.sum() >= found.sum()) else high
        found[which] = limited[which]
        fixed |= which
    return _round(found, points, size)


def _round(numbers: npt.NDArray[np.float64], whole: int, most: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Round to whole numbers that add up, none above its limit: the largest remainders are rounded up."""
    down = np.floor(numbers + 1e-9).astype(np.int64)
    order = np.argsort(-(numbers - down), kind="stable")
    for i in np.tile(order, 2):
        if down.sum() < whole and down[i] < most[i] and numbers[i] > 0:
            down[i] += 1
    return down


def draw(
    codes: Codes,
    values: Sequence[int],
    points: npt.ArrayLike,
    *,
    how: str = "stratified",
    seed: int = 1,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Draw pixels of a map, each of a class with the same chance.

    Parameters
    ----------
    codes
        Class values (row, column); others than ``values`` (no data) are never drawn.
    values
        The classes' values.
    points
        How many of each class (``stratified``), or in all. A systematic sample has about that many, because its grid
        has a random start and parts of the map may have no class.
    how
        Name in `HOW`.
    seed
        Seed of the draw.

    Returns
    -------
    tuple of numpy.ndarray
        Rows and columns, in random order, so that the order tells an interpreter nothing of the class.

    Examples
    --------
    >>> codes = np.array([[1, 1, 2], [0, 2, 2]])
    >>> row, column = draw(codes, [1, 2], [1, 2])
    >>> sorted(codes[row, column].tolist())
    [1, 2, 2]
    """
    generator = np.random.default_rng(seed)
    pixels = count_pixels(codes, values)
    if how == "stratified":
        kinds = [([v], n, c) for v, n, c in zip(values, np.asarray(points, int).tolist(), pixels, strict=True)]
        flat = _pick(codes, [(of, generator.choice(there, n, replace=False)) for of, n, there in kinds if n])
    elif how == "simple":
        flat = _pick(codes, [(list(values), generator.choice(int(pixels.sum()), int(np.sum(points)), replace=False))])
    elif how == "systematic":
        flat = _grid(codes, values, math.sqrt(pixels.sum() / float(np.sum(points))), generator)
    else:
        raise ParameterError(f"{how!r} is no way to draw; there are {', '.join(HOW)}.")
    row, column = np.divmod(generator.permutation(flat), codes.shape[1])
    return row, column


def _pick(codes: Codes, wanted: Sequence[tuple[list[int], npt.NDArray[np.int64]]]) -> npt.NDArray[np.int64]:
    """Return the flat positions of the n-th pixels of some classes, searching a part of the map at a time."""
    ranks = [np.sort(rank) for _, rank in wanted]
    seen, found = [0] * len(wanted), []
    for first in range(0, len(codes), ROWS):
        part = codes[first : first + ROWS]
        for i, (values, _) in enumerate(wanted):
            there = np.flatnonzero(np.isin(part, values))
            begin, end = np.searchsorted(ranks[i], [seen[i], seen[i] + len(there)])
            found.append(there[ranks[i][begin:end] - seen[i]] + first * codes.shape[1])
            seen[i] += len(there)
    return np.concatenate([np.empty(0, np.int64), *found])


def _grid(codes: Codes, values: Sequence[int], spacing: float, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    lines = []
    for length, start in zip(codes.shape, generator.uniform(0, spacing, 2), strict=True):
        lines.append(np.floor(np.arange(start, length, spacing)).astype(np.int64))
    row, column = (index.ravel() for index in np.meshgrid(*lines, indexing="ij"))
    mapped = np.isin(codes[row, column], list(values))
    return row[mapped] * codes.shape[1] + column[mapped]
