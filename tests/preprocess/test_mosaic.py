"""Tiles of one date: the best-seen pixel of each, in one UTM zone and across two; the truth is a known field."""

import numpy as np
import pyproj
import pytest
import rasterio
from rasterio.transform import from_origin
from scipy import ndimage

from lulc_kit import raster
from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.cube import Cube, Reason
from lulc_kit.preprocess import builder
from lulc_kit.preprocess.grid import study_grid
from lulc_kit.preprocess.mosaic import clear_distance, mosaic


def masks_by_chance(seed, count=3, shape=(50, 70)):
    generator = np.random.default_rng(seed)
    blobs = ndimage.gaussian_filter(generator.normal(size=(count, *shape)), (0, 3, 3))
    masks = np.where(blobs > 0.06, Reason.CLOUD, Reason.CLEAR).astype(np.uint8)
    masks[0, :, 45:] = Reason.NODATA
    masks[1, :, :20] = Reason.NODATA
    masks[:, 20:23, 30:33] = Reason.SHADOW, Reason.NODATA, Reason.CLOUD
    return list(masks)[::-1]


@pytest.mark.parametrize("resolution", [20.0, 60.0])
def test_each_pixel_comes_from_the_scene_that_shows_it_best(resolution):
    masks = masks_by_chance(int(resolution))
    codes, chosen = mosaic(masks, resolution)

    def rank(mask, r, c):
        if mask[r, c] != Reason.CLEAR:
            return 0.0 if mask[r, c] == Reason.NODATA else 1.0
        rows, columns = np.nonzero(mask != Reason.CLEAR)
        return 2 + min(1000, resolution * np.hypot(rows - r, columns - c).min())

    decided = 0
    for r, c in np.ndindex(codes.shape):
        ranks = np.float32([rank(m, r, c) for m in masks])
        assert chosen[r, c] == ranks.argmax(), (r, c, ranks)
        assert codes[r, c] == masks[ranks.argmax()][r, c]
        decided += (ranks > 2).sum() > 1
    assert decided > 500, "where more than one is clear, the distance decides"
    assert {0, 1, 2} == set(np.unique(chosen))


def test_a_clear_pixel_goes_before_a_masked_one_and_that_before_none():
    one = np.array([[Reason.NODATA, Reason.NODATA, Reason.CLOUD, Reason.CLOUD, Reason.CLEAR]], np.uint8)
    other = np.array([[Reason.NODATA, Reason.SHADOW, Reason.CLEAR, Reason.NODATA, Reason.CLEAR]], np.uint8)
    codes, chosen = mosaic([one, other], 2000.0)  # so far apart that the distances are alike
    assert codes.tolist() == [[Reason.NODATA, Reason.SHADOW, Reason.CLEAR, Reason.CLOUD, Reason.CLEAR]]
    assert chosen.tolist() == [[0, 1, 1, 0, 0]]


def test_distances_do_not_depend_on_the_blocks():
    from dask import array as da

    (mask, *_) = masks_by_chance(3)
    whole = clear_distance(mask, 60.0).compute()
    assert whole.max() > 200
    for chunk in (9, 16, 31):
        found = clear_distance(da.from_array(mask, chunk), 60.0)
        assert found.chunks == da.from_array(mask, chunk).chunks
        np.testing.assert_array_equal(found.compute(), whole)


def test_an_area_smaller_than_the_reach():
    """A field of 40 m × 200 m in the overlap of two tiles: the distances of 1 km go far beyond it."""
    one, other = np.full((2, 4, 20), Reason.CLEAR, np.uint8)
    one[:, 0], other[:, -1] = Reason.CLOUD, Reason.CLOUD
    _, chosen = mosaic([one, other], 10.0)
    np.testing.assert_array_equal(chosen, np.tile(np.arange(20) < 10, (4, 1)))


# ---- two neighbouring UTM zones ----

