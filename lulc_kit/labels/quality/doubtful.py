"""Labels that are probably wrong, and samples unlike all others of their class.

Confident learning (Northcutt, Jiang & Chuang 2021, doi:10.1613/jair.1.12125; package cleanlab): models that have not
seen a sample's fold say how probable each class is; a label is doubted where another class is more probable than it
usually is for samples of that class. What was labelled at once (a polygon) is judged at once.

Outliers by isolation forest within each class (Liu, Ting & Zhou 2008, doi:10.1109/ICDM.2008.17).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit.late import pd
from lulc_kit.progress import track

PER_CLASS = 1000
"""Samples of each class that a model learns from, at most; half of it takes half the time and misses a tenth more."""
STRANGE = 0.6
"""Anomaly score from which on Liu et al. call a sample an outlier; 0.5 is an ordinary one, 1 the most unlike."""


def out_of_fold(
    features: npt.ArrayLike,
    labels: Any,
    folds: npt.ArrayLike,
    training: Sequence[npt.NDArray[np.bool_]] | None = None,
    *,
    random_state: int = 1,
) -> pd.DataFrame:
    """Compute how probable each class is for each sample, by models that have not seen the sample's fold.

    Parameters
    ----------
    features
        (sample, feature).
    labels
        Name of each sample's class.
    folds
        Fold of each sample, 1 … n: blocks or polygons as a whole, or neighbours vouch for each other.
    training
        For fold 1, 2, …: which samples may train the model that judges it. None: those of all other folds.
    random_state
        Seed of the draws and of the trees.

    Returns
    -------
    pandas.DataFrame
        Probabilities 0–1, sample × class.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    x, kinds, fold = np.asarray(features, np.float32), pd.Categorical(labels), np.asarray(folds)
    kinds, generator = kinds.remove_unused_categories(), np.random.default_rng(random_state)
    found = np.zeros((len(x), len(kinds.categories)))
    for k in track(range(1, int(fold.max()) + 1), "doubtful labels", unit="folds"):
        train = np.flatnonzero(fold != k if training is None else training[k - 1])
        few = [generator.permutation(train[kinds.codes[train] == c])[:PER_CLASS] for c in range(found.shape[1])]
        rows, test = np.concatenate(few), np.flatnonzero(fold == k)
        trees = ExtraTreesClassifier(
            100, min_samples_leaf=2, class_weight="balanced", random_state=random_state, n_jobs=-1
        ).fit(x[rows], kinds.codes[rows])
        found[np.ix_(test, trees.classes_)] = trees.predict_proba(x[test])
    return pd.DataFrame(found, columns=kinds.categories)


def doubtful(
    probabilities: pd.DataFrame,
    labels: Any,
    units: npt.ArrayLike | None = None,
    points: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Name the labels that are probably wrong, the most doubtful first.

    Parameters
    ----------
    probabilities
        Sample × class, by models that have not seen the sample (`out_of_fold`).
    labels
        Name of each sample's class.
    units
        Number of the polygon that each sample comes from, and is judged with; 0: it is judged by itself.
    points
        Easting and northing of each sample, (sample, 2).

    Returns
    -------
    pandas.DataFrame
        One row per doubted polygon or sample: ``polygon`` (0 for none), ``class``, ``suggested`` (the more probable
        class), ``certainty`` (probability of that, 0–1), ``own`` (of the label's class), ``samples``, and with points
        ``easting`` and ``northing`` of their centre.
    """
    from cleanlab.filter import find_label_issues

    about, unit = _units(labels, probabilities.columns, units, points)
    mean = probabilities.groupby(unit).mean().to_numpy()
    mean = mean / mean.sum(axis=1, keepdims=True)
    code = pd.Categorical(about["class"], probabilities.columns).codes.astype(np.intp)
    # So many as confident learning counts, and those whose label is least probable.
    wrong = find_label_issues(code, mean, filter_by="low_self_confidence", n_jobs=1)
    likeliest = mean.argmax(axis=1)
    about.insert(2, "suggested", probabilities.columns[likeliest])
    about.insert(3, "certainty", mean.max(axis=1))
    about.insert(4, "own", mean[np.arange(len(mean)), code])
    return about[wrong & (likeliest != code)].sort_values("own", ignore_index=True)


def outliers(
    features: npt.ArrayLike,
    labels: Any,
    units: npt.ArrayLike | None = None,
    points: npt.ArrayLike | None = None,
    *,
    random_state: int = 1,
) -> pd.DataFrame:
    """Name polygons and samples that look like nothing else in their class, the strangest first.

    Parameters
    ----------
    features
        (sample, feature).
    labels, units, points
        See `doubtful`.
    random_state
        Seed of the trees.

    Returns
    -------
    pandas.DataFrame
        One row per outlier: ``polygon``, ``class``, ``strangeness`` (the anomaly score, `STRANGE` to 1; a polygon's is
        the median of its samples), ``samples``, and with points ``easting`` and ``northing``.
    """
    from sklearn.ensemble import IsolationForest

    x, kinds = np.asarray(features, np.float32), pd.Categorical(labels).remove_unused_categories()
    score = np.zeros(len(x))
    for c in range(len(kinds.categories)):
        own = kinds.codes == c
        score[own] = -IsolationForest(random_state=random_state).fit(x[own]).score_samples(x[own])
    about, unit = _units(kinds, kinds.categories, units, points)
    about.insert(2, "strangeness", pd.Series(score).groupby(unit).median())
    return about[about["strangeness"] >= STRANGE].sort_values("strangeness", ascending=False, ignore_index=True)


def _units(
    labels: Any, names: pd.Index, units: npt.ArrayLike | None, points: npt.ArrayLike | None
) -> tuple[pd.DataFrame, npt.NDArray[np.intp]]:
    """Return what is judged at once, one row each, and the row of each sample."""
    kind = np.asarray(pd.Categorical(labels, names).codes, np.int64)
    polygon = np.zeros(len(kind), np.int64) if units is None else np.asarray(units, np.int64)
    # A number that two classes share (a map's 0, polygons on top of each other) is two units.
    own = np.where(polygon > 0, polygon * (len(names) + 1) + kind, -np.arange(1, len(kind) + 1))
    _, first, unit, count = np.unique(own, return_index=True, return_inverse=True, return_counts=True)
    about = pd.DataFrame({"polygon": polygon[first], "class": names[kind[first]], "samples": count})
    if points is not None:
        middle = pd.DataFrame(np.asarray(points, np.float64), columns=["easting", "northing"]).groupby(unit).mean()
        about = about.join(middle)
    return about, unit
