"""Texture of named bands of a whole scene, lazily, block by block."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from lulc_kit import raster
from lulc_kit.features import blocks, quantize, stack, texture
from lulc_kit.features.quantize import Method, Quantizer
from lulc_kit.raster import blockwise


@dataclass(frozen=True)
class Settings:
    """How texture is computed: the parameters of `lulc_kit.features.texture.glcm` that hold for every band."""

    features: Sequence[str] = ("entropy", "correlation")
    window: int = 5
    levels: int = 32
    directions: str | Sequence[int] = "all"
    distance: int = 1
    convention: Literal["haralick", "snap"] = "haralick"
    quantizer: Method = "equal_width"
    value_range: tuple[float, float] | None = None


def names(bands: Sequence[str], features: Sequence[str]) -> list[str]:
    """Names of the layers, band by band: ``B8_entropy``, ``B8_correlation``, …."""
    return [f"{band}_{feature}" for band in bands for feature in features]


def quantizers(image: xr.DataArray, settings: Settings) -> list[Quantizer]:
    """Fit one quantizer to each band of a scene, in one pass over it; of a large scene to about a million pixels."""
    step_row, step_column = (-(-n // quantize.SAMPLE_SIDE) for n in image.shape[1:])
    thin = blockwise.decimate(blocks.lazy(image), step_row, step_column)
    options: dict[str, Any] = {"value_range": settings.value_range, "method": settings.quantizer}
    return [quantize.fit_quantizer(band, levels=settings.levels, **options) for band in thin]


def compute(image: xr.DataArray, bands: Sequence[str], settings: Settings) -> xr.DataArray:
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

    Returns
    -------
    xarray.DataArray
        float32; layers named ``<band>_<feature>`` (see `names`), NaN where there is no data.

    Raises
    ------
    LulcError
        If a band is missing, or a setting is not as `lulc_kit.features.texture.glcm` wants it.
    """
    if not bands:
        return stack.nothing(image.odc.geobox)
    chosen = raster.select(image, bands)
    fitted = quantizers(chosen, settings)

    def block(data: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.concatenate([_texture(band, q, settings) for band, q in zip(data, fitted, strict=True)])

    # A wrong setting is to be refused now, not when the first block is written.
    _texture(np.zeros((1, 1), np.float32), fitted[0], settings)
    return blocks.with_halo(block, chosen, texture.halo(settings.window), names(bands, settings.features))


def _texture(band: npt.NDArray[np.float32], quantizer: Quantizer, settings: Settings) -> npt.NDArray[np.float32]:
    return texture.glcm(
        band,
        window=settings.window,
        levels=settings.levels,
        directions=settings.directions,
        distance=settings.distance,
        features=settings.features,
        convention=settings.convention,
        quantizer=quantizer,
        threads=1,  # blocks run side by side already
    )
