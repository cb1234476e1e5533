"""How far the features of neighbours resemble each other: the range of a variogram, as the side of blocks.

The experimental variogram is Matheron's (1963, doi:10.2113/gsecongeo.58.8.1246), the model the spherical one with a
nugget. Blocks of at least the range keep test and training samples apart that would be near-copies (Roberts et al.
2017, doi:10.1111/ecog.02881).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.errors import LulcError

SAMPLED = 2000
"""So many samples make the variogram: two million pairs."""
LAGS = 20


@dataclass(frozen=True)
class Variogram:
    """An experimental variogram and the model fitted to it.

    Attributes
    ----------
    lag
        Mean distance of the pairs in each class of distances, metres.
    semivariance
        Half the mean squared difference of the pairs.
    pairs
        How many there are.
    range
        Distance from which on the model is flat, metres: samples farther apart do not resemble each other.
    longest
        Distances up to this one were looked at, metres.
    sill, nugget
        Semivariance from there on, and at distance 0.
    """

    lag: npt.NDArray[np.float64]
    semivariance: npt.NDArray[np.float64]
    pairs: npt.NDArray[np.int64]
    range: float
    longest: float
    sill: float
    nugget: float

    def model(self, distance: Any) -> npt.NDArray[np.float64]:
        """Return the semivariance of the model at distances, metres."""
        return spherical(distance, self.range, self.sill - self.nugget, self.nugget)


def spherical(distance: Any, reach: float, rise: float, nugget: float) -> npt.NDArray[np.float64]:
    """Compute the spherical model: nugget + rise · (1.5 h − 0.5 h³) with h = distance / reach, at most 1.

    Examples
    --------
    >>> spherical([0, 50, 100, 500], reach=100, rise=4, nugget=1).tolist()
    [1.0, 3.75, 5.0, 5.0]
    """
    h = np.minimum(np.asarray(distance, np.float64) / reach, 1)
    return nugget + rise * (1.5 * h - 0.5 * h**3)


def fit(points: npt.NDArray[np.float64], values: npt.NDArray[np.floating], longest: float | None = None) -> Variogram:
    """Compute the variogram of a value and fit a spherical model, each class of distances weighing as its pairs do.

    Parameters
    ----------
    points
        Where the samples lie, (sample, 2), metres.
    values
        The value of each, (sample,).
    longest
        Distances up to this one count, metres; None: the median of all, beyond which too few places have partners.

    Raises
    ------
    LulcError
        If there are fewer than 30 samples, or all values are the same.

    Examples
    --------
    >>> points = np.random.default_rng(1).uniform(0, 10_000, (1000, 2))
    >>> fields = np.random.default_rng(2).normal(size=(20, 20))  # of 500 m, each with its own value
    >>> across, down = (points // 500).astype(int).T
    >>> found = fit(points, fields[down, across])
    >>> bool(400 < found.range < 800)
    True
    """
    from scipy.optimize import curve_fit
    from scipy.spatial.distance import pdist

    if len(points) < 30 or np.ptp(values) == 0:
        raise LulcError(
            f"A variogram needs at least 30 samples that differ; found {len(points)}. Give the side of the blocks "
            f"(block) in metres."
        )
    apart = pdist(points)
    squared = pdist(np.asarray(values, np.float64)[:, None], "sqeuclidean")
    longest = float(np.median(apart)) if longest is None else longest
    lag_class = np.ceil(apart / longest * LAGS).astype(int)
    near = (lag_class >= 1) & (lag_class <= LAGS)
    pairs = np.bincount(lag_class[near], minlength=LAGS + 1)[1:]
    there = pairs > 0
    lag, semivariance = (
        np.bincount(lag_class[near], of[near], LAGS + 1)[1:][there] / pairs[there] for of in (apart, squared / 2)
    )
    variance = float(np.var(values))
    (reach, rise, nugget), _ = curve_fit(
        spherical,
        lag,
        semivariance,
        p0=(longest / 2, variance, 0),
        sigma=1 / np.sqrt(pairs[there]),
        bounds=([longest / LAGS / 2, 0, 0], [longest, 10 * variance, 10 * variance]),
    )
    return Variogram(lag, semivariance, pairs[there], float(reach), longest, float(rise + nugget), float(nugget))


def of_features(points: npt.NDArray[np.float64], features: npt.NDArray[np.floating], seed: int) -> Variogram:
    """Compute the variogram of the first principal component of standardized features.

    Parameters
    ----------
    points
        Where the samples lie, (sample, 2), metres.
    features
        (sample, feature); samples with NaN do not count.
    seed
        Seed of the choice of `SAMPLED` samples, which does not depend on the order of rows.
    """
    whole = np.isfinite(features).all(axis=1)
    points, features = points[whole], np.asarray(features[whole], np.float64)
    order = np.lexsort(points.T)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(order))[:SAMPLED])
    points, features = points[order[chosen]], features[order[chosen]]
    if not len(features) or not features.std(axis=0).any():
        return fit(points, np.zeros(len(points)))  # says what is missing
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    axis = np.linalg.svd(scaled, full_matrices=False)[2][0]
    return fit(points, scaled @ axis)
