"""Networks over scenes: in blocks, each with as much around it as the network sees.

Blocks begin at multiples of the network's stride, and their margin is at least its reach, so that they say the same as
the whole scene at once. While a network computes one block, on all cores, other blocks are read and written.
"""

import math
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import dask.array as da
import keras
import numpy as np
import numpy.typing as npt

from lulc_kit.deep import networks
from lulc_kit.deep.patches import Read
from lulc_kit.map_layers import Array

TILE = 256
"""Side of the blocks of sequences, pixels, at most (a multiple of 4)."""
BLOCK = 512
"""Side of the blocks of single images, pixels, at most (a multiple of 4): margins weigh more beside smaller ones, and
larger ones leave the processor's caches."""
ALIGNED = 4
"""Sides and margins of blocks are multiples of this, and of the networks' strides so: of three levels at most."""
Network = Callable[[Any], Array]
"""From an image (…, row, column, band) to class probabilities (row, column, class)."""


def halo(reach: int) -> int:
    """Return the margin of a tile, pixels: a network's reach, and as far as the next multiple of `ALIGNED`."""
    return -(-reach // ALIGNED) * ALIGNED


def of_images(models: Sequence[keras.Model], features: Any, flips: bool = False) -> da.Array:
    """Say what networks for single images make of a scene, when it is asked for.

    Parameters
    ----------
    models
        The networks, of one number of classes.
    features
        (row, column, band), of which windows are taken; NaN where there is no data.
    flips
        Whether to take the mean over the image as it is, mirrored in rows, in columns, and in both.

    Returns
    -------
    dask.array.Array
        (network × class, row, column), NaN for pixels that lack a feature: they are filled, and are not answered.
    """
    margin = max(halo(networks.reach(model)) for model in models)
    asked = [(Asked(networks.fuse(model)), networks.mean_of(model)) for model in models]

    def network(window: Array) -> Array:
        missing = _missing(window)
        out = []
        for one, mean in asked:
            image = np.where(np.isfinite(window), window, mean) if missing.any() else window
            out.append(average_flips(one)(image) if flips else one(image))
        said = np.concatenate(out, axis=-1)
        said[missing] = np.nan
        return said

    def read(top: int, bottom: int, left: int, right: int) -> Array:
        return features[top:bottom, left:right]

    shape = features.shape[0], features.shape[1]
    sides = side_of(shape[0], BLOCK), side_of(shape[1], BLOCK)
    return lay_out(network, read, shape, sides, margin, len(models) * models[0].output_shape[-1])


def _missing(window: Array) -> npt.NDArray[np.bool_]:
    """Return where any band is not finite, (row, column); sums are quicker to look at, and can only be too strict."""
    missing: npt.NDArray[np.bool_] = ~np.isfinite(np.einsum("ijk->ij", window))
    missing[missing] = ~np.isfinite(window[missing]).all(axis=-1)
    return missing


def lay_out(
    network: Network, read: Read, shape: tuple[int, int], sides: tuple[int, int], margin: int, count: int
) -> da.Array:
    """Say what a network makes of a scene, block by block, when it is asked for.

    Parameters
    ----------
    network
        Takes blocks with a margin.
    read
        Gives windows of the image; beyond the scene stands its mirror image.
    shape
        Rows and columns of the scene.
    sides
        Rows and columns of a block without its margin, multiples of 4.
    margin
        Pixels (see `halo`).
    count
        Numbers that the network gives for a pixel.

    Returns
    -------
    dask.array.Array
        float32, (number, row, column).
    """

    def block(block_info: Any = None) -> Array:
        _, (top, bottom), (left, right) = block_info[None]["array-location"]
        said = middle(read, shape, (top, left), sides, network, margin)
        # What follows goes through it class by class.
        return np.ascontiguousarray(np.moveaxis(said[: bottom - top, : right - left], -1, 0))

    chunks = ((count,), *(_cut(length, side) for length, side in zip(shape, sides, strict=True)))
    # A name of its own: dask would else hash the networks.
    return da.map_blocks(
        block, chunks=chunks, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32), name=f"networks-{uuid.uuid4()}"
    )


def _cut(length: int, side: int) -> tuple[int, ...]:
    return tuple(min(side, length - start) for start in range(0, length, side))


def average_flips(network: Network) -> Network:
    """Return the mean of a network over the four flips of an image."""

    def mean(image: Array) -> Array:
        total: Any = 0
        for axes in ((), (0,), (1,), (0, 1)):
            # Rows and columns lie before the last axis, of sequences too.
            turned = np.flip(image, tuple(axis - 3 for axis in axes))
            total = total + np.flip(network(np.ascontiguousarray(turned)), axes)
        return np.asarray(total / 4, np.float32)

    return mean


def tile_side(height: int, width: int, most: int | None = None) -> int:
    """Return the side of square blocks, without their margin, in which an image of this size is predicted."""
    return min(most or TILE, -(-max(height, width) // ALIGNED) * ALIGNED)


def side_of(length: int, most: int) -> int:
    """Return the side of blocks, at most ``most``, that cut a length into parts as even as can be."""
    parts = math.ceil(length / most)
    return math.ceil(length / parts / ALIGNED) * ALIGNED


_ONE = threading.Lock()


class Asked:
    """A network that is asked for one image at a time, without a batch axis, from any thread.

    TensorFlow answers images of a second size with a graph for every size, in which bilinear upsampling fails: each
    size gets a graph of its own, and keeps it.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model, self._graphs = model, dict[tuple[int, ...], Any]()

    def __call__(self, image: Array, weights: Sequence[Any] | None = None) -> Array:
        """Return the probabilities of an image (…, row, column, band), (row, column, class).

        It takes the weights that are given first, if any.
        """
        with _ONE:
            if weights is not None:
                self.model.set_weights(weights)
            if image.shape not in self._graphs:
                self.model.make_predict_function(force=True)
                self._graphs[image.shape] = self.model.predict_function
            self.model.predict_function = self._graphs[image.shape]
            return np.asarray(self.model.predict_on_batch(image[None]))[0]


def middle(
    read: Read, shape: tuple[int, int], corner: tuple[int, int], sides: tuple[int, int], network: Network, margin: int
) -> Array:
    """Predict a block, (row, column, number); see `lay_out`.

    Parameters
    ----------
    corner
        Its upper left corner.
    read, shape, sides, network, margin
        See `lay_out`.
    """
    starts = [start - margin for start in corner]
    stops = [start + side + margin for start, side in zip(corner, sides, strict=True)]
    if min(starts) >= 0 and stops[0] <= shape[0] and stops[1] <= shape[1]:
        seen = read(starts[0], stops[0], starts[1], stops[1])
    else:
        rows, columns = map(mirror_places, starts, stops, shape)
        top, left = int(rows.min()), int(columns.min())
        seen = read(top, int(rows.max()) + 1, left, int(columns.max()) + 1)
        seen = seen[..., (rows - top)[:, None], columns - left, :]
    return network(seen)[margin : margin + sides[0], margin : margin + sides[1]]


def mirror_places(start: int, stop: int, length: int) -> npt.NDArray[np.intp]:
    """Return the places start … stop − 1 of an axis of this length, those outside mirrored at its ends."""
    place = np.arange(start, stop) % (2 * length)
    return np.minimum(place, 2 * length - 1 - place)
