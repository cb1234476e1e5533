"""Flows between classes: bands as broad as their hectares, bars that hold them all, names where there is room."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection

from lulc_kit.classes import LandClass, Scheme
from lulc_kit.visualize import changes

SCHEME = Scheme(
    "x", "X", (LandClass(1, "Forest", "#006400"), LandClass(2, "Field", "#ffff00"), LandClass(7, "Pond", "#0000ff"))
)
HECTARES = pd.DataFrame([[50.0, 10, 0], [0, 30, 0], [0, 5, 1]], SCHEME.names, SCHEME.names)


def test_bars_and_bands_are_as_high_as_their_hectares():
    figure = changes.flows(HECTARES, SCHEME, ("2015", "2021"))
    (ax,) = figure.axes
    heights = [round(bar.get_height(), 6) for bar in ax.patches]
    assert heights == [60, 30, 6, 50, 45, 1]
    bands = [c for c in ax.collections if isinstance(c, PolyCollection)]
    broad = sorted(
        round(float(np.ptp(b.get_paths()[0].vertices[np.isclose(b.get_paths()[0].vertices[:, 0], 0.02)][:, 1])), 6)
        for b in bands
    )
    assert broad == [1, 5, 10, 30, 50]
    left = [bar for bar in ax.patches if bar.get_x() < 0.5]
    for upper, lower in itertools.pairwise(left):
        assert upper.get_y() > lower.get_y() + lower.get_height(), "the first class on top, none on another"
    words = " ".join(text.get_text() for text in ax.texts)
    assert "Forest\n60 ha" in words and "Field\n45 ha" in words and "1 ha" not in words.replace("60 ha", "")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2015", "2021"]


def test_unchanged_land_is_paler_than_changed():
    figure = changes.flows(HECTARES, SCHEME, ("2015", "2021"))
    alpha = [c.get_alpha() for c in figure.axes[0].collections]
    assert alpha == pytest.approx([0.25, 0.75, 0.25, 0.75, 0.25])
