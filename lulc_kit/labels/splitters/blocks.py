"""Folds of whole square blocks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.labels.splitters.base import Splitter, centre, locate


@dataclass(frozen=True)
class BlockSplit(Splitter):
    """Folds of whole square blocks, every class in every fold.

    Parameters
    ----------
    n_splits, random_state
        See `Splitter`.
    spacing
        Side of a block, metres.
    buffer
        Least distance between training and test samples, metres.

    Examples
    --------
    >>> points = np.random.default_rng(1).uniform(0, 1000, (200, 2))
    >>> splitter = BlockSplit(n_splits=2, spacing=100, buffer=30)
    >>> train, test = next(splitter.split(points))
    >>> bool(np.linalg.norm(points[train][:, None] - points[test], axis=2).min() >= 30)
    True
    """

    spacing: float = 640.0
    buffer: float = 0.0

    @property
    def unit(self) -> str:
        """Blocks and their side."""
        return f"blocks of {self.spacing:g} m"

    def units(self, X: Any, groups: Any = None, width: float | None = None) -> npt.NDArray[np.integer]:
        """Return the number of each sample's block, in the order of the second coordinate, then of the first.

        A polygon belongs as a whole to the block of its centre: two halves of one field are as good as one.
        """
        points = centre(locate(X), groups)
        # A point on an edge belongs to the block that begins there, whatever its last digit.
        across, down = np.floor(points / self.spacing + 1e-9).astype(np.int64).T
        if width is not None:
            return down * (int(width / self.spacing + 1e-9) + 1) + across + 1
        number = (down - down.min()) * (np.ptp(across) + 1) + across - across.min()
        return np.unique(number, return_inverse=True)[1] + 1
