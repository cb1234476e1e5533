"""Variograms: worked by hand, known by construction, and beside another program's numbers."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from lulc_kit.errors import LulcError
from lulc_kit.labels import variogram


def simulated(reach, seed, count=700, side=10_000, nugget=0.0):
    """A Gaussian field with a spherical covariance of this range and variance 1, at random places."""
    generator = np.random.default_rng(seed)
    points = generator.uniform(0, side, (count, 2))
    covariance = 1 - variogram.spherical(cdist(points, points), reach, 1, 0) + np.eye(count) * (nugget + 1e-9)
    return points, np.linalg.cholesky(covariance) @ generator.normal(size=count)


def test_semivariance_of_a_ramp_is_half_the_squared_distance():
    points = np.column_stack([np.arange(60.0), np.zeros(60)])
    found = variogram.fit(points, points[:, 0])
    assert found.pairs.sum() == sum(60 - d for d in range(1, int(found.longest) + 1))
    # Classes are narrower than the step of 1, so that each holds one distance.
    np.testing.assert_allclose(found.semivariance, found.lag**2 / 2)


def test_the_model_worked_by_hand():
    found = variogram.spherical([0, 100, 200, 300], 200, 6, 2)
    assert found.tolist() == [2, 2 + 6 * (0.75 - 0.0625), 8, 8]


@pytest.mark.parametrize("reach", [1000, 2500])
def test_the_range_that_a_field_was_made_with_is_found(reach):
    found = [variogram.fit(*simulated(reach, seed)) for seed in range(6)]
    assert np.median([f.range for f in found]) == pytest.approx(reach, rel=0.15)
    assert np.median([f.sill for f in found]) == pytest.approx(1, rel=0.15)


def test_noise_is_nugget():
    found = [variogram.fit(*simulated(2500, seed, nugget=1.0)) for seed in range(6)]
    assert np.median([f.nugget for f in found]) == pytest.approx(1, abs=0.2)
    assert np.median([f.sill for f in found]) == pytest.approx(2, rel=0.15)


def test_the_experimental_variogram_is_that_of_scikit_gstat():
    """scikit-gstat 1.0.26: Variogram(points, values, model="spherical", n_lags=20, maxlag="median", use_nugget=True).

    1500 places, covariance exp(−3h/500). It takes the upper end of a class of distances (256.92 m wide) for the
    distance of its pairs, and so finds a range that is longer by about half a class: 552.56 m.
    """
    generator = np.random.default_rng(1)
    points = generator.uniform(0, 10_000, (1500, 2))
    covariance = np.exp(-cdist(points, points) / 500 * 3) + 1e-8 * np.eye(1500)
    found = variogram.fit(points, np.linalg.cholesky(covariance) @ generator.normal(size=1500))
    assert found.longest == pytest.approx(5138.48878)
    theirs = [0.635740, 0.990757, 1.000096, 0.998227, 0.962856, 0.975047, 0.981976, 0.994462, 0.981000, 0.989131]
    np.testing.assert_allclose(found.semivariance[:10], theirs, atol=1e-5)
    assert found.range == pytest.approx(552.56 - 256.92 / 2, rel=0.1)
    assert found.sill == pytest.approx(0.98771, rel=0.01)


def test_features_are_weighed_alike_and_rows_may_come_in_any_order():
    points, field = simulated(1500, 1)
    noise = np.random.default_rng(9).normal(size=(len(points), 1)) * 1e6
    features = np.column_stack([field, 1000 * field + 5, noise, np.ones(len(points))])
    found = variogram.of_features(points, features, 1)
    assert found.range == pytest.approx(variogram.fit(points, field).range, rel=0.05), "the loud noise is no component"
    features[3] = np.nan
    rows = np.random.default_rng(2).permutation(len(points))
    one, other = (variogram.of_features(points[r], features[r], 1) for r in (slice(None), rows))
    assert one.range == pytest.approx(other.range)


@pytest.mark.parametrize("count", [0, 10, 100])
def test_samples_that_say_nothing_are_refused(count):
    with pytest.raises(LulcError, match=f"found {count}.*in metres"):
        variogram.of_features(np.random.default_rng(1).uniform(0, 9, (count, 2)), np.ones((count, 2)), 1)
