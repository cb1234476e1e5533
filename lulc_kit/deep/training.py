"""Training of the networks, one for each fold, and their use as predictors.

The map is made by the mean of all folds' networks; its accuracy is that of each single network on the fold it never
saw, which is, if anything, the lower of the two.

Repeatability: seeds fix the order of patches and the first weights, and TensorFlow's ops are made deterministic, so
the same seed on the same machine with the same versions gives the same networks up to the last digits of floating
point; across machines or thread counts sums are ordered differently, and a few pixels of the map may differ.
"""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from lulc_kit import files
from lulc_kit.deep import networks, patches
from lulc_kit.errors import FormatError, MissingFileError
from lulc_kit.layout import RunLayout
from lulc_kit.mapping import Array, Predictor
from lulc_kit.progress import bar
from lulc_kit.samples import Samples

HALO = 32
"""Pixels around a block that a network sees in prediction; their own classes are thrown away."""
TILE = 256
"""Side of the tiles that are predicted at once, pixels, at most (a multiple of 8)."""


class Scene:
    """What a network learns from, in memory: features, labels, and the split.

    Parameters
    ----------
    stack
        Features, (band, y, x).
    samples
        Labels, their classes and their folds apart in space.
    """

    def __init__(self, stack: xr.DataArray, samples: Samples) -> None:
        self.features = np.moveaxis(stack.data.compute(), 0, -1)
        self.labels = np.asarray(samples.on_grid()[0].data[0])
        self.trainable = samples.trainable()
        self.valid = np.isfinite(self.features).all(axis=-1)
        self.classes = samples.scheme
        self.bands = [str(b) for b in stack.band.values]

    @property
    def folds(self) -> int:
        """Number of folds."""
        return len(self.trainable)


@dataclass(frozen=True)
class Fit:
    """How a network is trained.

    Attributes
    ----------
    epochs
        Passes over the training patches.
    rate
        Learning rate of Adam; it falls along a cosine to 0 (Loshchilov & Hutter 2017, arXiv 1608.03983).
    batch
        Patches in a batch.
    seed
        Seed of first weights and of the order of patches.
    """

    epochs: int
    rate: float
    batch: int
    seed: int = 1


def train(
    scene: Scene,
    build: Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32], int], keras.Model],
    patch: int,
    fit: Fit,
    name: str = "",
) -> tuple[list[keras.Model], pd.DataFrame]:
    """Train one network for each fold, on what is apart in space from that fold.

    Parameters
    ----------
    scene
        What they learn from.
    build
        Makes an untrained network from the mean and variance of each feature and the number of classes.
    patch
        Side of the training patches, pixels.
    fit
        How they are trained.
    name
        Of the run, shown with the progress.

    Returns
    -------
    list of keras.Model
        For fold 1, 2, ….
    pandas.DataFrame
        The loss by epoch (rows) and fold (columns).
    """
    models, history = [], {}
    trainer = None
    for k in range(1, scene.folds + 1):
        set_seed(fit.seed + k)
        goals = patches.targets(scene.labels, scene.trainable[k - 1], scene.valid, scene.classes.values)
        teach = goals.weights > 0
        mean, variance = scene.features[teach].mean(axis=0), scene.features[teach].var(axis=0)
        model = build(mean, np.maximum(variance, 1e-12), len(scene.classes.values))
        trainer = trainer or Trainer(keras.models.clone_model(model), fit)
        filled = np.where(np.isfinite(scene.features), scene.features, mean)

        def read(row: int, column: int, source: npt.NDArray[np.float32] = filled) -> npt.NDArray[np.float32]:
            return source[row : row + patch, column : column + patch]

        data = patches.Patches(read, goals, patch, fit.batch, fit.seed + k)
        history[f"fold {k}"] = trainer.fit(model, data, f"{name}: fold {k} of {scene.folds}")
        models.append(model)
    return models, pd.DataFrame(history, index=pd.RangeIndex(1, fit.epochs + 1, name="epoch"))


