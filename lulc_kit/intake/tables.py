"""Tables of a user's: CSV with whatever separator, or Parquet; rows of pixel values, or places with a class."""

import codecs
import csv
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lulc_kit.errors import FormatError, GridError, MissingFileError, ParameterError

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    Frame = TypeVar("Frame", pd.DataFrame, gpd.GeoDataFrame)

SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
"""Endings of text tables, in lower case."""

LONGEST = 100_000
"""Letters that are read to find the separator."""


def read(path: Path, encoding: str | None = None) -> "pd.DataFrame":
    """Read a table.

    Parameters
    ----------
    path
        Text with a separator (comma, semicolon, tab, blank or bar; with semicolons also with decimal commas), its
        columns named in the first line; or Parquet.
    encoding
        Of a text; None: UTF-8, or UTF-16 (Excel's "Unicode text") where its first bytes say so.

    Raises
    ------
    LulcError
        If it is missing, no such table, in another encoding, has no rows, or names a column twice.
    """
    import pandas as pd

    if not path.is_file():
        raise MissingFileError(f"The table {path} does not exist. Check 'labels' in 05_samples.yaml.")
    try:
        table = (
            plain(pd.read_parquet(path))
            if path.suffix.lower() in (".parquet", ".pq")
            else _text(path, encoding or _marked(path) or "utf-8-sig")
        )
    except (UnicodeDecodeError, LookupError) as error:
        raise FormatError(
            f"{path} is not in the encoding {encoding or 'UTF-8'} ({error}). Set 'encoding' in 05_samples.yaml: GBK, "
            f"latin1, cp1252 …"
        ) from error
    except (ValueError, OSError, csv.Error) as error:  # pandas' and pyarrow's errors are of these
        raise FormatError(f"{path} cannot be read as a table ({error}). Expected CSV or Parquet.") from error
    if table.empty:
        raise FormatError(f"{path} has no rows.")
    return table.rename(columns=str)


def _marked(path: Path) -> str | None:
    with path.open("rb") as stream:
        return "utf-16" if stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else None


def _text(path: Path, encoding: str) -> "pd.DataFrame":
    import pandas as pd

    with path.open(newline="", encoding=encoding) as stream:
        start = stream.read(LONGEST)
    if not start.strip():
        raise ValueError("it is empty")
    lines = start.splitlines()
    said = re.fullmatch("sep=(.)", lines[0].strip('"'))  # Excel's own way to name the separator
    first = lines[1] if said and len(lines) > 1 else lines[0]
    # Names have blanks in them: a blank separates where nothing else does.
    separator = said[1] if said else max(",;\t|", key=first.count)
    separator = separator if separator in first else " "
    names = [name.strip() for name in next(csv.reader([first], delimiter=separator, skipinitialspace=True))]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} is the name of two columns")
    decimal, thousands = _signs(start, separator) if separator in ";\t|" else (".", None)
    how: dict[str, Any] = {
        "sep": separator,
        "encoding": encoding,
        "skiprows": 1 if said else 0,
        "skipinitialspace": True,
        "low_memory": False,
    }
    found = pd.read_csv(path, decimal=decimal, thousands=thousands, **how)
    texts = [i for i, c in enumerate(found) if not pd.api.types.is_numeric_dtype(found[c]) or found[c].isna().all()]
    if texts and isinstance(found.index, pd.RangeIndex):  # where rows are longer than their header it is not
        # Among words NA and None are words, where among numbers they say that there is none.
        words = pd.read_csv(path, usecols=texts, dtype=str, keep_default_na=False, na_values=[""], **how)
        for i, name in zip(texts, words, strict=True):
            if words[name].notna().any():
                found.isetitem(i, words[name])
    return found.rename(columns=str.strip)


