"""Few interpreted points and many mapped pixels: class areas with the help of the map's probabilities.

The probabilities of all pixels are summed up, and the points say by how much that is wrong: the difference estimator
(Särndal, Swensson & Wretman 1992, chapter 6; McRoberts 2010, doi:10.1016/j.rse.2009.12.012), today also called
prediction-powered inference, with a weight tuned to the data (Angelopoulos, Duchi & Zrnic 2023, arXiv 2311.01453).
It holds whatever the probabilities are worth, as long as the model was not trained on the points; what they are worth
decides how much it gains over the post-stratified estimator, which has the map's classes already.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lulc_kit.errors import ParameterError

Numbers = npt.NDArray[np.float64]

LEAST = 3
"""Points in a stratum, below which its weight cannot be tuned; they are taken as they are."""


@dataclass(frozen=True)
class Assisted:
    """Means over the map, with the help of a prediction at every pixel.

    Attributes
    ----------
    value, se
        For each variable: its mean over the map, and the standard error. Variables that add up to 1 at each point do so
        here.
    power
        For each stratum: how far the predictions were believed, 0 (not at all: the post-stratified estimator) to 1.
    """

    value: Numbers
    se: Numbers
    power: Numbers


def estimate(
    seen: npt.ArrayLike,
    predicted: npt.ArrayLike,
    stratum: npt.ArrayLike,
    weights: npt.ArrayLike,
    means: npt.ArrayLike,
    *,
    population: npt.ArrayLike | None = None,
    power: float | None = None,
) -> Assisted:
    """Estimate means over the map from points and predictions.

    Parameters
    ----------
    seen
        What was observed, (point, variable): for class areas 1 for the class that is there, 0 for the others.
    predicted
        What a model that was not trained on the points predicts there, (point, variable): its probabilities.
    stratum
        Number of each point's stratum, from 0.
    weights
        Each stratum's part of the map, or anything proportional to it.
    means
        Mean prediction of all pixels of each stratum, (stratum, variable).
    population
        Pixels of each stratum, for the finite population correction; None for none.
    power
        How far predictions are believed, 0–1; None: tuned in each stratum to the least variance of all variables
        together.

    Raises
    ------
    LulcError
        If a stratum of the map has fewer than two points, or a prediction is missing.

    Examples
    --------
    >>> seen, predicted = np.array([[1.0], [0.0], [1.0], [0.0]]), np.array([[0.9], [0.2], [0.8], [0.1]])
    >>> found = estimate(seen, predicted, [0, 0, 0, 0], [1.0], [[0.6]], power=1.0)
    >>> round(float(found.value[0]), 3), round(float(found.se[0]), 3)
    (0.6, 0.091)
    """
    y, f, means = (np.asarray(x, float) for x in (seen, predicted, means))
    if not (np.isfinite(f).all() and np.isfinite(means).all()):
        raise ParameterError("Some points or strata have no prediction. Estimate from the points alone (design).")
    weight = np.asarray(weights, float) / np.sum(weights)
    number = np.asarray(stratum)
    size = np.full(len(weight), np.inf) if population is None else np.asarray(population, float)
    value, variance, powers = np.zeros(y.shape[1]), np.zeros(y.shape[1]), np.zeros(len(weight))
    for h in np.flatnonzero(weight > 0):
        here = number == h
        n = int(here.sum())
        if n < 2:
            raise ParameterError(f"Stratum {h + 1} has {n} points; a standard error needs two. Interpret more there.")
        lam = _tuned(y[here], f[here]) if power is None else power
        rest = y[here] - lam * f[here]
        lost = 1 + (power is None and lam > 0)  # a tuned weight is one more number taken from the points
        squares = ((rest - rest.mean(axis=0)) ** 2).sum(axis=0) / max(n - lost, 1)
        value += weight[h] * (lam * means[h] + rest.mean(axis=0))
        variance += weight[h] ** 2 * (1 - n / size[h]) * squares / n
        powers[h] = lam
    return Assisted(value, np.sqrt(variance), powers)


def _tuned(y: Numbers, f: Numbers) -> float:
    """Return the weight of predictions that gives all variables together the least variance."""
    y, f = y - y.mean(axis=0), f - f.mean(axis=0)
    spread = (f**2).sum()
    return float(np.clip((y * f).sum() / spread, 0, 1)) if spread > 0 and len(y) >= LEAST else 0.0
