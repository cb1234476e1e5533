"""What an index is made of."""

import numpy as np

from lulc_kit.features.formula import ratio


def test_a_ratio_over_zero_is_no_number() -> None:
    found = ratio(np.float32([1, 0, 3]), np.float32([2, 0, 0]))
    np.testing.assert_array_equal(found, np.float32([0.5, np.nan, np.nan]))
