"""05: training and test samples: labels, their quality, and splits apart in space."""
