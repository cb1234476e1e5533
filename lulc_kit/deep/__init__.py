"""07 and 08: the FCN and the FCN+LSTM; the only room that imports Keras and TensorFlow."""