ZONES = (32632, 32633)
MERIDIAN, NORTH = 12.0, 5_000_000.0  # the zones meet at 12° east
SIZE = 240


def field(x, y):
    """Reflectance at places in EPSG:32633: waves of 300 and 400 m."""
    return 0.21 + 0.1 * np.sin(2 * np.pi * x / 400) + 0.1 * np.cos(2 * np.pi * y / 300 + x / 500)


# Bilinear interpolation errs by at most h²/8 (|f_uu| + |f_vv|); 5·10⁻⁵ bounds the second derivatives of the field.
INTERPOLATION = 10**2 / 8 * 2 * 5e-5
ROUNDING = 1e-4  # of the product's numbers, and again of the cube's


def places(epsg, left, top, resolution=10.0, size=SIZE):
    """Centres of a tile's pixels in EPSG:32633."""
    x, y = np.meshgrid(left + (np.arange(size) + 0.5) * resolution, top - (np.arange(size) + 0.5) * resolution)
    return pyproj.Transformer.from_crs(epsg, 32633, always_xy=True).transform(x, y)


def corner(epsg, east_of_meridian):
    easting, northing = pyproj.Transformer.from_crs(32633, epsg, always_xy=True).transform(
        *pyproj.Transformer.from_crs(4326, 32633, always_xy=True).transform(MERIDIAN, 45.14)
    )
    return round((easting + east_of_meridian) / 60) * 60.0, round(northing / 60) * 60.0 + 1200


def save(path, numbers, epsg, left, top, resolution):
    profile = {"driver": "GTiff", "count": 1, "crs": epsg, "transform": from_origin(left, top, resolution, resolution)}
    with rasterio.open(
        path, "w", height=numbers.shape[0], width=numbers.shape[1], dtype=numbers.dtype, **profile
    ) as target:
        target.write(numbers, 1)
    return path


