"""Pictures of images: stretched as asked, without data in its own colour, and earthpy leaves no trace."""

import os
import subprocess
import sys

import matplotlib.colors as mcolors
import numpy as np
import pytest

from lulc_kit import raster
from lulc_kit.visualize import images, style
from tests.visualize.painted import grid, image, pixels, rgb


def test_composites_stretch_each_band_and_leave_nodata_transparent():
    source = image()
    rgba = images.stretch(source, ["B4", "B3", "B2"], (0, 100))
    assert (rgba[:3, :4, 3] == 0).all() and (rgba[3:, :, 3] == 1).all()
    red = source.sel(band="B4").to_numpy()
    valid = np.isfinite(red)
    expected = (red - np.nanmin(red)) / (np.nanmax(red) - np.nanmin(red))
    np.testing.assert_allclose(rgba[..., 0][valid], expected[valid], atol=1e-6)
    cut = images.stretch(source, ["B4", "B3", "B2"], (10, 90))[..., 0][valid]
    assert (cut == 0).mean() == pytest.approx(0.1, abs=0.01)
    assert (cut == 1).mean() == pytest.approx(0.1, abs=0.01)
    empty = raster.array(np.full((1, 4, 4), np.nan, np.float32), grid(4, 4), ["B2"])
    assert (images.stretch(empty, ["B2", "B2", "B2"], (2, 98)) == 0).all()
    figure = images.composites(source, [["B4", "B3", "B2"], ["B2", "B3", "B4"]], (2, 98))
    drawn = [ax for ax in figure.axes if ax.get_images()]
    assert [ax.get_title() for ax in drawn] == ["red B4, green B3, blue B2", "red B2, green B3, blue B4"]
    assert all(mcolors.to_hex(ax.get_facecolor()) == style.NODATA_COLOUR for ax in drawn)


def test_layers_paint_nodata_in_its_own_colour():
    figure = images.layers(image(bands=("B3",)))
    ax = next(ax for ax in figure.axes if ax.get_title() == "B3")
    assert tuple(pixels(ax)[0, 0]) == rgb(style.NODATA_COLOUR)
    assert tuple(pixels(ax)[10, 10]) != rgb(style.NODATA_COLOUR)


def test_band_panels_and_histograms_have_one_panel_per_band():
    source = image(bands=("B2", "B3", "B4", "B8"))
    for make in (images.band_panels, images.histograms):
        titles = [ax.get_title() for ax in make(source).axes]
        assert [t for t in titles if t] == ["B2", "B3", "B4", "B8"]


@pytest.mark.parametrize("side", [10, 100, 600])
def test_counts_of_a_histogram_can_be_read(side):
    figure = images.histograms(image(side, side))
    figure.canvas.draw()
    low, high = figure.axes[0].get_ylim()
    ticks = [
        t for m in (True, False) for t in figure.axes[0].get_yticklabels(minor=m) if low <= t.get_position()[1] <= high
    ]
    shown = {float(t.get_text()): t.get_position()[1] for t in ticks if t.get_text()}
    assert len(shown) >= 2
    assert list(shown) == pytest.approx(list(shown.values()))


def test_pictures_of_an_image_carry_its_caption():
    for figure in (
        images.band_panels(image(), "what it is"),
        images.histograms(image(), "what it is"),
        images.composites(image(), [["B4", "B3", "B2"]], (2, 98), "what it is"),
    ):
        assert figure.get_suptitle() == "what it is"
    narrow = images.composites(image(30, 30), [["B4", "B3", "B2"]], (2, 98), "so many words " * 11)
    narrow.canvas.draw()
    drawn = narrow.get_suptitle()
    assert drawn.split() == ["so", "many", "words"] * 11
    (text,) = (t for t in narrow.texts if t.get_text() == drawn)
    assert text.get_window_extent().width < narrow.bbox.width


def test_a_notebook_shows_each_picture_once(monkeypatch):
    from matplotlib import pyplot

    shown = []
    monkeypatch.setattr(pyplot, "show", lambda *_, **__: shown.append(pyplot.get_fignums()))
    before, show = pyplot.get_fignums(), pyplot.show
    assert images.band_panels(image()) and images.histograms(image())
    # earthpy would show its figures itself, and what stays open pyplot shows at the end of a cell.
    assert shown == [] and pyplot.get_fignums() == before
    assert pyplot.show is show


def test_importing_earthpy_leaves_no_file_in_the_home_folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import matplotlib; matplotlib.use('Agg')\n"
        "import numpy as np, os, sys\n"
        "from odc.geo.geobox import GeoBox\n"
        "from lulc_kit import raster\n"
        "from lulc_kit.visualize import images\n"
        "box = GeoBox.from_bbox((0, 0, 50, 40), 'EPSG:32633', resolution=10)\n"
        "images.band_panels(raster.array(np.random.rand(2, 4, 5).astype('float32'), box, ['B2', 'B3']))\n"
        "assert 'earthpy' in sys.modules\n"
        "assert os.environ['HOME'].endswith('home')\n"
    )
    # matplotlib and fontconfig keep their caches elsewhere: only earthpy's doing is looked at.
    caches = {"MPLCONFIGDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    environment = os.environ | {"HOME": str(home), "USERPROFILE": str(home)} | caches
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("bands", "shown"),
    [
        (("B2", "B3", "B4", "B8"), ["B4", "B3", "B2"]),
        (("B8", "B4", "nir", "x"), ["B8", "B4", "nir"]),
        (("B8", "B4"), ["B8", "B4", "B4"]),
        (("pan",), ["pan", "pan", "pan"]),
    ],
)
def test_true_colour_or_what_there_is(bands, shown):
    picture = image(bands=bands)
    assert images.true_colour(picture) == shown
    assert len(images.composites(picture, [shown], (2, 98)).axes) == 1


def test_of_very_many_layers_some_are_drawn():
    figure = images.layers(image(bands=[f"A{i:02d}" for i in range(64)]))
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert len(titles) <= 30 and titles[0] == "A00" and "64 layers" in figure._suptitle.get_text()
