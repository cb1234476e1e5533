"""The spectral indices that spyndex defines, as functions of Sentinel-2 bands.

Montero, D., Aybar, C., Mahecha, M. D., Martinuzzi, F., Söchting, M. and Wieneke, S. (2023): A standardized catalogue
of spectral indices to advance the use of remote sensing in Earth system research. Scientific Data 10, 197,
doi:10.1038/s41597-023-02096-0.

Constants have spyndex's defaults; central wavelengths are those of Sentinel-2A. The kernel indices (kNDVI, …) use the
radial basis function exp(−(a−b)²/(2σ²)) with spyndex's σ, 0.5. What is not finite in the end is NaN; a quotient of
quotients may be 0 where one of them is infinite.
"""

import functools
import re
from typing import Any

import numpy as np
import spyndex

from lulc_kit.errors import ParameterError
from lulc_kit.features.formula import Bands, Index

# spyndex has one epsilon for three indices and says in its description that these two need another.
OTHER_CONSTANTS = {"WCI1": {"epsilon": 1e-10}, "WCI2": {"epsilon": 1e-10}}


def names() -> list[str]:
    """Names of all indices that spyndex defines."""
    return list(spyndex.indices)


@functools.cache
def index(name: str) -> Index:
    """Return an index of spyndex as a function of Sentinel-2 bands.

    Raises
    ------
    LulcError
        If it needs something that Sentinel-2 does not measure (radar, thermal, a yellow band), or a constant for
        which there is no default.
    """
    found = spyndex.indices[name]
    constants = _constants(name)
    terms = {t for variable in found.bands for t in _terms(variable)}
    absent = sorted(t for t in terms if t not in BANDS and t not in constants)
    if absent:
        raise ParameterError(
            f"Index {name} = {found.formula} needs {', '.join(absent)}, which no band of Sentinel-2 measures. "
            f"Leave {name} out of 'indices'."
        )
    letters = sorted(terms & set(BANDS), key=list(BANDS).index)

    def compute(*bands: Bands) -> Bands:
        values: dict[str, Any] = constants | dict(zip(letters, bands, strict=True))
        for variable in filter(_pair, found.bands):
            a, b = (values[term] for term in _terms(variable))
            values[variable] = np.exp(-((a - b) ** 2) / (2 * constants["sigma"] ** 2))
        with np.errstate(all="ignore"):
            out = np.asarray(spyndex.computeIndex(name, values))
        return np.where(np.isfinite(out), out, np.nan)

    return Index(name, tuple(BANDS[x] for x in letters), compute, found.long_name, _written(name), found.reference)


def _sentinel2() -> dict[str, str]:
    bands = {letter: getattr(band, "sentinel2a", None) for letter, band in spyndex.bands.items()}
    return {letter: band.band for letter, band in bands.items() if band is not None}


BANDS: dict[str, str] = _sentinel2()
"""The Sentinel-2 band of each of spyndex's letters."""


def _constants(name: str) -> dict[str, float]:
    values = {key: c.default for key, c in spyndex.constants.items() if c.default is not None}
    wavelengths = {f"lambda{x}": spyndex.bands[x].sentinel2a.wavelength for x in BANDS}
    return values | wavelengths | OTHER_CONSTANTS.get(name, {})


def _pair(variable: str) -> bool:
    """Whether a variable is a kernel of two others: kNR is k(N, R)."""
    return re.fullmatch("k[A-Z]{2}", variable) is not None


def _terms(variable: str) -> tuple[str, ...]:
    return tuple(variable[1:]) if _pair(variable) else (variable,)


def _written(name: str) -> str:
    """The formula with Sentinel-2 bands and the constants' numbers in it."""
    constants = _constants(name)

    def word(match: re.Match[str]) -> str:
        found = match[0]
        if found in BANDS:
            return BANDS[found]
        return f"{constants[found]:g}" if found in constants else found

    return re.sub(r"[A-Za-z]\w*", word, spyndex.indices[name].formula).replace("-", "−")
