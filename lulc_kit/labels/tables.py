"""Labels that came with their features as a table of pixel values, without an image.

Its rows are taken for the pixels of a grid of one row, so that all that shares labels out works on them too.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine
from odc.geo.geobox import GeoBox

from lulc_kit.classes import Scheme
from lulc_kit.errors import BandError, LulcError
from lulc_kit.intake import numbers
from lulc_kit.intake import tables as intake
from lulc_kit.labels.sources import LABELLED, UNNAMED, Labels
from lulc_kit.late import pd
from lulc_kit.samples import is_reserved
from lulc_kit.translation import Meanings, meanings, translate

PLAINLY = "write all numbers alike (0.25), and leave cells empty where there is none."
INCOMPLETE = "left out: a feature, the place or the group is missing"


def read(
    frame: pd.DataFrame,
    scheme: Scheme | None,
    wanted: Meanings | None,
    *,
    label: str,
    features: Sequence[str] | None = None,
    group: str | None = None,
    without: Sequence[str] = (),
    what: str = "the table",
) -> Labels:
    """Take labels and features from a table.

    Parameters
    ----------
    frame
        One row per sample; of a GeoDataFrame the geometry is its place.
    scheme, wanted
        The classes and the values that mean them; None as in `translation.meanings`.
    label
        Column of the class.
    features
        Columns of the features; None: all other columns of numbers that have a name. A warning names columns of text
        that hold numbers, and columns that say the class by a number of its own. Of their numbers -9999 and -32768
        are taken for missing, and a warning says so.
    group
        Column of what goes into a fold as a whole; None: each row by itself.
    without
        Columns that are no features where ``features`` is None: those of the coordinates.
    what
        What the table is, for messages.

    Returns
    -------
    Labels
        On a grid of one row; its ``frame`` has the features, and the places if there are any. Rows in which a feature,
        the place or the group is missing have no label.

    Raises
    ------
    LulcError
        If there is no feature, one is no number or has a name that the kit needs, or fewer than two classes are left.
    """
    names = _features(frame, features, {label, *([group] if group else []), *without}, what)
    frame = _without_unknown(frame, names, what)
    words = frame[label].to_numpy(object)
    scheme, wanted = meanings(words, scheme, wanted)
    codes = translate(words, scheme, wanted, f"column {label!r} of {what}")
    if features is None:
        _warn_of_choice(frame, names, {label, *([group] if group else []), *without}, words)
    with np.errstate(over="ignore"):  # too large for single precision: infinite, and left out as such
        taken: Any = frame[[*names, *([frame.geometry.name] if hasattr(frame, "geometry") else [])]]
        kept = taken.astype(dict.fromkeys(names, np.float32))
    complete = np.isfinite(kept[names].to_numpy(np.float32)).all(axis=1)
    complete &= frame[group].notna().to_numpy() if group else True
    placed = hasattr(frame, "geometry")
    complete &= frame.geometry.notna().to_numpy() if placed else True
    values = np.where(complete, codes, 0).astype(np.uint8)
    if len(np.unique(values[values > 0])) < 2:
        raise LulcError(
            f"Of {len(frame)} rows of {what}, {int((values > 0).sum())} have a class and all features, of fewer than "
            f"two classes. {int((~complete).sum())} lack a feature, the place or the group: leave columns with gaps "
            f"out of 'table_features' in 05_samples.yaml."
        )
    whole, of = (
        pd.factorize(frame[group], sort=True) if group else (np.arange(len(frame)), np.arange(1, len(frame) + 1))
    )
    return Labels(
        values[None],
        np.where(values > 0, whole + 1, 0).astype(np.uint32)[None],
        GeoBox((1, len(frame)), Affine.identity(), None),
        scheme,
        _account(words, codes, complete, scheme),
        groups=np.asarray(of),
        frame=kept,
    )


def _features(frame: pd.DataFrame, wanted: Sequence[str] | None, taken: set[str], what: str) -> list[str]:
    numeric = [str(c) for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c])]
    there = ", ".join(c for c in numeric if c not in taken) or "none"
    if wanted is None:
        found = [c for c in numeric if c not in taken and not is_reserved(c) and not _is_unnamed(c)]
        if not found:
            raise BandError(
                f"{what} has no column of numbers for a feature. Columns of numbers: {there}." + _hint(frame, taken)
            )
        return found
    if missing := [c for c in wanted if c not in numeric]:
        raise BandError(
            f"table_features: {', '.join(missing)} are no columns of numbers of {what}. It has: {there}."
            + _hint(frame, taken)
        )
    if clash := [c for c in wanted if is_reserved(c) or c in taken]:
        raise BandError(
            f"table_features: {', '.join(clash)} cannot be a feature, because the table of samples uses that name or "
            f"the column says something else. Rename the column."
        )
    return list(wanted)


def _without_unknown(frame: pd.DataFrame, names: Sequence[str], what: str) -> pd.DataFrame:
    """Return the table without the numbers that many programs write in columns where there is none."""
    unknown = frame[names].isin(intake.UNKNOWN)
    counts = unknown.sum()
    if not counts.any():
        return frame
    listed = ", ".join(f"{c} ({n})" for c, n in counts[counts > 0].items())
    warnings.warn(
        f"{what} has cells of {' or '.join(map(str, intake.UNKNOWN))} in these columns: {listed}. Many programs write "
        f"so where there is no number: these cells are taken for missing, and their rows left out. Empty the cells to "
        f"say the same; write 0 if they mean zero.",
        stacklevel=3,
    )
    return frame.assign(**{c: frame[c].mask(unknown[c]) for c in names if counts[c]})


def _is_unnamed(column: str) -> bool:
    """Whether a column has no name: the numbers of its rows, as R and pandas write them."""
    return column.startswith("Unnamed: ") or not column.strip()


def _warn_of_choice(frame: pd.DataFrame, names: Sequence[str], taken: set[str], words: npt.NDArray[Any]) -> None:
    """Name columns that are probably features and were not taken, and those that were and are probably none."""
    if spoilt := _spoilt(frame, taken):
        warnings.warn(
            f"These columns are text and no features, because of cells that are no plain numbers: {spoilt}. To have "
            f"the columns as features, {PLAINLY}",
            stacklevel=4,
        )
    kept = [c for c in frame.columns if is_reserved(str(c)) and c not in taken and c != "geometry"]
    if numbers := [str(c) for c in kept if pd.api.types.is_numeric_dtype(frame[c])]:
        warnings.warn(
            f"{', '.join(numbers)} became no features: the table of samples needs these names for itself. Rename the "
            f"columns to have them as features.",
            stacklevel=4,
        )
    codes = [c for c in names if _says(frame[c], words)]
    if codes:
        warnings.warn(
            f"Each class has one value of its own in {', '.join(codes)}: is that the class again? A model would learn "
            f"nothing else. Name the features in 'table_features' of 05_samples.yaml.",
            stacklevel=4,
        )


def _spoilt(frame: pd.DataFrame, taken: set[str]) -> str:
    """Name the columns of text in which most cells look like numbers, with some of those that are none."""
    found = {}
    for c in frame.columns.difference(list(taken), sort=False):
        there = frame[c].dropna()
        if not (frame[c].dtype == object or pd.api.types.is_string_dtype(frame[c])):
            continue
        like = numbers.resemble(there)
        if like.sum() * 2 > len(there):
            odd = there[~like | pd.to_numeric(there, errors="coerce").isna()]
            found[c] = ", ".join(map(repr, (odd if len(odd) else there).unique()[:5]))
    return "; ".join(f"{c} ({odd})" for c, odd in found.items())


def _hint(frame: pd.DataFrame, taken: set[str]) -> str:
    spoilt = _spoilt(frame, taken)
    return spoilt and f" Of these nobody can tell which numbers they hold: {spoilt}; {PLAINLY}"


def _says(column: pd.Series, words: npt.NDArray[Any]) -> bool:
    """Whether a column holds one whole number for each class, and no two have the same."""
    known = pd.notna(words) & column.notna().to_numpy()
    numbers, of = column[known], pd.Series(words[known], column.index[known])
    classes = of.nunique()
    if not 1 < classes == numbers.nunique() or len(of) < 2 * classes or (numbers % 1 != 0).any():
        return False
    return bool((numbers.groupby(of).nunique() == 1).all())


def _account(
    words: npt.NDArray[Any], codes: npt.NDArray[np.uint8], complete: npt.NDArray[np.bool_], scheme: Scheme
) -> pd.DataFrame:
    names = {c.value: c.name for c in scheme.classes} | {0: "–"}
    rows = pd.DataFrame({"class": [names[int(c)] for c in codes], "value": [str(w) for w in words]})
    rows["became"] = np.select([codes == 0, ~complete], [UNNAMED, INCOMPLETE], LABELLED)
    return rows.groupby(["class", "value", "became"]).size().rename("rows").reset_index()
