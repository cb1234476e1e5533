"""Networks of dates over a series: what they are shown, what they learn and map, and where they look."""

import numpy as np
import pandas as pd
import pytest

from lulc_kit import classes, params, raster
from lulc_kit.deep import dated, networks, prediction, results, sequences, storage, temporal, training
from lulc_kit.deep.scene import Scene
from lulc_kit.layout import RunLayout
from tests.deep.series import BOX, DATES, SHAPE, series_of, truth
from tests.labelled import labelled

SCHEME = classes.scheme("forest")
BANDS = ["B4", "B8"]
NAMES = list(temporal.TEMPORAL)


def scene():
    generator = np.random.default_rng(3)
    labels = np.where(generator.random(SHAPE) < 0.7, np.array(SCHEME.values)[truth()], 0).astype(np.uint8)
    fold = np.where(np.arange(48) < 24, 1, 2) * (labels > 0)
    folds = {"fold": fold, "train_1": fold == 2, "train_2": fold == 1, "block": np.zeros(SHAPE)}
    features = raster.array(np.zeros((2, *SHAPE), np.float32), BOX, BANDS).chunk()
    return Scene(features, labelled(scheme=SCHEME, labels=labels, folds=folds, box=BOX))


def seen_in(cube):
    return np.stack([raster.read_codes(cube.mask(d)).to_numpy()[0] == 0 for d in DATES])


def network(name, seed=1):
    import keras

    keras.utils.set_random_seed(seed)
    return temporal.TEMPORAL[name](np.full(2, 0.4, np.float32), np.full(2, 0.04, np.float32), 2, 3)


def test_a_network_is_told_what_is_seen_and_the_day_of_the_year(cube):
    series, seen = series_of(cube, BANDS), seen_in(cube)
    whole = series.window(0, 32, 0, 48)
    found = dated.view(whole)
    assert found.shape == (7, *SHAPE, 4) and found.dtype == np.float32 and np.isfinite(found).all()
    np.testing.assert_array_equal(found[..., 2], seen)
    assert found[:, 3, 5, 3].tolist() == [pd.Timestamp(d).dayofyear for d in DATES] == found[:, 9, 0, 3].tolist()
    np.testing.assert_array_equal(found[seen][:, :2], whole.images[seen])
    assert (found[~seen][:, :2] == 0).all()
    filled = dated.view(series_of(cube, BANDS, gaps="linear").window(0, 32, 0, 48))
    np.testing.assert_array_equal(filled[..., 2], np.broadcast_to(seen.any(axis=0), seen.shape))
    assert (filled[:, :4, :4, :3] == 0).all(), "nothing is there where no date shows anything"


