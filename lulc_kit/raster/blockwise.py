"""How much of a raster is in memory at once: blocks are computed as many at a time as a step may take."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dask
import numpy as np
import numpy.typing as npt
import psutil

from lulc_kit.errors import LulcError
from lulc_kit.late import da

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
    allowed, memory = dask.config.get("lulc_kit.memory", None) or MEMORY, psutil.Process().memory_info()
    # Pages of files that are mapped are given back when others want them (Linux tells how many there are).
    held = memory.rss - getattr(memory, "shared", 0)
    return round(0.9 * allowed), held / 1e6 + CACHE


def _threads() -> int:
    return dask.config.get("num_workers", None) or os.cpu_count() or 1


def compute(arrays: Sequence[da.Array], count: int) -> tuple[npt.NDArray[Any], ...]:
    """Compute arrays together, on as many threads as blocks fit, unless a cluster does the work."""
    with dask.config.set(num_workers=min(_threads(), count)):
        return dask.compute(*arrays)


def store(arrays: Sequence[da.Array], targets: Sequence[Any], count: int) -> None:
    """Compute arrays of the same blocks together and assign each block to its target, which locks itself.

    Never more than ``count`` blocks are under way. An open file cannot be sent to the workers of a cluster: they return
    their blocks.
    """
    together = dask.config.get("scheduler", None) in ("distributed", "dask.distributed")
    with dask.config.set(num_workers=min(_threads(), count)):
        for rows, columns in _parts(arrays[0].chunks[1:], count):
            region = (slice(0, None), rows, columns)
            some = [array[region] for array in arrays]
            if together:
                for target, numbers in zip(targets, dask.compute(*some), strict=True):
                    target[region] = numbers
            else:
                da.store(some, targets, regions=[region] * len(targets), lock=False)


def _parts(chunks: Sequence[tuple[int, ...]], count: int) -> Iterator[tuple[slice, slice]]:
    """Cut a raster into rectangles of at most ``count`` blocks: as many whole rows as fit, or a part of one."""
    rows, columns = (np.cumsum([0, *sizes]) for sizes in chunks)
    wide = min(count, len(columns) - 1)
    high = count // wide if wide == len(columns) - 1 else 1
    for top, bottom in _pairs(rows, high):
        for left, right in _pairs(columns, wide):
            yield slice(top, bottom), slice(left, right)


def _pairs(edges: npt.NDArray[np.int64], step: int) -> Iterator[tuple[int, int]]:
    return itertools.pairwise([*edges[:-1:step].tolist(), int(edges[-1])])


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
