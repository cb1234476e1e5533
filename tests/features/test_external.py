"""Tiles of an export become one raster again; a raster that is off the grid is refused."""

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import files, grids, raster
from lulc_kit.errors import LulcError
from lulc_kit.features import external
from tests.rasters import write

BOX = GeoBox((50, 70), from_origin(500_000, 5_800_000, 10, 10), "EPSG:32633")
WIDE = BOX.pad(15, 10)  # what was exported: more than the grid, on its pixels
VALUES = np.random.default_rng(4).normal(0, 1, (2, *WIDE.shape)).astype(np.float32)
EDGES = {"rows": (0, 32, WIDE.height), "columns": (0, 48, WIDE.width)}


def export(folder, name="canopy", values=VALUES, names=("height", "cover"), **more):
    tiles = []
    for top, bottom in zip(EDGES["rows"], EDGES["rows"][1:], strict=False):
        for left, right in zip(EDGES["columns"], EDGES["columns"][1:], strict=False):
            path = folder / f"{name}-{top:010d}-{left:010d}.tif"
            part = slice(top, bottom), slice(left, right)
            tiles.append(write(path, np.ascontiguousarray(values[:, *part]), WIDE[part], names, **more))
    return tiles


def test_tiles_are_joined_where_they_belong(tmp_path):
    tiles = export(tmp_path)
    path = external.join(tiles[::-1], tmp_path / "out" / "canopy.vrt")
    assert grids.same(raster.grid(path), WIDE)
    found = external.read(path, BOX, chunk=23)
    assert found.band.values.tolist() == ["height", "cover"]
    np.testing.assert_array_equal(found.to_numpy(), VALUES[:, 10:-10, 15:-15])
    with rasterio.open(path) as virtual:  # GDAL itself reads it
        np.testing.assert_array_equal(virtual.read(), VALUES)


