"""Training: for each fold without what it tests, and once on everything; tuned and calibrated inside, by choice.

What a model learns, its settings and its calibration included, comes from the samples that may train it alone: they are
split again into whole blocks, so that a setting is chosen as it will be judged (Cawley & Talbot 2010; Schratz et al.
2019, doi:10.1016/j.ecolmodel.2019.06.002).
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import threadpoolctl
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.ensemble._forest import BaseForest
from sklearn.model_selection import RandomizedSearchCV, StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from lulc_kit.baselines.estimators import WeightedNeighbours, class_weights
from lulc_kit.errors import LulcError, ParameterError
from lulc_kit.progress import bar

INNER, ATTEMPTS = 3, 20
"""Folds inside a training set, and seeds that are tried until every class is in the training part of each."""

Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes
    ----------
    classifier
        Untrained; copies of it follow a StandardScaler.
    class_weight
        ``none``, ``balanced`` or ``sqrt`` (`class_weights`).
    space
        What the settings are drawn from, by name: lists and distributions.
    candidates
        How many settings are drawn and compared; 0: the classifier's own are used.
    calibrate
        ``none``, ``sigmoid`` or ``isotonic``; a classifier without probabilities gets them by ``sigmoid``.
    seed
        Of the draws and of the inner folds.
    """

    classifier: Any
    class_weight: str = "none"
    space: Mapping[str, Any] | None = None
    candidates: int = 0
    calibrate: str = "none"
    seed: int = 1


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
    chosen
        What tuning chose: one row for each model (``all samples``, ``fold 1`` …), one column for each setting; None
        without tuning.
    left_out
        Of samples of several studies: how the model of the others does in each (`pooling.leave_out`).
    """

    final: Pipeline
    by_split: Mapping[str, Sequence[Pipeline]]
    features: tuple[str, ...]
    chosen: pd.DataFrame | None = None
    left_out: pd.DataFrame | None = None


def inner_folds(
    label: npt.NDArray[np.integer], block: npt.NDArray[np.integer], seed: int
) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Split a training set into at most `INNER` folds of whole blocks, every class in each training part.

    A class that lies in one block alone has its samples shared out one by one: near-copies of each other, for want of
    better ones.

    Raises
    ------
    LulcError
        Names a class of a single sample.
    """
    values = np.unique(label)
    unit = block.astype(np.int64)
    for value in values:
        rows = np.flatnonzero(label == value)
        if len(np.unique(block[rows])) == 1:
            unit[rows] = -1 - INNER * int(value) - np.arange(len(rows)) % INNER
    in_units = {int(v): len(np.unique(unit[label == v])) for v in values}
    rare = min(in_units, key=lambda v: in_units[v])
    count = min(INNER, in_units[rare])
    for attempt in range(ATTEMPTS if count > 1 else 0):
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed + attempt)
        folds = list(splitter.split(label, label, unit))
        if all(len(np.unique(label[train])) == len(values) for train, _ in folds):
            return folds
    raise LulcError(
        f"Tuning and calibration set blocks aside within the training samples, and of the class of value {rare} too "
        f"few are there ({int((label == rare).sum())} sample(s) in a training set). Write tune: 0 and calibrate: none "
        f"(a support vector machine always calibrates, so take another model), or give the class more labels in 05."
    )


def fit(
    x: npt.NDArray[np.float32], label: npt.NDArray[np.integer], block: npt.NDArray[np.integer], recipe: Recipe
) -> tuple[Pipeline, dict[str, Any]]:
    """Train one model.

    Parameters
    ----------
    x, label, block
        Features (sample, feature), class values, and numbers of the blocks that the samples lie in.
    recipe
        How.

    Returns
    -------
    tuple
        The model, and the settings that tuning chose, by name.

    Raises
    ------
    LulcError
        If the samples are fewer than neighbours, or blocks are too few to tune or calibrate, or scikit-learn refuses.
    """
    classifier = clone(recipe.classifier)
    least = classifier.get_params().get("n_neighbors", 0)
    if len(x) < least:
        raise ParameterError(f"{len(x)} training samples are fewer than neighbours: {least}.")
    calibrate = recipe.calibrate if hasattr(classifier, "predict_proba") else _needed(recipe.calibrate)
    if recipe.class_weight == "sqrt" and calibrate != "none":
        raise ParameterError(
            "class_weight: sqrt does not go with calibration, inside which scikit-learn takes no weights but its own. "
            "Write class_weight: balanced or none, or calibrate: none (models without probabilities always calibrate)."
        )
    if recipe.class_weight != "none":
        _weigh(classifier, label, recipe.class_weight)
    folds = inner_folds(label, block, recipe.seed) if recipe.candidates or calibrate != "none" else []
    chosen: dict[str, Any] = {}
    try:
        if recipe.candidates:
            chosen = _tuned(classifier, x, label, folds, recipe)
            classifier.set_params(**chosen)
        if calibrate != "none":
            classifier = CalibratedClassifierCV(classifier, method=calibrate, cv=folds, ensemble=False)
        model = make_pipeline(StandardScaler(), classifier).fit(x, label)
    except (ValueError, TypeError) as error:
        raise LulcError(f"scikit-learn cannot train {type(recipe.classifier).__name__}: {error}") from error
    if calibrate != "none":
        model[-1].set_params(cv=None)  # row numbers that a stored model has no use for
    for part in [model[-1], *(c.estimator for c in getattr(model[-1], "calibrated_classifiers_", []))]:
        if isinstance(part, BaseForest):
            part.set_params(n_jobs=1)  # blocks of the map run on all cores already, and sums keep their order
    return model, chosen


