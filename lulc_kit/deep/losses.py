"""Losses of networks: how wrong the class probabilities of the labelled pixels are. A pixel of weight 0 does not count.

All take classes (…,), probabilities (…, class) that need not add up to 1 over the classes, and weights (…,) of 0 and
more, and return the weighted mean over all pixels, so that it does not depend on how much of a batch is labelled.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import ops

LEAST = 1e-7
"""Probabilities count as at least this."""
GAMMA = 2.0
"""Exponent of the focal loss."""

Tensor = Any
Function = Callable[[Tensor, Tensor, Tensor], Tensor]


def _normal(probabilities: Tensor) -> Tensor:
    return probabilities / ops.maximum(ops.sum(probabilities, axis=-1, keepdims=True), LEAST)


def _mean(each: Tensor, weights: Tensor) -> Tensor:
    return ops.sum(each * weights) / ops.maximum(ops.sum(weights), LEAST)


def cross_entropy(classes: Tensor, probabilities: Tensor, weights: Tensor, smoothing: float = 0.0) -> Tensor:
    """Compute −Σ t log p; t is 1 for the class, less ``smoothing``, which all classes share alike.

    Label smoothing: Szegedy et al. 2016, arXiv 1512.00567.
    """
    logarithms = ops.log(ops.clip(_normal(probabilities), LEAST, 1.0))
    own = ops.take_along_axis(logarithms, ops.expand_dims(classes, -1), axis=-1)[..., 0]
    return _mean(-(1 - smoothing) * own - smoothing * ops.mean(logarithms, axis=-1), weights)


def focal(classes: Tensor, probabilities: Tensor, weights: Tensor, smoothing: float = 0.0) -> Tensor:
    """Compute −(1 − p)^γ log p of the class, γ = `GAMMA`: what is learnt already counts less.

    Lin et al. 2017, arXiv 1708.02002. ``smoothing`` as in `cross_entropy`.
    """
    p = ops.clip(_normal(probabilities), LEAST, 1.0)
    terms = -((1 - p) ** GAMMA) * ops.log(p)
    own = ops.take_along_axis(terms, ops.expand_dims(classes, -1), axis=-1)[..., 0]
    return _mean((1 - smoothing) * own + smoothing * ops.mean(terms, axis=-1), weights)


def dice(classes: Tensor, probabilities: Tensor, weights: Tensor, smoothing: float = 0.0) -> Tensor:
    """Compute 1 − mean over the classes that the batch holds of 2 Σ w p t / (Σ w p + Σ w t).

    Milletari et al. 2016, arXiv 1606.04797. ``smoothing`` as in `cross_entropy`.
    """
    p = _normal(probabilities)
    count = p.shape[-1]
    told = ops.one_hot(classes, count, dtype=p.dtype)
    wanted = (1 - smoothing) * told + smoothing / count
    w = ops.expand_dims(ops.cast(weights, p.dtype), -1)
    axes = tuple(range(len(p.shape) - 1))
    there = ops.cast(ops.sum(w * told, axis=axes) > 0, p.dtype)
    both = 2 * ops.sum(w * p * wanted, axis=axes)
    each = ops.sum(w * p, axis=axes) + ops.sum(w * wanted, axis=axes)
    overlap = both / ops.maximum(each, LEAST)
    return 1 - ops.sum(there * overlap) / ops.maximum(ops.sum(there), 1.0)


LOSSES: dict[str, Callable[..., Tensor]] = {"cross_entropy": cross_entropy, "focal": focal, "dice": dice}
"""The losses by name; one more is an entry here, and its word in `Trained.loss` of `lulc_kit/params/runs.py`."""


class Masked(keras.losses.Loss):
    """A loss of `LOSSES` as Keras wants it: the weights say which pixels count."""

    def __init__(self, name: str, smoothing: float = 0.0) -> None:
        super().__init__(name=name, reduction=None)
        self.function: Function = partial(LOSSES[name], smoothing=smoothing)

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Tensor:
        """Return the loss of a batch."""
        weights = ops.ones_like(y_true) if sample_weight is None else sample_weight
        return self.function(ops.cast(y_true, "int32"), y_pred, ops.cast(weights, y_pred.dtype))
