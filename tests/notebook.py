"""Executing the notebooks themselves, without a kernel: what a test says of their cells is true of their cells."""

import ast
import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
from matplotlib.figure import Figure
from papermill.translators import PythonTranslator

from tests.scene import REPOSITORY


def execute(notebook: str, parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Run a notebook's code cells in this process, as papermill does with these parameters.

    Parameters
    ----------
    notebook
        Stem of its file.
    parameters
        Values that replace those of its cell ``parameters``.
    folder
        The project's folder, where relative paths start.

    Returns
    -------
    dict
        The notebook's variables, and in ``Out`` what its cells showed last. Figures have been drawn, small.
    """
    content = nbformat.read(REPOSITORY / f"notebooks/{notebook}.ipynb", as_version=4)
    sources: list[str] = []
    for cell in content.cells:
        if cell.cell_type == "code":
            sources.append(cell.source)
            if "parameters" in cell.metadata.get("tags", []):
                sources.append(PythonTranslator.codify(dict(parameters)))
    namespace: dict[str, Any] = {"__name__": "__main__", "In": sources, "Out": []}
    mpl.use("agg")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        for number, source in enumerate(sources):
            namespace["Out"].append(_run(source, f"{notebook}, cell {number}", namespace))
    plt.close("all")
    return namespace


def _run(source: str, name: str, namespace: dict[str, Any]) -> Any:
    """Execute a cell; return the value of its last line if that is an expression, after showing it."""
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), namespace)
    if last is None:
        return None
    value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)  # type: ignore[attr-defined]
    if isinstance(value, Figure):
        value.set_dpi(30)
        value.set_layout_engine("none")  # which takes as long again
        value.canvas.draw()
    else:
        getattr(value, "_repr_html_", value.__repr__)()
    return value
