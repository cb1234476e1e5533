"""The inner validation part: land cut from what may teach, which says when a network has learnt enough.

It never touches the test fold: it is taken from the pixels that may train the network which that fold tests, in whole
blocks, and training pixels nearer to it than the study's gap teach nothing.
"""

import warnings

import numpy as np
import numpy.typing as npt

from lulc_kit.distance import distance, within

WIDE = 8
"""Blocks narrower than so many gaps are joined with their neighbours: around many small ones the gap would eat much."""
ATTEMPTS = 20
"""Draws of units, of which the one that leaves the most to learn from is taken."""
KEPT = 0.5
"""Part of each class's pixels that must stay for training."""
FARTHEST = 64.0
"""Gaps are measured up to this, pixels."""
ROWS = 1024
"""Rows in which gaps are measured at once: distances over a whole tile would take gigabytes."""

Codes = npt.NDArray[np.uint8]


def gap(fold: npt.NDArray[np.integer], trainable: npt.NDArray[np.bool_]) -> float:
    """Measure how far training pixels are from test pixels at least, pixels, at most `FARTHEST`.

    Parameters
    ----------
    fold
        Number of the fold that tests a pixel, (row, column), 0 for none.
    trainable
        Whether a pixel may train the model that fold 1, 2, … tests, (fold, row, column).
    """
    found, reach = FARTHEST, int(FARTHEST)
    for k, may in enumerate(trainable, 1):
        for top in range(0, len(may), ROWS):
            here, above = may[top : top + ROWS], max(0, top - reach)
            tested = fold[above : top + ROWS + reach] == k
            if tested.any() and here.any():
                found = min(found, float(distance(tested, FARTHEST)[top - above :][: len(here)][here].min()))
    return max(found - 1, 0.0)  # pixels so near were left out; the nearest that was kept is a pixel farther


def units(
    blocks: npt.NDArray[np.integer], rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer], least: float
) -> npt.NDArray[np.intp]:
    """Join neighbouring blocks into units about ``least`` pixels wide; blocks that are wider stay by themselves.

    Parameters
    ----------
    blocks, rows, columns
        Of each labelled pixel: the number of its block, and where it lies.
    least
        Width, pixels.

    Returns
    -------
    numpy.ndarray
        Number of the unit of each pixel, 0 ….
    """
    known, number = np.unique(blocks, return_inverse=True)
    count = np.bincount(number, minlength=len(known))
    middles = np.stack([np.bincount(number, place, len(known)) / count for place in (rows, columns)], axis=1)
    _, unit = np.unique(middles // max(least, 1.0), axis=0, return_inverse=True)
    return np.unique(unit.ravel()[number], return_inverse=True)[1]


def split(
    codes: Codes, blocks: npt.NDArray[np.integer], share: float, gap: float, seed: int
) -> tuple[Codes, Codes] | None:
    """Set whole blocks aside for inner validation.

    Parameters
    ----------
    codes
        What may teach, (row, column): 0 for nothing, otherwise the class's position + 1.
    blocks
        Number of the block of each pixel, (row, column).
    share
        Part of each class's pixels that is wanted for validation, 0 to 0.5; 0: none.
    gap
        Training pixels at most so far from the validation part teach nothing, pixels.
    seed
        Of the draws.

    Returns
    -------
    tuple or None
        What teaches and what validates, like ``codes``. A class of one block alone is not validated. None, with a
        warning, if no draw leaves every class enough to learn from.
    """
    if share <= 0:
        return None
    labelled = np.flatnonzero(codes)
    unit = units(blocks.ravel()[labelled], *np.divmod(labelled, codes.shape[1]), WIDE * gap)
    classes = int(codes.max())
    table = np.zeros((unit.max() + 1, classes + 1), np.int64)
    np.add.at(table, (unit, codes.ravel()[labelled]), 1)
    best: tuple[tuple[int, int], npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None = None
    there = table[:, 1:].sum(axis=0) > 0
    for attempt in range(ATTEMPTS):
        chosen = _draw(table[:, 1:], share, np.random.default_rng([seed, attempt]))
        if not chosen.any():
            continue
        validates = np.zeros(codes.shape, bool)
        validates.ravel()[labelled] = chosen[unit]
        teaches = (codes > 0) & ~within(validates, gap)
        left = np.bincount(codes[teaches], minlength=classes + 1)[1:]
        tested = np.bincount(codes[validates], minlength=classes + 1)[1:]
        if (left[there] < KEPT * table[:, 1:].sum(axis=0)[there] * (1 - share)).any():
            continue
        rank = int((tested > 0).sum()), int(left.sum())
        if best is None or rank > best[0]:
            best = rank, teaches, validates
    if best is None:
        warnings.warn(
            "No blocks can be set aside for inner validation without taking too much of a class: training goes its "
            "full length, and nobody says when to stop. More labelled places, or smaller blocks in 05, would help.",
            stacklevel=2,
        )
        return None
    _, teaches, validates = best
    return np.where(teaches, codes, 0).astype(np.uint8), np.where(validates, codes, 0).astype(np.uint8)


def _draw(table: npt.NDArray[np.int64], share: float, generator: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Choose units, (unit,), until each class has its share; none that takes more than twice the share of a class."""
    total = table.sum(axis=0)
    chosen = np.zeros(len(table), bool)
    order = generator.permutation(len(table))
    for position in np.argsort(total, kind="stable"):
        for unit in order:
            taken = table[chosen].sum(axis=0)
            if taken[position] >= share * total[position]:
                break
            if table[unit, position] and not chosen[unit] and (taken + table[unit] <= 2 * share * total + 1e-9).all():
                chosen[unit] = True
    return chosen
