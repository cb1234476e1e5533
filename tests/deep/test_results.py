"""What runs of networks read: the dates of the cube."""

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import params, raster
from lulc_kit.deep import results
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from lulc_kit.raster import writing

SHAPE = (32, 48)


BOX = GeoBox(SHAPE, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")


DATES = [f"2020-{m:02}-01" for m in range(1, 8)]


def series_of(layout, bands, dates=None, gaps="mean"):
    return results.read_series(layout, bands, params.LSTM(length=3, dates=dates, gaps=gaps))


def truth():
    """Squares of two classes, both dark in half of the dates: one is bright early, the other late."""
    return np.kron(np.random.default_rng(1).integers(0, 2, (4, 6)), np.ones((8, 8), int))


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    layout = Layout(tmp_path_factory.mktemp("study"))
    generator = np.random.default_rng(2)
    for i, date in enumerate(DATES):
        bright = (truth() == 0) == (i < 3)
        image = 0.2 + 0.4 * bright + generator.normal(0, 0.03, (2, *SHAPE))
        mask = np.where(generator.random(SHAPE) < 0.1, 2, 0)
        mask[:4, :4] = 2  # never clear
        mask[10:14, 20:24] = 2 if i in (0, 3, 6) else 0  # hidden on the dates of the fixed sequence
        layer = raster.array(image.astype(np.float32), BOX, ["B4", "B8"])
        writing.write_all(
            [
                writing.reflectance(layout.image(date), layer),
                writing.Output(
                    layout.mask(date), raster.array(mask[None].astype(np.uint8), BOX, ["mask"]), "uint8", None
                ),
            ]
        )
    return layout


def test_series_reads_the_clear_pixels_of_the_dates_wanted(cube):
    series = series_of(cube, ["B8"], ["2020-02-01", "2020-05-31"])
    assert series.dates == DATES[1:5]
    assert series.images.shape == (4, *SHAPE, 1)
    assert np.isnan(series.images[:, :4, :4]).all()
    for i, date in enumerate(series.dates):
        mask = raster.read_codes(cube.mask(date)).to_numpy()[0]
        values = raster.read(cube.image(date), ["B8"]).to_numpy()[0]
        np.testing.assert_array_equal(series.seen[i], mask == 0)
        np.testing.assert_array_equal(series.images[i, ..., 0], np.where(mask == 0, values, np.nan))
        assert series.clear_parts()[i] == pytest.approx((mask == 0).mean())


def test_series_filled_in_time_still_knows_what_was_seen(cube):
    plain = series_of(cube, ["B4", "B8"])
    filled = series_of(cube, ["B4", "B8"], gaps="linear")
    np.testing.assert_array_equal(filled.seen, plain.seen)
    np.testing.assert_array_equal(filled.images[filled.seen], plain.images[plain.seen])
    ever = plain.seen.any(axis=0)
    assert np.isfinite(filled.images[:, ever]).all() and np.isnan(filled.images[:, ~ever]).all()
    days = np.array(DATES, "datetime64[D]").astype(float)
    seen = plain.seen[:, 12, 21]
    assert not seen[3], "hidden on this date"
    expected = np.interp(days, days[seen], plain.images[seen, 12, 21, 1])
    np.testing.assert_allclose(filled.images[:, 12, 21, 1], expected, atol=1e-6)


def test_too_few_dates_are_refused(cube):
    with pytest.raises(LulcError, match=r"needs 3 dates, and the cube has 2"):
        series_of(cube, ["B4"], ["2020-02-01", "2020-03-31"])
