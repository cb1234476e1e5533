"""Samples that are there twice: at one place, or with the very same features."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.late import pd


def duplicates(features: npt.ArrayLike, labels: Any, places: npt.ArrayLike | None = None) -> pd.DataFrame:
    """Count samples that repeat others.

    Repeated samples count twice in training, and put copies of training samples into the test set. The same features
    under two classes are a contradiction that no model can learn.

    Parameters
    ----------
    features
        (sample, feature); the same to the last digit is the same.
    labels
        Name of each sample's class.
    places
        Row and column, or coordinates, of each sample, (sample, 2).

    Returns
    -------
    pandas.DataFrame
        Rows ``same place`` (with places) and ``same features``; columns ``groups`` (of samples that are the same),
        ``samples`` (in them), ``of different classes`` (samples whose group has more than one class), ``classes``
        (which ones, in words).
    """
    looked_at = {"same place": places, "same features": features}
    return pd.DataFrame(
        {what: _repeated(rows, labels) for what, rows in looked_at.items() if rows is not None}
    ).T.convert_dtypes()


def _repeated(rows: npt.ArrayLike, labels: Any) -> dict[str, object]:
    kind = pd.Series(pd.Categorical(labels).astype(str))
    group = pd.DataFrame(np.asarray(rows)).groupby(list(range(np.shape(rows)[1])), dropna=False).ngroup()
    classes = kind.groupby(group).agg(["size", "nunique"])
    more, mixed = classes[classes["size"] > 1], classes[classes["nunique"] > 1]
    together = kind[group.isin(mixed.index)].groupby(group).agg(lambda names: " and ".join(sorted(set(names))))
    return {
        "groups": len(more),
        "samples": int(more["size"].sum()),
        "of different classes": int(mixed["size"].sum()),
        "classes": ", ".join(sorted(set(together))),
    }