@pytest.fixture(scope="module")
def zones(tmp_path_factory):
    """Tiles west and east of the meridian, overlapping by 600 m; each has a cloud there, and one place both."""
    folder = tmp_path_factory.mktemp("zones")
    scenes, clouds = [], {}
    x0, y0 = places(32633, *corner(32633, 0), size=1)
    for number, (epsg, east) in enumerate(zip(ZONES, (-2100, -300), strict=True)):
        left, top = corner(epsg, east)
        x, y = places(epsg, left, top)
        covered = np.zeros((SIZE, SIZE), bool)
        for dy in ((-500, -900), (-1500, -900))[number]:
            covered |= np.hypot(x - x0, y - (y0 + dy)) < 90
        numbers = np.where(covered, 9500, np.rint(field(x, y) * 10000)).astype(np.uint16)
        scl = np.where(covered.reshape(SIZE // 2, 2, -1, 2).any(axis=(1, 3)), 9, 4).astype(np.uint8)
        path = save(folder / f"{epsg}.tif", numbers, epsg, left, top, 10)
        codes = Band.of(save(folder / f"{epsg}-scl.tif", scl, epsg, left, top, 20), nodata=0)
        scenes.append(
            Scene("2022-06-01", "L2A", {"B8": Band.of(path, 1, 0.0001, 0.0, 0)}, scl=codes, tile=f"{32 + number}TQQ")
        )
        clouds[epsg] = covered
    return scenes, (x0.item(), y0.item())


@pytest.fixture(scope="module")
def joined(zones, tmp_path_factory):
    scenes, middle = zones
    folder = tmp_path_factory.mktemp("cube")
    geobox = study_grid(Catalog(scenes), crs="EPSG:32633")
    # Interpolation brings a cloud one pixel farther than the nearest scene class does.
    builder.build(Catalog(scenes), geobox, folder, mask="scl", scl_exclude=[9], mask_buffer=20)
    return folder, geobox, middle


def inside(scene, geobox, margin):
    """Which pixels of the grid have their centre in a tile, `margin` metres from its edge."""
    box = raster.grid(scene.bands["B8"].path)
    x, y = np.meshgrid(*(geobox.coordinates[a].values for a in ("x", "y")))
    u, v = pyproj.Transformer.from_crs(32633, box.crs.to_epsg(), always_xy=True).transform(x, y)
    b = box.boundingbox
    return (u > b.left + margin) & (u < b.right - margin) & (v > b.bottom + margin) & (v < b.top - margin)


def test_tiles_of_two_zones_give_the_field_back_without_a_seam(zones, joined):
    scenes, _ = zones
    folder, geobox, (x0, y0) = joined
    assert [raster.grid(s.bands["B8"].path).crs.to_epsg() for s in scenes] == list(ZONES)
    x, y = np.meshgrid(*(geobox.coordinates[a].values for a in ("x", "y")))
    codes = raster.read_codes(folder / "2022-06-01_mask.tif").to_numpy()[0]
    found = Cube(folder).clear("2022-06-01").to_numpy()[0]
    both = np.hypot(x - x0, y - (y0 - 900))
    safe = [inside(s, geobox, 10) for s in scenes]
    assert (safe[0] & safe[1]).sum() > 8000, "they overlap"
    covered = safe[0] | safe[1]
    assert (codes[covered & (both > 150)] == Reason.CLEAR).all(), "a cloud over one tile alone is not in the mosaic"
    assert (codes[both < 60] == Reason.CLOUD).all()
    assert (codes[~inside(scenes[0], geobox, -10) & ~inside(scenes[1], geobox, -10)] == Reason.NODATA).all()
    known = covered & (codes == Reason.CLEAR)
    error = np.abs(found - field(x, y))[known]
    assert error.max() < INTERPOLATION + ROUNDING
    # Half a pixel off would be seen.
    assert np.abs(field(x, y) - field(x + 5, y))[known].max() > 5 * (INTERPOLATION + ROUNDING)


def test_a_grid_in_the_other_zone_gives_the_same_field(zones, tmp_path):
    scenes, _ = zones
    geobox = study_grid(Catalog(scenes), crs="EPSG:32632")
    builder.build(Catalog(scenes), geobox, tmp_path, mask="scl", scl_exclude=[9], mask_buffer=20)
    found = Cube(tmp_path).clear("2022-06-01").to_numpy()[0]
    x, y = np.meshgrid(*(geobox.coordinates[a].values for a in ("x", "y")))
    x, y = pyproj.Transformer.from_crs(32632, 32633, always_xy=True).transform(x, y)
    inner = ndimage.binary_erosion(np.isfinite(found), iterations=2)
    assert inner.sum() > 1.5 * SIZE**2
    assert np.abs(found - field(x, y))[inner].max() < INTERPOLATION + ROUNDING


def test_a_tile_beside_the_area_is_left_alone(zones, tmp_path):
    scenes, (x0, y0) = zones
    geobox = study_grid(Catalog(scenes), crs="EPSG:32633", bbox=[x0 + 800, y0 - 1000, x0 + 1500, y0])
    table = builder.build(Catalog(scenes), geobox, tmp_path, mask="scl", scl_exclude=[9])
    assert table.loc[0, "clear"] == 1
    other = [Scene("2022-07-01", s.level, s.bands, s.scl) for s in scenes[:1]]
    table = builder.build(Catalog([*scenes, *other]), geobox, tmp_path, mask="scl", scl_exclude=[9])
    assert table["in the cube"].tolist() == [True, False]


def test_the_grid_has_the_pixels_of_the_tile_in_its_own_zone(zones):
    scenes, _ = zones
    for epsg, scene in zip(ZONES, scenes, strict=True):
        geobox = study_grid(Catalog(scenes), crs=f"EPSG:{epsg}")
        own = raster.grid(scene.bands["B8"].path)
        column, row = ~own.affine * (geobox.affine.c, geobox.affine.f)
        assert (column, row) == pytest.approx((round(column), round(row)), abs=1e-9)
