"""Training patches: where they lie, and batches of them for Keras.

Flips and quarter turns move whole pixels, so that labels are never interpolated.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from lulc_kit.errors import LulcError, ParameterError


@dataclass(frozen=True)
class Targets:
    """What a network learns from.

    Attributes
    ----------
    classes
        int32, (row, column): 0 … n−1 in the order of the classes; 0 also where the weight is 0.
    weights
        float32, (row, column): 0 for pixels that must teach nothing (unlabelled, nodata, test fold, gap), otherwise
        the weight of the pixel's class. Mean over the pixels that teach is 1.
    """

    classes: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]


def targets(
    labels: npt.NDArray[np.integer],
    trainable: npt.NDArray[np.bool_],
    valid: npt.NDArray[np.bool_],
    values: tuple[int, ...],
) -> Targets:
    """Turn labels into targets with class weights 1/n (n: pixels of the class that teach).

    Parameters
    ----------
    labels
        Class values, (row, column), 0 for no label.
    trainable
        Pixels that may teach.
    valid
        Pixels with all features.
    values
        Class values, in the network's order.

    Raises
    ------
    LulcError
        If a class has no pixel that teaches.
    """
    teach = trainable & valid & (labels > 0)
    classes = np.zeros(labels.shape, np.int32)
    weights = np.zeros(labels.shape, np.float32)
    for position, value in enumerate(values):
        members = teach & (labels == value)
        count = int(members.sum())
        if count == 0:
            raise LulcError(f"No training pixel of class {value} is left outside the test fold.")
        classes[members] = position
        weights[members] = 1 / count
    weights *= teach.sum() / weights.sum()
    return Targets(classes, weights)


def positions(weights: npt.NDArray[np.float32], patch: int) -> npt.NDArray[np.int64]:
    """Return the upper left corners (row, column) of patches, side by side, that hold anything to learn.

    Raises
    ------
    LulcError
        If the scene is smaller than a patch.
    """
    height, width = weights.shape
    if min(height, width) < patch:
        raise ParameterError(f"The scene of {height}×{width} px is smaller than a patch of {patch} px. Lower 'patch'.")

    def starts(length: int) -> list[int]:
        return sorted({*range(0, length - patch + 1, patch), length - patch})

    corners = [(r, c) for r in starts(height) for c in starts(width) if weights[r : r + patch, c : c + patch].any()]
    return np.array(corners, np.int64)


class Patches(keras.utils.PyDataset):
    """Batches of (images, classes, weights) cut at positions that are shuffled and shifted anew in every epoch.

    Parameters
    ----------
    read
        Gives the image of a patch from (row, column): (patch, patch, band) or (time, patch, patch, band), no NaN.
    goals
        The targets.
    patch
        Side of a patch, pixels.
    batch
        Patches in a batch.
    seed
        Seed of shuffles, shifts, flips and turns.
    """

    def __init__(
        self,
        read: Callable[[int, int], npt.NDArray[np.float32]],
        goals: Targets,
        patch: int,
        batch: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.read, self.goals, self.patch, self.batch = read, goals, patch, batch
        self.generator = np.random.default_rng(seed)
        self.corners = positions(goals.weights, patch)
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self.corners) / self.batch)

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order and shifts."""
        height, width = self.goals.weights.shape
        shift = self.generator.integers(-self.patch // 2, self.patch // 2 + 1, self.corners.shape)
        limit = np.array([height - self.patch, width - self.patch])
        self.epoch = self.generator.permutation(np.clip(self.corners + shift, 0, limit))

    def weights(self, row: int, column: int) -> npt.NDArray[np.float32]:
        """Return the weights of the patch with this upper left corner."""
        return self.goals.weights[row : row + self.patch, column : column + self.patch]

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        corners = self.epoch[index * self.batch : (index + 1) * self.batch]
        images, classes, weights = [], [], []
        for row, column in corners:
            turn, mirror = int(self.generator.integers(4)), bool(self.generator.integers(2))
            window = np.s_[row : row + self.patch, column : column + self.patch]
            images.append(_turn(self.read(row, column), turn, mirror, -3))
            classes.append(_turn(self.goals.classes[window], turn, mirror, -2))
            weights.append(_turn(self.weights(row, column), turn, mirror, -2))
        return np.stack(images), np.stack(classes), np.stack(weights)


def _turn(array: npt.NDArray[Any], turn: int, mirror: bool, row_axis: int) -> npt.NDArray[Any]:
    array = np.rot90(array, turn, axes=(row_axis, row_axis + 1))
    return np.flip(array, axis=row_axis) if mirror else array
