"""Sequences: which dates, what a date hides, and what only time tells apart."""

import dask.array as da
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lulc_kit import classes, raster
from lulc_kit.deep import networks, patches, prediction, sequences, storage, training
from lulc_kit.deep.scene import Scene
from lulc_kit.deep.series import Series
from lulc_kit.errors import LulcError
from lulc_kit.layout import RunLayout
from tests.deep.series import BOX, DATES, SHAPE, series_of, truth
from tests.labelled import labelled

SCHEME = classes.scheme("forest")
FIXED, RANDOM = sequences.Choice(3, random=False), sequences.Choice(3, random=True, draws=3)


def fcn(mean=(0.3, 0.5), filters=4):
    keras.utils.set_random_seed(1)
    return networks.fcn(np.array(mean, np.float32), np.array([0.04, 0.04], np.float32), 2, [filters])


@given(count=st.integers(1, 60), data=st.data())
def test_fixed_dates_reach_from_the_first_to_the_last_evenly(count, data):
    length = data.draw(st.integers(1, count))
    found = sequences.choose_evenly(count, length)
    assert len(set(found)) == length
    steps = np.diff(found)
    assert found[0] == 0 and (length == 1 or found[-1] == count - 1)
    assert (steps > 0).all() and (length < 3 or steps.max() - steps.min() <= 1)


@given(count=st.integers(1, 60), seed=st.integers(0, 100), data=st.data())
def test_random_dates_are_in_order_and_none_twice(count, seed, data):
    length = data.draw(st.integers(1, count))
    found = sequences.draw(count, length, np.random.default_rng(seed))
    assert len(found) == length
    assert (np.diff(found) > 0).all()
    assert found.min() >= 0 and found.max() < count


def test_every_date_is_drawn_about_as_often():
    generator = np.random.default_rng(1)
    counts = np.bincount(np.concatenate([sequences.draw(10, 4, generator) for _ in range(2000)]))
    np.testing.assert_allclose(counts, 800, rtol=0.1)


def dated_patches(choice, seed=1, hidden=None):
    """Patches whose pixels hold the number of their date."""
    images = np.zeros((7, *SHAPE, 2), np.float32) + np.arange(7, dtype=np.float32)[:, None, None, None]
    if hidden is not None:
        images[hidden] = np.nan
    goals = patches.Targets(np.ones(SHAPE, np.uint8), np.array([0, 1], np.float32))

    def view(window):
        return np.zeros_like(window.images) + (window.days[:, None, None, None] - 1)

    days = [f"2020-01-{n:02}" for n in range(1, 8)]
    return sequences.SequencePatches(Series(images, days), view, choice, goals, 16, 2, seed, 6)


def drawn(data):
    for index in range(len(data)):
        images, _, weights = data[index]
        assert images.shape[1:] == (3, 16, 16, 2)
        assert (images == images[:1, :, :1, :1, :1]).all(), "one sequence for the whole batch"
        yield tuple(images[0, :, 0, 0, 0].astype(int)), weights


def test_random_sequences_are_drawn_anew_for_every_batch():
    data = dated_patches(RANDOM)
    found = [s for s, _ in drawn(data)]
    assert all(list(s) == sorted(set(s)) for s in found)
    assert len(set(found)) > len(found) / 2
    assert [s for s, _ in drawn(dated_patches(RANDOM))] == found, "the same seed, the same dates"


def test_fixed_sequences_are_always_the_same():
    data = dated_patches(FIXED)
    assert {s for _ in range(3) for s, _ in drawn(data)} == {(0, 3, 6)}


def test_a_pixel_that_no_date_of_a_sequence_shows_teaches_nothing():
    hidden = (np.isin(np.arange(7), [0, 3, 6])[:, None, None]) & (np.arange(48) < 24)[None, None]
    hidden = np.broadcast_to(hidden, (7, *SHAPE))
    fixed = dated_patches(FIXED, hidden=hidden)
    totals = [weights.mean() for _ in range(5) for _, weights in drawn(fixed)]
    assert 0.2 < np.mean(totals) < 0.8, "the hidden half weighs nothing"
    for chosen, weights in drawn(dated_patches(RANDOM, hidden=hidden)):
        assert weights.all() == (not set(chosen) <= {0, 3, 6})


def test_missing_numbers_become_what_the_network_subtracts():
    images = np.full((2, 3, 3, 2), 7, np.float32)
    images[0, 1, 1, 0] = images[1, 2, 2, 1] = np.nan
    filled = sequences.fill(images, fcn())
    assert filled[0, 1, 1].tolist() == pytest.approx([0.3, 7])
    assert filled[1, 2, 2].tolist() == pytest.approx([7, 0.5])
    assert np.isfinite(filled).all() and filled.dtype == np.float32


