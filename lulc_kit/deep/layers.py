"""The layers of the temporal attention encoder that Keras lacks.

They are registered under the package's name, so that a `.keras` file holds their names and settings only: loading one
runs no code that came with the file.
"""

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="lulc_kit")
class DayEncoding(keras.layers.Layer):
    """Turn days into waves of many lengths (Garnot & Landrieu 2020, arXiv:2007.00586, section 3.2).

    Number i of ``width`` is sin(day · period^(−2⌊i/2⌋/width)), the cosine for odd i; all of them stand there
    ``repeats`` times, once for each head.

    Parameters
    ----------
    width
        Numbers for each day, even.
    repeats
        How often they are repeated.
    period
        The longest wave is 2π times shorter than this, nearly; 1000 in the paper.
    """

    def __init__(self, width: int, repeats: int = 1, period: float = 1000.0, **more: Any) -> None:
        super().__init__(**more)
        if width < 2 or width % 2:
            raise ValueError(f"'width' must be even and at least 2; found {width}.")
        self.width, self.repeats, self.period = width, repeats, period

    def call(self, days: Any) -> Any:
        """Encode days, of any shape (…): (…, width · repeats)."""
        number = np.tile(np.arange(self.width), self.repeats)
        rates = self.period ** (-2 * (number // 2) / self.width)
        phases = np.where(number % 2, np.pi / 2, 0)  # cos x = sin(x + π/2)
        angles = ops.expand_dims(days, -1) * ops.convert_to_tensor(rates, self.compute_dtype)
        return ops.sin(angles + ops.convert_to_tensor(phases, self.compute_dtype))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of what `call` gives."""
        return (*shape, self.width * self.repeats)

    def get_config(self) -> dict[str, Any]:
        """Return the settings that a file keeps."""
        return super().get_config() | {"width": self.width, "repeats": self.repeats, "period": self.period}


@keras.saving.register_keras_serializable(package="lulc_kit")
class DateWeights(keras.layers.Layer):
    """Weigh the dates of each pixel by attention to one learnt question for each head (the same source, section 3.3).

    The weight of date t is the softmax over the dates that are seen of question · key(t) / √size. A date that is not
    seen weighs 0; where none is seen, all do.

    Parameters
    ----------
    heads
        Questions.
    size
        Numbers in a question and in the key that answers it.
    """

    def __init__(self, heads: int, size: int, **more: Any) -> None:
        super().__init__(**more)
        self.heads, self.size = heads, size

    def build(self, shapes: Any) -> None:
        """Make the questions; the source draws them with variance 2/size."""
        start = keras.initializers.RandomNormal(stddev=float(np.sqrt(2 / self.size)))
        self.questions = self.add_weight(shape=(self.heads, self.size), initializer=start, name="questions")

    def call(self, inputs: Any) -> Any:
        """Weigh dates.

        Parameters
        ----------
        inputs
            Keys, (batch, time, row, column, heads · size), and what is seen, (batch, time, row, column), 0 or 1.

        Returns
        -------
        Any
            (batch, time, row, column, head), 0–1; their sum over time is 1.
        """
        keys, seen = inputs
        # Question · key for each head as one product: the questions lie on the diagonal of a matrix of blocks.
        diagonal = ops.repeat(ops.eye(self.heads, dtype=self.compute_dtype), self.size, axis=0)
        asked = ops.reshape(self.questions, (-1, 1)) * diagonal
        scores = ops.matmul(keys, asked) / float(np.sqrt(self.size))
        seen = ops.expand_dims(seen, -1)
        hidden = ops.where(seen > 0, scores, -1e9)
        powers = ops.exp(hidden - ops.stop_gradient(ops.max(hidden, axis=1, keepdims=True))) * seen
        return powers / ops.maximum(ops.sum(powers, axis=1, keepdims=True), 1e-9)

    def compute_output_shape(self, shapes: Any) -> tuple[int | None, ...]:
        """Return the shape of what `call` gives."""
        return (*shapes[0][:-1], self.heads)

    def get_config(self) -> dict[str, Any]:
        """Return the settings that a file keeps."""
        return super().get_config() | {"heads": self.heads, "size": self.size}
