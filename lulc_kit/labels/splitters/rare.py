"""What becomes of a study in which a class is too rare to be in every fold."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

import numpy as np  # noqa: F401

from lulc_kit.errors import RareClassError
from lulc_kit.labels.splitters.base import Splitter
from lulc_kit.labels.splitters.blocks import BlockSplit

Rare = Literal["refuse", "fewer_folds", "smaller_blocks", "leave_out"]

HALVED = 64
"""Blocks do not become smaller than this part of what was asked for."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Settled(Generic[Result]):
    """A split that could be made.

    Attributes
    ----------
    result
        What the attempt gave.
    splitter
        The splitter that gave it: the one asked for, or one with fewer folds or smaller blocks.
    left_out
        Classes that had to be left out.
    notes
        What was done, in sentences; none if nothing had to be.
    """

    result: Result
    splitter: Splitter
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def settle(
    attempt: Callable[[Splitter, tuple[str, ...]], Result], splitter: Splitter, rare: Rare = "fewer_folds"
) -> Settled[Result]:
    """Make a split although a class is rare, and say how.

    Fewer folds come first by default: all classes stay, and so does the distance between test and training; only some
    training samples are lost. What neither fewer folds nor smaller blocks can save is left out.

    Parameters
    ----------
    attempt
        Gets a splitter and the classes to leave out; returns the split, or raises `RareClassError`.
    splitter
        The splitter asked for.
    rare
        ``refuse``: raise the error; ``fewer_folds``: down to two; ``smaller_blocks``: halve their side until they would
        be smaller than the buffer; ``leave_out``: go on without the class.

    Raises
    ------
    RareClassError
        With ``refuse``, or if it does not say which class to leave out.
    LulcError
        If fewer than two classes remain (from ``attempt``).

    Examples
    --------
    >>> from lulc_kit.labels.splitters import RandomSplit
    >>> warnings.simplefilter("ignore")
    >>> where, kind = np.zeros((5, 2)), np.array(["wood", "wood", "lake", "wood", "lake"])
    >>> found = settle(lambda splitter, without: splitter.assign(where, kind), RandomSplit(n_splits=3))
    >>> found.splitter.n_splits, found.notes
    (2, ('lake: fewer samples than the 3 folds: 2 folds of samples, not 3 of samples.',))
    """
    asked, why = splitter, ""
    left_out: list[str] = []
    notes: list[str] = []
    while True:
        try:
            result = attempt(splitter, tuple(left_out))
        except RareClassError as error:
            if rare == "refuse" or not error.classes:
                raise
            why = why or str(error).partition(". ")[0]
            easier = _easier(splitter, asked, rare)
            if easier is None:
                left_out += error.classes
                notes.append(f"{why}: left out, so that no map shows {', '.join(error.classes)}.")
                why = ""
            splitter = easier or asked
        else:
            if splitter != asked:
                notes.append(
                    f"{why}: {splitter.n_splits} folds of {splitter.unit}, not {asked.n_splits} of {asked.unit}."
                )
            for note in notes:
                warnings.warn(note, stacklevel=3)
            return Settled(result, splitter, tuple(left_out), tuple(notes))


def _easier(splitter: Splitter, asked: Splitter, rare: Rare) -> Splitter | None:
    """Return a splitter that asks less of the classes, or None if there is none."""
    if rare == "fewer_folds" and splitter.n_splits is not None and splitter.n_splits > 2:
        return replace(splitter, n_splits=splitter.n_splits - 1)
    if rare == "smaller_blocks" and isinstance(splitter, BlockSplit) and isinstance(asked, BlockSplit):
        side = splitter.spacing / 2
        return replace(splitter, spacing=side) if side >= max(splitter.buffer, asked.spacing / HALVED) else None
    return None
