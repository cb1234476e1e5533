"""Patches: what must not teach weighs nothing, and turning moves pixels without making new labels."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lulc_kit.deep import losses, patches
from lulc_kit.errors import LulcError

VALUES = (1, 3, 5)


def scene(seed=1, shape=(40, 56)):
    generator = np.random.default_rng(seed)
    labels = generator.choice(np.array([0, 1, 3, 5], np.uint8), shape, p=[0.4, 0.4, 0.15, 0.05])
    return labels, generator.random(shape) < 0.7


@given(st.integers(0, 500))
@settings(max_examples=30, deadline=None)
def test_codes_are_positions_of_labels_that_may_teach(seed):
    labels, may = scene(seed)
    codes = patches.encode(labels, may, VALUES)
    assert (codes[~may] == 0).all() and (codes[labels == 0] == 0).all()
    for position, value in enumerate(VALUES, 1):
        np.testing.assert_array_equal(codes == position, may & (labels == value))


def test_labels_that_must_not_teach_cannot_be_told_from_the_codes():
    labels, may = scene()
    other = np.where(~may, np.random.default_rng(9).permutation(labels.ravel()).reshape(labels.shape), labels)
    assert (other != labels).sum() > 100
    np.testing.assert_array_equal(*(patches.encode(x, may, VALUES) for x in (labels, other)))


def test_land_without_labels_of_one_class_or_without_a_class_is_refused():
    labels, may = scene()
    with pytest.raises(LulcError, match="class 5 is left"):
        patches.encode(labels, may & (labels != 5), VALUES)
    with pytest.raises(LulcError, match="No pixel is left to learn from"):
        patches.encode(labels, may & False, VALUES)
    with pytest.raises(LulcError, match="one class alone, of value 3"):
        patches.encode(np.where(labels == 3, labels, 0), may, (3,))


@pytest.mark.parametrize(("weighting", "power"), [("none", 0.0), ("sqrt", 0.5), ("capped", 1.0)])
def test_class_weights_are_powers_of_the_counts_with_mean_one(weighting, power):
    labels, may = scene()
    found = patches.targets(patches.encode(labels, may, VALUES), 3, weighting)
    counts = np.bincount(found.codes.ravel())[1:]
    assert found.weights[0] == 0
    assert found.weights[found.codes][found.codes > 0].mean() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(found.weights[1:] / found.weights[1], (counts[0] / counts) ** power, rtol=1e-5)


def test_capped_weights_are_capped():
    codes = np.repeat(np.array([1, 2, 3], np.uint8), [10_000, 5_000, 10]).reshape(1, -1)
    weights = patches.targets(codes, 3, "capped").weights[1:]
    np.testing.assert_allclose(weights / weights[0], [1, 2, patches.CAP], rtol=1e-5)


def small_network():
    keras.utils.set_random_seed(1)
    image = keras.Input((None, None, 2))
    model = keras.Model(image, keras.layers.Conv2D(3, 3, padding="same", activation="softmax")(image))
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=losses.Masked("cross_entropy"))
    return model


def test_what_weighs_nothing_changes_neither_loss_nor_gradient():
    generator = np.random.default_rng(1)
    images = generator.normal(size=(4, 16, 16, 2)).astype(np.float32)
    classes = generator.integers(0, 3, (4, 16, 16)).astype(np.int32)
    weights = (generator.random((4, 16, 16)) < 0.5).astype(np.float32) * 1.7
    changed = np.where(weights == 0, (classes + 1) % 3, classes)
    weighed = np.where(weights > 0, (classes + 1) % 3, classes)
    found, kernels = [], []
    for y in (classes, changed, weighed):
        model = small_network()
        found.append(float(model.test_on_batch(images, y, weights)))
        model.train_on_batch(images, y, weights)
        kernels.append(model.get_weights()[0])
    assert found[0] == found[1] != found[2]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.abs(kernels[0] - kernels[2]).max() > 1e-4


def numbered(shape=(40, 56), patch=16, batch=5, seed=3, steps=12, augment=None):
    """A data set whose image is the number of each pixel, so that every move of a pixel can be followed."""
    labels, may = scene(1, shape)
    goals = patches.targets(patches.encode(labels, may, VALUES), 3, "sqrt")
    image = np.arange(labels.size, dtype=np.float32).reshape(*shape, 1)

    def read(top, bottom, left, right):
        return image[top:bottom, left:right]

    return goals, patches.Patches(read, goals, patch, batch, seed, steps, augment)


def test_flips_and_turns_move_whole_pixels_with_their_labels():
    goals, data = numbered()
    orientations, corners = set(), set()
    for index in range(len(data)):
        images, classes, weights = data[index]
        assert images.shape[1:] == (16, 16, 1) and classes.shape == weights.shape == images.shape[:3]
        number = images[..., 0].astype(int)
        codes = goals.codes.ravel()[number]
        np.testing.assert_array_equal(classes[codes > 0], codes[codes > 0] - 1)
        np.testing.assert_array_equal(weights, goals.weights[codes])
        for patch in number:
            rows, columns = np.sort(np.unique(patch // 56)), np.sort(np.unique(patch % 56))
            assert rows[-1] - rows[0] == columns[-1] - columns[0] == 15
            corners.add((rows[0], columns[0]))
            corner = (rows[0], columns[0])
            orientations.add((patch[0, 0] == corner[0] * 56 + corner[1], patch[0, 1] - patch[0, 0]))
    assert len({step for _, step in orientations}) == 4, "rows run right, left, down and up"
    assert len(orientations) >= 6, "some turned, some mirrored"
    assert len(corners) > 20, "patches lie at random offsets"


def test_there_are_as_many_batches_as_are_wanted_however_small_the_scene():
    _, data = numbered(shape=(16, 16), batch=7, steps=500)
    assert len(data) == 500
    assert all(len(data[i][0]) == 7 for i in (0, 250, 499))


def test_a_batch_is_a_function_of_the_seed_and_its_number():
    (_, one), (_, same), (_, other) = numbered(seed=3), numbered(seed=3), numbered(seed=4)
    [same[i] for i in (7, 1, 2)]
    for a, b in zip(one[5], same[5], strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one[5][0], other[5][0]) and not np.array_equal(one[5][0], one[6][0])


def test_every_pixel_that_teaches_is_drawn_sooner_or_later():
    goals, data = numbered(steps=150)
    drawn = np.zeros(goals.codes.size, bool)
    for index in range(len(data)):
        drawn[data[index][0].astype(int).ravel()] = True
    assert drawn[goals.codes.ravel() > 0].mean() > 0.99


@given(height=st.integers(16, 70), width=st.integers(16, 70), seed=st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_positions_reach_every_pixel_that_teaches_and_no_patch_is_empty(height, width, seed):
    codes = (np.random.default_rng(seed).random((height, width)) < 0.01).astype(np.uint8)
    codes[-1, -1] = 1
    reached = np.zeros((height, width), bool)
    for row, column in patches.positions(codes, 16):
        assert 0 <= row <= height - 16 and 0 <= column <= width - 16
        assert codes[row : row + 16, column : column + 16].any()
        reached[row : row + 16, column : column + 16] = True
    assert reached[codes > 0].all()


def test_a_scene_smaller_than_a_patch_is_refused():
    with pytest.raises(LulcError, match=r"10×40 px is smaller than a patch of 16 px. Lower 'patch'"):
        patches.positions(np.ones((10, 40), np.uint8), 16)


MEAN, SPREAD = np.array([1.0, 10.0, 100.0], np.float32), np.array([0.1, 1.0, 10.0], np.float32)


def test_changes_of_bands_are_of_the_size_of_their_spread_and_about_their_mean():
    augment = patches.Augment(MEAN, SPREAD, jitter=0.2)
    generator = np.random.default_rng(1)
    flat = np.broadcast_to(MEAN, (4, 4, 3)).astype(np.float32)
    shifts = np.stack([augment(flat, generator)[0, 0] - MEAN for _ in range(4000)])
    np.testing.assert_allclose(shifts.std(axis=0) / SPREAD, 0.2, rtol=0.05)
    above = np.stack([augment(flat + SPREAD, generator)[0, 0] - MEAN for _ in range(4000)])
    np.testing.assert_allclose(above.mean(axis=0) / SPREAD, 1, atol=0.02)
    np.testing.assert_allclose(above.std(axis=0) / SPREAD, 0.2 * 2**0.5, rtol=0.05)


def test_bands_are_dropped_as_often_as_wanted_and_never_all():
    augment = patches.Augment(MEAN, SPREAD, drop=0.5)
    generator = np.random.default_rng(1)
    image = np.full((4, 4, 3), -5, np.float32)
    gone = np.stack([(augment(image, generator) == MEAN).all(axis=(0, 1)) for _ in range(4000)])
    assert not gone.all(axis=1).any()
    np.testing.assert_allclose(gone.mean(axis=0), 0.5 * 2 / 3, atol=0.03)  # one of three is spared each time
    assert patches.Augment(MEAN, SPREAD)(image, generator) is image, "nothing is drawn where nothing is wanted"


def test_bands_that_are_no_features_stay_as_they_are():
    augment = patches.Augment(MEAN, SPREAD, jitter=0.3, drop=0.5)
    image = np.random.default_rng(2).random((2, 4, 4, 4)).astype(np.float32)
    np.testing.assert_array_equal(augment(image, np.random.default_rng(1))[..., 3], image[..., 3])
