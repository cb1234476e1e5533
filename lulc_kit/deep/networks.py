"""The networks, in backend-neutral Keras 3.

The FCN is a small U-Net (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28). The FCN+LSTM runs it on every
date and joins the dates by a bidirectional convolutional LSTM (Shi et al. 2015, arXiv 1506.04214), as
lstm-sentinel2-landcover does, whose LSTM has as many filters as there are classes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from lulc_kit.errors import FormatError

STANDARDIZE = "standardize"
"""Name of a network's first layer, which subtracts the mean and divides by the spread."""
SCORES = "scores"
"""Name of the last layer that learns, before temperature and softmax."""
TEMPERATURE = "temperature"
"""Name of the layer that divides the scores by the temperature, 1 until `set_temperature`."""
JOINT = "joint"
"""Name of the FCN+LSTM's layer that joins the dates."""
HIDDEN = 16
"""Filters of the FCN+LSTM's LSTM in each direction."""
_EPSILON = 1e-12


def standardize(
    image: keras.KerasTensor, mean: npt.NDArray[np.float32], variance: npt.NDArray[np.float32]
) -> keras.KerasTensor:
    """Let a network standardize its input itself.

    Mean and variance are weights (batch normalization that is never trained), so that one compiled network serves all
    folds. It is computed in 32 bits whatever the rest is: 16 would round features that are large beside their spread.
    """
    layer = layers.BatchNormalization(
        center=False, scale=False, epsilon=_EPSILON, trainable=False, name=STANDARDIZE, dtype="float32"
    )
    out = layer(image)
    layer.set_weights([np.asarray(mean), np.asarray(variance)])
    return out


def softmax(scores: keras.KerasTensor) -> keras.KerasTensor:
    """Turn scores into probabilities, at a temperature that is a weight of the network (see `set_temperature`).

    In 32 bits, whatever the rest is.
    """
    layer = layers.BatchNormalization(
        center=False, scale=False, epsilon=_EPSILON, trainable=False, name=TEMPERATURE, dtype="float32"
    )
    return layers.Softmax(name="probabilities", dtype="float32")(layer(scores))


def set_temperature(model: keras.Model, temperature: float) -> None:
    """Have a network divide its scores by this before the softmax (see `calibration`)."""
    mean, variance = model.get_layer(TEMPERATURE).get_weights()
    model.get_layer(TEMPERATURE).set_weights([mean, np.full_like(variance, temperature**2)])


def temperature_of(model: keras.Model) -> float:
    """Return the temperature of a network's softmax."""
    return float(np.sqrt(np.asarray(model.get_layer(TEMPERATURE).moving_variance)[0]))


def fcn(
    mean: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    classes: int,
    filters: Sequence[int],
    dropout: float = 0.0,
) -> keras.Model:
    """Build an FCN.

    Parameters
    ----------
    mean, variance
        Of each feature over the training pixels, shape (band,): the network standardizes its input itself.
    classes
        Number of classes.
    filters
        Filters at each level; each level but the last halves the image.
    dropout
        Part of the channels that is set to 0 in training before the last layer and at the coarsest level, 0 to 1
        (Tompson et al. 2015, arXiv 1411.4280).

    Returns
    -------
    keras.Model
        (batch, row, column, band) → (batch, row, column, class) probabilities. Rows and columns: any multiple of
        2^(levels − 1).
    """
    image = keras.Input((None, None, len(mean)), name="features")
    x = standardize(image, mean, variance)
    skipped = []
    for number in filters[:-1]:
        x = _convolve(_convolve(x, number), number)
        skipped.append(x)
        x = layers.MaxPooling2D()(x)
    x = _convolve(_convolve(x, filters[-1]), filters[-1])
    if dropout and len(filters) > 1:
        x = layers.SpatialDropout2D(dropout)(x)
    for number, skip in zip(reversed(filters[:-1]), reversed(skipped), strict=True):
        x = layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(x), skip])
        x = _convolve(_convolve(x, number), number)
    return _scored(image, x, classes, dropout, "fcn")


def _scored(image: keras.KerasTensor, x: keras.KerasTensor, classes: int, dropout: float, name: str) -> keras.Model:
    """End a network: dropout, a score for each class, probabilities."""
    if dropout:
        x = layers.SpatialDropout2D(dropout)(x)
    x = layers.Conv2D(classes, 1, name=SCORES)(x)
    return keras.Model(image, softmax(x), name=name)


