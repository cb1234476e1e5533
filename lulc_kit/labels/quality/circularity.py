"""Labels that follow from the image itself: scores against them say how well a rule was copied, no more.

Agreement alone cannot tell. Forest and meadow may be told apart by one threshold to 99 %, because they *are* that
different; then few samples lie near the border of the rule, and those are mixed pixels that the rule gets wrong. Labels
that the rule made have a border that cuts through the middle of the samples, and is right on both sides of it. So three
numbers count: the agreement, the part of samples near the border, and the agreement there. They are measured on
samples that the rule was not fitted to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.late import pd
from lulc_kit.sentinel2 import BANDS

EXACT, CUT, SHARP = 0.99, 0.06, 0.93
"""Least agreement, least part of samples near the border, and least agreement there, of labels that a rule made.

Between what was measured, with a few seeds each, on labels made by k-means or by thresholds of NDVI on four scenes
(at least 0.994, 0.08 and 0.96) and on labels from elsewhere: the studies `havelland`, `romania` and `simulated`, and
each two classes of theirs (never all three; `simulated`, whose truth knows no doubt, comes nearest with 0.992, 0.08
and 0.90). Labels of two classes that hardly touch are reproduced by a rule whatever they come from, and pass.
"""
NEAR = 0.2
"""What is near the border of two classes: so far from it, where their means are 1 away from it on either side."""
NEAR_THRESHOLD = 0.1
"""The same for thresholds of one feature, in its standard deviations."""
PER_CLASS = 2000
"""Samples of each class that are used, at most; with fewer than 500 the borders are too blurred to tell."""
LEAST = 25
"""Samples near the border, all classes together, without which nothing is said."""
FOLDS = 4

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
Verdict = tuple[Codes, npt.NDArray[np.bool_]]
"""The class that a rule gives each sample, and whether the sample lies near the rule's border."""


def circularity(features: pd.DataFrame, labels: Any, *, random_state: int = 1) -> pd.DataFrame:
    """Look for a simple rule of the features that reproduces the labels almost exactly.

    Parameters
    ----------
    features
        (sample, feature), finite. Rules are looked for among all of them, and among Sentinel-2's bands alone.
    labels
        Name of each sample's class.
    random_state
        Seed of the draws.

    Returns
    -------
    pandas.DataFrame
        One row per rule: ``rule``, ``agreement`` (0–1, of samples drawn evenly from the classes), ``near the border``
        (part of them), ``agreement there`` (NaN for none), ``derived`` (whether the labels probably come from it).
    """
    from sklearn.model_selection import StratifiedKFold

    kinds = pd.Categorical(labels)
    generator = np.random.default_rng(random_state)
    drawn = [generator.permutation(np.flatnonzero(kinds.codes == c))[:PER_CLASS] for c in range(len(kinds.categories))]
    enough = [members for members in drawn if len(members) >= FOLDS]
    if len(enough) < 2:
        return pd.DataFrame(columns=["rule", "agreement", "near the border", "agreement there", "derived"])
    rows = np.sort(np.concatenate(enough))
    y = np.unique(kinds.codes[rows], return_inverse=True)[1]
    x = features.iloc[rows].astype(np.float64)
    x = (x - x.mean()) / x.std(ddof=0).where(lambda spread: spread > 0)
    x = x.dropna(axis="columns")
    parts = list(StratifiedKFold(FOLDS, shuffle=True, random_state=random_state).split(x, y))
    return pd.DataFrame([{"rule": name} | _judge(rule, z, y, parts) for name, rule, z in _rules(x, y)])


def warning(table: pd.DataFrame) -> str | None:
    """Say in a sentence which rule the labels probably come from (`circularity`); None where there is none."""
    if not table["derived"].any():
        return None
    best = table[table["derived"]].sort_values("agreement there").iloc[-1]
    return (
        f"These labels were probably made from the same image: {best['rule']} reproduce(s) {best['agreement']:.1%} "
        f"of them, and {best['agreement there']:.1%} even where classes touch. Scores against them say how well the "
        f"rule is copied, not what is on the ground."
    )


