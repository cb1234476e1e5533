"""Labels that are probably wrong, and samples unlike all others of their class.

Confident learning (Northcutt, Jiang & Chuang 2021, doi:10.1613/jair.1.12125; package cleanlab): models that have not seen a
sample's fold say how probable each class is; a label is doubted where another class is more probable than it
usually is for samples of that class. What was labelled at once (a polygon) is judged at once.

Outliers by isolation forest within each class (Liu, Ting & Zhou 2008, doi:10.1109/ICDM.2008.17).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier, IsolationForest

from lulc_kit.progress import track

PER_CLASS = 1000
"""Samples of each class that a model learns from, at most: more cost time and change no verdict."""
STRANGE = 0.6
"""Anomaly score from which on Liu et al. call a sample an outlier; 0.5 is an ordinary one, 1 the most unlike."""

Labels = Sequence[str] | npt.ArrayLike


def out_of_fold(
    features: npt.ArrayLike,
    labels: Labels,
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
