"""Sharing whole units out to folds so that every class is in every fold."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.errors import RareClassError
from lulc_kit.late import pd

ATTEMPTS = 50


def codes(y: Any) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Return the number of each sample's class, from 0, and the classes' names in order."""
    kind, names = pd.factorize(y if hasattr(y, "dtype") else np.asarray(y), sort=True)
    return kind, [str(name) for name in names]


def share_out(y: Any, units: npt.NDArray[np.integer], folds: int, seed: int, what: str) -> npt.NDArray[np.uint8]:
    """Share whole units out to folds so that every class is in every fold.

    Parameters
    ----------
    y
        Class of each sample; None: they have none.
    units
        What stays together, by number.
    folds
        Number of folds.
    seed
        Seed of the shuffles.
    what
        What the units are, for messages.

    Returns
    -------
    numpy.ndarray
        uint8, the fold of each sample, from 1. It follows from the numbers of the units, not from the order of rows.

    Raises
    ------
    RareClassError
        If classes do not occur in enough units, or no way was found.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    kind, names = (np.zeros(len(units), np.intp), ["sample"]) if y is None else codes(y)
    counts = [len(np.unique(units[kind == i])) for i in range(len(names))]
    rare = [(name, count) for name, count in zip(names, counts, strict=True) if count < folds]
    if rare:
        singular = re.sub(r"s\b", "(s)", what, count=1)
        listed = ", ".join(f"{name} occurs in {count} {singular}" for name, count in rare)
        raise RareClassError(
            f"{listed}, too few for {folds} folds. Use smaller blocks, fewer folds, or leave the class out.",
            [name for name, _ in rare],
        )
    for attempt in range(ATTEMPTS):
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + attempt)
        out = np.zeros(len(units), np.uint8)
        for k, (_, test) in enumerate(splitter.split(kind, kind, units), 1):
            out[test] = k
        if all(len(np.unique(kind[out == k])) == len(names) for k in range(1, folds + 1)):
            return out
    dealt = _deal(kind, units, folds, seed)
    if dealt is None:
        listed = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
        raise RareClassError(
            f"The {what} could not be shared out so that every class is in all {folds} folds "
            f"({ATTEMPTS} attempts). Of each class there are: {listed}. Use smaller blocks, fewer folds, or leave out "
            f"the rarest class.",
            [names[int(np.argmin(counts))]],
        )
    return dealt


def _deal(
    kind: npt.NDArray[np.intp], units: npt.NDArray[np.integer], folds: int, seed: int
) -> npt.NDArray[np.uint8] | None:
    # The splitter above shares out large units first, in nearly the same order each time, and may miss a way that
    # exists. Here the units of the rarest class are dealt first, each to the fold that has least of that class.
    _, unit = np.unique(units, return_inverse=True)
    samples = np.zeros((unit.max() + 1, kind.max() + 1), np.int64)
    np.add.at(samples, (unit, kind), 1)
    rarest_first = np.argsort((samples > 0).sum(axis=0), kind="stable")
    for attempt in range(ATTEMPTS):
        generator = np.random.default_rng(seed + attempt)
        fold = np.zeros(len(samples), np.uint8)
        dealt = np.zeros((folds, samples.shape[1]), np.int64)
        for c in rarest_first:
            for b in generator.permutation(np.flatnonzero((samples[:, c] > 0) & (fold == 0))):
                k = int(dealt[:, c].argmin())
                fold[b] = k + 1
                dealt[k] += samples[b]
        if dealt.all():
            return fold[unit]
    return None
