"""What a model relies on: how much worse it tests when a feature, or a family of them, is shuffled.

Breiman 2001, doi:10.1023/A:1010933404324, on samples that the models have not seen. Features that repeat each other
share the loss, and each may look idle alone; a family is shuffled as a whole, its features still belonging together.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import f1_score

from lulc_kit.baselines.crossval import predict_unseen
from lulc_kit.progress import bar

ROWS = 3000
"""At most so many samples are tested."""


def permutation(
    models: Sequence[Any],
    x: npt.NDArray[np.float32],
    label: npt.NDArray[np.integer],
    fold: npt.NDArray[np.integer],
    groups: Mapping[str, Sequence[int]],
    *,
    repeats: int = 5,
    seed: int = 1,
    name: str = "",
) -> pd.DataFrame:
    """Shuffle columns among the test samples of each fold, and see how much macro-F1 is lost.

    Parameters
    ----------
    models
        For fold 1, 2, …: trained without it.
    x, label, fold
        Features (sample, feature), class values, and folds of the samples.
    groups
        Which columns are shuffled together, by name.
    repeats
        How often each group is shuffled.
    seed
        Of the shuffles, and of the draw where there are more than `ROWS` samples.
    name
        Of the run, shown with the progress.

    Returns
    -------
    pandas.DataFrame
        For each group ``loss`` (mean loss of macro-F1, at most 1; about 0 for an idle feature), and the ``low`` est and
        ``high`` est of the repeats.
    """
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.permutation(np.flatnonzero(fold > 0))[:ROWS])
    x, label, fold = x[rows], label[rows], fold[rows]
    values = np.unique(label)
    # The same shuffles for all groups: their differences are not those of the draws.
    orders = [_within(fold, generator) for _ in range(repeats)]

    def score(many: npt.NDArray[np.float32]) -> list[float]:
        known = sorted({int(c) for model in models for c in model.classes_})
        found = predict_unseen(models, many.reshape(-1, x.shape[1]), np.tile(fold, len(many)), known)
        called = np.array(known)[found.argmax(axis=1)].reshape(len(many), -1)
        return [float(f1_score(label, one, labels=values, average="macro", zero_division=0)) for one in called]

    (whole,) = score(x[None])
    with bar(len(groups), f"importances {name}", "features") as progress:

        def losses(columns: Sequence[int]) -> list[float]:
            shuffled = np.repeat(x[None], repeats, axis=0)
            for one, order in zip(shuffled, orders, strict=True):
                one[:, columns] = x[order][:, columns]
            found = [whole - s for s in score(shuffled)]
            progress.update(1)
            return found

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = np.array(list(pool.map(losses, groups.values())))
    return pd.DataFrame(
        {"loss": found.mean(axis=1), "low": found.min(axis=1), "high": found.max(axis=1)}, index=list(groups)
    )


def _within(fold: npt.NDArray[np.integer], generator: np.random.Generator) -> npt.NDArray[np.intp]:
    """Draw an order of the rows in which each stays in its fold."""
    order = np.arange(len(fold))
    for k in np.unique(fold):
        inside = np.flatnonzero(fold == k)
        order[inside] = generator.permutation(inside)
    return order
