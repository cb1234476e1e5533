"""Charts show the numbers they are given."""

import dask.array as da
import matplotlib.colors as mcolors
import numpy as np
import pandas as pd
import pytest

from lulc_kit import classes, raster
from lulc_kit.visualize import charts, style
from tests.visualize.painted import SCHEME, grid, pixels, rgb


def test_confusion_shows_parts_of_the_labelled():
    scheme = classes.scheme("forest")
    figure = charts.confusions({"rf": np.array([[3, 1], [0, 5]])}, scheme)
    ax = figure.axes[0]
    np.testing.assert_allclose(ax.get_images()[0].get_array(), [[0.75, 0.25], [0, 1]])
    assert [t.get_text() for t in ax.get_xticklabels()] == list(scheme.names)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("mapped as", "labelled as")
    assert sorted(t.get_text() for t in ax.texts) == ["0.00", "0.25", "0.75", "1.00"]


def test_intervals_reach_from_low_to_high():
    rows = {"apart": {"rf": (0.5, 0.4, 0.6), "knn": (0.7, 0.6, 0.75)}, "random": {"rf": (0.9, 0.88, 0.95)}}
    ax = charts.estimates(rows, "F1", "title").axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["rf", "knn"]
    spans = sorted(tuple(line.get_xdata()) for line in ax.get_lines() if len(line.get_xdata()) == 2)
    assert spans == [(0.4, 0.6), (0.6, 0.75), (0.88, 0.95)]


def test_curves_bars_and_dates_show_the_numbers_given():
    loss = pd.DataFrame({"fold 1": [1.0, 0.5]}, index=pd.Index([1, 2], name="epoch"))
    assert charts.curves(loss, "loss", "title").axes[0].get_lines()[0].get_ydata().tolist() == [1.0, 0.5]
    table = pd.DataFrame({"loss": [0.1, 0.3], "low": 0.0, "high": 0.4, "family": "x"}, index=["B4", "NDVI"])
    ax = charts.importances(table).axes[0]
    assert [p.get_width() for p in ax.patches] == [0.3, 0.1]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["NDVI", "B4"]
    ax = charts.observations(["2020-01-01", "2020-06-01"], [0.5, 1.0]).axes[0]
    assert ax.get_lines()[0].get_ydata().tolist() == [50, 100]


@pytest.mark.parametrize("most", [1, 4, 40])
def test_clear_observations_are_shown_by_pixel_and_by_date(most):
    counts = raster.array(
        da.from_array(np.arange(60, dtype=np.uint16).reshape(1, 6, 10) % (most + 1)), grid(6, 10), ["n"]
    )
    days = pd.date_range("2020-01-01", periods=most + 1, freq="10D").strftime("%Y-%m-%d")
    clear = np.linspace(0, 1, most + 1)
    figure = charts.clear_observations(counts, pd.DataFrame({"date": days, "clear": clear, "in the cube": clear > 0}))
    picture, bars, scale = figure.axes
    painted, numbers = pixels(picture), counts.to_numpy()[0]
    colours = {n: {tuple(c) for c in painted[numbers == n].tolist()} for n in np.unique(numbers)}
    assert colours[0] == {rgb(style.NODATA_COLOUR)}
    assert all(len(c) == 1 for c in colours.values())
    assert len(set.union(*colours.values())) == len(colours)
    assert [b.get_height() for b in bars.patches] == pytest.approx([*(100 * clear[1:]), 0])
    assert [t.get_text() for t in bars.get_legend().get_texts()] == ["in the cube", "left out"]
    assert f"of {most} date(s)" in picture.get_title() and scale.get_ylabel() == "clear dates (grey: never clear)"


def test_of_many_features_those_that_cost_most_are_drawn():
    losses = np.random.default_rng(1).permutation(90) / 100
    rows = {f"f{k}": {"loss": v, "low": v, "high": v, "family": "bands"} for k, v in enumerate(losses)}
    rows["all bands"] = {"loss": 0.01, "low": 0, "high": 0.1, "family": "bands"}
    ax = charts.importances(pd.DataFrame.from_dict(rows, orient="index")).axes[0]
    drawn = [t.get_text() for t in ax.get_yticklabels()]
    assert drawn == ["all bands", *(f"f{k}" for k in np.argsort(-losses)[: charts.SHOWN])]
    assert "60 features that cost less are not shown" in ax.get_title()


def test_distances_over_many_powers_of_ten_have_plain_numbers():
    figure = charts.distances({"near": np.array([0.0, 10, 20]), "far": np.array([300.0, 9000, 40000])}, "so")
    figure.canvas.draw()
    labels = [t.get_text() for t in figure.axes[0].get_xticklabels()]
    assert figure.axes[0].get_xscale() == "symlog" and "0" in labels
    assert all(float(label) >= 0 for label in labels)


def test_months_show_how_often_a_pixel_is_clear_and_how_many_never_are():
    table = pd.DataFrame({"dates": [3, 0], "clear": [1.5, 0], "never": [0.25, 1]}, ["2020-01", "2020-02"])
    top, low = charts.clear_months(table).axes
    assert [b.get_height() for b in top.patches] == [1.5, 0] and [b.get_height() for b in low.patches] == [25, 100]
    assert [t.get_text() for t in low.get_xticklabels()] == ["2020-01", "2020-02"]


