"""Doubtful labels: cases in which the wrong ones and the outliers are known, because the test made them."""

import numpy as np
import pandas as pd
import pytest

from lulc_kit.labels.quality import doubtful

NAMES = np.array(["Build-up", "Forest", "Water"])
SIZE = 20  # samples of a polygon


@pytest.fixture(scope="module")
def fields():
    """120 polygons in three classes that overlap a little, a fifteenth of them under the name of another class."""
    generator = np.random.default_rng(1)
    kind = np.resize([0, 1, 2], 120)
    flipped = generator.permutation(120) < 8
    said = np.where(flipped, (kind + generator.integers(1, 3, 120)) % 3, kind)
    own = generator.normal(0, 0.6, (120, 4))  # what the polygon has to itself
    centre = np.array([[0, 0, 0, 0], [2.5, 0, 2, 0], [0, 2.5, 0, 2]])
    x = np.repeat(centre[kind] + own, SIZE, axis=0) + generator.normal(0, 0.7, (120 * SIZE, 4))
    return pd.DataFrame(x), np.repeat(said, SIZE), np.repeat(np.arange(1, 121), SIZE), flipped, kind, said


@pytest.fixture(scope="module")
def probabilities(fields):
    x, said, polygon, *_ = fields
    return doubtful.out_of_fold(x, NAMES[said], polygon % 4 + 1)


def test_wrong_polygons_are_found_and_few_others(fields, probabilities):
    _, said, polygon, flipped, kind, _ = fields
    found = doubtful.doubtful(probabilities, NAMES[said], polygon)
    named = found["polygon"].to_numpy() - 1
    hits = flipped[named].sum()
    assert hits / flipped.sum() >= 0.75 and hits / len(found) >= 0.75, "recall and precision"
    right = flipped[named]
    assert (found["suggested"][right].to_numpy() == NAMES[kind[named[right]]]).all(), "the true class is suggested"
    assert (found["samples"] == SIZE).all()
    assert found["own"].is_monotonic_increasing and (found["own"] < found["certainty"]).all()


def test_pixels_without_polygons_are_judged_one_by_one(fields):
    generator = np.random.default_rng(2)
    kind = np.resize([0, 1], 1000)
    flipped = generator.random(1000) < 0.05
    x = generator.normal(0, 1, (1000, 3)) + 4 * kind[:, None]
    said = np.where(flipped, 1 - kind, kind)
    guess = doubtful.out_of_fold(x, NAMES[said], np.resize([1, 1, 2, 2, 3, 3], 1000))
    found = doubtful.doubtful(guess, NAMES[said], points=np.column_stack([np.arange(1000), np.zeros(1000)]))
    named = found["easting"].astype(int).to_numpy()
    assert flipped[named].mean() >= 0.95 and flipped[named].sum() / flipped.sum() >= 0.5
    assert (found["polygon"] == 0).all() and (found["samples"] == 1).all()


def test_models_never_see_the_fold_that_they_judge():
    """Features that name the sample: with its label seen, a forest would know it; without, it can only guess."""
    x, kind = np.arange(400.0)[:, None], np.random.default_rng(3).integers(0, 2, 400)
    fold = np.arange(400) // 100 + 1
    found = doubtful.out_of_fold(x, NAMES[kind], fold)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert 0.35 < (found.to_numpy().argmax(axis=1) == kind).mean() < 0.65
    # A training mask of one class for fold 1 leaves no choice.
    only = [kind == 0, *(fold != k for k in (2, 3, 4))]
    masked = doubtful.out_of_fold(x, NAMES[kind], fold, only)
    assert (masked[NAMES[0]][fold == 1] == 1).all()


def test_outliers_are_those_that_were_put_there(fields):
    x, _, polygon, _, kind, _ = fields
    true, moved = np.repeat(kind, SIZE), x.to_numpy() + np.where(np.isin(polygon, [5, 60]), 12.0, 0.0)[:, None]
    found = doubtful.outliers(moved, NAMES[true], polygon, points=np.column_stack([polygon * 10, polygon]))
    assert set(found["polygon"]) >= {5, 60} and len(found) <= 4
    assert set(found["polygon"][:2]) == {5, 60}, "the strangest come first"
    assert found["easting"].tolist() == [10.0 * n for n in found["polygon"]]
    assert (found["strangeness"] >= doubtful.STRANGE).all() and (found["strangeness"] <= 1).all()


def test_a_polygon_number_with_two_classes_is_two_polygons():
    about, unit = doubtful._units(["a", "a", "b", "b"], pd.Index(["a", "b"]), [7, 7, 7, 0], None)
    assert len(about) == 3 and unit[0] == unit[1] and len({unit[0], unit[2], unit[3]}) == 3
    assert sorted(zip(about["polygon"], about["class"], about["samples"], strict=True)) == [
        (0, "b", 1),
        (7, "a", 2),
        (7, "b", 1),
    ]
