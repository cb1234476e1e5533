"""Tables of a user's: CSV with whatever separator, or Parquet; rows of pixel values, or places with a class."""

import codecs
import csv
import io
import itertools
import re
import unicodedata
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lulc_kit.errors import FormatError, GridError, MissingFileError, ParameterError
from lulc_kit.intake import numbers

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy.typing as npt
    import pandas as pd

    Frame = TypeVar("Frame", pd.DataFrame, gpd.GeoDataFrame)

SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
"""Endings of text tables, in lower case."""

LONGEST = 100_000
"""Letters that are read to find the separator."""

UNKNOWN = (-9999, -32768)
"""Numbers that many programs write where there is none, and no place, no reflectance and hardly a feature has."""

UNNAMED, ROWS = "Unnamed: ", "Unnamed: numbers of the rows"
"""What columns without a name are called, the first as pandas does."""


REMEDY = "Set 'encoding' in 05_samples.yaml: GBK, latin1, cp1252 …"
"""What to do about words in another encoding, where the table is one of the labels."""


def read(
    path: Path, encoding: str | None = None, *, words: Collection[str] = (), remedy: str = REMEDY
) -> "pd.DataFrame":
    """Read a table.

    Numbers are read as people and programs write them (see `lulc_kit.intake.numbers`). Rows and unnamed columns
    without any cell are passed over. Words and names of columns are in one spelling (NFC).

    Parameters
    ----------
    path
        Text with a separator (comma, semicolon, tab, blank or bar), its columns named in the first line; or Parquet.
    encoding
        Of a text; None: UTF-8, or UTF-16 (Excel's "Unicode text") where its first bytes say so.
    words
        Columns of a text that hold words, also where they look like numbers (``007``, ``7e96437622``).
    remedy
        What to do if a text is in another encoding, for the message.

    Raises
    ------
    LulcError
        If it is missing, no such table, in another encoding, has no rows, has rows with more cells than names, or
        names a column twice.
    """
    import pandas as pd

    if not path.is_file():
        raise MissingFileError(f"The table {path} does not exist. Check 'labels' in 05_samples.yaml.")
    try:
        table = (
            plain(pd.read_parquet(path))
            if path.suffix.lower() in (".parquet", ".pq")
            else _text(path, encoding or _marked(path) or "utf-8-sig", words)
        )
    except (UnicodeDecodeError, LookupError) as error:
        raise FormatError(f"{path} is not in the encoding {encoding or 'UTF-8'} ({error}). {remedy}") from error
    except (ValueError, OSError, csv.Error) as error:  # pandas' and pyarrow's errors are of these
        raise FormatError(f"{path} cannot be read as a table ({error}). Expected CSV or Parquet.") from error
    if table.empty:
        raise FormatError(f"{path} has no rows.")
    return _legible(table)


def _marked(path: Path) -> str | None:
    with path.open("rb") as stream:
        return "utf-16" if stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else None


