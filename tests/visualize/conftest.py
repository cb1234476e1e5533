"""No test of a picture leaves one open."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def nothing_left_open():
    before = plt.get_fignums()
    yield
    assert plt.get_fignums() == before, "an open figure would be shown a second time in a notebook"
