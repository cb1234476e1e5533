"""Parameter files: safe-loaded YAML in which each name occurs once."""

from pathlib import Path
from typing import Any

import yaml

from lulc_kit.errors import FormatError


class _Loader(yaml.SafeLoader):
    """The safe loader, but a name that occurs twice is an error; plain YAML silently takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"{', '.join(twice)} is given twice; each name must occur once", node.start_mark
            )
        return super().construct_mapping(node, deep)


def load(path: Path) -> dict[str, Any]:
    """Read a parameter file (YAML, safe-loaded) as plain values.

    Raises
    ------
    LulcError
        If it cannot be read, is not YAML, gives a name twice, or is not a list of names and values.
    """
    try:
        values = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise FormatError(
            f"{path} cannot be read ({error}). Check that it is a file and that you may read it."
        ) from error
    except RecursionError as error:
        raise FormatError(f"{path} is not a parameter file: its values are nested too deeply to be read.") from error
    except (yaml.YAMLError, ValueError) as error:  # numbers of thousands of digits, dates that are none, bad UTF-8
        raise FormatError(f"{path} is not valid YAML: {str(error)[:500]}") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(k, str) for k in values):
        raise FormatError(f"{path}: expected lines 'name: value', found {type(values).__name__}.")
    return values
