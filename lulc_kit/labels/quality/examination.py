"""All checks of a table of samples, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lulc_kit.cube import Cube
from lulc_kit.labels.quality.balance import balance
from lulc_kit.labels.quality.circularity import circularity
from lulc_kit.labels.quality.dates import clouds, profiles
from lulc_kit.labels.quality.doubtful import doubtful, out_of_fold, outliers
from lulc_kit.labels.quality.duplicates import duplicates
from lulc_kit.labels.quality.separability import Separability, separability
from lulc_kit.late import pd
from lulc_kit.samples import is_reserved
from lulc_kit.sentinel2 import BANDS


@dataclass(frozen=True)
class Examination:
    """How good samples are; each attribute is what the function of its name in `quality` returns.

    ``clouds`` is None without dates or places on the grid, ``profiles`` also without B4 and B8.
    """

    balance: pd.DataFrame
    separability: Separability
    doubtful: pd.DataFrame
    outliers: pd.DataFrame
    duplicates: pd.DataFrame
    circularity: pd.DataFrame
    clouds: pd.DataFrame | None
    profiles: pd.DataFrame | None


def examine(table: Any, cube: Cube | None = None, *, names: Sequence[str] = (), random_state: int = 1) -> Examination:
    """Check a table of samples.

    Parameters
    ----------
    table
        Samples (see `lulc_kit.samples.Samples`): ``class``, ``fold``, the features, and what else there is of
        ``polygon``, ``block``, ``row``, ``column``, ``train_1`` … and ``geometry``. Separability is that of the
        Sentinel-2 bands, if there are any among the features. Samples without all features are left out.
    cube
        The dates; None: there are none.
    names
        The classes in the order in which tables show them; none: as the table has it.
    random_state
        Seed of every random choice.
    """
    features = [str(c) for c in table.columns if not is_reserved(str(c))]
    table = table[np.isfinite(table[features].to_numpy(np.float64)).all(axis=1)].reset_index(drop=True)
    kinds = pd.Categorical(table["class"], [n for n in names if (table["class"] == n).any()] or None)
    bands = [b for b in BANDS if b in features] or features
    polygons, blocks = (table.get(name) for name in ("polygon", "block"))
    points = np.column_stack([table.geometry.x, table.geometry.y]) if hasattr(table, "geometry") else None
    training = [table[f"train_{k}"].to_numpy(bool) for k in range(1, int(table["fold"].max()) + 1)]
    guesses = out_of_fold(table[features], kinds, table["fold"], training, random_state=random_state)
    at = (table["row"], table["column"]) if cube is not None and cube.dates and "row" in table else None
    return Examination(
        balance(kinds, polygons, blocks),
        separability(table[bands], kinds),
        doubtful(guesses, kinds, polygons, points),
        outliers(table[features], kinds, polygons, points, random_state=random_state),
        duplicates(table[features], kinds, points),
        circularity(table[features], kinds, random_state=random_state),
        clouds(cube, *at, kinds) if at and cube else None,
        profiles(cube, *at, kinds) if at and cube else None,
    )
