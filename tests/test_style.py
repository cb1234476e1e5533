"""Lint, format and docstrings; types are ``make types``."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scene import REPOSITORY, environment

MODULES = sorted((REPOSITORY / "lulc_kit").rglob("*.py"))


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "--no-cache", "."], ["ruff", "format", "--check", "--no-cache", "."]],
    ids=["lint", "format"],
)
def test_tool_is_content(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=REPOSITORY, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def undocumented(body: list[ast.stmt], where: str) -> list[str]:
    found = []
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        own = any("overload" in ast.dump(d) or "override" in ast.dump(d) for d in node.decorator_list)
        if ast.get_docstring(node) is None and not own:
            found.append(f"{where}{node.name}")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(REPOSITORY).as_posix())
def test_public_names_have_docstrings(path: Path) -> None:
    """Modules, functions and classes; methods too, unless they only say anew what a base class explains."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module has no docstring"
    found = undocumented(tree.body, "")
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            found += [n for n in undocumented(node.body, f"{node.name}.") if n.split(".")[1] not in ("reads", "writes")]
    assert found == []


def participles(tree: ast.Module) -> set[str]:
    """Return the public functions of a module whose name is one word in -ed: ``located`` for what locates."""
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {name for name in names if name.isalpha() and name.endswith("ed") and not name.endswith(("eed", "embed"))}


def test_functions_are_called_by_verbs() -> None:
    found = set().union(*(participles(ast.parse(path.read_text(encoding="utf-8"))) for path in MODULES))
    assert found == set(), "locate, not located: what does it do?"


def test_a_participle_would_be_noticed() -> None:
    names = ("located", "read_checked", "seed", "_checked")
    code = "".join(f"def {name}(): ...\n" for name in names) + "class A:\n    def used(self): ..."
    assert participles(ast.parse(code)) == {"located"}
