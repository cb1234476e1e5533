"""What all pictures have: a scale, a caption, and the line that says whose data they show."""

import inspect
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

from lulc_kit import attribution, classes
from lulc_kit.raster import writing
from lulc_kit.visualize import changes, charts, images, maps, searches, style
from tests.visualize.painted import SCHEME, codes, grid, image
from tests.visualize.test_searches import FOUND


@pytest.mark.parametrize(
    ("columns", "resolution", "length", "label"),
    [(1000, 10.0, 2, "2 km"), (100, 10.0, 0.2, "200 m"), (4000, 10.0, 10, "10 km"), (10980, 10.0, 20, "20 km")],
)
def test_scale_bar_has_the_length_it_says(columns, resolution, length, label):
    figure, ax = plt.subplots()
    plt.close(figure)
    style.decorate(ax, grid(columns // 2, columns, resolution))
    (bar,) = ax.get_lines()
    x, y = bar.get_data()
    assert x[1] - x[0] == pytest.approx(length)
    assert y[0] == y[1]
    assert label in [t.get_text() for t in ax.texts]


@given(st.floats(1e-3, 1e6))
def test_scale_bars_are_round_numbers_that_fit(length):
    bar = style._nice(length)
    assert round(float(f"{bar:e}".split("e")[0]), 9) in (1, 2, 5)
    assert bar <= length * (1 + 1e-9) < 2.5 * bar * (1 + 1e-8)


@pytest.mark.parametrize("ulps", [-3, -1, 0, 1])
def test_scale_bars_at_powers_of_ten_do_not_fail_or_halve_for_a_last_digit(ulps):
    for power in range(-3, 7):
        length = float(10.0**power * (1 + ulps * 2.0**-53))
        assert style._nice(length) == pytest.approx(10.0**power)


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
    assert style.caption(tmp_path / "x.tif") == says


TABLE = pd.DataFrame({"explained": [0.8, 0.2], "B2": [0.6, -0.8], "B3": [0.8, 0.6]}, index=["x", "y"])
DAYS = pd.DataFrame({"date": ["2020-01-01", "2020-02-01"], "clear": [0.5, 0], "in the cube": [True, False]})
SAMPLES = pd.DataFrame({"label": [10, 10, 80], "B2": [0.1, 0.2, 0.6], "B3": [0.3, 0.3, 0.3]})
SUSPECTS = pd.DataFrame({"easting": [500_005.0], "northing": [4_999_995.0]})
PROFILE = pd.DataFrame(
    {"date": ["2020-01-01", "2020-06-01"], "low": [0.1, 0.5], "median": [0.2, 0.6], "high": [0.3, 0.7]}
)
PART = (0.5, 0.4, 0.6)
LOSSES = pd.DataFrame({"loss": [0.2, 0.1], "low": 0.0, "high": 0.3, "family": "bands"}, index=["all bands", "x"])
BINS = pd.DataFrame({"confidence": [0.4, 0.9], "accuracy": [0.5, 0.8], "pixels": [10, 90]})
ERRORS = pd.DataFrame({"index": [0.2, 0.9], "error": [0.1, 0.3], "samples": [50, 50]})
COVERED = pd.DataFrame({"covered": [0.2, 1.0], "pixels": [10, 30]})
CURVE = pd.DataFrame({"mean": [0.5, 0.6], "lowest": [0.4, 0.6], "highest": [0.6, 0.6]}, index=[10, 20])
FLOWS = pd.DataFrame([[5.0, 1.0], [2.0, 7.0]], ["a", "b"], ["a", "b"])
DRAWN = {
    maps.class_map: lambda n: (codes([[10, 40]]), named(n), n, n),
    maps.class_maps: lambda n: ({n: codes([[10, 40]])}, named(n)),
    maps.categories: lambda n: (codes([[1, 2]]), {1: n, 2: f"other {n}"}, {1: "red", 2: "blue"}, n),
    maps.folds: lambda n: (split(), n),
    maps.confidence: lambda n: (codes([[50, 90]]), n),
    maps.certainty: lambda n: ({n: codes([[50, 90]]), "margin": codes([[10, 255]])}, n),
    maps.applicability: lambda n: (codes([[0, 2]]).astype(float), n),
    maps.set_sizes: lambda n: (codes([[0, 2]]).astype(float), named(n), n),
    maps.doubtful: lambda n: (codes([[10, 40]]), SUSPECTS.assign(suggested=n), SUSPECTS, named(n)),
    images.composites: lambda n: (image(bands=(n, "B3", "B2")), [[n, "B3", "B2"]], (2, 98), n),
    images.band_panels: lambda n: (image(bands=(n, "B3")), n),
    images.histograms: lambda n: (image(bands=(n, "B3")), n),
    images.layers: lambda n: (image(bands=(n, "B3")),),
    charts.curves: lambda n: (TABLE.rename(columns={"B2": n}), n, n),
    charts.loadings: lambda n: (TABLE.rename(columns={"B2": n}, index={"x": n}),),
    charts.spectra: lambda n: (SAMPLES.rename(columns={"B2": n}), [n, "B3"], named(n)),
    charts.distances: lambda n: ({n: np.array([1.0, 2.0]), "map to sample": np.array([3.0, 300.0])}, n),
    charts.confusions: lambda n: ({n: np.eye(4, dtype=int)}, named(n)),
    charts.estimates: lambda n: ({n: {n: PART}, "random": {"a": PART}}, n, n),
    charts.clear_months: lambda n: (pd.DataFrame({"dates": [1], "clear": [1.0], "never": [0.0]}, index=["2020-01"]),),
    charts.balance: lambda n: (pd.DataFrame({"samples": [3], "blocks": [2]}, index=[n]), named(n)),
    charts.separability: lambda n: (pd.DataFrame([[0, 1.5], [1.5, 0]], [n, "b"], [n, "b"]),) * 2,
    charts.clouds: lambda n: (pd.DataFrame({"clear": [1.0], n: [0.0]}, index=["2020-01-01"]), named(n)),
    charts.profiles: lambda n: (PROFILE.assign(**{"class": n}), named(n)),
    charts.importances: lambda n: (LOSSES.rename(index={"x": n}),),
    charts.reliability: lambda n: ({n: BINS}, n),
    charts.errors_by_index: lambda n: (ERRORS, n),
    charts.coverage: lambda n: (COVERED, 0.1, n),
    charts.learning_curve: lambda n: (CURVE.rename_axis(n), n),
    charts.attention: lambda n: (pd.DataFrame({n: [1.0, 2.0]}, ["2020-01-01", "2020-06-01"]), named(n)),
    charts.observations: lambda n: (DAYS["date"], DAYS["clear"]),
    charts.clear_observations: lambda n: (codes([[0, 1]]), DAYS),
    changes.flows: lambda n: (
        FLOWS.rename(index={"a": n}),
        replace(SCHEME, classes=named(n).classes[:2]),
        (n, "after"),
    ),
    searches.footprints: lambda n: (FOUND.assign(tile=n),),
    searches.cloud_cover: lambda n: (FOUND.assign(tile=n),),
    searches.coverage: lambda n: (codes([[0, 2]]),),
    searches.quicklooks: lambda n: ({n: np.zeros((2, 2, 3), np.uint8)},),
}
every = pytest.mark.parametrize("draw", DRAWN, ids=lambda draw: draw.__name__)


def split():
    """A split of three labelled pixels."""
    bands = [codes([[0, 1, 2]]), codes([[0, 0, 1]])]
    return xr.concat(bands, "band").assign_coords(band=["fold", "train_1"])


def named(name):
    """The scheme, with a class of that name."""
    first, *others = SCHEME.classes
    return replace(SCHEME, classes=(replace(first, name=name), *others))


def test_no_picture_is_forgotten_here():
    there = {f for m in (changes, charts, images, maps, searches) for f in vars(m).values() if inspect.isfunction(f)}
    pictures = {f for f in there if f.__module__ != style.__name__ and f.__annotations__.get("return") == "Figure"}
    assert pictures == set(DRAWN)


@every
def test_nothing_draws_nothing(draw):
    _, *others = DRAWN[draw]("any")
    assert draw(None, *others) is None


@every
@pytest.mark.parametrize("name", ["100 $ to 200 $", r"$\frac{$", "$x_1$"])
def test_a_dollar_is_a_dollar(draw, name):
    """Between two of them matplotlib would read mathematics, and stop where it is none."""
    attribution.declare(name)
    figure = draw(*DRAWN[draw](name))
    figure.canvas.draw()
    shown = figure.findobj(Text)
    assert any(name in text.get_text() for text in shown)
    assert not any(text.get_parse_math() for text in shown if "$" in text.get_text())


@every
def test_every_figure_says_whose_data_it_shows(draw):
    line = "SIMULATED data, made for a test; a line that is long enough to be broken on every figure there is"
    attribution.declare(line)
    figure = draw(*DRAWN[draw]("any"))
    figure.canvas.draw()
    shown = figure._supxlabel
    assert shown.get_text().replace("\n", " ") == line
    box = shown.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0, "inside the figure"
    for part in (*figure.axes, *figure.legends):
        assert not part.get_window_extent().overlaps(box)
    attribution.declare("")
    assert draw(*DRAWN[draw]("any"))._supxlabel is None


def test_the_legend_of_many_classes_covers_nothing():
    attribution.declare("whose data it is " * 10)
    many = classes.scheme("worldcover")
    wide = codes(np.full((10, 100), 10))
    for figure in (maps.class_map(wide, many), maps.class_maps({"rf": wide}, many)):
        figure.canvas.draw()
        (legend,), line = figure.legends, figure._supxlabel.get_window_extent()
        assert not legend.get_window_extent().overlaps(line)
        assert 0 <= legend.get_window_extent().y0 and legend.get_window_extent().y1 <= figure.bbox.y1


def test_saved_figures_are_png_and_whole(tmp_path):
    path = style.save(maps.class_map(codes([[10, 0]]), SCHEME), tmp_path / "figures/map.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in path.parent.iterdir()] == ["map.png"]
