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
from lulc_kit.evaluate.accuracy import Accuracy, Estimate, Matrix
from lulc_kit.late import da, xr
from lulc_kit.layout import Layout
from lulc_kit.raster import blockwise
from lulc_kit.samples import Samples

Codes = npt.NDArray[np.uint8]

GUIDE = ("B8", "B4", "B3")
"""Bands of the composite that guide, if it has them: near infrared, red and green of 10 m; else its first three."""

SIEVED = 12
"""Bytes of a pixel that seeking patches takes at most: codes, masks, and GDAL's list of patches (5 in pure noise)."""


@dataclass(frozen=True)
class Way:
    """How a map is smoothed.

    Attributes
    ----------
    method
        ``gaussian``: of the probabilities; ``guided``: of the probabilities along the edges of the image;
        ``majority``: of the classes in a window; ``none``.
    radius
        Standard deviation of the Gaussian, or half the window, pixels.
    least
        Patches of fewer pixels go to their largest neighbour; 0 or 1: none.
    edge
        Differences of reflectance from which on the image has an edge, for ``guided``.
    """

    method: Literal["gaussian", "guided", "majority", "none"]
    radius: float
    least: int
    edge: float = 0.02

    def __str__(self) -> str:
        window = f"{self.side} × {self.side} pixels"
        first = {
            "gaussian": f"probabilities averaged by a Gaussian of {self.radius:g} pixels",
            "guided": f"probabilities smoothed along the edges of the image (guided filter, windows of {window}, "
            f"edges of {self.edge:g} in reflectance)",
            "majority": f"majority in a window of {window}",
            "none": "",
        }[self.method]
        second = f"patches of fewer than {self.least} pixels given to their largest neighbour" if self.least > 1 else ""
        return ", ".join(part for part in (first, second) if part)

    @property
    def half(self) -> int:
        """Half the window, pixels."""
        return max(1, round(self.radius))

    @property
    def side(self) -> int:
        """Side of the window, pixels."""
        return 2 * self.half + 1

    @property
    def reach(self) -> int:
        """Pixels around a block that it needs to see."""
        gaussian = math.ceil(smoothing.REACH * self.radius) + 1
        return {"gaussian": gaussian, "guided": 2 * self.half, "majority": self.half, "none": 0}[self.method]

    def held(self, classes: int) -> int:
        """Return about how many float32 layers of a block are in memory while it is smoothed."""
        layers = 2 * classes + (60 if self.method == "guided" else 10)
        return math.ceil(layers * (1 + 2 * self.reach / raster.CHUNK) ** 2)

    def classify(
        self,
        percent: Codes,
        values: Sequence[int],
        fold: npt.NDArray[np.integer] | None = None,
        guide: npt.NDArray[np.floating] | None = None,
    ) -> Codes:
        """Return classes, (row, column), from percent, (class, row, column), 255 for no data; before the least area.

        With folds, (row, column), only pixels of the same fold count; 0 is out. A guide is (band, row, column).
        """
        likely = np.where(percent > 100, np.nan, percent / np.float32(100)).astype(np.float32)
        out = np.zeros(percent.shape[1:], np.uint8)
        for k in [None] if fold is None else np.unique(fold[fold > 0]):
            among = np.ones(out.shape, bool) if k is None else fold == k
            if self.method == "gaussian":
                found = map_layers.classify(smoothing.gaussian(likely, self.radius, among), values)
            elif self.method == "guided":
                assert guide is not None, "its bands were opened"
                found = map_layers.classify(smoothing.guided_filter(likely, guide, self.half, self.edge, among), values)
            else:
                found = np.where(among, map_layers.classify(likely, values), 0).astype(np.uint8)
                found = smoothing.majority(found, self.side, values) if self.method == "majority" else found
            out[among] = found[among]
        return out


def open_guide(way: Way, layout: Layout) -> xr.DataArray | None:
    """Open the bands of the composite that guide; None for a way without a guide."""
    if way.method != "guided":
        return None
    names = raster.band_names(layout.composite)
    return raster.read(layout.composite, [b for b in GUIDE if b in names] or names[:3])


def apply(
    percent: xr.DataArray,
    way: Way,
    values: Sequence[int],
    fold: xr.DataArray | None = None,
    guide: xr.DataArray | None = None,
) -> xr.DataArray:
    """Smooth a map window by window, lazily; with a least area now, because patches are sought in the whole of it.

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
    guide
        The image, (band, y, x), NaN for no data, for a guided way.

    Returns
    -------
    xarray.DataArray
        Classes, (1, y, x), 0 for no data.

    Raises
    ------
    LulcError
        If patches of the whole map cannot be sought in the memory that a step may take.
    """
    given = [percent, *(layer for layer in (fold, guide) if layer is not None)]
    lazy = [a.data if dask.is_dask_collection(a.data) else da.from_array(a.data, raster.CHUNK) for a in given]
    same = [a.rechunk({0: -1, **dict(enumerate(lazy[0].chunks[1:], 1))}) for a in lazy]
    depth = {0: 0, 1: way.reach, 2: way.reach}
    wide = [da.overlap.overlap(a, depth, "none") if way.reach else a for a in same]

    def block(part: Codes, *others: npt.NDArray[Any]) -> Codes:
        rest = list(others)
        folds = rest.pop(0)[0] if fold is not None else None
        return way.classify(part, values, folds, rest[0] if rest else None)[None]

    codes = da.map_blocks(block, *wide, chunks=((1,), *wide[0].chunks[1:]), dtype=np.uint8)
    codes = da.overlap.trim_internal(codes, depth, "none") if way.reach else codes
    if way.least > 1:
        codes = _sieved(codes[0], way, values, None if fold is None else fold.data[0])[None]
    return raster.array(codes, percent.odc.geobox, ["class"])


