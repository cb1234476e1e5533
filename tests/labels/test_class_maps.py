"""Labels from class maps: value by value, by nearest neighbour, where several agree."""

from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes
from lulc_kit.classes import LandClass
from lulc_kit.errors import LulcError
from lulc_kit.labels import class_maps
from lulc_kit.labels.sources import LABELLED, UNNAMED
from tests.rasters import grid, write

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the development data are not in {SHARED}")
SCHEME = classes.scheme("workflow")
GRID = GeoBox((60, 80), from_origin(500_000, 5_000_600, 10, 10), "EPSG:32633")


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 255), ("float32", -9999.0), ("int16", None)])
def test_raster_on_the_grid_is_translated_value_by_value(tmp_path, dtype, nodata):
    numbers = np.random.default_rng(1).integers(0, 101, GRID.shape).astype(dtype)
    if nodata is not None:
        numbers[:5] = nodata
    path = write(tmp_path / "cover.tif", numbers, GRID, nodata=nodata)
    found = class_maps.read([path], GRID, SCHEME, {"Forest": [[60, 100]], "Meadow": [[0, 20], 40]})
    cover = numbers.astype(float)
    expected = np.select([(cover >= 60) & (cover <= 100), (cover >= 0) & (cover <= 20) | (cover == 40)], [3, 4], 0)
    if nodata is not None:
        expected[:5] = 0
    np.testing.assert_array_equal(found.values, expected)
    assert not found.source.any()


def test_nodata_of_a_raster_is_no_label_even_where_a_range_holds_it(tmp_path):
    numbers = np.full(GRID.shape, 70, np.uint8)
    numbers[:30] = 0
    path = write(tmp_path / "cover.tif", numbers, GRID, nodata=0)
    found = class_maps.read([path], GRID, SCHEME, {"Forest": [[0, 100]]})
    assert not found.values[:30].any()
    assert (found.values[30:] == 3).all()


def test_raster_in_another_crs_comes_by_nearest_neighbour(tmp_path):
    step, left, top = 0.00018, 15.002, 45.17
    numbers = np.random.default_rng(1).choice(np.array([10, 30, 80], np.uint8), (200, 200))
    path = write(tmp_path / "wc.tif", numbers, grid(numbers.shape, step, left, top, "EPSG:4326"))
    found = class_maps.read([path], GRID, SCHEME, {"Forest": [10], "Meadow": [30], "Water": [80]})
    x, y = GRID.affine * np.meshgrid(np.arange(80) + 0.5, np.arange(60) + 0.5)
    longitude, latitude = pyproj.Transformer.from_crs(32633, 4326, always_xy=True).transform(x, y)
    column, row = (longitude - left) / step, (top - latitude) / step
    inside = (column > 0) & (column < 200) & (row > 0) & (row < 200)
    assert 0.5 < inside.mean() < 1
    assert not found.values[(column < -0.01) | (row < -0.01)].any()
    clear = inside & (np.abs(column - column.round()) > 0.01) & (np.abs(row - row.round()) > 0.01)
    codes = numbers[np.clip(row.astype(int), 0, 199), np.clip(column.astype(int), 0, 199)]
    expected = np.select([codes == 10, codes == 30, codes == 80], [3, 4, 5])
    np.testing.assert_array_equal(found.values[clear], expected[clear])


def test_a_raster_without_a_wanted_value_is_refused(tmp_path):
    path = write(tmp_path / "x.tif", np.full(GRID.shape, 7, np.uint8), GRID)
    with pytest.raises(LulcError, match=r"Forest: none of \[\[60, 100\]\].*7"):
        class_maps.read([path], GRID, SCHEME, {"Forest": [[60, 100]]})


@pytest.mark.shared
@needs_shared
def test_real_worldcover_becomes_the_workflow_s_classes():
    path = SHARED / "worldcover_saotome/worldcover_2021_v200_saotome_10m.tif"
    box = GeoBox((300, 300), from_origin(232_000, 38_000, 10, 10), "EPSG:32632")
    x, y = np.meshgrid(232_005 + 10 * np.arange(300), 37_995 - 10 * np.arange(300))
    longitude, latitude = pyproj.Transformer.from_crs(32632, 4326, always_xy=True).transform(x, y)
    with rasterio.open(path) as source:
        left, step, top = source.transform.c, source.transform.a, source.transform.f
        column, row = (longitude - left) / step, (top - latitude) / step
        codes = source.read(1)[row.astype(int), column.astype(int)]
    names = {
        "Build-up": [50],
        "Farmland": [40],
        "Forest": [10, 95],
        "Meadow": [20, 30],
        "Water": [80],
        "Other land": [60, 70, 90, 100],
    }
    wanted = {name: [v for v in values if (codes == v).any()] for name, values in names.items()}
    wanted = {name: values for name, values in wanted.items() if values}
    assert {"Forest", "Build-up", "Meadow"} <= set(wanted), "the window shows a town and the land around"
    found = class_maps.read([path], box, SCHEME, wanted)
    clear = (np.abs(column - column.round()) > 0.01) & (np.abs(row - row.round()) > 0.01)
    expected = np.zeros(codes.shape, int)
    for name, values in names.items():
        expected[np.isin(codes, values)] = SCHEME.find(name).value
    np.testing.assert_array_equal(found.values[clear], expected[clear])


