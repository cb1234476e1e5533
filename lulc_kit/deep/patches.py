"""Training patches: where they lie, and batches of them for Keras.

Flips and quarter turns move whole pixels, so that labels are never interpolated. A batch is a function of the seed and
its number alone: training that was cut off goes on with the patches it would have had.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from lulc_kit.errors import LulcError, ParameterError

CAP = 10.0
"""Capped class weights are at most so many times that of the most frequent class."""

Array = npt.NDArray[np.float32]
Read = Callable[[int, int, int, int], Array]
"""Gives the image of a window (top, bottom, left, right), (row, column, band) or (time, row, column, band), no NaN."""


@dataclass(frozen=True)
class Targets:
    """What a network learns from.

    Attributes
    ----------
    codes
        uint8, (row, column): 0 for pixels that must teach nothing (unlabelled, nodata, test fold, gap, validation),
        otherwise the position of the class, counted from 1.
    weights
        float32, (class + 1,): of pixels by their code, 0 for code 0. Mean over the pixels that teach is 1.
    """

    codes: npt.NDArray[np.uint8]
    weights: Array


def encode(
    labels: npt.NDArray[np.integer], may: npt.NDArray[np.bool_], values: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    """Return the position of each pixel's class, counted from 1; 0 for no label and where the pixel may not teach.

    Raises
    ------
    LulcError
        If nothing is left, one class alone, or a class has no pixel that teaches.
    """
    places = np.zeros(max(max(values), int(labels.max(initial=0))) + 1, np.uint8)
    places[list(values)] = np.arange(1, len(values) + 1)
    codes = np.where(may, places[labels], 0).astype(np.uint8)
    counts = count(codes, len(values))
    if not any(counts):
        raise LulcError(
            "No pixel is left to learn from: outside the test fold and its gap none has both a label and all features. "
            "Look at the folds in 05, and at nodata in 04's features."
        )
    if len(values) < 2:
        raise LulcError(f"There is one class alone, of value {values[0]}: a network needs two to tell apart. Add one.")
    if not all(counts):
        gone = ", ".join(str(v) for v, n in zip(values, counts, strict=True) if not n)
        raise LulcError(
            f"No training pixel of class {gone} is left outside the test fold. Lower the gap or the number of folds "
            f"in 05, or give the class more labels."
        )
    return codes


def count(codes: npt.NDArray[np.uint8], classes: int) -> list[int]:
    """Count pixels of codes (see `Targets`) by class, one after the other: a histogram takes 8 bytes a pixel."""
    return [int(np.count_nonzero(codes == k)) for k in range(1, classes + 1)]


def targets(codes: npt.NDArray[np.uint8], classes: int, weighting: str) -> Targets:
    """Weigh classes by how many pixels n teach them.

    Parameters
    ----------
    codes
        See `Targets`.
    classes
        Number of classes.
    weighting
        ``none``: all alike; ``sqrt``: 1/√n; ``capped``: 1/n, at most `CAP` times the least.
    """
    counts = np.array(count(codes, classes), np.float64)
    n = np.maximum(counts, 1)
    weights = {"none": np.ones(classes), "sqrt": n**-0.5, "capped": np.minimum(1 / n, CAP / n.max())}[weighting]
    weights *= counts.sum() / (weights * counts).sum()
    return Targets(codes, np.concatenate([[0.0], weights]).astype(np.float32))


def positions(codes: npt.NDArray[np.integer], patch: int) -> npt.NDArray[np.int64]:
    """Return the upper left corners (row, column) of patches, side by side, that hold anything to learn.

    Raises
    ------
    LulcError
        If the scene is smaller than a patch.
    """
    height, width = codes.shape
    if min(height, width) < patch:
        raise ParameterError(f"The scene of {height}×{width} px is smaller than a patch of {patch} px. Lower 'patch'.")

    def starts(length: int) -> list[int]:
        return sorted({*range(0, length - patch + 1, patch), length - patch})

    corners = [(r, c) for r in starts(height) for c in starts(width) if codes[r : r + patch, c : c + patch].any()]
    return np.array(corners, np.int64)


@dataclass(frozen=True)
class Augment:
    """How patches are changed, beside flips and quarter turns.

    Attributes
    ----------
    mean, spread
        Of each band, (band,): mean and standard deviation of the pixels that teach.
    jitter
        Standard deviation of the changes of each band's contrast (about the mean) and brightness, in parts of its
        spread, drawn for each patch.
    drop
        Probability that a band of a patch becomes its mean; one band always stays.
    """

    mean: Array
    spread: Array
    jitter: float = 0.0
    drop: float = 0.0

    def __call__(self, image: Array, generator: np.random.Generator) -> Array:
        """Change an image (…, band); bands beyond those of ``mean`` stay as they are."""
        if not self.jitter and not self.drop:
            return image
        bands = len(self.mean)
        contrast, brightness = self.jitter * generator.standard_normal((2, bands))
        gone = generator.random(bands) < self.drop
        gone[generator.integers(bands)] = False
        scale, shift = np.where(gone, 0, 1 + contrast), np.where(gone, 0, brightness * self.spread)
        out = image.copy()
        out[..., :bands] = (image[..., :bands] - self.mean) * scale + self.mean + shift
        return out


class Patches(keras.utils.PyDataset):
    """Batches of (images, classes, weights), cut at random offsets; batch i is a function of the seed and i.

    Parameters
    ----------
    read
        Gives the image of a window.
    goals
        The targets.
    patch
        Side of a patch, pixels.
    batch
        Patches in a batch.
    seed
        Seed of offsets, flips, turns and changes.
    steps
        Number of batches.
    augment
        Other changes.
    """

    def __init__(
        self,
        read: Read,
        goals: Targets,
        patch: int,
        batch: int,
        seed: int,
        steps: int,
        augment: Augment | None = None,
    ) -> None:
        super().__init__()
        self.read, self.goals, self.patch, self.batch = read, goals, patch, batch
        self.seed, self.steps, self.augment = seed, steps, augment
        self.corners = positions(goals.codes, patch)

    def __len__(self) -> int:
        return self.steps

    def draw(self, generator: np.random.Generator) -> npt.NDArray[np.int64]:
        """Draw the corners of a batch: of patches that hold anything to learn, shifted by up to half a patch."""
        height, width = self.goals.codes.shape
        corners = self.corners[generator.integers(len(self.corners), size=self.batch)]
        shift = generator.integers(-self.patch // 2, self.patch // 2 + 1, corners.shape)
        return np.clip(corners + shift, 0, [height - self.patch, width - self.patch])

    def choose(self, generator: np.random.Generator) -> Any:
        """Draw what all patches of a batch share; nothing for single images."""
        return None

    def cut(self, row: int, column: int, shared: Any) -> tuple[Array, Array]:
        """Return image and weights of the patch with this upper left corner."""
        return self.read(row, row + self.patch, column, column + self.patch), self.goals.weights[
            self.codes(row, column)
        ]

    def codes(self, row: int, column: int) -> npt.NDArray[np.uint8]:
        """Return the codes of a patch (see `Targets`)."""
        return self.goals.codes[row : row + self.patch, column : column + self.patch]

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        generator = np.random.default_rng([self.seed, index])
        shared = self.choose(generator)
        images, classes, weights = [], [], []
        for row, column in self.draw(generator):
            turn, mirror = int(generator.integers(4)), bool(generator.integers(2))
            codes = self.codes(row, column)
            image, weight = self.cut(row, column, shared)
            if self.augment is not None:
                image = self.augment(image, generator)
            images.append(rotate(image, turn, mirror, -3))
            classes.append(rotate(np.maximum(codes, 1).astype(np.int32) - 1, turn, mirror, -2))
            weights.append(rotate(weight, turn, mirror, -2))
        return np.stack(images).astype(np.float32, copy=False), np.stack(classes), np.stack(weights)


def rotate(array: npt.NDArray[Any], turn: int, mirror: bool, row_axis: int) -> npt.NDArray[Any]:
    """Turn an array by so many quarters, then, by choice, mirror its rows (the axis given; columns follow it)."""
    array = np.rot90(array, turn, axes=(row_axis, row_axis + 1))
    return np.flip(array, axis=row_axis) if mirror else array
