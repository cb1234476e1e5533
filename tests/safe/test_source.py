"""Folders and archives as trees of files, and what is not opened for safety."""

import shutil
import zipfile

import numpy as np
import pytest

from lulc_kit.errors import LulcError
from lulc_kit.safe import product as safe
from lulc_kit.safe import source as safe_source
from tests.safe.made import NAME, image_of, product_xml, reflectance, zipped


@pytest.mark.parametrize("top", [None, "."])
def test_zip_is_read_in_place(product, top):
    expected = reflectance(safe.open_product(product), "B2")
    path = zipped(product, top)
    shutil.rmtree(product)
    opened = safe.open_product(path)
    assert np.array_equal(reflectance(opened, "B2"), expected, equal_nan=True)
    assert sorted(entry.name for entry in path.parent.iterdir()) == [path.name]


def test_opened_by_its_metadata_file(product):
    assert safe.open_product(product / "MTD_MSIL2A.xml").name == NAME


@pytest.mark.parametrize(("missing", "message"), [("manifest.safe", "manifest"), ("MTD_MSIL2A.xml", "MTD_MSIL1C")])
def test_incomplete_zip(product, missing, message):
    (product / missing).unlink()
    with pytest.raises(LulcError, match=message):
        safe.open_product(zipped(product))


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]>',
        '<!DOCTYPE a SYSTEM "http://example.org/a.dtd">',
    ],
)
def test_entities_are_refused(product, head):
    (product / "MTD_MSIL2A.xml").write_text(product_xml([image_of("B02", 10)], head=head))
    with pytest.raises(LulcError, match="declares a document type or entities"):
        safe.open_product(product)


@pytest.mark.parametrize("name", ["../evil.xml", "/evil.xml", "a/../../evil.xml", "C:/evil.xml", "a\\..\\evil.xml"])
def test_archive_that_points_outside(product, name):
    path = zipped(product)
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("placeholder")
        entry.filename = name
        archive.writestr(entry, "x")
    with pytest.raises(LulcError, match="outside of the product"):
        safe.open_product(path)


def test_link_that_leads_outside_is_not_part_of_the_product(product, tmp_path):
    image = product / f"{image_of('B04', 10)}.jp2"
    target = tmp_path / "secret.jp2"
    shutil.copy(product / f"{image_of('B02', 10)}.jp2", target)
    try:
        image.symlink_to(target)
    except OSError:
        pytest.skip("this system makes no links")
    assert not safe.open_product(product).bands["B4"].images


def test_zip_bombs(product, monkeypatch):
    path = zipped(product)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{product.name}/bomb.xml", bytes(20_000_000))
    with pytest.raises(LulcError, match="fold"):
        safe.open_product(path)
    monkeypatch.setattr(safe_source, "MAX_BYTES", 1_000_000)
    with pytest.raises(LulcError, match="would unpack to"):
        safe.open_product(path)


def test_oversized_xml(product, monkeypatch):
    monkeypatch.setattr(safe_source, "MAX_XML_BYTES", 500)
    with pytest.raises(LulcError, match="larger than"):
        safe.open_product(product)


def test_two_products_in_one_archive(product):
    path = zipped(product)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other.SAFE/MTD_MSIL2A.xml", "<a/>")
    with pytest.raises(LulcError, match="holds 2 products"):
        safe.open_product(path)
