"""Networks that read the dates of a pixel, with their days, and know which of them clouds hide.

All take one array (batch, time, row, column, band + 2): the last two bands say of each date whether it shows the pixel
(1 or 0) and its day of the year. What a date does not show is set to 0 before anything is computed, whatever numbers
stand there. Two of the three look at single pixels, but are convolutions of 1 × 1 over patches, so that patches, masks
and prediction by tiles are those of the FCN.

Sources: Pelletier, Webb & Petitjean 2019, doi:10.3390/rs11050523 (`tempcnn`); Garnot & Landrieu 2020,
arXiv:2007.00586 (`ltae`); Garnot & Landrieu 2021, arXiv:2107.07933 (`utae`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from lulc_kit.deep.layers import DateWeights, DayEncoding
from lulc_kit.deep.networks import SCORES, softmax, standardize

Numbers = npt.NDArray[np.float32]

ATTENTION = "attention"
"""Name of the layer that weighs the dates."""
YEAR = 365.25
"""Days."""


def tempcnn(
    mean: Numbers,
    variance: Numbers,
    classes: int,
    length: int,
    filters: int = 64,
    kernel: int = 5,
    units: int = 256,
    dropout: float = 0.5,
) -> keras.Model:
    """Build a temporal convolutional network: three convolutions along time, then a dense layer.

    What the source fills in time is 0 here; whether a date shows the pixel, and sine and cosine of its day, are three
    more bands.

    Parameters
    ----------
    mean, variance
        Of each band where it is seen, over the training pixels, shape (band,).
    classes
        Number of classes.
    length
        Dates in a sequence; this network takes no other number.
    filters, kernel, units, dropout
        Filters of each convolution, dates that it sees, size of the dense layer, part that is dropped; those of the
        source.

    Returns
    -------
    keras.Model
        (batch, length, row, column, band + 2) → (batch, row, column, class) probabilities.
    """
    sequence, image, seen, days = _inputs(mean, variance, length)
    angle = days * (2 * np.pi / YEAR)
    clock = ops.stack([seen, ops.sin(angle), ops.cos(angle)], axis=-1)
    x = layers.Concatenate()([image, clock])
    for _ in range(3):
        x = layers.Conv3D(filters, (kernel, 1, 1), padding="same", use_bias=False)(x)
        x = layers.Dropout(dropout)(layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x)))
    # One convolution over all dates is the source's flattening and dense layer at once.
    x = layers.Conv3D(units, (length, 1, 1), use_bias=False)(x)[:, 0]
    x = layers.Dropout(dropout)(layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x)))
    return _model(sequence, x, classes, "tempcnn")


def ltae(
    mean: Numbers,
    variance: Numbers,
    classes: int,
    length: int | None = None,
    width: int = 64,
    heads: int = 8,
    size: int = 8,
    units: int = 64,
    dropout: float = 0.2,
) -> keras.Model:
    """Build a lightweight temporal attention encoder of single pixels.

    Each date is read by two dense layers and told its day; each head weighs the dates by its own question and takes
    the mean of its share of the channels; a dense layer joins the heads. The order of the dates does not matter, their
    days do.

    Parameters
    ----------
    mean, variance, classes, length
        As for `tempcnn`; any number of dates is taken.
    width
        Channels of a date, a multiple of 2 · heads.
    heads, size
        Questions, and numbers in one.
    units, dropout
        Of the dense layer.

    Returns
    -------
    keras.Model
        (batch, time, row, column, band + 2) → (batch, row, column, class) probabilities.
    """
    sequence, image, seen, days = _inputs(mean, variance, None)
    x = layers.ReLU()(layers.LayerNormalization()(layers.Dense(width // 2)(image)))
    x, weights = _attend(x, seen, days, width, heads, size)
    x = _weigh(x, weights)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(layers.Dense(units, use_bias=False)(x)))
    return _model(sequence, layers.Dropout(dropout)(x), classes, "ltae")


def utae(
    mean: Numbers,
    variance: Numbers,
    classes: int,
    length: int | None = None,
    filters: Sequence[int] = (16, 32, 64),
    heads: int = 8,
    size: int = 4,
) -> keras.Model:
    """Build a small U-Net with temporal attention.

    A U-Net's way down reads every date; at its lowest level dates are weighed as in `ltae`; the same weights, enlarged,
    join the dates at all other levels on the way up. Smaller than the source's (its way down has 64, 64, 64, 128
    filters), with pooling in place of strided convolutions, batch statistics in place of those of groups, and weights
    enlarged by repetition. A date counts at a coarser level where it shows any of the pixels.

    Parameters
    ----------
    mean, variance, classes, length
        As for `tempcnn`; any number of dates is taken.
    filters
        At each level, multiples of ``heads``, the last of 2 · heads; each level but the last halves the image.
    heads, size
        Questions, and numbers in one.

    Returns
    -------
    keras.Model
        (batch, time, row, column, band + 2) → (batch, row, column, class) probabilities. Rows and columns: any
        multiple of 2^(levels − 1).
    """
    sequence, image, seen, days = _inputs(mean, variance, None)
    x = layers.Concatenate()([image, ops.expand_dims(seen, -1)])
    skipped = []
    for number in filters[:-1]:
        x = _convolve(_convolve(x, number), number)
        skipped.append((x, seen))
        x = layers.MaxPooling3D((1, 2, 2))(x)
        seen = layers.MaxPooling3D((1, 2, 2))(ops.expand_dims(seen, -1))[..., 0]
    x = _convolve(_convolve(x, filters[-1]), filters[-1])
    x, weights = _attend(x, seen, days, filters[-1], heads, size)
    x = layers.Dense(filters[-1], use_bias=False)(_weigh(x, weights))
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    for level, (skip, shown) in reversed(list(enumerate(skipped))):
        scale = 2 ** (len(skipped) - level)
        enlarged = layers.UpSampling3D((1, scale, scale))(weights) * ops.expand_dims(shown, -1)
        enlarged = enlarged / ops.maximum(ops.sum(enlarged, axis=1, keepdims=True), 1e-9)
        x = layers.UpSampling2D(interpolation="bilinear")(x)
        x = layers.Concatenate()([x, _weigh(skip, enlarged)])
        for _ in range(2):
            x = layers.Conv2D(filters[level], 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return _model(sequence, x, classes, "utae")


TEMPORAL: dict[str, Callable[..., keras.Model]] = {"tempcnn": tempcnn, "ltae": ltae, "utae": utae}
"""Networks of dates, built from mean and variance of each band, number of classes and dates in a sequence; one more is
an entry here."""

TITLES = {"tempcnn": "TempCNN", "ltae": "L-TAE", "utae": "small U-TAE"}
"""What each is called in the report."""


def widen(network: str, width: float) -> dict[str, Any]:
    """Return the settings of a network of `TEMPORAL` with so many times its channels: 0.5, 1 or 2."""
    wide = int(64 * width)
    settings: dict[str, dict[str, Any]] = {
        "tempcnn": {"filters": wide, "units": 4 * wide},
        "ltae": {"width": wide, "units": wide},
        "utae": {"filters": (wide // 4, wide // 2, wide)},
    }
    return settings[network]


def attention(model: keras.Model) -> keras.Model:
    """Return what an L-TAE or U-TAE looks at: a network from its input to the weights of the dates by head.

    They are those of its lowest level: (batch, time, row, column, head), 0–1.
    """
    return keras.Model(model.input, model.get_layer(ATTENTION).output, name=ATTENTION)


def _inputs(
    mean: Numbers, variance: Numbers, length: int | None
) -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    """Return the input, and taken from it: standardized bands, 0 where hidden; what is seen; days."""
    bands = len(mean)
    sequence = keras.Input((length, None, None, bands + 2), name="sequence")
    seen = sequence[..., bands]
    image = standardize(sequence[..., :bands], mean, variance)
    image = ops.where(ops.expand_dims(seen, -1) > 0, image, 0.0)
    return sequence, image, seen, sequence[..., bands + 1]


def _attend(
    x: keras.KerasTensor, seen: keras.KerasTensor, days: keras.KerasTensor, width: int, heads: int, size: int
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Tell each date its day; return the dates, (batch, time, row, column, width), and their weights by head."""
    x = layers.LayerNormalization()(layers.Dense(width)(x))
    # A date's day is the same everywhere; 16 bits could not hold all days of a year.
    encoding = DayEncoding(width // heads, heads, dtype="float32")(days[:, :, :1, :1])
    x = x + ops.cast(encoding, x.dtype)
    keys = layers.Dense(heads * size, name="keys")(x)
    return x, DateWeights(heads, size, name=ATTENTION)([keys, seen])


def _weigh(x: keras.KerasTensor, weights: keras.KerasTensor) -> keras.KerasTensor:
    """Return the weighted sum over dates, (batch, row, column, channel); each head weighs its share of the channels."""
    share = x.shape[-1] // weights.shape[-1]
    return ops.sum(x * ops.repeat(weights, share, axis=-1), axis=1)


def _convolve(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    x = layers.Conv3D(filters, (1, 3, 3), padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def _model(sequence: keras.KerasTensor, x: keras.KerasTensor, classes: int, name: str) -> keras.Model:
    return keras.Model(sequence, softmax(layers.Dense(classes, name=SCORES)(x)), name=name)
