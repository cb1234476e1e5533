"""Losses against NumPy and closed forms; what weighs nothing does not count."""

import keras
import numpy as np
import pytest

from lulc_kit.deep import losses


def batch(seed=1, count=4):
    generator = np.random.default_rng(seed)
    classes = generator.integers(0, count, (2, 5, 6)).astype(np.int32)
    probabilities = generator.dirichlet(np.ones(count), (2, 5, 6)).astype(np.float32)
    weights = (generator.random((2, 5, 6)) * (generator.random((2, 5, 6)) < 0.6)).astype(np.float32)
    return classes, probabilities, weights


def loss(name, smoothing, *arrays):
    classes, probabilities, weights = arrays
    return float(losses.Masked(name, smoothing)(classes, probabilities, weights))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_that_of_keras_and_of_numpy(smoothing):
    classes, p, w = batch()
    wanted = np.eye(4)[classes] * (1 - smoothing) + smoothing / 4
    each = -(wanted * np.log(p)).sum(axis=-1)
    assert loss("cross_entropy", smoothing, classes, p, w) == pytest.approx((each * w).sum() / w.sum(), rel=1e-5)
    keras_s = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing, reduction=None)(np.eye(4)[classes], p)
    found = float((np.asarray(keras_s) * w).sum() / w.sum())
    assert loss("cross_entropy", smoothing, classes, p, w) == pytest.approx(found, rel=1e-5)


def test_focal_is_that_of_keras_and_less_where_all_is_learnt():
    classes, p, w = batch()
    each = np.asarray(
        keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=2.0, reduction=None)(np.eye(4)[classes], p)
    )
    assert loss("focal", 0.0, classes, p, w) == pytest.approx(float((each * w).sum() / w.sum()), rel=1e-5)
    sure = np.eye(2, dtype=np.float32)[[[0]]] * 0.8 + 0.1  # p = 0.9: (1 − 0.9)² · −log 0.9
    one = np.ones((1, 1), np.float32)
    assert loss("focal", 0.0, np.zeros((1, 1), np.int32), sure, one) == pytest.approx(0.01 * -np.log(0.9), rel=1e-4)


def test_dice_in_closed_form():
    classes = np.array([[0, 0, 1, 2]], np.int32)
    p = np.array([[[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]], np.float32)
    w = np.array([[1, 1, 1, 0]], np.float32)
    # Class 0: 2·1.5 / (1.5 + 2); class 1: 2·1 / (1.5 + 1); class 2 weighs nothing and is not in the batch.
    assert loss("dice", 0.0, classes, p, w) == pytest.approx(1 - (3 / 3.5 + 2 / 2.5) / 2, rel=1e-5)


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_a_loss_of_perfect_probabilities_is_0_and_of_wrong_ones_is_the_most(name):
    classes, _, w = batch()
    right = np.eye(4, dtype=np.float32)[classes]
    wrong = np.eye(4, dtype=np.float32)[(classes + 1) % 4]
    assert loss(name, 0.0, classes, right, w) == pytest.approx(0, abs=1e-5)
    assert loss(name, 0.0, classes, wrong, w) > loss(name, 0.0, *batch()) > 0


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_what_weighs_nothing_does_not_count(name, smoothing):
    classes, p, w = batch()
    other, moved = np.where(w == 0, (classes + 1) % 4, classes), np.where(w[..., None] == 0, p[..., ::-1], p)
    assert loss(name, smoothing, other, moved, w) == pytest.approx(loss(name, smoothing, classes, p, w), rel=1e-6)
    counts = np.where(w > 0, (classes + 1) % 4, classes)
    assert abs(loss(name, smoothing, counts, p, w) - loss(name, smoothing, classes, p, w)) > 1e-3


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_neither_the_scale_of_weights_nor_of_probabilities_counts(name):
    """States of an LSTM do not add up to 1, and class weights have no unit."""
    classes, p, w = batch()
    assert loss(name, 0.0, classes, 0.3 * p, 7 * w) == pytest.approx(loss(name, 0.0, classes, p, w), rel=1e-5)


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_a_batch_without_labels_has_no_loss_and_no_gradient(name):
    classes, p, w = batch()
    assert loss(name, 0.0, classes, p, 0 * w) in (0.0, 1.0)
    image = keras.Input((5, 6, 4))
    model = keras.Model(image, keras.layers.Conv2D(4, 1, activation="softmax")(image))
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=losses.Masked(name))
    before = model.get_weights()
    model.train_on_batch(p, classes, 0 * w)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)