def _weigh(classifier: Any, label: npt.NDArray[np.integer], how: str) -> None:
    weights: Any = how
    if how == "sqrt" and not isinstance(classifier, WeightedNeighbours):
        weights = class_weights(label, how)
        if isinstance(classifier, HistGradientBoostingClassifier):  # it looks them up by position, not by value
            weights = dict(enumerate(weights.values()))
    classifier.set_params(class_weight=weights)


def _needed(calibrate: str) -> str:
    return "sigmoid" if calibrate == "none" else calibrate


def _tuned(
    classifier: Any, x: npt.NDArray[np.float32], label: npt.NDArray[np.integer], folds: Any, recipe: Recipe
) -> dict[str, Any]:
    model = make_pipeline(StandardScaler(), classifier)
    prefix = f"{model.steps[-1][0]}__"
    search = RandomizedSearchCV(
        model,
        {prefix + name: values for name, values in (recipe.space or {}).items()},
        n_iter=recipe.candidates,
        scoring="f1_macro",
        cv=folds,
        refit=False,
        random_state=recipe.seed,
        error_score="raise",
    ).fit(x, label)
    found = {name.removeprefix(prefix): value for name, value in search.best_params_.items()}
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in found.items()}


def train(
    table: pd.DataFrame,
    recipe: Recipe,
    features: Sequence[str],
    training: Mapping[str, Sequence[Rows]],
    name: str = "",
) -> Fitted:
    """Train on all samples, and once for each fold of each split without what that fold tests.

    Parameters
    ----------
    table
        One row per sample: ``label``, ``block`` and the features.
    recipe
        How.
    features
        Columns of the table.
    training
        For each split, for fold 1, 2, …: which rows may train the model that the fold tests (`Samples.training`).
    name
        Of the run, shown with the progress.

    Raises
    ------
    LulcError
        See `fit`; also if a feature is missing in some rows.
    """
    x = table[list(features)].to_numpy(np.float32)
    label, block = table["label"].to_numpy(), table["block"].to_numpy()
    _check(x, features)
    jobs = {"all samples": np.ones(len(table), bool)}
    for split, folds in training.items():
        jobs |= {_title(split, k): chosen for k, chosen in enumerate(folds, 1)}
    with bar(len(jobs), f"training {name}", "models") as progress:
        cores = os.cpu_count() or 1
        at_once = 1 if _uses_all_cores(recipe.classifier) else min(len(jobs), cores)

        def one(rows: Rows) -> tuple[Pipeline, dict[str, Any]]:
            # Threads of gradient boosting wait for each other at every node of a tree: a model is trained by few of
            # them, and several models at once. The limit is that of the thread that asks.
            with threadpoolctl.threadpool_limits(None if at_once == 1 else cores // at_once, "openmp"):
                done = fit(x[rows], label[rows], block[rows], recipe)
            progress.update(1)
            return done

        with ThreadPoolExecutor(at_once) as pool:
            models = dict(zip(jobs, pool.map(one, jobs.values()), strict=True))
    chosen = pd.DataFrame.from_dict({title: settings for title, (_, settings) in models.items()}, orient="index")
    return Fitted(
        models["all samples"][0],
        {split: [models[_title(split, k)][0] for k in range(1, len(folds) + 1)] for split, folds in training.items()},
        tuple(features),
        chosen if recipe.candidates else None,
    )


def _title(split: str, k: int) -> str:
    return f"{split} {k}"


def _uses_all_cores(classifier: Any) -> bool:
    return isinstance(classifier, KNeighborsClassifier) or classifier.get_params().get("n_jobs") == -1


def _check(x: npt.NDArray[np.float32], features: Sequence[str]) -> None:
    missing = ~np.isfinite(x)
    if missing.any():
        names = np.array(features)[missing.any(axis=0)].tolist()
        raise LulcError(
            f"{int(missing.any(axis=1).sum())} of {len(x)} samples have no number in {', '.join(names[:10])}. "
            f"Name the other features as 'features', or leave those rows out of the table of notebook 05."
        )
