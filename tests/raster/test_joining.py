"""Class maps joined on one grid: copied where pixels coincide, the nearest elsewhere."""

from pathlib import Path

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import from_origin

from lulc_kit import raster
from lulc_kit.errors import GridError
from lulc_kit.raster import joining
from tests import rasters

GENERATOR = np.random.default_rng(1)


def test_maps_on_one_lattice_are_copied_and_the_first_counts(tmp_path: Path) -> None:
    whole = GENERATOR.integers(0, 4, (700, 900)).astype(np.uint8)
    boxes = {"a": (0, 0, 400, 500), "b": (0, 450, 400, 900), "c": (380, 100, 700, 800)}
    paths = []
    for name, (top, left, bottom, right) in boxes.items():
        where = rasters.grid((bottom - top, right - left), 10.0, 500_000 + 10 * left, 5_000_000 - 10 * top)
        cut = whole[top:bottom, left:right].copy()
        if name == "b":
            cut[:, :50] = 7  # what it says of the land that the first has, too
        paths.append(rasters.write(tmp_path / f"{name}.tif", cut, where, nodata=0))
    grid = joining.common_grid([raster.grid(p) for p in paths])
    assert grid.shape == (700, 900) and joining.find_moved(paths, grid) == []
    joined = joining.join(paths, grid).to_numpy()[0]
    expected = np.zeros_like(whole)
    for top, left, bottom, right in boxes.values():
        expected[top:bottom, left:right] = whole[top:bottom, left:right]
    holes = (expected == 0) & (joined == 7)  # where the first has no class, the second's counts
    assert holes.any() and (whole[holes] == 0).all()
    np.testing.assert_array_equal(joined[~holes], expected[~holes])


def test_a_map_of_another_zone_is_warped_to_the_nearest_pixel(tmp_path: Path) -> None:
    east = rasters.grid((60, 80), 10.0, 500_000, 5_600_000, "EPSG:32633")
    to_west = Transformer.from_crs("EPSG:32633", "EPSG:32632", always_xy=True)
    x, y = to_west.transform(500_000, 5_600_000)
    west = GeoBox((60, 70), from_origin(round(x, -1) - 600, round(y, -1), 10, 10), "EPSG:32632")
    own = GENERATOR.integers(1, 5, west.shape).astype(np.uint8)
    paths = [
        rasters.write(tmp_path / "east.tif", np.full((60, 80), 9, np.uint8), east, nodata=0),
        rasters.write(tmp_path / "west.tif", own, west, nodata=0),
    ]
    grid = joining.common_grid([raster.grid(p) for p in paths])
    assert grid.crs == "EPSG:32633"  # the one of more pixels
    assert joining.find_moved(paths, grid) == [paths[1]]
    joined = joining.join(paths, grid).to_numpy()[0]
    # Of each pixel's centre, in the other zone: the pixel that it falls into.
    rows, columns = np.nonzero((joined > 0) & (joined < 9))
    assert len(rows) > 2000
    to_east = Transformer.from_crs("EPSG:32633", "EPSG:32632", always_xy=True)
    xs, ys = to_east.transform(*(grid.affine * (columns + 0.5, rows + 0.5)))
    i, j = ~west.affine * (xs, ys)
    edge = 0.02  # of a pixel: what lies on a border may fall to either side
    inside = (np.abs(i % 1 - 0.5) < 0.5 - edge) & (np.abs(j % 1 - 0.5) < 0.5 - edge)
    np.testing.assert_array_equal(
        joined[rows, columns][inside], own[np.floor(j).astype(int), np.floor(i).astype(int)][inside]
    )


def test_other_pixels_and_far_places_are_refused(tmp_path: Path) -> None:
    near, coarse = rasters.grid((10, 10)), rasters.grid((10, 10), 20.0)
    with pytest.raises(GridError, match="pixels of 10, 20 m"):
        joining.common_grid([near, coarse])
    far = rasters.grid((10, 10), 10.0, 500_000, 9_000_000)
    west = rasters.grid((10, 10), 10.0, 500_000, 5_000_000, "EPSG:32618")
    with pytest.raises(GridError, match="too far apart"):
        joining.common_grid([near, far, west])