def _legible(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return the table with words and names of columns in one spelling: ``ä`` may be one character or two."""
    import pandas as pd

    for name in table.columns:
        if table[name].dtype == object or pd.api.types.is_string_dtype(table[name]):
            table[name] = pd.Series([_spell(cell) for cell in table[name]], table.index, table[name].dtype)
    return table.rename(columns=lambda name: _spell(str(name)))


def _spell(cell: Any) -> Any:
    return unicodedata.normalize("NFC", cell) if isinstance(cell, str) else cell


def _text(path: Path, encoding: str, words: Collection[str]) -> "pd.DataFrame":
    import pandas as pd

    try:
        head = _head(path, encoding)
        found = pd.read_csv(path, **head.how)
    except pd.errors.ParserError:  # a row that is longer than all at the beginning
        head = _head(path, encoding, None)
        found = pd.read_csv(path, **head.how)
    texts = [
        name
        for name in found
        if name in words or not pd.api.types.is_numeric_dtype(found[name]) or found[name].isna().all()
    ]
    numeric = _as_numbers(path, found, [name for name in texts if name not in words], head)
    # Among words NA and None are words, where among numbers they say that there is none.
    texts = [name for name in texts if name not in numeric]
    as_words = _as_words(path, texts, head, keep_default_na=False, na_values=[""])
    for name, cells in (numeric | {name: as_words[name] for name in texts if as_words[name].notna().any()}).items():
        found[name] = cells
    found = found.dropna(how="all").reset_index(drop=True)
    unnamed = [name for name in found if name.startswith(UNNAMED) and found[name].isna().all()]
    found = found.drop(columns=[*unnamed, *([ROWS] if ROWS in found else [])])
    _refuse_surplus(found, head.spare)
    return found


def _as_words(path: Path, names: Sequence[str], head: "_Head", **options: Any) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_csv(path, usecols=list(names), dtype=str, **options, **head.how) if names else pd.DataFrame()


def _as_numbers(path: Path, found: "pd.DataFrame", texts: Sequence[str], head: "_Head") -> "dict[str, Any]":
    """Return columns that are text to pandas and numbers to people, and those that other columns say are others."""
    import pandas as pd

    tidied = {name: numbers.tidy(found[name]) for name in texts}
    columns = {name: words for name, words in tidied.items() if numbers.signs(words)}
    if any(numbers.has_comma(words).any() for words in columns.values()):
        # 1.500 is a number for pandas, and another one where commas stand before decimals.
        floats = [str(name) for name in found if pd.api.types.is_float_dtype(found[name])]
        columns |= {str(name): numbers.tidy(words) for name, words in _as_words(path, floats, head).items()}
    settled, doubtful = numbers.settle(columns)
    usual = {";": numbers.COMMA, ",": numbers.POINT}.get(head.how["sep"])
    if doubtful:
        first = {name: columns[name][numbers.has_comma(columns[name])].iloc[0] for name in doubtful}
        taken = {numbers.COMMA: "for decimal commas", numbers.POINT: "for signs between thousands", None: "for text"}
        warnings.warn(
            f"{path}: nothing says whether commas stand before decimals or between thousands in "
            f"{', '.join(f'{name} ({cell!r})' for name, cell in first.items())}. They are taken {taken[usual]}. Write "
            f"1500 or 1.5 where 1,500 stands for it.",
            stacklevel=4,
        )
        settled |= dict.fromkeys(doubtful, usual) if usual else {}
    return {name: numbers.parse(columns[name], sign) for name, sign in settled.items()}


@dataclass(frozen=True)
class _Head:
    """How pandas is to read a text, and the columns among its names that only make room for cells beyond the last."""

    how: dict[str, Any]
    spare: list[str]


def _head(path: Path, encoding: str, longest: int | None = LONGEST) -> _Head:
    with path.open(newline="", encoding=encoding) as stream:
        start = stream.read(longest)
    if not start.strip():
        raise ValueError("it is empty")
    lines = start.splitlines()
    blank = next(i for i, line in enumerate(lines) if line.strip())
    lines = lines[blank:]
    said = re.fullmatch("sep=(.)", lines[0].strip('"'))  # Excel's own way to name the separator
    first = lines[1] if said and len(lines) > 1 else lines[0]
    # Names have blanks in them: a blank separates where nothing else does.
    separator = said[1] if said else max(",;\t|", key=first.count)
    separator = separator if separator in first else " "
    rows = [
        row for row in csv.reader(io.StringIO(start, newline=""), delimiter=separator, skipinitialspace=True) if row
    ]
    header, *rows = rows[1:] if said else rows
    names = [unicodedata.normalize("NFC", name.strip()) for name in header]
    twice = sorted({n for n in names if n and names.count(n) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} is the name of two columns")
    names = [name or f"{UNNAMED}{i}" for i, name in enumerate(names)]
    # 1,0,25 may also be 1 and 0.25: between commas only a name in quotes is one of R's.
    if (separator != "," or lines[-1].startswith('"')) and _are_numbered(rows, len(names)):
        warnings.warn(
            f"The rows of {path} have one cell more than its header has names: their first cells are taken for numbers "
            f"of the rows, as R writes them.",
            stacklevel=4,
        )
        names = [ROWS, *names]
    spare = [f"{UNNAMED}{i}" for i in range(len(names), max(map(len, rows), default=0))]
    # Pandas would take the first column for names of the rows where these end in a separator that the header lacks.
    longer = len(names) + len(spare) > len(header)
    how = {
        "sep": separator,
        "encoding": encoding,
        "skiprows": blank + bool(said) + longer,
        "header": None if longer else 0,
        "names": [*names, *spare],
        "index_col": False,
        "skipinitialspace": True,
        "low_memory": False,
    }
    return _Head(how, spare)


def _are_numbered(rows: Sequence[list[str]], count: int) -> bool:
    """Whether rows have a number of their own before their ``count`` cells, growing from row to row."""
    whole = rows[:-1] if len(rows) > 2 else rows  # what was read may end inside the last one
    if len(whole) < 2 or any(len(row) != count + 1 or not row[0].isdecimal() for row in whole):
        return False
    numbers = [int(row[0]) for row in whole]
    return any(row[-1].strip() for row in whole) and all(a < b for a, b in itertools.pairwise(numbers))


def _refuse_surplus(table: "pd.DataFrame", spare: Sequence[str]) -> None:
    filled = table[[name for name in spare if name in table]].dropna(how="all")
    if len(filled):
        cell = filled.bfill(axis=1).iloc[0, 0]
        raise ValueError(
            f"{len(filled)} of {len(table)} rows have more cells than the header has names; the first surplus one "
            f"holds {str(cell)!r}. Is a name missing, or a cell with the separator in it not in quotes?"
        )


def plain(table: "Frame") -> "Frame":
    """Return a table whose columns have no missing values of pandas' own kind (``NA``), which equals nothing.

    Numbers become float with NaN, those of Python's ``Decimal`` too, all else objects with None.
    """
    import pandas as pd

    for c in table.columns:
        if getattr(table[c].dtype, "na_value", None) is pd.NA:
            if pd.api.types.is_numeric_dtype(table[c]) and not pd.api.types.is_bool_dtype(table[c]):
                table[c] = table[c].to_numpy(np.float64, na_value=np.nan)
            else:
                table[c] = table[c].astype(object).where(table[c].notna(), None)
        elif table[c].dtype == object and {type(cell) for cell in table[c].dropna()} == {Decimal}:
            table[c] = table[c].astype(np.float64)
    return table


def column(table: "pd.DataFrame", name: str, parameter: str, path: Path) -> "pd.Series":
    """Return a column; a LulcError names the parameter and lists the columns there are."""
    if name not in table:
        raise ParameterError(
            f"{path} has no column {name!r}. It has: {', '.join(map(str, table.columns[:60]))}. Set {parameter!r} in "
            f"05_samples.yaml."
        )
    return table[name]


def points(
    table: "pd.DataFrame", x: str, y: str, crs: str, path: Path, *, remedy: str | None = None
) -> "gpd.GeoDataFrame":
    """Return the rows of a table as points in the CRS of their coordinates; rows without coordinates have no geometry.

    Parameters
    ----------
    table
        As `read` returns it.
    x, y, crs
        The columns of the coordinates, and their CRS.
    path
        The file, for messages.
    remedy
        What to do about columns that are no coordinates, for messages; None: to set parameters of 05_samples.yaml.

    Raises
    ------
    LulcError
        If a column is missing or holds no numbers, or the CRS is unknown or cannot be that of such coordinates.
    """
    import geopandas as gpd
    import pyproj

    try:
        system = pyproj.CRS(crs)
    except pyproj.exceptions.CRSError as error:
        raise ParameterError(f'table_crs: {crs!r} is not a CRS ({error}). Write it as "EPSG:4326".') from None
    columns = [column(table, name, parameter, path) for name, parameter in ((x, "table_x"), (y, "table_y"))]
    east, north = _coordinates(columns, UNKNOWN if system.is_geographic else ())
    for cells, found, parameter in zip(columns, (east, north), ("table_x", "table_y"), strict=True):
        _tell_of_odd(cells, found, path, remedy or f"Set {parameter!r} in 05_samples.yaml to another column")
    if system.is_geographic and (np.nanmax(np.abs(east)) > 360 or np.nanmax(np.abs(north)) > 90):
        raise GridError(
            f"{path}: {x} and {y} reach {np.nanmax(np.abs(east)):g} and {np.nanmax(np.abs(north)):g}, which are no "
            f"degrees{'' if remedy else f', but table_crs is {crs}'}. "
            + (remedy or "Name the CRS they are in, or exchange table_x and table_y")
            + "."
        )
    known = np.isfinite(east) & np.isfinite(north)
    geometry = gpd.GeoSeries(gpd.points_from_xy(np.where(known, east, 0), np.where(known, north, 0)), crs=system)
    return gpd.GeoDataFrame(table.reset_index(drop=True), geometry=geometry.where(known), crs=system)


def _coordinates(columns: "Sequence[pd.Series]", unknown: Sequence[float]) -> "list[npt.NDArray[np.float64]]":
    """Return columns as numbers, NaN for cells that are none, or in which a comma may mean two things."""
    import pandas as pd

    words = {str(i): numbers.tidy(c) for i, c in enumerate(columns) if not pd.api.types.is_numeric_dtype(c)}
    settled, _ = numbers.settle({i: cells[numbers.resemble(cells)] for i, cells in words.items()})
    found = [
        numbers.parse(cells, settled[str(i)]) if str(i) in settled else pd.to_numeric(cells, errors="coerce")
        for i, cells in enumerate(columns)
    ]
    there = [np.array(cells, np.float64) for cells in found]
    return [np.where(np.isfinite(cells) & ~np.isin(cells, unknown), cells, np.nan) for cells in there]


def _tell_of_odd(cells: "pd.Series", known: "npt.NDArray[np.float64]", path: Path, remedy: str) -> None:
    odd = cells[cells.notna().to_numpy() & np.isnan(known)]
    first = f" (the first: {str(odd.iloc[0])!r})" if len(odd) else ""
    if np.isnan(known).all():
        raise ParameterError(
            f"Column {cells.name!r} of {path} holds no numbers{first}. {remedy}, or write coordinates as numbers, "
            f"degrees with decimals."
        )
    if len(odd):
        warnings.warn(
            f"{path}: {len(odd)} of {len(cells)} rows have no number in {cells.name!r}{first} and are no places. Write "
            f"coordinates as numbers, degrees with decimals.",
            stacklevel=3,
        )
