"""Accuracy and class areas from a probability sample: estimators that follow from how the points were drawn.

Every number is a ratio of two totals over the map, each estimated from the strata (Olofsson et al. 2014,
doi:10.1016/j.rse.2014.02.015, for strata that are the map's classes; Stehman 2014, doi:10.1080/01431161.2014.930207,
for any strata). One formula serves all: the variance of a ratio is that of its residuals (Cochran 1977, chapter 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.errors import ParameterError
from lulc_kit.late import pd

Numbers = npt.NDArray[np.float64]

TINY = 1e-12
"""What rounding leaves of a standard error that is 0."""

FEW = 10
"""Points below which an interval of a class is called weak."""

MEASURES = ("overall_accuracy", "users_accuracy", "producers_accuracy", "f1", "area_share")
"""What `estimate_stratified` estimates."""


@dataclass(frozen=True)
class DesignEstimates:
    """What a probability sample says of a map, each number with its standard error; ``found["f1"]`` is ``found.f1``.

    A number that the sample cannot give (user's accuracy of a class that no point has on the map) is NaN.

    Attributes
    ----------
    overall_accuracy, overall_accuracy_se
        Part of the land that the map has right, 0–1.
    users_accuracy, users_accuracy_se
        For each class: of what the map calls the class, how much is (precision), 0–1.
    producers_accuracy, producers_accuracy_se
        For each class: of what is the class, how much the map finds (recall), 0–1.
    f1, f1_se
        For each class: their harmonic mean, 0–1; the standard error by the delta method.
    area_share, area_share_se
        For each class: its true part of the land, 0–1, from the reference and not from counted pixels.
    unseen
        For each class: the part of the land that it could still have in strata where no point shows it, by the rule of
        three (none among n points: with 95 % confidence less than 3/n). No standard error knows of it.
    points
        Number of points.
    hits
        By measure: how many points stand in its denominator (of ``area_share``: in its numerator).
    support
        By measure: the number of equally weighted points that weigh as much as those (Kish), for intervals of a
        number without any spread.
    """

    overall_accuracy: float
    overall_accuracy_se: float
    users_accuracy: Numbers
    users_accuracy_se: Numbers
    producers_accuracy: Numbers
    producers_accuracy_se: Numbers
    f1: Numbers
    f1_se: Numbers
    area_share: Numbers
    area_share_se: Numbers
    unseen: Numbers
    points: int
    hits: dict[str, npt.NDArray[np.int64]]
    support: dict[str, Numbers]

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def interval(self, name: str, confidence: float = 0.95, how: str = "wilson") -> tuple[Numbers, Numbers]:
        """Return the lower and upper end of the interval of one of `MEASURES`; see `interval`."""
        return interval(self[name], self[f"{name}_se"], self.support[name], confidence, how)

    def table(self, names: Sequence[str], confidence: float = 0.95, how: str = "wilson") -> pd.DataFrame:
        """One row per class and measure: ``value``, ``se``, ``low``, ``high``, ``hits``; and one for the whole map."""
        rows = []
        for measure in MEASURES:
            low, high = (np.atleast_1d(end) for end in self.interval(measure, confidence, how))
            value, se = np.atleast_1d(self[measure]), np.atleast_1d(self[f"{measure}_se"])
            hits = np.atleast_1d(self.hits[measure])
            for i, name in enumerate(names if measure != "overall_accuracy" else ["all"]):
                row = {"value": value[i], "se": se[i], "low": low[i], "high": high[i], "hits": hits[i]}
                rows.append({"measure": measure, "class": name} | row)
        return pd.DataFrame(rows).set_index(["measure", "class"])

    def cautions(self, names: Sequence[str]) -> list[str]:
        """Say which numbers rest on too few points, or show no error at all so that their standard error is 0."""
        said = []
        words = {"users_accuracy": "user's accuracy", "producers_accuracy": "producer's accuracy", "area_share": "area"}
        for measure, word in words.items():
            few = [f"{n} ({h})" for n, h in zip(names, self.hits[measure], strict=True) if h < FEW]
            if few:
                said.append(f"Fewer than {FEW} points carry the {word} of {', '.join(few)}: its interval is weak.")
        hidden = self.unseen > 2 * self.area_share_se
        if hidden.any():
            parts = [f"{n} ({u:.1%} of the land)" for n, u, h in zip(names, self.unseen, hidden, strict=True) if h]
            said.append(
                f"In some strata no point is {', '.join(parts)}, though so much could be there unseen (rule of three): "
                f"the intervals of area and producer's accuracy do not know of it. More points in the large classes "
                f"would tell."
            )
        for measure in ("users_accuracy", "producers_accuracy"):
            pure = [
                n for n, se, h in zip(names, self[f"{measure}_se"], self.hits[measure], strict=True) if h and not se
            ]
            if pure:
                said.append(
                    f"No spread was seen in the {words[measure]} of {', '.join(pure)} (all right or all wrong), so its "
                    f"standard error is 0; the interval, which counts the points, is what to quote."
                )
        return said


def estimate_stratified(
    counts: npt.ArrayLike, weights: npt.ArrayLike, *, population: npt.ArrayLike | None = None
) -> DesignEstimates:
    """Estimate accuracy and class areas of a map from a probability sample.

    Parameters
    ----------
    counts
        Points by map class and reference class, (class, class), when the strata are the map's classes. By stratum, map
        class and reference class, (stratum, class, class), when they are not: strata of another map, or one stratum for
        a simple random sample (a systematic one is treated as such, which on the whole overstates its error).
        Counts of a simple random sample by map class alone give the post-stratified estimator, which is better.
    weights
        Each stratum's part of the map, or anything proportional to it: pixels, hectares.
    population
        Pixels of each stratum, for the finite population correction; None for none.

    Returns
    -------
    DesignEstimates
        `MEASURES`, each with its ``…_se``.

    Raises
    ------
    LulcError
        If shapes do not fit, a number is negative, or a stratum of the map has fewer than two points.

    Examples
    --------
    Olofsson et al. 2014, section 5: deforestation, forest gain, stable forest, stable non-forest.

    >>> counts = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
    >>> found = estimate_stratified(counts, [0.020, 0.015, 0.320, 0.645])
    >>> print(f"{found.overall_accuracy:.3f} ± {1.96 * found.overall_accuracy_se:.3f}")
    0.947 ± 0.018
    >>> (found.area_share * 9_990_000 * 0.09).round(-3)[:2]  # hectares
    array([21000., 12000.])
    """
    table, weight = _checked(np.asarray(counts, float), np.asarray(weights, float))
    left = np.ones(len(weight)) if population is None else _left(np.asarray(population, float), table)
    points = table.sum(axis=(1, 2))
    shares = table / np.maximum(points, 1)[:, None, None]
    size = table.shape[1]
    each = np.eye(size)
    on_map = np.repeat(each[:, :, None], size, axis=2)  # (class, map, reference): 1 where the map has the class
    in_truth = np.repeat(each[:, None, :], size, axis=1)
    both, whole = on_map * in_truth, np.ones((1, size, size))
    ratios = {
        "overall_accuracy": (both.sum(axis=0, keepdims=True), whole),
        "users_accuracy": (both, on_map),
        "producers_accuracy": (both, in_truth),
        "f1": (2 * both, on_map + in_truth),
        "area_share": (in_truth, np.repeat(whole, size, axis=0)),
    }
    found: dict[str, Any] = {}
    hits, support = {}, {}
    for name, (above, below) in ratios.items():
        value, se = _ratio(shares, points, weight, left, above, below)
        counted = np.einsum("hij,cij->ch", table, (in_truth if name == "area_share" else below) > 0)
        based = np.einsum("hij,cij->ch", table, below > 0) if name == "area_share" else counted
        one = weight / np.maximum(points, 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            support[name] = (based @ one) ** 2 / (based @ one**2)
        hits[name] = counted.sum(axis=1).astype(np.int64)
        single = name == "overall_accuracy"
        found |= {name: float(value[0]) if single else value, f"{name}_se": float(se[0]) if single else se}
    there = shares.sum(axis=1) > 0  # (stratum, class)
    unseen = (weight * 3 / np.maximum(points, 3)) @ ~there
    support["overall_accuracy"] = support["overall_accuracy"][0]
    hits["overall_accuracy"] = hits["overall_accuracy"][0]
    return DesignEstimates(**found, unseen=unseen, points=int(points.sum()), hits=hits, support=support)


def _checked(counts: Numbers, weights: Numbers) -> tuple[Numbers, Numbers]:
    """Return counts as (stratum, map, reference) and weights that add up to 1."""
    if counts.ndim == 2:
        counts = np.eye(len(counts))[:, :, None] * counts[None] if counts.shape[0] == counts.shape[1] else counts
    if counts.ndim != 3 or counts.shape[1] != counts.shape[2] or weights.shape != counts.shape[:1]:
        raise ParameterError(
            f"Counts of shape {counts.shape} with {weights.size} weights: expected (class, class) with a weight for "
            f"each map class, or (stratum, class, class) with a weight for each stratum."
        )
    if not (np.isfinite(counts).all() and np.isfinite(weights).all() and min(counts.min(), weights.min()) >= 0):
        raise ParameterError("Counts and weights must be numbers of 0 or more.")
    points = counts.sum(axis=(1, 2))
    if (thin := np.flatnonzero((points < 2) & (weights > 0))).size:
        told = ", ".join(f"{i + 1} ({points[i]:.0f})" for i in thin)
        raise ParameterError(
            f"Strata with fewer than two points: {told}. One point shows no spread, so nothing has a standard error. "
            f"Interpret more points there, or join the stratum with one that is like it (add up their counts and "
            f"weights)."
        )
    if (empty := np.flatnonzero((points > 0) & (weights == 0))).size:
        raise ParameterError(f"Strata {', '.join(map(str, empty + 1))} have points, but no part of the map (weight 0).")
    return counts, weights / weights.sum()


def _left(population: Numbers, counts: Numbers) -> Numbers:
    """Return the part of each stratum that was not drawn: the finite population correction."""
    points = counts.sum(axis=(1, 2))
    if population.shape != points.shape or (population < points).any():
        raise ParameterError(
            f"Pixels of the strata {population.tolist()} do not fit {points.astype(int).tolist()} points: expected one "
            f"number for each stratum, no less than its points."
        )
    return 1 - np.divide(points, population, out=np.ones_like(points), where=population > 0)


def _ratio(
    shares: Numbers, points: Numbers, weight: Numbers, left: Numbers, above: Numbers, below: Numbers
) -> tuple[Numbers, Numbers]:
    """Estimate ratios of totals, and their standard errors.

    Parameters
    ----------
    shares
        Part of a stratum's points in each cell, (stratum, map, reference).
    points, weight, left
        Of each stratum: points, part of the map, part that was not drawn.
    above, below
        What a point in a cell counts in numerator and denominator, (ratio, map, reference).
    """
    top, bottom = (np.einsum("hij,cij,h->c", shares, part, weight) for part in (above, below))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = top / bottom
        residual = above - ratio[:, None, None] * below
        mean, square = (np.einsum("hij,cij->ch", shares, residual**power) for power in (1, 2))
        of_stratum = weight**2 * left * np.maximum(square - mean**2, 0) / np.maximum(points - 1, 1)
        se = np.sqrt(of_stratum.sum(axis=1)) / bottom
    se[se < TINY] = 0
    return ratio, se


def interval(
    value: npt.ArrayLike, se: npt.ArrayLike, support: npt.ArrayLike, confidence: float = 0.95, how: str = "wilson"
) -> tuple[Numbers, Numbers]:
    """Return confidence intervals of parts (0–1) that stay between 0 and 1.

    Parameters
    ----------
    value, se
        Estimates and their standard errors.
    support
        Number of points behind each; used where there is no spread (0 or 1, all right or all wrong).
    confidence
        Level, 0.5–1.
    how
        ``"wilson"``: Wilson's interval with the number of points that would give this standard error in a simple random
        sample (Korn & Graubard 1998; Wilson 1927, doi:10.1080/01621459.1927.10502953). ``"logit"``: symmetric on the
        log-odds scale; Wilson's where there is no spread.

    Examples
    --------
    >>> [round(float(end), 4) for end in interval(1.0, 0.0, 20)]  # 20 of 20 right
    [0.8389, 1.0]
    """
    if how not in ("wilson", "logit"):
        raise ParameterError(f'{how!r} is no interval; there are "wilson" and "logit".')
    p, s, n = (np.asarray(x, float) for x in (value, se, support))
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    spread = (s > TINY) & (p > 0) & (p < 1)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        n = np.maximum(np.where(spread, p * (1 - p) / s**2, n), TINY)
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        low, high = middle - half, middle + half
        if how == "logit":
            reach = np.exp(z * s / (p * (1 - p)))
            low = np.where(spread, p / (p + (1 - p) * reach), low)
            high = np.where(spread, p * reach / (p * reach + 1 - p), high)
        high = np.where(np.isnan(high) & np.isfinite(p), 1, high)  # an odd so great that it is infinite
    low, high = np.clip(low, 0, p), np.clip(high, p, 1)
    return low, high


def halving(counts: npt.ArrayLike, weights: npt.ArrayLike, population: npt.ArrayLike | None = None) -> int | None:
    """Return how many more points, shared out as these are, halve the interval of overall accuracy.

    Without finite population correction that is three times the points there are. None if no error was found, so that
    nobody knows, or the map has not that many pixels.

    Examples
    --------
    >>> halving([[40, 10], [5, 45]], [0.5, 0.5])
    300
    """
    table = np.asarray(counts, float)
    without = estimate_stratified(table, weights).overall_accuracy_se ** 2
    now = estimate_stratified(table, weights, population=population).overall_accuracy_se ** 2
    if not now:
        return None
    times = without / (now / 4 + without - now)
    more = int(np.ceil((times - 1) * table.sum() - 1e-9))
    return more if population is None or table.sum() + more <= np.sum(np.asarray(population, float)) else None
