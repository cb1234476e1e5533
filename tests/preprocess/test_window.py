"""The window of a scene: the same numbers on the study's grid, from no more of the scene than is needed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox

from lulc_kit import raster
from lulc_kit.catalog import Band, Scene
from lulc_kit.download import products as room
from lulc_kit.preprocess import radiometry, window
from lulc_kit.simulated import simulate
from tests import rasters


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("window")
    simulate(folder, size=516, tiles=1, dates=["2022-06-14"])
    return room.catalog(str(folder / "scenes"), {}, folder / "copies").scenes[0]


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
    monkeypatch.setattr(window, "MARGIN", 600.0)
    geobox = grids(scene)[which]
    expected = radiometry.scene_on_grid(scene, geobox).to_numpy()
    assert np.isfinite(expected).any()
    with window.cut(scene, geobox, tmp_path) as (copy, _):
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


def as_geotiff(scene: Scene, folder: Path, **profile: Any) -> Scene:
    """The scene as a user's own files, each band the second of its file."""
    bands = {}
    for name, band in scene.bands.items():
        with rasterio.open(band.path) as source:
            numbers, kept = source.read(1), {"crs": source.crs, "transform": source.transform}
        if name == "B5":
            numbers = numbers.astype(np.float32)
        path = folder / f"{name}.tif"
        size = {"height": numbers.shape[0], "width": numbers.shape[1], "count": 2, "dtype": numbers.dtype}
        with rasterio.open(path, "w", driver="GTiff", **size, **kept, **profile) as file:
            file.write(numbers, 2)
        bands[name] = replace(band, path=path, number=2)
    return replace(scene, bands=bands, product=None)


def test_of_other_formats_the_window_is_cut_too(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "MARGIN", 600.0)
    part = grids(scene)["part"]
    own = as_geotiff(scene, tmp_path)
    expected = radiometry.scene_on_grid(own, part).to_numpy()
    with window.cut(own, part, tmp_path / "work") as (copy, _):
        for name, band in copy.bands.items():
            assert raster.grid(band.path).width < raster.grid(own.bands[name].path).width
        np.testing.assert_allclose(radiometry.scene_on_grid(copy, part).to_numpy(), expected, rtol=1e-6)


def test_nodata_that_only_the_file_knows_stays_nodata(scene: Scene, tmp_path: Path) -> None:
    part = grids(scene)["part"]
    own = as_geotiff(scene, tmp_path, nodata=0)
    own = replace(own, bands={n: Band.of(b.path, 2, b.scale, b.offset) for n, b in own.bands.items()})
    with window.cut(own, part, tmp_path / "work") as (copy, _):
        assert {band.nodata for n, band in copy.bands.items() if band.path != own.bands[n].path} == {0.0}


def test_what_is_needed_whole_stays_as_it_is(scene: Scene, tmp_path: Path) -> None:
    own = as_geotiff(scene, tmp_path)
    own = replace(own, bands={n: replace(b, saturated=None) for n, b in own.bands.items()})
    with window.cut(own, grids(scene)["whole"], tmp_path / "work") as (copy, saturated):
        assert copy is own and saturated == []
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("turned", [10, 45, -40, 135, 250])
def test_of_a_rotated_image_all_that_the_grid_needs_is_cut(
    turned: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "MARGIN", 0.0)
    side, area = 300, 40
    place = Affine.translation(500_000, 5_000_000) @ Affine.rotation(turned) @ Affine.scale(10, -10)
    x, y = (round(v, -1) for v in place @ (side / 2, side / 2))
    path = rasters.write(tmp_path / "B2.tif", np.ones((side, side), np.uint16), GeoBox((side, side), place, 32633))
    geobox = rasters.grid((area, area), left=x - 10 * area / 2, top=y + 10 * area / 2)
    own = Scene("2022-06-14", "L2A", {"B2": Band.of(path, 1, 1.0, 0.0)})
    with window.cut(own, geobox, tmp_path / "work") as (copy, _):
        assert raster.grid(copy.bands["B2"].path).width < side
        assert np.isfinite(radiometry.scene_on_grid(copy, geobox).to_numpy()).all()
