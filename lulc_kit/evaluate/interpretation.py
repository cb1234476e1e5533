"""Files that a drawn sample travels in: written for a person who looks at each point, read back and checked.

An interpreter who knows what the map says tends to agree with it, so the map's class can be left out (blind).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lulc_kit import files
from lulc_kit.classes import Scheme
from lulc_kit.errors import FormatError, LulcError, MissingFileError
from lulc_kit.evaluate.sampling import Drawn
from lulc_kit.intake import tables, vectors
from lulc_kit.late import gpd, pd
from lulc_kit.layout import SampleLayout

WGS84 = "EPSG:4326"

Codes = npt.NDArray[np.integer]

FORMATS = (".gpkg", ".kml", ".csv")
"""Endings of the files of points: GIS programs, Google Earth, spreadsheets."""

SAMPLE, REFERENCE, SECOND, NOTE = "sample", "reference", "second", "note"
"""Columns of words: the sample's name, what the interpreter and a second one fill in, what they remark."""


@dataclass(frozen=True)
class Interpreted:
    """What a person saw at each point of a sample.

    Attributes
    ----------
    reference
        Class values, in the order of the sample's points.
    second
        Those of a second interpreter; 0 where none looked.
    """

    reference: Codes
    second: Codes


def table(drawn: Drawn, *, blind: bool = True) -> gpd.GeoDataFrame:
    """Return the sample as a table of points at the pixels' centres, to be filled in: ``reference``, ``second``.

    Parameters
    ----------
    drawn
        The sample.
    blind
        Leave out what the map says.
    """
    a, column, row = drawn.grid.affine, drawn.column + 0.5, drawn.row + 0.5
    x, y = a.a * column + a.b * row + a.c, a.d * column + a.e * row + a.f
    places = gpd.GeoSeries(gpd.points_from_xy(x, y), crs=str(drawn.grid.crs))
    degrees = places.to_crs(WGS84)
    count = len(drawn.row)
    columns: dict[str, object] = {
        "point": np.arange(1, count + 1),
        SAMPLE: [drawn.name] * count,
        "longitude": degrees.x.round(7),
        "latitude": degrees.y.round(7),
    }
    if not blind:
        name = dict(zip(drawn.classes.values, drawn.classes.names, strict=True))
        columns["map"] = [name[value] for value in drawn.stratum.tolist()]
    columns |= {REFERENCE: [""] * count, SECOND: [""] * count, NOTE: [""] * count}
    return gpd.GeoDataFrame(columns, geometry=places, crs=places.crs)


def write(drawn: Drawn, place: SampleLayout, *, blind: bool = True) -> None:
    """Write a sample for interpretation in all `FORMATS`, and its design.

    Raises
    ------
    LulcError
        If a sample lies there already: somebody may have begun to interpret it.
    """
    if place.drawn.exists():
        raise LulcError(
            f"Another sample lies in {place.drawn.parent}, and somebody may have begun to interpret it. Move that "
            f"folder away to draw anew, or set the parameters of 09 (sample_…, change_points) back to what it was "
            f"drawn with."
        )
    points = table(drawn, blind=blind)
    with files.replacing(place.points(".gpkg")) as part:
        points.to_file(part, layer="points")
    with files.replacing(place.points(".kml")) as part:
        points.assign(Name=points["point"].astype(str)).to_crs(WGS84).to_file(part, driver="KML")
    with files.replacing(place.points(".csv")) as part:
        # The mark at its beginning tells Excel that it is UTF-8.
        points.drop(columns="geometry").to_csv(part, index=False, encoding="utf-8-sig")
    files.write_json(place.drawn, drawn.to_dict())


def _open(path: Path) -> gpd.GeoDataFrame:
    """Read a file of points, whatever of `FORMATS` or of other vector files it is."""
    if not path.exists():
        raise MissingFileError(f"{path} does not exist. Check 'interpreted' (of change: 'change_interpreted') in 09.")
    if path.suffix.lower() not in tables.SUFFIXES:
        return vectors.read(path, parameters="09_evaluate.yaml").table
    remedy = "Save it as CSV in UTF-8, or use the GeoPackage."
    try:
        # A sample's name is hexadecimal: 7e96437622 and 0420182166 are no numbers; nor need 01 be class 1.
        rows = tables.read(path, words=(SAMPLE, REFERENCE, SECOND, NOTE), remedy=remedy)
    except FormatError as error:
        if remedy in str(error):
            raise
        raise FormatError(f"{error} {remedy}") from error
    lacking = [name for name in ("longitude", "latitude") if name not in rows]
    if lacking:
        raise FormatError(f"{path} has no column {' and '.join(lacking)}. Keep all columns of the file that was drawn.")
    remedy = "Copy longitude and latitude back from the file that was drawn"
    return tables.points(rows, "longitude", "latitude", WGS84, path, remedy=remedy)


def _words(column: pd.Series) -> pd.Series:
    """Return what was filled in, as trimmed words in one spelling."""
    return column.map(lambda cell: "" if pd.isna(cell) else _spell(str(cell)))


def _spell(word: str) -> str:
    return unicodedata.normalize("NFC", word).strip()


def _whole(word: str) -> str:
    """Return a word without the decimals that a spreadsheet gives to whole numbers."""
    return re.sub(r"^(\d+)[.,]0+$", r"\1", word)


def read_drawn(place: SampleLayout) -> Drawn:
    """Read how a sample was drawn."""
    if not place.drawn.exists():
        raise MissingFileError(
            f"{place.drawn} is not there: without it nobody knows how the points were drawn, and nothing follows from "
            f"them for the map. Draw a sample first (sample_points, change_points in 09_evaluate.yaml), or copy the "
            f"design.json that was written with the points there."
        )
    with files.parse(place.drawn, "09_evaluate") as content:
        return Drawn.from_dict(content)


