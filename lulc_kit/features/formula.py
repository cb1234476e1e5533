"""What a spectral index is: a name, the bands it needs, and a function of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

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
