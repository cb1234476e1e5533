"""Texture of named bands of a whole scene, lazily, block by block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lulc_kit import raster
from lulc_kit.features import blocks, quantize
from lulc_kit.features.quantize import Quantizer
from lulc_kit.features.texture import Settings, glcm, halo
from lulc_kit.late import xr
from lulc_kit.raster import blockwise


def fit_quantizers(image: xr.DataArray, settings: Settings) -> list[Quantizer]:
    """Fit one quantizer to each band of a scene, in one pass over it; of a large scene to about a million pixels."""
    step_row, step_column = (-(-n // quantize.SAMPLE_SIDE) for n in image.shape[1:])
    few = blockwise.decimate(blocks.lazy(image), step_row, step_column)
    return [settings.fit(band) for band in few]


def compute(
    image: xr.DataArray, bands: Sequence[str], settings: Settings, quantizers: Sequence[Quantizer] | None = None
) -> xr.DataArray | None:
    """Compute texture of bands, lazily.

    Each band's grey levels are those of the whole scene, and a block sees as far over its border as the window
    reaches: the result does not depend on the blocks, to the last bit.

    Parameters
    ----------
    image
        (band, y, x), NaN for nodata.
    bands
        Bands whose texture is wanted.
    settings
        Which features, and how.
    quantizers
        Grey levels of each band, where they were fitted before, here or elsewhere; None to fit them to the image.

    Returns
    -------
    xarray.DataArray
        float32; layers named ``<band>_<feature>``, band by band, NaN where there is no data. None without bands.

    Raises
    ------
    LulcError
        If a band is missing.
    """
    if not bands:
        return None
    chosen = raster.select(image, bands)
    fitted = quantizers or fit_quantizers(chosen, settings)

    names = [f"{band}_{feature}" for band in bands for feature in settings.features]

    def block(data: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        # On one thread: blocks run side by side already.
        layers = [glcm(band, settings, quantizer=q, threads=1) for band, q in zip(data, fitted, strict=True)]
        return np.concatenate(layers)

    return blocks.with_halo(block, chosen, halo(settings.window), names)
