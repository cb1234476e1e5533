"""The indices of spyndex: the kit's values are spyndex's."""

import re

import dask.array as da
import numpy as np
import pytest
import spyndex
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.features import curated, indices


def image(bands, shape=(1, 1), lazy=True):
    box = GeoBox(shape, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    data = np.stack([np.broadcast_to(np.float32(v), shape) for v in bands.values()])
    return raster.array(da.from_array(data, (1, 2, 2)) if lazy else data, box, list(bands))


def value(name, **bands):
    return indices.compute(image(bands), [name]).to_numpy()[0, 0, 0]


SPECTRUM = {
    band: np.random.default_rng(i).uniform(0.02, 0.5, (4, 5)).astype(np.float32)
    for i, band in enumerate(["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12"])
}


SPECTRAL = [n for n in curated.names() if not re.match("k[A-Z]", n)]


def spyndex_value(name, **constants):
    """What spyndex itself computes, in double precision."""
    values = {k: c.default for k, c in spyndex.constants.items()}
    values |= {"lambdaN": 832.8, "lambdaR": 664.6, "lambdaG": 559.8, "lambdaN2": 864.7}
    values |= {"lambdaS1": 1613.7, "lambdaS2": 2202.4}
    letters = {k: b.sentinel2a.band for k, b in spyndex.bands.items() if hasattr(b, "sentinel2a")}
    values |= {k: SPECTRUM[b].astype(float) for k, b in letters.items()} | constants
    with np.errstate(all="ignore"):
        return np.broadcast_to(spyndex.computeIndex(name, params=values), (4, 5))


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
