"""Prediction: tiles leave no seams, and what has no data gets no class."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lulc_kit.deep import networks, prediction

SHAPE = (64, 96)


def network(filters=(4, 8), seed=1):
    keras.utils.set_random_seed(seed)
    return networks.fcn(np.zeros(2, np.float32), np.ones(2, np.float32), 3, filters)


def image(shape=SHAPE, seed=1):
    return np.random.default_rng(seed).normal(size=(2, *shape)).astype(np.float32)


def predictor(model, flips=False):
    """What a network says of features, (band, row, column)."""
    return lambda x: np.asarray(prediction.of_images([model], np.moveaxis(x, 0, -1), flips))


def test_nodata_in_is_nodata_out_and_only_there():
    x = image()
    x[0, 30:33, 40:44], x[1, 5, 6] = np.nan, np.inf
    found = predictor(network())(x)
    missing = ~np.isfinite(x).all(axis=0)
    assert np.isnan(found[:, missing]).all()
    assert found.shape == (3, *SHAPE)
    np.testing.assert_allclose(found[:, ~missing].sum(axis=0), 1, rtol=1e-5)


def test_one_network_predicts_images_of_any_sizes_one_after_the_other():
    model = network()
    one, other = predictor(model), predictor(model)
    large, small = image((90, 70)), image((20, 33))
    first = one(large)
    assert one(small).shape == (3, 20, 33)
    np.testing.assert_array_equal(other(large), first)
    np.testing.assert_array_equal(one(large), first)


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    tile=st.sampled_from([8, 16, 40]),
    margin=st.sampled_from([8, 32]),
)
@settings(max_examples=25, deadline=None)
def test_tiles_leave_no_seams_where_the_margin_covers_what_is_seen(height, width, tile, margin):
    x = np.random.default_rng(1).random((height, width, 2)).astype(np.float32)
    seen = 2 * margin + 1

    def mean(block):
        return ndimage.uniform_filter(block, (seen, seen, 0), mode="constant")

    def read(top, bottom, left, right):
        return x[top:bottom, left:right]

    sides = prediction.side_of(height, tile), prediction.side_of(width, tile)
    assert max(sides) <= tile
    found = np.asarray(prediction.lay_out(mean, read, (height, width), sides, margin, 2))
    found = np.moveaxis(found, 0, -1)
    around = np.pad(x, [(margin, margin)] * 2 + [(0, 0)], mode="symmetric")
    np.testing.assert_allclose(found, mean(around)[margin:-margin, margin:-margin], atol=1e-5)


@given(start=st.integers(-70, 5), length=st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_places_beyond_an_edge_are_mirrored_as_numpy_does(start, length):
    wanted = np.pad(np.arange(length), (70, 70), mode="symmetric")[start + 70 : start + 70 + length + 40]
    np.testing.assert_array_equal(prediction.mirror_places(start, start + len(wanted), length), wanted)


@pytest.mark.parametrize("filters", [(4,), (4, 8), (4, 8, 8)])
@pytest.mark.parametrize("flips", [False, True])
def test_tiles_of_a_network_equal_the_whole_image(filters, flips, monkeypatch):
    predict = predictor(network(filters), flips)
    x = image((80, 112))
    whole = predict(x)
    for tile in (16, 40):
        monkeypatch.setattr(prediction, "BLOCK", tile)
        np.testing.assert_allclose(predict(x), whole, atol=1e-5)


def test_with_too_small_a_margin_there_are_seams(monkeypatch):
    x = image((80, 112))
    whole = predictor(network())(x)
    monkeypatch.setattr(prediction, "BLOCK", 16)
    monkeypatch.setattr(prediction, "halo", lambda reach: 2)
    assert np.abs(predictor(network())(x) - whole).max() > 1e-4


@pytest.mark.parametrize(("reach", "margin"), [(0, 0), (2, 4), (8, 8), (26, 28), (33, 36)])
def test_margins_cover_the_reach_and_keep_tiles_on_the_poolings_grid(reach, margin):
    assert prediction.halo(reach) == margin


def test_flips_are_the_mean_of_four_and_do_not_care_how_the_image_lies():
    model = network()
    x = image((64, 64))
    plain, mean = predictor(model), predictor(model, flips=True)
    wanted = np.mean([np.flip(plain(np.flip(x, axes)), axes) for axes in ((), (1,), (2,), (1, 2))], axis=0)
    np.testing.assert_allclose(mean(x), wanted, atol=1e-5)
    np.testing.assert_allclose(mean(x[:, ::-1]), mean(x)[:, ::-1], atol=1e-5)
