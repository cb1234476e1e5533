"""Spectral indices by name.

Formulas are for reflectance 0–1, not for digital numbers: EVI2 and BI2 are not scale-free.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr

from lulc_kit import raster
from lulc_kit.errors import LulcError

Bands = npt.NDArray[Any]


@dataclass(frozen=True)
class Index:
    """A spectral index: its name, the bands it needs, the formula, and where that is from."""

    name: str
    bands: tuple[str, ...]
    compute: Callable[..., Bands]
    title: str
    formula: str
    source: str
    unit: str = ""


def ratio(numerator: Bands, denominator: Bands) -> Bands:
    """Divide; NaN where the denominator is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator != 0, numerator / denominator, np.nan)


def normalized_difference(a: Bands, b: Bands) -> Bands:
    """(a − b) / (a + b); NaN where the sum is zero. For reflectances ≥ 0 the result lies in −1 … 1."""
    return ratio(a - b, a + b)


def evi2(b8: Bands, b4: Bands) -> Bands:
    """Two-band enhanced vegetation index with gain 2.5 (Jiang et al. 2008, doi:10.1016/j.rse.2008.06.006)."""
    return ratio(2.5 * (b8 - b4), b8 + 2.4 * b4 + 1)


def bi2(b4: Bands, b3: Bands, b8: Bands) -> Bands:
    """Second brightness index √((B4² + B3² + B8²)/3) (Escadafal 1989)."""
    return np.sqrt((b4 * b4 + b3 * b3 + b8 * b8) / 3)


def s2rep(b4: Bands, b5: Bands, b6: Bands, b7: Bands) -> Bands:
    """Sentinel-2 red-edge position, nm (Frampton et al. 2013, doi:10.1016/j.isprsjprs.2013.04.007).

    Outside 690–740 nm there is no red edge (water, bare soil) and the number means nothing: NaN.
    """
    position = 705 + 35 * ratio((b7 + b4) / 2 - b5, b6 - b5)
    with np.errstate(invalid="ignore"):
        return np.where((position >= 690) & (position <= 740), position, np.nan)


INDICES: dict[str, Index] = {
    index.name: index
    for index in (
        Index(
            "NDVI",
            ("B8", "B4"),
            normalized_difference,
            "normalized difference vegetation index",
            "(B8−B4)/(B8+B4)",
            "Rouse et al. 1974, NASA SP-351",
        ),
        Index(
            "NDRE",
            ("B8", "B5"),
            normalized_difference,
            "normalized difference red edge",
            "(B8−B5)/(B8+B5)",
            "Barnes et al. 2000, Proc. 5th Int. Conf. Precision Agriculture",
        ),
        Index(
            "NDRE_B6",
            ("B6", "B5"),
            normalized_difference,
            "normalized difference red edge, from two red-edge bands",
            "(B6−B5)/(B6+B5)",
            "Gitelson & Merzlyak 1994, doi:10.1016/S0176-1617(11)81633-0",
        ),
        Index(
            "EVI2",
            ("B8", "B4"),
            evi2,
            "two-band enhanced vegetation index",
            "2.5·(B8−B4)/(B8+2.4·B4+1)",
            "Jiang et al. 2008, doi:10.1016/j.rse.2008.06.006",
        ),
        Index("BI2", ("B4", "B3", "B8"), bi2, "second brightness index", "√((B4²+B3²+B8²)/3)", "Escadafal 1989"),
        Index(
            "MNDWI",
            ("B3", "B11"),
            normalized_difference,
            "modified normalized difference water index",
            "(B3−B11)/(B3+B11)",
            "Xu 2006, doi:10.1080/01431160600589179",
        ),
        Index(
            "NDBI",
            ("B11", "B8A"),
            normalized_difference,
            "normalized difference built-up index, with the narrow near infrared as in the source workflow",
            "(B11−B8A)/(B11+B8A)",
            "after Zha et al. 2003, doi:10.1080/01431160304987",
        ),
        Index(
            "NDBI_B8",
            ("B11", "B8"),
            normalized_difference,
            "normalized difference built-up index, usual form",
            "(B11−B8)/(B11+B8)",
            "Zha et al. 2003, doi:10.1080/01431160304987",
        ),
        Index(
            "S2REP",
            ("B4", "B5", "B6", "B7"),
            s2rep,
            "Sentinel-2 red-edge position",
            "705+35·(((B7+B4)/2−B5)/(B6−B5)), 690–740 nm only",
            "Frampton et al. 2013, doi:10.1016/j.isprsjprs.2013.04.007",
            "nm",
        ),
    )
}


def compute(image: xr.DataArray, names: Sequence[str]) -> xr.DataArray:
    """Compute indices of an image, lazily.

    Parameters
    ----------
    image
        Reflectance 0–1 with named bands, (band, y, x); NaN for nodata.
    names
        Names in `INDICES`.

    Returns
    -------
    xarray.DataArray
        float32, one band per index, NaN where a band is missing or a denominator is zero.

    Raises
    ------
    LulcError
        If an index is unknown, or needs a band that the image does not have.
    """
    have = [str(b) for b in image.band.values]
    layers = []
    for name in names:
        if name not in INDICES:
            raise LulcError(f"Index {name!r} is unknown. Known indices: {', '.join(INDICES)}.")
        index = INDICES[name]
        missing = [b for b in index.bands if b not in have]
        if missing:
            raise LulcError(
                f"Index {name} = {index.formula} needs band(s) {', '.join(missing)}, which the image lacks. "
                f"It has: {', '.join(have)}. Leave {name} out of 'indices', or bring the band in."
            )
        sources = [da.asarray(raster.select(image, [b]).data[0]) for b in index.bands]
        layers.append(da.map_blocks(_float32, *sources, function=index.compute, dtype=np.float32))
    return raster.array(da.stack(layers), image.odc.geobox, list(names))


def _float32(*bands: Bands, function: Callable[..., Bands]) -> Bands:
    return function(*bands).astype(np.float32)
