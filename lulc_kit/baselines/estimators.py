"""k-nearest neighbours and random forest, trained for each fold and once on everything."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from lulc_kit import files, params
from lulc_kit.errors import BandError, FormatError, ParameterError
from lulc_kit.progress import bar

# What a stored pipeline consists of beyond what skops trusts by itself; anything else is refused on loading.
TRUSTED = [
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.tree._tree.Tree",
]


@dataclass(frozen=True)
class Fitted:
    """Models of one run.

    Attributes
    ----------
    final
        Trained on all samples; makes the map.
    blocks
        For fold 1, 2, …: trained on samples apart in space from that fold.
    random
        For random fold 1, 2, …: trained on all other random folds.
    features
        Names of the features, in order.
    """

    final: Pipeline
    blocks: Sequence[Pipeline]
    random: Sequence[Pipeline]
    features: tuple[str, ...]


def build(p: params.Baselines) -> Pipeline:
    """Make an untrained pipeline: StandardScaler, then the classifier."""
    if p.model == "knn":
        classifier = KNeighborsClassifier(p.neighbours, algorithm="brute", n_jobs=1)
    else:
        classifier = RandomForestClassifier(
            p.trees, min_samples_leaf=p.min_leaf, class_weight="balanced", random_state=p.seed, n_jobs=-1
        )
    return make_pipeline(StandardScaler(), classifier)


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


def train(table: pd.DataFrame, p: params.Baselines) -> Fitted:
    """Train on all samples, and once for each fold without what that fold tests.

    Parameters
    ----------
    table
        The samples of notebook 05.
    p
        Parameters of notebook 06.

    Raises
    ------
    LulcError
        If a feature is not in the table, or a training set is smaller than the number of neighbours.
    """
    folds = int(table["fold"].max())
    features = feature_names(table, p.features)
    with bar(2 * folds + 1, f"training {p.run}", "models") as progress:

        def fit(chosen: pd.Series) -> Pipeline:
            part = table[chosen]
            if p.model == "knn":
                if len(part) < p.neighbours:
                    raise ParameterError(f"{len(part)} training samples are fewer than neighbours: {p.neighbours}.")
                part = part.iloc[balance(part["label"].to_numpy(), p.seed)]
            model = build(p).fit(part[list(features)].to_numpy(np.float32), part["label"].to_numpy())
            if p.model == "rf":
                model[-1].set_params(n_jobs=1)  # blocks of the map run on all cores already
            progress.update(1)
            return model

        blocks = [fit(table[f"train_{k}"]) for k in range(1, folds + 1)]
        random = [fit(table["random_fold"] != k) for k in range(1, folds + 1)]
        final = fit(pd.Series(True, index=table.index))
    return Fitted(final, blocks, random, features)


def feature_names(table: pd.DataFrame, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Return the features to use: those wanted, or all the table has."""
    ours = {"row", "column", "class", "label", "fold", "random_fold", "block", "polygon", "geometry"}
    have = [c for c in table.columns if c not in ours and not c.startswith("train_")]
    missing = [f for f in wanted or [] if f not in have]
    if missing:
        raise BandError(f"Feature(s) {', '.join(missing)} are not in the samples. They have: {', '.join(have)}.")
    return tuple(wanted or have)


def save(model: Pipeline, path: Path) -> None:
    """Store a model with skops: no pickle, so opening the file can run no code."""
    with files.replacing(path) as part:
        skops.io.dump(model, part)


def load(path: Path) -> Pipeline:
    """Load a model stored by `save`; a LulcError if it is none or holds anything else."""
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
