"""Sequences of dates: always the same dates, or drawn anew for every batch; and the FCN+LSTM over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import keras
import numpy as np
import numpy.typing as npt
import xarray as xr
from odc.geo.geobox import GeoBox

from lulc_kit import raster
from lulc_kit.deep import networks, patches, prediction, training, tuning
from lulc_kit.deep.scene import Scene, windows
from lulc_kit.deep.series import ROWS, Numbers, Series, View, Window
from lulc_kit.errors import LulcError
from lulc_kit.layout import RunLayout
from lulc_kit.mapping import Predictor


@dataclass(frozen=True)
class Choice:
    """Which dates of a series make a sequence.

    Attributes
    ----------
    length
        Dates in a sequence.
    random
        Whether they are drawn anew for every batch, or always the same (`choose_evenly`).
    draws
        Random sequences that are averaged in the prediction.
    """

    length: int
    random: bool
    draws: int = 1


def choose_evenly(count: int, length: int) -> npt.NDArray[np.intp]:
    """Return ``length`` of ``count`` dates, spread evenly from the first to the last."""
    return np.linspace(0, count - 1, length).round().astype(np.intp)


def draw(count: int, length: int, generator: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return ``length`` of ``count`` dates at random, in order, none twice."""
    return np.sort(generator.choice(count, length, replace=False))


class SequencePatches(patches.Patches):
    """Patches over sequences of dates; with random sequences every batch has its own.

    A pixel that no date of a sequence shows teaches nothing.

    Parameters
    ----------
    series, view
        The dates, and what the network sees of them.
    choice
        Which dates make a sequence.
    goals, patch, batch, seed, steps, augment
        See `patches.Patches`.
    """

    def __init__(
        self,
        series: Series,
        view: View,
        choice: Choice,
        goals: patches.Targets,
        patch: int,
        batch: int,
        seed: int,
        steps: int,
        augment: patches.Augment | None = None,
    ) -> None:
        self.series, self.view, self.choice = series, view, choice
        super().__init__(lambda *window: view(series.window(*window)), goals, patch, batch, seed, steps, augment)

    def choose(self, generator: np.random.Generator) -> npt.NDArray[np.intp]:
        """Draw the dates of a batch."""
        count, length = len(self.series.dates), self.choice.length
        return draw(count, length, generator) if self.choice.random else choose_evenly(count, length)

    def cut(self, row: int, column: int, shared: Any) -> tuple[Numbers, Numbers]:
        """Return images and weights of a patch, the weights 0 where no date of the sequence shows the pixel."""
        window = self.series.window(row, row + self.patch, column, column + self.patch, shared)
        return self.view(window), self.goals.weights[self.codes(row, column)] * window.seen.any(axis=0)


def train(
    scene: Scene,
    series: Series,
    fcns: Sequence[keras.Model],
    patch: int,
    choice: Choice,
    fit: training.Fit,
    name: str = "",
    store: RunLayout | None = None,
    watch: training.Watch | None = None,
    fine_tune: bool = False,
) -> training.Trained:
    """Train one FCN+LSTM for each fold, on the FCN of the same fold (see `training.train`).

    Inner validation sees the fixed sequence, of random ones too. ``fine_tune``: see `networks.fcn_lstm`.
    """
    if len(fcns) != scene.folds:
        raise LulcError(f"There are {len(fcns)} networks for {scene.folds} folds. Run 07_fcn again.")
    classes = len(scene.classes.values)
    lent = keras.models.clone_model(fcns[0])
    margin = margin_of(fcns[0], choice)
    side = min(training.SIDE, prediction.tile_side(*scene.labels.shape)) + 2 * margin
    other = prediction.Asked(networks.fcn_lstm(keras.models.clone_model(fcns[0]), classes, side, series.filled))

    def begin(
        fold: training.Fold, trial: tuning.Trial
    ) -> tuple[keras.Model, patches.Patches, training.Validation | None]:
        fcn = fcns[fold.number - 1]
        model = networks.fcn_lstm(fcn, classes, patch, series.filled, fine_tune)
        seen, seed = view(fcn, series.filled), fit.seed + fold.number
        data = SequencePatches(series, seen, choice, fold.goals, patch, fit.batch, seed, fit.steps, fold.augment)
        return model, data, validation(fold, series, seen, choice, margin, fit.seed, other)

    compiled = networks.fcn_lstm(lent, classes, patch, series.filled, fine_tune)
    return training.train_folds(scene, begin, fit, name, store, compiled, ("rate", "weighting"), watch)


def validation(
    fold: training.Fold,
    series: Series,
    view: View,
    choice: Choice,
    margin: int,
    seed: int,
    other: prediction.Asked | None = None,
) -> training.Validation | None:
    """Make the inner validation of a fold on the fixed sequence; None where nobody validates, or no date shows it.

    Parameters
    ----------
    fold
        The fold.
    series, view, choice
        See `SequencePatches`.
    margin, seed, other
        See `training.Validation`.
    """
    if fold.validates is None:
        return None
    shown, codes = choose_evenly(len(series.dates), choice.length), fold.validates.copy()
    for row, column in windows(codes > 0, ROWS):
        part = np.s_[row : row + ROWS, column : column + ROWS]
        codes[part][~series.window(row, row + ROWS, column, column + ROWS, shown).seen.any(axis=0)] = 0
    if not codes.any():
        return None

    def read(top: int, bottom: int, left: int, right: int) -> Numbers:
        return view(series.window(top, bottom, left, right, shown))

    return training.Validation(read, codes, margin, seed, other)


