"""Spectral indices by name: the kit's own, and every other one that spyndex defines.

Formulas are for reflectance 0–1, not for digital numbers: EVI2 and BI2, for example, are not scale-free.

Where the kit and spyndex use one name, the kit's definition holds. It differs for

- NDBI: with B8A, as in the source workflow; spyndex has B8, here called NDBI_B8;
- SAVI: with L = 0.5, as published; spyndex's constant L is 1;
- S2REP: the same formula, but NaN outside 690–740 nm.

NDRE is called NDREI in spyndex; BI2 is not in it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

import dask
import numpy as np

from lulc_kit import raster
from lulc_kit.errors import BandError, LulcError, ParameterError
from lulc_kit.features import blocks
from lulc_kit.features.formula import Bands, Index, ratio
from lulc_kit.late import da, pd, xr
from lulc_kit.raster import blockwise


def normalized_difference(a: Bands, b: Bands) -> Bands:
    """(a − b) / (a + b); NaN where the sum is zero. For reflectances ≥ 0 the result lies in −1 … 1."""
    return ratio(a - b, a + b)


def evi2(b8: Bands, b4: Bands) -> Bands:
    """Two-band enhanced vegetation index with gain 2.5 (Jiang et al. 2008, doi:10.1016/j.rse.2008.06.006)."""
    return ratio(2.5 * (b8 - b4), b8 + 2.4 * b4 + 1)


def savi(b8: Bands, b4: Bands) -> Bands:
    """Soil-adjusted vegetation index with L = 0.5 (Huete 1988, doi:10.1016/0034-4257(88)90106-X)."""
    return ratio(1.5 * (b8 - b4), b8 + b4 + 0.5)


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
        Index(
            "SAVI",
            ("B8", "B4"),
            savi,
            "soil-adjusted vegetation index",
            "1.5·(B8−B4)/(B8+B4+0.5)",
            "Huete 1988, doi:10.1016/0034-4257(88)90106-X",
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


REFLECTANCE_LIMIT = 1.6
"""An image whose median is above this holds digital numbers: even bright cloud rarely reflects more."""


def find(name: str) -> Index:
    """Return an index by name: the kit's own, or else that of spyndex.

    Raises
    ------
    LulcError
        If neither defines it, or spyndex's needs what Sentinel-2 does not measure.
    """
    if name in INDICES:
        return INDICES[name]
    from lulc_kit.features import curated  # only now: it reads all of spyndex's definitions

    if name in curated.names():
        return curated.index(name)
    known = list(dict.fromkeys([*INDICES, *curated.names()]))
    similar = difflib.get_close_matches(name, known, n=4, cutoff=0.5)
    hint = f"Did you mean {', '.join(similar)}? " if similar else ""
    raise ParameterError(
        f"Index {name!r} is unknown. {hint}The kit's own are {', '.join(INDICES)}; all others are "
        f"spyndex's (https://github.com/awesome-spectral-indices/awesome-spectral-indices)."
    )


def scale_free(index: Index) -> bool:
    """Whether an index is the same for reflectance and for any multiple of it, such as digital numbers."""
    points = np.random.default_rng(0).uniform(0.02, 0.5, (len(index.bands), 64))
    return bool(np.allclose(index.compute(*points), index.compute(*(4 * points)), equal_nan=True))


def compute(image: xr.DataArray, names: str | Sequence[str]) -> xr.DataArray | None:
    """Compute indices of an image, lazily.

    Parameters
    ----------
    image
        Reflectance 0–1 with named bands, (band, y, x); NaN for nodata.
    names
        Names in `INDICES` or in spyndex, or one.

    Returns
    -------
    xarray.DataArray
        float32, one band per index, NaN where a band is missing or a denominator is zero; None if no index is named.

    Raises
    ------
    LulcError
        If an index is unknown, needs a band that the image does not have, or needs reflectance where the image
        holds digital numbers.

    Examples
    --------
    >>> from odc.geo.geobox import GeoBox
    >>> grid = GeoBox.from_bbox((0, 0, 20, 10), "EPSG:32633", resolution=10)
    >>> image = raster.array(np.array([[[0.04, 0.25]], [[0.36, 0.25]]]), grid, ["B4", "B8"])
    >>> compute(image, "NDVI").values.round(2)
    array([[[0.8, 0. ]]], dtype=float32)
    """
    names = [names] if isinstance(names, str) else names
    if not names:
        return None
    have = [str(b) for b in image.band.values]
    indices = [find(name) for name in names]
    for index in indices:
        missing = [b for b in index.bands if b not in have]
        if missing:
            raise BandError(
                f"Index {index.name} = {index.formula} needs band(s) {', '.join(missing)}, which the image lacks. "
                f"It has: {', '.join(have)}. Leave {index.name} out of 'indices', or bring the band in."
            )
    _check_reflectance(image, [index for index in indices if not scale_free(index)])
    layers = []
    for index in indices:
        sources = [da.asarray(raster.select(image, [b]).data[0]) for b in index.bands]
        layers.append(da.map_blocks(_float32, *sources, function=index.compute, dtype=np.float32))
    return raster.array(da.stack(layers), image.odc.geobox, list(names))


def table(names: Sequence[str]) -> pd.DataFrame:
    """Return one row per index for reading: what it is called, its formula and its source."""
    rows = [{"index": i.name, "is": i.title, "formula": i.formula, "source": i.source} for i in map(find, names)]
    return pd.DataFrame(rows, columns=["index", "is", "formula", "source"]).set_index("index")


def _float32(*bands: Bands, function: Callable[..., Bands]) -> Bands:
    return function(*bands).astype(np.float32)


def _check_reflectance(image: xr.DataArray, indices: Sequence[Index]) -> None:
    needed = list(dict.fromkeys(b for index in indices for b in index.bands))
    if not needed:
        return
    median = _typical(raster.select(image, needed))
    if median > REFLECTANCE_LIMIT:
        raise LulcError(
            f"Index {indices[0].name} = {indices[0].formula} needs reflectance (0–1), but half of the image's numbers "
            f"are above {median:.4g}: these are digital numbers. Set scale and offset in 01_download.yaml."
        )


def _typical(image: xr.DataArray) -> float:
    """Median of small windows spread over an image; of every n-th pixel if there is nothing in them."""
    rows, columns = image.shape[1:]
    spread = [(int(r * rows), int(c * columns)) for r, c in ((0.5, 0.5), (0.2, 0.2), (0.8, 0.8))]
    windows = [image.data[:, r : r + 64, c : c + 64] for r, c in spread]
    values = np.concatenate([v.ravel() for v in dask.compute(*windows)])
    if not np.isfinite(values).any():
        step = max(1, max(rows, columns) // 512)
        values = blockwise.decimate(blocks.lazy(image), step)
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else 0.0
