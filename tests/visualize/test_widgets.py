"""Widgets offer what the image has, and show it."""

from ipywidgets.widgets import interaction

from lulc_kit.visualize import images, widgets
from tests.visualize.painted import image


def test_widget_offers_all_bands(monkeypatch):
    titles = []
    monkeypatch.setattr(images, "composites", lambda *arguments: titles.append(arguments[-1]))
    shown = widgets.explore(image(), "what it is")
    shown.update()
    assert set(titles) == {"what it is"}
    kinds = {w.description: w for w in shown.children if hasattr(w, "description")}
    assert [kinds[c].value for c in ("red", "green", "blue")] == ["B4", "B3", "B2"]
    assert kinds["red"].options == ("B2", "B3", "B4")


def test_widget_shows_its_picture(monkeypatch):
    shown = []
    monkeypatch.setattr(interaction, "display", shown.append)
    explorer = widgets.explore(image(), "what it is")
    assert [figure.get_suptitle() for figure in shown] == ["what it is"]
    explorer.children[0].value = "B2"
    assert [figure.axes[0].get_title() for figure in shown] == [
        "red B4, green B3, blue B2",
        "red B2, green B3, blue B2",
    ]
