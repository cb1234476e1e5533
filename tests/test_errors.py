"""The family of errors: each kind is worth its name, and a run knows them all."""

import ast
from collections import Counter

from lulc_kit import errors
from tests.scene import REPOSITORY

KINDS = {name for name, value in vars(errors).items() if isinstance(value, type)}


def test_each_kind_is_raised_in_several_places() -> None:
    """A kind that one place raises is a message, no kind."""
    raised: Counter[str] = Counter()
    for path in (REPOSITORY / "lulc_kit").rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        raised.update(
            name.id
            for node in nodes
            if isinstance(node, ast.Raise) and node.exc is not None
            for name in ast.walk(node.exc)
            if isinstance(name, ast.Name) and name.id in KINDS
        )
    assert set(raised) == KINDS
    assert min(raised.values()) >= 2, raised


def test_family_names_all_kinds() -> None:
    assert set(errors.FAMILY) == KINDS
    assert all(issubclass(getattr(errors, name), errors.LulcError) for name in KINDS)
