"""Sets of classes that hold the true one at a chosen rate, instead of one class that may be wrong.

Split conformal prediction (Vovk, Gammerman & Shafer 2005, doi:10.1007/b106715) with the score of Sadinle, Lei &
Wasserman 2019, doi:10.1080/01621459.2017.1395341: one less the probability of the true class. A class is in the set of
a pixel if its probability is at least the k-th least that pixels of known class gave to theirs, k = ⌊ε (n + 1)⌋.
If test and calibration are exchangeable, the set holds the true class with probability 1 − ε to 1 − ε + 1 / (n + 1);
by class (Mondrian) that is so in each class. Pixels of one block are no independent draws: what the sets achieve is
therefore counted on whole folds that had no say.

Probabilities are whole percent, as in the files of the maps, so that calibration needs counts alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lulc_kit.late import pd

Percent = npt.NDArray[np.integer]

STEPS = 101
"""Whole percent that a probability can be."""


def count(
    label: npt.NDArray[np.integer], fold: npt.NDArray[np.integer], percent: Percent, values: Sequence[int], folds: int
) -> npt.NDArray[np.int64]:
    """Count pixels by fold, class and the percent that the true class was given; counts of parts may be added.

    Parameters
    ----------
    label, fold
        Class value and fold (1 …) of each pixel; one of another value or fold 0 does not count.
    percent
        Probability of each class, (class, pixel), 0–100; a pixel with another number does not count.
    values
        Class values, in the order of ``percent``.
    folds
        Number of folds.

    Returns
    -------
    numpy.ndarray
        (fold, class, percent).

    Examples
    --------
    >>> int(count(np.array([7]), np.array([2]), np.array([[20], [80]]), [3, 7], 2)[1, 1, 80])
    1
    """
    keep = _known(label, fold, percent, values)
    label, fold, percent = label[keep], fold[keep], percent[:, keep]
    true = np.searchsorted(values, label)
    given = percent[true, np.arange(len(true))].astype(np.int64)
    cells = ((fold.astype(np.int64) - 1) * len(values) + true) * STEPS + given
    return np.bincount(cells, minlength=folds * len(values) * STEPS).reshape(folds, len(values), STEPS)


def _known(
    label: npt.NDArray[np.integer], fold: npt.NDArray[np.integer], percent: Percent, values: Sequence[int]
) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isin(label, values) & (fold > 0) & (percent < STEPS).all(axis=0))


def calibrate(counts: npt.NDArray[np.integer], error_rate: float, *, by_class: bool = True) -> npt.NDArray[np.int64]:
    """Return the least percent with which each class is in a set, (class,).

    Parameters
    ----------
    counts
        Pixels by class and percent of the true class, (class, percent), as from `count`, summed over folds.
    error_rate
        Part of sets that may lack the true class, 0–1.
    by_class
        Whether that holds in each class, or over all classes together, where a rare class may be missed more often.

    Returns
    -------
    numpy.ndarray
        0 where too few pixels are known to leave anything out: fewer than 1 / error_rate − 1.

    Examples
    --------
    >>> counts = np.zeros((2, 101), int)
    >>> counts[0, [60, 70, 80, 90]] = 1, 1, 4, 4
    >>> counts[1, 50] = 3
    >>> calibrate(counts, 0.2).tolist(), calibrate(counts, 0.2, by_class=False).tolist()
    ([70, 0], [50, 50])
    """
    groups = counts if by_class else np.broadcast_to(counts.sum(axis=0), counts.shape)
    below = groups.cumsum(axis=1)
    wanted = np.floor(error_rate * (below[:, -1:] + 1) + 1e-9)  # 0.1 · 30 is a little less than 3
    return np.where(wanted[:, 0] > 0, (below < wanted).sum(axis=1), 0)


def sets(percent: Percent, least: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Say which classes are in the set of each pixel, (class, …), from their percent, (class, …)."""
    return np.asarray(percent >= least.reshape(-1, *[1] * (percent.ndim - 1)))


def hold(counts: npt.NDArray[np.integer], error_rate: float, *, by_class: bool = True) -> list[npt.NDArray[np.int64]]:
    """Calibrate for each fold on all others: the least percent of each class, by fold.

    Parameters
    ----------
    counts
        (fold, class, percent), from `count`.
    error_rate, by_class
        See `calibrate`.
    """
    whole = counts.sum(axis=0)
    return [calibrate(whole - own, error_rate, by_class=by_class) for own in counts]


def judge(
    label: npt.NDArray[np.integer],
    fold: npt.NDArray[np.integer],
    block: npt.NDArray[np.integer],
    percent: Percent,
    values: Sequence[int],
    least: Sequence[npt.NDArray[np.integer]],
) -> pd.DataFrame:
    """Count what sets achieve on pixels whose fold had no say in their calibration; rows of parts may be added up.

    Parameters
    ----------
    label, fold, percent, values
        See `count`.
    block
        Block of each pixel.
    least
        From `hold`.

    Returns
    -------
    pandas.DataFrame
        One row for each ``block`` and ``label``: number of ``pixels``, of ``covered`` ones (the set holds the true
        class), sum of ``sizes``, number of ``single`` sets and of ``empty`` ones.
    """
    keep = _known(label, fold, percent, values)
    label, fold, block, percent = label[keep], fold[keep], block[keep], percent[:, keep]
    inside = np.zeros(percent.shape, bool)
    for k, limits in enumerate(least, 1):
        inside[:, fold == k] = sets(percent[:, fold == k], limits)
    sizes = inside.sum(axis=0)
    rows = pd.DataFrame(
        {
            "block": block,
            "label": label,
            "pixels": 1,
            "covered": inside[np.searchsorted(values, label), np.arange(len(label))].astype(int),
            "sizes": sizes,
            "single": (sizes == 1).astype(int),
            "empty": (sizes == 0).astype(int),
        }
    )
    return rows.groupby(["block", "label"], as_index=False).sum()
