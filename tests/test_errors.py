"""The family of errors: each kind is worth its name, and all are read as one."""

import ast
import pickle
import traceback
from collections import Counter

import pytest

from lulc_kit import errors
from tests.scene import REPOSITORY

KINDS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}


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


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_person_reads_one_name_and_a_program_tells_the_kinds_apart(kind: str) -> None:
    """Also after a journey from another process, as errors of a cluster's workers make."""
    error = pickle.loads(pickle.dumps(getattr(errors, kind)("no")))
    assert isinstance(error, errors.LulcError)
    assert type(error) is getattr(errors, kind)
    assert type(error).__name__ == "LulcError"
    assert traceback.format_exception_only(error) == [f"lulc_kit.errors.{kind}: no\n"]