def read(path: Path, drawn: Drawn) -> Interpreted:
    """Read an interpreted sample and check it against its design.

    Parameters
    ----------
    path
        GeoPackage, KML, CSV or any other file of points that holds the columns ``point``, ``sample`` and
        ``reference`` of the file that was written; classes by name or value. ``second`` may be empty.
    drawn
        How it was drawn.

    Raises
    ------
    LulcError
        If it is another map's sample, points are missing, extra, moved or not interpreted, a class is not in the
        scheme, or it holds polygons.
    """
    rows = _open(path)
    lacking = [name for name in ("point", SAMPLE, REFERENCE) if name not in rows]
    if lacking:
        raise FormatError(
            f"{path} has no column {', '.join(lacking)}; it has: {', '.join(map(str, rows.columns[:40]))}. Fill in the "
            f"file that was drawn, and keep its columns."
        )
    kinds = {*rows.geometry.geom_type.dropna()} - {"Point"}
    if kinds:
        raise LulcError(
            f"{path} holds {', '.join(sorted(kinds))}, not points. Whole polygons are a cluster sample: their pixels "
            f"are not independent, and their chance to be drawn is unknown: nothing follows from them for the map. "
            f"Interpret the points that were drawn; polygons can be an independent test set (validation in 05)."
        )
    names = _words(rows[SAMPLE]).map(lambda name: _restore(name, drawn.name))
    others = sorted({*names} - {drawn.name})
    if others:
        raise LulcError(
            f"{path} was made for another sample ({', '.join(o or 'none' for o in others[:5])}); the design that lies "
            f"in this study is {drawn.name}, drawn from the map of run {drawn.run}. Name the file that was drawn with "
            f"it, or bring back the design.json that belongs to this file."
        )
    number = pd.to_numeric(_words(rows["point"]).map(_whole), errors="coerce").fillna(-1).to_numpy(np.int64)
    _check_points(path, number, len(drawn.row))
    rows = rows.iloc[np.argsort(number)].reset_index(drop=True)
    _check_places(path, rows, drawn)
    seen = _values(path, rows[REFERENCE], drawn.classes)
    if (empty := np.flatnonzero(seen == 0) + 1).size:
        raise LulcError(
            f"{path}: {empty.size} of {seen.size} points have no class yet: {_list(empty)}. Every point counts; "
            f"leaving out the hard ones would flatter the map. Give each the class that is most likely there."
        )
    second = _values(path, rows[SECOND], drawn.classes) if SECOND in rows else np.zeros_like(seen)
    return Interpreted(seen, second)


def _restore(name: str, drawn: str) -> str:
    """Return a sample's name with the zeros at its beginning that a spreadsheet takes from a name of digits."""
    digits = _whole(name)
    return digits.zfill(len(drawn)) if digits.isdecimal() else name


def _list(numbers: Iterable[object]) -> str:
    shown = [str(n) for n in numbers]
    return ", ".join(shown[:10]) + (", …" if len(shown) > 10 else "")


def _check_points(path: Path, number: Codes, count: int) -> None:
    values, times = np.unique(number, return_counts=True)
    missing = np.setdiff1d(np.arange(1, count + 1), values)
    if missing.size:
        raise LulcError(
            f"{path} lacks {missing.size} of {count} points: {_list(missing)}. A sample with holes is no longer the "
            f"one that was drawn. Put their rows back from the file that was written."
        )
    extra = [*values[(values < 1) | (values > count)], *values[times > 1]]
    if extra:
        raise LulcError(
            f"{path} has points that were not drawn, or twice: {_list(extra)}. A point of one's own choice has no "
            f"known chance to be drawn; take those rows out."
        )


def _check_places(path: Path, rows: gpd.GeoDataFrame, drawn: Drawn) -> None:
    expected = table(drawn).geometry
    apart = rows.geometry.to_crs(expected.crs).distance(expected).to_numpy()
    far = np.flatnonzero(~(apart <= abs(drawn.grid.resolution.x) / 2))
    if far.size:
        where = _list(f"{i + 1} ({apart[i]:.0f} m)" for i in far)
        raise LulcError(
            f"{path}: {far.size} points are not where they were drawn: {where}. A point that is moved to a place that "
            f"is easier to see says nothing of the map. Put them back, and interpret the pixel that was drawn."
        )


def _values(path: Path, column: pd.Series, classes: Scheme) -> Codes:
    words = _words(column)
    found = words.map({word: _value(word, classes) for word in words.unique()})
    if found.isna().any():
        strange = sorted({*words[found.isna()]})
        raise LulcError(
            f"{path}: {_list(map(repr, strange))} in column {column.name!r} is no class of the map. Its classes are "
            f"{', '.join(classes.names)}. Write one of these (or its value) at each point; land that fits none needs a "
            f"map that has a class for it."
        )
    return found.to_numpy(np.int64)


def _value(word: str, classes: Scheme) -> int | None:
    """Return the value of the class that a word names, with other capitals only where that is one class; None if none.

    Names go before numbers, and a name as it is written before all else.
    """
    if not word:
        return 0
    named = {_spell(c.name): c.value for c in classes.classes}
    numbered = {str(c.value): c.value for c in classes.classes}
    alike = {value for name, value in named.items() if name.casefold() == word.casefold()}
    whole = _whole(word)
    if word not in named and len(alike) == 1:
        return alike.pop()
    return named.get(word, named.get(whole, numbered.get(whole)))
