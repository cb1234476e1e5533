"""Networks as predictors: images in tiles, each with as much around it as the network sees.

Tiles begin at multiples of the network's stride, and their margin is at least its reach, so that they say the same as
the whole scene at once.
"""

import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from lulc_kit.deep import networks
from lulc_kit.deep.patches import Read
from lulc_kit.map_layers import Array
from lulc_kit.mapping import Predictor

TILE = 256
"""Side of the tiles of sequences that are predicted at once, pixels, at most (a multiple of 8)."""
BLOCK = 1024
"""Side of the blocks in which single images are mapped (a multiple of 8): margins weigh little beside them."""
ALIGNED = 8
"""Sides and margins of tiles are multiples of this, and of the networks' strides so."""
Network = Callable[[Any], Array]
"""From an image (…, row, column, band) to class probabilities (row, column, class)."""


def halo(reach: int) -> int:
    """Return the margin of a tile, pixels: a network's reach, and as far as the next multiple of `ALIGNED`."""
    return -(-reach // ALIGNED) * ALIGNED


def predictor(model: keras.Model, flips: bool = False) -> Predictor:
    """Make a predictor of a network for single images (see `lulc_kit.mapping`).

    Parameters
    ----------
    model
        The network.
    flips
        Whether to take the mean over the image as it is, mirrored in rows, in columns, and in both.

    Returns
    -------
    Predictor
        Pixels without data are filled, and come out as NaN.
    """
    mean, margin = networks.mean_of(model), halo(networks.reach(model))

    def network(tile: Array) -> Array:
        return apply(model, tile)

    def predict(features: Array) -> Array:
        image = np.moveaxis(features, 0, -1)
        missing = ~np.isfinite(image).all(axis=-1)
        filled = np.where(np.isfinite(image), image, mean).astype(np.float32)
        # A block of a map comes with its own margin, and is one tile.
        out = apply_tiles(filled, flipped(network) if flips else network, margin, BLOCK + 2 * margin)
        out[missing] = np.nan
        return np.moveaxis(out, -1, 0)

    return predict


def flipped(network: Network) -> Network:
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
    """Return the side of the tiles, without their margin, in which `apply_tiles` predicts an image of this size."""
    return min(most or TILE, -(-max(height, width) // ALIGNED) * ALIGNED)


_TRACED: "weakref.WeakKeyDictionary[keras.Model, tuple[int, ...]]" = weakref.WeakKeyDictionary()


def apply(model: keras.Model, tile: Array) -> Array:
    """Give one image, without a batch axis, to a network.

    TensorFlow answers images of a second size with a graph for every size, in which bilinear upsampling fails: each
    size gets a graph of its own.
    """
    if _TRACED.get(model) != tile.shape:
        model.make_predict_function(force=True)
        _TRACED[model] = tile.shape
    return np.asarray(model.predict_on_batch(tile[None]))[0]


def apply_tiles(image: Array, network: Network, margin: int, most: int | None = None) -> Array:
    """Predict an image in overlapping tiles of one size and keep the middle of each.

    Parameters
    ----------
    image
        (…, row, column, band); it is mirrored outwards at its edges.
    network
        Takes tiles with a margin.
    margin
        Pixels (see `halo`).
    most
        Side of a tile without its margin at most, a multiple of 8; None: `TILE`.
    """
    height, width = image.shape[-3:-1]
    side = tile_side(height, width, most)

    def read(top: int, bottom: int, left: int, right: int) -> Array:
        return image[..., top:bottom, left:right, :]

    lines = [
        np.concatenate(
            [middle(read, (height, width), row, column, side, network, margin) for column in range(0, width, side)],
            axis=1,
        )
        for row in range(0, height, side)
    ]
    return np.concatenate(lines)[:height, :width]


def middle(
    read: Read, shape: tuple[int, int], row: int, column: int, side: int, network: Network, margin: int
) -> Array:
    """Predict the tile with this upper left corner, (side, side, class); see `apply_tiles`.

    Parameters
    ----------
    read
        Gives windows of the image.
    shape
        Rows and columns of the image.
    row, column, side
        The tile, without its margin; beyond the image stands its mirror image.
    network, margin
        See `apply_tiles`.
    """
    places = [mirrored(start - margin, start + side + margin, n) for start, n in ((row, shape[0]), (column, shape[1]))]
    (top, left), (bottom, right) = ([int(f(p)) for p in places] for f in (np.min, np.max))
    seen = read(top, bottom + 1, left, right + 1)
    tile = seen[..., (places[0] - top)[:, None], places[1] - left, :]
    return network(tile)[margin : margin + side, margin : margin + side]


def mirrored(start: int, stop: int, length: int) -> npt.NDArray[np.intp]:
    """Return the places start … stop − 1 of an axis of this length, those outside mirrored at its ends."""
    place = np.arange(start, stop) % (2 * length)
    return np.minimum(place, 2 * length - 1 - place)
