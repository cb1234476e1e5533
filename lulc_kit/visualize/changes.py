"""Pictures of change between two maps. Each function returns a Figure, and None for None."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lulc_kit.classes import Scheme
from lulc_kit.late import pd
from lulc_kit.visualize.style import picture, subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST = 0.03
"""Part of the height from which a class is named beside its bar."""


@picture
def flows(hectares: pd.DataFrame, classes: Scheme, titles: tuple[str, str]) -> Figure:
    """Draw what became what: classes before on the left, after on the right, and bands as broad as their hectares.

    Parameters
    ----------
    hectares
        By class before (rows) and after (columns), names of ``classes``.
    classes
        The classes.
    titles
        What the two sides are.
    """
    figure, ax = subplots(figsize=(8, 5.5))
    numbers, whole = hectares.to_numpy(float), float(hectares.to_numpy().sum())
    gap = 0.012 * whole
    left, right = (_bottoms(numbers.sum(axis=axis), gap) for axis in (1, 0))
    begins, ends = (
        left + numbers.sum(axis=1),
        right + numbers.sum(axis=0),
    )  # bands are laid from the top, as classes are
    for i, before in enumerate(classes.classes):
        for j in range(len(classes.classes)):
            if numbers[i, j] > 0:
                begins[i] -= numbers[i, j]
                ends[j] -= numbers[i, j]
                _band(ax, begins[i], ends[j], numbers[i, j], before.colour, 0.25 if i == j else 0.75)
    for x, bottoms, heights, side in (
        (0.0, left, numbers.sum(axis=1), "right"),
        (1.0, right, numbers.sum(axis=0), "left"),
    ):
        for c, bottom, height in zip(classes.classes, bottoms, heights, strict=True):
            ax.bar(x, height, 0.04, bottom, color=c.colour, edgecolor="black", lw=0.5)
            if height > LEAST * whole:
                shift = -0.03 if side == "right" else 0.03
                ax.text(x + shift, bottom + height / 2, f"{c.name}\n{height:,.0f} ha", ha=side, va="center", fontsize=8)
    ax.set_xlim(-0.35, 1.35)
    ax.set_xticks([0, 1], titles)
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_title("What became what: hectares of two maps (pale: unchanged)")
    return figure


def _bottoms(heights: np.ndarray, gap: float) -> np.ndarray:
    """Return where each bar begins, the first class on top."""
    below = np.cumsum((heights + gap)[::-1])[::-1]
    return below - heights


def _band(ax: Axes, left: float, right: float, height: float, colour: str, alpha: float) -> None:
    """Draw a band from one side to the other, level where it begins and ends."""
    x = np.linspace(0.02, 0.98, 40)
    bend = (1 - np.cos(np.pi * np.linspace(0, 1, 40))) / 2
    low = left + (right - left) * bend
    ax.fill_between(x, low, low + height, color=colour, alpha=alpha, lw=0)
