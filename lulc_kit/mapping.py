"""From fitted models and a feature stack to maps, block by block, in one pass.

A *predictor* is a function from features of shape (band, row, column), NaN for nodata, to class probabilities of
shape (class, row, column), NaN where a feature is missing. `pixelwise` makes one from a scikit-learn estimator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import numpy.typing as npt

from lulc_kit import files, raster
from lulc_kit.classes import Scheme
from lulc_kit.errors import ParameterError
from lulc_kit.late import da, xr
from lulc_kit.layout import RunLayout
from lulc_kit.map_layers import LAYERS, Array, Layer
from lulc_kit.raster import writing

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

Predictor = Callable[[Array], Array]

BATCH = 65536
"""Pixels handed to an estimator at once."""


@dataclass(frozen=True)
class _Pixelwise:
    estimator: Any
    columns: tuple[int | None, ...]

    def __call__(self, features: Array) -> Array:
        flat = features.reshape(len(features), -1)
        out = np.full((len(self.columns), flat.shape[1]), np.nan, np.float32)
        known = np.flatnonzero(np.isfinite(flat).all(axis=0))
        for start in range(0, len(known), BATCH):
            pixels = known[start : start + BATCH]
            found = self.estimator.predict_proba(np.ascontiguousarray(flat[:, pixels].T))
            for row, column in enumerate(self.columns):
                out[row, pixels] = 0 if column is None else found[:, column]
        return out.reshape(len(self.columns), *features.shape[1:])


def pixelwise(estimator: Any, classes: Sequence[int]) -> Predictor:
    """Make a predictor of an estimator that looks at one pixel at a time.

    Parameters
    ----------
    estimator
        Fitted, with ``predict_proba`` and ``classes_`` (class values).
    classes
        The values whose probabilities are wanted, in this order; 0 for one the estimator does not know.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> predictor = pixelwise(KNeighborsClassifier(1).fit([[0.0], [1.0]], [1, 2]), [1, 2, 3])
    >>> predictor(np.array([[[0.9, 0.1]]])).tolist()
    [[[0.0, 1.0]], [[1.0, 0.0]], [[0.0, 0.0]]]
    """
    known = [int(c) for c in estimator.classes_]
    return _Pixelwise(estimator, tuple(known.index(c) if c in known else None for c in classes))


@dataclass(frozen=True)
class Maps:
    """What models say of a scene, not computed yet; `write` computes it.

    Attributes
    ----------
    layers
        By name in `map_layers.LAYERS`: the map, by the final model.
    crossval
        By name in `map_layers.LAYERS`: what the models of the splits say of labelled pixels that they have not seen;
        for each split the bands of the layer. Empty without splits.
    held
        float32 layers of a block that are in memory while it is computed.
    """

    layers: Mapping[str, xr.DataArray]
    crossval: Mapping[str, xr.DataArray]
    held: int


def predict(
    stack: xr.DataArray,
    final: Predictor | None,
    by_split: Mapping[str, Sequence[Predictor]],
    folds: xr.DataArray | None,
    classes: Scheme,
    *,
    layers: Sequence[str] = tuple(LAYERS),
) -> Maps:
    """Map a scene and cross-validate its models, in one pass.

    Parameters
    ----------
    stack
        Features, (band, y, x), lazily opened.
    final
        Makes the map; None: the mean of the predictors of the one split does.
    by_split
        For each split the predictors for fold 1, 2, …, each of which has not seen that fold. With a final predictor
        they are asked for the labelled pixels alone, so they must look at one pixel at a time (see `pixelwise`).
    folds
        The folds' numbers, one band (named like a key of ``by_split``) per split; 0 where there is no label. None
        without splits.
    classes
        The classes, in the predictors' order.
    layers
        Names in `map_layers.LAYERS`.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from lulc_kit.classes import scheme
    >>> model = KNeighborsClassifier(1).fit([[0.05, 0.35], [0.25, 0.25]], [1, 2])
    >>> forest = scheme("forest")
    >>> maps = predict(raster.read("image.tif"), pixelwise(model, forest.values), {}, None, forest)
    >>> maps.layers["class"].values.tolist()
    [[[1, 2]]]
    """
    unknown = [name for name in layers if name not in LAYERS]
    if unknown:
        raise ParameterError(f"Map layer(s) {', '.join(unknown)} are unknown. There are: {', '.join(LAYERS)}.")
    splits, count = list(by_split), len(classes.values)
    models = (final, [list(by_split[s]) for s in splits])
    others = [] if folds is None else [raster.select(folds, splits).data]
    # Features with and without their rim, probabilities and what is made of them.
    held = 2 * stack.sizes["band"] + 4 * count + 2 * len(splits) * count
    if final is None:
        held += count * max(map(len, models[1]))
    return lay_out(_apply(models, stack, others, count, splits), splits, stack.odc.geobox, classes, held, layers=layers)


def lay_out(
    probabilities: Sequence[da.Array],
    splits: Sequence[str],
    geobox: GeoBox,
    classes: Scheme,
    held: int,
    *,
    layers: Sequence[str] = tuple(LAYERS),
) -> Maps:
    """Make maps of class probabilities.

    Parameters
    ----------
    probabilities
        Those of the map, and for each split those of models that have not seen a pixel's fold, (class, y, x) each,
        float32, NaN where there is no data.
    splits
        Their names.
    geobox, classes
        The grid; the classes, in the order of the probabilities.
    held
        See `Maps`.
    layers
        Names in `map_layers.LAYERS`.
    """
    count = len(classes.values)

    def computed(layer: Layer, part: da.Array) -> da.Array:
        bands = count if layer.per_class else 1
        return da.map_blocks(
            layer.compute,
            part,
            values=classes.values,
            chunks=((bands,), *part.chunks[1:]),
            dtype=layer.dtype,
            meta=np.empty((0, 0, 0), layer.dtype),
        )

    def named(layer: Layer) -> list[str]:
        return list(classes.names) if layer.per_class else [layer.name]

    mapped = {
        name: raster.array(computed(LAYERS[name], probabilities[0]), geobox, named(LAYERS[name])) for name in layers
    }
    crossval = {}
    for layer in (LAYERS["class"], LAYERS["probability"]) if splits else ():
        names = [f"{s} {band}" if layer.per_class else s for s in splits for band in named(layer)]
        numbers = da.concatenate([computed(layer, part) for part in probabilities[1:]])
        crossval[layer.name] = raster.array(numbers, geobox, names)
    return Maps(mapped, crossval, held)


def _apply(
    models: Any, stack: xr.DataArray, others: Sequence[da.Array], count: int, splits: Sequence[str]
) -> list[da.Array]:
    lazy = stack.data if dask.is_dask_collection(stack.data) else da.from_array(stack.data, raster.CHUNK)
    arrays = [lazy.rechunk({0: -1}), *(o.rechunk({0: -1, **dict(enumerate(lazy.chunks[1:], 1))}) for o in others)]
    out = da.map_blocks(
        _block,
        # The models are one node of the graph, sent to each worker once, not a part of every block's task.
        dask.delayed(models, pure=False, traverse=False),
        *arrays,
        count=count,
        chunks=((count * (1 + len(splits)),), *arrays[0].chunks[1:]),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )
    return [out[i * count : (i + 1) * count] for i in range(1 + len(splits))]


def _block(
    models: tuple[Predictor | None, Sequence[Sequence[Predictor]]],
    features: Array,
    folds: npt.NDArray[np.integer] | None = None,
    *,
    count: int,
) -> Array:
    """Return the probabilities of the map, and for each split those of the model that has not seen a pixel's fold."""
    final, by_split = models
    unseen = np.full((len(by_split), count, *features.shape[1:]), np.nan, np.float32)
    if final is not None:
        mapped = final(features)
        for out, predictors, fold in zip(unseen, by_split, () if folds is None else folds, strict=True):
            for k, predictor in enumerate(predictors, 1):
                wanted = fold == k
                if wanted.any():
                    out[:, wanted] = predictor(features[:, wanted][:, None])[:, 0]
    else:
        assert folds is not None
        (predictors,) = by_split
        single = [predictor(features) for predictor in predictors]
        mapped = np.mean(single, axis=0)
        for k, probabilities in enumerate(single, 1):
            np.copyto(unseen[0], probabilities, where=folds[0] == k)
    return np.concatenate([mapped, *unseen]).astype(np.float32, copy=False)


