"""Tables of a user's: CSV with whatever separator, or Parquet; rows of pixel values, or places with a class."""

import codecs
import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lulc_kit.errors import FormatError, GridError, MissingFileError, ParameterError

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

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
            pd.read_parquet(path)
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
    decimal = "," if separator in ";\t|" and _commas(start, separator) else "."
    found = pd.read_csv(
        path,
        sep=separator,
        decimal=decimal,
        encoding=encoding,
        skiprows=1 if said else 0,
        skipinitialspace=True,
        low_memory=False,
    )
    return found.rename(columns=str.strip)


def _commas(text: str, separator: str) -> bool:
    """Whether numbers are written with decimal commas: some cells are digits, a comma, digits, and none has a point."""
    cells = [cell.strip().strip('"') for line in text.splitlines()[1:200] for cell in line.split(separator)]
    halves = [cell.lstrip("-").split(",") for cell in cells]
    return any(len(h) == 2 and all(part.isdecimal() for part in h) for h in halves)


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
        numbers = pd.to_numeric(column(table, name, parameter, path), errors="coerce").to_numpy(np.float64)
        if not np.isfinite(numbers).any():
            raise ParameterError(f"Column {name!r} of {path} holds no numbers. Set {parameter!r} in 05_samples.yaml.")
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
