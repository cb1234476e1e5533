"""From a fitted model and a feature stack to a class map, block by block.

A *predictor* is a function from features of shape (band, row, column), NaN for nodata, to class probabilities of
shape (class, row, column), NaN where a feature is missing. `pixelwise` makes one from a scikit-learn estimator.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr

from lulc_kit import files, raster
from lulc_kit.classes import Scheme
from lulc_kit.raster import writing

Array = npt.NDArray[np.float32]
Predictor = Callable[[Array], Array]

PERCENT_NODATA = 255
"""No data in files of whole percent."""


@dataclass(frozen=True)
class _Pixelwise:
    estimator: Any
    columns: tuple[int | None, ...]
    batch: int

    def __call__(self, features: Array) -> Array:
        flat = features.reshape(len(features), -1)
        out = np.full((len(self.columns), flat.shape[1]), np.nan, np.float32)
        known = np.flatnonzero(np.isfinite(flat).all(axis=0))
        for start in range(0, len(known), self.batch):
            pixels = known[start : start + self.batch]
            found = self.estimator.predict_proba(np.ascontiguousarray(flat[:, pixels].T))
            for row, column in enumerate(self.columns):
                out[row, pixels] = 0 if column is None else found[:, column]
        return out.reshape(len(self.columns), *features.shape[1:])


def pixelwise(estimator: Any, classes: Sequence[int], batch: int = 65536) -> Predictor:
    """Make a predictor of an estimator that looks at one pixel at a time.

    Parameters
    ----------
    estimator
        Fitted, with ``predict_proba`` and ``classes_`` (class values).
    classes
        The values whose probabilities are wanted, in this order; 0 for one the estimator does not know.
    batch
        Pixels handed to the estimator at once.
    """
    known = [int(c) for c in estimator.classes_]
    return _Pixelwise(estimator, tuple(known.index(c) if c in known else None for c in classes), batch)


def classify(probabilities: Array, classes: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Return the value of the likeliest class, (row, column); 0 where there is no data; the first class wins a tie."""
    missing = np.isnan(probabilities).any(axis=0)
    best = np.asarray(classes, np.uint8)[np.where(missing, 0, probabilities).argmax(axis=0)]
    return np.where(missing, 0, best).astype(np.uint8)


def percent(probabilities: Array) -> npt.NDArray[np.uint8]:
    """Return probabilities as whole percent, 255 where there is no data."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isnan(probabilities), PERCENT_NODATA, np.rint(probabilities * 100)).astype(np.uint8)


def entropy(probabilities: Array) -> Array:
    """Return how undecided a model is: Shannon entropy over its maximum, 0 (one class) to 1 (all alike), (row, column).

    Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x. NaN where there is no data.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(probabilities > 0, probabilities * np.log(probabilities), 0)
    out = -terms.sum(axis=0) / np.log(max(len(probabilities), 2))
    return np.where(np.isnan(probabilities).any(axis=0), np.nan, out).astype(np.float32)


def _apply(
    function: Callable[..., npt.NDArray[Any]],
    predictors: Any,
    stack: xr.DataArray,
    others: Sequence[da.Array],
    halo: int,
    count: int,
    values: tuple[int, ...],
) -> da.Array:
    lazy = stack.data if dask.is_dask_collection(stack.data) else da.from_array(stack.data, raster.CHUNK)
    arrays = [lazy.rechunk({0: -1}), *(o.rechunk({0: -1, **dict(enumerate(lazy.chunks[1:], 1))}) for o in others)]
    depth = {0: 0, 1: halo, 2: halo}
    if halo:
        arrays = [da.overlap.overlap(a, depth, "none") for a in arrays]
    # The model is one node of the graph, sent to each worker once, not a part of every block's task.
    model = dask.delayed(predictors, pure=False, traverse=False)
    out = da.map_blocks(
        function,
        model,
        *arrays,
        values=values,
        chunks=((count,), *arrays[0].chunks[1:]),
        dtype=np.uint8,
        meta=np.empty((0, 0, 0), np.uint8),
    )
    return da.overlap.trim_internal(out, depth, "none") if halo else out


