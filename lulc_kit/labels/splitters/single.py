"""Folds of single samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.errors import RareClassError
from lulc_kit.labels.splitters.base import Splitter, locate
from lulc_kit.labels.splitters.sharing import codes
from lulc_kit.late import pd


@dataclass(frozen=True)
class RandomSplit(Splitter):
    """Folds of single samples, drawn at random: it leaks, and is there to show how much.

    Examples
    --------
    >>> [len(test) for _, test in RandomSplit(n_splits=2).split(np.zeros((10, 2)))]
    [5, 5]
    """

    @property
    def unit(self) -> str:
        """Samples."""
        return "samples"

    def units(self, X: Any, groups: Any = None, width: float | None = None) -> npt.NDArray[np.integer]:
        """Return a number for each sample."""
        return np.arange(1, len(X) + 1)

    def assign(self, X: Any, y: Any = None, groups: Any = None) -> npt.NDArray[np.uint8]:
        """Return the fold of each sample, 1 … n_splits; see `split`. It does not depend on the order of the rows.

        With classes, each class is dealt out to the folds by itself.
        """
        generator = np.random.default_rng(self.random_state)
        numbers = np.resize(np.arange(1, self.n_splits + 1), len(X)).astype(np.uint8)
        folds = np.empty_like(numbers)
        if y is None:
            generator.shuffle(numbers)
            folds[_order(X)] = numbers
            return folds
        kind, names = codes(y)
        rare = [names[i] for i in np.flatnonzero(np.bincount(kind) < self.n_splits)]
        if rare:
            raise RareClassError(
                f"{', '.join(rare)}: fewer samples than the {self.n_splits} folds. Use fewer folds, or leave the class "
                f"out.",
                rare,
            )
        shuffled = generator.permutation(_order(X))
        folds[shuffled[np.argsort(kind[shuffled], kind="stable")]] = numbers
        return folds


def _order(X: Any) -> npt.NDArray[np.intp]:
    """Return the rows in an order that follows from what they hold."""
    rows = locate(X) if hasattr(X, "geometry") else X
    if isinstance(rows, np.ndarray) and rows.dtype.kind in "fiub":
        return np.lexsort(rows.reshape(len(rows), -1).T)
    table = pd.DataFrame(rows).reset_index(drop=True)
    return table.sort_values(list(table.columns[::-1]), kind="stable").index.to_numpy()
