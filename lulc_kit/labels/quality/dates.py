"""What each date of the cube saw of the samples: whether it was clear there, and how the classes change in the year."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.cube import REASONS, Cube, Reason
from lulc_kit.late import pd
from lulc_kit.progress import track


def clouds(cube: Cube, rows: npt.ArrayLike, columns: npt.ArrayLike, labels: Any) -> pd.DataFrame:
    """Count the samples that lie under cloud, shadow or no data on each date.

    Parameters
    ----------
    cube
        The dates.
    rows, columns
        Place of each sample on the grid.
    labels
        Name of each sample's class.

    Returns
    -------
    pandas.DataFrame
        One row per date, parts 0–1: a column for each reason that occurs (``clear``, ``cloud``, ``shadow``, …), of all
        samples, then one for each class: the part of its samples that is not clear.
    """
    kinds = pd.Series(pd.Categorical(labels).remove_unused_categories())
    found = {}
    for date in track(cube.dates, "masks under samples", unit="dates"):
        codes = cube.mask(date).data.vindex[0, np.asarray(rows), np.asarray(columns)].compute()
        reasons = {name: float((codes == reason).mean()) for reason, (name, _) in REASONS.items()}
        out = pd.Series(codes != Reason.CLEAR).groupby(kinds, observed=False).mean()
        found[date] = reasons | {str(name): float(part) for name, part in out.items()}
    table = pd.DataFrame(found).T.rename_axis("date")
    never = [name for reason, (name, _) in REASONS.items() if reason != Reason.CLEAR and not table[name].any()]
    return table.drop(columns=never)


def profiles(cube: Cube, rows: npt.ArrayLike, columns: npt.ArrayLike, labels: Any) -> pd.DataFrame | None:
    """Compute the middle half of each class's NDVI on each date, from clear observations only.

    Parameters
    ----------
    cube, rows, columns, labels
        See `clouds`.

    Returns
    -------
    pandas.DataFrame or None
        One row per date and class with a clear sample: ``date``, ``class``, ``low``, ``median``, ``high`` (quartiles
        and median of (B8 − B4) / (B8 + B4)), ``samples`` (clear ones). None where there are fewer than two dates, or
        no B4 and B8.
    """
    if len(cube.dates) < 2 or not {"B4", "B8"} <= set(cube.image(cube.dates[0]).band.values.tolist()):
        return None
    kinds = pd.Series(pd.Categorical(labels).remove_unused_categories(), name="class")
    parts = []
    for date in track(cube.dates, "classes in time", unit="dates"):
        red, infrared = cube.clear(date, ["B4", "B8"]).data.vindex[:, np.asarray(rows), np.asarray(columns)].T.compute()
        with np.errstate(divide="ignore", invalid="ignore"):
            ndvi = pd.Series((infrared - red) / (infrared + red)).replace([np.inf, -np.inf], np.nan)
        grouped = ndvi.dropna().groupby(kinds, observed=True)
        quarters = {"low": grouped.quantile(0.25), "median": grouped.median(), "high": grouped.quantile(0.75)}
        parts.append(pd.DataFrame(quarters | {"samples": grouped.size()}).assign(date=date).reset_index())
    return pd.concat(parts, ignore_index=True)[["date", "class", "low", "median", "high", "samples"]]
