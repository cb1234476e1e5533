"""Cloud polygons read from a folder or an archive, ring by ring."""

import zipfile
from pathlib import Path

import pytest

from lulc_kit import files
from lulc_kit.errors import FormatError
from lulc_kit.safe.cloud_mask import read_polygons
from tests import products

RING = [(0, 0), (60, 0), (60, 60), (0, 0)]


def test_rings_and_kinds_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "MSK_CLOUDS_B00.gml"
    path.write_text(products.clouds_gml([("OPAQUE", RING), ("CIRRUS", RING), ("SNOW", RING), ("OPAQUE", RING[::-1])]))
    found = read_polygons(path)
    assert found.crs == products.CRS
    assert [polygon["coordinates"] for polygon in found.opaque] == [[RING], [RING[::-1]]]
    assert [polygon["coordinates"] for polygon in found.cirrus] == [[RING]]
    with zipfile.ZipFile(tmp_path / "product.zip", "w") as archive:
        archive.write(path, "QI_DATA/clouds.gml")
    assert read_polygons(Path(files.join_archive(tmp_path / "product.zip", "QI_DATA/clouds.gml"))) == found


def test_no_polygons_are_no_clouds(tmp_path: Path) -> None:
    path = tmp_path / "empty.gml"
    path.write_text("<Mask/>")
    found = read_polygons(path)
    assert (found.crs, found.opaque, found.cirrus) == (None, (), ())


@pytest.mark.parametrize(
    ("text", "says"),
    [(None, "cannot be read"), ("<a/", "not readable XML"), (products.clouds_gml([("OPAQUE", RING[:2])]), "4 numbers")],
)
def test_a_file_that_is_missing_or_malformed_is_refused(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "clouds.gml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(FormatError, match=says):
        read_polygons(path)
