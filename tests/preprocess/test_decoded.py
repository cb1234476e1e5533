"""Bands decoded once: the same numbers on the study's grid, from no more of the scene than is needed."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox

from lulc_kit import raster
from lulc_kit.catalog import Scene
from lulc_kit.download import products as room
from lulc_kit.preprocess import decoded, radiometry
from lulc_kit.simulated import simulate
from tests import products


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("decoded")
    simulate(folder, size=516, tiles=1, dates=["2022-06-14"])
    return room.catalog(str(folder / "scenes"), {}).scenes[0]


def grids(scene: Scene) -> dict[str, GeoBox]:
    whole = raster.grid(scene.bands["B2"].path)
    b = whole.boundingbox
    corner = BoundingBox(b.left + 310, b.top - 900, b.left + 900, b.top - 250, crs=whole.crs)
    return {
        "whole": whole,
        "part": GeoBox.from_bbox(corner, resolution=10),
        "turned": GeoBox.from_bbox(corner.to_crs("EPSG:3035"), crs="EPSG:3035", resolution=10),
    }


@pytest.mark.parametrize("which", ["whole", "part", "turned"])
def test_the_grid_gets_the_same_numbers(
    scene: Scene, which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoded, "MARGIN", 600.0)
    geobox = grids(scene)[which]
    expected = radiometry.scene_on_grid(scene, geobox).to_numpy()
    assert np.isfinite(expected).any()
    with decoded.decoded(scene, geobox, tmp_path) as copy:
        files = list(tmp_path.rglob("*.tif"))
        assert len(files) == len(scene.bands)
        shapes = {name: raster.grid(band.path).shape for name, band in copy.bands.items()}
        np.testing.assert_allclose(radiometry.scene_on_grid(copy, geobox).to_numpy(), expected, rtol=1e-6)
    assert not list(tmp_path.iterdir()), "nothing is left behind"
    # Sharpening needs bands that nest.
    assert shapes["B2"] == tuple(6 * n for n in shapes["B1"]) == tuple(2 * n for n in shapes["B5"])
    if which != "whole":
        # 600 m about a study of 590 × 650 m, cut off at the tile's corner, in whole pixels of 60 m.
        assert shapes["B2"][0] <= 160 and shapes["B2"][1] <= 160


def test_other_formats_stay_as_they_are(scene: Scene, tmp_path: Path) -> None:
    with decoded.decoded(scene, grids(scene)["whole"], tmp_path / "a") as copy:
        with decoded.decoded(copy, grids(scene)["whole"], tmp_path / "b") as again:
            assert again is copy
        assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("nodata", [0, None])
def test_a_saturated_pixel_never_mixes_into_others(tmp_path: Path, nodata: float | None) -> None:
    product = products.write_l1c(tmp_path / "in")
    (path,) = product.rglob("*_B11.jp2")
    with rasterio.open(path) as file:
        numbers = file.read()
    numbers[0, 20, 30] = 65535
    products.write_jp2(path, numbers, 20)
    found = room.catalog(str(tmp_path / "in"), {}).scenes[0]
    found = dataclasses.replace(
        found, bands={name: dataclasses.replace(found.bands[name], nodata=nodata) for name in ("B2", "B11")}
    )
    with decoded.decoded(found, found.bands["B2"].geobox, tmp_path) as copy:
        image = radiometry.scene_on_grid(copy, found.bands["B2"].geobox).to_numpy()
    assert np.isnan(image[1, 40:42, 60:62]).all()
    assert np.nanmax(image) < 1
    assert np.isnan(image[1]).sum() <= 16 and np.isfinite(image[0]).all()
