"""Sequences of dates for the FCN+LSTM: always the same dates, or drawn anew for every batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import xarray as xr

from lulc_kit import raster
from lulc_kit.deep import gaps, networks, patches, prediction, training
from lulc_kit.deep.scene import Scene
from lulc_kit.errors import LulcError
from lulc_kit.layout import RunLayout
from lulc_kit.mapping import Predictor

Says = Callable[[npt.NDArray[np.intp]], npt.NDArray[np.float32]]
"""From the numbers of the chosen dates to class probabilities of the scene, (row, column, class)."""


class Series:
    """Images of many dates on one grid, in memory.

    Parameters
    ----------
    images
        float32, (time, row, column, band), NaN where a date is masked.
    dates
        ``YYYY-MM-DD``, in order.
    filled
        Whether gaps are filled in time (`gaps.linear`); the flags are then a band of what the network sees (`inputs`).

    Attributes
    ----------
    flags
        uint8, (time, row, column), where the numbers come from, values of `gaps.Flag`.
    """

    def __init__(self, images: npt.NDArray[np.float32], dates: Sequence[str], filled: bool = False) -> None:
        self.dates, self.filled = list(dates), filled
        in_time, self.flags = gaps.linear(images, self.dates)
        self.images = in_time if filled else images

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """Whether a date shows a pixel, (time, row, column); what is filled in is not seen."""
        return self.flags == gaps.Flag.OBSERVED

    def clear_parts(self) -> list[float]:
        """Part of the pixels (0–1) that is clear on each date."""
        return [float(x) for x in self.seen.mean(axis=(1, 2))]


@dataclass(frozen=True)
class Choice:
    """Which dates of a series make a sequence.

    Attributes
    ----------
    length
        Dates in a sequence.
    random
        Whether they are drawn anew for every batch, or always the same (`fixed`).
    draws
        Random sequences that are averaged in the prediction.
    """

    length: int
    random: bool
    draws: int = 1


def fixed(count: int, length: int) -> npt.NDArray[np.intp]:
    """Return ``length`` of ``count`` dates, spread evenly from the first to the last."""
    return np.linspace(0, count - 1, length).round().astype(np.intp)


def draw(count: int, length: int, generator: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return ``length`` of ``count`` dates at random, in order, none twice."""
    return np.sort(generator.choice(count, length, replace=False))


class SequencePatches(patches.Patches):
    """Patches over sequences of dates; with random sequences every batch has its own.

    Parameters
    ----------
    images
        What the network sees, (time, row, column, band), no NaN.
    seen
        Where it is real, (time, row, column): a pixel that no date of a sequence shows teaches nothing.
    choice
        Which dates make a sequence.
    goals, patch, batch, seed, steps, augment
        See `patches.Patches`.
    """

    def __init__(
        self,
        images: npt.NDArray[np.float32],
        seen: npt.NDArray[np.bool_],
        choice: Choice,
        goals: patches.Targets,
        patch: int,
        batch: int,
        seed: int,
        steps: int,
        augment: patches.Augment | None = None,
    ) -> None:
        self.images, self.seen, self.choice = images, seen, choice
        super().__init__(lambda t, b, c, d: images[:, t:b, c:d], goals, patch, batch, seed, steps, augment)

    def choose(self, generator: np.random.Generator) -> npt.NDArray[np.intp]:
        """Draw the dates of a batch."""
        count = len(self.images)
        return draw(count, self.choice.length, generator) if self.choice.random else fixed(count, self.choice.length)

    def image(self, row: int, column: int, shared: Any) -> npt.NDArray[np.float32]:
        """Return the images of a patch on the dates of its batch."""
        return self.images[shared, row : row + self.patch, column : column + self.patch]

    def weights(self, row: int, column: int, shared: Any) -> npt.NDArray[np.float32]:
        """Return the weights of a patch, 0 where no date of the sequence shows the pixel."""
        window = np.s_[row : row + self.patch, column : column + self.patch]
        return super().weights(row, column, shared) * self.seen[shared][:, *window].any(axis=0)


def train(
    scene: Scene,
    series: Series,
    fcns: Sequence[keras.Model],
    patch: int,
    choice: Choice,
    fit: training.Fit,
    name: str = "",
    store: RunLayout | None = None,
) -> training.Trained:
    """Train one FCN+LSTM for each fold, starting from the FCN of the same fold (see `training.train`).

    Inner validation sees the fixed sequence, of random ones too.
    """
    if len(fcns) != scene.folds:
        raise LulcError(f"There are {len(fcns)} networks for {scene.folds} folds. Run 07_fcn again.")
    classes = len(scene.classes.values)
    lent = keras.models.clone_model(fcns[0])
    margin = margin_of(fcns[0], choice)
    side = min(training.SIDE, prediction.tile_side(*scene.labels.shape)) + 2 * margin
    other = networks.fcn_lstm(keras.models.clone_model(fcns[0]), classes, side, series.filled)

    def begin(fold: training.Fold) -> tuple[keras.Model, patches.Patches, training.Validation | None]:
        fcn = fcns[fold.number - 1]
        model = networks.fcn_lstm(fcn, classes, patch, series.filled)
        images = inputs(series, fcn)
        seed = fit.seed + fold.number
        data = SequencePatches(
            *(images, series.seen, choice, fold.goals, patch, fit.batch, seed, fit.steps, fold.augment)
        )
        return model, data, validation(fold, images, series.seen, choice, margin, fit.seed, other)

    compiled = networks.fcn_lstm(lent, classes, patch, series.filled)
    return training.train_folds(scene, begin, fit, name, store, compiled)


