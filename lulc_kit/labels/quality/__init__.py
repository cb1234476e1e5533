"""How good the samples are: balance, separability, doubtful labels, duplicates, clouds, labels of the same image."""