def plain(table: "Frame") -> "Frame":
    """Return a table whose columns have no missing values of pandas' own kind (``NA``), which equals nothing.

    Numbers become float with NaN, all else objects with None.
    """
    import numpy as np
    import pandas as pd

    for c in table.columns:
        if getattr(table[c].dtype, "na_value", None) is pd.NA:
            if pd.api.types.is_numeric_dtype(table[c]) and not pd.api.types.is_bool_dtype(table[c]):
                table[c] = table[c].to_numpy(np.float64, na_value=np.nan)
            else:
                table[c] = table[c].astype(object).where(table[c].notna(), None)
    return table


_CELL = r"-?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+"
_GROUPED = {",": r"-?\d{1,3}(?:\.\d{3})+,\d+", ".": r"-?\d{1,3}(?:,\d{3})+\.\d+"}
"""Numbers of decimal commas, or points, in which thousands are set apart: ``1.500,5`` and ``1,500.5``."""


def _signs(text: str, separator: str) -> tuple[str, str | None]:
    """Return the sign before decimals, and the one between thousands, if there is one."""
    cells = [cell.strip().strip('"') for line in text.splitlines()[1:200] for cell in line.split(separator)]
    grouped = {sign: any(re.fullmatch(pattern, cell) for cell in cells) for sign, pattern in _GROUPED.items()}
    if grouped["."]:
        return ".", ","
    commas = any(re.fullmatch(_CELL, cell) for cell in cells)
    return ("," if commas else "."), ("." if grouped[","] else None)


def column(table: "pd.DataFrame", name: str, parameter: str, path: Path) -> "pd.Series":
    """Return a column; a LulcError names the parameter and lists the columns there are."""
    if name not in table:
        raise ParameterError(
            f"{path} has no column {name!r}. It has: {', '.join(map(str, table.columns[:60]))}. Set {parameter!r} in "
            f"05_samples.yaml."
        )
    return table[name]


def points(table: "pd.DataFrame", x: str, y: str, crs: str, path: Path) -> "gpd.GeoDataFrame":
    """Return the rows of a table as points in the CRS of their coordinates; rows without coordinates have no geometry.

    Raises
    ------
    LulcError
        If a column is missing or holds no numbers, or the CRS is unknown or cannot be that of such coordinates.
    """
    import geopandas as gpd
    import numpy as np
    import pandas as pd
    import pyproj

    try:
        system = pyproj.CRS(crs)
    except pyproj.exceptions.CRSError as error:
        raise ParameterError(f'table_crs: {crs!r} is not a CRS ({error}). Write it as "EPSG:4326".') from None
    places = []
    for name, parameter in ((x, "table_x"), (y, "table_y")):
        cells = column(table, name, parameter, path)
        numbers = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)
        if not np.isfinite(numbers).any():
            raise ParameterError(f"Column {name!r} of {path} holds no numbers. Set {parameter!r} in 05_samples.yaml.")
        odd = cells[cells.notna().to_numpy() & np.isnan(numbers)]
        if len(odd):
            warnings.warn(
                f"{path}: {len(odd)} of {len(cells)} rows have no number in {name!r} (the first: {odd.iloc[0]!r}) and "
                f"are no places. Write coordinates as numbers, degrees with decimals.",
                stacklevel=2,
            )
        places.append(numbers)
    east, north = places
    if system.is_geographic and (np.nanmax(np.abs(east)) > 360 or np.nanmax(np.abs(north)) > 90):
        raise GridError(
            f"{path}: {x} and {y} reach {np.nanmax(np.abs(east)):g} and {np.nanmax(np.abs(north)):g}, which are no "
            f"degrees, but table_crs is {crs}. Name the CRS they are in, or exchange table_x and table_y."
        )
    known = np.isfinite(east) & np.isfinite(north)
    geometry = gpd.GeoSeries(gpd.points_from_xy(np.where(known, east, 0), np.where(known, north, 0)), crs=system)
    return gpd.GeoDataFrame(table.reset_index(drop=True), geometry=geometry.where(known), crs=system)
