"""Networks of dates (`temporal`) over a series: what they see, their training, their map, and where they look."""

from collections.abc import Iterator, Sequence

import dask.array as da
import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from lulc_kit.deep import networks, patches, prediction, sequences, temporal, training, tuning
from lulc_kit.deep.scene import LEAST, Scene, windows
from lulc_kit.deep.series import ROWS, Numbers, Series, View, Window
from lulc_kit.layout import RunLayout

SIDE = 64
"""Side of the windows in which attention is measured, pixels."""
WINDOWS = 24
"""As many windows at most."""


def view(window: Window) -> Numbers:
    """Return what a network sees of a window, (time, row, column, band + 2), no NaN.

    The last two bands: whether there are numbers (also where they were filled in time), and the day of the year.
    """
    there, bands = window.there, window.images.shape[-1]
    out = np.zeros((*there.shape, bands + 2), np.float32)
    np.copyto(out[..., :bands], window.images, where=there[..., None])
    out[..., bands] = there
    out[..., bands + 1] = window.days[:, None, None]
    return out


def statistics(series: Series, teaches: npt.NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """Return mean and variance of each band, (band,) each, over what is there of the pixels that teach.

    Parameters
    ----------
    series
        The dates.
    teaches
        (row, column).
    """
    corners = windows(teaches, ROWS)

    def pixels() -> Iterator[npt.NDArray[np.float64]]:
        for row, column in corners:
            window = series.window(row, row + ROWS, column, column + ROWS)
            wanted = window.there & teaches[row : row + ROWS, column : column + ROWS]
            yield window.images[wanted].astype(np.float64)

    count = sum(len(part) for part in pixels())
    if not count:  # `training` refuses what teaches nothing; here it only must not warn
        return np.zeros(series.bands, np.float32), np.ones(series.bands, np.float32)
    mean = sum(part.sum(axis=0) for part in pixels()) / count
    variance = sum(np.square(part - mean).sum(axis=0) for part in pixels()) / count
    return np.asarray(mean, np.float32), np.maximum(variance, LEAST).astype(np.float32)


def train(
    scene: Scene,
    series: Series,
    network: str,
    patch: int,
    choice: sequences.Choice,
    fit: training.Fit,
    name: str = "",
    store: RunLayout | None = None,
    watch: training.Watch | None = None,
) -> training.Trained:
    """Train a network of dates for each fold (see `training.train` and `sequences.train`).

    ``network`` is a name in `temporal.TEMPORAL`.
    """

    def begin(
        fold: training.Fold, trial: tuning.Trial
    ) -> tuple[keras.Model, patches.Patches, training.Validation | None]:
        mean, variance = statistics(series, fold.goals.codes > 0)
        settings = temporal.widen(network, trial.width) | ({} if trial.dropout is None else {"dropout": trial.dropout})
        model = temporal.TEMPORAL[network](mean, variance, len(scene.classes.values), choice.length, **settings)
        augment = patches.Augment(mean, np.sqrt(variance), fit.jitter, fit.drop)
        seed = fit.seed + fold.number
        data = sequences.SequencePatches(
            *(series, view, choice, fold.goals, patch, fit.batch, seed, fit.steps, augment)
        )
        margin = prediction.halo(networks.reach(model))
        return model, data, sequences.validation(fold, series, view, choice, margin, fit.seed)

    tried = [name for name in tuning.SPACE if name != "dropout" or network != "utae"]
    return training.train_folds(scene, begin, fit, name, store, tried=tried, watch=watch)


def predict(
    series: Series, models: Sequence[keras.Model], choice: sequences.Choice, seed: int, flips: bool = False
) -> da.Array:
    """Say what each fold's network makes of the scene (see `sequences.of_dates`)."""
    asked: list[tuple[View, prediction.Network]] = []
    for model in models:
        one = prediction.Asked(model)
        asked.append((view, prediction.average_flips(one) if flips else one))
    sides = prediction.side_of(series.shape[0], prediction.TILE), prediction.side_of(series.shape[1], prediction.TILE)
    margin = max(prediction.halo(networks.reach(model)) for model in models)
    return sequences.of_dates(series, asked, choice, seed, sides, margin, models[0].output_shape[-1])


def attention(
    series: Series,
    models: Sequence[keras.Model],
    labels: npt.NDArray[np.integer],
    classes: dict[str, int],
) -> pd.DataFrame:
    """Measure how much networks look at each date of the series, by class.

    They are shown all dates at once. Over the pixels of a class that a date shows, and over heads and networks, the
    mean of its weight is taken, in parts of an even share: a pixel that n dates show gives each 1/n if all are alike.

    Parameters
    ----------
    series
        The dates.
    models
        L-TAEs or U-TAEs.
    labels
        Class values, (row, column), 0 for no label.
    classes
        Class values by name.

    Returns
    -------
    pandas.DataFrame
        By date (rows, index ``date``) and class (columns); NaN where a date shows no pixel of a class. Where more than
        `WINDOWS` windows have labels, of so many, evenly spread.
    """
    corners = windows(labels > 0, SIDE)
    chosen = sequences.choose_evenly(len(corners), min(WINDOWS, len(corners)))
    total, count = (np.zeros((len(series.dates), len(classes))) for _ in range(2))
    for model in models:
        looks = prediction.Asked(temporal.attention(model))
        for row, column in (corners[i] for i in chosen):
            window = np.s_[row : row + SIDE, column : column + SIDE]
            part = view(series.window(row, row + SIDE, column, column + SIDE))
            seen = np.zeros((len(part), SIDE, SIDE, part.shape[-1]), np.float32)
            seen[:, : part.shape[1], : part.shape[2]] = part  # what lies beyond the scene, no date shows
            weights = looks(seen).mean(axis=-1)
            coarse = SIDE // weights.shape[1]
            weights = weights.repeat(coarse, axis=1).repeat(coarse, axis=2)[:, : part.shape[1], : part.shape[2]]
            shares = weights * (weights > 0).sum(axis=0)
            for position, value in enumerate(classes.values()):
                there = (labels[window] == value) & (weights > 0)
                total[:, position] += np.where(there, shares, 0).sum(axis=(1, 2))
                count[:, position] += there.sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        return pd.DataFrame(total / count, pd.Index(series.dates, name="date"), list(classes))
