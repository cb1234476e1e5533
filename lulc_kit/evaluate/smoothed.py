"""A run's map smoothed, and what that does to its scores: a map of its own, never in the place of the run's.

Its cross-validated scores follow from the out-of-fold probabilities of labelled pixels, smoothed among the pixels of
their own fold. Labelled pixels lie in the middle of what somebody drew, where smoothing is easy, so these scores rather
flatter; an independent test set does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import dask
import numpy as np
import numpy.typing as npt

from lulc_kit import map_layers, raster
from lulc_kit.errors import ParameterError
from lulc_kit.evaluate import accuracy, smoothing
from lulc_kit.evaluate.accuracy import Accuracy, Estimate
from lulc_kit.late import da, xr
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Way:
    """How a map is smoothed.

    Attributes
    ----------
    method
        ``gaussian``: of the probabilities; ``majority``: of the classes in a window; ``none``.
    radius
        Standard deviation of the Gaussian, or half the window, pixels.
    least
        Patches of fewer pixels go to their largest neighbour; 0 or 1: none.
    """

    method: Literal["gaussian", "majority", "none"]
    radius: float
    least: int

    def __str__(self) -> str:
        first = {
            "gaussian": f"probabilities averaged by a Gaussian of {self.radius:g} pixels",
            "majority": f"majority in a window of {self.side} × {self.side} pixels",
            "none": "",
        }[self.method]
        second = f"patches of fewer than {self.least} pixels given to their largest neighbour" if self.least > 1 else ""
        return ", ".join(part for part in (first, second) if part)

    @property
    def side(self) -> int:
        """Side of the majority's window, pixels."""
        return 2 * max(1, round(self.radius)) + 1

    @property
    def reach(self) -> int:
        """Pixels around a block that it needs to see."""
        reach = {"gaussian": math.ceil(smoothing.REACH * self.radius) + 1, "majority": self.side // 2, "none": 0}
        return reach[self.method]

    def classify(self, percent: Codes, values: Sequence[int], fold: npt.NDArray[np.integer] | None = None) -> Codes:
        """Return classes, (row, column), from percent, (class, row, column), 255 for no data; before the least area.

        With folds, (row, column), only pixels of the same fold count; 0 is out.
        """
        likely = np.where(percent > 100, np.nan, percent / np.float32(100)).astype(np.float32)
        out = np.zeros(percent.shape[1:], np.uint8)
        for k in [None] if fold is None else np.unique(fold[fold > 0]):
            among = np.ones(out.shape, bool) if k is None else fold == k
            if self.method == "gaussian":
                found = map_layers.classify(smoothing.gaussian(likely, self.radius, among), values)
            else:
                found = np.where(among, map_layers.classify(likely, values), 0).astype(np.uint8)
                found = smoothing.majority(found, self.side, values) if self.method == "majority" else found
            out[among] = found[among]
        return out


def apply(percent: xr.DataArray, way: Way, values: Sequence[int], fold: xr.DataArray | None = None) -> Codes:
    """Smooth a map block by block; patches are sought in the whole of it, in memory.

    Parameters
    ----------
    percent
        Probabilities, (class, y, x), whole percent, 255 for no data.
    way
        How.
    values
        The classes' values, in the order of ``percent``.
    fold
        Folds, (1, y, x), 0 for none: only pixels of one fold count for each other. None: all count.
    """
    both = [percent.data, *([] if fold is None else [fold.data.astype(np.uint8)])]
    lazy = [a if dask.is_dask_collection(a) else da.from_array(a, raster.CHUNK) for a in both]
    together = da.concatenate([a.rechunk({0: -1, **dict(enumerate(lazy[0].chunks[1:], 1))}) for a in lazy])
    together = together.rechunk({0: -1})
    size = len(values)

    def block(part: Codes) -> Codes:
        return way.classify(part[:size], values, part[size] if len(part) > size else None)[None]

    depth = {0: 0, 1: way.reach, 2: way.reach}
    wide = da.overlap.overlap(together, depth, "none") if way.reach else together
    codes = da.map_blocks(block, wide, chunks=((1,), *wide.chunks[1:]), dtype=np.uint8)
    codes = da.overlap.trim_internal(codes, depth, "none") if way.reach else codes
    found = np.asarray(codes[0].compute(), np.uint8)
    if fold is None:
        return smoothing.sieve(found, way.least)
    numbers = np.asarray(fold.data[0])
    for k in np.unique(numbers[numbers > 0]):
        inside = numbers == k
        found[inside] = smoothing.sieve(np.where(inside, found, 0).astype(np.uint8), way.least)[inside]
    return found


@dataclass(frozen=True)
class Smoothed:
    """A smoothed map and its scores beside those of the map that it was made of.

    Attributes
    ----------
    run
        The run whose map it was.
    words
        How it was smoothed.
    codes
        The map, (row, column), 0 for no data.
    changed
        Part of the map that has another class now, 0–1.
    before, after
        Cross-validated, by the same resampled blocks.
    test_before, test_after
        On the independent test set; None without one.
    """

    run: str
    words: str
    codes: Codes
    changed: float
    before: Accuracy
    after: Accuracy
    test_before: Accuracy | None
    test_after: Accuracy | None
    confidence: float

    def gain(self) -> Estimate:
        """Return what smoothing does to macro-F1, cross-validated, with its interval."""
        return _gain(self.before, self.after, self.confidence)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain data."""

        def plain(a: Accuracy) -> dict[str, Any]:
            return {"macro_f1": vars(a.macro), "overall_accuracy": vars(a.overall)}

        found: dict[str, Any] = {"run": self.run, "how": self.words, "changed": self.changed, "gain": vars(self.gain())}
        found |= {"before": plain(self.before), "after": plain(self.after)}
        if self.test_before is not None and self.test_after is not None:
            found["test_set"] = {
                "before": plain(self.test_before),
                "after": plain(self.test_after),
                "gain": vars(_gain(self.test_before, self.test_after, self.confidence)),
            }
        return found


def _gain(before: Accuracy, after: Accuracy, confidence: float) -> Estimate:
    tail = (1 - confidence) / 2 * 100
    low, high = np.nanpercentile(after.samples - before.samples, [tail, 100 - tail])
    return Estimate(after.macro.value - before.macro.value, float(low), float(high))


def make(
    layout: Layout, name: str, samples: Samples, way: Way, *, confidence: float, resamples: int, seed: int
) -> Smoothed:
    """Smooth the map of a run, and score it before and after.

    Raises
    ------
    LulcError
        If nothing is asked for, or the run has no map.
    """
    if not str(way):
        raise ParameterError("smooth: method none and least_area 0 change nothing. Set one of them, or smooth: null.")
    run, scheme = layout.run(name), samples.scheme
    labels, folds = samples.on_grid()
    fold, block = raster.select(folds, ["fold"]), samples.codes("block")
    assess = partial(accuracy.assess, classes=scheme, confidence=confidence, resamples=resamples, seed=seed)
    unseen = raster.read_codes(run.crossval_probability, [f"fold {n}" for n in scheme.names])
    true = np.asarray(labels.data[0])
    before = np.asarray(raster.read_codes(run.crossval, ["fold"]).data[0])
    after = apply(unseen, way, scheme.values, fold)
    old = np.asarray(raster.read_codes(run.map).data[0])
    new = apply(raster.read_codes(run.layer("probability")), way, scheme.values)
    scores = [assess(accuracy.by_block(true, codes, block, scheme.values)) for codes in (before, after)]
    tested: list[Accuracy | None] = [None, None]
    if layout.validation.exists():
        test, feature = raster.read_codes(layout.validation).data.compute()
        tested = [assess(accuracy.by_block(test, codes, feature, scheme.values)) for codes in (old, new)]
    changed = float((old != new).sum() / max(1, (old > 0).sum()))
    return Smoothed(name, str(way), new, changed, scores[0], scores[1], tested[0], tested[1], confidence)


def raster_of(smoothed: Smoothed, layout: Layout) -> xr.DataArray:
    """Return a smoothed map on its grid, (1, y, x)."""
    return raster.array(smoothed.codes[None], raster.grid(layout.run(smoothed.run).map), ["class"])
