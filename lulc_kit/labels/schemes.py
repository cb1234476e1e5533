"""Class schemes in a file of a user's: YAML, CSV, or a style of QGIS."""

import csv
from pathlib import Path
from typing import Any

from lulc_kit import palette
from lulc_kit.classes import LandClass, Scheme, check
from lulc_kit.errors import FormatError, MissingFileError
from lulc_kit.params.files import load


def read(path: Path) -> Scheme:
    """Read a scheme from a file.

    Parameters
    ----------
    path
        ``.yaml``: ``name: value`` for each class, or ``name: {value: …, colour: "#rrggbb"}``. ``.csv``: columns value,
        name and, by choice, colour. ``.qml``: a QGIS style with a palette of unique values. Classes without a colour
        get one.

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
        found = [LandClass(int(v), str(n).strip(), str(c or spare[i]).lower()) for i, (v, n, c) in enumerate(rows)]
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not in UTF-8 ({error}). Save it as UTF-8, as any text editor can.") from error
    except (OSError, KeyError, TypeError, ValueError, csv.Error, SyntaxError) as error:
        raise FormatError(
            f"{path} is not a class scheme ({error}). Expected value, name and colour of each class."
        ) from error
    if not found:
        raise FormatError(f"{path} holds no class. Expected value, name and colour of each.")
    return check(Scheme(path.stem, f"Classes of {path.name}", tuple(sorted(found, key=lambda c: c.value))))


def _of_yaml(path: Path) -> list[tuple[Any, Any, Any]]:
    rows = load(path)
    return [(v["value"], n, v.get("colour")) if isinstance(v, dict) else (v, n, None) for n, v in rows.items()]


def _of_csv(path: Path) -> list[tuple[Any, Any, Any]]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = csv.DictReader(lines, dialect=csv.Sniffer().sniff("".join(lines[:1]), ",;\t"))
    return [(row["value"], row["name"], row.get("colour") or row.get("color")) for row in rows]


def _of_qml(path: Path) -> list[tuple[Any, Any, Any]]:
    return [row for row in read_style(path) if float(row[0]) != 0]


def read_style(path: Path) -> list[tuple[str, str, str | None]]:
    """Return value, name and colour of each entry of a QGIS style's palette of unique values; none if it has none."""
    from defusedxml import ElementTree

    entries = ElementTree.parse(path).iter("paletteEntry")  # it has a document type, but must not declare entities
    return [(e.attrib["value"], e.attrib.get("label") or e.attrib["value"], e.attrib.get("color")) for e in entries]


_READERS = {".yaml": _of_yaml, ".yml": _of_yaml, ".csv": _of_csv, ".qml": _of_qml}
