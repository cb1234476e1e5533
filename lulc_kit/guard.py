"""Does a scene's reflectance look as if its offset and scale were applied once, as declared?

Since processing baseline 04.00 the digital numbers of Sentinel-2 carry an offset of 1000. Forgetting to take
it off, or taking it off twice, shifts every band by 0.1 and shows in no picture. It shows in the darkest
pixels: water, shadow and the red of dense vegetation reflect less than 0.06, and nothing reflects less than
0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from lulc_kit.errors import LulcError, ParameterError

SHIFT = 0.1  # reflectance that one offset of 1000 amounts to
_BLUE_TO_GREEN = ("B1", "B2", "B3")  # bright over dark ground where the air is not corrected for (L1C)
_DARK, _BRIGHT = 0.5, 99.0  # percentiles
_MISSED = (0.09, 0.17)  # where the dark pixels of a scene lie whose offset was missed
_NEGATIVE = -0.03  # below what noise and an imperfect atmospheric correction explain
_LAND = 0.05  # so much brighter than water is land in the near infrared
_SOIL = 0.05  # so much brighter is bare ground in B8 than in B2
_EVEN = 0.08  # dark pixels (water, shadow) are about as dark in all bands
_DENSE = 0.25  # NIR − red of dense vegetation, a difference that no offset changes
_ENOUGH = 50  # pixels of dense vegetation
_FEW = 100  # pixels with data below which a scene proves nothing
_CLIPPED = 0.10  # share of pixels at the lowest value
_TOO_BRIGHT, _TOO_DARK = 1.6, 0.01  # thick cloud stays below, open sea above

Kind = Literal["plausible", "offset missed", "offset applied twice", "wrong scale", "undecided"]


@dataclass(frozen=True)
class Darkness:
    """The numbers of a scene that betray a wrong offset or scale.

    Attributes
    ----------
    floor, ceiling
        0.5 and 99 % percentile of reflectance for each band.
    clipped
        Share of pixels that have the lowest value of all, for each band.
    vegetation_red
        10 % percentile of the red of dense vegetation (NIR − red above 0.25); NaN if there is little of it,
        or its bands are not given.
    pixels
        Number of pixels with data.
    """

    floor: Mapping[str, float]
    ceiling: Mapping[str, float]
    clipped: Mapping[str, float]
    vegetation_red: float
    pixels: int

    def __str__(self) -> str:
        """The numbers on one line, for messages."""
        floors = ", ".join(f"{band} {value:.3f}" for band, value in self.floor.items())
        red = "" if np.isnan(self.vegetation_red) else f"; red of dense vegetation {self.vegetation_red:.3f}"
        return f"darkest 0.5 %: {floors}{red}"


@dataclass(frozen=True)
class Verdict:
    """What the dark pixels say, and why."""

    kind: Kind
    reason: str
    darkness: Darkness

    @property
    def acceptable(self) -> bool:
        """False if the scene should not be used as it is."""
        return self.kind in ("plausible", "undecided")


def measure(reflectance: np.ndarray, bands: Sequence[str]) -> Darkness:
    """Measure the dark end of a scene.

    Parameters
    ----------
    reflectance
        (band, row, column), 0–1, NaN = no data. Mask clouds: under a closed veil a scene looks as if its
        offset was missed. A sample of the scene (every tenth row and column) is enough.
    bands
        Names, such as ``["B2", "B3", "B4", "B8"]``.

    Returns
    -------
    Darkness

    Raises
    ------
    LulcError
        If the numbers of bands differ, or one band is empty and others are not.
    """
    if len(reflectance) != len(bands):
        raise ParameterError(f"{len(bands)} band names for {len(reflectance)} bands; expected one name for each.")
    floor, ceiling, clipped = {}, {}, {}
    pixels = 0
    land = _land(reflectance, bands)
    for band, values in zip(bands, reflectance, strict=True):
        valid = values[np.isfinite(values)]
        if valid.size == 0:
            if np.isfinite(reflectance).any():
                raise LulcError(f"Band {band} has no pixel with data but others have; expected a whole scene.")
            empty = dict.fromkeys(bands, float("nan"))
            return Darkness(empty, empty, empty, float("nan"), 0)
        pixels = max(pixels, valid.size)
        low, high = np.percentile(valid, [_DARK, _BRIGHT])
        floor[band], ceiling[band] = float(low), float(high)
        clipped[band] = float(np.mean((values == valid.min())[np.isfinite(values)] & land[np.isfinite(values)]))
    return Darkness(floor, ceiling, clipped, _vegetation_red(reflectance, bands), pixels)


def _land(reflectance: np.ndarray, bands: Sequence[str]) -> np.ndarray:
    """Return where the near infrared says that there is no water, (row, column): lakes may end at 0, and be right."""
    nir = next((band for band in ("B8", "B8A", "B7") if band in bands), None)
    if nir is None:
        return np.ones(reflectance.shape[1:], bool)
    values = reflectance[list(bands).index(nir)]
    lowest = np.nanmin(values) if np.isfinite(values).any() else 0.0
    return np.nan_to_num(values - lowest) > _LAND


def _vegetation_red(reflectance: np.ndarray, bands: Sequence[str]) -> float:
    nir = next((band for band in ("B8", "B8A", "B7") if band in bands), None)
    if nir is None or "B4" not in bands:
        return float("nan")
    red = reflectance[list(bands).index("B4")]
    dense = red[(reflectance[list(bands).index(nir)] - red) > _DENSE]
    return float(np.percentile(dense, 10)) if dense.size >= _ENOUGH else float("nan")


def judge(darkness: Darkness) -> Verdict:
    """Say whether offset and scale are plausible.

    Parameters
    ----------
    darkness
        From `measure`.

    Returns
    -------
    Verdict
        ``undecided`` for scenes without anything dark, such as a closed cloud deck or a desert, or with
        almost no data.
    """
    if darkness.pixels < _FEW:
        return Verdict("undecided", f"only {darkness.pixels} pixels have data", darkness)
    bright = max(darkness.ceiling, key=lambda band: darkness.ceiling[band])
    top = darkness.ceiling[bright]
    if top > _TOO_BRIGHT or top < _TOO_DARK:
        return Verdict(
            "wrong scale",
            f"the brightest 1 % of {bright} are at {top:.4g}, and reflectance there is {_TOO_DARK} to "
            f"{_TOO_BRIGHT}: the numbers were divided by the wrong value (10000 is usual; exports from web "
            "maps use 65535)",
            darkness,
        )
    floors = {band: value for band, value in darkness.floor.items() if band not in _BLUE_TO_GREEN} or darkness.floor
    red = darkness.vegetation_red
    below = [band for band, value in darkness.floor.items() if value < _NEGATIVE]
    visible = [darkness.clipped[band] for band in ("B2", "B3", "B4") if band in darkness.clipped]
    if red < _NEGATIVE or len(below) >= min(2, len(darkness.floor)):
        reason = f"reflectance is below {_NEGATIVE} in {', '.join(below) or 'dense vegetation'}: {darkness}"
        return Verdict("offset applied twice", reason, darkness)
    if visible and min(visible) > _CLIPPED:
        reason = (
            f"{100 * min(visible):.0f} % or more of the pixels have the lowest value in every visible band, "
            f"as if cut off at zero: {darkness}"
        )
        return Verdict("offset applied twice", reason, darkness)
    darkest, even = min(floors.values()), max(floors.values()) - min(floors.values()) < _EVEN
    # Water and shadow are no brighter in the near infrared than in blue; soil is, and then nothing here is dark.
    infrared = next((darkness.floor[band] for band in ("B8", "B8A") if band in darkness.floor), darkest)
    soil = infrared - darkness.floor.get("B2", infrared) > _SOIL
    if red > _MISSED[0] or (even and not soil and _MISSED[0] < darkest < _MISSED[1]):
        reason = f"nothing in the scene is darker than {min(darkness.floor.values()):.3f}: {darkness}"
        return Verdict("offset missed", reason, darkness)
    if darkest > _MISSED[0]:
        return Verdict("undecided", f"nothing in the scene is dark, so that it proves nothing: {darkness}", darkness)
    return Verdict("plausible", str(darkness), darkness)


def check(name: str, verdict: Verdict, offset: float | None = None) -> Verdict:
    """Refuse a scene whose offset or scale is implausible.

    Parameters
    ----------
    name
        Of the scene, for messages.
    verdict
        From `judge`, on reflectance as it would be used: after scale and offset.
    offset
        The offset that was applied, reflectance (−0.1, or 0), for the message.

    Returns
    -------
    Verdict
        The same, plausible or undecided.

    Raises
    ------
    LulcError
        With the numbers, and the remedy.
    """
    if verdict.acceptable:
        return verdict
    applied = "" if offset is None else f" (applied: {offset:+g})"
    if offset is not None and abs(offset) >= 1 and verdict.kind == "wrong scale":
        raise LulcError(
            f"{name}: the offset is {offset:g}, and reflectance is 0 to about 1: it is counted in the file's numbers? "
            f"Write what it means in reflectance in 01_download.yaml, for -1000 at a scale of 0.0001: offset: -0.1."
        )
    remedy = {
        "offset missed": f"reflectance seems {SHIFT} too high{applied}. Write offset: -0.1 for this scene",
        "offset applied twice": f"reflectance seems {SHIFT} too low{applied}. Write offset: 0 for this scene, if its "
        "provider has taken it off already",
        "wrong scale": "write the scale that its provider states (1 where the file holds reflectance itself, 0.01 "
        "where it holds per cent) for this scene",
    }[verdict.kind]
    remedy += " in 01_download.yaml. If you know that the numbers are right: radiometry: trust in 02_preprocess.yaml"
    raise LulcError(f"{name}: {verdict.kind}. Found: {verdict.reason}. Expected: dark pixels near 0; {remedy}.")


def refuse_mixture(scenes: Mapping[str, Darkness]) -> None:
    """Refuse scenes of one place of which some have the offset in them and some have not.

    This finds what no scene betrays by itself: two scenes that differ by about 0.1 in the dark pixels of all
    bands.

    Parameters
    ----------
    scenes
        What `measure` found, by name of the scene.

    Raises
    ------
    LulcError
        With the numbers of the two scenes.
    """
    for (one, a), (two, b) in combinations(scenes.items(), 2):
        common = [band for band in a.floor if band in b.floor]
        steps = [a.floor[band] - b.floor[band] for band in common]
        sizes = [abs(step) for step in steps]
        if len(common) < 2 or min(sizes) < 0.6 * SHIFT or max(sizes) > 1.4 * SHIFT:
            continue
        if len({step > 0 for step in steps}) == 1:
            higher = one if steps[0] > 0 else two
            raise LulcError(
                f"{one} and {two} differ by {min(sizes):.3f} to {max(sizes):.3f} in the "
                f"dark pixels of all bands ({one}: {a}. {two}: {b}). Expected the same within 0.05: in "
                f"{higher} the offset -0.1 seems not to be taken off, or in the other it was taken off "
                "twice. Correct the offset of one of them; they are not mixed."
            )
