"""Joining the scenes of one date, tile by tile of one orbit: every pixel from the scene that shows it best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import raster
from lulc_kit.cube import Reason
from lulc_kit.distance import distance
from lulc_kit.late import da

REACH = 1000.0
"""Metres from cloud, shadow and the scene's edge beyond which a pixel is as good as any other."""

Codes = npt.NDArray[np.uint8]


def clear_distance(codes: Any, resolution: float) -> da.Array:
    """Return how far each clear pixel is from the nearest one that is not: cloud, shadow, or the scene's edge.

    Parameters
    ----------
    codes
        NumPy or dask array of `cube.Reason`, (row, column). What lies beyond the array is not known and does not
        count.
    resolution
        Side of a pixel, metres.

    Returns
    -------
    dask.array.Array
        float32, metres between the pixels' centres, at most `REACH`; 0 where a pixel is not clear. The same whatever
        the blocks, which are those of ``codes``.
    """
    lazy = codes if isinstance(codes, da.Array) else da.from_array(codes, raster.CHUNK)
    reach = math.ceil(REACH / resolution)
    found = da.map_overlap(
        _distance,
        lazy,
        resolution=resolution,
        depth={axis: min(reach, size) for axis, size in enumerate(lazy.shape)},  # dask takes no more than there is
        boundary="none",
        dtype=np.float32,
        meta=np.empty((0, 0), np.float32),
    )
    return found.rechunk(lazy.chunks)


def _distance(codes: Codes, resolution: float) -> npt.NDArray[np.float32]:
    return distance(codes != Reason.CLEAR, REACH, pixel=(resolution, resolution)).astype(np.float32)


def mosaic(masks: Sequence[Codes], resolution: float) -> tuple[Codes, Codes]:
    """Choose for each pixel the scene that shows it best.

    A clear pixel goes before a masked one, and that before none. Of clear ones that wins which is farther from the
    masked pixels and the edge of its scene (see `clear_distance`): near them, clouds' rims and haze escape the mask.

    Parameters
    ----------
    masks
        Masks of scenes of one date on one grid, (row, column), codes of `cube.Reason`.
    resolution
        Side of a pixel, metres.

    Returns
    -------
    codes
        The mask of the mosaic.
    chosen
        uint8, number of the scene (from 0) that each pixel comes from; the first of equals.
    """
    codes, chosen = masks[0].copy(), np.zeros(masks[0].shape, np.uint8)
    shared = _window(masks, math.ceil(REACH / resolution))
    score = _score(masks[0], shared, resolution)
    for number, mask in enumerate(masks[1:], 1):
        other = _score(mask, shared, resolution)
        better = other > score
        codes[better], chosen[better], score[better] = mask[better], number, other[better]
    return codes, chosen


def _window(masks: Sequence[Codes], margin: int) -> tuple[slice, slice]:
    """Return the rows and columns in which more than one scene is clear, with all that may decide between them."""
    shown = np.zeros(masks[0].shape, np.uint8)
    for mask in masks:
        shown += mask == Reason.CLEAR
    shared = shown > 1
    window = []
    for axis in (1, 0):
        places = np.flatnonzero(shared.any(axis=axis))
        first, last = (places[0], places[-1]) if places.size else (0, -1)
        window.append(slice(max(0, int(first) - margin), int(last) + 1 + margin if places.size else 0))
    return window[0], window[1]


def _score(mask: Codes, shared: tuple[slice, slice], resolution: float) -> npt.NDArray[np.float32]:
    score = np.where(mask == Reason.CLEAR, np.float32(2), np.where(mask == Reason.NODATA, np.float32(0), np.float32(1)))
    if mask[shared].size:
        score[shared] += clear_distance(mask[shared], resolution).compute()
    return score
