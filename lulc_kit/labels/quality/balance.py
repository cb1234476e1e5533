"""How many samples each class has, and how many independent ones."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from lulc_kit.late import pd


def balance(labels: Any, polygons: npt.ArrayLike | None = None, blocks: npt.ArrayLike | None = None) -> pd.DataFrame:
    """Count samples, polygons and blocks of each class.

    A thousand pixels of one lake are one observation of water, not a thousand: few polygons in few blocks are few
    samples, however many pixels they have.

    Parameters
    ----------
    labels
        Name of each sample's class; classes of a Categorical stand in its order.
    polygons, blocks
        Number of the polygon and of the block that each sample comes from; 0 for none.

    Returns
    -------
    pandas.DataFrame
        One row per class: ``samples``, ``share`` (of all, 0–1), ``polygons`` and ``blocks`` (how many different ones;
        left out where there are none).
    """
    kinds = pd.Series(pd.Categorical(labels).remove_unused_categories())
    counts = kinds.value_counts(sort=False).rename("samples")
    table = pd.DataFrame({"samples": counts, "share": counts / len(kinds)})
    for name, numbers in (("polygons", polygons), ("blocks", blocks)):
        if numbers is not None and (whole := pd.Series(numbers).where(lambda n: n > 0)).notna().any():
            table[name] = whole.reset_index(drop=True).groupby(kinds, observed=True).nunique()
    return table.rename_axis(None)
