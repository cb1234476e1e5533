"""With what networks are computed: in which precision, and on which devices."""

import contextlib
from collections.abc import Iterator

import keras

from lulc_kit.errors import ParameterError


@contextlib.contextmanager
def computing(precision: str, batch: int) -> Iterator[None]:
    """Have networks that are built inside compute in a precision, and share batches out to all accelerators there are.

    Parameters
    ----------
    precision
        A policy of Keras: ``float32``, ``mixed_bfloat16`` or ``mixed_float16`` (Micikevicius et al. 2018,
        arXiv 1710.03740): products in 16 bits, weights in 32.
    batch
        Patches in a batch.

    Raises
    ------
    ParameterError
        If there are several accelerators, and a batch cannot be cut into as many equal parts.
    """
    policy, there = keras.config.dtype_policy(), accelerators()
    if len(there) > 1 and batch % len(there):
        raise ParameterError(
            f"A batch of {batch} patches cannot be shared out evenly to {len(there)} devices ({', '.join(there)}). "
            f"Set 'batch' to a multiple of {len(there)}."
        )
    keras.config.set_dtype_policy(precision)
    before = keras.distribution.distribution()
    if len(there) > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=there))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        keras.distribution.set_distribution(before)


def accelerators() -> list[str]:
    """Return the GPUs or TPUs that Keras can share batches out to: those of JAX, the one backend where it can."""
    if keras.backend.backend() != "jax":
        return []
    return [*(keras.distribution.list_devices("gpu") or keras.distribution.list_devices("tpu"))]
