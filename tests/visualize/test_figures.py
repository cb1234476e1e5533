"""Figures: colours are the scheme's, north is up, kilometres are kilometres, and earthpy leaves no trace."""

import os
import subprocess
import sys

import dask.array as da
import matplotlib
import matplotlib.colors as mcolors
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import attribution, classes, raster
from lulc_kit.raster import writing
from lulc_kit.visualize import figures, widgets

matplotlib.use("Agg")

SCHEME = classes.scheme("worldcover").subset([10, 40, 80, 100])


def grid(rows, columns, resolution=10.0):
    return GeoBox((rows, columns), from_origin(500_000, 5_000_000, resolution, resolution), "EPSG:32633")


def codes(numbers, resolution=10.0):
    numbers = np.asarray(numbers, np.uint8)
    lazy = da.from_array(numbers[None], (1, 64, 64))
    return raster.array(lazy, grid(*numbers.shape, resolution), ["class"])


def image(rows=20, columns=30, bands=("B2", "B3", "B4")):
    data = np.random.default_rng(1).random((len(bands), rows, columns)).astype(np.float32)
    data[:, :3, :4] = np.nan
    return raster.array(data, grid(rows, columns), bands)


def pixels(ax):
    """The colours that matplotlib paints, (row, column, 3), 0–255, first row on top."""
    (drawn,) = ax.get_images()
    rgba = drawn.to_rgba(drawn.get_array(), bytes=True)
    return rgba[..., :3] if drawn.origin == "upper" else rgba[::-1, :, :3]


def rgb(colour):
    return tuple(round(255 * v) for v in mcolors.to_rgb(colour))


@pytest.fixture(autouse=True)
def nothing_left_open():
    before = plt.get_fignums()
    yield
    assert plt.get_fignums() == before, "an open figure would be shown a second time in a notebook"


def test_each_class_is_painted_in_its_own_colour_and_nodata_in_none_of_them():
    numbers = np.array([[10, 40, 80, 100], [0, 0, 10, 100]])
    figure = figures.class_map(codes(numbers), SCHEME)
    colours = {c.value: c.rgb for c in SCHEME.classes} | {0: rgb(figures.NODATA_COLOUR)}
    assert len(set(colours.values())) == 5
    painted = pixels(figure.axes[0])
    for (row, column), value in np.ndenumerate(numbers):
        assert tuple(painted[row, column]) == colours[value]


@pytest.mark.parametrize("name", classes.SCHEMES)
def test_legend_shows_the_colours_that_are_painted_whatever_the_codes(name):
    scheme = classes.scheme(name)
    figure = figures.class_map(codes([[0, *scheme.values]]), scheme)
    (legend,) = figure.legends
    texts, patches = legend.get_texts(), legend.get_patches()
    shown = {t.get_text(): rgb(p.get_facecolor()) for t, p in zip(texts, patches, strict=True)}
    painted = [tuple(int(v) for v in p) for p in pixels(figure.axes[0])[0]]
    assert list(shown) == [*scheme.names, "no data"]
    assert [shown[n] for n in scheme.names] == painted[1:] == [c.rgb for c in scheme.classes]
    assert shown["no data"] == painted[0]


def test_north_is_up_and_axes_are_in_kilometres():
    numbers = np.full((30, 50), 10)
    numbers[0, 0] = 80  # north-western corner
    figure = figures.class_map(codes(numbers, 20.0), SCHEME, "title")
    ax = figure.axes[0]
    (drawn,) = ax.get_images()
    assert drawn.origin == "upper"
    assert drawn.get_extent() == pytest.approx([500.0, 501.0, 4999.4, 5000.0])
    assert ax.get_ylim()[0] < ax.get_ylim()[1]
    assert ax.get_xlim()[0] < ax.get_xlim()[1]
    assert tuple(pixels(ax)[0, 0]) == SCHEME.named("Permanent water bodies").rgb
    assert ax.get_title() == "title"
    assert "EPSG:32633" in ax.get_xlabel() and "km" in ax.get_ylabel()
    arrow = next(t for t in ax.texts if t.get_text() == "N")
    assert arrow.xy[1] > arrow.xyann[1], "the arrow points up"


