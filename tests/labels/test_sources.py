"""Labels: polygons against shapely's own point-in-polygon test, rasters by nearest neighbour, bad input refused."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from shapely.geometry import GeometryCollection, LineString, MultiPolygon, Point, Polygon, box

from lulc_kit import classes
from lulc_kit.errors import LulcError
from lulc_kit.labels import sources as labels
from lulc_kit.labels.sources import Labels
from tests.rasters import grid, write

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the development data are not in {SHARED}")
SCHEME = classes.scheme("workflow")
GRID = GeoBox((60, 80), from_origin(500_000, 5_000_600, 10, 10), "EPSG:32633")
WANTED = {"Forest": ["forest"], "Water": ["lake", "river"], "Meadow": ["grass"]}


def centres():
    x, y = GRID.affine * np.meshgrid(np.arange(80) + 0.5, np.arange(60) + 0.5)
    return shapely.points(x, y)


def blob(x, y, radius, seed):
    """A star-shaped polygon whose corners lie nowhere in particular."""
    generator = np.random.default_rng(seed)
    angle = np.sort(generator.uniform(0, 2 * np.pi, 17))
    r = radius * generator.uniform(0.4, 1, 17)
    return Polygon(np.column_stack([x + r * np.cos(angle), y + r * np.sin(angle)]))


def polygons():
    ring = Point(500_600.3, 5_000_150.7).buffer(90).difference(Point(500_600.3, 5_000_150.7).buffer(41))
    several = MultiPolygon([blob(500_100, 5_000_120, 60, 7), blob(500_250, 5_000_100, 50, 8)])
    rows = [
        ("forest", blob(500_200, 5_000_400, 150, 1)),
        ("lake", blob(500_330, 5_000_420, 120, 2)),  # overlaps the forest: contested
        ("grass", ring),
        ("river", several),
        ("forest", blob(500_230, 5_000_380, 100, 3)),  # overlaps the other forest: not contested
        ("quarry", blob(500_700, 5_000_500, 60, 4)),  # not wanted
        ("forest", LineString([(500_000, 5_000_000), (500_800, 5_000_600)])),  # no area
        ("forest", None),
    ]
    return gpd.GeoDataFrame({"kind": [r[0] for r in rows]}, geometry=[r[1] for r in rows], crs="EPSG:32633")


def truth(frame, wanted=WANTED):
    """What each pixel's centre lies in, worked out point by point."""
    points = centres()
    value, claimed = np.zeros(GRID.shape, int), np.zeros(GRID.shape, int)
    for name, kinds in wanted.items():
        inside = np.zeros(GRID.shape, bool)
        for shape in frame.geometry[frame["kind"].isin(kinds)]:
            if shape is not None and shape.area > 0:
                inside |= shapely.contains(shape, points)
        value[inside] = SCHEME.named(name).value
        claimed += inside
    return np.where(claimed > 1, 0, value), claimed


@pytest.fixture
def file(tmp_path):
    polygons().to_file(tmp_path / "x.gpkg", driver="GPKG")
    return tmp_path / "x.gpkg"


def test_a_pixel_has_the_class_of_the_polygon_that_holds_its_centre(file):
    found = labels.read(file, GRID, SCHEME, WANTED, field="kind")
    expected, claimed = truth(polygons())
    assert (claimed > 1).sum() > 20, "the case must hold contested pixels"
    np.testing.assert_array_equal(found.values, expected)
    assert found.values.dtype == np.uint8
    assert found.scheme == SCHEME and found.geobox == GRID


def test_source_is_the_number_of_a_polygon_of_that_class_that_holds_the_centre(file):
    found = labels.read(file, GRID, SCHEME, WANTED, field="kind")
    assert ((found.source > 0) == (found.values > 0)).all()
    frame, points = polygons(), centres()
    assert set(np.unique(found.source)) == {0, 1, 2, 3, 4, 5}
    for number in (1, 2, 3, 4, 5):
        assert shapely.contains(frame.geometry[number - 1], points[found.source == number]).all()


def test_polygons_in_another_crs_are_brought_to_the_grid(file, tmp_path):
    polygons().to_crs(4326).to_file(tmp_path / "wgs.geojson", driver="GeoJSON")
    near = labels.read(tmp_path / "wgs.geojson", GRID, SCHEME, WANTED, field="kind").values
    exact = labels.read(file, GRID, SCHEME, WANTED, field="kind").values
    # GeoJSON rounds coordinates to 7 digits, a centimetre; edges may fall to the other side of a centre.
    assert (near != exact).sum() <= 2