def _map_block(predictor: Predictor, features: Array, values: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    return _layers(predictor(features), values)


def _layers(probabilities: Array, values: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    return np.concatenate(
        [classify(probabilities, values)[None], percent(entropy(probabilities))[None], percent(probabilities)]
    )


def _ensemble_block(
    predictors: Sequence[Predictor], features: Array, numbers: npt.NDArray[np.integer], values: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    single = [predictor(features) for predictor in predictors]
    out_of_fold = np.zeros(features.shape[1:], np.uint8)
    for k, probabilities in enumerate(single, 1):
        tested = numbers[0] == k
        out_of_fold[tested] = classify(probabilities, values)[tested]
    return np.concatenate([_layers(np.mean(single, axis=0), values), out_of_fold[None]])


def _crossval_block(
    predictors: Sequence[Sequence[Predictor]],
    features: Array,
    numbers: npt.NDArray[np.integer],
    values: tuple[int, ...],
) -> npt.NDArray[np.uint8]:
    out = np.zeros((len(predictors), *features.shape[1:]), np.uint8)
    for s, of_split in enumerate(predictors):
        for k, predictor in enumerate(of_split, 1):
            wanted = numbers[s] == k
            if wanted.any():
                out[s][wanted] = classify(predictor(features[:, wanted][:, None]), values)[0]
    return out


def _map_outputs(
    folder: Path, run: str, out: da.Array, stack: xr.DataArray, classes: Scheme, tags: Mapping[str, str]
) -> list[writing.Output]:
    geobox, count = stack.odc.geobox, len(classes.values)
    legend = {"classes": "; ".join(f"{c.value} {c.name}" for c in classes.classes), "run": run} | dict(tags)
    colours = {c.value: c.rgb for c in classes.classes}
    percents: dict[str, Any] = {"dtype": "uint8", "nodata": PERCENT_NODATA, "tags": legend | {"unit": "percent"}}
    return [
        writing.Output(
            folder / f"maps/{run}.tif",
            raster.array(out[:1], geobox, ["class"]),
            "uint8",
            nodata=0,
            colours=colours,
            tags=legend,
        ),
        writing.Output(folder / f"maps/{run}_entropy.tif", raster.array(out[1:2], geobox, ["entropy"]), **percents),
        writing.Output(
            folder / f"maps/{run}_probability.tif",
            raster.array(out[2 : 2 + count], geobox, list(classes.names)),
            **percents,
        ),
    ]


def write_map(
    folder: Path, run: str, stack: xr.DataArray, predictor: Predictor, classes: Scheme, tags: Mapping[str, str]
) -> None:
    """Map a whole scene in one pass.

    Three files are written: ``maps/<run>.tif`` (class; uint8, 0 = no data, with the scheme's colours and names),
    ``maps/<run>_probability.tif`` (one band per class) and ``maps/<run>_entropy.tif`` (see `entropy`), both uint8
    percent, 255 = no data.

    Parameters
    ----------
    folder
        The study's folder.
    run
        Name of the run.
    stack
        Features, (band, y, x), lazily opened.
    predictor
        See the module's first lines.
    classes
        The classes, in the predictor's order.
    tags
        Words for the files' metadata.
    """
    out = _apply(_map_block, predictor, stack, [], 0, len(classes.values) + 2, classes.values)
    writing.write_all(
        _map_outputs(folder, run, out, stack, classes, tags), description=f"map {run}", layers=_held(stack, classes)
    )


def write_ensemble(
    folder: Path,
    run: str,
    stack: xr.DataArray,
    folds: xr.DataArray,
    predictors: Sequence[Predictor],
    classes: Scheme,
    *,
    halo: int = 0,
) -> None:
    """Map a scene by the mean of the folds' models and cross-validate them, in one pass.

    Writes what `write_map` and `write_crossval` write; the cross-validated map has the one band ``fold``.

    Parameters
    ----------
    folder, run, stack
        See `write_map`.
    folds
        The folds' numbers, band ``fold``.
    predictors
        For fold 1, 2, …: the predictor that was not trained with that fold.
    classes
        The classes, in the predictors' order.
    halo
        Pixels around a block that the predictors need to see.
    """
    numbers = raster.select(folds, ["fold"]).data
    out = _apply(_ensemble_block, predictors, stack, [numbers], halo, len(classes.values) + 3, classes.values)
    crossval = raster.array(out[-1:], stack.odc.geobox, ["fold"])
    writing.write_all(
        [
            *_map_outputs(folder, run, out, stack, classes, {}),
            writing.Output(folder / f"models/{run}/crossval.tif", crossval, "uint8", nodata=0),
        ],
        description=f"map {run}",
        layers=_held(stack, classes) + len(predictors) * len(classes.values),
    )


def write_crossval(
    folder: Path,
    run: str,
    stack: xr.DataArray,
    folds: xr.DataArray,
    predictors: Mapping[str, Sequence[Predictor]],
    classes: Scheme,
) -> None:
    """Write for each labelled pixel the class given by the one model that was not trained with its fold.

    ``models/<run>/crossval.tif``: uint8, one band per split, 0 where there is no label or no data.

    Parameters
    ----------
    folder, run, stack, classes
        See `write_map`.
    folds
        The folds' numbers, one band (named like a key of ``predictors``) per split.
    predictors
        For each split the predictors for fold 1, 2, …, which look at one pixel at a time (see `pixelwise`).
    """
    splits = list(predictors)
    numbers = raster.select(folds, splits).data
    out = _apply(_crossval_block, list(predictors.values()), stack, [numbers], 0, len(splits), classes.values)
    path = folder / f"models/{run}/crossval.tif"
    writing.write_all(
        [writing.Output(path, raster.array(out, stack.odc.geobox, splits), "uint8", nodata=0)],
        f"cross-validate {run}",
        layers=_held(stack, classes),
    )


def _held(stack: xr.DataArray, classes: Scheme) -> int:
    # Features with and without their rim, probabilities and what is made of them.
    return 2 * stack.sizes["band"] + 4 * len(classes.values)


def write_run(folder: Path, run: str, model: str, features: Sequence[str], **more: Any) -> None:
    """Write ``models/<run>/run.json``: what the run is, and which labels and folds it was made with."""
    about = {
        "run": run,
        "model": model,
        "features": list(features),
        "folds": files.sha256(folder / "samples/folds.tif"),
        **more,
    }
    files.write_json(folder / f"models/{run}/run.json", about)
