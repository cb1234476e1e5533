"""Class schemes in a file of a user's: YAML, CSV, or a style of QGIS."""

import csv
import io
from pathlib import Path
from typing import Any

from lulc_kit import palette
from lulc_kit.classes import MOST, LandClass, Scheme, check
from lulc_kit.errors import FormatError, MissingFileError
from lulc_kit.params.files import load

_COLOUR = ("colour", "color")


def read(path: Path) -> Scheme:
    """Read a scheme from a file.

    Parameters
    ----------
    path
        ``.yaml``: ``name: value`` for each class, or ``name: {value: …, colour: "#rrggbb"}``. ``.csv``: columns value,
        name and, by choice, colour, in any order and capitals. ``.qml``: a QGIS style with a palette of unique values.
        Classes without a colour get one.

    Raises
    ------
    LulcError
        If the file is missing, broken, or its classes are not good (see `checked`).
    """
    if not path.exists():
        raise MissingFileError(f"The class scheme {path} does not exist. Check 'scheme' in 05_samples.yaml.")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise FormatError(f"{path} is no class scheme that can be read: write it as {', '.join(_READERS)}.")
    try:
        rows = reader(path)
        spare = palette.colours(len(rows))
        found = [
            LandClass(_whole(v, n), " ".join(str(n).split()), str(c or spare[i]).strip().lower())
            for i, (v, n, c) in enumerate(rows)
        ]
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not in UTF-8 ({error}). Save it as UTF-8, as any text editor can.") from error
    except (OSError, KeyError, TypeError, ValueError, csv.Error, SyntaxError) as error:
        raise FormatError(
            f"{path} is not a class scheme ({error}). Expected value, name and colour of each class."
        ) from error
    if not found:
        raise FormatError(f"{path} holds no class. Expected value, name and colour of each.")
    return check(Scheme(path.stem, f"Classes of {path.name}", tuple(sorted(found, key=lambda c: c.value))))


def _whole(value: Any, name: Any) -> int:
    """Return a class's value, a whole number, also where it is written as text or with .0."""
    number = float("nan") if isinstance(value, bool) else float(str(value).strip() or "nan")
    if not number.is_integer():
        hint = "; YAML reads yes, no, on and off as true and false" if isinstance(value, bool) else ""
        raise ValueError(f"the value of {name} is {value!r}, and values are whole numbers from 1 to {MOST}{hint}")
    return int(number)


def _of_yaml(path: Path) -> list[tuple[Any, Any, Any]]:
    found = [(name, *_described(name, said)) for name, said in load(path).items()]
    return [(value, name, colour) for name, value, colour in found]


def _described(name: str, said: Any) -> tuple[Any, Any]:
    """Return value and colour of a class as YAML says them."""
    if not isinstance(said, dict):
        return said, None
    colours = [said[key] for key in _COLOUR if key in said]
    if "value" not in said or set(said) - {"value", *_COLOUR} or len(colours) > 1:
        raise ValueError(f"{name} says {', '.join(map(str, said))}; a class says value and, by choice, colour")
    if colours == [None]:
        raise ValueError(f'the colour of {name} is empty: # begins a comment, so write it in quotes, "#1b7837"')
    return said["value"], colours[0] if colours else None


def _of_csv(path: Path) -> list[tuple[Any, Any, Any]]:
    text = path.read_text(encoding="utf-8-sig")
    dialect = csv.Sniffer().sniff(text.split("\n", 1)[0], ",;\t")
    lines = csv.reader(io.StringIO(text, newline=""), dialect)
    header, *rows = [[cell.strip() for cell in line] for line in lines if any(map(str.strip, line))]
    columns = [name.casefold() for name in header]
    if missing := [name for name in ("value", "name") if name not in columns]:
        raise ValueError(f"it has no column {' and no column '.join(missing)}, but {', '.join(header)}")
    for row in rows:
        if any(row[len(columns) :]):
            raise ValueError(f"{row} has more cells than the first line: a name with a separator goes in quotes")
    cells = [dict(zip(columns, row, strict=False)) for row in rows]
    return [(c["value"], c.get("name", ""), next((c[k] for k in _COLOUR if c.get(k)), None)) for c in cells]


def _of_qml(path: Path) -> list[tuple[Any, Any, Any]]:
    return [row for row in read_style(path) if float(row[0]) != 0]


def read_style(path: Path) -> list[tuple[str, str, str | None]]:
    """Return value, name and colour of each entry of a QGIS style's palette of unique values; none if it has none."""
    from defusedxml import ElementTree

    entries = ElementTree.parse(path).iter("paletteEntry")  # it has a document type, but must not declare entities
    return [(e.attrib["value"], e.attrib.get("label") or e.attrib["value"], e.attrib.get("color")) for e in entries]


_READERS = {".yaml": _of_yaml, ".yml": _of_yaml, ".csv": _of_csv, ".qml": _of_qml}