@pytest.mark.parametrize(
    ("columns", "resolution", "length", "label"),
    [(1000, 10.0, 2, "2 km"), (100, 10.0, 0.2, "200 m"), (4000, 10.0, 10, "10 km"), (10980, 10.0, 20, "20 km")],
)
def test_scale_bar_has_the_length_it_says(columns, resolution, length, label):
    figure, ax = plt.subplots()
    plt.close(figure)
    figures.decorate(ax, grid(columns // 2, columns, resolution))
    (bar,) = ax.get_lines()
    x, y = bar.get_data()
    assert x[1] - x[0] == pytest.approx(length)
    assert y[0] == y[1]
    assert label in [t.get_text() for t in ax.texts]


@given(st.floats(1e-3, 1e6))
def test_scale_bars_are_round_numbers_that_fit(length):
    bar = figures._nice(length)
    assert round(float(f"{bar:e}".split("e")[0]), 9) in (1, 2, 5)
    assert bar <= length * (1 + 1e-9) < 2.5 * bar * (1 + 1e-8)


@pytest.mark.parametrize("ulps", [-3, -1, 0, 1])
def test_scale_bars_at_powers_of_ten_do_not_fail_or_halve_for_a_last_digit(ulps):
    for power in range(-3, 7):
        length = float(10.0**power * (1 + ulps * 2.0**-53))
        assert figures._nice(length) == pytest.approx(10.0**power)


def test_large_rasters_are_thinned_but_keep_their_extent():
    numbers = np.full((10, 4000), 10)
    numbers[:, 2000:] = 80
    figure = figures.class_map(codes(numbers), SCHEME)
    (drawn,) = figure.axes[0].get_images()
    assert max(drawn.get_array().shape) <= figures.MAX_PIXELS
    assert drawn.get_extent() == pytest.approx([500, 540, 4999.9, 5000])
    painted = pixels(figure.axes[0])
    middle = painted.shape[1] // 2
    assert tuple(painted[0, middle - 2]) != tuple(painted[0, middle + 1])


def test_several_maps_have_one_legend_and_titles():
    maps = {f"run {i}": codes(np.full((20, 20), v)) for i, v in enumerate((10, 40, 80, 100))}
    figure = figures.class_maps(maps, SCHEME)
    drawn = [ax for ax in figure.axes if ax.get_images()]
    assert [ax.get_title() for ax in drawn] == list(maps)
    assert [tuple(pixels(ax)[0, 0]) for ax in drawn] == [c.rgb for c in SCHEME.classes]
    assert len(figure.legends) == 1


def test_categories_are_painted_in_the_colours_of_their_legend():
    names, colours = {0: "clear", 3: "cloud", 7: "snow"}, {0: "#111111", 3: "#ff0000", 7: "#0000ff"}
    figure = figures.categories(codes([[0, 3, 3], [7, 0, 3]]), names, colours, "mask")
    expected = [[rgb(colours[v]) for v in row] for row in ([0, 3, 3], [7, 0, 3])]
    assert [[tuple(p) for p in row] for row in pixels(figure.axes[0])] == expected
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["clear", "cloud", "snow"]
    alone = figures.categories(codes([[7, 7]]), names, colours, "mask")
    assert tuple(pixels(alone.axes[0])[0, 0]) == rgb("#0000ff")


def test_folds_have_a_colour_each():
    figure = figures.folds(codes([[0, 1, 2, 3, 4]]))
    assert len({tuple(p) for p in pixels(figure.axes[0])[0]}) == 5
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["no label", "fold 1", "fold 2", "fold 3", "fold 4"]


def test_composites_stretch_each_band_and_leave_nodata_transparent():
    source = image()
    rgba = figures.stretched(source, ["B4", "B3", "B2"], (0, 100))
    assert (rgba[:3, :4, 3] == 0).all() and (rgba[3:, :, 3] == 1).all()
    red = source.sel(band="B4").to_numpy()
    valid = np.isfinite(red)
    expected = (red - np.nanmin(red)) / (np.nanmax(red) - np.nanmin(red))
    np.testing.assert_allclose(rgba[..., 0][valid], expected[valid], atol=1e-6)
    cut = figures.stretched(source, ["B4", "B3", "B2"], (10, 90))[..., 0][valid]
    assert (cut == 0).mean() == pytest.approx(0.1, abs=0.01)
    assert (cut == 1).mean() == pytest.approx(0.1, abs=0.01)
    empty = raster.array(np.full((1, 4, 4), np.nan, np.float32), grid(4, 4), ["B2"])
    assert (figures.stretched(empty, ["B2", "B2", "B2"], (2, 98)) == 0).all()
    figure = figures.composites(source, [["B4", "B3", "B2"], ["B2", "B3", "B4"]], (2, 98))
    drawn = [ax for ax in figure.axes if ax.get_images()]
    assert [ax.get_title() for ax in drawn] == ["red B4, green B3, blue B2", "red B2, green B3, blue B4"]
    assert all(mcolors.to_hex(ax.get_facecolor()) == figures.NODATA_COLOUR for ax in drawn)


def test_layers_and_confidence_paint_nodata_in_its_own_colour():
    figure = figures.layers(image(), ["B3"])
    ax = next(ax for ax in figure.axes if ax.get_title() == "B3")
    assert tuple(pixels(ax)[0, 0]) == rgb(figures.NODATA_COLOUR)
    assert tuple(pixels(ax)[10, 10]) != rgb(figures.NODATA_COLOUR)
    percent = np.stack([np.full((4, 5), v, np.uint8) for v in (70, 30)])
    percent[:, 0, 0] = 255
    figure = figures.confidence(raster.array(percent, grid(4, 5), ["a", "b"]), "title")
    painted = pixels(figure.axes[0])
    assert tuple(painted[0, 0]) == rgb(figures.NODATA_COLOUR)
    assert tuple(painted[1, 1]) == tuple(plt.get_cmap("cividis")(0.7, bytes=True)[:3])


def test_band_panels_and_histograms_have_one_panel_per_band():
    source = image(bands=("B2", "B3", "B4", "B8"))
    for make in (figures.band_panels, figures.histograms):
        titles = [ax.get_title() for ax in make(source).axes]
        assert [t for t in titles if t] == ["B2", "B3", "B4", "B8"]


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({"date": "2023-06-15", "level": "L1C"}, "2023-06-15 · L1C · correction: none"),
        ({"dates": "2023-06-15", "method": "median", "level": "L1C"}, "2023-06-15 · L1C · correction: none"),
        (
            {"dates": "2023-06-15 2023-07-01 2023-07-05", "method": "medoid", "level": "L2A"},
            "medoid of 3 dates, 2023-06-15 … 2023-07-05 · L2A · correction: none",
        ),
    ],
)
def test_a_caption_says_dates_level_and_correction(tmp_path, tags, says):
    source = image()
    writing.write_all([writing.reflectance(tmp_path / "x.tif", source, correction="none", **tags)])
    assert figures.caption(tmp_path / "x.tif") == says


