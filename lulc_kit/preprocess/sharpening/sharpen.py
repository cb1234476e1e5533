"""The 20 m and 60 m bands of Sentinel-2 at 10 m.

For each coarse band the four 10 m bands are degraded to its grid with its own MTF; in a moving window a
small ridge regression (or one for the whole scene, where that proves better) says how the coarse band
follows from them; the models, interpolated, are applied to the 10 m bands; and what degrading the result
fails to explain is projected back, so that no radiometry is invented. A few numbers for each band, chosen
once for a scene by `fit`, make it fit the scene: how much sharper or smoother than the 10 m bands the coarse
band's own detail is and by what part of a pixel it lies elsewhere, the strength of the ridge, and the share
of the detail that is injected.

`sharpen` does it all for arrays. A scene that does not fit into memory goes block by block through the same
function with a `Plan` made once::

    plan = fit(fine, coarse, ratio=2)                      # any arrays that can be sliced
    plan.halo                                              # coarse pixels to read around each block
    sharpen(fine_block, coarse_block, ratio=2, plan=plan)  # then cut the halo off

`sharpen` itself works in such blocks, which is why the block size does not show in the result.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lulc_kit.errors import LulcError, ParameterError
from lulc_kit.preprocess.sharpening.backproject import Projector, back_project, projector
from lulc_kit.preprocess.sharpening.local_models import (
    EVEN,
    GAUSSIAN,
    MATCHING_REACH,
    REACH,
    average,
    local_models,
    match,
    matching,
    predict,
)
from lulc_kit.preprocess.sharpening.mtf import Float, Mask, decimate, degrade, degrade_masked, mtf_of
from lulc_kit.sentinel2 import MTF, bands_at

__all__ = ["MTF", "Plan", "degrade", "fit", "sharpen"]

Values = float | Sequence[float] | NDArray[Any]

_BRIGHTEST = 6.5536  # reflectance of the greatest 16-bit number at Sentinel-2's quantification of 10000
_STEPS = 2  # of back-projection; one is nearly exact away from borders and nodata
_ROOM = 1.0  # how far beyond the local range back-projection may go, as a share of that range
_BLUR = (-0.4, 2.0, 0.1)  # least, greatest and step of the variances tried, fine pixels²
_SHIFT = (-2.0, 2.0, 0.25)  # the same of the shifts, fine pixels
_WORTH = 0.99  # share of the error without a shift, or a blur unlike down and across, that makes it believed
_OUTLYING = 6.0  # medians of the errors above which one counts no more
_NOTHING = 1e-6  # reflectance; errors below it are of rounding
_RIDGES = (1e-8, 5e-8, 3e-7, 1e-6, 4e-6, 1.5e-5, 6e-5)  # reflectance²; tried one scale further down
_RIDGE_TO_COMPARE = 1e-6
_WINDOW, _WINDOWS = 128, 9  # coarse pixels across, and number, of the samples that a plan is made from
_FEWEST = 100  # degraded pixels below which a choice by Wald's protocol would be chance


@dataclass(frozen=True)
class BandPlan:
    """How one band is sharpened.

    Parameters
    ----------
    mtf
        Its modulation transfer at the Nyquist frequency of the coarse grid.
    blur
        Variance down and across, fine pixels², of the filter that gives the 10 m bands the sharpness of this
        band's detail; negative where they must be sharpened for it.
    shift
        Fine pixels down and across by which the same filter moves them to where this band sees the ground.
    ridge
        Strength of the local regression's ridge, reflectance²; infinite: one global regression.
    injection
        Share of the predicted detail that is used, 0 to 1.
    model
        (p + 1,), slopes and intercept of the global regression.
    """

    mtf: float
    blur: tuple[float, float] = (0.0, 0.0)
    shift: tuple[float, float] = (0.0, 0.0)
    ridge: float = 4e-6
    injection: float = 1.0
    model: tuple[float, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All that sharpening needs to know about a whole scene; then its blocks are independent.

    Parameters
    ----------
    ratio
        Fine pixels per coarse pixel, along one axis.
    bands
        One `BandPlan` for each coarse band.
    """

    ratio: int
    bands: tuple[BandPlan, ...]

    @cached_property
    def projectors(self) -> tuple[Projector, ...]:
        """The back-projection kernels of each band."""
        return tuple(projector(self.ratio, band.mtf) for band in self.bands)

    @property
    def halo(self) -> int:
        """Coarse pixels around a block that its result depends on."""
        steps = max(kernels.reach for kernels in self.projectors)
        taps = max(kernels.taps.size for kernels in self.projectors)
        return _STEPS * steps + 2 * REACH + 2 + -(-(taps // 2 + MATCHING_REACH) // self.ratio)


class _Scene(NamedTuple):
    """Fine bands with 0 for nodata, where they are valid, and the coarse bands with NaN."""

    fine: Float
    valid: Mask
    coarse: Float


def sharpen(
    fine: ArrayLike,
    coarse: ArrayLike,
    *,
    ratio: int,
    mtf_coarse: Values | None = None,
    plan: Plan | None = None,
    block: int = 1536,
    out: Any = None,
) -> Any:
    """Bring coarse bands to the resolution of the fine ones.

    Parameters
    ----------
    fine
        (p, row, column), reflectance 0–1 of the 10 m bands, usually B2, B3, B4, B8; NaN, or masked, is
        nodata. Anything that can be sliced like an array, or nested lists.
    coarse
        (n, row/ratio, column/ratio), reflectance of the bands to sharpen; NaN, or masked, is nodata. The
        grids share their corner.
    ratio
        2 for the 20 m bands, 6 for the 60 m bands.
    mtf_coarse
        Modulation transfer at Nyquist of the coarse grid: one value for each band, or one for all. None: the
        published values of Sentinel-2, which supposes the usual order: B5 B6 B7 B8A B11 B12 at ratio 2;
        B1 B9 at ratio 6. For another number of bands None is the mean of those; give ``MTF[name]``.
    plan
        From `fit`, when this is a part of a scene; None: made here from these arrays. A plan carries MTFs;
        those arguments do not count then.
    block
        Fine pixels across one block of work: about 60 MB of memory per thread at 1024, 110 MB at 1536. It
        does not change the result.
    out
        (n, row, column), where to write the result, such as a memory map; None: a new float32 array.

    Returns
    -------
    numpy.ndarray
        ``out``: float32 reflectance. NaN where a fine band or the coarse pixel is nodata, and nowhere else.

    Raises
    ------
    LulcError
        If shapes and ratio do not fit together, values are digital numbers, nothing is valid, or the plan is
        for other bands.

    Notes
    -----
    Local regression between scales follows ATPRK and Sen2Res (Brodu 2017, https://arxiv.org/abs/1609.07986)
    in spirit; the choice of its strength by degrading the scene once more is Wald's protocol (Wald et al.
    1997, Photogrammetric Engineering and Remote Sensing 63(6)). Back-projection may leave the range that the
    local prediction and the coarse band have in 3 × 3 coarse pixels by that range at most; at an edge that
    the fine bands do not show it overshoots by about a tenth of the step where they are flat, and by more
    where they show something else that the regression takes for its cause.

    Examples
    --------
    A 20 m band that is the mean of the four 10 m bands: the sharpened band is that mean at 10 m.

    >>> from lulc_kit.preprocess.sharpening.mtf import degrade
    >>> fields = np.random.default_rng(1).uniform(0.05, 0.4, (4, 16, 16))
    >>> fine = np.kron(fields, np.ones((3, 3)))
    >>> truth = fine.mean(axis=0, keepdims=True)
    >>> sharp = sharpen(fine, degrade(truth, 2, 0.3), ratio=2, mtf_coarse=0.3)
    >>> sharp.shape, bool(np.abs(sharp - truth).max() < 0.001)
    ((1, 48, 48), True)
    """
    fine, coarse = _sliceable(fine), _sliceable(coarse)
    shape, n = _check_shapes(fine, coarse, ratio)
    if plan is None:
        plan = fit(fine, coarse, ratio=ratio, mtf_coarse=mtf_coarse)
    if plan.ratio != ratio or len(plan.bands) != n:
        raise ParameterError(
            f"The plan is for {len(plan.bands)} bands at ratio {plan.ratio}, the data are {n} bands "
            f"at ratio {ratio}: make the plan with `fit` on the same scene."
        )
    result = np.empty((n, *shape), np.float32) if out is None else out
    if result.shape != (n, *shape):
        raise ParameterError(f"`out` has shape {result.shape}, the result {(n, *shape)}.")
    halo = plan.halo
    size = max(block // ratio, 1)
    rows, columns = shape[0] // ratio, shape[1] // ratio

    def work(corner: tuple[int, int]) -> None:
        top, left = corner
        bottom, right = min(top + size, rows), min(left + size, columns)
        y, x = max(top - halo, 0), max(left - halo, 0)
        scene = _read(fine, coarse, ratio, y, min(bottom + halo, rows), x, min(right + halo, columns))
        inner = (
            slice((top - y) * ratio, (bottom - y) * ratio),
            slice((left - x) * ratio, (right - x) * ratio),
        )
        for k in range(n):
            sharp = _sharpen_band(scene, k, plan.bands[k], plan.projectors[k], _STEPS)
            result[k, top * ratio : bottom * ratio, left * ratio : right * ratio] = sharp[inner]

    corners = list(product(range(0, rows, size), range(0, columns, size)))
    if len(corners) == 1:
        work(corners[0])
    else:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(work, corners))
    return result


def fit(
    fine: ArrayLike,
    coarse: ArrayLike,
    *,
    ratio: int,
    mtf_coarse: Values | None = None,
) -> Plan:
    """Choose for each band of a scene how it is sharpened, from the scene alone.

    Blur and shift are those with which the degraded fine bands predict the coarse band best, each pixel left
    out in turn; a shift, and a blur that differs down and across, are only believed where they lessen the
    error by a hundredth. Errors count up to six times their median, where Cleveland's robust regression
    (1979, https://doi.org/10.1080/01621459.1979.10481038) lets go of them too. Ridge and injection are those
    that win when everything is degraded by the ratio once more and the coarse band itself is the truth.
    Large scenes are sampled by windows at fixed places.

    Returns
    -------
    Plan
        To be passed to `sharpen` with any part of the scene.

    Raises
    ------
    LulcError
        See `sharpen`.
    """
    fine, coarse = _sliceable(fine), _sliceable(coarse)
    shape, n = _check_shapes(fine, coarse, ratio)
    p = int(np.shape(fine)[0])
    mtf = mtf_of(_published(n, ratio) if mtf_coarse is None else mtf_coarse, n)
    rows, columns = shape[0] // ratio, shape[1] // ratio
    scenes = [_read(fine, coarse, ratio, *window) for window in _sample(rows, columns)]
    scenes = [s for s in scenes if s.valid.any() and np.isfinite(s.coarse).any()]
    if not scenes:
        raise LulcError(
            "No pixel of the fine and the coarse bands is valid (all NaN): check the nodata value and the extent."
        )
    below = [_degraded(scene, ratio, _published(p, 1), mtf) for scene in scenes]

    def choose(k: int) -> BandPlan:
        own = [_Scene(s.fine, s.valid, s.coarse[k : k + 1]) for s in scenes]
        lower = [_Scene(s.fine, s.valid, s.coarse[k : k + 1]) for s in below]
        truth = [s.coarse[k] for s in scenes]
        return _choose(own, lower, truth, projector(ratio, float(mtf[k])), float(mtf[k]))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return Plan(ratio, tuple(pool.map(choose, range(n))))


def _choose(
    own: list[_Scene],
    lower: list[_Scene],
    truth: list[Float],
    kernels: Projector,
    mtf: float,
) -> BandPlan:
    # at 60 m a fine pixel's shift is a sixth of what the band sees, and the bands of haze have no edges
    aligned = _align(own, kernels, BandPlan(mtf), move=kernels.ratio < 4)
    aligned = replace(aligned, model=_global_model(own, kernels, aligned))
    best = aligned
    if sum(int(np.isfinite(s.coarse).sum()) for s in lower) < _FEWEST:
        return best
    down, across = aligned.shift
    below = _align(lower, kernels, BandPlan(mtf, shift=(down / kernels.ratio, across / kernels.ratio)), move=False)
    below = replace(below, model=_global_model(lower, kernels, below))
    # The ridge stands for what the fine bands carry beside the common signal. Noise is weaker one scale
    # further down, where the ridge is chosen, by the number of independent pixels under the kernel.
    averaging = float(1 / (kernels.taps**2).sum() ** 2)
    least = np.inf
    for ridge in (*_RIDGES, np.inf):
        # the result is affine in the injection: two of them give the best one in closed form
        wanted, detail = [], []
        for scene, target in zip(lower, truth, strict=True):
            with_none, with_all = (
                _sharpen_band(scene, 0, replace(below, ridge=ridge, injection=share), kernels, 1)
                for share in (0.0, 1.0)
            )
            target = target[: with_all.shape[0], : with_all.shape[1]]
            known = np.isfinite(target) & np.isfinite(with_all)
            wanted.append((target - with_none)[known])
            detail.append((with_all - with_none)[known])
        e, d = np.concatenate(wanted).astype(float), np.concatenate(detail).astype(float)
        injection = float(np.clip(e @ d / max(d @ d, 1e-30), 0.0, 1.0))
        error = float(((e - injection * d) ** 2).mean()) if e.size else np.inf
        if error < 0.999 * least:
            least = error
            best = replace(aligned, ridge=ridge * averaging, injection=injection)
    return best


def _align(scenes: list[_Scene], kernels: Projector, plan: BandPlan, move: bool) -> BandPlan:
    """The plan with the sharpness, and if it may ``move`` the shift, of least leave-one-out error."""

    def left_out(plan: BandPlan) -> NDArray[np.float64]:
        found = []
        for scene in scenes:
            _, predictors = _predictors(scene, kernels, plan)
            _, errors = local_models(predictors, scene.coarse[0], EVEN, _RIDGE_TO_COMPARE, True)
            found.append(np.abs(errors[np.isfinite(errors)], dtype=float))
        return np.concatenate(found)

    start = left_out(plan)
    told = start[start > _NOTHING]
    if start.size < _FEWEST or start.mean() < _NOTHING:
        return plan  # too little to judge by, or nothing to explain
    # clouds, which stand elsewhere in each band, must not decide for the ground
    limit = _OUTLYING * float(np.median(told))

    def cost(plan: BandPlan) -> float:
        return float(np.minimum(left_out(plan), limit).mean())

    def sharpen(plan: BandPlan) -> BandPlan:
        best = _downhill(lambda b: cost(replace(plan, blur=(b, b))), plan.blur[0], *_BLUR)
        return replace(plan, blur=(best, best))

    def stretch(plan: BandPlan) -> BandPlan:
        down = _downhill(lambda b: cost(replace(plan, blur=(b, plan.blur[1]))), plan.blur[0], *_BLUR)
        across = _downhill(lambda b: cost(replace(plan, blur=(down, b))), plan.blur[1], *_BLUR)
        return replace(plan, blur=(down, across))

    still = sharpen(plan)
    if not move:
        return still
    down = _downhill(lambda d: cost(replace(still, shift=(d, 0.0))), 0.0, *_SHIFT)
    across = _downhill(lambda d: cost(replace(still, shift=(down, d))), 0.0, *_SHIFT)
    moved = sharpen(replace(still, shift=(down, across)))
    best = moved if cost(moved) < _WORTH * cost(still) else still
    stretched = stretch(best)
    return stretched if cost(stretched) < _WORTH * cost(best) else best


def _downhill(cost: Callable[[float], float], start: float, least: float, greatest: float, step: float) -> float:
    """Where a function of one minimum is least, by steps and then by a parabola through its logarithms."""
    seen: dict[float, float] = {}

    def at(place: float) -> float:
        if place not in seen:
            seen[place] = cost(place)
        return seen[place]

    here = start
    for direction in (-step, step):
        while least <= here + direction <= greatest and at(here + direction) < at(here):
            here += direction
    if not (least <= here - step and here + step <= greatest):
        return here
    a, b, c = np.log([max(at(place), 1e-30) for place in (here - step, here, here + step)])
    return float(here + 0.5 * step * (a - c) / max(a - 2 * b + c, 1e-9))


def _global_model(scenes: list[_Scene], kernels: Projector, plan: BandPlan) -> tuple[float, ...]:
    """One regression for the whole scene, with a ridge that only decides between equal bands."""
    p = scenes[0].fine.shape[0]
    known, targets = [], []
    for scene in scenes:
        _, predictors = _predictors(scene, kernels, plan)
        use = np.isfinite(predictors[0]) & np.isfinite(scene.coarse[0])
        known.append(predictors[:, use].astype(float))
        targets.append(scene.coarse[0][use].astype(float))
    x, y = np.concatenate(known, axis=1), np.concatenate(targets)
    if y.size == 0:
        return (0.0,) * (p + 1)
    centre, level = x.mean(axis=1), y.mean()
    deviation = x - centre[:, None]
    slopes = np.linalg.solve(deviation @ deviation.T / y.size + 1e-7 * np.eye(p), deviation @ (y - level) / y.size)
    return (*(float(s) for s in slopes), float(level - slopes @ centre))


def _predictors(scene: _Scene, kernels: Projector, plan: BandPlan) -> tuple[Float, Float]:
    """The fine bands with the sharpness and place of the coarse band, and the same on the coarse grid."""
    fine = scene.fine
    if plan.blur != (0.0, 0.0) or plan.shift != (0.0, 0.0):
        down, across = (matching(*axis) for axis in zip(plan.blur, plan.shift, strict=True))
        fine = match(fine, scene.valid, down, across)
    weight = decimate(scene.valid.astype(np.float32), kernels.taps, kernels.first, kernels.ratio)
    coarse = [degrade_masked(band, weight, kernels.ratio, kernels.taps, kernels.first) for band in fine]
    return fine, np.stack(coarse)


def _sharpen_band(scene: _Scene, k: int, plan: BandPlan, kernels: Projector, iterations: int) -> Float:
    coarse = scene.coarse[k]
    known = np.isfinite(coarse)
    valid = scene.valid & known.repeat(kernels.ratio, axis=0).repeat(kernels.ratio, axis=1)
    if not valid.any():
        return np.full(valid.shape, np.nan, np.float32)
    fine, predictors = _predictors(scene, kernels, plan)
    if np.isinf(plan.ridge):
        models = np.broadcast_to(
            np.array(plan.model, np.float32)[:, None, None], (len(plan.model), *coarse.shape)
        ).copy()
    else:
        models, _ = local_models(predictors, coarse, GAUSSIAN, plan.ridge, False)
        models = average(models, GAUSSIAN)
    image = predict(fine, valid, models, predictors, coarse, plan.injection)
    image = back_project(image, valid, coarse, kernels, iterations, _ROOM)
    image[~valid] = np.nan
    return image


def _sliceable(bands: Any) -> Any:
    return bands if hasattr(bands, "shape") else np.asarray(bands, dtype=np.float32)


def _float32(window: Any) -> Float:
    """A copy; what a masked array hides, as rasterio and xarray's readers may give it, is nodata."""
    if isinstance(window, np.ma.MaskedArray):
        return np.where(np.ma.getmaskarray(window), np.float32(np.nan), window.data.astype(np.float32))
    return np.array(window, dtype=np.float32)


def _read(fine: Any, coarse: Any, ratio: int, top: int, bottom: int, left: int, right: int) -> _Scene:
    """A window given in coarse pixels, as float32."""
    f = _float32(fine[:, top * ratio : bottom * ratio, left * ratio : right * ratio])
    c = _float32(coarse[:, top:bottom, left:right])
    for name, values in (("fine", f), ("coarse", c)):
        greatest = np.max(np.abs(values), where=np.isfinite(values), initial=0)
        if greatest > _BRIGHTEST:
            raise LulcError(
                f"The {name} bands reach {greatest:.6g}, which is no reflectance (0–1): "
                "convert digital numbers first, (DN + offset)/10000, and set nodata to NaN."
            )
    valid = np.asarray(np.isfinite(f).all(axis=0))
    f[:, ~valid] = 0
    c[~np.isfinite(c)] = np.nan
    return _Scene(f, valid, c)


def _degraded(scene: _Scene, ratio: int, mtf_fine: NDArray[Any], mtf_coarse: NDArray[Any]) -> _Scene:
    """The scene one scale further down, for Wald's protocol."""
    rows, columns = (size // ratio * ratio for size in scene.coarse.shape[1:])
    if not rows or not columns:
        nothing = np.zeros((len(scene.fine), 1, 1), np.float32)
        return _Scene(nothing, np.zeros((1, 1), bool), np.full((len(scene.coarse), 1, 1), np.nan, np.float32))
    fine = np.where(scene.valid, scene.fine, np.float32(np.nan))[:, : rows * ratio, : columns * ratio]
    below = degrade(fine, ratio, mtf_fine)
    valid = np.asarray(np.isfinite(below).all(axis=0))
    coarse = degrade(scene.coarse[:, :rows, :columns], ratio, mtf_coarse)
    return _Scene(np.where(valid, below, np.float32(0)), valid, coarse)


def _sample(rows: int, columns: int) -> Iterator[tuple[int, int, int, int]]:
    """Windows (top, bottom, left, right), in coarse pixels, to make a plan from: all of a small scene."""
    side = int(np.sqrt(_WINDOWS))
    if rows <= side * _WINDOW and columns <= side * _WINDOW:
        yield 0, rows, 0, columns
        return

    def spread(size: int) -> list[tuple[int, int]]:
        if size <= _WINDOW:
            return [(0, size)]
        starts = np.linspace(0, size - _WINDOW, side + 2)[1:-1].astype(int)
        return [(int(start), int(start) + _WINDOW) for start in starts]

    for (top, bottom), (left, right) in product(spread(rows), spread(columns)):
        yield top, bottom, left, right


def _published(bands: int, ratio: int) -> NDArray[np.float64]:
    """Sentinel-2's MTFs of the bands that are usual at this ratio; their mean for another number of bands."""
    usual = [MTF[name] for name in bands_at(10 * ratio) or MTF]
    return np.array(usual) if bands == len(usual) else np.full(bands, np.mean(usual))


def _check_shapes(fine: Any, coarse: Any, ratio: int) -> tuple[tuple[int, int], int]:
    f, c = np.shape(fine), np.shape(coarse)
    if len(f) != 3 or len(c) != 3 or 0 in f or 0 in c:
        raise ParameterError(
            f"Expected fine and coarse bands as (band, row, column), found the shapes {f} and {c}: "
            "use band[None] for a single band."
        )
    if ratio < 2 or int(ratio) != ratio:
        raise ParameterError(f"The ratio is {ratio}; it is a whole number: 2 for 20 m bands, 6 for 60 m bands.")
    if f[1:] != (c[1] * ratio, c[2] * ratio):
        raise ParameterError(
            f"Fine bands of {f[1]} × {f[2]} pixels are not {ratio} × the {c[1]} × {c[2]} of the coarse "
            "bands: crop both to the same extent, or set the ratio to that of the resolutions."
        )
    return (f[1], f[2]), c[0]
