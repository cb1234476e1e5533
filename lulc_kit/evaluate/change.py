"""Two class maps of the same land compared, pixel by pixel: what became what.

Both maps have mistakes, and where they differ, one of them may just be wrong: with two maps that are each right on 90 %
of the land, up to 20 % of it "changes" though nothing did. So hectares counted here are of the maps and not of the
land; areas of change need a probability sample of the change map itself (Olofsson et al. 2014,
doi:10.1016/j.rse.2014.02.015; `design.estimate_stratified` with the kinds of change as classes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import grids
from lulc_kit.classes import MOST, LandClass, Scheme
from lulc_kit.errors import GridError, LulcError
from lulc_kit.late import da, pd, xr
from lulc_kit.raster import array, blockwise

UNCHANGED = "unchanged"
"""What a change map calls pixels whose class is the same in both maps."""

CODE = 1000
"""A change map's code is the class before × this + the class after."""

CAUTION = (
    "These are hectares of two maps, not of the land: where the maps differ, one of them may be wrong. Areas of change "
    "need points drawn at random from the change map and looked at on images of both times."
)


@dataclass(frozen=True)
class Change:
    """What became what between two maps.

    Attributes
    ----------
    before, after
        Which maps.
    classes
        The classes of both.
    counts
        Pixels by class before and class after, (class, class).
    hectare
        Hectares of a pixel.
    codes
        The change map, (1, y, x): class before × `CODE` + class after; 0 where one of the maps has none.
    """

    before: str
    after: str
    classes: Scheme
    counts: npt.NDArray[np.int64]
    hectare: float
    codes: xr.DataArray

    def transitions(self) -> pd.DataFrame:
        """Hectares by class before (rows) and after (columns)."""
        rows = pd.Index(self.classes.names, name=f"{self.before} ↓, {self.after} →")
        return pd.DataFrame(self.hectare * self.counts, rows, list(self.classes.names))

    def balance(self) -> pd.DataFrame:
        """Hectares of each class: before, after, kept, gained, lost, and the net change."""
        before, after = self.counts.sum(axis=1), self.counts.sum(axis=0)
        kept = np.diag(self.counts)
        columns = {"before": before, "after": after, "kept": kept, "gain": after - kept, "loss": before - kept}
        table = pd.DataFrame(columns, pd.Index(self.classes.names, name="class")) * self.hectare
        return table.assign(net=table["after"] - table["before"])

    @property
    def changed(self) -> float:
        """Part of the land that both maps cover (0–1) on which they differ."""
        return float(1 - np.trace(self.counts) / self.counts.sum())

    def picture(self) -> tuple[xr.DataArray, Scheme]:
        """Return the change map as classes: what a pixel became where it changed, and `UNCHANGED` elsewhere."""
        free = max(set(range(1, MOST + 1)) - {*self.classes.values})
        data = self.codes.data
        after = data % CODE
        shown = da.where(data == 0, 0, da.where(data // CODE == after, free, after)).astype(np.uint8)
        scheme = Scheme("change", "Change", (*self.classes.classes, LandClass(free, UNCHANGED, "#f4f1ea")))
        return self.codes.copy(data=shown), scheme

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain data."""
        return {
            "before": self.before,
            "after": self.after,
            "classes": list(self.classes.names),
            "changed": self.changed,
            "transitions_ha": self.transitions().to_numpy().tolist(),
            "balance_ha": self.balance().to_dict("index"),
            "caution": CAUTION,
        }


def join(before: Scheme, after: Scheme) -> tuple[Scheme, npt.NDArray[np.uint8]]:
    """Join the classes of two maps by their names.

    Returns
    -------
    tuple
        The scheme of ``after`` and those classes that only ``before`` has, under free values; and for each value of
        ``before`` the value in it (0 for none).

    Raises
    ------
    LulcError
        If they share no name.

    Examples
    --------
    >>> one = Scheme("x", "X", (LandClass(1, "Water", "#0000ff"), LandClass(2, "Ice", "#ffffff")))
    >>> other = Scheme("y", "Y", (LandClass(2, "Water", "#0000ff"),))
    >>> both, values = join(one, other)
    >>> both.names, both.values, values[[1, 2]].tolist()
    (('Water', 'Ice'), (2, 1), [2, 1])
    """
    if not {*before.names} & {*after.names}:
        raise LulcError(
            f"The maps share no class: {', '.join(before.names)} and {', '.join(after.names)}. Give classes that mean "
            f"the same the same name (classes of 05), and run both studies anew."
        )
    free = iter(sorted(set(range(1, MOST)) - {*after.values}))
    added = [LandClass(next(free), c.name, c.colour) for c in before.classes if c.name not in after.names]
    both = Scheme(after.name, after.title, (*after.classes, *added))
    values = np.zeros(256, np.uint8)
    for c in before.classes:
        values[c.value] = both.find(c.name).value
    return both, values


def compare(
    before: xr.DataArray, after: xr.DataArray, schemes: tuple[Scheme, Scheme], names: tuple[str, str]
) -> Change:
    """Compare two class maps.

    Parameters
    ----------
    before, after
        Class values, (1, y, x), 0 for no data, lazy.
    schemes
        Their classes; those of one name are one class.
    names
        What the maps are called.

    Raises
    ------
    LulcError
        If the maps lie on different grids, share no class, or cover no common land.
    """
    one, other = before.odc.geobox, after.odc.geobox
    if not grids.same(one, other):
        raise GridError(
            f"{names[0]} and {names[1]} lie on different grids, so that no pixel has its counterpart.\n"
            f"  {names[0]}: {grids.describe(one)}\n  {names[1]}: {grids.describe(other)}\n"
            f"Give both studies the same area and grid (01 and 02), and run them anew."
        )
    classes, values = join(*schemes)
    first, second = before.data, after.data
    if not hasattr(first, "dask"):
        first, second = da.from_array(first), da.from_array(second)
    translated = first.map_blocks(lambda block: values[block], dtype=np.uint8).astype(np.uint32)
    second = second.rechunk(translated.chunks).astype(np.uint32)
    codes = da.where((translated > 0) & (second > 0), translated * CODE + second, 0).astype(np.uint32)
    counts = np.sum(blockwise.reduce(_count, codes, classes.values, layers=4), axis=0)
    if not counts.sum():
        raise LulcError(f"{names[0]} and {names[1]} have no pixel that both give a class.")
    hectare = abs(other.resolution.x * other.resolution.y) / 10_000
    return Change(*names, classes, counts, hectare, array(codes, other, ["change"]))


def _count(codes: npt.NDArray[np.unsignedinteger], values: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Count a block's codes by class before and class after."""
    size = len(values)
    position = np.zeros(256, np.int64)
    position[list(values)] = np.arange(size)
    known = codes[codes > 0]
    flat = position[known // CODE] * size + position[known % CODE]
    return np.bincount(flat, minlength=size * size).reshape(size, size)
