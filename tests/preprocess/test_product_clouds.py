"""The product's own cloud mask: polygons and layers, known by construction."""

from pathlib import Path

import numpy as np
import pytest
from rasterio.warp import transform
from scipy import ndimage

from lulc_kit import raster
from lulc_kit.cube import Cube, Reason
from lulc_kit.errors import LulcError
from lulc_kit.simulated import simulate
from tests import products
from tests.preprocess.whole import POLYGONS, expected, layers, nothing_half_written, preprocess, rectangle


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("baseline", "snow"), [("02.06", False), ("05.09", True)])
def test_cloud_masks_of_old_and_new_products(project: Path, baseline: str, snow: bool, packed: bool) -> None:
    """Polygons before baseline 04.00, layers of a raster since; known by construction, in a folder or an archive."""
    clouds = layers() if snow else products.clouds_gml(POLYGONS)
    product = products.write_l1c(project / "in", baseline=baseline, clouds=clouds)
    if packed:
        products.pack(product)
    folder = preprocess(project, project / "in", "product")
    np.testing.assert_array_equal(raster.read_codes(folder / "2023-06-15_mask.tif").to_numpy()[0], expected(snow))
    folder = preprocess(project, project / "in", "product", mask_buffer=30.0)
    codes = raster.read_codes(folder / "2023-06-15_mask.tif").to_numpy()[0]
    assert (codes[12:36, 15:18] == Reason.BUFFER).all(), "three pixels beside the cloud"
    assert (codes[12:36, :15] == Reason.CLEAR).all()


def test_a_hole_in_a_cloud_polygon_is_clear(project: Path) -> None:
    text = products.clouds_gml([("OPAQUE", rectangle((2, 10), (3, 12)))])
    hole = " ".join(f"{x} {y}" for x, y in rectangle((4, 6), (5, 9)))
    ring = f'<gml:LinearRing><gml:posList srsDimension="2">{hole}</gml:posList></gml:LinearRing>'
    text = text.replace("</gml:exterior>", f"</gml:exterior><gml:interior>{ring}</gml:interior>")
    products.write_l1c(project / "in", baseline="02.06", clouds=text)
    codes = raster.read_codes(preprocess(project, project / "in", "product") / "2023-06-15_mask.tif").to_numpy()[0]
    truth = np.zeros((20, 20), np.uint8)
    truth[2:10, 3:12], truth[4:6, 5:9] = Reason.CLOUD, Reason.CLEAR
    np.testing.assert_array_equal(codes, np.kron(truth, np.ones((6, 6))))


def test_masks_of_simulated_products_show_the_true_clouds(project: Path, tmp_path: Path) -> None:
    """Written as polygons before baseline 04.00 and as a raster since; the truth of every pixel is beside them."""
    made = simulate(tmp_path / "sim", size=300, tiles=1, dates=["2021-08-13", "2022-03-26", "2022-05-20"])
    folder = preprocess(project, tmp_path / "sim/scenes", "product", crs="EPSG:32633")
    vectors = [bool(list(product.rglob("*.gml"))) for product in made.scenes]
    assert vectors == [True, False, False]
    for path in made.masks:
        truth = raster.read_codes(path).to_numpy()[0]
        day = path.stem.removeprefix("mask_")
        if day not in Cube(folder).dates or (truth == 1).mean() < 0.02:
            continue
        found = raster.read_codes(folder / f"{day}_mask.tif").to_numpy()[0]
        core = ndimage.binary_erosion(truth == 1, iterations=4)
        far = ndimage.binary_erosion(np.isin(truth, (0, 2)), iterations=7)
        assert (found[core] == Reason.CLOUD).mean() > 0.9, day
        assert (found[far] == Reason.CLEAR).mean() > 0.99, day
        vectors.append(day)
    assert {"2021-08-13"} <= set(vectors[3:]) and len(vectors) > 4


def test_cloud_polygons_in_another_crs(project: Path) -> None:
    """Drawn on a grid of the next UTM zone they hit the pixels whose centres lie in them."""
    products.write_l1c(project / "in", baseline="02.06", clouds=products.clouds_gml(POLYGONS))
    folder = preprocess(project, project / "in", "product", crs="EPSG:32632")
    mask = raster.read_codes(folder / "2023-06-15_mask.tif")
    x, y = np.meshgrid(mask.x.values, mask.y.values)
    east, north = transform("EPSG:32632", products.CRS, x.ravel(), y.ravel())
    column, row = ((np.array(east) - products.LEFT) / 10).ravel(), ((products.TOP - np.array(north)) / 10).ravel()
    inside = (column >= 0) & (column < 120) & (row >= 0) & (row < 120)
    truth = expected(False)[row[inside].astype(int), column[inside].astype(int)]
    found = mask.to_numpy()[0].ravel()[inside]
    seen = found != Reason.NODATA
    assert seen.mean() > 0.9
    assert (found[seen] == truth[seen]).mean() > 0.998, "but for rounding at the edges"


def test_a_cloudless_product_has_an_empty_mask(project: Path) -> None:
    products.write_l1c(project / "in", baseline="02.06", clouds=products.clouds_gml([]))
    folder = preprocess(project, project / "in", "product")
    assert (raster.read_codes(folder / "2023-06-15_mask.tif") == Reason.CLEAR).all()


@pytest.mark.parametrize(
    ("clouds", "says"),
    [
        (None, "brings no cloud mask of its own"),
        ("<a/", "not readable XML"),
        ('<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>', "declares a document type or entities"),
        (products.clouds_gml([("OPAQUE", [(1, 2), (3, 4)])]), "a ring of 4 numbers"),
        (products.clouds_gml([("OPAQUE", [("x", 2)] * 4)]), "malformed"),  # type: ignore[list-item]
    ],
)
def test_a_cloud_mask_that_cannot_be_read(project: Path, clouds: str | None, says: str) -> None:
    products.write_l1c(project / "in", baseline="02.06", clouds=clouds)
    with pytest.raises(LulcError, match=says):
        preprocess(project, project / "in", "product")
    nothing_half_written(project)
