"""A small product for the tests of this room."""

import numpy as np
import pytest

from tests.safe.made import GRANULE, NAME, SIZE, image_of, product_xml, tile_xml, write_jp2


@pytest.fixture
def numbers():
    """DN of one band; its first row begins with no data, the least value, dark, bright, saturated."""
    values = np.random.default_rng(4).integers(1100, 5000, (SIZE, SIZE)).astype(np.uint16)
    values[0, :5] = [0, 1, 1000, 11000, 65535]
    return values


@pytest.fixture
def product(tmp_path, numbers):
    """A small product with B2 and B3 at 10 m, and SCL."""
    root = tmp_path / f"{NAME}.SAFE"
    images = [image_of("B02", 10), image_of("B03", 10), image_of("SCL", 20)]
    for image in images[:2]:
        write_jp2(root / f"{image}.jp2", numbers)
    write_jp2(root / f"{images[2]}.jp2", np.full((SIZE // 2, SIZE // 2), 4, np.uint8), 20)
    (root / "MTD_MSIL2A.xml").write_text(product_xml(images))
    (root / "GRANULE" / GRANULE / "MTD_TL.xml").write_text(tile_xml())
    (root / "manifest.safe").write_text("<m/>")
    return root
