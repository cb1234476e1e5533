"""Is the offset of processing baseline 04.00 still in the numbers of a file? Three witnesses, of which two must agree.

Since that baseline ESA adds 1000 to the numbers of Sentinel-2, to be taken off again: reflectance = (number − 1000) /
10000. Some who hand the files on have taken it off already, and what their catalogs say of it is wrong in both
directions (Element84/earth-search issues 9, 66 and 71; cirrus-geo/cirrus-earth-search issue 33). So beside the
metadata two more are heard. The **dark pixels** (`lulc_kit.guard`) say nothing over deserts, snow and cloud. The
**true-colour picture** (TCI) does: ESA makes its 8 bits from reflectance, so that where the numbers of red, green and
blue are regressed on it, the number that belongs to 0 is what was added to the file: about 0, or about 1000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lulc_kit import guard
from lulc_kit.errors import LulcError, ParameterError

SCALE, OFFSET = 0.0001, -0.1
"""reflectance = number × scale + offset, where the offset is still in the numbers."""
RGB = ("B4", "B3", "B2")
"""Bands of the true-colour picture, in its order."""

_UNCUT = (5, 230)  # counts of the picture that are neither cut off at its dark end nor near its bright one
_FEW, _SPREAD, _LEVELS = 200, 30, 12  # pixels, range of counts, and different counts that a line needs at least
_LOOSE = 0.02  # reflectance by which the numbers may scatter about the line, as median
_NONE, _WHOLE = (-0.03, 0.03), (0.07, 0.13)  # where the line begins, reflectance


@dataclass(frozen=True)
class Witness:
    """What speaks for or against an offset in the numbers.

    Attributes
    ----------
    name
        ``"metadata"``, ``"dark pixels"`` or ``"true-colour picture"``.
    says
        True: it is in the numbers and has to be taken off; False: it is not; None: this witness cannot tell.
    found
        What it found, in words and numbers.
    """

    name: str
    says: bool | None
    found: str

    def __str__(self) -> str:
        said = {True: "offset in the numbers", False: "no offset in the numbers", None: "silent"}[self.says]
        return f"{self.name}: {said} ({self.found})"


@dataclass(frozen=True)
class Decision:
    """The offset to be applied (−0.1 or 0, reflectance), and what each witness said."""

    offset: float
    witnesses: tuple[Witness, ...]

    def __str__(self) -> str:
        return "; ".join(map(str, self.witnesses))


def from_dark_pixels(numbers: npt.NDArray[np.generic], bands: Sequence[str]) -> Witness:
    """Hear the dark pixels.

    Parameters
    ----------
    numbers
        Of the file, (band, row, column): reflectance × 10000, with or without the offset; 0 or NaN for no data.
        A coarse sample of the scene; mask clouds.
    bands
        Their names.

    Returns
    -------
    Witness
        Silent unless the scene is plausible with the offset and implausible without it, or the other way round.
    """
    values = np.where(np.nan_to_num(numbers) > 0, numbers, np.nan) * SCALE
    plain, shifted = (guard.judge(guard.measure(values + offset, bands)) for offset in (0.0, OFFSET))
    says = None
    if plain.kind == "offset missed" and shifted.acceptable:
        says = True
    elif plain.kind == "plausible" and not shifted.acceptable:
        says = False
    return Witness("dark pixels", says, f"as they are {plain.kind}, less {-OFFSET:g} {shifted.kind}; {plain.darkness}")


def beginning(reflectance: npt.NDArray[np.floating], picture: npt.NDArray[np.generic]) -> float:
    """Return the reflectance that belongs to 0 in the true-colour picture: 0 where it is right.

    Parameters
    ----------
    reflectance
        Red, green and blue, (3, row, column); NaN for no data.
    picture
        The picture of 8 bits on the same pixels, (3, row, column); 0 for no data.

    Returns
    -------
    float
        Median over the bands of where each one's line meets 0; NaN if no band has enough pixels that the picture
        shows unsaturated, or they lie on no line.

    Raises
    ------
    LulcError
        If the shapes differ.
    """
    if reflectance.shape != picture.shape:
        raise ParameterError(f"Bands of shape {reflectance.shape} and a picture of {picture.shape}; expected the same.")
    found = [_line(values, counts) for values, counts in zip(reflectance, picture, strict=True)]
    known = [start for start in found if np.isfinite(start)]
    return float(np.median(known)) if known else float("nan")


def _line(values: npt.NDArray[np.floating], counts: npt.NDArray[np.generic]) -> float:
    x = np.rint(np.nan_to_num(counts)).astype(int)
    shown = np.isfinite(values) & (x >= _UNCUT[0]) & (x <= _UNCUT[1])
    x, y = x[shown], values[shown]
    levels, number = np.unique(x, return_counts=True)
    levels = levels[number >= 3]
    if len(x) < _FEW or len(levels) < _LEVELS or np.ptp(levels) < _SPREAD:
        return float("nan")
    middle = np.array([np.median(y[x == level]) for level in levels])
    slope, start = _least_absolute(levels, middle, number[number >= 3])
    loose = np.median(np.abs(y - (start + slope * x)))
    return float(start) if slope > 0 and loose < _LOOSE else float("nan")


def _least_absolute(
    x: npt.NDArray[np.integer], y: npt.NDArray[np.floating], weight: npt.NDArray[np.integer]
) -> tuple[float, float]:
    """Return slope and beginning of the line of least absolute residuals, by reweighted least squares.

    At the rims of clouds an overview mixes pixels that the picture cuts off with others, so that bright counts bend
    upwards: the line goes with the many.
    """
    line = np.polyfit(x, y, 1, w=np.sqrt(weight))
    for _ in range(50):
        apart = np.abs(y - np.polyval(line, x)).clip(1e-4)
        line = np.polyfit(x, y, 1, w=np.sqrt(weight / apart))
    return float(line[0]), float(line[1])


def from_picture(numbers: npt.NDArray[np.generic], picture: npt.NDArray[np.generic]) -> Witness:
    """Hear the true-colour picture.

    Parameters
    ----------
    numbers
        Of the files of B4, B3 and B2, (3, row, column): reflectance × 10000, with or without the offset; 0 or NaN for
        no data. An overview is enough.
    picture
        The picture on the same pixels, (3, row, column), 0–255.
    """
    start = beginning(np.where(np.nan_to_num(numbers) > 0, numbers, np.nan) * SCALE, picture)
    if np.isnan(start):
        return Witness("true-colour picture", None, "too few pixels, or on no line")
    says = True if _WHOLE[0] < start < _WHOLE[1] else False if _NONE[0] < start < _NONE[1] else None
    return Witness("true-colour picture", says, f"its 0 is {start / SCALE:.0f} in the files")


def decide(name: str, witnesses: Sequence[Witness]) -> Decision:
    """Decide whether the offset is still to be applied.

    Parameters
    ----------
    name
        Of the scene, for messages.
    witnesses
        Metadata, dark pixels, true-colour picture.

    Raises
    ------
    LulcError
        With what each of them said, if no two agree.
    """
    for says, offset in ((True, OFFSET), (False, 0.0)):
        if sum(witness.says is says for witness in witnesses) >= 2:
            return Decision(offset, tuple(witnesses))
    raise LulcError(
        f"{name}: whether the offset {OFFSET:g} is still in its numbers is not certain. Found: "
        f"{'; '.join(map(str, witnesses))}. Expected: two that agree. Take the date from another 'service' or "
        f"collection, or leave it out with 'dates' or 'cloud' in 01_download.yaml; it is not used by guessing."
    )


def settle(verdict: guard.Verdict, start: float) -> guard.Verdict:
    """Let the true-colour picture decide where the dark pixels could not.

    Parameters
    ----------
    verdict
        The guard's.
    start
        From `beginning`, of reflectance as it would be used.

    Returns
    -------
    lulc_kit.guard.Verdict
        The same, if it was not ``undecided`` or the picture says nothing clear either.
    """
    if verdict.kind != "undecided" or np.isnan(start):
        return verdict
    kinds: dict[guard.Kind, tuple[float, float]] = {
        "plausible": _NONE,
        "offset missed": _WHOLE,
        "offset applied twice": (-_WHOLE[1], -_WHOLE[0]),
    }
    for kind, (low, high) in kinds.items():
        if low < start < high:
            said = f"nothing in the scene is dark, but its true-colour picture's 0 is {start:+.3f}: {verdict.darkness}"
            return guard.Verdict(kind, said, verdict.darkness)
    return verdict
