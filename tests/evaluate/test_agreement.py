"""Two maps compared: scikit-learn's matrix, values by hand, whatever the blocks."""

import dask.array as da
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from sklearn.metrics import confusion_matrix

from lulc_kit import classes, raster
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import agreement
from lulc_kit.evaluate.agreement import Agreement

SCHEME = classes.scheme("workflow").subset([1, 3, 5])
SHAPE = (50, 70)
BOX = GeoBox(SHAPE, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")


def maps():
    generator = np.random.default_rng(1)
    ours = generator.choice([0, 1, 3, 5], SHAPE, p=[0.1, 0.3, 0.4, 0.2]).astype(np.uint8)
    other = np.where(generator.random(SHAPE) < 0.7, ours, generator.choice([0, 1, 3, 5], SHAPE)).astype(np.uint8)
    return ours, other


@pytest.mark.parametrize("chunk", [70, 16])
def test_the_matrix_is_that_of_pixels_with_a_class_in_both(chunk):
    ours, other = maps()
    found = agreement.count(da.from_array(ours, chunk), da.from_array(other, chunk), SCHEME.values)
    both = (ours > 0) & (other > 0)
    np.testing.assert_array_equal(found, confusion_matrix(ours[both], other[both], labels=SCHEME.values))
    codes = raster.array(da.from_array(ours[None], (1, chunk, chunk)), BOX, ["class"])
    layer = agreement.layer(codes, da.from_array(other, 33)).data[0].compute()
    assert (layer == 1).sum() == np.trace(found) and (layer == 2).sum() == found.sum() - np.trace(found)
    np.testing.assert_array_equal(layer == 0, ~both)


def test_parts_and_shares_are_those_of_the_matrix():
    found = Agreement("esri", "rf", np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]]))
    table = found.table(SCHEME)
    assert table.loc["Build-up"].tolist() == pytest.approx([0.8, 8 / 9, 0.5, 0.45])
    assert table.loc["Forest"].tolist() == pytest.approx([0.9, 9 / 11, 0.5, 0.55])
    plain = found.to_dict(SCHEME)
    assert plain["same"] == 0.85 and plain["pixels"] == 20
    assert plain["classes"]["Water"] == {"of ours": None, "of theirs": None, "our share": 0, "their share": 0}


def test_maps_that_share_no_pixel_agree_on_nothing():
    assert Agreement("x", "rf", np.zeros((3, 3), int)).to_dict(SCHEME)["same"] == 0


def test_values_and_ranges_mean_classes():
    numbers = np.array([[10, 10.5, 11], [50, 79, 80], [np.nan, 0, 255]])
    values = {"Forest": [[10, 11]], "Water": [80], "Build-up": [50, 79]}
    found = agreement.translate(numbers, values, SCHEME)
    assert found.tolist() == [[3, 3, 3], [1, 1, 5], [0, 0, 0]]


def test_values_in_quotes_are_numbers_or_refused():
    forest = classes.scheme("forest")
    assert agreement.translate(np.array([1, 2]), {"Forest": ["01"]}, forest).tolist() == [1, 0]
    with pytest.raises(LulcError, match="'oak' is no number, and a map holds numbers"):
        agreement.translate(np.array([1, 2]), {"Forest": ["oak"]}, forest)
