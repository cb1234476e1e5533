"""Networks of dates (`temporal`) over a series: what they see, their training, their map, and where they look."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from lulc_kit.deep import gaps, networks, patches, prediction, sequences, temporal, training
from lulc_kit.deep.scene import LEAST, Scene
from lulc_kit.layout import RunLayout

SIDE = 64
"""Side of the windows in which attention is measured, pixels."""
WINDOWS = 24
"""As many windows at most."""

Numbers = npt.NDArray[np.float32]


def inputs(series: sequences.Series) -> Numbers:
    """Return what a network sees of each date, (time, row, column, band + 2), no NaN.

    The last two bands: whether there are numbers (also where they were filled in time), and the day of the year.
    """
    there = series.flags != gaps.Flag.NEVER if series.filled else series.seen
    out = np.zeros((*series.images.shape[:3], series.images.shape[3] + 2), np.float32)
    np.copyto(out[..., :-2], series.images, where=there[..., None])
    out[..., -2] = there
    out[..., -1] = np.array([pd.Timestamp(day).dayofyear for day in series.dates])[:, None, None]
    return out


def statistics(images: Numbers, teaches: npt.NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """Return mean and variance of each band, (band,) each, over what is there of the pixels that teach.

    Parameters
    ----------
    images
        See `inputs`.
    teaches
        (row, column).
    """
    pixels = images[:, teaches]
    there = pixels[pixels[..., -2] > 0][:, :-2].astype(np.float64)
    if not len(there):  # `training` refuses what teaches nothing; here it only must not warn
        return np.zeros(pixels.shape[-1] - 2, np.float32), np.ones(pixels.shape[-1] - 2, np.float32)
    return there.mean(axis=0).astype(np.float32), np.maximum(there.var(axis=0), LEAST).astype(np.float32)


def train(
    scene: Scene,
    series: sequences.Series,
    network: str,
    patch: int,
    choice: sequences.Choice,
    fit: training.Fit,
    name: str = "",
    store: RunLayout | None = None,
) -> training.Trained:
    """Train a network of dates for each fold (see `training.train` and `sequences.train`).

    ``network`` is a name in `temporal.TEMPORAL`.
    """
    images = inputs(series)

    def begin(fold: training.Fold) -> tuple[keras.Model, patches.Patches, training.Validation | None]:
        mean, variance = statistics(images, fold.goals.codes > 0)
        model = temporal.TEMPORAL[network](mean, variance, len(scene.classes.values), choice.length)
        augment = patches.Augment(mean, np.sqrt(variance), fit.jitter, fit.drop)
        seed = fit.seed + fold.number
        data = sequences.SequencePatches(
            *(images, series.seen, choice, fold.goals, patch, fit.batch, seed, fit.steps, augment)
        )
        margin = prediction.halo(networks.reach(model))
        return model, data, sequences.validation(fold, images, series.seen, choice, margin, fit.seed)

    return training.train_folds(scene, begin, fit, name, store)


def predict(
    series: sequences.Series,
    models: Sequence[keras.Model],
    choice: sequences.Choice,
    seed: int,
    flips: bool = False,
) -> Numbers:
    """Return each fold's class probabilities for the whole scene, (fold, class, row, column).

    A pixel that no sequence shows is NaN (see `sequences.predict`).
    """
    images = inputs(series)

    def folds() -> Iterator[sequences.Says]:
        for model in models:
            margin = prediction.halo(networks.reach(model))

            def one(image: Numbers, model: keras.Model = model) -> Numbers:
                return prediction.apply(model, image)

            network = prediction.flipped(one) if flips else one
            yield lambda chosen, n=network, m=margin: prediction.apply_tiles(images[chosen], n, m)  # type: ignore[misc]

    return sequences.average(series, choice, seed, folds())


def attention(
    series: sequences.Series,
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
    images = inputs(series)
    height, width = labels.shape
    corners = [
        (row, column)
        for row in range(0, height, SIDE)
        for column in range(0, width, SIDE)
        if labels[row : row + SIDE, column : column + SIDE].any()
    ]
    chosen = sequences.fixed(len(corners), min(WINDOWS, len(corners)))
    total, count = (np.zeros((len(images), len(classes))) for _ in range(2))
    for model in models:
        looks = temporal.attention(model)
        for row, column in (corners[i] for i in chosen):
            window = np.s_[row : row + SIDE, column : column + SIDE]
            seen = np.zeros((len(images), SIDE, SIDE, images.shape[-1]), np.float32)
            part = images[:, *window]
            seen[:, : part.shape[1], : part.shape[2]] = part  # what lies beyond the scene, no date shows
            weights = prediction.apply(looks, seen).mean(axis=-1)
            coarse = SIDE // weights.shape[1]
            weights = weights.repeat(coarse, axis=1).repeat(coarse, axis=2)[:, : part.shape[1], : part.shape[2]]
            shares = weights * (weights > 0).sum(axis=0)
            for position, value in enumerate(classes.values()):
                there = (labels[window] == value) & (weights > 0)
                total[:, position] += np.where(there, shares, 0).sum(axis=(1, 2))
                count[:, position] += there.sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        return pd.DataFrame(total / count, pd.Index(series.dates, name="date"), list(classes))
