"""Statistics over time: numpy's functions pixel by pixel, waves of known height and day, blocks."""

import datetime
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from scipy import stats

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.features import temporal

NAMES = ["p5", "p50", "p95", "mean", "std", "iqr", "min", "max", "amplitude", "count"]


def numpy_says(x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        low, quarter, median, three, high = np.nanpercentile(x, [5, 25, 50, 75, 95], axis=0)
        lowest, highest = np.nanmin(x, axis=0), np.nanmax(x, axis=0)
        rows = [low, median, high, np.nanmean(x, axis=0), np.nanstd(x, axis=0), three - quarter, lowest, highest]
        return np.stack([*rows, highest - lowest, np.isfinite(x).sum(axis=0)])


def days(count, first="2019-02-03", step=23):
    start = datetime.date.fromisoformat(first)
    return [(start + datetime.timedelta(days=step * k)).isoformat() for k in range(count)]


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 12) | st.just(70),
    missing=st.sampled_from([0.0, 0.4, 0.9, 1.0]),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 99),
)
def test_equal_to_numpy(count, missing, dtype, seed):
    generator = np.random.default_rng(seed)
    x = generator.normal(0.3, 0.2, (count, 4, 5)).astype(dtype)
    x[generator.random(x.shape) < missing] = np.nan
    found = temporal.statistics(x, days(count), NAMES)
    expected = numpy_says(x.astype(np.float64)).astype(np.float32)
    exact = [i for i, name in enumerate(NAMES) if name not in ("mean", "std", "iqr")]
    np.testing.assert_array_equal(found[exact], expected[exact])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_days_and_slope():
    dates = ["2020-01-01", "2020-12-31", "2021-07-02", "2022-03-01"]
    x = np.array([0.5, 0.1, 0.9, 0.1]).reshape(4, 1, 1)
    low, high, slope = temporal.statistics(x, dates, ["min_day", "max_day", "slope"]).ravel()
    assert (low, high) == (366, 183)  # the first of two equal ones; 2020 is a leap year
    years = np.array([datetime.date.fromisoformat(d).toordinal() for d in dates]) / 365.25
    assert slope == pytest.approx(stats.linregress(years, x.ravel()).slope, rel=1e-6)
    assert np.isnan(temporal.statistics(x[:1], dates[:1], ["slope"])).all()


@pytest.mark.parametrize("peak", [0.0, 100.0, 300.0])
@pytest.mark.parametrize("outliers", [0, 3])
def test_waves_of_known_height_and_day(peak, outliers):
    dates = days(40)
    t = np.array([(datetime.date.fromisoformat(d) - datetime.date(2019, 1, 1)).days for d in dates])
    y = 0.4 + 0.2 * np.cos(2 * np.pi * (t - peak) / 365.25) + 0.05 * np.cos(4 * np.pi * (t - 30) / 365.25)
    y[[5, 17, 28][:outliers]] -= 0.5  # clouds that no mask saw
    found = temporal.statistics(y.reshape(-1, 1, 1), dates, ["amplitude1", "phase1", "amplitude2", "phase2"]).ravel()
    near = 0.02 if outliers else 1e-6
    assert found[0] == pytest.approx(0.2, abs=near) and found[2] == pytest.approx(0.05, abs=near)
    turned = (found[1] - peak + 182) % 365.25 - 182
    assert abs(turned) < (6 if outliers else 1e-3) and abs(found[3] - 30) < (12 if outliers else 1e-3)


def test_too_few_dates_have_no_wave_and_too_few_clear_ones_no_statistic():
    x = np.array([0.1, 0.2, np.nan, 0.4, 0.3]).reshape(5, 1, 1)
    assert np.isnan(temporal.statistics(x, days(5), ["amplitude1"])).all()
    count, mean = temporal.statistics(x, days(5), ["count", "mean"], minimum=5).ravel()
    assert count == 4 and np.isnan(mean)
    assert np.isnan(temporal.statistics(np.repeat(x, 4, axis=0), ["2020-05-01"] * 20, ["amplitude1"])).all()


def test_independent_of_blocks_and_named():
    generator = np.random.default_rng(1)
    grid = GeoBox((30, 41), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    x = generator.uniform(0, 1, (8, 2, 30, 41)).astype(np.float32)
    x[generator.random(x.shape) < 0.3] = np.nan
    for chunk in (7, 64):
        series = [raster.array(image, grid, ["NDVI", "B8"]).chunk({"y": chunk, "x": chunk}) for image in x]
        found = temporal.compute(series, days(8), ["p90", "phase1"], 3)
        assert found.band.values.tolist() == ["NDVI_p90", "NDVI_phase1", "B8_p90", "B8_phase1"]
        expected = [temporal.statistics(x[:, k], days(8), ["p90", "phase1"], 3) for k in range(2)]
        np.testing.assert_array_equal(found.compute().data, np.concatenate(expected))


@pytest.mark.parametrize("name", ["p101", "median", "P5", "p-1", ""])
def test_an_unknown_statistic_is_refused(name):
    assert not temporal.is_known(name)
    with pytest.raises(LulcError, match="no statistic"):
        temporal.statistics(np.ones((2, 1, 1)), days(2), [name])
    with pytest.raises(LulcError, match="one for each"):
        temporal.statistics(np.ones((2, 1, 1)), days(3), ["mean"])


@pytest.mark.parametrize("order", [1, 2])
def test_the_curve_is_the_wave_that_made_the_observations(order):
    dates = days(30, "2019-02-03", 11)
    january = datetime.date(2019, 1, 1)

    def wave(day):
        t = 2 * np.pi * (day - january).days / 365.25
        return 0.5 + 0.2 * np.cos(t - 1.3) + (order == 2) * 0.1 * np.cos(2 * t - 0.4)

    values = np.array([wave(datetime.date.fromisoformat(d)) for d in dates])
    values[[3, 11]] = np.nan
    values[7] = 0.9  # a cloud that the mask missed
    drawn, fitted = temporal.curve(values, dates, order)
    assert drawn[0].isoformat() == dates[0] and (drawn[-1] - drawn[0]).days > 300
    # Huber's weights damp what lies far off, they do not remove it.
    np.testing.assert_allclose(fitted, [wave(day) for day in drawn], atol=0.01)
    assert np.isnan(temporal.curve(values[:4], dates[:4], order)[1]).all()


@pytest.mark.parametrize("names", [["p50", "slope", "level", "count"], ["phase1", "amplitude2"]])
@pytest.mark.parametrize("minimum", [1, 8])
def test_so_many_dates_are_needed_and_no_fewer_do(names, minimum):
    for name in names:
        least = temporal.count_needed(name, names, minimum)
        for count in (least - 1, least):
            dates = [f"2021-{1 + k % 12:02}-{1 + 2 * k:02}" for k in range(count)]
            values = np.random.default_rng(1).random((count, 1, 1))
            found = temporal.statistics(values, dates, names, minimum)[names.index(name), 0, 0]
            assert np.isfinite(found) == (count == least or name == "count")
