"""Does a split ask what the map asks? Distances from test to training beside those from the map to the samples.

A map is predicted at places that lie some way from the nearest sample. A test whose samples lie nearer to their
training samples than that is easier than the map, and its score flatters (Milà et al. 2022,
doi:10.1111/2041-210X.13851).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

SIGNIFICANT = 0.05
"""Level of the test for clustered samples."""
EXACT = 10_000
"""Below so many pairs the test's probability is exact, as in R."""
NEAR_ENOUGH = 0.25
"""A split answers the question if W is at most this part of the mean distance from the map to the samples."""


@dataclass(frozen=True)
class Distances:
    """Distances to the nearest neighbour, metres.

    Attributes
    ----------
    sample
        From each sample to the next one.
    map
        From places all over the map to the nearest sample.
    test
        From each sample to the nearest one of those that train the model which tests it; inf where there is none.

    Examples
    --------
    >>> where = np.arange(8.0)[:, None] * [100, 0]  # eight samples in a row, mapped right beside it
    >>> found = measure(where, np.resize([1, 2], 8), where + [0, 100])
    >>> found.w, found.clustered, found.verdict()
    (0.0, False, 'the test is as hard as the map: the split answers the question')
    """

    sample: Points
    map: Points
    test: Points

    @property
    def w(self) -> float:
        """Wasserstein distance between `test` and `map`, metres: 0 if the test is exactly as hard as the map."""
        from scipy.stats import wasserstein_distance

        return float(wasserstein_distance(self.test[np.isfinite(self.test)], self.map))

    @property
    def clustered(self) -> bool:
        """Whether samples lie nearer to each other than the map to them (one-sided Kolmogorov–Smirnov test)."""
        return is_clustered(self.sample, self.map)

    def curves(self) -> dict[str, Points]:
        """Return the three kinds of distances under what they lead from and to."""
        return {"sample to sample": self.sample, "map to sample": self.map, "test to training": self.test}

    def title(self) -> str:
        """Say what follows from the distances, in a line."""
        random = "" if self.clustered else " Samples do not lie in clusters: random folds of them would be right, too."
        return f"{self.verdict().capitalize()} (W = {self.w:.0f} m).{random}"

    def verdict(self) -> str:
        """Say whether the split answers the question: how good is the map between and beyond the samples?"""
        asked, tested = float(self.map.mean()), float(self.test[np.isfinite(self.test)].mean())
        if self.w <= NEAR_ENOUGH * asked:
            return "the test is as hard as the map: the split answers the question"
        if tested < asked:
            return "the test is easier than the map: its score flatters"
        return "the test is harder than the map: its score is too low for the map, right for places farther away"


def measure(
    points: Points, fold: npt.NDArray[np.integer], prediction: Points, trainable: npt.NDArray[np.bool_] | None = None
) -> Distances:
    """Measure the distances that say whether a split answers the question.

    Parameters
    ----------
    points
        Samples: points, or centres of polygons, (sample, 2), metres.
    fold
        Fold of each, from 1.
    prediction
        Places all over the map, (place, 2), metres.
    trainable
        Which samples may train the model that fold 1, 2, … tests, (fold, sample); None: all of other folds.

    Examples
    --------
    >>> villages = np.array([[0, 0], [9, 0], [5000, 0], [5009, 0]])
    >>> found = measure(villages, np.array([1, 2, 1, 2]), np.array([[2000, 0], [3000, 0]]))
    >>> found.test.tolist(), found.map.tolist(), found.verdict()
    ([9.0, 9.0, 9.0, 9.0], [1991.0, 2000.0], 'the test is easier than the map: its score flatters')
    """
    return Distances(to_next(points), to_nearest(prediction, points), to_training(points, fold, trainable))


def to_next(points: Points) -> Points:
    """Return the distance from each sample to the nearest other one."""
    from scipy.spatial import cKDTree

    return cKDTree(points).query(points, k=2)[0][:, 1]


def to_nearest(places: Points, points: Points) -> Points:
    """Return the distance from each place to the nearest sample."""
    from scipy.spatial import cKDTree

    return cKDTree(points).query(places)[0]


def to_training(
    points: Points, fold: npt.NDArray[np.integer], trainable: npt.NDArray[np.bool_] | None = None
) -> Points:
    """Return the distance from each sample to the nearest one that trains the model which tests it; inf for none."""
    found = np.full(len(points), np.inf)
    for k in np.unique(fold):
        train = fold != k if trainable is None else trainable[k - 1]
        if train.any():
            found[fold == k] = to_nearest(points[fold == k], points[train])
    return found


def is_clustered(sample: Points, mapped: Points) -> bool:
    """Whether distances between samples are significantly smaller than those from the map to the samples."""
    from scipy.stats import ks_2samp

    method = "exact" if len(sample) * len(mapped) < EXACT else "asymp"
    return bool(ks_2samp(sample, mapped, alternative="greater", method=method).pvalue < SIGNIFICANT)
