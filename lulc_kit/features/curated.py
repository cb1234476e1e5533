"""The spectral indices that spyndex defines, as functions of Sentinel-2 bands.

Montero, D., Aybar, C., Mahecha, M. D., Martinuzzi, F., Söchting, M. and Wieneke, S. (2023): A standardized catalogue
of spectral indices to advance the use of remote sensing in Earth system research. Scientific Data 10, 197,
doi:10.1038/s41597-023-02096-0.

Constants have spyndex's defaults; central wavelengths are those of Sentinel-2A. The kernel indices (kNDVI, …) use the
radial basis function exp(−(a−b)²/(2σ²)) with spyndex's σ, 0.5.
"""

import ast
import functools
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import spyndex

from lulc_kit.errors import LulcError
from lulc_kit.features.indices import Bands, Index, ratio

# spyndex has one epsilon for three indices and says in its description that these two need another.
OTHER_CONSTANTS = {"WCI1": {"epsilon": 1e-10}, "WCI2": {"epsilon": 1e-10}}

OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: ratio,
    ast.Pow: operator.pow,
}


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
        raise LulcError(
            f"Index {name} = {found.formula} needs {', '.join(absent)}, which no band of Sentinel-2 measures. "
            f"Leave {name} out of 'indices'."
        )
    letters = sorted(terms & set(BANDS), key=list(BANDS).index)
    expression = ast.parse(found.formula, mode="eval").body

    def compute(*bands: Bands) -> Bands:
        values: dict[str, Any] = constants | dict(zip(letters, bands, strict=True))
        for variable in filter(_pair, found.bands):
            a, b = (values[term] for term in _terms(variable))
            values[variable] = _kernel(a, b, constants["sigma"])
        with np.errstate(all="ignore"):
            out = np.asarray(_evaluate(expression, values))
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


def _kernel(a: Any, b: Any, sigma: float) -> Any:
    return np.exp(-((a - b) ** 2) / (2 * sigma**2))


def _evaluate(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand, values)
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](_evaluate(left, values), _evaluate(right, values))
    raise LulcError(f"A formula of spyndex has a part that the kit cannot compute: {ast.unparse(node)}.")


def _written(name: str) -> str:
    """The formula with Sentinel-2 bands and the constants' numbers in it."""
    constants = _constants(name)

    def word(match: re.Match[str]) -> str:
        found = match[0]
        if found in BANDS:
            return BANDS[found]
        return f"{constants[found]:g}" if found in constants else found

    return re.sub(r"[A-Za-z]\w*", word, spyndex.indices[name].formula).replace("-", "−")
