"""How far a map and another map of the same land say the same. Two maps that agree can be wrong together.

What the other map has no class for, and what either leaves unmapped, does not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import raster
from lulc_kit.classes import LandClass, Scheme
from lulc_kit.errors import ParameterError
from lulc_kit.evaluate import accuracy
from lulc_kit.late import da, pd, xr
from lulc_kit.raster import blockwise

DIFFERENCE = Scheme(
    "agreement",
    "Two maps compared",
    (LandClass(1, "the same class", "#d9e6d2"), LandClass(2, "another class", "#c51b7d")),
)
"""What the layer of differences says of a pixel."""

Values = Mapping[str, Sequence[Any]]
"""For each class the values of the other map that mean it; ``[low, high]`` is a range with both ends included."""


@dataclass(frozen=True)
class Agreement:
    """Two maps compared.

    Attributes
    ----------
    reference
        What the other map is called.
    run
        The run whose map is compared with it.
    matrix
        Pixels by class of our map (rows) and of the other (columns), in the order of the classes.
    """

    reference: str
    run: str
    matrix: npt.NDArray[np.int64]

    def table(self, classes: Scheme) -> pd.DataFrame:
        """Return by class: part of ours that the other map calls the same, part of its that we do, and both areas."""
        parts = accuracy.per_class(self.matrix)
        whole = max(1, int(self.matrix.sum()))
        return pd.DataFrame(
            {
                "of ours": parts["recall"],
                "of theirs": parts["precision"],
                "our share": self.matrix.sum(axis=1) / whole,
                "their share": self.matrix.sum(axis=0) / whole,
            },
            index=list(classes.names),
        ).rename_axis("class")

    def to_dict(self, classes: Scheme) -> dict[str, Any]:
        """Return all numbers as plain data; None where a class is in neither map."""
        table = self.table(classes).astype(object)
        return {
            "reference": self.reference,
            "run": self.run,
            "pixels": int(self.matrix.sum()),
            "same": float(np.trace(self.matrix) / max(1, self.matrix.sum())),
            "matrix": self.matrix.tolist(),
            "classes": table.where(table.notna(), None).to_dict("index"),
        }


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except ValueError:
        raise ParameterError(
            f"Class {name}: {value!r} is no number, and a map holds numbers. Say in 'classes' of the entry of "
            f"'references' in 09_evaluate.yaml which mean the class: {{{name}: [1, 2]}}."
        ) from None


def translate(numbers: npt.NDArray[Any], values: Values, classes: Scheme) -> npt.NDArray[np.uint8]:
    """Return the class values of another map's numbers, 0 where none is meant.

    Examples
    --------
    >>> from lulc_kit.classes import scheme
    >>> translate(np.array([2, 7, 0.3, np.nan]), {"Forest": [2], "Not forest": [[7, 9]]}, scheme("forest")).tolist()
    [1, 2, 0, 0]
    """
    out = np.zeros(numbers.shape, np.uint8)
    for name, wanted in values.items():
        for one in wanted:
            low, high = one if isinstance(one, list | tuple) else [_number(name, one)] * 2
            out[(numbers >= low) & (numbers <= high)] = classes.find(name).value
    return out


def difference(ours: npt.NDArray[np.integer], theirs: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    """Say where two class maps differ, as values of `DIFFERENCE`; 0 where either has no class."""
    return np.where((ours == 0) | (theirs == 0), 0, np.where(ours == theirs, 1, 2)).astype(np.uint8)


def count(ours: da.Array, theirs: da.Array, values: Sequence[int]) -> npt.NDArray[np.int64]:
    """Count pixels by class of both maps, (row, column) each, block by block: (ours, theirs)."""

    def part(both: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        # A pixel counts where both have a class; the confusion matrix of one block is just that.
        one, other = both
        seen = np.isin(one, values)
        return accuracy.by_block(one[seen], other[seen], np.zeros(int(seen.sum()), int), values).sum(axis=0)

    found = blockwise.reduce(part, da.stack([ours, theirs]), layers=8, what="agreement")
    return np.asarray(np.sum(found, axis=0), np.int64)


def layer(ours: xr.DataArray, theirs: da.Array) -> xr.DataArray:
    """Return where two maps differ, lazily, (1, y, x), as values of `DIFFERENCE`."""
    first = ours.data[0] if hasattr(ours.data, "dask") else da.from_array(ours.data[0], raster.CHUNK)
    found = da.map_blocks(difference, first, theirs.rechunk(first.chunks), dtype=np.uint8)
    return raster.array(found[None], ours.odc.geobox, ["agreement"])
