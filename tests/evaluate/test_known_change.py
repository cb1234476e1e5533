"""The known change of the simulated land, as a transition matrix and for a rule that looks at NDVI alone."""

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes, raster
from lulc_kit.evaluate import change
from lulc_kit.simulated import landscape, phenology

SIZE = 258
SCHEME = classes.scheme("workflow")
BOX = GeoBox((SIZE, SIZE), from_origin(500_000, 5_900_000, 10, 10), "EPSG:32633")


@pytest.fixture(scope="module")
def covers():
    """Covers of both years, one cell of 5 m for each pixel of 10 m."""
    plans = [landscape.make_plan(SIZE, SIZE, SIZE, seed=3, later=later) for later in (False, True)]
    return [landscape.paint(plan, 0, SIZE, SIZE).covers[::2, ::2] for plan in plans]


def compared(before, after):
    maps = [raster.array(phenology.COVER_CLASS[c][None], BOX, ["class"]) for c in (before, after)]
    return change.compare(*maps, (SCHEME, SCHEME), ("now", "later"))


def test_two_true_maps_give_the_known_transitions(covers):
    found = compared(*covers)
    before, after = (phenology.COVER_CLASS[c] for c in covers)
    expected = np.array([[((before == i) & (after == j)).sum() for j in SCHEME.values] for i in SCHEME.values])
    np.testing.assert_array_equal(found.counts, expected)
    assert found.changed == pytest.approx((before != after).mean()) and 0.05 < found.changed < 0.2
    happened = {(SCHEME.names[i], SCHEME.names[j]) for i, j in np.argwhere(found.counts) if i != j}
    assert happened == {("Farmland", "Build-up"), ("Farmland", "Meadow"), ("Forest", "Other land")}
    balance = found.balance()
    assert balance.loc["Water", "net"] == 0 and balance.loc["Forest", "gain"] == 0
    assert balance.loc["Forest", "loss"] == pytest.approx(found.transitions().loc["Forest", "Other land"])


def test_a_difference_of_ndvi_takes_other_crops_for_change(covers):
    """On the pure spectra of June, without noise or cloud, no threshold comes near: fields bear other crops."""
    table = phenology.spectra(165)
    red, infrared = (table[:, phenology.BANDS.index(band)] for band in ("B4", "B8"))
    ndvi = (infrared - red) / (infrared + red)
    difference = np.abs(ndvi[covers[1]] - ndvi[covers[0]])
    true = phenology.COVER_CLASS[covers[0]] != phenology.COVER_CLASS[covers[1]]
    scores = []
    for threshold in np.linspace(0.02, 0.9, 45):
        said = difference > threshold
        right = (said & true).sum()
        scores.append(2 * right / max(1, said.sum() + true.sum()))
    assert 0.2 < max(scores) < 0.7
