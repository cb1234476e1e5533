"""The networks: shapes, standardization within, and what the FCN+LSTM takes over from the FCN."""

import os

import keras
import numpy as np
import pytest
from scipy import ndimage
from scipy.special import softmax

from lulc_kit import deep, params
from lulc_kit.deep import networks, prediction, storage
from lulc_kit.layout import RunLayout

MEAN, VARIANCE = np.array([0.2, 50.0], np.float32), np.array([0.01, 400.0], np.float32)


def images(count=2, side=16, seed=1):
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(count, side, side, 2)) * np.sqrt(VARIANCE) + MEAN).astype(np.float32)


def network(filters=(4, 8), mean=MEAN, variance=VARIANCE, seed=1):
    keras.utils.set_random_seed(seed)
    return networks.fcn(mean, variance, 3, filters)


@pytest.mark.parametrize("filters", [(4,), (4, 8), (4, 8, 8)])
def test_fcn_gives_probabilities_for_any_multiple_of_its_stride(filters):
    stride = 2 ** (len(filters) - 1)
    for rows, columns in ((stride * 4, stride * 5), (stride * 8, stride * 4)):
        model = network(filters)
        x = np.zeros((1, rows, columns, 2), np.float32) + MEAN
        found = np.asarray(model(x))
        assert found.shape == (1, rows, columns, 3)
        np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-5)
        assert (found >= 0).all()


def test_fcn_standardizes_its_input_itself():
    own, bare = network(), network(mean=np.zeros(2, np.float32), variance=np.ones(2, np.float32))
    x = images()
    np.testing.assert_allclose(np.asarray(own(x)), np.asarray(bare((x - MEAN) / np.sqrt(VARIANCE))), atol=1e-5)


def test_lstm_scores_each_date_by_the_trained_fcn():
    fcn = network()
    model = networks.fcn_lstm(fcn, 3, 16)
    scores = model.get_layer(index=1).layer
    x = images()
    np.testing.assert_allclose(np.asarray(keras.ops.softmax(scores(x))), np.asarray(fcn(x)), atol=1e-6)


def test_lstm_is_bidirectional_over_any_number_of_dates():
    model = networks.fcn_lstm(network(), 3, 16)
    joint = model.get_layer(networks.JOINT)
    assert isinstance(joint, keras.layers.Bidirectional)
    lstm = joint.forward_layer
    assert (lstm.filters, lstm.kernel_size, lstm.activation) == (networks.HIDDEN, (3, 3), keras.activations.tanh)
    for dates in (2, 5):
        found = np.asarray(model(np.stack([images(1, seed=d)[0] for d in range(dates)])[None]))
        assert found.shape == (1, 16, 16, 3)
        assert (found > 0).all()


def test_lstm_with_both_directions_alike_does_not_care_which_way_time_runs():
    model = networks.fcn_lstm(network(), 3, 16)
    joint = model.get_layer(networks.JOINT)
    joint.backward_layer.set_weights(joint.forward_layer.get_weights())
    scores = model.get_layer(networks.SCORES)
    kernel, bias = scores.get_weights()  # the first half weighs the one direction's states, the second the other's
    scores.set_weights([np.tile(kernel[: networks.HIDDEN], (2, 1)), bias])
    x = np.stack([images(1, seed=d)[0] for d in range(4)])[None]
    np.testing.assert_allclose(np.asarray(model(x)), np.asarray(model(x[:, ::-1])), atol=1e-6)
    shuffled = np.asarray(model(x[:, [1, 0, 3, 2]]))
    assert np.abs(np.asarray(model(x)) - shuffled).max() > 1e-5, "but it does care about the order"


def test_lstm_of_another_side_has_the_same_weights_and_says_the_same_inside():
    fcn = network((4,))  # sees 2 pixels around, and the ConvLSTM 1 more for each of 2 dates and its own state
    model = networks.fcn_lstm(fcn, 3, 16)
    large = networks.resize(model, fcn, 32)
    x = np.stack([images(1, side=32, seed=d)[0] for d in range(2)])[None]
    inside = np.asarray(large(x))[:, 8:24, 8:24]
    cut = np.asarray(model(x[:, :, 8:24, 8:24]))
    assert inside.shape == cut.shape
    np.testing.assert_allclose(inside[:, 6:-6, 6:-6], cut[:, 6:-6, 6:-6], atol=1e-6)


