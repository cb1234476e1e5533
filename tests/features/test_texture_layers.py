"""Texture of a scene in blocks: that of the whole scene, to the last bit."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.features import texture, texture_layers
from lulc_kit.features.texture import Settings

ROWS, COLUMNS = 53, 61


def scene():
    generator = np.random.default_rng(3)
    data = np.stack([gaussian_filter(generator.normal(size=(ROWS, COLUMNS)), s) for s in (0.7, 1.5)]) * 0.05 + 0.2
    data[0, 10:20, 30:45] = np.nan
    return data.astype(np.float32)


def image(chunk):
    data = scene()
    lazy = data if chunk is None else da.from_array(data, (1, *chunk))
    box = GeoBox((ROWS, COLUMNS), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    return raster.array(lazy, box, ["B8", "B11"])


@pytest.mark.slow
@given(chunk=st.tuples(st.integers(4, 70), st.integers(4, 70)), window=st.sampled_from([3, 5, 9]))
@settings(max_examples=12, deadline=None)
def test_independent_of_the_blocks_to_the_last_bit(chunk, window):
    chosen = Settings(window=window, levels=16, features=("entropy", "contrast"))
    found = texture_layers.compute(image(chunk), ["B8", "B11"], chosen)
    assert found.band.values.tolist() == ["B8_entropy", "B8_contrast", "B11_entropy", "B11_contrast"]
    for i, band in enumerate(scene()):
        whole = texture.glcm(band, chosen)
        np.testing.assert_array_equal(found.to_numpy()[2 * i : 2 * i + 2], whole)


def test_every_setting_may_be_another():
    chosen = Settings(
        features=("homogeneity",),
        window=7,
        levels=8,
        directions=[0, 90],
        distance=2,
        convention="snap",
        quantizer="equal_probability",
        range=(0.1, 0.3),
    )
    found = texture_layers.compute(image((20, 20)), ["B11"], chosen).to_numpy()[0]
    np.testing.assert_array_equal(found, texture.glcm(scene()[1], chosen)[0])


def test_no_band_is_no_layer_and_wrong_settings_are_refused_at_once():
    assert texture_layers.compute(image((20, 20)), [], Settings()) is None
    with pytest.raises(LulcError, match="B12 not found"):
        texture_layers.compute(image((20, 20)), ["B12"], Settings())
    with pytest.raises(LulcError, match="odd number"):
        texture_layers.compute(image((20, 20)), ["B8"], Settings(window=4))
