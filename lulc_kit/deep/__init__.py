"""07 and 08: the FCN and the FCN+LSTM; the only room that imports Keras and TensorFlow."""

import contextlib
import logging
import os
from collections.abc import Iterator


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Turn away what C++ writes to standard error; an import that fails still raises its exception."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


# TensorFlow's start-up messages say nothing a reader of a notebook can use. Some come before it reads this setting.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _silent():
    import keras  # noqa: F401
logging.getLogger("tensorflow").setLevel(logging.ERROR)  # each size of image has a graph of its own, and is to have it