def fcn_light(
    mean: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    classes: int,
    filters: Sequence[int],
    dropout: float = 0.0,
) -> keras.Model:
    """Build a light FCN: no pooling, one convolution of 3 × 3 at each level, dilated by 1, 2, 4, ….

    Dilated convolutions see farther without making the image smaller (Yu & Koltun 2016, arXiv:1511.07122). It takes
    images of any size; parameters (dropout before the last layer only) and result as for `fcn`.
    """
    image = keras.Input((None, None, len(mean)), name="features")
    x = standardize(image, mean, variance)
    for level, number in enumerate(filters):
        x = _convolve(x, number, 3, 2**level)
    return _scored(image, x, classes, dropout, "fcn_light")


def mlp(
    mean: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    classes: int,
    filters: Sequence[int],
    dropout: float = 0.0,
) -> keras.Model:
    """Build a multilayer perceptron of single pixels: what is gained without any neighbourhood.

    Its dense layers are convolutions of 1 × 1, so that it takes images of any size; ``filters`` are their units.
    Parameters (dropout before the last layer only) and result as for `fcn`.
    """
    image = keras.Input((None, None, len(mean)), name="features")
    x = standardize(image, mean, variance)
    for number in filters:
        x = _convolve(x, number, 1)
    return _scored(image, x, classes, dropout, "mlp")


NETWORKS: dict[str, Callable[..., keras.Model]] = {"fcn": fcn, "fcn_light": fcn_light, "mlp": mlp}
"""Networks for single images, built from mean, variance, number of classes and settings; one more is an entry here."""

TITLES = {"fcn": "FCN (U-Net)", "fcn_light": "light FCN (dilated)", "mlp": "multilayer perceptron"}
"""What each is called in the report."""


def mean_of(fcn: keras.Model) -> npt.NDArray[np.float32]:
    """Return the mean of each feature that an FCN subtracts, shape (band,)."""
    return np.asarray(fcn.get_layer(STANDARDIZE).moving_mean, np.float32)


def fuse(model: keras.Model) -> keras.Model:
    """Return a copy of a network for prediction alone, whose batch statistics are part of the convolutions before them.

    γ (w∗x − μ) / √(σ² + ε) + β = (γ w / √(σ² + ε))∗x + (β − γ μ / √(σ² + ε)): the same up to rounding, with fewer
    passes over the image. What standardizes the input and divides the scores stays as it is.

    Parameters
    ----------
    model
        One of `NETWORKS`.
    """
    pairs = {}
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization) and layer.center:
            pairs[layer.input._keras_history.operation.name] = layer
    gone = {layer.name for layer in pairs.values()}

    def copy(layer: keras.Layer) -> keras.Layer:
        return type(layer).from_config(layer.get_config() | ({"use_bias": True} if layer.name in pairs else {}))

    def call(layer: keras.Layer, *inputs: Any, **more: Any) -> Any:
        return inputs[0] if layer.name in gone else layer(*inputs, **more)

    out = keras.models.clone_model(model, clone_function=copy, call_function=call)
    for layer in model.layers:
        if layer.name in pairs:
            gamma, beta, mean, variance = pairs[layer.name].get_weights()
            factor = gamma / np.sqrt(variance + pairs[layer.name].epsilon)
            out.get_layer(layer.name).set_weights([layer.get_weights()[0] * factor, beta - mean * factor])
        elif layer.name not in gone:
            out.get_layer(layer.name).set_weights(layer.get_weights())
    return out