def margin_of(fcn: keras.Model, choice: Choice) -> int:
    """Return the margin of tiles (see `prediction.halo`): the ConvLSTM sees a pixel farther for each date."""
    return prediction.halo(networks.reach(fcn) + choice.length)


def fill(images: npt.NDArray[np.float32], fcn: keras.Model) -> npt.NDArray[np.float32]:
    """Replace missing numbers by the mean that the FCN subtracts: after standardization they are 0."""
    return np.where(np.isfinite(images), images, networks.mean_of(fcn)).astype(np.float32)


def view(fcn: keras.Model, flagged: bool) -> View:
    """Return what an FCN+LSTM sees of a window: its numbers, what is missing filled by the FCN's mean (see `fill`).

    Of a series that is filled in time (``flagged``) one more band: 0 where the date shows the pixel, 1 where its
    numbers come from other dates (or from none).
    """

    def seen(window: Window) -> Numbers:
        numbers = fill(window.images, fcn)
        return np.concatenate([numbers, ~window.seen[..., None]], axis=-1, dtype=np.float32) if flagged else numbers

    return seen


def predict(
    series: Series,
    models: Sequence[keras.Model],
    fcns: Sequence[keras.Model],
    choice: Choice,
    seed: int,
    flips: bool = False,
) -> da.Array:
    """Say what each fold's FCN+LSTM makes of the scene (see `of_dates`)."""
    margin = margin_of(fcns[0], choice)
    side = prediction.tile_side(*series.shape)
    one = prediction.Asked(networks.resize(models[0], keras.models.clone_model(fcns[0]), side + 2 * margin))
    asked: list[tuple[View, prediction.Network]] = []
    for model, fcn in zip(models, fcns, strict=True):
        network = partial(one, weights=model.get_weights())
        asked.append((view(fcn, series.filled), prediction.average_flips(network) if flips else network))
    return of_dates(series, asked, choice, seed, (side, side), margin, models[0].output_shape[-1])


def of_dates(
    series: Series,
    asked: Sequence[tuple[View, prediction.Network]],
    choice: Choice,
    seed: int,
    sides: tuple[int, int],
    margin: int,
    classes: int,
) -> da.Array:
    """Say what networks of dates make of a scene, when it is asked for.

    With random sequences the mean of ``choice.draws`` of them is taken, the same ones for every network. A sequence
    says nothing of a pixel that none of its dates shows; a pixel that no sequence shows is NaN.

    Parameters
    ----------
    series, choice, seed
        The dates, and which of them make sequences.
    asked
        For each fold what its network sees of a window, and the network.
    sides, margin
        See `prediction.lay_out`.
    classes
        How many.

    Returns
    -------
    dask.array.Array
        (fold × class, row, column).
    """
    count = len(series.dates)
    generator = np.random.default_rng(seed)
    if choice.random:
        choices = [draw(count, choice.length, generator) for _ in range(choice.draws)]
    else:
        choices = [choose_evenly(count, choice.length)]
    needed = np.unique(np.concatenate(choices))

    def read(top: int, bottom: int, left: int, right: int) -> Numbers:
        found = series.window(top, bottom, left, right, needed)
        return np.concatenate([found.images, found.seen[..., None]], axis=-1, dtype=np.float32)

    def network(block: Numbers) -> Numbers:
        said = [np.zeros((*block.shape[1:3], classes), np.float32) for _ in asked]
        times = np.zeros((*block.shape[1:3], 1), np.float32)
        for chosen in choices:
            part = block[np.searchsorted(needed, chosen)]
            window = Window(part[..., :-1], part[..., -1] > 0, series.days[chosen])
            shown = np.asarray(window.seen.any(axis=0))[..., None]
            times += shown
            for total, (view, one) in zip(said, asked, strict=True):
                total += np.where(shown, one(view(window)), 0)
        with np.errstate(invalid="ignore"):
            return np.concatenate([total / times for total in said], axis=-1)

    return prediction.lay_out(network, read, series.shape, sides, margin, len(asked) * classes)


def as_stack(probabilities: da.Array, folds: int, grid: GeoBox) -> xr.DataArray:
    """Lay the folds' probabilities, (fold × class, row, column), out as one raster, to be mapped like features."""
    classes = len(probabilities) // folds
    names = [f"fold {k} class {c}" for k in range(1, folds + 1) for c in range(1, classes + 1)]
    return raster.array(probabilities, grid, names)


def predictors(folds: int, classes: int, wanted: Sequence[int | None] | None = None) -> list[Predictor]:
    """Make one predictor per fold that picks its probabilities out of `as_stack`.

    Parameters
    ----------
    folds, classes
        How many there are.
    wanted
        For each class of the map the position among those of the networks; None for one that they do not know, which
        gets 0. Without: the same classes in the same order.
    """
    columns = range(classes) if wanted is None else wanted

    def pick(k: int) -> Predictor:
        def picked(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            own = features[k * classes : (k + 1) * classes]
            unknown = np.where(np.isnan(own[0]), np.float32(np.nan), np.float32(0))
            return np.stack([unknown if c is None else own[c] for c in columns])

        return picked

    return [pick(k) for k in range(folds)]
