"""kNNDM against a case worked by hand, numbers of the R package CAST, and what must hold for any samples."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from lulc_kit.errors import ParameterError, RareClassError
from lulc_kit.labels.splitters import BlockSplit, KNNDMSplit, RandomSplit
from lulc_kit.labels.splitters.knndm import merge

SIX = np.array([(1, 1), (1, 2), (2, 2), (2, 3), (1, 4), (5, 4)], float)
"""The samples of CAST's own tests, in a square of 10 × 10."""


def lattice(side, count, offset=0.5):
    along = (np.arange(count) + offset) * side / count
    return np.stack(np.meshgrid(along, along), -1).reshape(-1, 2)


def towns(seed=1, count=12, each=20, spread=150.0):
    generator = np.random.default_rng(seed)
    return (generator.uniform(0, 10_000, (count, 1, 2)) + generator.normal(0, spread, (count, each, 2))).reshape(-1, 2)


def by_force(points, fold, prediction):
    """W from all distances."""
    apart = cdist(points, points)
    apart[fold[:, None] == fold] = np.inf
    return wasserstein_distance(apart.min(axis=1), cdist(prediction, points).min(axis=1))


def test_a_case_worked_by_hand():
    """Six samples in two groups on a line, and a map whose pixels lie 60 from them.

    Distances from sample to sample are 1 to 4, from the map 60: clustered. In two folds of groups every sample has its
    next training sample at about 100: 100 − 60 = 40 is W. Folds that tear a group apart have one at 1 to 4: W ≥ 56.
    """
    points = np.array([[x, 0.0] for x in (0, 1, 3, 103, 105, 106)])
    prediction = np.column_stack([[0, 3, 103, 106], np.full(4, 60.0)])
    found = KNNDMSplit(n_splits=2, prediction=np.repeat(prediction, 10, axis=0)).match(points)
    assert found.fold.tolist() in ([1, 1, 1, 2, 2, 2], [2, 2, 2, 1, 1, 1])
    # To the other group: 103, 102, 100, and the same back.
    assert found.w == pytest.approx((103 + 102 + 100) / 3 - 60)
    assert found.missing == ()


def test_numbers_of_cast():
    """CAST 1.0 tests this case with about 1000 places of a lattice and finds three clusters and W = 1.2004."""
    found = [KNNDMSplit(2, prediction=lattice(10, 32, o), largest=0.8).match(SIX) for o in (0.2, 0.5, 0.8)]
    assert {f.clusters for f in found} == {3}
    assert all(f.fold.tolist() == found[0].fold.tolist() for f in found)
    assert sorted(map(tuple, SIX[found[0].fold == found[0].fold[-1]].tolist())) == [(1, 4), (5, 4)]
    assert np.mean([f.w for f in found]) == pytest.approx(1.2004, abs=0.03)


@pytest.mark.parametrize(
    ("clustering", "k", "w"), [("kmeans", 2, 2.184), ("ward", 3, 2.286), ("ward", 4, 2.468), ("ward", 7, 2.634)]
)
def test_w_is_as_large_as_cast_finds_it(clustering, k, w):
    """100 samples in the corner of a map (a sixth of it): CAST's W, other random numbers, so within some percent."""
    found = []
    for seed in range(4):
        generator = np.random.default_rng(seed)
        points, prediction = generator.uniform(0, 4, (100, 2)), generator.uniform(0, 10, (1000, 2))
        found.append(KNNDMSplit(k, prediction=prediction, largest=1 / k + 0.1, clustering=clustering).match(points).w)
    assert np.mean(found) == pytest.approx(w, rel=0.12)


def test_random_samples_get_random_folds():
    generator = np.random.default_rng(1)
    points, prediction = generator.uniform(0, 1000, (400, 2)), generator.uniform(0, 1000, (1000, 2))
    found = KNNDMSplit(n_splits=10, prediction=prediction).match(points)
    assert found.clusters is None
    assert np.ptp(np.bincount(found.fold)[1:]) <= 1
    assert found.w < 0.1 * cdist(prediction, points).min(axis=1).mean()