def test_stored_and_loaded_networks_predict_the_same(tmp_path):
    fcns = [network(seed=s) for s in (1, 2)]
    stored, joined = RunLayout(tmp_path, "fcn"), RunLayout(tmp_path, "lstm")
    storage.save(fcns, stored)
    lstm = networks.fcn_lstm(fcns[0], 3, 16)
    storage.save([lstm], joined)
    assert sorted(p.name for p in stored.models.iterdir()) == ["fold_1.keras", "fold_2.keras"]
    x = images()
    for before, after in zip(fcns, storage.load(stored), strict=True):
        np.testing.assert_array_equal(np.asarray(before(x)), np.asarray(after(x)))
    loaded = storage.load(stored)
    with_nan = np.moveaxis(x[0], -1, 0).copy()
    with_nan[0, 2, 3] = np.nan
    for before, after in zip(fcns, loaded, strict=True):
        image = np.moveaxis(with_nan, 0, -1)
        np.testing.assert_array_equal(prediction.of_images([before], image), prediction.of_images([after], image))
    (after,) = storage.load(joined)
    np.testing.assert_array_equal(np.asarray(lstm(x[None])), np.asarray(after(x[None])))


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_folded_networks_say_the_same_with_fewer_layers(name):
    keras.utils.set_random_seed(1)
    mean, variance = np.array([3, -2], np.float32), np.array([4, 0.25], np.float32)
    model = networks.NETWORKS[name](mean, variance, 3, [4, 8], 0.2)
    generator = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.center:
            layer.set_weights([generator.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    networks.set_temperature(model, 2.5)
    quick = networks.fuse(model)
    x = generator.normal([3, -2], [2, 0.5], (2, 16, 24, 2)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(quick(x)), np.asarray(model(x)), atol=1e-6)
    norms = [layer.name for layer in quick.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert norms == [networks.STANDARDIZE, networks.TEMPERATURE]
    assert networks.reach(quick) == networks.reach(model)


def test_what_the_libraries_say_while_they_load_is_not_heard_and_all_else_is(capfd):
    with deep._silent():
        os.write(2, b"from C++ ")
    os.write(2, b"from afterwards")
    assert capfd.readouterr().err == "from afterwards"
    with pytest.raises(ImportError, match="broken"), deep._silent():
        raise ImportError("broken")
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def test_mlp_is_dense_layers_on_single_pixels():
    keras.utils.set_random_seed(1)
    model = networks.mlp(MEAN, VARIANCE, 3, (7, 5))
    assert trainable(model) == 2 * 7 + 2 * 7 + 7 * 5 + 2 * 5 + (5 + 1) * 3
    x = images(side=6)
    first, second = (layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D) and not layer.use_bias)
    score, bias = model.get_layer(networks.SCORES).get_weights()
    pixels = (x.reshape(-1, 2) - MEAN) / np.sqrt(VARIANCE)
    for layer in (first, second):  # its normalization starts as none, but for Keras' 1e-3
        pixels = np.maximum(pixels @ layer.get_weights()[0][0, 0] / np.sqrt(1 + 1e-3), 0)
    expected = softmax(pixels @ score[0, 0] + bias, axis=-1)
    np.testing.assert_allclose(np.asarray(model(x)).reshape(-1, 3), expected, atol=1e-5)


def test_fcn_light_convolves_with_ever_wider_steps():
    keras.utils.set_random_seed(1)
    assert trainable(networks.fcn_light(MEAN, VARIANCE, 3, (4, 5, 6))) == (
        9 * (2 * 4 + 4 * 5 + 5 * 6) + 2 * (4 + 5 + 6) + (6 + 1) * 3
    )
    model = networks.fcn_light(MEAN, VARIANCE, 3, (1, 1, 1))
    kernels = [layer.get_weights()[0] for layer in model.layers if isinstance(layer, keras.layers.Conv2D)][:3]
    x = images(1, side=15)
    levels = np.moveaxis((x[0] - MEAN) / np.sqrt(VARIANCE), -1, 0)
    for kernel, step in zip(kernels, (1, 2, 4), strict=True):
        wide = np.zeros((kernel.shape[2], 2 * step + 1, 2 * step + 1))
        wide[:, ::step, ::step] = np.moveaxis(kernel[..., 0], -1, 0)
        sums = sum(ndimage.correlate(a, b, mode="constant") for a, b in zip(levels, wide, strict=True))
        levels = np.maximum(sums, 0)[None] / np.sqrt(1 + 1e-3)  # its normalization starts as none, but for the 1e-3
    assert (levels > 0).mean() > 0.1
    found = keras.Model(model.input, model.get_layer(networks.SCORES).input)(x)
    np.testing.assert_allclose(np.asarray(found)[0, ..., 0], levels[0], atol=1e-5)


@pytest.mark.parametrize("name", list(networks.NETWORKS))
@pytest.mark.parametrize("filters", [(3,), (3, 3), (3, 3, 3)])
def test_the_network_sees_as_far_as_its_parameters_say(filters, name):
    """Pixels are changed one after the other; how far from them does the result change? All phases of the poolings."""
    reach = params.FCN.check({"network": name, "filters": list(filters)}, "a test").reach
    side = -(-(2 * reach + 9) // 4) * 4
    keras.utils.set_random_seed(1)
    model = networks.NETWORKS[name](MEAN, VARIANCE, 3, filters)
    for layer in model.layers:  # nothing cancels out, and no pixel is silent
        if isinstance(layer, keras.layers.Conv2D):
            layer.set_weights([np.abs(w) for w in layer.get_weights()])
    scores = keras.Model(model.input, model.get_layer(networks.SCORES).output)
    farthest = 0
    for middle in range(side // 2 - 2, side // 2 + 2):
        x = np.ones((2, side, side, 2), np.float32) * MEAN + 1
        x[1, middle, middle] += 1000
        before, after = (np.asarray(scores(one[None]))[0] for one in x)  # of a batch, roundings differ
        rows, columns, _ = np.nonzero(np.abs(after - before) > 1e-9 * np.abs(before))
        farthest = max(farthest, np.abs(rows - middle).max(), np.abs(columns - middle).max())
    assert farthest == networks.reach(model) == reach


def test_reach_knows_dilation_and_poolings_without_way_back():
    image = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(2, 3, padding="same", dilation_rate=4)(image)
    x = keras.layers.DepthwiseConv2D(5, padding="same")(keras.layers.ReLU()(x))
    x = keras.layers.Conv2D(1, 1)(x)
    model = keras.Model(image, x)
    for layer in model.layers[1:]:
        layer.set_weights([np.abs(w) + 0.01 for w in layer.get_weights()])
    point = np.zeros((1, 33, 33, 1), np.float32)
    point[0, 16, 16] = 1
    answer = np.asarray(model(point) - model(0 * point))
    rows, _ = np.nonzero(np.abs(answer[0, ..., 0]) > 1e-9)
    assert np.abs(rows - 16).max() == networks.reach(model) == 4 + 2


def test_the_temperature_divides_the_scores_and_is_stored(tmp_path):
    model, x = network(), images()
    scores = np.asarray(keras.Model(model.input, model.get_layer(networks.SCORES).output)(x))
    np.testing.assert_allclose(np.asarray(model(x)), np.asarray(keras.ops.softmax(scores)), atol=1e-6)
    networks.set_temperature(model, 2.5)
    np.testing.assert_allclose(np.asarray(model(x)), np.asarray(keras.ops.softmax(scores / 2.5)), atol=1e-6)
    storage.save([model], RunLayout(tmp_path, "fcn"))
    (again,) = storage.load(RunLayout(tmp_path, "fcn"))
    assert networks.temperature_of(again) == pytest.approx(2.5)
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(model(x)))


def test_dropout_drops_in_training_only():
    keras.utils.set_random_seed(1)
    model = networks.fcn(MEAN, VARIANCE, 3, (4, 8), dropout=0.5)
    x = images()
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(model(x)))
    drop = [layer for layer in model.layers if isinstance(layer, keras.layers.SpatialDropout2D)]
    assert [layer.rate for layer in drop] == [0.5, 0.5]
