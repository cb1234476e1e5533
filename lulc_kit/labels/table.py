"""The table of training samples: a point, its class, its fold, and its features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from lulc_kit.labels.sources import Labels
from lulc_kit.labels.splits import Folds
from lulc_kit.late import da, gpd, pd, xr

Allocation = Literal["balanced", "proportional", "sqrt"]


def draw(
    labels: Labels,
    folds: Folds,
    stack: xr.DataArray | None,
    *,
    per_class: int | Mapping[str, int],
    random_state: int,
    allocation: Allocation = "balanced",
    per_polygon: int | None = None,
) -> pd.DataFrame | gpd.GeoDataFrame:
    """Draw training samples among the labelled pixels and read their features.

    Parameters
    ----------
    labels, folds
        Labels and their split.
    stack
        Features, (band, y, x); None for labels that came as a table with theirs.
    per_class, random_state, allocation, per_polygon
        See `choose`.

    Returns
    -------
    geopandas.GeoDataFrame
        One row per sample: ``geometry`` (centre of the pixel; a table without places has none), ``row``, ``column``,
        ``class`` (name), ``label`` (value), ``fold``, ``random_fold``, ``block``, ``polygon`` (0 for raster labels),
        ``train_1`` … (whether the sample may train the model that fold tests), the same of a further split
        (``further_fold``, ``further_train_1`` …), and one float32 column per feature.
    """
    labelled = np.flatnonzero(labels.values)
    chosen = choose(
        labels.values.ravel()[labelled],
        folds.fold.ravel()[labelled],
        per_class={labels.scheme.find(n).value: c for n, c in per_class.items()}
        if isinstance(per_class, Mapping)
        else per_class,
        random_state=random_state,
        allocation=allocation,
        polygon=labels.source.ravel()[labelled],
        per_polygon=per_polygon,
    )
    flat = labelled[chosen]
    rows, columns = np.unravel_index(flat, labels.values.shape)
    names = {c.value: c.name for c in labels.scheme.classes}
    label = labels.values.ravel()[flat]
    table = pd.DataFrame(
        {
            "row": rows.astype(np.int32),
            "column": columns.astype(np.int32),
            "class": pd.Categorical([names[v] for v in label]),
            "label": label,
            "fold": folds.fold.ravel()[flat],
            "random_fold": folds.random_fold.ravel()[flat],
            "block": folds.block.ravel()[flat],
            "polygon": labels.source.ravel()[flat],
            **{f"train_{k}": folds.trainable[k - 1].ravel()[flat] for k in range(1, folds.count + 1)},
        }
    )
    if folds.further is not None:
        table["further_fold"] = folds.further.fold.ravel()[flat]
        for k, trainable in enumerate(folds.further.trainable, 1):
            table[f"further_train_{k}"] = trainable.ravel()[flat]
    features = _of_table(labels, flat) if stack is None else _of_stack(stack, flat)
    joined = pd.concat([table, features], axis=1)
    return gpd.GeoDataFrame(joined, geometry="geometry") if "geometry" in joined else joined


def _of_table(labels: Labels, flat: npt.NDArray[np.intp]) -> pd.DataFrame:
    assert labels.frame is not None, "features come from a stack or from a table"
    return labels.frame.iloc[flat].reset_index(drop=True)


def _of_stack(stack: xr.DataArray, flat: npt.NDArray[np.intp]) -> gpd.GeoDataFrame:
    """Return the features of pixels, and their centres."""
    points = da.asarray(stack.data).reshape(len(stack.band), -1)[:, flat].compute()
    rows, columns = np.unravel_index(flat, stack.shape[-2:])
    x, y = stack.odc.geobox.affine * (columns + 0.5, rows + 0.5)
    geometry = gpd.points_from_xy(x, y, crs=stack.odc.geobox.crs.to_wkt())
    return gpd.GeoDataFrame(dict(zip(map(str, stack.band.values), points, strict=True)), geometry=geometry)


def choose(
    label: npt.NDArray[np.integer],
    fold: npt.NDArray[np.integer],
    *,
    per_class: int | Mapping[int, int],
    random_state: int,
    allocation: Allocation = "balanced",
    polygon: npt.NDArray[np.integer] | None = None,
    per_polygon: int | None = None,
) -> npt.NDArray[np.intp]:
    """Choose training samples, each class evenly from all folds.

    Parameters
    ----------
    label, fold
        Class value and fold of each labelled pixel or row.
    per_class
        At most so many of each class; or by class value, all of those it does not name.
    random_state
        Seed of the draw.
    allocation
        ``balanced``: ``per_class`` of each class; ``proportional``, ``sqrt``: as many in all, shared out by the
        classes' sizes or their square roots, but of each class at least one for each fold.
    polygon
        What each belongs to, 0 for none.
    per_polygon
        At most so many of one polygon; None: any number.

    Returns
    -------
    numpy.ndarray
        Positions of the chosen, in order.

    Examples
    --------
    >>> label, fold = np.repeat([1, 2], [900, 100]), np.resize([1, 2], 1000)
    >>> for how in ("balanced", "proportional", "sqrt"):
    ...     np.bincount(label[choose(label, fold, per_class=50, random_state=1, allocation=how)])[1:].tolist()
    [50, 50]
    [90, 10]
    [75, 25]
    """
    generator = np.random.default_rng(random_state)
    open_to_all = np.ones(len(label), bool)
    if per_polygon is not None and polygon is not None:
        open_to_all = _few_of_each(polygon, per_polygon, generator)
    values, sizes = np.unique(label[open_to_all], return_counts=True)
    folds = int(fold.max())
    wanted = _allocate(values, sizes, per_class, allocation, folds)
    chosen = []
    for value in values:
        members = np.flatnonzero((label == value) & open_to_all)
        for k in range(1, folds + 1):
            inside = members[fold[members] == k]
            share = wanted[value] // folds + (k <= wanted[value] % folds)
            chosen.append(generator.choice(inside, share, replace=False) if len(inside) > share else inside)
    return np.sort(np.concatenate(chosen))


def _allocate(
    values: npt.NDArray[np.integer],
    sizes: npt.NDArray[np.integer],
    per_class: int | Mapping[int, int],
    allocation: Allocation,
    folds: int,
) -> dict[int, int]:
    """Return how many of each class are wanted, by its value; the folds may not have them."""
    if isinstance(per_class, Mapping):
        return {int(v): per_class.get(int(v), folds * int(n)) for v, n in zip(values, sizes, strict=True)}
    if allocation == "balanced":
        return dict.fromkeys(values.tolist(), per_class)
    weights = sizes if allocation == "proportional" else np.sqrt(sizes)
    shares = np.maximum(per_class * len(values) * weights / weights.sum(), folds)
    return dict(zip(values.tolist(), shares.round().astype(int).tolist(), strict=True))


def _few_of_each(polygon: npt.NDArray[np.integer], most: int, generator: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Mark at most so many of each polygon, at random; all that belong to none."""
    shuffled = generator.permutation(len(polygon))
    numbers = polygon[shuffled]
    order = np.argsort(numbers, kind="stable")
    _, first, count = np.unique(numbers[order], return_index=True, return_counts=True)
    place = np.empty(len(polygon), np.int64)
    place[shuffled[order]] = np.arange(len(polygon)) - np.repeat(first, count)
    return (place < most) | (polygon == 0)