def test_what_is_filled_in_time_is_flagged_for_the_network(cube):
    """One band more, 1 where the mask hides the pixel; it counts, and batches turn it with the rest."""
    series = series_of(cube, ["B4", "B8"], gaps="linear")
    one = fcn()
    seen = np.stack([raster.read_codes(cube.mask(d)).to_numpy()[0] == 0 for d in DATES])
    found = sequences.view(one, True)(series.window(0, 32, 0, 48))
    assert found.shape == (7, *SHAPE, 3) and found.dtype == np.float32 and np.isfinite(found).all()
    np.testing.assert_array_equal(found[..., 2], ~seen)
    assert sequences.view(one, False)(series.window(0, 32, 0, 48)).shape == (7, *SHAPE, 2)
    goals = patches.Targets(np.ones(SHAPE, np.uint8), np.array([0, 1], np.float32))

    def marked(window):
        return np.concatenate([np.where(window.seen, 0, 5)[..., None], sequences.view(one, True)(window)[..., 1:]], -1)

    images, _, _ = sequences.SequencePatches(series, marked, RANDOM, goals, 16, 2, 1, 1)[0]
    np.testing.assert_array_equal(images[..., 0], 5 * images[..., 2])
    model = networks.fcn_lstm(one, 2, 16, True)
    part = found[None, :3, :16, :16]
    other = part.copy()
    other[..., 2] = 1 - other[..., 2]
    assert np.abs(np.asarray(model(part)) - np.asarray(model(other))).max() > 1e-4


@pytest.mark.parametrize("kind", ["fixed", "random"])
def test_a_filled_series_is_trained_stored_and_mapped(cube, kind, tmp_path):
    series = series_of(cube, ["B4", "B8"], gaps="linear")
    choice = sequences.Choice(3, random=kind == "random")
    fcns, tunes = [fcn(), fcn()], kind == "random"
    before = [[np.array(w) for w in one.get_weights()] for one in fcns]
    fit = training.Fit(3, 0.03, 2)
    models = sequences.train(scene(), series, fcns, 16, choice, fit, fine_tune=tunes).networks
    for model, weights in zip(models, before, strict=True):  # the FCN's own scores are made by its first layers
        pairs = zip(networks.scores_of(model).get_weights(), weights, strict=False)
        assert all(np.array_equal(a, b) for a, b in pairs) != tunes
    found = np.asarray(sequences.predict(series, models, fcns, choice, 1))
    assert found.shape == (4, *SHAPE) and np.isfinite(found).any()
    run = RunLayout(tmp_path, "lstm")
    storage.save(models, run)
    again = sequences.predict(series, storage.load(run), fcns, choice, 1)
    np.testing.assert_array_equal(again, found)


def scene():
    generator = np.random.default_rng(3)
    labels = np.where(generator.random(SHAPE) < 0.7, truth() + 1, 0).astype(np.uint8)
    fold = np.where(np.arange(48) < 24, 1, 2) * (labels > 0)
    block = np.kron(np.arange(1, 25).reshape(4, 6), np.ones((8, 8), int))
    folds = {"fold": fold, "block": block, "train_1": fold == 2, "train_2": fold == 1}
    features = raster.array(np.zeros((2, *SHAPE), np.float32), BOX, ["B4", "B8"]).chunk()
    return Scene(features, labelled(scheme=SCHEME, labels=labels, folds=folds, box=BOX))


def test_a_network_over_time_learns_what_no_single_date_tells(cube):
    series = series_of(cube, ["B4", "B8"])
    # Six of six seeds and initial weights learn it with these settings; a rate of 0.1 and four filters did not.
    choice, fit = sequences.Choice(5, random=False), training.Fit(steps=60, rate=0.02, batch=2)
    start = fcn(mean=(0.4, 0.4), filters=8)
    learnt = scene()
    with pytest.raises(LulcError, match="1 networks for 2 folds"):
        sequences.train(learnt, series, [fcn()], 16, choice, fit)
    learnt.trainable = learnt.trainable[:1]
    fcns = [start]
    trained = sequences.train(learnt, series, fcns, 16, choice, fit)
    models = trained.networks
    assert trained.log["step"].tolist() == [20, 40, 60]
    probabilities = np.asarray(sequences.predict(series, models, fcns, choice, 1))[None]
    assert probabilities.shape == (1, 2, *SHAPE)
    known = np.isfinite(probabilities).all(axis=(0, 1))
    np.testing.assert_allclose(probabilities[:, :, known].sum(axis=1), 1, rtol=1e-5)
    right = probabilities[0].argmax(axis=0) == truth()
    assert right[known & (np.arange(48) < 24)].mean() > 0.95, "on the half it has not seen"