def test_what_macos_leaves_beside_tiles_is_none_of_them(tmp_path):
    tiles = export(tmp_path)
    for tile in tiles:  # AppleDouble: resource forks on disks that have none
        (tmp_path / f"._{tile.name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    for pattern in ("*.tif", "*canopy-*", "?*.tif", "[._c]*.tif"):
        assert files.find(f"{tmp_path}/{pattern}") == sorted(tiles)
    path = external.join(files.find(f"{tmp_path}/*.tif"), tmp_path / "out" / "canopy.vrt")
    np.testing.assert_array_equal(external.read(path, BOX).to_numpy(), VALUES[:, 10:-10, 15:-15])


def test_interpolation_across_the_tiles_edges_is_that_of_one_file(tmp_path):
    off = GeoBox((40, 60), from_origin(500_003, 5_799_996, 10, 10), "EPSG:32633")
    joined = external.join(export(tmp_path), tmp_path / "canopy.vrt")
    whole = write(tmp_path / "whole.tif", VALUES, WIDE, ("height", "cover"))
    for align in ("bilinear", "cubic", "nearest"):
        one, other = (external.read(path, off, align=align).to_numpy() for path in (joined, whole))
        assert np.isfinite(one).all()
        np.testing.assert_array_equal(one, other)


def test_bands_are_chosen_and_named(tmp_path):
    path = external.join(export(tmp_path), tmp_path / "canopy.vrt")
    found = external.read(path, BOX, bands=["cover"], prefix="canopy_")
    assert found.band.values.tolist() == ["canopy_cover"]
    np.testing.assert_array_equal(found.to_numpy()[0], VALUES[1, 10:-10, 15:-15])
    nameless = write(tmp_path / "nameless.tif", VALUES, WIDE)
    assert external.read(nameless, BOX).band.values.tolist() == ["band_1", "band_2"]
    with pytest.raises(LulcError, match=r"no band soil\. It has: height, cover"):
        external.read(path, BOX, bands=["soil"])


@pytest.mark.parametrize(
    "box",
    [
        GeoBox((50, 70), from_origin(500_004, 5_800_000, 10, 10), "EPSG:32633"),
        GeoBox((50, 70), from_origin(500_000, 5_800_000, 20, 20), "EPSG:32633"),
        GeoBox((50, 70), from_origin(500_000, 5_800_000, 10, 10), "EPSG:32632"),
        GeoBox((50, 70), from_origin(500_000, 5_800_000, 10.001, 10.001), "EPSG:32633"),
    ],
    ids=["shifted", "coarser", "other CRS", "creeping"],
)
def test_off_the_grid_is_refused_unless_one_says_how_to_align(tmp_path, box):
    path = write(tmp_path / "a.tif", np.ones((1, 50, 70), np.float32), box)
    with pytest.raises(LulcError, match=r"not on the study's grid(?s:.*)found:(?s:.*)expected:(?s:.*)align: bilinear"):
        external.read(path, BOX)
    if box.crs == BOX.crs:
        assert np.nanmax(external.read(path, BOX, align="bilinear").to_numpy()) == 1


def test_no_data_scale_and_what_is_not_covered(tmp_path):
    numbers = np.full((1, 20, 30), 250, np.int16)
    numbers[0, 3, 4] = -1
    path = write(tmp_path / "a.tif", numbers, BOX[:20, :30], nodata=-1, scale=0.5, offset=10.0)
    found = external.read(path, BOX).to_numpy()[0]
    assert found[0, 0] == 135 and np.isnan(found[3, 4])
    assert np.isnan(found[20:]).all() and np.isnan(found[:, 30:]).all()
    silent = write(tmp_path / "b.tif", numbers, BOX[:20, :30])
    assert external.read(silent, BOX).to_numpy()[0, 3, 4] == -1
    assert np.isnan(external.read(silent, BOX, nodata=-1).to_numpy()[0, 3, 4])


def test_a_name_that_two_bands_have_is_refused_unless_none_of_them_is_wanted(tmp_path):
    path = write(tmp_path / "a.tif", np.ones((3, *BOX.shape), np.float32), BOX, ["soil", "soil", "height"])
    with pytest.raises(LulcError, match=r"a\.tif calls several of its bands soil"):
        external.read(path, BOX)
    assert external.read(path, BOX, bands=["height"]).band.values.tolist() == ["height"]


def test_a_missing_tile_is_no_data_or_refused(tmp_path):
    tiles = export(tmp_path / "float")
    found = external.read(external.join(tiles[:-1], tmp_path / "a.vrt"), BOX).to_numpy()
    gap = np.zeros(WIDE.shape, bool)
    gap[32:, 48:] = True
    np.testing.assert_array_equal(np.isnan(found[0]), gap[10:-10, 15:-15])
    whole = export(tmp_path / "int", values=np.ones((1, *WIDE.shape), np.uint8), names=())
    with pytest.raises(LulcError, match=r"3 tile\(s\) cover only .*Fetch the missing tiles"):
        external.join(whole[:-1], tmp_path / "b.vrt")


def test_tiles_that_do_not_belong_together_are_refused(tmp_path):
    tiles = export(tmp_path / "a")
    with pytest.raises(LulcError, match="several exports: canopy, soil"):
        external.join([*tiles, *export(tmp_path / "a", "soil")], tmp_path / "x.vrt")
    with pytest.raises(LulcError, match="not a tile of an Earth Engine export"):
        external.join([tiles[0], write(tmp_path / "other.tif", VALUES, WIDE)], tmp_path / "x.vrt")
    moved = tmp_path / "a" / f"canopy-{0:010d}-{60:010d}.tif"
    tiles[1].rename(moved)
    with pytest.raises(LulcError, match=r"begins at row 0, column 60.*corner lies at row -?0.0, column 48"):
        external.join([tiles[0], moved], tmp_path / "x.vrt")
    other = export(tmp_path / "b", names=("height", "soil"))
    with pytest.raises(LulcError, match="differ in type, nodata, bands or scale"):
        external.join([*tiles[2:], other[0]], tmp_path / "x.vrt")
    assert not (tmp_path / "x.vrt").exists()


def test_tiles_keep_their_scale_and_hide_nothing(tmp_path):
    tiles = export(tmp_path, scale=0.5, offset=1.0)
    found = external.read(external.join(tiles, tmp_path / "x.vrt"), BOX)
    np.testing.assert_allclose(found, VALUES[:, 10:-10, 15:-15] * 0.5 + 1, rtol=1e-6)
    write(tiles[0], VALUES[:, :32, :48], WIDE[:32, :48], ("height", "cover"), scale=0.25)
    with pytest.raises(LulcError, match="differ in type, nodata, bands or scale"):
        external.join(tiles, tmp_path / "x.vrt")
    hidden = export(tmp_path, "hidden")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(hidden[1], "r+") as tile:
        tile.write_mask(np.eye(*tile.shape, dtype=bool))
    with pytest.raises(LulcError, match="hides pixels by a mask"):
        external.join(hidden, tmp_path / "y.vrt")


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.finfo(np.float32).min, 1.7e38])
def test_a_number_that_no_measurement_has_is_none(tmp_path, number):
    values = np.ones(BOX.shape, np.float32)
    values[3, 4] = number
    found = external.read(write(tmp_path / "x.tif", values, BOX, ["x"]), BOX)[0].to_numpy()
    assert np.argwhere(np.isnan(found)).tolist() == [[3, 4]] and np.nanmax(found) == 1


@pytest.mark.parametrize("number", [-9999, -32768])
def test_a_number_that_many_programs_write_for_nodata_is_missing_and_told(tmp_path, number):
    numbers = np.full((2, *BOX.shape), 250, np.int16)
    numbers[0, 3, 4] = number
    path = write(tmp_path / "a.tif", numbers, BOX, ["height", "cover"])
    with pytest.warns(UserWarning, match=rf"pixels of {number} in height and does not say what means nodata"):
        found = external.read(path, BOX).to_numpy()
    assert np.isnan(found[0, 3, 4]) and np.isfinite(found).sum() == found.size - 1
    assert external.read(path, BOX, nodata=-1).to_numpy()[0, 3, 4] == number  # as the warning says
