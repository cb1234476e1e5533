"""What the package's errors and warnings advise exists: parameters and their values, notebooks, files, options, names.

The texts are collected from the source, so that no message is left out because no test provokes it.
"""

import ast
import contextlib
import pkgutil
import re
import typing
from collections.abc import Collection, Iterator
from typing import Annotated

import geopandas as gpd
import pydantic
import pytest
import typer
import yaml
from pydantic import BaseModel

import lulc_kit
from lulc_kit import cli, errors, params
from tests.scene import REPOSITORY

HOLE = "□"
"""Stands for what a message fills in."""


def nested(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and those of the entries in its parameters."""
    yield model
    found = [field.annotation for field in model.model_fields.values()]
    while found:
        annotation = found.pop()
        found += typing.get_args(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from nested(annotation)


MODELS = list(params.NOTEBOOKS.values())
ENTRIES = [model for top in MODELS for model in list(nested(top))[1:]]
FIELDS = {name for model in (*MODELS, *ENTRIES) for name in model.model_fields}
NUMBERS = {notebook[:2] for notebook in params.NOTEBOOKS}
COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
OPTIONS = {option for command in COMMANDS.values() for p in command.params for option in p.opts}
OTHERS = {"--no-deps", "--help", "gdal_edit", "gdal_translate", "lulc_kit", "parameters", "known"}
"""Of pip, Sen2Cor, GDAL, Jupyter: what others have, and messages name."""

ADVICE = r"\b(?i:set|use|with|write|than|line|example|needs)\b,?:? |□: |^"
"""What stands before a parameter and its value."""


def pieces(node: ast.AST) -> Iterator[str]:
    """Give the texts in an expression, with a hole where they fill something in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(v.value) if isinstance(v, ast.Constant) else HOLE for v in node.values)
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                yield from pieces(value.value)
    else:
        for child in ast.iter_child_nodes(node):
            yield from pieces(child)


