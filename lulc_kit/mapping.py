"""From a fitted model and a feature stack to a class map, block by block.

A *predictor* is a function from features of shape (band, row, column), NaN for nodata, to class probabilities of
shape (class, row, column), NaN where a feature is missing. `pixelwise` makes one from a scikit-learn estimator.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from lulc_kit import files, raster
from lulc_kit.classes import Scheme

Array = npt.NDArray[np.float32]
Predictor = Callable[[Array], Array]

PROBABILITY_NODATA = 255


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
    columns = [list(estimator.classes_).index(c) if c in estimator.classes_ else None for c in classes]

    def predict(features: Array) -> Array:
        flat = features.reshape(len(features), -1)
        out = np.full((len(classes), flat.shape[1]), np.nan, np.float32)
        known = np.flatnonzero(np.isfinite(flat).all(axis=0))
        for start in range(0, len(known), batch):
            pixels = known[start : start + batch]
            found = estimator.predict_proba(np.ascontiguousarray(flat[:, pixels].T))
            for row, column in enumerate(columns):
                out[row, pixels] = 0 if column is None else found[:, column]
        return out.reshape(len(classes), *features.shape[1:])

    return predict


def accelerated(estimator: Pipeline) -> Pipeline:
    """Return the same pipeline with a faster k-nearest-neighbour search, where scikit-learn-intelex is installed.

    Any other pipeline, and any other machine, gets the pipeline back as it is. Both search exhaustively; where two
    training samples are equally far the votes may differ.
    """
    classifier = estimator[-1]
    if type(classifier) is not KNeighborsClassifier:
        return estimator
    try:
        from sklearnex.neighbors import KNeighborsClassifier as Fast
    except ImportError:
        return estimator
    fast = Fast(classifier.n_neighbors, algorithm="brute", weights=classifier.weights)
    fast.fit(classifier._fit_X, classifier.classes_[classifier._y])
    return Pipeline([*estimator.steps[:-1], (estimator.steps[-1][0], fast)])


def classify(probabilities: Array, classes: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Return the value of the likeliest class, (row, column); 0 where there is no data; the first class wins a tie."""
    missing = np.isnan(probabilities).any(axis=0)
    best = np.asarray(classes, np.uint8)[np.where(missing, 0, probabilities).argmax(axis=0)]
    return np.where(missing, 0, best).astype(np.uint8)