def test_every_value_is_a_class_under_the_name_that_the_file_gives_it(tmp_path):
    numbers = np.random.default_rng(1).integers(0, 5, GRID.shape).astype(np.uint8)
    path = write(tmp_path / "x.tif", numbers, GRID)
    named = {2.0: LandClass(2, "Moor", "#112233"), 4.0: LandClass(4, "Düne", "#445566")}
    found = class_maps.read([path], GRID, None, None, named)
    assert [(c.value, c.name) for c in found.scheme.classes] == [(1, "1"), (2, "Moor"), (3, "3"), (4, "Düne")]
    assert found.scheme.find("Moor").colour == "#112233"
    np.testing.assert_array_equal(found.values, numbers)  # 0 is no label


def test_values_beyond_255_are_numbered_anew(tmp_path):
    numbers = np.random.default_rng(1).choice(np.array([111, 312, 511], np.uint16), GRID.shape)
    found = class_maps.read([write(tmp_path / "x.tif", numbers, GRID)], GRID, None, None)
    assert found.scheme.names == ("111", "312", "511") and found.scheme.values == (1, 2, 3)
    np.testing.assert_array_equal(found.values, np.searchsorted([111, 312, 511], numbers) + 1)


def test_more_classes_than_a_map_holds_are_refused(tmp_path):
    numbers = np.arange(GRID.shape[0] * GRID.shape[1], dtype=np.int16).reshape(GRID.shape)
    with pytest.raises(LulcError, match="4799 classes.*at most 255"):
        class_maps.read([write(tmp_path / "x.tif", numbers, GRID)], GRID, None, None)


def test_several_maps_label_where_they_agree(tmp_path):
    one, two = np.random.default_rng(2).integers(1, 4, (2, *GRID.shape)).astype(np.uint8)
    paths = [write(tmp_path / f"{i}.tif", n, GRID) for i, n in enumerate((one, two))]
    found = class_maps.read(paths, GRID, None, None)
    np.testing.assert_array_equal(found.values, np.where(one == two, one, 0))
    counts = found.account.groupby("became")["pixels"].sum()
    assert counts[LABELLED] == (one == two).sum() and counts[class_maps.DISAGREED] == (one != two).sum()
    apart = write(tmp_path / "apart.tif", (one % 3 + 1).astype(np.uint8), GRID)
    with pytest.raises(LulcError, match="agree nowhere"):
        class_maps.read([paths[0], apart], GRID, None, None)


def test_a_class_on_which_maps_agree_nowhere_is_not_lost_in_silence(tmp_path):
    one, two = np.full((2, *GRID.shape), 10, np.uint8)
    one[:9, :9], two[-9:, -9:] = 80, 80
    paths = [write(tmp_path / f"{i}.tif", n, GRID) for i, n in enumerate((one, two))]
    with pytest.raises(LulcError, match="The 2 maps agree nowhere on Water"):
        class_maps.read(paths, GRID, SCHEME, {"Forest": [10], "Water": [80]})


def test_what_no_class_names_is_in_the_account(tmp_path):
    numbers = np.full(GRID.shape, 7, np.uint8)
    numbers[:6] = 3
    found = class_maps.read([write(tmp_path / "x.tif", numbers, GRID)], GRID, SCHEME, {"Forest": [3]})
    assert found.account.set_index("became")["pixels"].to_dict() == {LABELLED: 480, UNNAMED: 4320}


def test_borders_of_a_map_label_nothing_and_are_counted(tmp_path):
    numbers = np.full(GRID.shape, 10, np.uint8)
    numbers[:, 40:] = 80
    numbers[30:40, 10:20] = 50  # no class of ours, and no reason to trust what lies beside it
    numbers[:10, :10] = 255  # not known
    path = write(tmp_path / "wc.tif", numbers, GRID, nodata=255)
    wanted = {"Forest": [10], "Water": [80]}
    found = class_maps.read([path], GRID, SCHEME, wanted, homogeneous=3)
    expected = np.where(numbers == 10, 3, np.where(numbers == 80, 5, 0))
    expected[:, 39:41] = 0
    expected[29:41, 9:21] = 0
    np.testing.assert_array_equal(found.values, expected)
    dropped = found.account[found.account["became"] == class_maps.BORDER].set_index("class")["pixels"]
    assert dropped.to_dict() == {"Forest": 60 + 12 * 12 - 10 * 10, "Water": 60}
    same = class_maps.read([path, path], GRID, SCHEME, wanted, homogeneous=3)
    np.testing.assert_array_equal(same.values, found.values)


def test_a_class_without_a_homogeneous_place_is_named(tmp_path):
    numbers = np.full(GRID.shape, 10, np.uint8)
    numbers[::2, 5] = 80
    path = write(tmp_path / "wc.tif", numbers, GRID)
    with pytest.raises(LulcError, match="homogeneous: nowhere are 5 × 5 pixels together of class Water"):
        class_maps.read([path], GRID, SCHEME, {"Forest": [10], "Water": [80]}, homogeneous=5)


def test_a_map_of_several_bands_is_refused(tmp_path):
    """A picture of a map, or a year beside another: the first band would be taken for the classes."""
    path = write(tmp_path / "picture.tif", np.ones((3, *GRID.shape), np.uint8), GRID)
    with pytest.raises(LulcError, match=r"has 3 bands \(band_1, band_2, band_3\), and a class map has one"):
        class_maps.read([path], GRID, SCHEME, {"Forest": [1]})


def test_a_map_of_numbers_means_what_its_scale_says(tmp_path):
    path = write(tmp_path / "cover.tif", np.repeat(np.array([[10], [90]], np.uint8), 4, axis=1), scale=0.01, offset=0.5)
    found = class_maps.read([path], grid((2, 4)), SCHEME, {"Meadow": [[0.5, 1]], "Forest": [[1, 1.5]]})
    assert found.values.tolist() == [[4] * 4, [3] * 4]
