"""The indices of spyndex: the kit's values are spyndex's."""

import re

import numpy as np
import pytest
import spyndex

from lulc_kit.errors import LulcError
from lulc_kit.features import curated
from tests.features.spectrum import SPECTRUM, spyndex_value, value

SPECTRAL = [n for n in curated.names() if not re.match("k[A-Z]", n)]


def test_every_index_of_spyndex_is_computed_or_refused_with_what_it_needs():
    computed = 0
    for name in SPECTRAL:
        try:
            index = curated.index(name)
        except LulcError as error:
            lacking = {"VV", "VH", "HV", "HH", "T", "T1", "T2", "Y", "G1", "PAR"} & set(spyndex.indices[name].bands)
            assert lacking and all(x in str(error) for x in lacking)
            continue
        bands = [SPECTRUM[b].astype(float) for b in index.bands]
        constants = {"epsilon": 1e-10} if name.startswith("WCI") else {}
        np.testing.assert_allclose(index.compute(*bands), spyndex_value(name, **constants), rtol=1e-9, err_msg=name)
        computed += 1
    assert computed > 200


def test_kernel_ndvi_by_hand():
    bands = {"B8": 0.4, "B4": 0.1}
    similarity = np.exp(-(0.3**2) / (2 * 0.5**2))
    assert value("kNDVI", **bands) == pytest.approx((1 - similarity) / (1 + similarity), rel=1e-5)


def test_zero_denominators_are_no_data_in_spyndex_s_formulas_too():
    with np.errstate(all="raise"):
        assert np.isnan(value("EVI", B8=0.5, B4=0.0, B2=0.2))  # 0.5 + 0 − 7.5·0.2 + 1 = 0
        assert np.isnan(value("SR", B8=0.5, B4=0.0))
