"""The SAFE reader: values copied by hand from real metadata, and products broken in known ways."""

import shutil

import numpy as np
import pytest
from rasterio.transform import from_origin

from lulc_kit.errors import LulcError
from lulc_kit.safe import product as safe
from lulc_kit.safe.source import open_source
from tests.safe.made import NAME, SIZE, image_of, product_xml, write_jp2


def test_missing_band_file(product):
    (product / f"{image_of('B02', 10)}.jp2").unlink()
    opened = safe.open_product(product)
    with pytest.raises(LulcError, match="image of B2 is missing"):
        safe.image(opened, "B2")
    with pytest.raises(LulcError, match="no image of B4"):
        safe.image(opened, "B4")


def test_image_of_another_size(product):
    write_jp2(product / f"{image_of('B02', 10)}.jp2", np.ones((2 * SIZE, SIZE), np.uint16))
    with pytest.raises(LulcError, match=r"120×60 pixels.*say 60×60"):
        safe.image(safe.open_product(product), "B2")


def test_two_baselines_of_one_acquisition(product):
    other = product.with_name(product.name.replace("N0400", "N0500"))
    shutil.copytree(product, other)
    text = product_xml([image_of("B02", 10)], "05.00", name=NAME.replace("N0400", "N0500"))
    (other / "MTD_MSIL2A.xml").write_text(text)
    with pytest.raises(LulcError, match=r"33UVU of 2022-05-15 is there twice.*04\.00.*05\.00"):
        safe.open_products(product.parent)
    shutil.rmtree(other)
    assert [found.name for found in safe.open_products(product.parent)] == [NAME]


def test_what_macos_writes_beside_files_on_foreign_disks_is_no_part_of_a_product(product):
    before = open_source(product).files
    for file in [product, *(f for f in product.rglob("*") if f.is_file())]:
        (file.parent / f"._{file.name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    assert [found.name for found in safe.open_products(product.parent)] == [NAME]
    assert open_source(product).files == before


def test_empty_folder_and_no_product(tmp_path):
    with pytest.raises(LulcError, match="holds no Sentinel-2 product"):
        safe.open_products(tmp_path)
    with pytest.raises(LulcError, match=r"holds no MTD_MSIL1C\.xml"):
        safe.open_product(tmp_path)
    with pytest.raises(LulcError, match="does not exist"):
        safe.open_product(tmp_path / "nothing.zip")
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(LulcError, match="neither a folder nor a zip"):
        safe.open_product(tmp_path / "text.zip")


@pytest.mark.parametrize("what", [{"transform": from_origin(500000, 5900040, 10, 10)}, {"crs": "EPSG:32632"}])
def test_the_image_of_another_tile_under_the_right_name(product, what):
    write_jp2(product / f"{image_of('B02', 10)}.jp2", np.ones((SIZE, SIZE), np.uint16), **what)
    with pytest.raises(LulcError, match=r"B02_10m\.jp2 lies at .* another tile"):
        safe.image(safe.open_product(product), "B2")
