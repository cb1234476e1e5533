"""Layers that say where a map is to be doubted, block by block: unlike what was taught, several classes, hardly ahead.

The combined layer names for each pixel the gravest of three reasons. None of them knows whether the map is wrong there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dask
import numpy as np
import numpy.typing as npt

from lulc_kit import map_layers, raster
from lulc_kit.classes import LandClass, Scheme
from lulc_kit.evaluate import applicability, conformal
from lulc_kit.evaluate.applicability import Space
from lulc_kit.late import da, xr
from lulc_kit.layout import RunLayout
from lulc_kit.raster import writing

Array = npt.NDArray[np.float32]

CARE = Scheme(
    "care",
    "Use with care",
    (
        LandClass(1, "no reason for doubt", "#a6cee3"),
        LandClass(2, "two classes nearly alike", "#fee08b"),
        LandClass(3, "several classes possible, or none", "#f46d43"),
        LandClass(4, "unlike the training samples", "#7b3294"),
    ),
)
"""What the combined layer says of a pixel: the gravest reason that there is."""

BATCH = 65536
"""Pixels that are measured at once: coordinates are of double precision."""


@dataclass(frozen=True)
class Layer:
    """One file: the type of its numbers, the one for no data, scale (`writing.Output`), and what the numbers are."""

    dtype: str
    nodata: float
    scale: float
    meaning: str


LAYERS: dict[str, Layer] = {
    "applicability": Layer(
        "uint16", 65535, 0.001, "dissimilarity index over its threshold: up to 1 is inside the area of applicability"
    ),
    "care": Layer("uint8", 0, 1, CARE.to_tag()),
    "density": Layer("uint8", 255, 1, "training samples nearer than the threshold, counted up to {most}"),
    "set_size": Layer("uint8", 255, 1, "classes in the conformal set at an error rate of {error_rate}"),
}
"""What may be written of a map; `layout.DOUBT_LAYERS` names the files."""


@dataclass(frozen=True)
class Limits:
    """From where on a pixel is doubted.

    Attributes
    ----------
    spaces
        The training samples' space, or one for each class (`applicability.fit`, `fit_by_class`).
    least
        Least percent of each class to be in a set (`conformal.calibrate`).
    margin
        Least margin between the first and the second class, percent.
    most
        Up to how many training samples density is counted; 0: not at all.
    """

    spaces: Space | Mapping[int, Space]
    least: npt.NDArray[np.integer]
    margin: float
    most: int = 0

    @property
    def layers(self) -> list[str]:
        """Names of the layers that these limits give."""
        return ["applicability", *(["density"] if self.most else []), "set_size", "care"]


def care(index: Array, sizes: Array, margin: Array, least_margin: float) -> npt.NDArray[np.uint8]:
    """Name the gravest reason for doubt, as values of `CARE`; 0 where the size of the set is NaN (no data).

    Parameters
    ----------
    index
        Dissimilarity over its threshold; NaN where it is not known, which is no reason.
    sizes
        Number of classes in the set.
    margin, least_margin
        Margin of the first class, percent, and the least that raises no doubt.

    Examples
    --------
    >>> care(np.array([0.5, 0.5, 0.5, 1.2]), np.array([1, 1, 0, 1]), np.array([40, 5, 40, 40]), 10).tolist()
    [1, 2, 3, 4]
    """
    out = np.where(margin < least_margin, 2, 1)
    out = np.where(sizes != 1, 3, out)
    out = np.where(index > 1, 4, out)
    return np.where(np.isnan(sizes), 0, out).astype(np.uint8)


def layers(stack: xr.DataArray, codes: xr.DataArray, percent: xr.DataArray, limits: Limits) -> dict[str, xr.DataArray]:
    """Measure a map against limits, lazily.

    Parameters
    ----------
    stack
        The features that the run used, (band, y, x).
    codes
        The class map, (1, y, x), 0 for no data.
    percent
        Probability of each class, whole percent, (class, y, x), 255 for no data.
    limits
        From where on a pixel is doubted.

    Returns
    -------
    dict
        Layers by name (`Limits.layers`), float32, NaN for no data.
    """
    lazy = [
        a.data if dask.is_dask_collection(a.data) else da.from_array(a.data, raster.CHUNK)
        for a in (codes, percent, stack)
    ]
    arrays = [a.rechunk({0: -1, **dict(enumerate(lazy[0].chunks[1:], 1))}) for a in lazy]
    found = da.map_blocks(
        _block,
        dask.delayed(limits, pure=False, traverse=False),
        *arrays,
        chunks=((len(limits.layers),), *arrays[0].chunks[1:]),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )
    return {name: raster.array(found[k : k + 1], codes.odc.geobox, [name]) for k, name in enumerate(limits.layers)}


def _block(
    limits: Limits,
    codes: npt.NDArray[np.integer],
    percent: npt.NDArray[np.integer],
    features: Array,
) -> Array:
    shape = codes.shape[1:]
    mapped, likely = codes.reshape(-1), percent.reshape(len(percent), -1)
    known = (mapped > 0) & (likely <= 100).all(axis=0)
    sizes = np.where(known, conformal.sets(likely, limits.least).sum(axis=0), np.nan)
    ahead = map_layers.margin(likely.astype(np.float32)[:, None])[0]
    index, density = np.full(mapped.shape, np.nan), np.full(mapped.shape, np.nan)
    flat = features.reshape(len(features), -1)
    for start in range(0, len(mapped), BATCH):
        part = slice(start, start + BATCH)
        pixels = np.ascontiguousarray(flat[:, part].T)
        index[part], density[part] = applicability.measure(limits.spaces, pixels, mapped[part], limits.most)
    out = {
        "applicability": index,
        "density": density,
        "set_size": sizes,
        "care": np.where(known, care(index, sizes, ahead, limits.margin), np.nan),
    }
    return np.stack([out[name] for name in limits.layers]).astype(np.float32).reshape(-1, *shape)


def write(found: Mapping[str, xr.DataArray], run: RunLayout, held: int, **words: Any) -> None:
    """Compute layers and write a file for each.

    Parameters
    ----------
    found
        From `layers`.
    run
        Where the files of the run lie.
    held
        Bands of the features and classes together: what of a block is in memory while it is computed.
    words
        What the layers' meanings leave open: ``most``, ``error_rate``.
    """
    colours = {c.value: c.rgb for c in CARE.classes}
    outputs = [
        writing.Output(
            run.doubt(name),
            data,
            LAYERS[name].dtype,
            LAYERS[name].nodata,
            LAYERS[name].scale,
            colours if name == "care" else None,
            {"meaning": LAYERS[name].meaning.format(**words), "run": run.name},
        )
        for name, data in found.items()
    ]
    writing.write_all(outputs, description=f"doubt of map {run.name}", layers=2 * held + 16)
