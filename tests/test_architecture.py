"""Where things stand: imports run downward and in no circle, paths in one module, each module beside its test."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path, PurePosixPath

import grimp
import nbformat
import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from tests.scene import REPOSITORY, environment

PACKAGE = REPOSITORY / "lulc_kit"
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

STUDY_PATH = re.compile(
    r"^(cube|features|figures|maps|models|report|samples|steps)/\S*$"
    r"|^(catalog|classes|accuracy|run)\.json$|^(stack|labels|folds|composite|crossval)\.tif$"
    r"|^samples\.parquet$|^model\.skops$|^index\.html$"
)
WITH_PATHS: set[str] = set()
"""Modules beside `layout.py`, and notebooks, that still spell names of a study's files; to be emptied."""

CIRCLES: list[list[str]] = []
"""Circles of imports; there are none."""


def lint(folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=folder,
        env=environment() | changes,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_contracts_are_kept() -> None:
    done = lint(REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr


def test_contracts_would_notice(tmp_path: Path) -> None:
    """A copy of the package in which the ground floor imports a room and Keras breaks both contracts."""
    package = tmp_path / "lulc_kit"
    for source in PACKAGE.rglob("*.py"):
        target = package / source.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    with (package / "classes.py").open("a") as stream:
        stream.write("\n\ndef late():\n    import keras\n    from lulc_kit.features import indices\n")
    (tmp_path / "pyproject.toml").write_bytes((REPOSITORY / "pyproject.toml").read_bytes())
    done = lint(tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode != 0
    assert "0 kept, 2 broken" in done.stdout


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or by way of others."""
    names = sorted(imports)
    graph = np.array([[other in imports[name] for other in names] for name in names])
    count, group = connected_components(graph, connection="strong")
    found = [[name for name, own in zip(names, group, strict=True) if own == k] for k in range(count)]
    return [modules for modules in found if len(modules) > 1]


def test_imports_run_in_no_circle() -> None:
    graph = grimp.build_graph("lulc_kit", cache_dir=None)
    assert circles({name: graph.find_modules_directly_imported_by(name) for name in graph.modules}) == CIRCLES


def test_a_circle_would_be_noticed() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


@cache
def modules() -> dict[str, ast.Module]:
    """Return the syntax tree of each module of the package by its path: ``features/indices.py``."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def test_each_module_has_its_twin() -> None:
    """`lulc_kit/a/b.py` is tested by `tests/a/test_b.py`; names that begin with ``_`` belong to their neighbours."""
    paths = [PurePosixPath(name) for name in modules() if not PurePosixPath(name).name.startswith("_")]
    alone = {str(p) for p in paths if not (REPOSITORY / "tests" / p.parent / f"test_{p.name}").is_file()}
    assert alone == set(), "write tests of the same path"


def study_paths(tree: ast.AST) -> set[str]:
    """Return the literals of code that spell a study's files; docstrings and texts of errors are no paths."""
    texts: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise):
            texts |= set(ast.walk(node))
        elif isinstance(node, ast.Expr):
            texts.add(node.value)
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in texts)
    return {node.value for node in constants if isinstance(node.value, str) and STUDY_PATH.search(node.value)}


def notebook_paths(path: Path) -> set[str]:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return {text for cell in cells for text in study_paths(ast.parse(cell.source))}


def test_names_of_a_study_s_files_stand_in_layout_only() -> None:
    found = {name: study_paths(tree) for name, tree in modules().items() if name != "layout.py"}
    found |= {path.name: notebook_paths(path) for path in (REPOSITORY / "notebooks").glob("*.ipynb")}
    spelled = {name: paths for name, paths in found.items() if paths}
    assert {name: paths for name, paths in spelled.items() if name not in WITH_PATHS} == {}, "ask Layout or step.layout"
    assert WITH_PATHS - set(spelled) == set(), "these spell none any more: take them from the list"


@pytest.mark.parametrize(
    ("code", "paths"),
    [
        ("open(folder / 'samples/labels.tif')", {"samples/labels.tif"}),
        ("path = folder / f'maps/{run}.tif'", {"maps/"}),
        ("folder.joinpath('cube', 'composite.tif')", {"composite.tif"}),
        ("'''Read samples/labels.tif.'''", set()),
        ("raise LulcError(f'maps/{run}.tif is gone')", set()),
        ("say('look at maps/x.tif for it')", set()),
    ],
)
def test_paths_are_told_from_texts(code: str, paths: set[str]) -> None:
    assert study_paths(ast.parse(code)) == paths