def test_pictures_of_an_image_carry_its_caption():
    for figure in (
        figures.band_panels(image(), "what it is"),
        figures.histograms(image(), "what it is"),
        figures.composites(image(), [["B4", "B3", "B2"]], (2, 98), "what it is"),
    ):
        assert figure.get_suptitle() == "what it is"
    narrow = figures.composites(image(30, 30), [["B4", "B3", "B2"]], (2, 98), "so many words " * 11)
    narrow.canvas.draw()
    drawn = narrow.get_suptitle()
    assert drawn.split() == ["so", "many", "words"] * 11
    (text,) = (t for t in narrow.texts if t.get_text() == drawn)
    assert text.get_window_extent().width < narrow.bbox.width


def test_confusion_shows_parts_of_the_labelled():
    scheme = classes.scheme("forest")
    figure = figures.confusions({"rf": np.array([[3, 1], [0, 5]])}, scheme)
    ax = figure.axes[0]
    np.testing.assert_allclose(ax.get_images()[0].get_array(), [[0.75, 0.25], [0, 1]])
    assert [t.get_text() for t in ax.get_xticklabels()] == list(scheme.names)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("mapped as", "labelled as")
    assert sorted(t.get_text() for t in ax.texts) == ["0.00", "0.25", "0.75", "1.00"]


def test_intervals_reach_from_low_to_high():
    rows = {"apart": {"rf": (0.5, 0.4, 0.6), "knn": (0.7, 0.6, 0.75)}, "random": {"rf": (0.9, 0.88, 0.95)}}
    ax = figures.estimates(rows, "F1", "title").axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["rf", "knn"]
    spans = sorted(tuple(line.get_xdata()) for line in ax.get_lines() if len(line.get_xdata()) == 2)
    assert spans == [(0.4, 0.6), (0.6, 0.75), (0.88, 0.95)]


def test_curves_bars_and_dates_show_the_numbers_given():
    loss = pd.DataFrame({"fold 1": [1.0, 0.5]}, index=pd.Index([1, 2], name="epoch"))
    assert figures.curves(loss, "loss", "title").axes[0].get_lines()[0].get_ydata().tolist() == [1.0, 0.5]
    ax = figures.importances(pd.Series({"NDVI": 0.7, "B4": 0.3})).axes[0]
    assert [p.get_width() for p in ax.patches] == [0.7, 0.3]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["NDVI", "B4"]
    assert figures.importances(None) is None
    ax = figures.observations(["2020-01-01", "2020-06-01"], [0.5, 1.0]).axes[0]
    assert ax.get_lines()[0].get_ydata().tolist() == [50, 100]