@pytest.mark.parametrize(("seed", "clustering"), [(0, "ward"), (1, "ward"), (2, "ward"), (3, "kmeans")])
def test_clustered_samples_get_folds_nearer_to_the_map_than_any_blocks(seed, clustering):
    points, prediction = towns(seed), lattice(10_000, 30)
    found = KNNDMSplit(n_splits=4, prediction=prediction, clustering=clustering).match(points)
    assert found.clusters is not None
    assert found.w == pytest.approx(by_force(points, found.fold, prediction))
    assert np.bincount(found.fold).max() <= 120, "no fold has more than half"
    others = [RandomSplit(4).assign(points)]
    others += [BlockSplit(4, spacing=s).assign(points) for s in (250, 500, 1000, 2000)]
    assert all(found.w <= by_force(points, fold, prediction) for fold in others)
    rows = np.random.default_rng(seed).permutation(len(points))
    np.testing.assert_array_equal(
        KNNDMSplit(n_splits=4, prediction=prediction, clustering=clustering).assign(points[rows]), found.fold[rows]
    )


def test_pixels_of_a_polygon_are_one_place():
    """However many pixels it has: the folds are those of the centres alone."""
    centres = towns(3, each=6, spread=300)
    generator = np.random.default_rng(1)
    number = np.repeat(np.arange(1, len(centres) + 1), generator.integers(1, 30, len(centres)))
    pixels = np.empty((len(number), 2))
    for n, place in enumerate(centres, 1):
        here = number == n
        scattered = generator.uniform(-40, 40, (here.sum(), 2))
        pixels[here] = place + scattered - scattered.mean(axis=0)
    splitter = KNNDMSplit(n_splits=3, prediction=lattice(10_000, 30))
    np.testing.assert_array_equal(splitter.assign(pixels, groups=number), splitter.assign(centres)[number - 1])


def test_every_class_in_every_fold_where_that_can_be_and_otherwise_said():
    points, prediction = towns(5, count=16), lattice(10_000, 30)
    kind = np.resize(["wood", "lake", "town"], len(points)).astype("U5")
    aware = KNNDMSplit(n_splits=4, prediction=prediction).match(points, kind)
    unaware = KNNDMSplit(n_splits=4, prediction=prediction, class_aware=False).match(points, kind)
    assert aware.missing == () and aware.w >= unaware.w
    assert all(set(kind[aware.fold == k]) == {"wood", "lake", "town"} for k in range(1, 5))
    kind[:20], kind[20:40] = "marsh", "marsh"  # in two of the towns only: at most in two of four folds
    kind[40:] = np.resize(["wood", "lake"], len(points) - 40)
    found = KNNDMSplit(n_splits=4, prediction=prediction).match(points, kind)
    inside = set(found.fold[kind == "marsh"].tolist())
    assert len(inside) >= 2, "something is left to train on"
    assert {k for name, k in found.missing if name == "marsh"} == set(range(1, 5)) - inside


def test_a_class_in_a_single_place_is_refused_by_name():
    points, kind = towns(1), np.array(["wood"] * 239 + ["pond"])
    with pytest.raises(RareClassError, match="pond: in a single place") as caught:
        KNNDMSplit(n_splits=3, prediction=lattice(10_000, 20)).assign(points, kind)
    assert caught.value.classes == ("pond",)


@pytest.mark.parametrize(
    ("options", "points", "says"),
    [
        ({}, SIX, "pass places all over it as 'prediction'"),
        ({"prediction": SIX}, SIX[:3], "3 places are too few for 4 folds"),
        ({"prediction": lattice(1000, 20), "largest": 0.2}, towns(), "none holds more than 20%"),
        ({"prediction": SIX}, np.zeros((20_001, 2)) + np.arange(20_001)[:, None], "use clustering='kmeans'"),
    ],
)
def test_what_cannot_be_done_says_what_can(options, points, says):
    with pytest.raises(ParameterError, match=says):
        KNNDMSplit(**options).assign(points)


def test_merging_by_hand():
    """Clusters of 5, 2, 2, 1, 2 and three folds: the first holds a third and is alone, the others take turns."""
    cluster = np.repeat(np.arange(5), [5, 2, 2, 1, 2])
    along = np.repeat([9.0, 4.0, 1.0, 3.0, 2.0], [5, 2, 2, 1, 2])
    assert merge(cluster, along, 3).tolist() == [1] * 5 + [3] * 2 + [2] * 2 + [2] + [3] * 2
