"""Training of the networks, one for each fold, and their use as predictors.

The map is made by the mean of all folds' networks; its accuracy is that of each single network on the fold it never
saw, which is, if anything, the lower of the two.

Repeatability: seeds fix the order of patches and the first weights, and TensorFlow's ops are made deterministic, so
the same seed on the same machine with the same versions gives the same networks up to the last digits of floating
point; across machines or thread counts sums are ordered differently, and a few pixels of the map may differ.
"""

import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from lulc_kit import files, params, raster
from lulc_kit.classes import Scheme
from lulc_kit.deep import networks, patches
from lulc_kit.errors import MissingFileError
from lulc_kit.mapping import Array, Predictor
from lulc_kit.progress import bar

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
    labels
        Class values, (1, y, x).
    folds
        Bands ``train_1`` … of notebook 05.
    classes
        The classes that occur.
    """

    def __init__(self, stack: xr.DataArray, labels: xr.DataArray, folds: xr.DataArray, classes: Scheme) -> None:
        self.features = np.moveaxis(stack.data.compute(), 0, -1)
        self.labels = np.asarray(labels.data[0].compute())
        names = [str(b) for b in folds.band.values if str(b).startswith("train_")]
        self.trainable = np.asarray(raster.select(folds, names).data.compute()).astype(bool)
        self.valid = np.isfinite(self.features).all(axis=-1)
        self.classes = classes
        self.bands = [str(b) for b in stack.band.values]

    @property
    def folds(self) -> int:
        """Number of folds."""
        return len(self.trainable)


def train_fcn(scene: Scene, p: params.FCN) -> tuple[list[keras.Model], pd.DataFrame]:
    """Train one FCN for each fold, on what is apart in space from that fold.

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
        _seed(p.seed + k)
        goals = patches.targets(scene.labels, scene.trainable[k - 1], scene.valid, scene.classes.values)
        teach = goals.weights > 0
        mean, variance = scene.features[teach].mean(axis=0), scene.features[teach].var(axis=0)
        model = networks.fcn(mean, np.maximum(variance, 1e-12), len(scene.classes.values), p.filters)
        trainer = trainer or Trainer(keras.models.clone_model(model), p)
        filled = np.where(np.isfinite(scene.features), scene.features, mean)

        def read(row: int, column: int, source: npt.NDArray[np.float32] = filled) -> npt.NDArray[np.float32]:
            return source[row : row + p.patch, column : column + p.patch]

        data = patches.Patches(read, goals, p.patch, p.batch, p.seed + k)
        history[f"fold {k}"] = trainer.fit(model, data, f"{p.run}: fold {k} of {scene.folds}")
        models.append(model)
    return models, pd.DataFrame(history, index=pd.RangeIndex(1, p.epochs + 1, name="epoch"))


def _seed(seed: int) -> None:
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
    p
        Epochs and learning rate. The rate falls along a cosine (Loshchilov & Hutter 2017, arXiv 1608.03983).
    """

    def __init__(self, compiled: keras.Model, p: params.FCN | params.LSTM) -> None:
        self.compiled, self.p = compiled, p
        compiled.compile(
            optimizer=keras.optimizers.Adam(p.learning_rate, clipnorm=1.0),
            loss=keras.losses.SparseCategoricalCrossentropy(),
        )

    def fit(self, model: keras.Model, data: patches.Patches, name: str) -> list[float]:
        """Train a network, which starts from the weights it has; return the loss of each epoch."""
        self.compiled.set_weights(model.get_weights())
        for state in self.compiled.optimizer.variables:
            state.assign(keras.ops.zeros_like(state))

        def rate(epoch: int, _: float) -> float:
            return float(self.p.learning_rate * (1 + np.cos(np.pi * epoch / self.p.epochs)) / 2)

        with bar(self.p.epochs, name, "epochs") as progress:
            shown = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: progress.update(1))
            falling = keras.callbacks.LearningRateScheduler(rate)
            history = self.compiled.fit(data, epochs=self.p.epochs, verbose=0, callbacks=[falling, shown])
        model.set_weights(self.compiled.get_weights())
        return [float(loss) for loss in history.history["loss"]]


def save(models: Sequence[keras.Model], folder: Path) -> None:
    """Store the folds' networks as ``fold_1.keras`` …."""
    for k, model in enumerate(models, 1):
        with files.replacing(folder / f"fold_{k}.keras") as part:
            model.save(part)


def load(folder: Path) -> list[keras.Model]:
    """Load the folds' networks (safe mode: a file that holds code is refused)."""
    paths = sorted(folder.glob("fold_*.keras"), key=lambda path: int(path.stem.split("_")[1]))
    if not paths:
        raise MissingFileError(f"{folder} has no networks. Run 07_fcn for this run first.")
    return [keras.saving.load_model(path, compile=False, safe_mode=True) for path in paths]


def predictor(model: keras.Model) -> Predictor:
    """Make a predictor of an FCN (see `lulc_kit.mapping`): pixels without data are filled, and come out as NaN."""
    mean = networks.mean_of(model)

    def predict(features: Array) -> Array:
        image = np.moveaxis(features, 0, -1)
        missing = ~np.isfinite(image).all(axis=-1)
        filled = np.where(np.isfinite(image), image, mean).astype(np.float32)
        out = tiled(filled, lambda tile: apply(model, tile))
        out[missing] = np.nan
        return np.moveaxis(out, -1, 0)

    return predict


def tile_side(height: int, width: int) -> int:
    """Return the side of the tiles, without their margin, in which `tiled` predicts an image of this size."""
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


def tiled(image: npt.NDArray[np.float32], predict: Callable[[Any], npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
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
