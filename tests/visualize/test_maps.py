"""Maps: colours are the scheme's, north is up, kilometres are kilometres."""

import matplotlib.colors as mcolors
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from lulc_kit import classes, raster
from lulc_kit.visualize import maps, style
from tests.visualize.painted import SCHEME, codes, grid, pixels, rgb


def test_each_class_is_painted_in_its_own_colour_and_nodata_in_none_of_them():
    numbers = np.array([[10, 40, 80, 100], [0, 0, 10, 100]])
    figure = maps.class_map(codes(numbers), SCHEME)
    colours = {c.value: c.rgb for c in SCHEME.classes} | {0: rgb(style.NODATA_COLOUR)}
    assert len(set(colours.values())) == 5
    painted = pixels(figure.axes[0])
    for (row, column), value in np.ndenumerate(numbers):
        assert tuple(painted[row, column]) == colours[value]


@pytest.mark.parametrize("name", classes.SCHEMES)
def test_legend_shows_the_colours_that_are_painted_whatever_the_codes(name):
    scheme = classes.scheme(name)
    figure = maps.class_map(codes([[0, *scheme.values]]), scheme)
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
    figure = maps.class_map(codes(numbers, 20.0), SCHEME, "title")
    ax = figure.axes[0]
    (drawn,) = ax.get_images()
    assert drawn.origin == "upper"
    assert drawn.get_extent() == pytest.approx([500.0, 501.0, 4999.4, 5000.0])
    assert ax.get_ylim()[0] < ax.get_ylim()[1]
    assert ax.get_xlim()[0] < ax.get_xlim()[1]
    assert tuple(pixels(ax)[0, 0]) == SCHEME.find("Permanent water bodies").rgb
    assert ax.get_title() == "title"
    assert "EPSG:32633" in ax.get_xlabel() and "km" in ax.get_ylabel()
    arrow = next(t for t in ax.texts if t.get_text() == "N")
    assert arrow.xy[1] > arrow.xyann[1], "the arrow points up"


def test_large_rasters_are_thinned_but_keep_their_extent():
    numbers = np.full((10, 4000), 10)
    numbers[:, 2000:] = 80
    figure = maps.class_map(codes(numbers), SCHEME)
    (drawn,) = figure.axes[0].get_images()
    assert max(drawn.get_array().shape) <= style.MAX_PIXELS
    assert drawn.get_extent() == pytest.approx([500, 540, 4999.9, 5000])
    painted = pixels(figure.axes[0])
    middle = painted.shape[1] // 2
    assert tuple(painted[0, middle - 2]) != tuple(painted[0, middle + 1])


def test_several_maps_have_one_legend_and_titles():
    runs = {f"run {i}": codes(np.full((20, 20), v)) for i, v in enumerate((10, 40, 80, 100))}
    figure = maps.class_maps(runs, SCHEME)
    drawn = [ax for ax in figure.axes if ax.get_images()]
    assert [ax.get_title() for ax in drawn] == list(runs)
    assert [tuple(pixels(ax)[0, 0]) for ax in drawn] == [c.rgb for c in SCHEME.classes]
    assert len(figure.legends) == 1


def test_categories_are_painted_in_the_colours_of_their_legend():
    names, colours = {0: "clear", 3: "cloud", 7: "snow"}, {0: "#111111", 3: "#ff0000", 7: "#0000ff"}
    figure = maps.categories(codes([[0, 3, 3], [7, 0, 3]]), names, colours, "mask")
    expected = [[rgb(colours[v]) for v in row] for row in ([0, 3, 3], [7, 0, 3])]
    assert [[tuple(p) for p in row] for row in pixels(figure.axes[0])] == expected
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["clear", "cloud", "snow"]
    alone = maps.categories(codes([[7, 7]]), names, colours, "mask")
    assert tuple(pixels(alone.axes[0])[0, 0]) == rgb("#0000ff")


def test_folds_have_a_colour_each_and_show_who_trains_while_one_is_tested():
    numbers = np.array([[[0, 1, 2, 3, 4]], [[0, 0, 1, 0, 1]]], np.uint8)
    figure = maps.folds(raster.array(numbers, grid(1, 5), ["fold", "train_1"]), "title")
    folds, roles = figure.axes
    assert len({tuple(p) for p in pixels(folds)[0]}) == 5
    assert [t.get_text() for t in folds.get_legend().get_texts()] == [
        *("no label", "fold 1", "fold 2", "fold 3", "fold 4")
    ]
    nothing, tests, trains, near, also = (tuple(p) for p in pixels(roles)[0])
    assert trains == also and len({nothing, tests, trains, near}) == 4