def _convolve(x: keras.KerasTensor, filters: int, side: int = 3, dilation: int = 1) -> keras.KerasTensor:
    x = layers.Conv2D(filters, side, padding="same", use_bias=False, dilation_rate=dilation)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def fcn_lstm(
    trained: keras.Model, classes: int, side: int, flagged: bool = False, fine_tune: bool = False
) -> keras.Model:
    """Put a trained FCN on every date and join the dates.

    The FCN without its softmax scores each date; of a bidirectional ConvLSTM of `HIDDEN` filters the last states of
    both directions are weighed to the scores of the whole sequence.

    Parameters
    ----------
    trained
        An FCN from `fcn`, whose layers are shared.
    classes
        Number of classes.
    side
        Rows and columns of the images: Keras wants them fixed for a ConvLSTM. The weights fit every side (`resize`).
    flagged
        Whether the sequences have one more band, which says of each pixel whether it was filled in. It goes past the
        FCN to the LSTM.
    fine_tune
        Whether training goes on with the FCN, too; its batch statistics stay in any case.

    Returns
    -------
    keras.Model
        (batch, time, side, side, band) → (batch, side, side, class) probabilities.
    """
    scores = keras.Model(trained.input, trained.get_layer(SCORES).output, name="fcn_scores")
    # The statistics of a handful of patches and dates would drown those the FCN learnt from the whole scene.
    for layer in scores.layers:
        layer.trainable = fine_tune and not isinstance(layer, layers.BatchNormalization)
    bands = trained.input_shape[-1]
    sequence = keras.Input((None, side, side, bands + flagged), name="sequence")
    x = layers.TimeDistributed(scores)(sequence[..., :bands] if flagged else sequence)
    if flagged:
        x = layers.Concatenate()([x, sequence[..., bands:]])
    lstm = layers.ConvLSTM2D(HIDDEN, 3, padding="same", dtype="float32")
    x = layers.Bidirectional(lstm, merge_mode="concat", name=JOINT, dtype="float32")(x)
    x = layers.Dense(classes, name=SCORES, dtype="float32")(x)
    return keras.Model(sequence, softmax(x), name="fcn_lstm")


def scores_of(model: keras.Model) -> keras.Model:
    """Return the part of an FCN+LSTM that scores the single dates: its FCN, without the softmax."""
    return next(layer.layer for layer in model.layers if isinstance(layer, layers.TimeDistributed))


def resize(model: keras.Model, trained: keras.Model, side: int) -> keras.Model:
    """Return an FCN+LSTM of the same weights for images of another side (see `fcn_lstm`).

    Raises
    ------
    FormatError
        If an earlier version of the kit built the network in another way.
    """
    other = fcn_lstm(trained, model.output_shape[-1], side, model.input_shape[-1] > trained.input_shape[-1])
    if [w.shape for w in other.weights] != [w.shape for w in model.weights]:
        raise FormatError(
            "The stored FCN+LSTM was built by an earlier version of the kit, whose LSTM was another. Run 08_lstm again."
        )
    other.set_weights(model.get_weights())
    return other


def reach(model: keras.Model) -> int:
    """Return how far from a pixel lies what a network sees of it, pixels, in the worst place on its poolings' grid.

    A pixel at a level of scale s covers [i·s − left, i·s + s − 1 + right] of the input; each layer widens that.
    """
    return max(_extents(model)[1:])


def _extents(model: keras.Model) -> tuple[int, int, int]:
    return _walk(model)[id(model.output)]


def _walk(model: keras.Model) -> dict[int, tuple[int, int, int]]:
    """Return scale, left and right of every tensor of a network, by its identity."""
    found: dict[int, tuple[int, int, int]] = {id(model.input): (1, 0, 0)}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            seen = [found[id(t)] for t in node.input_tensors if id(t) in found]
            if seen:
                scale, left, right = seen[0][0], max(s[1] for s in seen), max(s[2] for s in seen)
                for out in node.output_tensors:
                    found[id(out)] = _through(node.operation, scale, left, right)
    return found


def _through(layer: Any, scale: int, left: int, right: int) -> tuple[int, int, int]:
    if isinstance(layer, layers.TimeDistributed):
        return _through(layer.layer, scale, left, right)
    if isinstance(layer, keras.Model):
        own = _extents(layer)
        return scale * own[0], left + scale * own[1], right + scale * own[2]
    # The last axis of a kernel or pool is that of columns; before it may stand that of dates.
    if isinstance(layer, layers.Conv2D | layers.Conv3D | layers.DepthwiseConv2D | layers.SeparableConv2D):
        wide = scale * layer.dilation_rate[-1] * (layer.kernel_size[-1] - 1)
        return scale * layer.strides[-1], left + wide // 2, right + wide - wide // 2
    if isinstance(layer, layers.MaxPooling2D | layers.AveragePooling2D | layers.MaxPooling3D):
        return scale * layer.pool_size[-1], left, right
    if isinstance(layer, layers.UpSampling2D | layers.UpSampling3D):
        fine = scale // layer.size[-1]
        # Between two coarse pixels bilinear interpolation looks at the next one, too.
        between = scale if getattr(layer, "interpolation", "nearest") == "bilinear" else scale - fine
        return fine, left + between, right + between
    return scale, left, right