def write(maps: Maps, run: RunLayout, classes: Scheme, tags: Mapping[str, str] | None = None) -> None:
    """Compute maps and write a file for each layer, with the classes' names and, for classes, their colours.

    Parameters
    ----------
    maps
        From `predict`.
    run
        Where the files of the run lie.
    classes
        The classes.
    tags
        Words for the files' metadata.
    """
    legend = {"classes": classes.to_tag(), "run": run.name}
    outputs = []
    for name, data in maps.layers.items():
        layer, words = LAYERS[name], legend | dict(tags or {})
        path = run.map if name == "class" else run.layer(name)
        colours = {c.value: c.rgb for c in classes.classes} if name == "class" else None
        words |= {"unit": layer.unit} if layer.unit else {}
        outputs.append(writing.Output(path, data, layer.dtype, layer.nodata, colours=colours, tags=words))
    for name, data in maps.crossval.items():
        layer, path = LAYERS[name], run.crossval if name == "class" else run.crossval_probability
        outputs.append(writing.Output(path, data, layer.dtype, layer.nodata))
    writing.write_all(outputs, description=f"map {run.name}", layers=maps.held)


def read(run: RunLayout, layer: str) -> xr.DataArray | None:
    """Open a layer of a run's map, by name in `map_layers.LAYERS`; None without a map, as of samples in a table."""
    path = run.map if layer == "class" else run.layer(layer)
    return raster.read_codes(path) if path.exists() else None


def write_about(run: RunLayout, model: str, features: Sequence[str], folds: str, **more: Any) -> None:
    """Write what a run is: its model in words, its features, the fingerprint of the splits it was made with."""
    about = {"run": run.name, "model": model, "features": list(features), "folds": folds, **more}
    files.write_json(run.about, about)


def read_about(run: RunLayout) -> dict[str, Any]:
    """Return what `write_about` wrote; a LulcError if the file is missing or is not that."""
    with files.parse(run.about, f"the notebook of run {run.name}") as about:
        text = {name: str(about[name]) for name in ("run", "model", "folds")}
        return {**about, **text, "features": [str(name) for name in about["features"]]}