def percent(probabilities: Array) -> npt.NDArray[np.uint8]:
    """Return probabilities as whole percent, 255 where there is no data."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isnan(probabilities), PROBABILITY_NODATA, np.rint(probabilities * 100)).astype(np.uint8)


def _apply(
    function: Callable[..., npt.NDArray[Any]],
    stack: xr.DataArray,
    others: Sequence[da.Array],
    halo: int,
    count: int,
    dtype: Any,
) -> da.Array:
    lazy = stack.data if dask.is_dask_collection(stack.data) else da.from_array(stack.data, raster.CHUNK)
    arrays = [
        lazy.rechunk({0: -1}),
        *(o.rechunk({0: -1, **dict(enumerate(lazy.chunks[1:], 1))}) for o in others),
    ]
    options: dict[str, Any] = {"dtype": dtype, "meta": np.empty((0, 0, 0), dtype)}
    depth = {0: 0, 1: halo, 2: halo}
    if halo:
        arrays = [da.overlap.overlap(a, depth, "none") for a in arrays]
    out = da.map_blocks(function, *arrays, chunks=((count,), *arrays[0].chunks[1:]), **options)
    return da.overlap.trim_internal(out, depth, "none") if halo else out


def write_map(
    path: Path,
    probability_path: Path,
    stack: xr.DataArray,
    predictor: Predictor,
    classes: Scheme,
    *,
    tags: dict[str, str] | None = None,
) -> None:
    """Write the class map and the class probabilities of a whole scene, in one pass.

    Parameters
    ----------
    path
        Class map: uint8, 0 = no data, with the scheme's colours and names.
    probability_path
        One band per class: uint8 percent, 255 = no data.
    stack
        Features, (band, y, x), lazily opened.
    predictor
        See the module's first lines.
    classes
        The classes, in the predictor's order.
    tags
        Words for both files' metadata.
    """
    values = classes.values

    def both(features: Array) -> npt.NDArray[np.uint8]:
        probabilities = predictor(features)
        return np.concatenate([classify(probabilities, values)[None], percent(probabilities)])

    out = _apply(both, stack, [], 0, len(values) + 1, np.uint8)
    raster.write_all(_map_outputs(path, probability_path, out, stack, classes, tags), description=path.stem)


def _map_outputs(
    path: Path, probability_path: Path, out: da.Array, stack: xr.DataArray, classes: Scheme, tags: dict[str, str] | None
) -> list[raster.Output]:
    geobox = stack.odc.geobox
    legend = {"classes": "; ".join(f"{c.value} {c.name}" for c in classes.classes)} | (tags or {})
    colours = {c.value: c.rgb for c in classes.classes}
    class_map = raster.array(out[:1], geobox, ["class"])
    probabilities = raster.array(out[1 : len(classes.values) + 1], geobox, list(classes.names))
    return [
        raster.Output(path, class_map, "uint8", nodata=0, colours=colours, tags=legend),
        raster.Output(
            probability_path, probabilities, "uint8", nodata=PROBABILITY_NODATA, tags=legend | {"unit": "percent"}
        ),
    ]


def write_ensemble(
    path: Path,
    probability_path: Path,
    crossval_path: Path,
    stack: xr.DataArray,
    folds: xr.DataArray,
    predictors: Sequence[Predictor],
    classes: Scheme,
    *,
    halo: int = 0,
    tags: dict[str, str] | None = None,
) -> None:
    """Write the map of the mean of the folds' models, its probabilities, and the cross-validated map, in one pass.

    Parameters
    ----------
    path, probability_path, tags
        See `write_map`.
    crossval_path
        See `write_crossval`; its one band is ``fold``.
    stack
        Features, (band, y, x), lazily opened.
    folds
        The folds' numbers, band ``fold``.
    predictors
        For fold 1, 2, …: the predictor that was not trained with that fold.
    classes
        The classes, in the predictors' order.
    halo
        Pixels around a block that the predictors need to see.
    """
    values = classes.values

    def everything(features: Array, numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        single = [predictor(features) for predictor in predictors]
        mean = np.mean(single, axis=0)
        out_of_fold = np.zeros(features.shape[1:], np.uint8)
        for k, probabilities in enumerate(single, 1):
            tested = numbers[0] == k
            out_of_fold[tested] = classify(probabilities, values)[tested]
        return np.concatenate([classify(mean, values)[None], percent(mean), out_of_fold[None]])

    numbers = raster.select(folds, ["fold"]).data
    out = _apply(everything, stack, [numbers], halo, len(values) + 2, np.uint8)
    crossval = raster.array(out[-1:], stack.odc.geobox, ["fold"])
    outputs = _map_outputs(path, probability_path, out, stack, classes, tags)
    raster.write_all([*outputs, raster.Output(crossval_path, crossval, "uint8", nodata=0)], description=path.stem)


def write_crossval(
    path: Path,
    stack: xr.DataArray,
    folds: xr.DataArray,
    predictors: Mapping[str, Sequence[Predictor]],
    classes: Scheme,
) -> None:
    """Write for each labelled pixel the class given by the one model that was not trained with its fold.

    Parameters
    ----------
    path
        uint8, one band per split, 0 where there is no label or no data.
    stack
        Features, (band, y, x).
    folds
        The folds' numbers, one band (named like a key of ``predictors``) per split.
    predictors
        For each split the predictors for fold 1, 2, …, which look at one pixel at a time (see `pixelwise`).
    """
    values = classes.values
    splits = list(predictors)

    def out_of_fold(features: Array, numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        out = np.zeros((len(splits), *features.shape[1:]), np.uint8)
        for s, split in enumerate(splits):
            for k, predictor in enumerate(predictors[split], 1):
                wanted = numbers[s] == k
                if wanted.any():
                    out[s][wanted] = classify(predictor(features[:, wanted][:, None]), values)[0]
        return out

    numbers = raster.select(folds, splits).data
    out = _apply(out_of_fold, stack, [numbers], 0, len(splits), np.uint8)
    raster.write(path, raster.array(out, stack.odc.geobox, splits), dtype="uint8", nodata=0)


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