@pytest.mark.parametrize("most", [1, 4, 40])
def test_clear_observations_are_shown_by_pixel_and_by_date(most):
    counts = raster.array(
        da.from_array(np.arange(60, dtype=np.uint16).reshape(1, 6, 10) % (most + 1)), grid(6, 10), ["n"]
    )
    days = pd.date_range("2020-01-01", periods=most + 1, freq="10D").strftime("%Y-%m-%d")
    clear = np.linspace(0, 1, most + 1)
    figure = figures.clear_observations(counts, pd.DataFrame({"date": days, "clear": clear, "in the cube": clear > 0}))
    picture, bars, scale = figure.axes
    painted, numbers = pixels(picture), counts.to_numpy()[0]
    colours = {n: {tuple(c) for c in painted[numbers == n].tolist()} for n in np.unique(numbers)}
    assert colours[0] == {rgb(figures.NODATA_COLOUR)}
    assert all(len(c) == 1 for c in colours.values())
    assert len(set.union(*colours.values())) == len(colours)
    assert [b.get_height() for b in bars.patches] == pytest.approx([*(100 * clear[1:]), 0])
    assert [t.get_text() for t in bars.get_legend().get_texts()] == ["in the cube", "left out"]
    assert f"of {most} date(s)" in picture.get_title() and scale.get_ylabel() == "clear dates (grey: never clear)"


def test_loadings_and_spectra_show_the_numbers_given():
    table = pd.DataFrame({"explained": [0.8, 0.2], "B2": [0.6, -0.8], "B3": [0.8, 0.6]}, index=["PC1", "PC2"])
    ax = figures.loadings(table).axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["PC1: 80.0%", "PC2: 20.0%"]
    np.testing.assert_array_equal(ax.get_images()[0].get_array(), [[0.6, 0.8], [-0.8, 0.6]])
    samples = pd.DataFrame({"label": [10, 10, 10, 80], "B2": [0.1, 0.2, 0.6, 0.5], "B3": [0.3, 0.3, 0.3, 0.4]})
    ax = figures.spectra(samples, ["B2", "B3"], SCHEME).axes[0]
    assert [line.get_ydata().tolist() for line in ax.get_lines()] == [[0.2, 0.3], [0.5, 0.4]]
    assert [mcolors.to_hex(line.get_color()) for line in ax.get_lines()] == ["#006400", "#0064c8"]


TABLE = pd.DataFrame({"a": [0.1, 0.5], "b": [0.2, 0.4]}, index=["x", "y"])
DRAWN = {
    "class map": lambda: figures.class_map(codes([[10, 40]]), SCHEME, "a map").figure,
    "class maps": lambda: figures.class_maps({"a": codes([[10, 40]])}, SCHEME),
    "categories": lambda: figures.categories(codes([[1, 2]]), {1: "a", 2: "b"}, {1: "red", 2: "blue"}, "codes"),
    "composites": lambda: figures.composites(image(), [["B4", "B3", "B2"]], (2, 98)),
    "bands": lambda: figures.band_panels(image()),
    "histograms": lambda: figures.histograms(image()),
    "layers": lambda: figures.layers(image()),
    "confidence": lambda: figures.confidence(codes([[50, 90]]), "sure"),
    "curves": lambda: figures.curves(TABLE, "loss", "curves"),
    "widget": lambda: widgets.explore(image()).f("B4", "B3", "B2", (2, 98)),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_every_figure_says_whose_data_it_shows(kind):
    line = "SIMULATED data, made for a test; a line that is long enough to be broken on every figure there is"
    attribution.declare(line)
    figure = DRAWN[kind]()
    figure.canvas.draw()
    shown = figure._supxlabel
    assert shown.get_text().replace("\n", " ") == line
    box = shown.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0, "inside the figure"
    for ax in figure.axes:
        assert not ax.get_window_extent().overlaps(box)
    attribution.declare("")
    assert DRAWN[kind]()._supxlabel is None


def test_saved_figures_are_png_and_whole(tmp_path):
    path = figures.save(figures.class_map(codes([[10, 0]]), SCHEME), tmp_path / "figures/map.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in path.parent.iterdir()] == ["map.png"]


def test_widget_offers_all_bands(monkeypatch):
    titles = []
    monkeypatch.setattr(figures, "composites", lambda *arguments: titles.append(arguments[-1]))
    shown = widgets.explore(image(), "what it is")
    shown.update()
    assert set(titles) == {"what it is"}
    kinds = {w.description: w for w in shown.children if hasattr(w, "description")}
    assert [kinds[c].value for c in ("red", "green", "blue")] == ["B4", "B3", "B2"]
    assert kinds["red"].options == ("B2", "B3", "B4")


def test_importing_earthpy_leaves_no_file_in_the_home_folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import matplotlib; matplotlib.use('Agg')\n"
        "import numpy as np, os, sys\n"
        "from odc.geo.geobox import GeoBox\n"
        "from lulc_kit import raster\n"
        "from lulc_kit.visualize import figures\n"
        "box = GeoBox.from_bbox((0, 0, 50, 40), 'EPSG:32633', resolution=10)\n"
        "figures.band_panels(raster.array(np.random.rand(2, 4, 5).astype('float32'), box, ['B2', 'B3']))\n"
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
    assert figures.true_colour(picture) == shown
    assert len(figures.composites(picture, [shown], (2, 98)).axes) == 1
