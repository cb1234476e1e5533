"""Spectral separability of classes: how far apart two of them are, seen as clouds of normally distributed samples.

Jeffries–Matusita distance, squared, 0–2: J = 2 (1 − e^−B), with the Bhattacharyya distance
B = Δᵀ Σ⁻¹ Δ / 8 + ln(|Σ| / √(|Σi| |Σj|)) / 2, where Δ = μi − μj and Σ = (Σi + Σj) / 2 (Richards 2013, *Remote Sensing
Digital Image Analysis*, ch. 10, doi:10.1007/978-3-642-30062-2). Transformed divergence, 0–2000:
T = 2000 (1 − e^(−D/8)), with D = tr((Σi − Σj)(Σj⁻¹ − Σi⁻¹)) / 2 + Δᵀ(Σi⁻¹ + Σj⁻¹)Δ / 2 (Swain & Davis 1978, *Remote
Sensing: The Quantitative Approach*).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.late import pd

ENOUGH = 10
"""Samples for each feature that a covariance needs at least (Swain & Davis 1978, who would rather have 100)."""


@dataclass(frozen=True)
class Separability:
    """How far apart classes are.

    Attributes
    ----------
    jeffries_matusita
        Class × class, 0 (the same) to 2 (apart); above 1.9 good, below 1 hardly two classes.
    divergence
        The transformed divergence, class × class, 0 to 2000; above 1900 good, below 1700 poor.
    few
        Classes with fewer than `ENOUGH` samples for each feature, and how many they have: their numbers are too high,
        or (no more samples than features) NaN.
    """

    jeffries_matusita: pd.DataFrame
    divergence: pd.DataFrame
    few: dict[str, int]


def separability(features: npt.ArrayLike, labels: Any) -> Separability:
    """Compute how far apart each two classes are in features.

    Covariances are shrunk as Ledoit & Wolf (2004, doi:10.1016/S0047-259X(03)00096-4) have it, in features of one
    standard deviation: an index computed from the bands, or a feature there twice, leaves them invertible. With
    hundreds of samples of features that are not copies of each other, shrinking changes next to nothing.

    Parameters
    ----------
    features
        (sample, feature), finite. Features that never change are left out.
    labels
        Name of each sample's class; classes of a Categorical stand in its order.
    """
    x = np.asarray(features, np.float64)
    spread = x.std(axis=0)
    x = ((x - x.mean(axis=0)) / np.where(spread > 0, spread, 1))[:, spread > 0]
    member, names = _codes(labels)
    counts = np.bincount(member, minlength=len(names))
    clouds = [_gaussian(x[member == i]) if counts[i] > x.shape[1] else None for i in range(len(names))]
    jm, td = (np.full((len(names), len(names)), np.nan) for _ in range(2))
    for i, one in enumerate(clouds):
        for j, other in enumerate(clouds):
            if one is not None and other is not None:
                jm[i, j] = 2 * -np.expm1(-bhattacharyya(*one, *other))
                td[i, j] = 2000 * -np.expm1(-divergence(*one, *other) / 8)
    few = {str(name): int(n) for name, n in zip(names, counts, strict=True) if n < ENOUGH * x.shape[1]}
    near, far = (pd.DataFrame(m, index=names, columns=names) for m in (jm, td))
    return Separability(near, far, few)


def _codes(labels: Any) -> tuple[npt.NDArray[np.intp], pd.Index]:
    kinds = pd.Categorical(labels).remove_unused_categories()
    return np.asarray(kinds.codes, np.intp), kinds.categories


def _gaussian(x: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the mean and the shrunk covariance; a class without any spread gets next to none."""
    from sklearn.covariance import LedoitWolf

    covariance = LedoitWolf().fit(x).covariance_
    return x.mean(axis=0), covariance + 1e-9 * np.eye(len(covariance))


def bhattacharyya(
    mean: npt.NDArray[np.float64],
    covariance: npt.NDArray[np.float64],
    other_mean: npt.NDArray[np.float64],
    other_covariance: npt.NDArray[np.float64],
) -> float:
    """Compute the Bhattacharyya distance of two normal distributions, 0 … ∞; means (feature,), covariances square."""
    apart, pooled = mean - other_mean, (covariance + other_covariance) / 2
    logs = [np.linalg.slogdet(c)[1] for c in (pooled, covariance, other_covariance)]
    return float(apart @ np.linalg.solve(pooled, apart) / 8 + (logs[0] - (logs[1] + logs[2]) / 2) / 2)


def divergence(
    mean: npt.NDArray[np.float64],
    covariance: npt.NDArray[np.float64],
    other_mean: npt.NDArray[np.float64],
    other_covariance: npt.NDArray[np.float64],
) -> float:
    """Compute the divergence of two normal distributions, 0 … ∞; means (feature,), covariances square."""
    apart, inverse, other = mean - other_mean, np.linalg.inv(covariance), np.linalg.inv(other_covariance)
    spread = np.trace((covariance - other_covariance) @ (other - inverse))
    return float(spread + apart @ (inverse + other) @ apart) / 2