def _rules(x: pd.DataFrame, y: Codes) -> Iterator[tuple[str, Callable[..., Verdict], Numbers]]:
    from sklearn.tree import DecisionTreeClassifier

    sets: dict[str, list[Any]] = {f"all {x.shape[1]} features": list(x)}
    bands = [name for name in BANDS if name in x]
    if 0 < len(bands) < x.shape[1]:
        sets[f"the {len(bands)} bands"] = bands
    for which, names in sets.items():
        yield f"k-means of {which}", _clusters, x[names].to_numpy()
        yield f"flat borders in {which}", _linear, x[names].to_numpy()
    for depth, title in ((1, "one threshold"), (2, "three thresholds")):
        used = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(x, y).tree_.feature
        named = " and ".join(dict.fromkeys(x.columns[i] for i in used if i >= 0))
        yield f"{title} of {named}", partial(_thresholds, depth=depth), x.to_numpy()


def _judge(rule: Callable[..., Verdict], z: Numbers, y: Codes, parts: list[tuple[Codes, Codes]]) -> dict[str, object]:
    right, near = np.zeros(len(y), bool), np.zeros(len(y), bool)
    for train, test in parts:
        given, near[test] = rule(z[train], y[train], z[test])
        right[test] = given == y[test]
    there = right[near].mean() if near.any() else np.nan
    made = right.mean() >= EXACT and near.mean() >= CUT and near.sum() >= LEAST and there >= SHARP
    return {
        "agreement": right.mean(),
        "near the border": near.mean(),
        "agreement there": there,
        "derived": bool(made),
    }


def _clusters(x: Numbers, y: Codes, new: Numbers) -> Verdict:
    """k-means that starts from the classes' means and does not see the classes again."""
    from sklearn.cluster import KMeans

    means = np.stack([x[y == c].mean(axis=0) for c in range(y.max() + 1)])
    centres = KMeans(len(means), init=means, n_init=1, max_iter=50).fit(x).cluster_centers_
    return _sides(new, 2 * centres, -(centres**2).sum(axis=1), centres)


def _linear(x: Numbers, y: Codes, new: Numbers) -> Verdict:
    """Flat borders, wherever they fit best: those of k-means in whatever scaling of the features, and of indices."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression

    model = LinearDiscriminantAnalysis(solver="lsqr").fit(x, y)
    if model.score(x, y) >= 0.8:  # else no flat border comes near
        model = LogisticRegression(C=1e3, solver="newton-cholesky").fit(x, y)
    weights, offset = model.coef_, model.intercept_
    if len(weights) == 1:
        weights, offset = np.vstack([0 * weights, weights]), np.append(0, offset)
    means = np.stack([x[y == c].mean(axis=0) for c in range(len(weights))])
    return _sides(new, weights, offset, means)


def _sides(x: Numbers, weights: Numbers, offset: Numbers, means: Numbers) -> Verdict:
    """Give each sample the class of the largest linear score; near a border are those where another's is close."""
    score = x @ weights.T + offset
    second, first = np.argsort(score, axis=1)[:, -2:].T
    across = np.abs(((means[first] - means[second]) * (weights[first] - weights[second])).sum(axis=1))
    rows = np.arange(len(x))
    return first, score[rows, first] - score[rows, second] < NEAR * across / 2


def _thresholds(x: Numbers, y: Codes, new: Numbers, *, depth: int) -> Verdict:
    """A tree of thresholds; near its border are samples that a small step in one feature takes to another class."""
    from sklearn.tree import DecisionTreeClassifier

    model = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(x, y)
    given, near = model.predict(new), np.zeros(len(new), bool)
    for feature in np.unique(model.tree_.feature[model.tree_.feature >= 0]):
        for step in (-NEAR_THRESHOLD, NEAR_THRESHOLD):
            moved = new.copy()
            moved[:, feature] += step
            near |= model.predict(moved) != given
    return given, near