def test_loadings_and_spectra_show_the_numbers_given():
    table = pd.DataFrame({"explained": [0.8, 0.2], "B2": [0.6, -0.8], "B3": [0.8, 0.6]}, index=["PC1", "PC2"])
    ax = charts.loadings(table).axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["PC1: 80.0%", "PC2: 20.0%"]
    np.testing.assert_array_equal(ax.get_images()[0].get_array(), [[0.6, 0.8], [-0.8, 0.6]])
    samples = pd.DataFrame({"label": [10, 10, 10, 80], "B2": [0.1, 0.2, 0.6, 0.5], "B3": [0.3, 0.3, 0.3, 0.4]})
    ax = charts.spectra(samples, ["B2", "B3"], SCHEME).axes[0]
    assert [line.get_ydata().tolist() for line in ax.get_lines()] == [[0.2, 0.3], [0.5, 0.4]]
    assert [mcolors.to_hex(line.get_color()) for line in ax.get_lines()] == ["#006400", "#0064c8"]


@pytest.mark.parametrize(
    "days", [["2020-06-15"], ["2020-06-15", "2020-06-16"], ["2020-01-01", "2020-01-09", "2020-02-29"]]
)
def test_dates_have_no_hours(days):
    table = pd.DataFrame({"date": days, "clear": 0.5, "in the cube": True})
    counts = raster.array(np.ones((1, 4, 5), np.uint8), grid(4, 5), ["n"])
    axes = [charts.observations(days, [0.5] * len(days)).axes[0], charts.clear_observations(counts, table).axes[1]]
    for ax in axes:
        ax.figure.canvas.draw()
        labels = [t.get_text() for t in ax.get_xticklabels()]
        assert labels and not any(":" in label for label in labels)
        if days[0] == "2020-06-15":
            assert labels == days


def test_balance_writes_where_samples_come_from():
    table = pd.DataFrame({"samples": [30, 5], "share": [6 / 7, 1 / 7], "polygons": [3, 1]}, ["Cropland", "Tree cover"])
    ax = charts.balance(table, SCHEME).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [30, 5]
    assert [t.get_text() for t in ax.texts] == ["3 polygons", "1 polygons"]
    assert [mcolors.to_hex(bar.get_facecolor()) for bar in ax.patches] == ["#f096ff", "#006400"]


def test_separability_shows_both_measures_and_nothing_for_a_class_with_itself():
    near = pd.DataFrame([[0, 1.25, np.nan], [1.25, 0, 2], [np.nan, 2, 0]], list("abc"), list("abc"))
    figure = charts.separability(near, 1000 * near)
    for ax, says in zip(
        figure.axes[:2], (["1.25", "1.25", "2.00", "2.00"], ["1250", "1250", "2000", "2000"]), strict=True
    ):
        assert sorted(t.get_text() for t in ax.texts) == says
        shown = np.ma.filled(ax.get_images()[0].get_array(), np.nan)
        assert np.isnan(np.diag(shown)).all() and np.isnan(shown[0, 2])
        assert [t.get_text() for t in ax.get_xticklabels()] == list("abc")


def test_clouds_and_profiles_show_the_numbers_given():
    table = pd.DataFrame(
        {"clear": [0.5, 1], "cloud": [0.5, 0], "Cropland": [1, 0], "Tree cover": [0.25, 0]}, ["d1", "d2"]
    )
    ax = charts.clouds(table, SCHEME).axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Tree cover", "Cropland"]
    np.testing.assert_array_equal(ax.get_images()[0].get_array(), [[25, 0], [100, 0]])
    rows = pd.DataFrame(
        {"date": ["2020-01-01", "2020-06-01"], "class": "Cropland", "low": 0.1, "median": [0.2, 0.6], "high": 0.7}
    )
    (line,) = charts.profiles(rows, SCHEME).axes[0].get_lines()
    assert line.get_ydata().tolist() == [0.2, 0.6] and mcolors.to_hex(line.get_color()) == "#f096ff"


def test_errors_and_coverage_show_the_numbers_given():
    table = pd.DataFrame({"index": [0.2, 0.5, 1.4], "error": [0.1, 0.2, 0.5], "samples": [100, 100, 25]})
    (ax,) = charts.errors_by_index(table, "t").axes
    line = ax.containers[0].lines[0]
    np.testing.assert_allclose(line.get_xydata(), table[["index", "error"]])
    (bars,) = ax.containers[0].lines[2]
    low, high = bars.get_segments()[2][:, 1]
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(0.25 / 25))
    blocks = pd.DataFrame({"covered": [0.2, 1.0, 1.0], "pixels": [10, 30, 10]})
    (ax,) = charts.coverage(blocks, 0.1, "t").axes
    assert sum(patch.get_height() for patch in ax.patches) == 3
    asked, whole = (line.get_xdata()[0] for line in ax.lines)
    assert asked == 0.9 and whole == pytest.approx(42 / 50)


def test_attention_shows_each_class_s_dates_and_the_even_share():
    dates = pd.Index(["2020-01-01", "2020-06-01", "2020-09-01"], name="date")
    table = pd.DataFrame({"Cropland": [0.5, 2.0, 0.5], "Tree cover": [1.0, np.nan, 1.0]}, dates)
    ax = charts.attention(table, SCHEME).axes[0]
    even, trees, crops = ax.get_lines()  # in the scheme's order
    assert even.get_ydata() == [1, 1] and crops.get_ydata().tolist() == [0.5, 2, 0.5]
    np.testing.assert_array_equal(trees.get_ydata(), [1, np.nan, 1])
    assert [mcolors.to_hex(line.get_color()) for line in (trees, crops)] == ["#006400", "#f096ff"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["Tree cover", "Cropland"]
    assert charts.attention(None, SCHEME) is None