def test_statistics_are_those_of_what_is_seen_of_the_pixels_that_teach(cube, monkeypatch):
    series = series_of(cube, BANDS)
    images = series.window(0, 32, 0, 48).images
    teaches = np.random.default_rng(1).random(SHAPE) < 0.3
    monkeypatch.setattr(dated, "ROWS", 16)
    mean, variance = dated.statistics(series, teaches)
    pixels = np.concatenate([images[t][teaches & seen] for t, seen in enumerate(seen_in(cube))])[:, :2]
    np.testing.assert_allclose(mean, pixels.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(variance, pixels.var(axis=0), rtol=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_they_learn_what_no_single_date_tells_and_map_it(name, cube, tmp_path):
    """Trained on the right half, judged on the left one, with all that training does: validation, jitter, storage."""
    series, learnt = series_of(cube, BANDS), scene()
    choice = sequences.Choice(5, random=True, draws=3)
    fit = training.Fit(steps=60, rate=0.01, batch=2, share=0.0, jitter=0.05)
    learnt.trainable = learnt.trainable[:1]
    run = RunLayout(tmp_path, name)
    trained = dated.train(learnt, series, name, 16, choice, fit, store=run)
    found = np.asarray(dated.predict(series, trained.networks, choice, 1))[None]
    assert found.shape == (1, 2, *SHAPE)
    known = np.isfinite(found).all(axis=(0, 1))
    np.testing.assert_allclose(found[:, :, known].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(known, seen_in(cube).any(axis=0) & known)
    assert not known[:4, :4].any(), "no date shows the corner"
    right = found[0].argmax(axis=0) == truth()
    assert right[known & (np.arange(48) < 24)].mean() > 0.95
    storage.save(trained.networks, run)
    np.testing.assert_array_equal(dated.predict(series, storage.load(run), choice, 1), found[0])


@pytest.mark.parametrize("name", NAMES)
def test_inner_validation_sees_the_fixed_sequence(name, cube):
    series, learnt = series_of(cube, BANDS), scene()
    learnt.trainable = learnt.trainable[:1]
    learnt.blocks = np.kron(np.arange(24).reshape(4, 6) + 1, np.ones((8, 8), int))
    trained = dated.train(
        learnt, series, name, 16, sequences.Choice(3, True), training.Fit(steps=20, rate=0.01, batch=1)
    )
    assert np.isfinite(trained.log["validation_f1"]).all()
    assert networks.temperature_of(trained.networks[0]) != 1


@pytest.mark.parametrize("name", NAMES)
def test_tiles_of_a_network_equal_the_whole_image(name, cube, monkeypatch):
    series, choice = series_of(cube, BANDS), sequences.Choice(3, random=False)
    models = [network(name)]
    whole = np.asarray(dated.predict(series, models, choice, 1))
    monkeypatch.setattr(prediction, "TILE", 16)
    np.testing.assert_allclose(dated.predict(series, models, choice, 1), whole, atol=1e-5)


def test_the_mean_over_flips_is_that_of_a_pixel_where_only_pixels_count(cube):
    series, choice = series_of(cube, BANDS), sequences.Choice(3, random=True, draws=2)
    models = [network("ltae"), network("ltae", 2)]
    plain, flipped = (np.asarray(dated.predict(series, models, choice, 1, flips)) for flips in (False, True))
    np.testing.assert_allclose(flipped, plain, atol=1e-6)
    assert np.nanmax(np.abs(plain[:2] - plain[2:])) > 1e-3


@pytest.mark.parametrize("name", ["ltae", "utae"])
def test_untrained_keys_that_say_nothing_give_all_dates_an_even_share(name, cube):
    series, model = series_of(cube, BANDS), network(name)
    labels = np.array(SCHEME.values, np.uint8)[truth()]
    named = dict(zip(SCHEME.names, SCHEME.values, strict=True))
    uneven = dated.attention(series, [model], labels, named)
    keys = model.get_layer("keys")
    keys.set_weights([0 * w for w in keys.get_weights()])
    found = dated.attention(series, [model], labels, named)
    assert found.index.tolist() == DATES and found.columns.tolist() == list(SCHEME.names)
    np.testing.assert_allclose(found, 1, atol=1e-5)
    assert (uneven - 1).abs().to_numpy().max() > 0.01


def test_attention_is_that_of_each_class_and_of_what_is_seen(cube, monkeypatch):
    """A network that looks at dates as much as they are bright, against a table of all pixels and dates."""
    series, seen = series_of(cube, BANDS), seen_in(cube)
    monkeypatch.setattr(temporal, "attention", lambda model: model)

    def bright(shown):
        numbers = np.where(shown[..., -2] > 0, np.maximum(shown[..., 0], 1e-3), 0)
        return (numbers / np.maximum(numbers.sum(axis=0), 1e-9))[..., None]

    monkeypatch.setattr(prediction, "Asked", lambda model: bright)
    labels = np.array(SCHEME.values, np.uint8)[truth()]
    labels[:, 40:] = 0
    found = dated.attention(series, [None], labels, dict(zip(SCHEME.names, SCHEME.values, strict=True)))
    time, row, column = np.nonzero(seen & (labels > 0))
    table = pd.DataFrame({"date": np.array(DATES)[time], "class": labels[row, column], "pixel": 1000 * row + column})
    table["bright"] = np.maximum(series.window(0, 32, 0, 48).images[time, row, column, 0], 1e-3)
    pixels = table.groupby("pixel")["bright"]
    table["share"] = table["bright"] / pixels.transform("mean")  # n · b / Σb
    expected = table.pivot_table("share", "date", "class")
    np.testing.assert_allclose(found, expected[list(SCHEME.values)], rtol=1e-4)
    one, other = SCHEME.names
    assert (found[one][:3] > found[other][:3]).all() and (found[one][3:] < found[other][3:]).all()


@pytest.mark.parametrize("name", ["fcn_lstm", *NAMES])
def test_only_networks_that_look_at_dates_have_attention_to_show(name, cube):
    p = params.LSTM(network=name, length=3, dates=None)
    labels = np.array(SCHEME.values, np.uint8)[truth()]
    samples = labelled(scheme=SCHEME, labels=labels, folds={"fold": labels}, box=BOX)
    models = [] if name == "fcn_lstm" else [network(name)]
    found = results.attention(training.Trained(models, pd.DataFrame(), [1], [[1]]), series_of(cube, BANDS), samples, p)
    assert (found is None) == (name in ("fcn_lstm", "tempcnn"))
