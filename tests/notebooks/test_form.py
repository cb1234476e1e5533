"""Notebooks are thin, stripped, and agree with their models."""

import ast
import re
import tokenize
from io import StringIO
from pathlib import Path
from typing import Any

import nbformat
import pytest

from lulc_kit import params
from tests.scene import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def cells(path: Path, kind: str) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def parameters(path: Path) -> Any:
    (cell,) = (c for c in cells(path, "code") if "parameters" in c.metadata.get("tags", []))
    return cell


def assigned(tree: ast.AST) -> set[str]:
    """Return all names that code binds: assignments, loops, imports, with, walrus."""
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return names


def test_one_notebook_for_each_model() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(params.NOTEBOOKS)


@each
def test_valid_and_stripped(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"


@each
def test_parameters_cell_is_that_of_the_model(path: Path) -> None:
    tree = ast.parse(parameters(path).source)
    values = {}
    for node in tree.body:
        assert isinstance(node, ast.Assign), "only assignments"
        (target,) = node.targets
        assert isinstance(target, ast.Name)
        values[target.id] = ast.literal_eval(node.value)
    model = params.NOTEBOOKS[path.stem]
    assert values == model().model_dump(mode="json")
    assert {name: type(value) for name, value in values.items()} == {
        name: type(value) for name, value in model().model_dump(mode="json").items()
    }


@each
def test_every_parameter_has_a_comment(path: Path) -> None:
    source = parameters(path).source
    tokens = tokenize.generate_tokens(StringIO(source).readline)
    commented = {token.start[0] for token in tokens if token.type == tokenize.COMMENT and len(token.string) > 5}
    for node in ast.parse(source).body:
        assert node.end_lineno in commented, ast.unparse(node)


@each
def test_parameters_are_checked_before_anything_else(path: Path) -> None:
    code = cells(path, "code")
    assert code[0] == parameters(path)
    assert (
        f"p = params.{params.NOTEBOOKS[path.stem].__name__}.from_notebook(globals())\nstep = begin(p)" in code[1].source
    )
    assert code[-1].source.rstrip().endswith("step.finish()")


@each
def test_no_logic_hides_in_a_notebook(path: Path) -> None:
    for cell in cells(path, "code"):
        tree = ast.parse(cell.source)
        for node in ast.walk(tree):
            assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
            assert not isinstance(node, ast.For | ast.While | ast.If | ast.Try)
        assert cell == parameters(path) or len(cell.source.splitlines()) <= 30


@each
def test_no_cell_overwrites_a_parameter(path: Path) -> None:
    """Papermill's values stand in the parameters' names; a cell that binds one of them again changes its meaning."""
    names = set(params.NOTEBOOKS[path.stem].model_fields)
    for cell in cells(path, "code"):
        if cell != parameters(path):
            assert assigned(ast.parse(cell.source)) & names == set(), cell.source


@each
def test_every_name_is_bound_before_it_is_used(path: Path) -> None:
    """What a reader runs from top to bottom never meets a name that no cell has made."""
    bound = {"globals", "print", "__name__"}
    for cell in cells(path, "code"):
        tree = ast.parse(cell.source)
        used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        bound |= assigned(tree)
        assert used - bound == set(), cell.source


def test_pictures_of_images_carry_the_caption_of_their_file() -> None:
    """It says how the air was corrected, and that simulated images are simulated."""
    found = []
    for path in NOTEBOOKS:
        trees = [ast.parse(cell.source) for cell in cells(path, "code")]
        titles = {
            node.targets[0].id  # type: ignore[attr-defined]
            for tree in trees
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("style.caption(")
        }
        for call in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if ast.unparse(call.func) in ("images.band_panels", "images.composites", "images.histograms") or (
                ast.unparse(call.func) == "widgets.explore"
            ):
                title = ast.unparse(call.args[-1])
                assert title in titles or title.startswith("style.caption("), f"{path.stem}: {ast.unparse(call)}"
                found.append(path.stem[:2])
    assert {"02", "03", "09"} <= set(found)
    assert found.count("03") == 4


@each
def test_one_sentence_a_line(path: Path) -> None:
    """So that a changed sentence is one changed line."""
    for cell in cells(path, "markdown"):
        text = re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)
        for line in text.splitlines():
            if not line.startswith(("#", "|")):
                line = re.sub(r"\b(e\.g|i\.e|et al|cf|vs)\.", r"\1", line)
                assert not re.search(r"[^\s.][.?!][*_\")]* +[*_\"(]*[A-Z]", line), line


@each
def test_tells_a_story(path: Path) -> None:
    """Title, what you will learn, numbered steps, what you have now, and something to try."""
    markdown = [cell.source for cell in cells(path, "markdown")]
    assert re.match(rf"# {path.stem[:2]} · \S", markdown[0])
    assert "**You will learn**" in markdown[0]
    text = "\n".join(markdown)
    numbers = [int(n) for n in re.findall(r"^## (\d+)\. ", text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 3
    assert "## What you have now" in markdown[-1]
    assert "**Try it yourself.**" in markdown[-1]
