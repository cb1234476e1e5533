"""Patches: what must not teach weighs nothing, and turning moves pixels without making new labels."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lulc_kit.deep import patches
from lulc_kit.errors import LulcError

VALUES = (1, 3, 5)


def scene(seed=1, shape=(40, 56)):
    generator = np.random.default_rng(seed)
    labels = generator.choice(np.array([0, 1, 3, 5], np.uint8), shape, p=[0.4, 0.4, 0.15, 0.05])
    return labels, generator.random(shape) < 0.7, generator.random(shape) < 0.9


@given(st.integers(0, 500))
@settings(max_examples=30, deadline=None)
def test_targets_weigh_classes_by_one_over_n_with_mean_one_and_all_else_zero(seed):
    labels, trainable, valid = scene(seed)
    found = patches.targets(labels, trainable, valid, VALUES)
    teach = trainable & valid & (labels > 0)
    assert (found.weights[~teach] == 0).all()
    assert found.weights[teach].mean() == pytest.approx(1, rel=1e-5)
    totals = [found.weights[teach & (labels == v)].sum() for v in VALUES]
    np.testing.assert_allclose(totals, teach.sum() / 3, rtol=1e-5)
    for position, value in enumerate(VALUES):
        members = teach & (labels == value)
        assert len(np.unique(found.weights[members])) == 1
        assert (found.classes[members] == position).all()
    assert found.classes.min() == 0 and found.classes.max() == 2


def test_labels_that_must_not_teach_cannot_be_told_from_the_targets():
    labels, trainable, valid = scene()
    hidden = ~(trainable & valid)
    other = np.where(hidden, np.random.default_rng(9).permutation(labels.ravel()).reshape(labels.shape), labels)
    assert (other != labels).sum() > 100
    one, two = (patches.targets(x, trainable, valid, VALUES) for x in (labels, other))
    np.testing.assert_array_equal(one.classes, two.classes)
    np.testing.assert_array_equal(one.weights, two.weights)


def test_a_class_without_a_pixel_to_learn_from_is_refused():
    labels, trainable, valid = scene()
    with pytest.raises(LulcError, match="class 5"):
        patches.targets(labels, trainable & (labels != 5), valid, VALUES)


def small_network():
    keras.utils.set_random_seed(1)
    image = keras.Input((None, None, 2))
    model = keras.Model(image, keras.layers.Conv2D(3, 3, padding="same", activation="softmax")(image))
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=keras.losses.SparseCategoricalCrossentropy())
    return model


def test_what_weighs_nothing_changes_neither_loss_nor_gradient():
    generator = np.random.default_rng(1)
    images = generator.normal(size=(4, 16, 16, 2)).astype(np.float32)
    classes = generator.integers(0, 3, (4, 16, 16)).astype(np.int32)
    weights = (generator.random((4, 16, 16)) < 0.5).astype(np.float32) * 1.7
    changed = np.where(weights == 0, (classes + 1) % 3, classes)
    weighed = np.where(weights > 0, (classes + 1) % 3, classes)
    losses, kernels = [], []
    for y in (classes, changed, weighed):
        model = small_network()
        losses.append(float(model.test_on_batch(images, y, weights)))
        model.train_on_batch(images, y, weights)
        kernels.append(model.get_weights()[0])
    assert losses[0] == losses[1] != losses[2]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.abs(kernels[0] - kernels[2]).max() > 1e-4


def numbered(shape=(40, 56), patch=16, batch=5, seed=3):
    """A data set whose image is the number of each pixel, so that every move of a pixel can be followed."""
    labels, trainable, valid = scene(1, shape)
    goals = patches.targets(labels, trainable, valid, VALUES)
    image = np.arange(labels.size, dtype=np.float32).reshape(*shape, 1)

    def read(row, column):
        return image[row : row + patch, column : column + patch]

    return goals, patches.Patches(read, goals, patch, batch, seed)


def test_flips_and_turns_move_whole_pixels_with_their_labels():
    goals, data = numbered()
    orientations, corners = set(), set()
    for _ in range(6):
        for index in range(len(data)):
            images, classes, weights = data[index]
            assert images.shape[1:] == (16, 16, 1) and classes.shape == weights.shape == images.shape[:3]
            number = images[..., 0].astype(int)
            np.testing.assert_array_equal(classes, goals.classes.ravel()[number])
            np.testing.assert_array_equal(weights, goals.weights.ravel()[number])
            for patch in number:
                rows, columns = np.sort(np.unique(patch // 56)), np.sort(np.unique(patch % 56))
                assert rows[-1] - rows[0] == columns[-1] - columns[0] == 15
                corners.add((rows[0], columns[0]))
                corner = (rows[0], columns[0])
                orientations.add((patch[0, 0] == corner[0] * 56 + corner[1], patch[0, 1] - patch[0, 0]))
        data.on_epoch_end()
    assert len({step for _, step in orientations}) == 4, "rows run right, left, down and up"
    assert len(orientations) >= 6, "some turned, some mirrored"
    assert len(corners) > 20, "patches are shifted anew in each epoch"


def test_every_epoch_has_every_patch_once():
    _, data = numbered(batch=5)
    counts = [len(data[i][0]) for i in range(len(data))]
    assert sum(counts) == len(data.corners)
    assert len(data) == -(-len(data.corners) // 5)


def test_the_same_seed_gives_the_same_batches():
    (_, one), (_, same), (_, other) = numbered(seed=3), numbered(seed=3), numbered(seed=4)
    for a, b in zip(one[0], same[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one[0][0], other[0][0])


@given(height=st.integers(16, 70), width=st.integers(16, 70), seed=st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_positions_reach_every_pixel_that_teaches_and_no_patch_is_empty(height, width, seed):
    weights = (np.random.default_rng(seed).random((height, width)) < 0.01).astype(np.float32)
    weights[-1, -1] = 1
    reached = np.zeros((height, width), bool)
    for row, column in patches.positions(weights, 16):
        assert 0 <= row <= height - 16 and 0 <= column <= width - 16
        assert weights[row : row + 16, column : column + 16].any()
        reached[row : row + 16, column : column + 16] = True
    assert reached[weights > 0].all()


def test_a_scene_smaller_than_a_patch_is_refused():
    with pytest.raises(LulcError, match=r"10×40 px is smaller than a patch of 16 px. Lower 'patch'"):
        patches.positions(np.ones((10, 40), np.float32), 16)