def test_confidence_paints_nodata_in_its_own_colour():
    percent = np.stack([np.full((4, 5), v, np.uint8) for v in (70, 30)])
    percent[:, 0, 0] = 255
    figure = maps.confidence(raster.array(percent, grid(4, 5), ["a", "b"]), "title")
    painted = pixels(figure.axes[0])
    assert tuple(painted[0, 0]) == rgb(style.NODATA_COLOUR)
    assert tuple(painted[1, 1]) == tuple(plt.get_cmap("cividis")(0.7, bytes=True)[:3])


def test_doubtful_labels_lie_where_they_are_in_the_colour_of_what_they_look_like():
    suspects = pd.DataFrame(
        {"easting": [500_005.0, 500_015.0], "northing": 4_999_995.0, "suggested": ["Cropland", "Tree cover"]}
    )
    strangers = pd.DataFrame({"easting": [500_015.0], "northing": [4_999_985.0]})
    ax = maps.doubtful(codes([[10, 40], [0, 80]]), suspects, strangers, SCHEME).axes[0]
    dots, crosses = ax.collections
    np.testing.assert_allclose(dots.get_offsets(), [[500.005, 4999.995], [500.015, 4999.995]])
    assert [mcolors.to_hex(c) for c in dots.get_facecolors()] == ["#f096ff", "#006400"]
    np.testing.assert_allclose(crosses.get_offsets(), [[500.015, 4999.985]])
    assert "2 like another class" in ax.get_title() and "1 like none" in ax.get_title()
    assert len(maps.doubtful(codes([[10]]), suspects[:0], strangers[:0], SCHEME).axes[0].collections) == 0


def test_doubt_is_painted_by_its_numbers():
    index = codes([[0, 1, 2, 9]]).astype(float).where(lambda x: x != 9)
    (ax, bar) = maps.applicability(index, "t").axes
    painted = pixels(ax)[0]
    assert tuple(painted[3]) == rgb(style.NODATA_COLOUR)
    blue, pale, red = painted[:3].astype(int)
    assert blue[2] > blue[0] and red[0] > red[2] and pale.min() > 150
    assert "67% inside" in ax.get_title()
    sizes = codes([[0, 1, 4, 9]]).astype(float).where(lambda x: x != 9)
    (ax, bar) = maps.set_sizes(sizes, SCHEME, "t").axes
    assert len({tuple(p) for p in pixels(ax)[0]}) == 4
    assert list(bar.get_yticks()) == [0, 1, 2, 3, 4]


def test_certainty_shows_each_layer_and_of_several_bands_the_greatest():
    bands = raster.array(np.array([[[10, 255]], [[70, 30]]], np.uint8), grid(1, 2), ["a", "b"])
    first, second, _ = maps.certainty({"probability": bands, "margin": codes([[20, 60]])}, "t").axes
    assert (first.get_title(), second.get_title()) == ("probability", "margin")
    (drawn,) = first.get_images()
    assert drawn.get_array().tolist() == [[70, None]]
    assert tuple(pixels(first)[0, 1]) == rgb(style.NODATA_COLOUR)


def test_the_scale_bar_shows_on_land_of_any_colour():
    """On black and on white ground, as on any between, there are pixels of the bar that differ from the ground."""
    for ground in (0.0, 0.5, 1.0):
        figure, ax = plt.subplots(figsize=(4, 4))
        ax.imshow(np.full((4, 4, 3), ground), extent=(500, 501, 4999, 5000))
        plt.close(figure)
        style.decorate(ax, grid(100, 100))
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        (bar,) = ax.get_lines()
        left, right = bar.get_xydata()
        x, y = ax.transData.transform(left + 0.1 * (right - left)).round().astype(int)
        shown = np.asarray(canvas.buffer_rgba())[::-1, :, :3].astype(int)
        beside = shown[y - 8 : y + 1, x]  # below the bar, away from its label, which has a rim of its own
        assert np.abs(beside - round(255 * ground)).max() > 100, ground
