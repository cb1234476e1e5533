"""Areas of change: points drawn at random from a change map, looked at on images of both times, and what they say.

Hectares counted on two maps carry the mistakes of both. Points that had a known chance to be drawn do not: the kinds of
change ("stable Forest", "Forest to Field") are the strata and the classes of the estimators of Olofsson et al. 2014
(doi:10.1016/j.rse.2014.02.015), whose own example is one of change. Kinds that are rare on the map share a stratum, so
that each has points enough; the estimators for strata that are not the classes (Stehman 2014,
doi:10.1080/01431161.2014.930207) know of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import grids
from lulc_kit.classes import MOST, LandClass, Scheme
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import design, interpretation, sampling
from lulc_kit.evaluate.change import CODE, Change
from lulc_kit.evaluate.design import DesignEstimates
from lulc_kit.evaluate.sampling import Drawn
from lulc_kit.late import pd
from lulc_kit.layout import SampleLayout

Counts = npt.NDArray[np.integer]

RARE = 0.01
"""Part of the map under which a kind of change shares a stratum with other rare ones."""


def kinds(classes: Scheme) -> Scheme:
    """Return all kinds of change between classes as a scheme of its own: class before, then class after.

    Raises
    ------
    LulcError
        If they are more than a byte can number: of 16 classes or more.

    Examples
    --------
    >>> found = kinds(Scheme("x", "X", (LandClass(1, "Forest", "#006400"), LandClass(5, "Field", "#ffff00"))))
    >>> found.names
    ('stable Forest', 'Forest to Field', 'Field to Forest', 'stable Field')
    """
    several = classes.classes
    if len(several) ** 2 > MOST:
        raise LulcError(
            f"{len(several)} classes change in {len(several) ** 2} ways, and a sample of change can have {MOST}. Join "
            f"classes (classes of 05) before you draw points of their changes (change_points of 09)."
        )
    pairs = [(before, after) for before in several for after in several]
    return Scheme(
        "change",
        "Kinds of change",
        tuple(
            LandClass(i, f"stable {a.name}" if b == a else f"{b.name} to {a.name}", a.colour)
            for i, (b, a) in enumerate(pairs, 1)
        ),
    )


def number(codes: npt.NDArray[np.unsignedinteger], classes: Scheme) -> npt.NDArray[np.uint8]:
    """Turn the codes of a change map (`change.CODE`) into values of `kinds`; 0 stays."""
    place = np.zeros(256, np.int64)
    place[list(classes.values)] = np.arange(len(classes.values))
    found = place[codes // CODE] * len(classes.values) + place[codes % CODE] + 1
    return np.where(codes > 0, found, 0).astype(np.uint8)


def merge(pixels: npt.ArrayLike, rare: float = RARE) -> npt.NDArray[np.int64]:
    """Return the stratum of each kind, from 1: of its own, or shared by all under ``rare``; 0 for what does not occur.

    Examples
    --------
    >>> merge([9000, 4, 0, 3, 900]).tolist()
    [2, 1, 0, 1, 3]
    """
    size = np.asarray(pixels, np.int64)
    few = (size > 0) & (size < rare * size.sum())
    if few.any() and size[few].sum() < sampling.LEAST:  # a single pixel shows no spread: it goes with the largest
        few |= size == size.max()
    key = np.where(size == 0, -2, np.where(few, -1, np.arange(len(size))))
    _, found = np.unique(key, return_inverse=True)
    return np.asarray(found + (size > 0).all(), np.int64)


@dataclass(frozen=True)
class ChangedAreas:
    """What an interpreted sample says of the change between two maps.

    Attributes
    ----------
    classes
        The classes of the land.
    names
        Kinds of change that the map or the points have.
    before, after
        Which maps.
    dates
        Of what the interpreter looked at, before and after.
    confidence
        Level of the intervals.
    pixels
        Of each kind on the map that the points were drawn from.
    hectare
        Hectares of a pixel.
    found
        What the sample says of the kinds.
    matrix
        Points by mapped and seen kind.
    by_class
        For each class: what the sample says of the parts of the land that stayed in it, left it, came to it.
    notes
        What a reader must know of these numbers, in sentences.
    """

    classes: Scheme
    names: tuple[str, ...]
    before: str
    after: str
    dates: tuple[str, str]
    confidence: float
    pixels: Counts
    hectare: float
    found: DesignEstimates
    matrix: Counts
    by_class: Mapping[str, DesignEstimates]
    notes: tuple[str, ...]

    def areas(self) -> pd.DataFrame:
        """Hectares of each kind of change: counted pixels, and the sample's estimate with its interval."""
        whole = self.hectare * self.pixels.sum()
        low, high = self.found.interval("area_share", self.confidence)
        columns = {"counted_ha": self.hectare * self.pixels, "area_ha": whole * self.found.area_share}
        columns |= {"low_ha": whole * low, "high_ha": whole * high}
        return pd.DataFrame(columns, pd.Index(self.names, name="kind of change"))

    def balance(self) -> pd.DataFrame:
        """Hectares of each class that stayed in it, were lost and gained, each with its interval."""
        whole, rows = self.hectare * self.pixels.sum(), {}
        for name, found in self.by_class.items():
            low, high = found.interval("area_share", self.confidence)
            rows[name] = {
                f"{what}{end}": whole * numbers[i]
                for i, what in enumerate(BALANCE)
                for end, numbers in (("", found.area_share), ("_low", low), ("_high", high))
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("class")

    def estimates(self) -> dict[str, dict[str, tuple[float, float, float]]]:
        """Hectares of what changed, by estimator and kind, with intervals: what a figure shows; without what stayed."""
        table = self.areas()
        moved = table[[not name.startswith("stable ") for name in table.index]]
        ends = {"the sample": ("area_ha", "low_ha", "high_ha"), "counted pixels": ("counted_ha",) * 3}
        return {
            kind: dict(zip(moved.index, moved[[*columns]].itertuples(index=False, name=None), strict=True))
            for kind, columns in ends.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain data; None where there is none."""
        table = self.found.table(self.names, self.confidence)
        rows = {
            key: None if np.isnan(row["value"]) else {name: float(row[name]) for name in ("value", "se", "low", "high")}
            for key, row in table.to_dict("index").items()
        }
        areas = self.areas().to_dict("index")
        measures = ("users_accuracy", "producers_accuracy")
        return {
            "points": self.found.points,
            "dates": list(self.dates),
            "confidence": self.confidence,
            "overall_accuracy": rows["overall_accuracy", "all"],
            "kinds": {name: areas[name] | {m: rows[m, name] for m in measures} for name in self.names},
            "classes_ha": self.balance().to_dict("index"),
            "matrix": self.matrix.tolist(),
            "notes": list(self.notes),
        }


BALANCE = ("stable", "loss", "gain")
"""What is said of a class, in the order of `_by_class`."""


def _numbered(change: Change) -> npt.NDArray[np.uint8]:
    lazy = change.codes.data[0].map_blocks(number, change.classes, dtype=np.uint8)
    return np.asarray(lazy.compute())


def draw(
    change: Change,
    place: SampleLayout,
    *,
    points: int,
    allocation: str = "equal",
    least: int = 25,
    blind: bool = True,
    seed: int = 1,
) -> Drawn:
    """Draw a sample of a change map, stratified by the kinds of change, and write it for interpretation.

    One that was asked for alike stays as it is.

    Parameters
    ----------
    change
        Two maps compared.
    place
        Where the files lie.
    points, allocation, least
        How many, and how they are shared out among the strata: `sampling.allocate`.
    blind
        Whether what the maps say is kept from the interpreter.
    seed
        Seed of the draw.

    Raises
    ------
    LulcError
        If another sample lies there, the points do not suffice, or the classes are too many.
    """
    run = f"{change.before} → {change.after}"
    asked = {"run": run, "points": points, "allocation": allocation, "least": least, "blind": blind, "seed": seed}
    asked |= {"rare": RARE}
    if place.drawn.exists() and (there := interpretation.read_drawn(place)).asked == asked:
        return there
    scheme, codes = kinds(change.classes), _numbered(change)
    pixels = sampling.count_pixels(codes, scheme.values)
    of_kind = merge(pixels)
    sizes = np.bincount(of_kind, pixels).astype(np.int64)[1:]
    wanted = sampling.allocate(points, sizes, allocation, least=least)
    row, column = sampling.draw(
        np.concatenate([[0], of_kind]).astype(np.uint8)[codes], range(1, len(sizes) + 1), wanted, seed=seed
    )
    mark, stratum = sampling.fingerprint(codes), codes[row, column].astype(np.int64)
    grid = change.codes.odc.geobox
    drawn = Drawn("stratified", run, mark, scheme, grid, pixels, row, column, stratum, asked)
    interpretation.write(drawn, place, blind=blind)
    return drawn


def assess(change: Change, place: SampleLayout, path: Path, dates: tuple[str, str], confidence: float) -> ChangedAreas:
    """Say what an interpreted sample of a change map says of the areas of change.

    Parameters
    ----------
    change
        The two maps, as they are now.
    place
        Where the sample's design lies.
    path
        The interpreted file: at each point the kind of change by name (``Forest to Field``) or value.
    dates
        Of what the interpreter looked at, before and after.
    confidence
        Level of the intervals.

    Raises
    ------
    LulcError
        If the file is not the sample that was drawn (`interpretation.read`), or was drawn from a change map with other
        classes, on another grid, or of other land.
    """
    drawn = interpretation.read_drawn(place)
    if drawn.classes.names != kinds(change.classes).names:
        raise LulcError(
            f"The sample in {place.folder} is of changes between other classes "
            f"({', '.join(drawn.classes.names[:4])} …) than {change.before} and {change.after} have: "
            f"{', '.join(change.classes.names)}. Draw a new one (change_points), or compare the maps that it was drawn "
            f"from (compare_with)."
        )
    grids.check(change.codes.odc.geobox, drawn.grid, "The change map")
    seen = interpretation.read(path, drawn).reference
    codes = _numbered(change)
    mapped = codes[drawn.row, drawn.column].astype(np.int64)
    if (out := np.flatnonzero(mapped == 0) + 1).size:
        raise LulcError(
            f"The change map has no class at {out.size} points of the sample ({', '.join(map(str, out[:10]))}"
            f"{', …' if out.size > 10 else ''}). Compare the maps that it was drawn from, or draw a new one."
        )
    notes = []
    if sampling.fingerprint(codes) != drawn.map:
        notes.append(
            "The maps have been made anew since the points were drawn. The numbers are right all the same (strata that "
            "differ from the map's classes, Stehman 2014), their intervals a little wider."
        )
    of_kind = merge(drawn.pixels, float(drawn.asked["rare"]))
    weights = np.bincount(of_kind, drawn.pixels)[1:]
    used = np.union1d(np.flatnonzero(drawn.pixels), np.concatenate([mapped, seen]) - 1)
    counts = np.zeros((len(weights), len(used), len(used)), np.int64)
    at = (of_kind[drawn.stratum - 1] - 1, np.searchsorted(used, mapped - 1), np.searchsorted(used, seen - 1))
    np.add.at(counts, at, 1)
    names = tuple(drawn.classes.names[i] for i in used)
    found = design.estimate_stratified(counts, weights, population=weights)
    return ChangedAreas(
        *(change.classes, names, change.before, change.after, dates, confidence, drawn.pixels[used]),
        hectare=change.hectare,
        found=found,
        matrix=counts.sum(axis=0),
        by_class=_by_class(counts, weights, used, change.classes),
        notes=(*notes, *found.cautions(names)),
    )


def _by_class(counts: Counts, weights: Counts, used: Counts, classes: Scheme) -> dict[str, DesignEstimates]:
    """Estimate for each class which parts of the land stayed in it, left it, came to it, and had none of it."""
    before, after = np.divmod(used, len(classes.values))
    found = {}
    for i, name in enumerate(classes.names):
        was, became = before == i, after == i
        group = np.select([was & became, was, became], [0, 1, 2], 3)
        member = group[:, None] == np.arange(4)
        joined = np.einsum("sij,ig,jh->sgh", counts, member, member)
        found[name] = design.estimate_stratified(joined, weights, population=weights)
    return found


def describe(drawn: Drawn) -> pd.DataFrame:
    """Return how many points each kind of change has that the map shows."""
    shown: Sequence[int] = np.flatnonzero(drawn.pixels).tolist()
    values, names = drawn.classes.values, drawn.classes.names
    rows = {names[i]: (int(drawn.pixels[i]), int((drawn.stratum == values[i]).sum())) for i in shown}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["mapped pixels", "points"])
    return table.rename_axis(f"kind of change, {drawn.run}")
