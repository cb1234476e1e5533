"""A product as a scene of the catalog: numbers, nodata and offsets that users get."""

from pathlib import Path

import numpy as np
import rasterio

from lulc_kit.safe import product as safe
from lulc_kit.safe import scene
from tests.safe.made import SIZE, classes, image_of, offsets, reflectance


def test_calibration_nodata_before_offset(product, numbers):
    opened = safe.open_product(product)
    found = reflectance(opened, "B2")
    assert found.dtype == np.float32
    assert np.isnan(found[0, [0, 4]]).all(), "no data and saturated"
    np.testing.assert_allclose(found[0, 1:4], [-0.0999, 0.0, 1.0], atol=1e-7)
    np.testing.assert_allclose(found[1:], (numbers[1:] - 1000.0) / 10000, rtol=1e-6, atol=1e-7)
    band = scene.describe_band(opened, "B2")
    assert (band.nodata, band.saturated, band.dtype) == (0, 65535, "uint16")
    assert band.geobox.affine[:6] == (10, 0, 399960, 0, -10, 5900040)


def test_scl(product):
    opened = safe.open_product(product)
    assert (classes(opened) == 4).all()
    assert scene.describe_band(opened, "SCL").geobox.affine.a == 20


def test_each_band_has_the_offset_that_the_metadata_give_to_its_number(product):
    """All real products declare −1000 for every band, so that only made-up ones can tell the bands apart."""
    path = product / "MTD_MSIL2A.xml"
    path.write_text(path.read_text().replace('band_id="2">-1000', 'band_id="2">-900'))  # the third: B3
    opened = safe.open_product(product)
    assert {name for name, offset in offsets(opened).items() if offset == -900} == {"B3"}
    np.testing.assert_allclose((reflectance(opened, "B3") - reflectance(opened, "B2"))[1:], 0.01, atol=1e-6)


def test_the_true_colour_picture_lies_beside_the_bands(product):
    assert safe.open_product(product).picture is None
    path = product / f"{image_of('TCI', 10)}.jp2"
    shown = np.full((3, SIZE, SIZE), 7, np.uint8)
    with rasterio.open(path, "w", driver="JP2OpenJPEG", count=3, height=SIZE, width=SIZE, dtype="uint8") as file:
        file.write(shown)
    assert Path(safe.open_product(product).picture) == path
