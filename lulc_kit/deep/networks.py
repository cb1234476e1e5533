"""The networks, in backend-neutral Keras 3.

The FCN is a small U-Net (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28). The FCN+LSTM runs it on every
date and joins the dates by a bidirectional convolutional LSTM (Shi et al. 2015, arXiv 1506.04214), as
lstm-sentinel2-landcover does.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

STANDARDIZE = "standardize"
"""Name of the FCN's first layer, which subtracts the mean and divides by the spread."""
SCORES = "scores"
"""Name of the FCN's last layer before the softmax."""


def fcn(
    mean: npt.NDArray[np.float32], variance: npt.NDArray[np.float32], classes: int, filters: Sequence[int]
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

    Returns
    -------
    keras.Model
        (batch, row, column, band) → (batch, row, column, class) probabilities. Rows and columns: any multiple of
        2^(levels − 1).
    """
    image = keras.Input((None, None, len(mean)), name="features")
    # Batch normalization that is never trained: mean and variance are weights, so that one compiled network serves
    # all folds.
    standardize = layers.BatchNormalization(center=False, scale=False, epsilon=1e-12, trainable=False, name=STANDARDIZE)
    x = standardize(image)
    standardize.set_weights([np.asarray(mean), np.asarray(variance)])
    skipped = []
    for number in filters[:-1]:
        x = _convolve(_convolve(x, number), number)
        skipped.append(x)
        x = layers.MaxPooling2D()(x)
    x = _convolve(_convolve(x, filters[-1]), filters[-1])
    for number, skip in zip(reversed(filters[:-1]), reversed(skipped), strict=True):
        x = layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(x), skip])
        x = _convolve(_convolve(x, number), number)
    x = layers.Conv2D(classes, 1, name=SCORES)(x)
    return keras.Model(image, layers.Softmax(name="probabilities")(x), name="fcn")


NETWORKS: dict[str, Callable[..., keras.Model]] = {"fcn": fcn}
"""Networks for single images, built from mean, variance, number of classes and settings; one more is an entry here."""


def mean_of(fcn: keras.Model) -> npt.NDArray[np.float32]:
    """Return the mean of each feature that an FCN subtracts, shape (band,)."""
    return np.asarray(fcn.get_layer(STANDARDIZE).moving_mean, np.float32)


def _convolve(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def fcn_lstm(trained: keras.Model, classes: int, side: int, flagged: bool = False) -> keras.Model:
    """Put a trained FCN on every date and join the dates.

    The FCN without its softmax scores each date; a bidirectional ConvLSTM of ``classes`` filters with softmax
    activation, both directions averaged, gives its last state. The state is not normalized: divide by its sum over
    classes (Keras' cross-entropy does so by itself).

    Parameters
    ----------
    trained
        An FCN from `fcn`; its layers are shared, so that training goes on with them.
    classes
        Number of classes.
    side
        Rows and columns of the images: Keras wants them fixed for a ConvLSTM. The weights fit every side (`resize`).
    flagged
        Whether the sequences have one more band, which says of each pixel whether it was filled in. It goes past the
        FCN to the LSTM.

    Returns
    -------
    keras.Model
        (batch, time, side, side, band) → (batch, side, side, class), positive.
    """
    scores = keras.Model(trained.input, trained.get_layer(SCORES).output, name="fcn_scores")
    # The statistics of a handful of patches and dates would drown those the FCN learnt from the whole scene.
    for layer in scores.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    bands = trained.input_shape[-1]
    sequence = keras.Input((None, side, side, bands + flagged), name="sequence")
    x = layers.TimeDistributed(scores)(sequence[..., :bands] if flagged else sequence)
    if flagged:
        x = layers.Concatenate()([x, sequence[..., bands:]])
    lstm = layers.ConvLSTM2D(classes, 3, padding="same", activation="softmax")
    x = layers.Bidirectional(lstm, merge_mode="ave", name="probabilities")(x)
    return keras.Model(sequence, x, name="fcn_lstm")


def resize(model: keras.Model, trained: keras.Model, side: int) -> keras.Model:
    """Return an FCN+LSTM of the same weights for images of another side (see `fcn_lstm`)."""
    other = fcn_lstm(trained, model.output_shape[-1], side, model.input_shape[-1] > trained.input_shape[-1])
    other.set_weights(model.get_weights())
    return other
