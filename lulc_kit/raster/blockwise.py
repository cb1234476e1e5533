"""How much of a raster is in memory at once: blocks are computed as many at a time as a step may take."""

import contextlib
import ctypes
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import dask
import dask.array as da
import numpy as np
import numpy.typing as npt
import psutil

from lulc_kit.errors import LulcError

MEMORY = 3000
"""Megabytes that a process may take while it computes rasters, unless a notebook's parameter says otherwise."""

CACHE = 128
"""Megabytes of GDAL's cache of blocks that are written; by itself it takes a twentieth of the machine's memory."""


def limit_memory(megabytes: int | None) -> None:
    """Set how much memory this process may take while it computes rasters.

    With None it may take `MEMORY`, or what a single block needs where it holds more than that already.
    On a cluster the workers have limits of their own, and this one is for what they send back.
    """
    dask.config.set({"lulc_kit.memory": megabytes})


def blocks_at_once(pixel: int, block: int, what: str) -> int:
    """Return how many blocks of so many pixels, of so many bytes each, fit into the memory that is left."""
    allowed, held = allowance()
    each = pixel * block / 1e6
    count = int((allowed - held) / each)
    if count < 1 and dask.config.get("lulc_kit.memory", None) is not None:
        raise LulcError(
            f"{what}: the parameter memory leaves {allowed} MB for it, {held:.0f} MB are taken already, and one block "
            f"needs {each:.0f} MB. Set memory to at least {(held + each) / 0.9:.0f}."
        )
    return max(1, count)


def allowance() -> tuple[int, float]:
    """Return the megabytes that are allowed (less a tenth for what nobody counts), and those that are taken already."""
    with contextlib.suppress(OSError, AttributeError):  # glibc keeps what was freed, and it would count as taken
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    allowed = dask.config.get("lulc_kit.memory", None) or MEMORY
    return round(0.9 * allowed), psutil.Process().memory_info().rss / 1e6 + CACHE


def compute(arrays: Sequence[da.Array], count: int) -> tuple[npt.NDArray[Any], ...]:
    """Compute arrays together, on as many threads as blocks fit, unless a cluster does the work."""
    threads = dask.config.get("num_workers", None) or os.cpu_count() or 1
    with dask.config.set(num_workers=min(threads, count)):
        return dask.compute(*arrays)


def reduce(
    function: Callable[..., Any], data: da.Array, *arguments: Any, layers: int = 0, what: str = "statistics"
) -> list[Any]:
    """Apply a function to each block of an array, as many at once as `limit_memory` allows.

    Parameters
    ----------
    function
        Turns a block, (band, row, column), and ``arguments`` into something small.
    data
        (band, row, column); each block gets all bands.
    layers
        How many float32 layers of a block are in memory while it is computed, beside the block itself.
    what
        For the message, if not even one block fits.
    """
    data = data.rechunk({0: -1})
    pixel = data.shape[0] * data.dtype.itemsize + 4 * layers
    count = blocks_at_once(pixel, max(data.chunks[1]) * max(data.chunks[2]), what)
    tasks = [dask.delayed(function)(block, *arguments) for block in data.to_delayed().ravel()]
    return list(compute(tasks, count))


def decimate(data: da.Array, step: int, other: int | None = None) -> npt.NDArray[Any]:
    """Compute every n-th row and column. No block stays in memory for the sake of its few pixels."""
    few = data[..., ::step, :: other or step].map_blocks(np.array)
    pixel = data.dtype.itemsize * (data.size // math.prod(data.shape[-2:]))
    block = max(data.chunks[-2]) * max(data.chunks[-1])
    return compute([few], blocks_at_once(2 * pixel, block, "a decimated image"))[0]