def test_ranges_of_numbers_hold_both_ends(tmp_path):
    frame = gpd.GeoDataFrame(
        {"cover": [20.0, 20.5, 60.0, 100.0]},
        geometry=[box(500_000 + i * 200, 5_000_000, 500_200 + i * 200, 5_000_600) for i in range(4)],
        crs="EPSG:32633",
    )
    frame.to_file(tmp_path / "x.gpkg", driver="GPKG")
    wanted = {"Meadow": [[0, 20]], "Forest": [[60, 100]]}
    found = labels.read(tmp_path / "x.gpkg", GRID, SCHEME, wanted, field="cover")
    assert [np.unique(found.values[:, i * 20 : i * 20 + 20]).tolist() for i in range(4)] == [[4], [0], [3], [3]]


def test_bad_polygon_input_says_what_is_there(file, tmp_path):
    def read(path=file, wanted=WANTED, grid=GRID, **options):
        return labels.read(path, grid, SCHEME, wanted, **{"field": "kind"} | options)

    with pytest.raises(LulcError, match="does not exist"):
        read(tmp_path / "no.gpkg")
    with pytest.raises(LulcError, match=r"no field 'fclass'.*kind"):
        read(field="fclass")
    with pytest.raises(LulcError, match=r"no layer 'y'.*x"):
        read(layer="y")
    with pytest.raises(LulcError, match=r"Forest: none of \['wood'\].*forest, grass, lake"):
        read(wanted={"Forest": ["wood"]})
    with pytest.raises(LulcError, match=r"'Sea' is not in the scheme"):
        read(wanted={"Sea": ["lake"]})
    with pytest.raises(LulcError, match=r"'lake'|lake.*already"):
        read(wanted={"Water": ["lake"], "Forest": ["lake"]})
    with pytest.raises(LulcError, match=r"the features:(?s:.*)the grid:"):
        read(grid=GeoBox((10, 10), from_origin(600_000, 5_000_000, 10, 10), "EPSG:32633"))
    polygons().to_file(file, layer="second", driver="GPKG")
    with pytest.raises(LulcError, match=r"2 layers: x, second"):
        read()
    assert read(layer="second").values.any()
    (tmp_path / "text.gpkg").write_text("no polygons")
    with pytest.raises(LulcError, match="not a vector file"):
        read(tmp_path / "text.gpkg")


def test_a_file_without_crs_is_refused(tmp_path):
    polygons().iloc[:4].set_crs(None, allow_override=True).to_file(tmp_path / "x.shp")
    with pytest.raises(LulcError, match=r"no CRS.*Set it"):
        labels.read(tmp_path / "x.shp", GRID, SCHEME, WANTED, field="kind")


def test_a_range_over_words_and_an_empty_range_are_refused(file):
    with pytest.raises(LulcError, match=r"Forest.*range.*words"):
        labels.read(file, GRID, SCHEME, {"Forest": [[60, 100]]}, field="kind")
    with pytest.raises(LulcError, match=r"\[100, 60\] is empty"):
        labels.read(file, GRID, SCHEME, {"Forest": [[100, 60]]}, field="kind")


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 255), ("float32", -9999.0), ("int16", None)])
def test_raster_on_the_grid_is_translated_value_by_value(tmp_path, dtype, nodata):
    numbers = np.random.default_rng(1).integers(0, 101, GRID.shape).astype(dtype)
    if nodata is not None:
        numbers[:5] = nodata
    path = write(tmp_path / "cover.tif", numbers, GRID, nodata=nodata)
    found = labels.read(path, GRID, SCHEME, {"Forest": [[60, 100]], "Meadow": [[0, 20], 40]})
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
    found = labels.read(path, GRID, SCHEME, {"Forest": [[0, 100]]})
    assert not found.values[:30].any()
    assert (found.values[30:] == 3).all()


def test_raster_in_another_crs_comes_by_nearest_neighbour(tmp_path):
    step, left, top = 0.00018, 15.002, 45.17
    numbers = np.random.default_rng(1).choice(np.array([10, 30, 80], np.uint8), (200, 200))
    path = write(tmp_path / "wc.tif", numbers, grid(numbers.shape, step, left, top, "EPSG:4326"))
    found = labels.read(path, GRID, SCHEME, {"Forest": [10], "Meadow": [30], "Water": [80]})
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
        labels.read(path, GRID, SCHEME, {"Forest": [[60, 100]]})


def small(values):
    values = np.array(values, np.uint8)
    geobox = GeoBox(values.shape, GRID.affine, "EPSG:32633")
    return Labels(values, np.arange(1, values.size + 1, dtype=np.uint32).reshape(values.shape), geobox, SCHEME)


def test_usable_drops_labels_without_features():
    valid = np.array([[True, False, True], [True, True, True]])
    found = labels.usable(small([[1, 1, 2], [0, 2, 1]]), valid)
    assert found.values.tolist() == [[1, 0, 2], [0, 2, 1]]
    assert found.source.tolist() == [[1, 0, 3], [0, 5, 6]]


