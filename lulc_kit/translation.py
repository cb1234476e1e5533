"""Which values of a file mean which class."""

from __future__ import annotations

import datetime
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import classes
from lulc_kit.classes import LandClass, Scheme
from lulc_kit.errors import ParameterError
from lulc_kit.late import pd

Meanings = Mapping[str, Sequence[Any]]
"""For each class the values that mean it; ``[low, high]`` is a range with both ends included."""


def own_name(value: object) -> str:
    """Return the name of the class that a value is when nobody names it.

    Text without blanks around it, 3 for 3.0, a day without its midnight.

    Examples
    --------
    >>> own_name(" Forest "), own_name(3.0), own_name(2.5), own_name(None)
    ('Forest', '3', '2.5', '')
    >>> own_name(datetime.datetime(2020, 5, 1))
    '2020-05-01'
    """
    if value is None or value != value:
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    shown = "".join(c if unicodedata.category(c) != "Cc" else " " for c in str(value))
    return unicodedata.normalize("NFC", " ".join(shown.split()))


def meanings(
    found: Iterable[Any],
    scheme: Scheme | None,
    wanted: Meanings | None,
    named: Mapping[Any, LandClass] | None = None,
) -> tuple[Scheme, Meanings]:
    """Work out the classes, and what means them, where the parameters leave one or both open.

    Parameters
    ----------
    found
        Values of the file.
    scheme
        The classes; None: those of ``wanted`` in its order, or a class for each value.
    wanted
        What means which class; None: the value that is its name or its number.
    named
        Classes that the file itself gives to its values, by value.

    Raises
    ------
    LulcError
        If no value is a class of the scheme, or there are more than 255.

    Examples
    --------
    >>> scheme, means = meanings(["oak", "pine", "oak "], None, None)
    >>> scheme.names, means["oak"]
    (('oak', 'pine'), ['oak', 'oak '])
    """
    if wanted is not None:
        return scheme or _painted(classes.own(list(wanted)), wanted, named or {}), wanted
    values = pd.unique(pd.Series(list(found), dtype=object).dropna())
    named = named or {}
    by_name: dict[str, list[Any]] = {}
    for value in sorted(values, key=lambda v: (isinstance(v, str), own_name(v) if isinstance(v, str) else v)):
        name = named[value].name if value in named else own_name(value)
        if name:
            by_name.setdefault(name, []).append(value)
    if scheme is None:
        _warn_of_case(by_name)
        return _own(by_name, named), by_name
    known = {c.name: c.name for c in scheme.classes} | {str(c.value): c.name for c in scheme.classes}
    means: dict[str, list[Any]] = {}
    for name, same in by_name.items():
        if name in known:
            means.setdefault(known[name], []).extend(same)
    if not means:
        raise ParameterError(
            f"No value is a class of the scheme {scheme.name!r} ({', '.join(scheme.names)}). Values there: "
            f"{', '.join(list(by_name)[:20]) or 'none'}. Say in 'classes' which values mean which class, or set "
            f"scheme: null to make a class of each."
        )
    return scheme, means


def _warn_of_case(names: Iterable[str]) -> None:
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(name.casefold(), []).append(name)
    if twice := [same for same in alike.values() if len(same) > 1]:
        warnings.warn(
            f"Classes that differ by capital letters alone: {'; '.join(map(' and '.join, twice))}. If they are one, "
            f"say so in 'classes' of 05_samples.yaml: {{{twice[0][0]}: [{', '.join(twice[0])}]}}.",
            stacklevel=4,
        )


def _own(by_name: Meanings, named: Mapping[Any, LandClass]) -> Scheme:
    """Make a scheme of values; numbers that can be values of a class map stay what they are."""
    scheme = classes.own(list(by_name))
    first = [same[0] for same in by_name.values()]
    if all(isinstance(v, int | float) and float(v).is_integer() and 1 <= v <= classes.MOST for v in first):
        rows = zip(scheme.classes, first, strict=True)
        changed = [LandClass(int(v), c.name, named[v].colour if v in named else c.colour) for c, v in rows]
        return classes.check(Scheme(scheme.name, scheme.title, tuple(changed)))
    return scheme


