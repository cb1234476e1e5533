"""Numbers as people and programs write them: 0,25 and 1.500,5 and 1 234 and 1'234 and −70.5 and 13.5°.

``1,500`` alone says nothing: one and a half, or fifteen hundred. What else stands in its column, and in the table,
decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lulc_kit.late import pd

POINT, COMMA = ".", ","
"""Signs before decimals; the other one may set thousands apart."""

_GAPS = "[ \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}'\N{RIGHT SINGLE QUOTATION MARK}]"
_MINUS = "[\N{MINUS SIGN}\N{EN DASH}]"
_ODD = f"{_GAPS}|{_MINUS}|°"
_SPACED = rf"[-+]?\d{{1,3}}(?:{_GAPS}\d{{3}})+(?:[.,]\d+)?"


def _pattern(sign: str, group: str) -> str:
    # Whole numbers of more digits are names: a number of double precision would lose their last ones.
    whole = rf"[1-9]\d{{0,2}}(?:[{group}]\d{{3}})+(?:[{sign}]\d*)?|\d{{1,15}}(?:[{sign}]\d*)?|[{sign}]\d+"
    return rf"[-+]?(?:{whole})(?:[eE][-+]?\d+)?"


_PATTERNS = {POINT: _pattern(POINT, COMMA), COMMA: _pattern(COMMA, POINT)}


def tidy(cells: pd.Series) -> pd.Series:
    """Return cells as words without what changes no number: blanks, a degree sign, a minus of typography."""
    words = cells.astype("string").str.strip()
    odd = words.str.contains(_ODD, regex=True).fillna(False).to_numpy(bool)
    if odd.any():
        words = words.copy()
        words[odd] = words[odd].map(_plainly)
    return words


def _plainly(word: str) -> str:
    word = re.sub(r"\s*°$", "", re.sub(_MINUS, "-", word))
    return re.sub(_GAPS, "", word) if re.fullmatch(_SPACED, word) else word


def parse(cells: pd.Series, sign: str = POINT) -> npt.NDArray[np.float64]:
    """Return cells as numbers, NaN where there is none.

    Parameters
    ----------
    cells
        Words or numbers.
    sign
        What stands before decimals.

    Examples
    --------
    >>> import pandas as pd
    >>> parse(pd.Series(["−1.234,5", "0,25", "13°", "–"]), ",").tolist()
    [-1234.5, 0.25, 13.0, nan]
    """
    if pd.api.types.is_numeric_dtype(cells):
        return cells.to_numpy(np.float64)
    words = tidy(cells)
    group = COMMA if sign == POINT else POINT
    words = words.where(words.str.fullmatch(_PATTERNS[sign], na=False)).str.replace(group, "", regex=False)
    return np.asarray(pd.to_numeric(words.str.replace(sign, ".", regex=False), errors="coerce"), np.float64)


def signs(words: pd.Series) -> set[str]:
    """Return the signs before decimals with which all `tidy` words are numbers: one, none, or both where none shows."""
    there = words.dropna()
    return {sign for sign, pattern in _PATTERNS.items() if len(there) and there.str.fullmatch(pattern).all()}


def resemble(cells: pd.Series) -> npt.NDArray[np.bool_]:
    """Say of each cell whether a person would take it for a number, also where the kit cannot: ``12 %``."""
    words = tidy(cells).str.replace(r"\s*%$", "", regex=True)
    return np.logical_or.reduce([words.str.fullmatch(p, na=False).to_numpy(bool) for p in _PATTERNS.values()])


def settle(columns: Mapping[str, pd.Series]) -> tuple[dict[str, str], list[str]]:
    """Find the sign before decimals of each column of numbers, by itself or by the others of its table.

    Parameters
    ----------
    columns
        `tidy` words by column.

    Returns
    -------
    signs
        By column; columns that hold anything else are missing.
    doubtful
        Columns with commas in which these may stand before decimals as well as between thousands.
    """
    possible = {name: signs(words) for name, words in columns.items()}
    certain = {sign for found in possible.values() if len(found) == 1 for sign in found}
    settled, doubtful = {}, []
    for name, found in possible.items():
        if len(found) == 1 or (len(found) == 2 and len(certain) == 1):
            settled[name] = min(found & certain)
        elif found and has_comma(columns[name]).any():
            doubtful.append(name)
        elif found:
            settled[name] = POINT
    return settled, doubtful


def has_comma(words: pd.Series) -> pd.Series:
    """Say of each word whether it has a comma."""
    return words.str.contains(COMMA, regex=False).fillna(False).astype(bool)