def test_usable_refuses_a_lost_class_and_a_single_one():
    with pytest.raises(LulcError, match=r"No pixel of Farmland is left"):
        labels.usable(small([[1, 2, 3]]), np.array([[True, False, True]]))
    with pytest.raises(LulcError, match="single class"):
        labels.usable(small([[1, 1, 0]]), np.ones((1, 3), bool))


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
    found = labels.read(path, box, SCHEME, wanted)
    clear = (np.abs(column - column.round()) > 0.01) & (np.abs(row - row.round()) > 0.01)
    expected = np.zeros(codes.shape, int)
    for name, values in names.items():
        expected[np.isin(codes, values)] = SCHEME.named(name).value
    np.testing.assert_array_equal(found.values[clear], expected[clear])


def test_every_feature_and_value_is_accounted_for(tmp_path):
    """Points count as the pixel that holds them, collections are taken apart, and what is left out is said."""
    west, north = 500_000, 5_000_600
    far = Point(west + 5, north - 405)
    right, low = west + 500, north - 500
    bow_tie = Polygon([(west + 400, north - 400), (right, low), (right, north - 400), (west + 400, low)])
    shapes = [
        ("forest", box(west, north - 100, west + 100, north)),
        ("forest", Point(west + 205, north - 5)),
        ("forest ", box(west + 300, north - 100, west + 400, north)),
        ("lake", GeometryCollection([box(west + 100, north - 300, west + 200, north - 200), far])),
        ("lake", box(west + 302, north - 308, west + 304, north - 306)),
        ("lake", LineString([(west, north), (west + 500, north)])),
        ("lake", box(west - 900, north, west - 800, north + 100)),
        ("grass", bow_tie),
        (None, None),
    ]  # fmt: skip
    frame = gpd.GeoDataFrame({"kind": [k for k, _ in shapes]}, geometry=[g for _, g in shapes], crs="EPSG:32633")
    frame.to_file(tmp_path / "x.gpkg")
    with pytest.warns(UserWarning, match=r"2 features of x\.gpkg have no label.*'forest ' \(1\)"):
        found = labels.read(
            tmp_path / "x.gpkg",
            GRID,
            SCHEME,
            {"Forest": ["forest"], "Water": ["lake"], "Meadow": ["grass"]},
            field="kind",
        )
    account = found.account.groupby(["class", "became"])[["features", "pixels"]].sum()
    assert account.loc[("Forest", labels.LABELLED)].tolist() == [2, 101]
    assert account.loc[("Water", labels.LABELLED)].tolist() == [1, 101]
    for fate in (labels.SMALL, labels.LINE, labels.OUTSIDE):
        assert account.loc[("Water", fate)].tolist() == [1, 0]
    assert account.loc[("–", labels.UNNAMED), "features"] == 2
    assert account["features"].sum() == len(shapes)
    assert account["pixels"].sum() == (found.values > 0).sum()
    assert 30 <= account.loc[("Meadow", labels.LABELLED), "pixels"] <= 60  # the bow tie is two triangles


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (box(500_302, 5_000_292, 500_304, 5_000_294), "too small to hold a pixel's centre"),
        (LineString([(500_000, 5_000_000), (500_500, 5_000_000)]), "a line"),
        (box(499_000, 5_000_000, 499_100, 5_000_100), "outside the study's grid"),
        (box(500_010, 5_000_510, 500_090, 5_000_590), "claimed by another class"),
    ],
)
def test_a_class_that_was_asked_for_is_not_lost(tmp_path, shape, why):
    frame = gpd.GeoDataFrame(
        {"kind": ["forest", "grass", "lake"]},
        geometry=[box(500_000, 5_000_500, 500_100, 5_000_600), box(500_200, 5_000_500, 500_300, 5_000_600), shape],
        crs="EPSG:32633",
    )
    frame.to_file(tmp_path / "x.gpkg")
    wanted = {"Forest": ["forest"], "Water": ["lake"], "Meadow": ["grass"]}
    with pytest.raises(LulcError, match=f"No pixel of Water would be labelled.*{why}"):
        labels.read(tmp_path / "x.gpkg", GRID, SCHEME, wanted, field="kind")


def test_codes_that_are_text_are_named_as_such(tmp_path):
    frame = gpd.GeoDataFrame({"kind": ["311"]}, geometry=[box(500_000, 5_000_500, 500_100, 5_000_600)], crs=32633)
    frame.to_file(tmp_path / "x.gpkg")
    with pytest.raises(LulcError, match="They are text: write them in quotes"):
        labels.read(tmp_path / "x.gpkg", GRID, SCHEME, {"Forest": [311]}, field="kind")
