"""Is it worth drawing more polygons? Accuracy of models that were trained on a part of them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.pipeline import Pipeline

from lulc_kit.baselines.crossval import predict_unseen
from lulc_kit.progress import bar

PARTS, REPEATS = (0.1, 0.2, 0.4, 0.7, 1.0), 3


def curve(
    models: Sequence[Pipeline],
    x: npt.NDArray[np.float32],
    label: npt.NDArray[np.integer],
    fold: npt.NDArray[np.integer],
    training: Sequence[npt.NDArray[np.bool_]],
    unit: npt.NDArray[np.integer],
    *,
    what: str = "polygons",
    seed: int = 1,
    name: str = "",
) -> pd.DataFrame:
    """Train on growing parts of the polygons (or blocks) of each training set, and test on the same folds.

    Parameters
    ----------
    models
        For fold 1, 2, …: trained without it; their settings are kept.
    x, label, fold
        Features (sample, feature), class values, and folds of the samples.
    training
        For fold 1, 2, …: which samples may train the model that the fold tests.
    unit
        Number of the polygon or block of each sample.
    what
        What the units are.
    seed
        Of the draws.
    name
        Of the run, shown with the progress.

    Returns
    -------
    pandas.DataFrame
        One row for each part: the mean number of units of a training set (index), and macro-F1: ``mean``, ``lowest``
        and ``highest`` of the draws. Each class has at least one unit in every part.
    """
    values = np.unique(label)
    rows = []
    with bar(len(PARTS) * REPEATS * len(models), f"learning curve {name}", "models") as progress:
        for part in PARTS:
            scores, counts = [], []
            for repeat in range(REPEATS if part < 1 else 1):
                generator = np.random.default_rng([seed, repeat])
                fitted = []
                for model, allowed in zip(models, training, strict=True):
                    chosen = allowed & np.isin(unit, _draw(unit[allowed], label[allowed], part, generator))
                    counts.append(len(np.unique(unit[chosen])))
                    fitted.append(clone(model).fit(x[chosen], label[chosen]))
                    progress.update(1)
                called = values[predict_unseen(fitted, x, fold, values.tolist()).argmax(axis=1)]
                scores.append(f1_score(label, called, average="macro"))
            rows.append({what: round(np.mean(counts)), "mean": np.mean(scores)})
            rows[-1] |= {"lowest": min(scores), "highest": max(scores)}
    return pd.DataFrame(rows).set_index(what)


def _draw(
    unit: npt.NDArray[np.integer], label: npt.NDArray[np.integer], part: float, generator: np.random.Generator
) -> npt.NDArray[np.integer]:
    """Draw a part of the units that hold each class, at least one."""
    chosen = []
    for value in np.unique(label):
        units = generator.permutation(np.unique(unit[label == value]))
        chosen.append(units[: max(1, round(part * len(units)))])
    return np.unique(np.concatenate(chosen))
