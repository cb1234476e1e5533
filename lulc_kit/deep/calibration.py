"""One number that makes the probabilities of a network say how often it is right: the temperature of its softmax.

Guo et al. 2017, arXiv 1706.04599: networks are surer than they should be; their scores divided by a temperature above
1, found on pixels they did not learn from, change no class and mend most of that.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

COLDEST, HOTTEST = 0.25, 10.0
"""Temperatures are looked for between these."""
LEAST = 1e-7
"""Probabilities count as at least this."""


def log_loss(probabilities: npt.NDArray[np.floating], classes: npt.NDArray[np.integer], temperature: float) -> float:
    """Return the mean of −log p of the true class after scores are divided by the temperature."""
    scores = np.log(np.maximum(np.asarray(probabilities, np.float64), LEAST)) / temperature
    scores -= scores.max(axis=1, keepdims=True)
    own = np.take_along_axis(scores, classes[:, None], axis=1)[:, 0]
    return float(np.mean(np.log(np.exp(scores).sum(axis=1)) - own))


def temperature(probabilities: npt.NDArray[np.floating], classes: npt.NDArray[np.integer]) -> float:
    """Find the temperature of the least `log_loss`.

    The loss is convex in 1/T, and its slope there is the mean score that the network expects, less that of the true
    class; where the slope is 0 is found by Brent's method.

    Parameters
    ----------
    probabilities
        (pixel, class), of pixels that the network did not learn from.
    classes
        (pixel,): positions of the true classes.

    Returns
    -------
    float
        From `COLDEST` to `HOTTEST`; 1 if there are no pixels.
    """
    if len(classes) == 0:
        return 1.0
    scores = np.log(np.maximum(np.asarray(probabilities, np.float64), LEAST))
    scores -= scores.max(axis=1, keepdims=True)
    own = float(np.take_along_axis(scores, classes[:, None], axis=1).mean())

    def slope(logarithm: float) -> float:
        weights = np.exp(scores * math.exp(-logarithm))
        return float(((weights * scores).sum(axis=1) / weights.sum(axis=1)).mean()) - own

    low, high = math.log(COLDEST), math.log(HOTTEST)
    if slope(low) <= 0:  # never wrong: the colder, the better
        return COLDEST
    if slope(high) >= 0:  # no better than chance
        return HOTTEST
    return math.exp(brentq(slope, low, high, xtol=1e-6))
