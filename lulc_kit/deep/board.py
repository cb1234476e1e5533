"""Logs for TensorBoard, by choice: how training goes, which classes it confuses, what it says of single windows."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from lulc_kit.errors import LulcError

Numbers = npt.NDArray[np.float32]
Codes = npt.NDArray[np.integer]
CELL = 32
"""Side of a cell of the confusion matrix, pixels."""


class Board:
    """Writes event files of one network.

    Parameters
    ----------
    folder
        Where.
    colours
        Red, green, blue (0–255) of each class.

    Raises
    ------
    LulcError
        If the package tensorboard is not installed.
    """

    def __init__(self, folder: Path, colours: Sequence[tuple[int, int, int]]) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise LulcError(
                "'tensorboard: true' needs the package tensorboard, which TensorFlow does not bring. Install it "
                "(python -m pip install tensorboard), or leave the parameter out: the logs are there as CSV, too."
            )
        import tensorflow as tf

        self._summary, self._writer = tf.summary, tf.summary.create_file_writer(str(folder))
        self.colours = np.array(colours, np.uint8)

    def draw_graph(self, model: keras.Model) -> None:
        """Write which layer of a network feeds which.

        TensorBoard reads Keras' own description of a network, too, but fails where an operation has a number beside
        its tensors, as those over dates do.
        """
        import tensorflow as tf

        graph = tf.compat.v1.GraphDef()
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                fed = [tensor._keras_history.operation.name for tensor in node.input_tensors]
                graph.node.add(name=node.operation.name, op=type(node.operation).__name__, input=fed)
        with self._writer.as_default(0):
            self._summary.graph(graph)
        self._writer.flush()

    def look(
        self, row: Mapping[str, float], said: tuple[Numbers, Codes] | None, windows: Sequence[tuple[Numbers, Codes]]
    ) -> None:
        """Write what one look at the network saw.

        Parameters
        ----------
        row
            Of the log (`training.Trained`), with ``step``.
        said
            Class probabilities (pixel, class) and true classes (pixel,) of inner validation; None without.
        windows
            Class probabilities (row, column, class) and codes (row, column), 0 for no label, of some windows.
        """
        step = int(row["step"])
        with self._writer.as_default(step):
            for name, number in row.items():
                if name != "step" and np.isfinite(number):
                    self._summary.scalar(name, number)
            if said is not None:
                found = confusion(said[1], said[0].argmax(axis=1), len(self.colours))
                self._summary.image("true class by row, found by column", picture(found)[None])
            for number, (probabilities, codes) in enumerate(windows, 1):
                drawn = draw_beside(probabilities, codes, self.colours)
                self._summary.image(f"window {number}: found, true", drawn[None])
        self._writer.flush()


def draw_beside(probabilities: Numbers, codes: Codes, colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Draw the classes that are found, and beside them the labels, black where there is none, (row, column, 3)."""
    true = np.vstack([np.zeros((1, 3), np.uint8), colours])[codes]
    between = np.full((len(codes), 2, 3), 255, np.uint8)
    return np.concatenate([colours[probabilities.argmax(axis=-1)], between, true], axis=1)


def confusion(true: Codes, found: Codes, classes: int) -> Numbers:
    """Return the part of each true class (row) that is found as each class (column), 0–1; 0 for classes without."""
    counts = np.zeros((classes, classes), np.float32)
    np.add.at(counts, (true, found), 1)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def picture(parts: Numbers) -> npt.NDArray[np.uint8]:
    """Draw parts, 0 (white) to 1 (blue), as cells, (row, column, 3)."""
    white, blue = np.array([255.0, 255, 255]), np.array([0.0, 114, 178])
    cells = white + parts[..., None] * (blue - white)
    return cells.round().astype(np.uint8).repeat(CELL, axis=0).repeat(CELL, axis=1)