def _painted(scheme: Scheme, wanted: Meanings, named: Mapping[Any, LandClass]) -> Scheme:
    """Give classes the colours that the file gives to the first value of each, if to all of them, and not one twice."""
    first = {name: wants[0] for name, wants in wanted.items() if wants and not isinstance(wants[0], list | tuple)}
    colours = {name: named[value].colour for name, value in first.items() if value in named}
    whole = len(set(colours.values())) == len(scheme.classes)
    return classes.recolour(scheme, colours) if whole else scheme


def occurring(found: npt.NDArray[Any], wanted: Meanings) -> Meanings:
    """Return the classes of which a value is there."""

    def there(want: Any) -> bool:
        of_range = isinstance(want, list | tuple)
        return bool((_in_range(found, want, "", "the file") if of_range else _same(found, want)).any())

    return {name: wants for name, wants in wanted.items() if any(map(there, wants))}


def translate(found: npt.NDArray[Any], scheme: Scheme, wanted: Meanings, what: str) -> npt.NDArray[np.uint8]:
    """Return the class value of each value of a file, 0 where no class names it.

    Parameters
    ----------
    found
        Values, (n,): numbers (NaN for none) or objects.
    scheme, wanted
        The classes, and what means them.
    what
        What the values are, for messages.

    Raises
    ------
    LulcError
        If a class has none of its values, a value is given to two, or a range is asked of words.
    """
    codes = np.zeros(len(found), np.uint8)
    used: dict[object, str] = {}
    for name, wants in wanted.items():
        value = scheme.find(name).value
        for want in wants:
            chosen = _in_range(found, want, name, what) if isinstance(want, list | tuple) else _same(found, want)
            taken = chosen & (codes > 0) & (codes != value)
            if taken.any():
                raise ParameterError(
                    f"Class {name}: value {own_name(found[taken][0])} of {what} is given to {used[codes[taken][0]]} "
                    f"already. Each value can mean one class."
                )
            codes[chosen] = value
        used[value] = name
        if len(found) and not (codes == value).any():
            there = [v for v in found[:100_000] if v == v and v is not None]
            present = sorted({own_name(v) or str(v) for v in there})
            raise ParameterError(
                f"Class {name}: none of {list(wants)} occurs in {what}. "
                f"Values there: {', '.join(present[:20])}{' …' if len(present) > 20 else ''}."
                + _kind(there, wants)
                + " Set classes: null (and scheme: null) to make a class of each value."
            )
    return codes


def _kind(there: Sequence[Any], wants: Sequence[Any]) -> str:
    """Return how values of a file's kind are written, where those that are wanted are of another kind."""
    asked = any(isinstance(want, str) for want in wants)
    if any(isinstance(v, str) for v in there):
        return "" if asked else " They are text: write them in quotes, as they stand there."
    if any(isinstance(v, bool | np.bool_) for v in there):
        return ' They are true or false: write "true" or "false", in quotes.'
    numbers = any(isinstance(v, int | float | np.number) for v in there)
    return " They are numbers: name the numbers that mean the class." if asked and numbers else ""


def _same(found: npt.NDArray[Any], want: Any) -> npt.NDArray[np.bool_]:
    """Whether values are the wanted one; blanks around words mean nothing.

    Words name truth values (a field of yes and no), and, where no value is that very text, numbers: "01" the number 1.
    """
    if isinstance(want, str) and found.dtype != object:
        found = found.astype(object)
    if found.dtype != object:
        return np.asarray(found == want)
    # numpy takes words that end in NUL for others
    word = own_name(want) if isinstance(want, str) else None
    words = (str, datetime.date)
    alike = (v == want or (word is not None and isinstance(v, words) and own_name(v) == word) for v in found)
    same = np.fromiter(alike, bool, len(found))
    if word is None or same.any():
        return same
    truth, number = _TRUTH.get(word.casefold()), _number(word)
    meant = (v == (truth if isinstance(v, bool | np.bool_) else number) for v in found)
    return np.fromiter(meant, bool, len(found))