def validation(
    fold: training.Fold,
    images: npt.NDArray[np.float32],
    seen: npt.NDArray[np.bool_],
    choice: Choice,
    margin: int,
    seed: int,
    other: keras.Model | None = None,
) -> training.Validation | None:
    """Make the inner validation of a fold on the fixed sequence; None where nobody validates, or no date shows it.

    Parameters
    ----------
    fold
        The fold.
    images, seen, choice
        See `SequencePatches`.
    margin, seed, other
        See `training.Validation`.
    """
    shown = fixed(len(images), choice.length)
    if fold.validates is None or not (codes := np.where(seen[shown].any(axis=0), fold.validates, 0)).any():
        return None
    sequence = images[shown]

    def read(top: int, bottom: int, left: int, right: int) -> npt.NDArray[np.float32]:
        return sequence[:, top:bottom, left:right]

    return training.Validation(read, codes.astype(np.uint8), margin, seed, other)


def margin_of(fcn: keras.Model, choice: Choice) -> int:
    """Return the margin of tiles (see `prediction.halo`): the ConvLSTM sees a pixel farther for each date."""
    return prediction.halo(networks.reach(fcn) + choice.length)


def fill(images: npt.NDArray[np.float32], fcn: keras.Model) -> npt.NDArray[np.float32]:
    """Replace missing numbers by the mean that the FCN subtracts: after standardization they are 0."""
    return np.where(np.isfinite(images), images, networks.mean_of(fcn)).astype(np.float32)


def inputs(series: Series, fcn: keras.Model) -> npt.NDArray[np.float32]:
    """Return what the network sees of each date, (time, row, column, band), no NaN.

    A series that is filled in time has one more band: 0 where the date shows the pixel, 1 where its numbers come from
    other dates (or from none).
    """
    numbers = fill(series.images, fcn)
    return np.concatenate([numbers, ~series.seen[..., None]], axis=-1, dtype=np.float32) if series.filled else numbers


def predict(
    series: Series,
    models: Sequence[keras.Model],
    fcns: Sequence[keras.Model],
    choice: Choice,
    seed: int,
    flips: bool = False,
) -> npt.NDArray[np.float32]:
    """Return each fold's class probabilities for the whole scene, (fold, class, row, column).

    With random sequences the mean of ``choice.draws`` of them is taken, the same ones for every fold. A sequence says
    nothing of a pixel that none of its dates shows; a pixel that no sequence shows is NaN.
    """
    margin = margin_of(fcns[0], choice)
    side = prediction.tile_side(*series.images.shape[1:3]) + 2 * margin
    model = networks.resize(models[0], keras.models.clone_model(fcns[0]), side)

    def one(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return prediction.apply(model, image)

    network = prediction.flipped(one) if flips else one

    def folds() -> Iterator[Says]:
        for trained, fcn in zip(models, fcns, strict=True):
            model.set_weights(trained.get_weights())
            images = inputs(series, fcn)
            yield lambda chosen, images=images: prediction.apply_tiles(images[chosen], network, margin)  # type: ignore[misc]

    return average(series, choice, seed, folds())


def average(series: Series, choice: Choice, seed: int, folds: Iterable[Says]) -> npt.NDArray[np.float32]:
    """Return what each fold says of the scene on average over sequences, (fold, class, row, column) (see `predict`).

    Parameters
    ----------
    series, choice, seed
        The dates, and which of them make sequences.
    folds
        For each fold what its network says of the dates that are chosen.
    """
    count = len(series.dates)
    generator = np.random.default_rng(seed)
    if choice.random:
        choices = [draw(count, choice.length, generator) for _ in range(choice.draws)]
    else:
        choices = [fixed(count, choice.length)]
    shown = np.stack([series.seen[chosen].any(axis=0) for chosen in choices])[..., None]
    out = []
    for says in folds:
        each = np.stack([says(chosen) for chosen in choices])
        with np.errstate(invalid="ignore"):
            mean = np.where(shown, each, 0).sum(axis=0) / shown.sum(axis=0)
        out.append(np.moveaxis(mean, -1, 0))
    return np.stack(out).astype(np.float32)


def as_stack(probabilities: npt.NDArray[np.float32], like: xr.DataArray) -> xr.DataArray:
    """Lay the folds' probabilities out as one raster, (fold × class, y, x), so that they are mapped like features."""
    folds, classes = probabilities.shape[:2]
    names = [f"fold {k} class {c}" for k in range(1, folds + 1) for c in range(1, classes + 1)]
    return raster.array(probabilities.reshape(folds * classes, *probabilities.shape[2:]), like.odc.geobox, names)


def predictors(folds: int, classes: int) -> list[Predictor]:
    """Make one predictor per fold that picks its probabilities out of `as_stack`."""
    return [lambda features, k=k: features[k * classes : (k + 1) * classes] for k in range(folds)]  # type: ignore[misc]
