"""06: k-nearest neighbours and random forest."""
