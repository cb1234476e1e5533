"""What maps consist of: the classes and, beside them, what class probabilities say of each pixel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

PERCENT_NODATA = 255
"""No data in files of whole percent."""


def classify(probabilities: Array, classes: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Return the value of the likeliest class, (row, column); 0 where there is no data; the first class wins a tie."""
    first = probabilities[0].copy()
    best = np.full(first.shape, classes[0], np.uint8)
    missing = np.isnan(first)
    for layer, value in zip(probabilities[1:], classes[1:], strict=True):  # several times quicker than argmax
        higher = layer > first
        best[higher] = value
        np.copyto(first, layer, where=higher)
        missing |= np.isnan(layer)
    best[missing] = 0
    return best


def percent(probabilities: Array) -> npt.NDArray[np.uint8]:
    """Return probabilities as whole percent, 255 where there is no data."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isnan(probabilities), PERCENT_NODATA, np.rint(probabilities * 100)).astype(np.uint8)


def entropy(probabilities: Array) -> Array:
    """Return how undecided a model is: Shannon entropy over its maximum, 0 (one class) to 1 (all alike), (row, column).

    Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x. NaN where there is no data.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(probabilities > 0, probabilities * np.log(probabilities), 0)
    out = -terms.sum(axis=0) / np.log(max(len(probabilities), 2))
    return np.where(np.isnan(probabilities).any(axis=0), np.nan, out).astype(np.float32)


def margin(probabilities: Array) -> Array:
    """Return how far the likeliest class is ahead of the second, 0 (a tie) to 1, (row, column); NaN for no data.

    Of one class alone its probability.
    """
    out = np.full(probabilities.shape[1:], -np.inf, np.float32)
    first = out.copy()
    for layer in probabilities:  # a NaN stays one
        out = np.maximum(out, np.minimum(first, layer))
        first = np.maximum(first, layer)
    return first - np.maximum(out, 0)


@dataclass(frozen=True)
class Layer:
    """One file of a map.

    Attributes
    ----------
    name
        The file's (`RunLayout.layer`); the layer ``class`` is the map itself (`RunLayout.map`).
    dtype, nodata
        Type of its numbers, and the one that means no data.
    compute
        From class probabilities, (class, row, column), NaN for no data, and the classes' values to what the file
        holds, (band, row, column).
    per_class
        Whether it has a band for each class, named like it, or one band with the layer's name.
    unit
        Of its numbers; "" for codes and plain numbers.
    """

    name: str
    dtype: str
    nodata: float
    compute: Callable[[Array, Sequence[int]], npt.NDArray[Any]]
    per_class: bool = False
    unit: str = ""


LAYERS: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        Layer("class", "uint8", 0, lambda p, values: classify(p, values)[None]),
        Layer("entropy", "uint8", PERCENT_NODATA, lambda p, values: percent(entropy(p))[None], unit="percent"),
        Layer("margin", "uint8", PERCENT_NODATA, lambda p, values: percent(margin(p))[None], unit="percent"),
        Layer("probability", "uint8", PERCENT_NODATA, lambda p, values: percent(p), per_class=True, unit="percent"),
    )
}
"""What a map consists of; one more is an entry here."""

MAP_LAYERS = tuple(name for name in LAYERS if name != "class")
"""Names of a map's layers beside the classes."""
