"""Several studies as one scene, so that their networks are trained as those of one: each study is a fold.

The scenes lie under each other, each with its mirror image around it, as far as a patch or a network reaches: none sees
two studies at once, and at an edge stands what stands there when the scene is mapped.
"""

from collections.abc import Mapping
from dataclasses import replace

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import raster
from lulc_kit.classes import Scheme
from lulc_kit.deep import inner
from lulc_kit.deep.prediction import mirror_places
from lulc_kit.deep.scene import Scene
from lulc_kit.errors import ParameterError
from lulc_kit.samples import Samples

Codes = npt.NDArray[np.uint32]


def join(stacks: Mapping[str, xr.DataArray], samples: Mapping[str, Samples], classes: Scheme, margin: int) -> Scene:
    """Join studies to one scene, in which fold k is the k-th study: its network learns from all others.

    Parameters
    ----------
    stacks
        The features of each, (band, y, x), the same in the same order.
    samples
        The labels of each.
    classes
        The classes that occur in any.
    margin
        How wide the mirror image around each is, pixels.

    Raises
    ------
    LulcError
        If a class is labelled in one study alone: the network that this study tests could not learn it.
    """
    _check(samples, classes)
    width = max(stack.sizes["x"] for stack in stacks.values())
    layers, labels, folds, places, top = [], [], [], {}, 0
    gaps, last = [], 0
    for number, (study, stack) in enumerate(stacks.items(), 1):
        own = samples[study]
        height, columns = stack.sizes["y"], stack.sizes["x"]
        places[study] = np.s_[top + margin : top + margin + height, margin : margin + columns]
        top += height + 2 * margin
        rows = mirror_places(-margin, height + margin, height)
        across = mirror_places(-margin, columns + margin, columns)
        wide = da.asarray(stack.data)[:, rows][:, :, across]
        layers.append(da.pad(wide, ((0, 0), (0, 0), (0, width - columns)), constant_values=np.nan))
        around = ((margin, margin), (margin, margin + width - columns))
        classes_here = np.pad(np.asarray(own.on_grid()[0].data[0]), around)
        tested, block = (np.pad(own.codes(band), around) for band in ("fold", "block"))
        labels.append(np.where(tested > 0, classes_here, 0))
        block = np.where(tested > 0, block.astype(np.int64) + last, 0)
        last = int(block.max())
        trains = [np.where((tested > 0) & (k != number), 1, 0) for k in range(1, len(stacks) + 1)]
        folds.append(np.stack([np.where(tested > 0, number, 0), block, *trains]).astype(np.uint32))
        gaps.append(inner.gap(own.codes("fold"), own.trainable()))
    # A grid of no place: the scenes lie under each other only here.
    grid = GeoBox((top, width + 2 * margin), from_origin(0, 0, 1, 1), None)
    first = next(iter(stacks.values()))
    names = ["fold", "block", *(f"train_{k}" for k in range(1, len(stacks) + 1))]
    whole = replace(
        next(iter(samples.values())),
        scheme=classes,
        labels=raster.array(np.concatenate(labels)[None].astype(np.uint8), grid, ["label"]),
        folds=raster.array(np.concatenate(folds, axis=1), grid, names),
    )
    scene = Scene(
        raster.array(da.concatenate(layers, axis=1), grid, [str(b) for b in first.band.values]), whole, max(gaps)
    )
    scene.parts = places
    return scene


def _check(samples: Mapping[str, Samples], classes: Scheme) -> None:
    for c in classes.classes:
        having = [study for study, own in samples.items() if c.value in own.scheme.values]
        if len(having) < 2:
            raise ParameterError(
                f"Class {c.name} is labelled in {', '.join(having) or 'none'} alone of {', '.join(samples)}: the "
                f"network that is tested there could not learn it. Label it elsewhere, too, or leave it out of "
                f"'classes' in 05_samples.yaml."
            )
