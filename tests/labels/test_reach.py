"""How far features see."""

import pytest

from lulc_kit.labels import reach

TEXTURE = ["B8_entropy", "B8_contrast"]


@pytest.mark.parametrize(
    ("parameters", "stack", "expected"),
    [
        ({"texture_window": 7}, ["B2", "NDVI"], {}),
        ({"texture_window": 7}, ["B2", "B8_contrast"], {"texture_window": 30.0}),
        ({"texture_window": 7}, ["B2", "TPC1"], {"texture_window": 30.0}),
        ({"texture_window": 7}, ["B2", "PC1"], {}),
        ({}, ["B2", "B11", "B9"], {"the pixels of B9": 60.0}),
        ({"means_windows": [3, 15]}, ["B2"], {"means_windows": 70.0}),
        ({"segment_size": 25}, ["B2"], {"segment_size": 100.0}),
        ({"segment_size": 0}, ["B2"], {}),
        ({"means_windows": [], "texture_levels": 32}, ["B2"], {}),
    ],
)
def test_what_reaches_how_far(parameters, stack, expected):
    assert reach.of_features(parameters, stack, TEXTURE, 10.0) == expected
