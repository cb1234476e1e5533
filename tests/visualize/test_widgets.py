"""Widgets offer what the image has, and show it."""

import io

import matplotlib.image
import numpy as np

from lulc_kit.visualize import images, widgets
from tests.visualize.painted import image


def test_widget_offers_all_bands_and_draws_what_is_chosen(monkeypatch):
    drawn = []
    true = images.composites

    def composites(small, bands, stretch, title):
        drawn.append((bands, tuple(stretch), title))
        return true(small, bands, stretch, title)

    monkeypatch.setattr(images, "composites", composites)
    lists, slider, _ = widgets.explore(image(), "what it is").children
    assert [w.description for w in lists.children] == ["red", "green", "blue"]
    assert lists.children[0].options == ("B2", "B3", "B4")
    lists.children[0].value = "B2"
    slider.value = (5, 95)
    assert drawn == [
        ([["B4", "B3", "B2"]], (2, 98), "what it is"),
        ([["B2", "B3", "B2"]], (2, 98), "what it is"),
        ([["B2", "B3", "B2"]], (5, 95), "what it is"),
    ]


def test_widget_shows_its_picture():
    lists, _, picture = widgets.explore(image(), "what it is").children
    before = matplotlib.image.imread(io.BytesIO(picture.value))
    assert before.ndim == 3 and np.ptp(before) > 0.5
    lists.children[0].value = "B2"
    assert picture.value and not np.array_equal(before, matplotlib.image.imread(io.BytesIO(picture.value)))
