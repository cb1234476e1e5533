"""Distances: worked by hand, and a verdict that follows from them."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from lulc_kit.labels import distances

POINTS = np.array([[0.0, 0.0], [10.0, 0.0], [100.0, 0.0], [130.0, 0.0]])


def test_a_case_worked_by_hand():
    found = distances.measure(POINTS, np.array([1, 1, 2, 2]), np.array([[50.0, 0.0], [10.0, 30.0]]))
    assert found.sample.tolist() == [10, 10, 30, 30]
    assert found.map.tolist() == [40, 30]
    assert found.test.tolist() == [100, 90, 90, 120]
    assert found.w == pytest.approx(100 - 35), "one lies wholly beyond the other: the difference of the means"
    assert "harder" in found.verdict()
    near = distances.measure(POINTS, np.array([1, 2, 1, 2]), np.array([[500.0, 0.0], [600.0, 0.0]]))
    assert near.test.tolist() == [10, 10, 30, 30]
    assert "easier" in near.verdict() and "flatters" in near.title()


def test_samples_that_may_not_train_do_not_count():
    trainable = np.array([[False, False, False, True], [True, False, False, False]])
    assert distances.to_training(POINTS, np.array([1, 1, 2, 2]), trainable).tolist() == [130, 120, 100, 130]
    none = distances.to_training(POINTS, np.array([1, 1, 2, 2]), np.zeros((2, 4), bool))
    assert np.isinf(none).all()


def test_distances_are_those_of_all_pairs():
    generator = np.random.default_rng(1)
    points, fold, places = (
        generator.uniform(0, 9, (80, 2)),
        generator.integers(1, 4, 80),
        generator.uniform(0, 9, (50, 2)),
    )
    found = distances.measure(points, fold, places)
    apart = cdist(points, points) + np.diag(np.full(80, np.inf))
    np.testing.assert_allclose(found.sample, apart.min(axis=1))
    np.testing.assert_allclose(found.test, np.where(fold[:, None] == fold, np.inf, apart).min(axis=1))
    np.testing.assert_allclose(found.map, cdist(places, points).min(axis=1))


def test_clustered_or_not():
    generator = np.random.default_rng(2)
    places = generator.uniform(0, 1000, (500, 2))
    even = distances.measure(generator.uniform(0, 1000, (200, 2)), np.resize(np.arange(1, 11), 200), places)
    assert not even.clustered and "random folds" in even.title() and "answers the question" in even.verdict()
    crowded = generator.uniform(0, 1000, (10, 1, 2)) + generator.normal(0, 5, (10, 20, 2))
    assert distances.measure(crowded.reshape(-1, 2), np.resize([1, 2], 200), places).clustered