def spoken(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Give all texts that a module raises or warns with, and their lines.

    Those in the raise itself, in variables that it uses, and in functions of the module that it calls.
    """
    functions = {n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    for function in [tree, *functions.values()]:
        for node in ast.walk(function):
            warns = isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn"
            if not (warns or (isinstance(node, ast.Raise) and node.exc is not None)):
                continue
            found = list(pieces(node))
            names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            for name in names & set(functions):
                found += [text for part in functions[name].body[1:] or functions[name].body for text in pieces(part)]
            for other in ast.walk(function):
                if isinstance(other, ast.Assign | ast.AugAssign) and isinstance(function, ast.FunctionDef):
                    targets = other.targets if isinstance(other, ast.Assign) else [other.target]
                    if names & {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}:
                        found += pieces(other.value)
            yield from ((node.lineno, text) for text in found)  # type: ignore[attr-defined]


def known(tree: ast.Module) -> set[str]:
    """Return the names that a module's messages may use besides parameters: its functions, their arguments, words."""
    found = {alias.asname or alias.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for alias in n.names}
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.arg() | ast.keyword() if node.arg:
                found.add(node.arg)
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.Constant(value=str(word)) if word.isidentifier():
                found.add(word)
    return found


def wrong(text: str, names: Collection[str] = ()) -> list[str]:
    """Return what a message names and nobody has."""
    found = []
    for match in re.finditer(rf"(?:{ADVICE})([a-z][a-z0-9_]*): (\S+)", text):
        name, value, head = match[1], match[2].rstrip(".,;)"), match.start(1) == 0
        if name not in FIELDS:
            found += [] if head and name in {*names, *OTHERS} else [f"parameter {name}"]
        elif not head and HOLE not in value and not _fits(name, value):
            found.append(f"value {name}: {value}")
    words = {
        "quoted": r"(?<!\w)'([a-z][a-z0-9_]*)'",
        "name": r"(?<![\w<./:-])([a-z][a-z0-9]*(?:_[a-z0-9]+)+)(?![\w./>-])",
        "argument": r"\b([a-z_]+)=(?=\S)",
        "code": r"`([a-z_]+)`",
    }
    for what, pattern in words.items():
        found += [f"{what} {word}" for word in re.findall(pattern, text) if not _exists(word, names)]
    for step in re.findall(r"(?<![\w.])\d\d_\w+", text):
        with contextlib.suppress(errors.LulcError):
            params.model_of(step)
            continue
        found.append(f"notebook {step}")
    found += [f"notebook {n}" for n in re.findall(r"[Nn]otebooks? (\d\d)\b", text) if n not in NUMBERS]
    found += [f"module {path}" for path in re.findall(r"\blulc_kit(?:\.\w+)+", text) if not _imports(path)]
    found += [f"option {o}" for o in re.findall(r"(?<!\S)\(?(--[a-z][a-z-]+)", text) if o not in OPTIONS | OTHERS]
    found += [f"command {c}" for c in re.findall(r"\blulc ([a-z]+)(?= [A-Z-]|[;.)]| □)", text) if c not in COMMANDS]
    for name, notebook in re.findall(r"([a-z_]+)'?(?:: [^ ]+)? in (\d\d_[a-z]+)", text):
        found += [] if name in _fields(notebook) or name not in FIELDS else [f"{name}, which {notebook} lacks"]
    return found + (["a minus sign that YAML takes for text"] if re.search(r": −\d", text) else [])


def _exists(word: str, names: Collection[str]) -> bool:
    there = word in FIELDS or word in names or word in OTHERS or hasattr(lulc_kit, word)
    return there or hasattr(gpd.GeoDataFrame, word)


def _fields(notebook: str) -> set[str]:
    nested = {"01_download": params.Scene, "04_features": params.External}.get(notebook)
    models = [m for m in (params.NOTEBOOKS.get(notebook), nested) if m]
    return {name for model in models for name in model.model_fields}


def _imports(path: str) -> bool:
    try:
        pkgutil.resolve_name(path)
    except (ImportError, AttributeError):
        return False
    return True


def _fits(name: str, value: str) -> bool:
    """Whether some notebook's parameter of that name may have that value, as YAML reads it."""
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError:
        return True  # the first word of a list
    for model in [m for m in MODELS if name in m.model_fields] or ENTRIES:
        if field := model.model_fields.get(name):
            kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            with contextlib.suppress(pydantic.ValidationError):
                pydantic.TypeAdapter(kind, config=pydantic.ConfigDict(strict=True)).validate_python(read)
                return True
    return False


def test_what_messages_name_exists() -> None:
    found, count = set(), 0
    for path in sorted((REPOSITORY / "lulc_kit").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = known(tree)
        for line, text in spoken(tree):
            count += 1
            found |= {f"{path.relative_to(REPOSITORY)}:{line}: {what}, in {text!r}" for what in wrong(text, names)}
    assert count > 500, "messages were not found"
    assert not found, "\n".join(sorted(found))


@pytest.mark.parametrize(
    ("advice", "what"),
    [
        ("Set shapen: none in 02_preprocess.yaml.", "parameter shapen"),
        ("Set sharpen: nothing in 02_preprocess.yaml.", "value sharpen: nothing"),
        ("or write offset: −0.1", "a minus sign that YAML takes for text"),
        ("Use mask: csmasks, file or none.", "value mask: csmasks"),
        ("Lower 'patches'.", "quoted patches"),
        ("masks: no file fits. ", "parameter masks"),
        ("Set min_clears to less.", "name min_clears"),
        ("Check the path in 04_feature.yaml.", "notebook 04_feature"),
        ("Set 'min_clear' in 01_download.yaml.", "min_clear, which 01_download lacks"),
        ("Run notebook 10 again.", "notebook 10"),
        ("open it with workers=1", "argument workers"),
        ("Bring it there with lulc_kit.warping.warp first.", "module lulc_kit.warping.warp"),
        ("Start one with: lulc begin NAME", "command begin"),
        ("or run it with --worker", "option --worker"),
        ("make the plan with `fits`", "code fits"),
    ],
)
def test_wrong_advice_is_noticed(advice: str, what: str) -> None:
    assert what in wrong(advice)
    module = f"def f(x):\n    text = {advice!r}\n    if x:\n        raise ParameterError(f'{{x}}. {{text}}' + g())"
    tree = ast.parse(f"{module}\ndef g():\n    return {advice!r}\n")
    assert sum(what in wrong(text, known(tree)) for _, text in spoken(tree)) >= 2, "in a variable, and in a function"
