"""Class names in any script: drawn with letters where a font has them, a warning where none has."""

import io

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.image import imread

from lulc_kit import classes, raster
from lulc_kit.visualize import fonts, maps
from tests.rasters import grid

OWN = fonts.families()[:1]


def legend_of(names):
    """Pixels of a class map whose legend has these names."""
    codes = raster.array(np.ones((1, 4, 4), np.uint8), grid((4, 4), 10, 500_000, 5_000_000), ["label"])
    figure = maps.class_map(codes, classes.own(names))
    stream = io.BytesIO()
    figure.savefig(stream, dpi=60)
    return imread(io.BytesIO(stream.getvalue()))


def test_letters_that_a_font_lacks():
    assert fonts.unreadable(["Wälder & Moor", "Лес", "Ελιές"], OWN) == ""
    assert fonts.unreadable(["森林", "森 forest"], OWN) == "森林"


def test_a_warning_names_letters_that_no_font_has(monkeypatch):
    monkeypatch.setattr(fonts, "families", lambda: OWN)
    with pytest.warns(UserWarning, match="the letters 森林, so that pictures show boxes"):
        fonts.check(["森林"])


def test_other_scripts_are_drawn_where_a_font_has_them():
    if fonts.unreadable("森林水体", fonts.families()):
        pytest.skip("no font with Chinese letters is installed (Debian: fonts-wqy-zenhei)")
    one, other = legend_of(["森林", "b"]), legend_of(["水体", "b"])
    assert one.shape == other.shape and (one != other).any(), "a box is like any other"


def test_fonts_that_are_named_are_there():
    assert set(fonts.families()) <= set(font_manager.fontManager.get_font_names())


def test_pictures_are_drawn_in_silence(caplog):
    """Of fonts that have one weight matplotlib would say so for every size."""
    legend_of(["Wald", "Seen"])
    fonts.families.cache_clear()
    legend_of(["森林" if not fonts.unreadable("森林", fonts.families()) else "Wald", "b"])
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == []
