"""Segments: pieces of land of one kind, and what each is like on the whole.

SLIC superpixels (Achanta et al. 2012, doi:10.1109/TPAMI.2012.120), by scikit-image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import raster
from lulc_kit.errors import MissingFileError
from lulc_kit.features import blocks
from lulc_kit.late import da, xr

STATISTICS = ("mean", "std")

BLOCK = 512
"""Rows and columns of a block that is cut into segments by itself, pixels, counted from the upper left corner of the
grid: no segment crosses such a seam, and the result does not depend on how the file is read."""


def label(values: npt.NDArray[np.floating], size: int, compactness: float) -> npt.NDArray[np.int64]:
    """Cut an image into segments.

    Parameters
    ----------
    values
        (layer, row, column), NaN for nodata; each layer counts by its spread within the image.
    size
        Pixels that a segment has, about.
    compactness
        How much nearness weighs against likeness: at 0.01 segments follow every edge, at 1 they are nearly square.

    Returns
    -------
    numpy.ndarray
        (row, column): 1, 2, …; 0 where a layer has no data.

    Raises
    ------
    LulcError
        If scikit-image is not installed.
    """
    segmentation = import_package()
    valid = np.isfinite(values).all(axis=0)
    count = int(valid.sum())
    if count == 0:
        return np.zeros(valid.shape, np.int64)
    inside = values[:, valid].astype(np.float64)
    spread = np.maximum(inside.std(axis=1), 1e-12)
    scaled = np.zeros((*valid.shape, len(values)))
    scaled[valid] = ((inside - inside.mean(axis=1)[:, None]) / spread[:, None]).T
    found = segmentation.slic(
        scaled,
        n_segments=max(1, round(count / size)),
        compactness=compactness,
        channel_axis=-1,
        convert2lab=False,
        start_label=1,
        mask=None if valid.all() else valid,
    )
    return np.where(valid, found, 0)


def describe(
    values: npt.NDArray[np.floating], segments: npt.NDArray[np.integer], statistics: Sequence[str] = STATISTICS
) -> npt.NDArray[np.float32]:
    """Give each pixel the mean and standard deviation of its segment.

    Parameters
    ----------
    values
        (layer, row, column), in any unit.
    segments
        (row, column), 0 for none.
    statistics
        ``"mean"`` and ``"std"`` (divided by the number of pixels).

    Returns
    -------
    numpy.ndarray
        float32, (layer × statistic, row, column), the last running fastest; NaN outside all segments.

    Examples
    --------
    >>> describe(np.array([[[1.0, 3.0, 8.0]]]), np.array([[1, 1, 2]]))
    array([[[2., 2., 8.]],
    <BLANKLINE>
           [[1., 1., 0.]]], dtype=float32)
    """
    flat = segments.ravel()
    inside = flat > 0
    pixels = np.maximum(np.bincount(flat[inside], minlength=flat.max(initial=0) + 1), 1)
    out = np.full((len(values), len(statistics), flat.size), np.nan, np.float32)
    for layer, of_layer in zip(values.reshape(len(values), -1).astype(np.float64), out, strict=True):
        mean = np.bincount(flat[inside], layer[inside], len(pixels)) / pixels
        for name, of_statistic in zip(statistics, of_layer, strict=True):
            found = mean
            if name == "std":
                off = (layer[inside] - mean[flat[inside]]) ** 2
                found = np.sqrt(np.bincount(flat[inside], off, len(pixels)) / pixels)
            of_statistic[inside] = found[flat[inside]]
    return out.reshape(-1, *segments.shape)


def compute(image: xr.DataArray, size: int, compactness: float, statistics: Sequence[str]) -> xr.DataArray | None:
    """Compute means (and deviations) of segments of a scene, lazily, each block of `BLOCK` pixels by itself.

    Parameters
    ----------
    image
        (band, y, x), NaN for nodata; its layers make the segments, and are averaged.
    size, compactness, statistics
        See `label` and `describe`; size 0 for none.

    Returns
    -------
    xarray.DataArray
        float32; layers named ``<layer>_segment_<statistic>``, NaN where a layer has no data. None without a size.
    """
    if size == 0:
        return None
    import_package()  # missing? Say so now, not in the middle of a scene

    def block(data: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return describe(data, label(data, size, compactness), statistics)

    data = blocks.lazy(image).rechunk({1: BLOCK, 2: BLOCK})
    names = [f"{band}_segment_{name}" for band in image.band.values for name in statistics]
    out = da.map_blocks(
        block, data, chunks=((len(names),), *data.chunks[1:]), dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)
    )
    return raster.array(out, image.odc.geobox, names)


def import_package() -> Any:
    """Return scikit-image's module of segmentation; a LulcError says how to install it."""
    try:
        from skimage import segmentation
    except ImportError as error:
        raise MissingFileError(
            f"segment_size needs the package scikit-image, which is not installed ({error}). Install it "
            f'(python -m pip install "scikit-image>=0.25") and run this again, or write segment_size: 0.'
        ) from error
    return segmentation
