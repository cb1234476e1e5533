"""k-nearest neighbours and random forest, trained for each fold and once on everything."""

from __future__ import annotations

import inspect
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lulc_kit import files
from lulc_kit.errors import FormatError, ParameterError
from lulc_kit.late import pd
from lulc_kit.progress import bar

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin
    from sklearn.pipeline import Pipeline

# What a stored pipeline consists of beyond what skops trusts by itself; anything else is refused on loading.
TRUSTED = [
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.tree._tree.Tree",
]


@dataclass(frozen=True)
class Kind:
    """A kind of classifier.

    Attributes
    ----------
    build
        Makes one, untrained; its arguments are settings of notebook 06, by name.
    title
        What it is, with the settings' names in braces.
    repeat
        Whether rare classes' samples are repeated to weigh as much as those of common ones, because it has no class
        weights.
    """

    build: Callable[..., ClassifierMixin]
    title: str
    repeat: bool = False

    @property
    def settings(self) -> list[str]:
        """Names of the settings."""
        return list(inspect.signature(self.build).parameters)


def _neighbours(neighbours: int) -> ClassifierMixin:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(neighbours, algorithm="brute", n_jobs=1)


def _forest(trees: int, min_leaf: int, seed: int) -> ClassifierMixin:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(
        trees, min_samples_leaf=min_leaf, class_weight="balanced", random_state=seed, n_jobs=-1
    )


KINDS: dict[str, Kind] = {
    "knn": Kind(
        _neighbours,
        "k-nearest neighbours, k = {neighbours}, standardized features, classes balanced by repetition",
        repeat=True,
    ),
    "rf": Kind(_forest, "random forest of {trees} trees, leaves of at least {min_leaf}, balanced class weights"),
}
"""Classifiers by the word in ``06_<run>.yaml``; one more is an entry here, its word and settings in the parameters."""


@dataclass(frozen=True)
class Fitted:
    """Models of one run.

    Attributes
    ----------
    final
        Trained on all samples; makes the map.
    by_split
        For each split, for fold 1, 2, …: trained on samples that may train the model which that fold tests.
    features
        Names of the features, in order.
    """

    final: Pipeline
    by_split: Mapping[str, Sequence[Pipeline]]
    features: tuple[str, ...]


def balance(label: npt.NDArray[np.integer], seed: int) -> npt.NDArray[np.intp]:
    """Return row numbers in which every class is as frequent as the most frequent one, by repeating rows.

    k-nearest neighbours has no class weights; repeating samples weighs their votes.
    """
    generator = np.random.default_rng(seed)
    values, counts = np.unique(label, return_counts=True)
    chosen = []
    for value, count in zip(values, counts, strict=True):
        rows = np.flatnonzero(label == value)
        chosen += [rows, generator.choice(rows, counts.max() - count)]
    return np.concatenate(chosen)


def train(
    table: pd.DataFrame,
    classifier: ClassifierMixin,
    features: Sequence[str],
    training: Mapping[str, Sequence[npt.NDArray[np.bool_]]],
    *,
    repeat: bool = False,
    seed: int = 1,
    name: str = "",
) -> Fitted:
    """Train on all samples, and once for each fold of each split without what that fold tests.

    Parameters
    ----------
    table
        One row per sample: ``label`` and the features.
    classifier
        Untrained; copies of it follow a StandardScaler.
    features
        Columns of the table.
    training
        For each split, for fold 1, 2, …: which rows may train the model that the fold tests (`Samples.training`).
    repeat, seed
        Whether rare classes' samples are repeated (`balance`), and the seed of that.
    name
        Of the run, shown with the progress.

    Raises
    ------
    LulcError
        If a training set is smaller than the number of neighbours.
    """
    from sklearn.base import clone
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, label = table[list(features)].to_numpy(np.float32), table["label"].to_numpy()
    least = getattr(classifier, "n_neighbors", 0)
    with bar(1 + sum(map(len, training.values())), f"training {name}", "models") as progress:

        def fit(chosen: npt.NDArray[np.bool_]) -> Pipeline:
            rows = np.flatnonzero(chosen)
            if len(rows) < least:
                raise ParameterError(f"{len(rows)} training samples are fewer than neighbours: {least}.")
            if repeat:
                rows = rows[balance(label[rows], seed)]
            model = make_pipeline(StandardScaler(), clone(classifier)).fit(x[rows], label[rows])
            if hasattr(model[-1], "n_jobs"):
                model[-1].set_params(n_jobs=1)  # blocks of the map run on all cores already
            progress.update(1)
            return model

        by_split = {split: [fit(chosen) for chosen in folds] for split, folds in training.items()}
        final = fit(np.ones(len(table), bool))
    return Fitted(final, by_split, tuple(features))


def save(model: Pipeline, path: Path) -> None:
    """Store a model with skops: no pickle, so opening the file can run no code."""
    import skops.io  # loads all of scikit-learn, and pytest

    with files.replacing(path) as part:
        skops.io.dump(model, part)


def load(path: Path) -> Pipeline:
    """Load a model stored by `save`; a LulcError if it is none or holds anything else."""
    import skops.io

    try:
        unknown = [t for t in skops.io.get_untrusted_types(file=path) if t not in TRUSTED]
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise FormatError(f"{path} is not a model of this kit ({error}). Run notebook 06 again.") from error
    if unknown:
        raise FormatError(f"{path} holds {', '.join(unknown)}, which this kit never writes. It is not loaded.")
    return skops.io.load(path, trusted=TRUSTED)


def importances(fitted: Fitted) -> pd.Series | None:
    """Mean decrease in impurity of each feature, largest first; None for models that have none."""
    classifier = fitted.final[-1]
    if not hasattr(classifier, "feature_importances_"):
        return None
    series = pd.Series(classifier.feature_importances_, index=list(fitted.features), name="importance")
    return series.sort_values(ascending=False)
