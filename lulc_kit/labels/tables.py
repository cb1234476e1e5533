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
from lulc_kit.labels.sources import LABELLED, UNNAMED, Labels
from lulc_kit.late import pd
from lulc_kit.samples import is_reserved
from lulc_kit.translation import Meanings, meanings, translate

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
        that hold numbers, and columns that say the class by a number of its own.
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
    words = frame[label].to_numpy(object)
    scheme, wanted = meanings(words, scheme, wanted)
    codes = translate(words, scheme, wanted, f"column {label!r} of {what}")
    if features is None:
        _warn_of_choice(frame, names, {label, *([group] if group else []), *without}, words)
    with np.errstate(over="ignore"):  # too large for single precision: infinite, and left out as such
        taken: Any = frame[[*names, *([frame.geometry.name] if hasattr(frame, "geometry") else [])]]
        kept = taken.astype(dict.fromkeys(names, np.float32))
    numbers = kept[names].to_numpy(np.float32)
    complete = np.isfinite(numbers).all(axis=1)
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
            raise BandError(f"{what} has no column of numbers for a feature. Columns of numbers: {there}.")
        return found
    if missing := [c for c in wanted if c not in numeric]:
        raise BandError(f"table_features: {', '.join(missing)} are no columns of numbers of {what}. It has: {there}.")
    if clash := [c for c in wanted if is_reserved(c) or c in taken]:
        raise BandError(
            f"table_features: {', '.join(clash)} cannot be a feature, because the table of samples uses that name or "
            f"the column says something else. Rename the column."
        )
    return list(wanted)


def _is_unnamed(column: str) -> bool:
    """Whether a column has no name: the numbers of its rows, as R and pandas write them."""
    return column.startswith("Unnamed: ") or not column.strip()


def _warn_of_choice(frame: pd.DataFrame, names: Sequence[str], taken: set[str], words: npt.NDArray[Any]) -> None:
    """Name columns that are probably features and were not taken, and those that were and are probably none."""
    texts = [c for c in frame.columns if pd.api.types.is_string_dtype(frame[c]) and c not in taken]
    spoilt = {}
    for c in texts:
        there = frame[c].dropna()
        odd = there[pd.to_numeric(there, errors="coerce").isna()]
        if len(there) > 2 * len(odd):
            spoilt[c] = ", ".join(map(repr, odd.unique()[:5]))
    if spoilt:
        listed = "; ".join(f"{c} ({odd})" for c, odd in spoilt.items())
        warnings.warn(
            f"These columns are text and no features, because of words among their numbers: {listed}. Empty those "
            f"cells to have the columns as features.",
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