def set_seed(seed: int) -> None:
    """Make what follows repeatable (see the module's first lines)."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


class Trainer:
    """Trains networks of one architecture one after the other, compiled once.

    Parameters
    ----------
    compiled
        A network of that architecture, to compute with; its weights are lent by the networks that are trained.
    how
        Epochs and learning rate.
    """

    def __init__(self, compiled: keras.Model, how: Fit) -> None:
        self.compiled, self.how = compiled, how
        compiled.compile(
            optimizer=keras.optimizers.Adam(how.rate, clipnorm=1.0),
            loss=keras.losses.SparseCategoricalCrossentropy(),
        )

    def fit(self, model: keras.Model, data: patches.Patches, name: str) -> list[float]:
        """Train a network, which starts from the weights it has; return the loss of each epoch."""
        self.compiled.set_weights(model.get_weights())
        for state in self.compiled.optimizer.variables:
            state.assign(keras.ops.zeros_like(state))

        def rate(epoch: int, _: float) -> float:
            return float(self.how.rate * (1 + np.cos(np.pi * epoch / self.how.epochs)) / 2)

        with bar(self.how.epochs, name, "epochs") as progress:
            shown = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: progress.update(1))
            falling = keras.callbacks.LearningRateScheduler(rate)
            history = self.compiled.fit(data, epochs=self.how.epochs, verbose=0, callbacks=[falling, shown])
        model.set_weights(self.compiled.get_weights())
        return [float(loss) for loss in history.history["loss"]]


def save(models: Sequence[keras.Model], run: RunLayout) -> None:
    """Store the folds' networks."""
    for k, model in enumerate(models, 1):
        with files.replacing(run.network(k)) as part:
            model.save(part)


def load(run: RunLayout) -> list[keras.Model]:
    """Load the folds' networks (safe mode: a file that holds code is refused)."""
    paths = sorted(run.models.glob(run.network("*").name), key=lambda path: (len(path.name), path.name))
    if not paths:
        raise MissingFileError(f"{run.models} has no networks. Run 07_fcn for this run first.")
    return [_load(path) for path in paths]


def _load(path: Path) -> keras.Model:
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # of the archive, of HDF5, of what the file says of its layers
        raise FormatError(
            f"{path} is not a network of this kit ({str(error)[:200]}). Run 07_fcn for this run again."
        ) from error


def predictor(model: keras.Model) -> Predictor:
    """Make a predictor of an FCN (see `lulc_kit.mapping`): pixels without data are filled, and come out as NaN."""
    mean = networks.mean_of(model)

    def predict(features: Array) -> Array:
        image = np.moveaxis(features, 0, -1)
        missing = ~np.isfinite(image).all(axis=-1)
        filled = np.where(np.isfinite(image), image, mean).astype(np.float32)
        out = apply_tiles(filled, lambda tile: apply(model, tile))
        out[missing] = np.nan
        return np.moveaxis(out, -1, 0)

    return predict


def tile_side(height: int, width: int) -> int:
    """Return the side of the tiles, without their margin, in which `apply_tiles` predicts an image of this size."""
    return min(TILE, -(-max(height, width) // 8) * 8)


_TRACED: "weakref.WeakKeyDictionary[keras.Model, tuple[int, ...]]" = weakref.WeakKeyDictionary()


def apply(model: keras.Model, tile: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Give one image, without a batch axis, to a network.

    TensorFlow answers images of a second size with a graph for every size, in which bilinear upsampling fails: each
    size gets a graph of its own.
    """
    if _TRACED.get(model) != tile.shape:
        model.make_predict_function(force=True)
        _TRACED[model] = tile.shape
    return np.asarray(model.predict_on_batch(tile[None]))[0]


def apply_tiles(
    image: npt.NDArray[np.float32], predict: Callable[[Any], npt.NDArray[np.float32]]
) -> npt.NDArray[np.float32]:
    """Predict an image in overlapping tiles of one size and keep the middle of each.

    Parameters
    ----------
    image
        (…, row, column, band); it is mirrored outwards at its edges.
    predict
        From a tile (…, row, column, band), with a margin of HALO pixels, to (row, column, class).
    """
    height, width = image.shape[-3:-1]
    tile = tile_side(height, width)
    rows, columns = -(-height // tile) * tile, -(-width // tile) * tile
    around = [(0, 0)] * (image.ndim - 3) + [
        (HALO, HALO + rows - height),
        (HALO, HALO + columns - width),
        (0, 0),
    ]
    padded = np.pad(image, around, mode="symmetric")
    side = tile + 2 * HALO
    out: list[list[npt.NDArray[np.float32]]] = []
    for row in range(0, rows, tile):
        line = []
        for column in range(0, columns, tile):
            seen = padded[..., row : row + side, column : column + side, :]
            line.append(predict(seen)[HALO:-HALO, HALO:-HALO])
        out.append(line)
    return np.concatenate([np.concatenate(line, axis=1) for line in out])[:height, :width]
