"""Pictures that are redrawn while something runs, for a reader who looks on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lulc_kit import progress
from lulc_kit.visualize import charts

if TYPE_CHECKING:
    import pandas as pd

EVERY = 2.0
"""Seconds between two pictures at least."""


def follow(column: str, label: str, title: str) -> Callable[[pd.DataFrame], None] | None:
    """Show a picture in JupyterLab that follows the training of networks; None where nobody looks on (papermill).

    Parameters
    ----------
    column
        Of the log of training, with ``step`` and ``fold``.
    label, title
        See `charts.curves`.

    Returns
    -------
    callable or None
        Takes the log as far as it is, and redraws the picture.
    """
    if not progress.has_reader():
        return None
    from IPython.display import display

    handle, drawn = display(display_id=True), -EVERY

    def draw(log: pd.DataFrame) -> None:
        nonlocal drawn
        if time.monotonic() - drawn < EVERY:
            return
        drawn = time.monotonic()
        table = log.pivot_table(index="step", columns="fold", values=column, dropna=False)
        handle.update(charts.curves(table.rename(columns=lambda k: f"fold {k}"), label, title))

    return draw
