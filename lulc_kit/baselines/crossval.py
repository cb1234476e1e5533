"""What models say of samples that they have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import map_layers, mapping
from lulc_kit.classes import Scheme
from lulc_kit.late import pd


def predict_unseen(
    models: Sequence[Any],
    x: npt.NDArray[np.float32],
    fold: npt.NDArray[np.integer],
    values: Sequence[int],
) -> npt.NDArray[np.float32]:
    """Return class probabilities of each sample by the model that has not seen its fold.

    Parameters
    ----------
    models
        For fold 1, 2, …: trained without it; with ``predict_proba`` and ``classes_``.
    x
        Features, (sample, feature).
    fold
        Fold of each sample, from 1.
    values
        Class values.

    Returns
    -------
    numpy.ndarray
        (sample, class), 0–1; 0 for a class that the model does not know, NaN where a feature or the model is missing.
    """
    out = np.full((len(x), len(values)), np.nan, np.float32)
    for k, model in enumerate(models, 1):
        rows = fold == k
        out[rows] = mapping.pixelwise(model, values)(x[rows].T[:, None])[:, 0].T
    return out


def table(
    samples: pd.DataFrame, features: Sequence[str], by_split: Mapping[str, Sequence[Any]], classes: Scheme
) -> pd.DataFrame:
    """Cross-validate models on the table of samples itself.

    Parameters
    ----------
    samples
        ``class``, ``label``, ``block``, a column for each split, and the features.
    features
        Columns of the table.
    by_split
        For each split, the models for fold 1, 2, …
    classes
        The classes.

    Returns
    -------
    pandas.DataFrame
        For each split, one row for each sample: ``split`` (its name), ``row`` (position in the table of samples),
        ``fold``, ``block``, ``class`` (name), ``label`` and ``predicted`` (values; 0 where nothing was predicted),
        and for each class ``probability <name>``.
    """
    x = samples[list(features)].to_numpy(np.float32)
    parts = []
    for split, models in by_split.items():
        probabilities = predict_unseen(models, x, samples[split].to_numpy(), classes.values)
        known = {
            "split": split,
            "row": np.arange(len(samples)),
            "fold": samples[split].to_numpy(),
            "block": samples["block"].to_numpy(),
            "class": samples["class"].astype(str).to_numpy(),
            "label": samples["label"].to_numpy(),
            "predicted": map_layers.classify(probabilities.T[:, None], classes.values)[0],
        }
        named = {f"probability {n}": p for n, p in zip(classes.names, probabilities.T, strict=True)}
        parts.append(pd.DataFrame(known | named))
    return pd.concat(parts, ignore_index=True)
