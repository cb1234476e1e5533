"""The difference estimator: beside the estimator without help, ppi-python, and a population that is known."""

import numpy as np
import pytest

from lulc_kit.errors import LulcError
from lulc_kit.evaluate import assisted, design

CLASSES = 3


def population(seed=1, size=40_000, sure=6.0):
    """Pixels with a true class, honest probabilities of it, and the class that a map makes of them."""
    generator = np.random.default_rng(seed)
    probability = generator.dirichlet([0.35] * CLASSES, size) if sure else np.full((size, CLASSES), 1 / CLASSES)
    truth = (generator.random(size)[:, None] > probability.cumsum(axis=1)).sum(axis=1).clip(0, CLASSES - 1)
    return truth, probability, probability.argmax(axis=1)


def one_hot(labels):
    return np.eye(CLASSES)[labels]


def drawn(generator, strata, points):
    return np.concatenate(
        [generator.choice(np.flatnonzero(strata == h), points, replace=False) for h in range(CLASSES)]
    )


def means(values, strata):
    return np.stack([values[strata == h].mean(axis=0) for h in range(CLASSES)])


def test_without_belief_it_is_the_post_stratified_estimator():
    truth, probability, mapped = population()
    points = drawn(np.random.default_rng(2), mapped, 40)
    pixels = np.bincount(mapped)
    found = assisted.estimate(
        *(one_hot(truth[points]), probability[points], mapped[points], pixels, means(probability, mapped)),
        population=pixels,
        power=0.0,
    )
    counts = np.zeros((CLASSES, CLASSES))
    np.add.at(counts, (mapped[points], truth[points]), 1)
    plain = design.estimate_stratified(counts, pixels, population=pixels)
    np.testing.assert_allclose(found.value, plain.area_share)
    np.testing.assert_allclose(found.se, plain.area_share_se)


def test_with_hard_classes_it_is_the_post_stratified_estimator_too():
    """Within a stratum of the map's classes the class says nothing new, so that no weight helps."""
    truth, _, mapped = population()
    points = drawn(np.random.default_rng(2), mapped, 40)
    hard = one_hot(mapped)
    found, plain = (
        assisted.estimate(
            one_hot(truth[points]), hard[points], mapped[points], np.bincount(mapped), means(hard, mapped), power=power
        )
        for power in (None, 0.0)
    )
    np.testing.assert_allclose(found.value, plain.value)
    np.testing.assert_allclose(found.se, plain.se)
    assert (found.power == 0).all()


@pytest.mark.parametrize("power", [1.0, 0.6, None])
def test_a_simple_random_sample_gives_what_ppi_python_gives(power):
    ppi = pytest.importorskip("ppi_py", reason="ppi-python is not installed: pip install ppi-python")
    truth, probability, _ = population()
    points = np.random.default_rng(3).choice(len(truth), 400, replace=False)
    y, f = one_hot(truth[points]), probability[points]
    mean = probability.mean(axis=0, keepdims=True)
    found = assisted.estimate(y, f, np.zeros(400, int), [1.0], mean, power=power)
    value = ppi.ppi_mean_pointestimate(y, f, probability, lam=float(found.power[0]))
    np.testing.assert_allclose(found.value, value, atol=1e-12)
    low, high = ppi.ppi_mean_ci(y, f, probability, alpha=0.05, lam=float(found.power[0]))
    # Of it, the pixels are a sample too: its variance has one more term, of 1/40,000.
    np.testing.assert_allclose(found.se, (high - low) / 2 / 1.959964, rtol=0.01)
    if power is None:  # its weight allows for that sample, too, by 1 + n/N
        tuned = ppi.ppi_mean_pointestimate(y, f, probability)
        np.testing.assert_allclose(found.value, tuned, atol=0.3 * found.se.max())


def test_a_simple_random_sample_gives_the_difference_estimator_of_the_books():
    """Särndal et al. 1992, eq. 6.3.4 and 6.3.7, written out; with the regression coefficient as weight, eq. 6.4."""
    generator = np.random.default_rng(4)
    f_all = generator.random(5000)
    y_all = (generator.random(5000) < 0.2 + 0.6 * f_all).astype(float)
    points = generator.choice(5000, 200, replace=False)
    y, f = y_all[points], f_all[points]
    found = assisted.estimate(
        y[:, None], f[:, None], np.zeros(200, int), [1], [[f_all.mean()]], population=[5000], power=1
    )
    assert found.value[0] == pytest.approx(f_all.mean() + (y - f).mean())
    assert found.se[0] == pytest.approx(np.sqrt((1 - 200 / 5000) * np.var(y - f, ddof=1) / 200))
    tuned = assisted.estimate(y[:, None], f[:, None], np.zeros(200, int), [1], [[f_all.mean()]])
    slope, intercept = np.polyfit(f, y, 1)
    assert slope < 1
    assert tuned.power[0] == pytest.approx(slope)
    assert tuned.value[0] == pytest.approx(intercept + slope * f_all.mean())


@pytest.mark.parametrize("quality", ["honest", "misleading"])
def test_intervals_hold_the_truth_and_help_narrows_them_only_if_it_is_worth_something(quality):
    truth, probability, mapped = population()
    if quality == "misleading":
        probability = np.roll(probability, 1, axis=0)  # of another pixel: no wrong areas, but no help
    pixels, share = np.bincount(mapped), np.bincount(truth) / len(truth)
    generator = np.random.default_rng(5)
    held, widths, values = np.zeros(CLASSES), np.zeros((2, CLASSES)), []
    of_all = means(probability, mapped)
    for _ in range(1000):
        points = drawn(generator, mapped, 60)
        given = (one_hot(truth[points]), probability[points], mapped[points], pixels, of_all)
        helped, alone = (assisted.estimate(*given, population=pixels, power=power) for power in (None, 0.0))
        held += abs(helped.value - share) <= 1.96 * helped.se
        widths += [helped.se, alone.se]
        values.append(helped.value)
        assert helped.value.sum() == pytest.approx(1)
    assert (held >= 930).all() and (held <= 970).all(), held
    np.testing.assert_allclose(np.mean(values, axis=0), share, atol=0.003)
    np.testing.assert_allclose(widths[0] / 1000, np.std(values, axis=0), rtol=0.08)
    ratio = widths[0] / widths[1]
    assert (ratio < 0.95).all() if quality == "honest" else (ratio < 1.02).all() and (ratio > 0.97).all()


def test_what_cannot_be_estimated_is_refused():
    with pytest.raises(LulcError, match="Stratum 2 has 1 points"):
        assisted.estimate([[1], [0], [1]], [[1], [0], [1]], [0, 0, 1], [1, 1], [[0.5], [0.5]])
    with pytest.raises(LulcError, match="no prediction"):
        assisted.estimate([[1], [0]], [[1], [np.nan]], [0, 0], [1], [[0.5]])
