"""Area of applicability: CAST's numbers, brute force, and properties of distances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lulc_kit.errors import LulcError
from lulc_kit.evaluate import applicability

CORNERS = np.array([[0.0, 0], [1, 0], [0, 1], [4, 4], [5, 4], [4, 5]])
FOLDS = np.array([1, 1, 1, 2, 2, 2])
NEW = np.array([[2.0, 2], [10, 10], [0, 0]])

# Computed with R's CAST rule by hand, for weights 1, 1 and 1, 2.
CAST = {
    (1, 1): (1.725724, [1.456272, 1.287175, 1.287175, 1.287175, 1.456272, 1.456272], [0.575642, 2.010631, 0]),
    (1, 2): (2.710438, [1.466035, 1.400428, 1.181955, 1.181955, 1.280160, 1.466035], [0.463601, 1.911476, 0]),
}


@pytest.mark.parametrize("weights", CAST)
def test_the_index_is_cast_s(weights):
    mean, index, new = CAST[weights]
    space = applicability.fit(CORNERS, FOLDS, weights)
    assert space.mean_distance == pytest.approx(mean, abs=1e-6)
    np.testing.assert_allclose(space.index, index, atol=1e-6)
    assert space.threshold == pytest.approx(max(index), abs=1e-6)
    # CAST's new points were taken as scaled; here all are, by one number, which leaves the index as it is.
    np.testing.assert_allclose(space.dissimilarity(NEW), new, atol=1e-6)


def test_density_is_cast_s():
    assert applicability.fit(CORNERS, FOLDS).density(NEW).tolist() == [6, 0, 3]


def test_without_folds_the_threshold_says_little():
    space = applicability.fit(CORNERS, np.arange(6))
    assert space.threshold == pytest.approx(0.257435, abs=1e-6)
    assert space.dissimilarity(NEW[:1])[0] > space.threshold


def brute(x, fold, weights, new):
    """Mean distance, index of the samples and of new points, straight from the definitions."""
    scale = np.clip(weights, 0, None) / x.std(axis=0, ddof=1)
    x, new = x * scale, new * scale
    between = np.sqrt(((x[:, None] - x[None]) ** 2).sum(axis=2))
    mean = np.mean([np.delete(row, i).mean() for i, row in enumerate(between)])
    index = np.where(fold[:, None] == fold[None], np.inf, between).min(axis=1) / mean
    to_new = np.sqrt(((new[:, None] - x[None]) ** 2).sum(axis=2)) / mean
    quarter, three = np.quantile(index, [0.25, 0.75])
    threshold = min(three + 1.5 * (three - quarter), index.max())
    return mean, index, threshold, to_new.min(axis=1), (to_new < threshold).sum(axis=1)


def drawn(seed, samples=60, features=5):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(samples, 3)) @ generator.normal(size=(3, features))
    x += generator.normal(size=x.shape) * 0.3
    return x, generator.integers(1, 4, samples), generator.uniform(-0.2, 1, features), x[:20] + generator.normal(size=5)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_equal_to_brute_force(seed):
    x, fold, weights, new = drawn(seed)
    space = applicability.fit(x, fold, weights)
    mean, index, threshold, far, near = brute(x, fold, weights, new)
    assert space.mean_distance == pytest.approx(mean)
    np.testing.assert_allclose(space.index, index)
    assert space.threshold == pytest.approx(threshold)
    np.testing.assert_allclose(space.dissimilarity(new), far, atol=1e-9)
    np.testing.assert_array_equal(space.density(new), near)
    np.testing.assert_array_equal(space.density(new, most=3), np.minimum(near, 3))


def test_the_unit_of_a_feature_and_of_all_weights_does_not_matter():
    x, fold, weights, new = drawn(1)
    space = applicability.fit(x, fold, weights)
    units = np.array([1e-4, 10, 3, 1000, 1])
    other = applicability.fit(x * units + 7, fold, 5 * weights)
    np.testing.assert_allclose(other.index, space.index)
    np.testing.assert_allclose(other.dissimilarity(new * units + 7), space.dissimilarity(new))


def test_a_feature_that_never_varies_or_is_worth_nothing_counts_for_nothing():
    x, fold, _, new = drawn(2)
    space = applicability.fit(x[:, :3], fold)
    idle = np.column_stack([x[:, :3], np.full(len(x), 4.0), x[:, 3]])
    wider = applicability.fit(idle, fold, [1, 1, 1, 1, -0.1])
    np.testing.assert_allclose(wider.index, space.index)
    far = np.column_stack([new[:, :3], np.full(len(new), 9.0), new[:, 3] + 100])
    np.testing.assert_allclose(wider.dissimilarity(far), space.dissimilarity(new[:, :3]))


def test_what_lacks_a_feature_has_no_index():
    space = applicability.fit(CORNERS, FOLDS)
    found = space.dissimilarity(np.array([[np.nan, 1], [0, 0]]))
    assert np.isnan(found[0]) and found[1] == pytest.approx(0, abs=1e-12)
    assert space.density(np.array([[np.nan, 1], [0, 0]])).tolist() == [0, 3]


def test_a_rare_class_is_judged_by_its_own_samples():
    """Ten samples of a rare class far from the rest; a pixel among the rest that is mapped as the rare class."""
    generator = np.random.default_rng(3)
    common, rare = generator.normal(size=(300, 2)), generator.normal(size=(20, 2)) * 0.2 + 6
    x, label = np.concatenate([common, rare]), np.repeat([1, 2], [300, 20])
    fold = np.arange(320) % 4
    whole, spaces = applicability.fit(x, fold), applicability.fit_by_class(x, fold, label)
    pixel = np.zeros((1, 2))
    assert whole.dissimilarity(pixel)[0] < whole.threshold
    inside = [applicability.measure(spaces, pixel, np.array([value]))[0][0] <= 1 for value in (1, 2)]
    assert inside == [True, False]
    # Scale and unit are those of all samples; thresholds each class's own.
    assert spaces[1].mean_distance == spaces[2].mean_distance == whole.mean_distance
    assert spaces[2].threshold == pytest.approx(applicability.limit(spaces[2].index))
    scaled = (rare / x.std(axis=0, ddof=1))[:, None]
    apart = np.sqrt(((scaled - scaled.swapaxes(0, 1)) ** 2).sum(axis=2)) / whole.mean_distance
    own = fold[label == 2]
    np.testing.assert_allclose(spaces[2].index, np.where(own[:, None] == own, np.inf, apart).min(axis=1))


def test_pixels_without_a_class_are_not_measured():
    space = applicability.fit(CORNERS, FOLDS)
    index, density = applicability.measure(space, NEW, np.array([1, 0, 1]), 254)
    np.testing.assert_allclose(index[[0, 2]] * space.threshold, [0.575642, 0], atol=1e-6)
    assert np.isnan(index[1]) and np.isnan(density[1]) and density[[0, 2]].tolist() == [6, 3]
    assert np.isnan(applicability.measure(space, NEW, np.ones(3, int))[1]).all()


def test_outside_there_is_no_density():
    """To say 0 without counting is right: the definition counts samples nearer than the threshold."""
    x, fold, weights, _ = drawn(7)
    space = applicability.fit(x, fold, weights)
    new = np.random.default_rng(8).normal(size=(200, 5)) * x.std(axis=0) * 2
    index, density = applicability.measure(space, new, np.ones(200, int), 254)
    assert (index > 1).sum() > 20 and (index <= 1).sum() > 20
    np.testing.assert_array_equal(density, space.density(new))


def test_twins_in_all_folds_leave_only_their_like_inside():
    space = applicability.fit(np.repeat(CORNERS, 2, axis=0), np.tile([1, 2], 6))
    index, _ = applicability.measure(space, np.array([[0.0, 0], [0.01, 0]]), np.ones(2, int))
    assert (index <= 1).tolist() == [True, False]


def test_the_kernel_counts_like_its_python_source():
    """Coverage does not see compiled code, and a compiler may be wrong."""
    from lulc_kit.evaluate import _counting

    generator = np.random.default_rng(4)
    points, x = generator.normal(size=(80, 3)), generator.normal(size=(15, 3))
    points = points[np.argsort(points[:, 0])]
    expected = (np.sqrt(((x[:, None] - points[None]) ** 2).sum(axis=2)) < 1.1).sum(axis=1)
    for most in (5, 254):
        for count in (_counting.within, _counting.within.py_func):
            out = np.zeros(15, np.int64)
            count(points, x, 1.1, most, out)
            np.testing.assert_array_equal(out, np.minimum(expected, most))


@pytest.mark.parametrize(
    ("x", "fold", "weights", "words"),
    [
        (CORNERS, np.ones(6), None, "6 training samples lie in one fold"),
        (CORNERS, FOLDS, [1], "2 features need as many weights; found 1"),
        (CORNERS, FOLDS, [0, -1], "nothing to measure"),
        (np.ones((6, 2)), FOLDS, None, "nothing to measure"),
        (np.where(CORNERS == 5, np.nan, CORNERS), FOLDS, None, "NaN"),
    ],
)
def test_what_cannot_be_measured_is_refused(x, fold, weights, words):
    with pytest.raises(LulcError, match=words):
        applicability.fit(x, fold, weights)


def test_a_class_in_one_fold_is_refused():
    with pytest.raises(LulcError, match="3 training samples of class 3 lie in one fold"):
        applicability.fit_by_class(CORNERS, FOLDS, np.array([7, 7, 7, 3, 3, 3]))
