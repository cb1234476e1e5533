"""Widgets offer what the image has, and show it."""

import datetime
import io

import matplotlib.image
import numpy as np
import xarray as xr

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


def test_a_pixel_in_time_shows_its_own_observations_and_the_fit():
    asked = []

    def fit(values, dates, order):
        asked.append((values.tolist(), dates, order))
        return [datetime.date(2020, 1, 1), datetime.date(2020, 9, 1)], np.array([0.2, 0.4])

    numbers = np.arange(24, dtype=float).reshape(2, 3, 4) / 24
    days = ["2020-03-01", "2020-07-01"]
    series = xr.DataArray(numbers, dims=("date", "y", "x"), coords={"date": days}, name="NDVI")
    background = xr.DataArray(numbers[:1], dims=("band", "y", "x"), coords={"band": ["NDVI_p50"]})
    (row, column, order), picture = (
        w.children if hasattr(w, "children") else w for w in widgets.over_time(series, background, fit).children
    )
    before = picture.value
    row.value, column.value, order.value = 2, 0, 2
    assert asked[0] == (numbers[:, 1, 2].tolist(), days, 1) and asked[-1] == (numbers[:, 2, 0].tolist(), days, 2)
    assert picture.value != before
    assert (row.max, column.max) == (2, 3)
    assert widgets.over_time(None, None, fit) is None