def _sieved(codes: da.Array, way: Way, values: Sequence[int], fold: Any) -> Codes:
    blockwise.blocks_at_once(SIEVED, codes.size, "a least area, for which all patches of the map are sought at once")
    pixel = 4 * way.held(len(values))
    (found,) = blockwise.compute(
        [codes], blockwise.blocks_at_once(pixel, max(codes.chunks[0]) * max(codes.chunks[1]), "smoothing")
    )
    if fold is None:
        return smoothing.sieve(found, way.least)
    numbers = np.asarray(fold).astype(np.uint8)
    for k in np.unique(numbers[numbers > 0]):
        inside = numbers == k
        np.copyto(found, smoothing.sieve(found * inside, way.least), where=inside)
    return found


@dataclass(frozen=True)
class Smoothed:
    """Scores of a smoothed map beside those of the map that it was made of.

    Attributes
    ----------
    run
        The run whose map it was.
    words
        How it was smoothed.
    changed
        Part of the map that has another class now, 0–1.
    before, after
        Cross-validated, by the same resampled blocks.
    test_before, test_after
        On the independent test set; None without one.
    """

    run: str
    words: str
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


def smooth(layout: Layout, name: str, values: Sequence[int], way: Way) -> xr.DataArray:
    """Smooth the map of a run; the result is to be written, and then to be judged by `judge`.

    Raises
    ------
    LulcError
        If nothing is asked for, or as of `apply`.
    """
    if not str(way):
        raise ParameterError("smooth: method none and least_area 0 change nothing. Set one of them, or smooth: null.")
    return apply(raster.read_codes(layout.run(name).layer("probability")), way, values, None, open_guide(way, layout))


def judge(
    layout: Layout, name: str, samples: Samples, way: Way, *, confidence: float, resamples: int, seed: int
) -> Smoothed:
    """Score the map of a run before and after it was smoothed, block by block."""
    run, scheme = layout.run(name), samples.scheme
    labels, folds = samples.on_grid()
    fold, block = raster.select(folds, ["fold"]), raster.select(folds, ["block"])
    assess = partial(accuracy.assess, classes=scheme, confidence=confidence, resamples=resamples, seed=seed)
    unseen = raster.read_codes(run.crossval_probability, [f"fold {n}" for n in scheme.names])
    before = raster.read_codes(run.crossval, ["fold"])
    after = apply(unseen, way, scheme.values, fold, open_guide(way, layout))
    old, new = raster.read_codes(run.map), raster.read_codes(run.smoothed)
    held = way.held(len(scheme.values))
    first, second = (assess(m) for m in _count(labels, block, [before, after], scheme.values, held))
    tested: tuple[Accuracy | None, Accuracy | None] = (None, None)
    if layout.validation.exists():
        test = raster.read_codes(layout.validation)
        label, feature = raster.select(test, ["label"]), raster.select(test, ["feature"])
        one, two = (assess(m) for m in _count(label, feature, [old, new], scheme.values))
        tested = one, two
    both = da.concatenate([old.data, new.data.rechunk(old.data.chunks)])
    other, mapped = np.sum(blockwise.reduce(lambda p: [(p[0] != p[1]).sum(), (p[0] > 0).sum()], both), axis=0)
    return Smoothed(name, str(way), float(other / max(1, mapped)), first, second, *tested, confidence)


def _count(
    labels: xr.DataArray, block: xr.DataArray, maps: Sequence[xr.DataArray], values: Sequence[int], layers: int = 4
) -> list[Matrix]:
    """Count for each map pixels by block, true and mapped class, as `accuracy.by_block`, a window at a time."""

    def part(together: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.integer], list[Matrix]]:
        true, number, *codes = together
        return np.unique(number[np.isin(true, values)]), [accuracy.by_block(true, c, number, values) for c in codes]

    chunks = block.data.chunks[1:]
    layered = da.concatenate([da.asarray(a.data).rechunk({1: chunks[0], 2: chunks[1]}) for a in (labels, block, *maps)])
    found = blockwise.reduce(part, layered, layers=layers, what="scores of smoothed maps")
    numbers = np.unique(np.concatenate([known for known, _ in found]))
    out = [np.zeros((len(numbers), len(values), len(values)), np.int64) for _ in maps]
    for known, matrices in found:
        for whole, some in zip(out, matrices, strict=True):
            whole[np.searchsorted(numbers, known)] += some
    return out
