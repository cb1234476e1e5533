"""The table of training samples: a point, its class, its fold, and its features."""

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from dask import array as da

from lulc_kit.labels.sources import Labels
from lulc_kit.labels.splits import Folds


def draw(labels: Labels, folds: Folds, stack: xr.DataArray, *, per_class: int, random_state: int) -> gpd.GeoDataFrame:
    """Draw training samples among the labelled pixels and read their features.

    Parameters
    ----------
    labels, folds
        Labels and their split.
    stack
        Features, (band, y, x).
    per_class
        At most so many samples of each class, shared evenly among the folds.
    random_state
        Seed of the draw.

    Returns
    -------
    geopandas.GeoDataFrame
        One row per sample: ``geometry`` (centre of the pixel), ``row``, ``column``, ``class`` (name), ``label``
        (value), ``fold``, ``random_fold``, ``block``, ``polygon`` (0 for raster labels), ``train_1`` … (whether the
        sample may train the model that fold tests), and one float32 column per feature.
    """
    generator = np.random.default_rng(random_state)
    chosen = []
    for land_class in labels.scheme.classes:
        members = np.flatnonzero(labels.values.ravel() == land_class.value)
        if not len(members):
            continue
        fold = folds.fold.ravel()[members]
        for k in range(1, folds.count + 1):
            inside = members[fold == k]
            share = per_class // folds.count + (k <= per_class % folds.count)
            chosen.append(generator.choice(inside, share, replace=False) if len(inside) > share else inside)
    flat = np.sort(np.concatenate(chosen))
    rows, columns = np.unravel_index(flat, labels.values.shape)
    affine = labels.geobox.affine
    x = affine.c + affine.a * (columns + 0.5) + affine.b * (rows + 0.5)
    y = affine.f + affine.d * (columns + 0.5) + affine.e * (rows + 0.5)
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
    points = da.asarray(stack.data).reshape(len(stack.band), -1)[:, flat].compute()
    features = pd.DataFrame(points.T, columns=[str(b) for b in stack.band.values])
    geometry = gpd.points_from_xy(x, y, crs=labels.geobox.crs.to_wkt())  # type: ignore[union-attr]
    return gpd.GeoDataFrame(pd.concat([table, features], axis=1), geometry=geometry)
