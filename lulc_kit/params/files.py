"""Parameter files: safe-loaded YAML in which each name occurs once."""

import re
from pathlib import Path
from typing import Any

import yaml

from lulc_kit.errors import FormatError

_MOST = 100_000
"""Values that a parameter file may come to where aliases (``*name``) repeat them: eight lines can make billions."""
_ODD = re.compile(r"[-+]?0[0-7_]+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+")
"""Whole numbers that YAML 1.1 does not read as they look: 011 is 9, and 12:30 is 750."""


class _Loader(yaml.SafeLoader):
    """The safe loader, less what plain YAML takes in silence for something else.

    A name that occurs twice is an error (the last counts otherwise), and so are numbers in bases of 8 and 60.
    """

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":int") and _ODD.fullmatch(node.value):
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{node.value} would be read as another number: if it is text, write it in quotes, "
                "otherwise without 0 and colon",
                node.start_mark,
            )
        return super().construct_scalar(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"{', '.join(twice)} is given twice; each name must occur once", node.start_mark
            )
        return super().construct_mapping(node, deep)


def _size(value: Any, known: dict[int, int]) -> int:
    """Count the values in a value, as often as they are repeated."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = 1  # while it is counted: it may hold itself
        known[id(value)] += sum(_size(v, known) for v in (value.values() if isinstance(value, dict) else value))
    return known[id(value)]


def _hint(text: str, error: str) -> str:
    """Return what to do about the usual slips of a text editor, or nothing."""
    if "unknown escape character" in error:
        return (
            "\nIn double quotes a backslash begins a special letter. Write Windows paths with /, or in single quotes."
        )
    if r"'\t'" in error:
        return "\nYAML is indented with blanks, not with tabs."
    if "\N{NO-BREAK SPACE}" in text:
        line = text[: text.index("\N{NO-BREAK SPACE}")].count("\n") + 1
        return (
            f"\nLine {line} has a no-break space, as web pages and word processors write it. Replace it by a plain one."
        )
    return "\nSave it as UTF-8." if "\0" in text else ""


def load(path: Path) -> dict[str, Any]:
    """Read a parameter file (YAML, safe-loaded) as plain values.

    Raises
    ------
    LulcError
        If it cannot be read, is not YAML, gives a name twice, or is not a list of names and values.
    """
    text = ""
    try:
        text = Path(path).read_text(encoding="utf-8")
        values = yaml.load(text, _Loader)
        if _size(values, {}) > _MOST:
            raise ValueError(f"its aliases repeat values more than {_MOST} times")
    except OSError as error:
        raise FormatError(
            f"{path} cannot be read ({error}). Check that it is a file and that you may read it."
        ) from error
    except RecursionError as error:
        raise FormatError(f"{path} is not a parameter file: its values are nested too deeply to be read.") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not in UTF-8 ({error}). Save it as UTF-8, as any text editor can.") from error
    except (yaml.YAMLError, ValueError) as error:  # numbers of thousands of digits, dates that are none
        raise FormatError(f"{path} is not valid YAML: {str(error)[:500]}{_hint(text, str(error))}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise FormatError(f"{path}: expected lines 'name: value', found {type(values).__name__}.")
    for name, value in values.items():
        if not isinstance(name, str):
            raise FormatError(
                f"{path}: expected lines 'name: value', found {name!r}: {value!r}. {_renamed(name, value)}"
            )
    return values


def _renamed(name: Any, value: Any) -> str:
    """Return what to do about a name that is no text."""
    if isinstance(name, bool):
        word = "Yes" if name else "No"
        return f'YAML reads yes, no, on and off as true and false: if such a word is the name, quote it: "{word}": …'
    if isinstance(value, str):
        return f"Name and value are exchanged: write {value}: {name}."
    return f'Names are text: write it in quotes, "{name}": …'