_TRUTH = {"true": True, "yes": True, "false": False, "no": False}


def _number(word: str) -> float:
    """Return the number that a word is, NaN if it is none."""
    try:
        return float(word)
    except ValueError:
        return float("nan")


def _in_range(found: npt.NDArray[Any], want: Sequence[float], name: str, what: str) -> npt.NDArray[np.bool_]:
    low, high = want
    if low > high:
        raise ParameterError(f"Class {name}: the range [{low:g}, {high:g}] is empty; write [low, high].")
    try:
        return np.asarray((found >= low) & (found <= high))
    except TypeError:
        raise ParameterError(
            f"Class {name}: the range [{low:g}, {high:g}] needs numbers, but {what} holds words. "
            f"Name the words that mean the class."
        ) from None


ALIKE: dict[tuple[str, str], dict[str, str]] = {
    ("esri", "workflow"): {
        "Water": "Water",
        "Trees": "Forest",
        "Grass": "Meadow",
        "Crops": "Farmland",
        "Scrub": "Meadow",
        "Built": "Build-up",
        "Bare": "Other land",
        "Snow/ice": "Other land",
        "Rangeland": "Meadow",
    },
    ("worldcover", "workflow"): {
        "Tree cover": "Forest",
        "Shrubland": "Meadow",
        "Grassland": "Meadow",
        "Cropland": "Farmland",
        "Built-up": "Build-up",
        "Bare / sparse vegetation": "Other land",
        "Snow and ice": "Other land",
        "Permanent water bodies": "Water",
        "Mangroves": "Forest",
    },
    ("esri", "forest"): {"Trees": "Forest"}
    | dict.fromkeys(("Water", "Grass", "Crops", "Scrub", "Built", "Bare", "Snow/ice", "Rangeland"), "Not forest"),
    ("worldcover", "forest"): {"Tree cover": "Forest", "Mangroves": "Forest"}
    | dict.fromkeys(
        (
            *("Shrubland", "Grassland", "Cropland", "Built-up", "Bare / sparse vegetation", "Snow and ice"),
            *("Permanent water bodies", "Moss and lichen"),
        ),
        "Not forest",
    ),
}
"""Which class of one scheme is which of another. What may be either (wetlands, clouds) is left out."""


def between(named: Mapping[int, str], source: str | None, scheme: Scheme) -> dict[str, list[int]]:
    """Return for each class of a scheme the values of another map that mean it, by name or by `ALIKE`.

    Parameters
    ----------
    named
        Names of the map's classes by value.
    source
        Name of its scheme, if it is one of the kit's.
    scheme
        The scheme that is wanted.

    Raises
    ------
    LulcError
        If no class of the map is any of the scheme's.

    Examples
    --------
    >>> between({2: "Trees", 4: "Flooded vegetation", 7: "Built"}, "esri", classes.scheme("forest"))
    {'Forest': [2], 'Not forest': [7]}
    """
    alike = ALIKE.get((source or "", scheme.name), {})
    found: dict[str, list[int]] = {}
    for value, name in named.items():
        own = name if name in scheme.names else alike.get(name)
        if own in scheme.names:
            found.setdefault(str(own), []).append(int(value))
    if not found:
        raise ParameterError(
            f"None of the classes {', '.join(list(named.values())[:20]) or '(none is named)'} is one of the scheme "
            f"{scheme.name!r} ({', '.join(scheme.names)}). Say with 'classes' which values mean which class."
        )
    return found