def test_the_lstm_has_four_gates_in_each_direction_and_learns_alone_unless_the_fcn_is_tuned():
    def learnt(model):
        return sum(int(np.prod(w.shape)) for w in model.trainable_weights)

    hidden, classes = networks.HIDDEN, 2
    gates, scores = 4 * hidden * (9 * (classes + hidden) + 1), (2 * hidden + 1) * classes
    one = fcn()
    alone = learnt(networks.fcn_lstm(one, classes, 16))
    assert alone == 2 * gates + scores == 20_930
    convolutions = [layer for layer in one.layers if isinstance(layer, keras.layers.Conv2D)]
    tuned = learnt(networks.fcn_lstm(one, classes, 16, fine_tune=True))
    assert tuned == alone + sum(layer.count_params() for layer in convolutions)


def test_a_network_that_was_built_in_another_way_is_refused(monkeypatch):
    one = fcn()
    with monkeypatch.context() as earlier:
        earlier.setattr(networks, "HIDDEN", 2)
        model = networks.fcn_lstm(one, 2, 16)
    with pytest.raises(LulcError, match="earlier version of the kit.*Run 08_lstm again"):
        networks.resize(model, one, 32)


@pytest.mark.parametrize("kind", ["fixed", "random"])
def test_a_pixel_that_no_sequence_shows_has_no_class(cube, kind):
    series = series_of(cube, ["B4", "B8"])
    choice = sequences.Choice(3, random=kind == "random", draws=2)
    one = fcn()
    model = networks.fcn_lstm(one, 2, 16)
    found = np.asarray(sequences.predict(series, [model], [one], choice, 1))
    if kind == "fixed":
        choices = [[0, 3, 6]]
    else:
        generator = np.random.default_rng(1)
        choices = [sequences.draw(7, 3, generator) for _ in range(2)]
    seen = series.window(0, 32, 0, 48).seen
    shown = np.any([seen[c].any(axis=0) for c in choices], axis=0)
    assert not shown[:4, :4].any()
    assert shown[10:14, 20:24].any() == (kind == "random")
    np.testing.assert_array_equal(np.isfinite(found).all(axis=0), shown)
    assert np.isnan(found[:, ~shown]).all()
    np.testing.assert_array_equal(found, sequences.predict(series, [model], [one], choice, 1))


def test_probabilities_are_mapped_by_fold():
    probabilities = np.random.default_rng(1).random((3, 2, *SHAPE)).astype(np.float32)
    stack = sequences.as_stack(da.from_array(probabilities.reshape(6, *SHAPE)), 3, BOX)
    assert stack.odc.geobox == BOX
    for k, predict in enumerate(sequences.predictors(3, 2)):
        np.testing.assert_array_equal(predict(stack.to_numpy()), probabilities[k])


def test_classes_that_a_network_does_not_know_get_nothing():
    probabilities = np.random.default_rng(1).random((2, 2, *SHAPE)).astype(np.float32)
    probabilities[:, :, 3, 5] = np.nan
    second = sequences.predictors(2, 2, [1, None, 0])[1](probabilities.reshape(4, *SHAPE))
    np.testing.assert_array_equal(second[[2, 0]], probabilities[1])
    assert np.isnan(second[1, 3, 5]) and np.nansum(second[1]) == 0


@pytest.mark.parametrize("flips", [False, True])
def test_tiles_of_a_sequence_equal_the_whole_scene(cube, flips, monkeypatch):
    series = series_of(cube, ["B4", "B8"])
    choice, one = sequences.Choice(3, random=False), fcn()
    model = networks.fcn_lstm(one, 2, 16)
    whole = np.asarray(sequences.predict(series, [model], [one], choice, 1, flips))
    monkeypatch.setattr(prediction, "TILE", 8)
    np.testing.assert_allclose(sequences.predict(series, [model], [one], choice, 1, flips), whole, atol=1e-5)


def test_the_network_sees_a_pixel_farther_for_each_date():
    one = fcn()
    for layer in one.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.set_weights([np.abs(w) for w in layer.get_weights()])
    model = networks.fcn_lstm(one, 2, 32)
    farthest = networks.reach(one) + 3
    assert sequences.margin_of(one, FIXED) == 8 >= farthest
    x = np.full((2, 3, 32, 32, 2), 0.4, np.float32)
    x[1, :, 16, 16] += 1
    before, after = (np.asarray(model(one[None]))[0] for one in x)
    rows, columns = np.nonzero(np.abs(after - before).max(axis=-1) > 0)
    assert max(np.abs(rows - 16).max(), np.abs(columns - 16).max()) <= farthest
