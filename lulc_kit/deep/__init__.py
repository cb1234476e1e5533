"""07 and 08: the FCN and the FCN+LSTM; the only room that imports Keras and TensorFlow."""

import os

# TensorFlow's start-up messages say nothing a reader of a notebook can use.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
