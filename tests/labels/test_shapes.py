"""Labels from shapes: against shapely's own point-in-polygon test; every feature accounted for; bad input refused."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from shapely.geometry import GeometryCollection, LineString, MultiPolygon, Point, Polygon, box

from lulc_kit import classes
from lulc_kit.errors import LulcError
from lulc_kit.intake import vectors
from lulc_kit.labels import shapes, splits
from lulc_kit.labels.sources import LABELLED, UNNAMED
from lulc_kit.labels.splitters import BlockSplit

SCHEME = classes.scheme("workflow")
GRID = GeoBox((60, 80), from_origin(500_000, 5_000_600, 10, 10), "EPSG:32633")
WANTED = {"Forest": ["forest"], "Water": ["lake", "river"], "Meadow": ["grass"]}


def read(path, grid=GRID, scheme=SCHEME, wanted=WANTED, *, field="kind", layer=None, **options):
    """Label a grid by one file."""
    found = vectors.read(path, layer=layer, parameters="05_samples.yaml")
    return shapes.burn(shapes.gather([(found, None)], field, grid), grid, scheme, wanted, **options)


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
        value[inside] = SCHEME.find(name).value
        claimed += inside
    return np.where(claimed > 1, 0, value), claimed


@pytest.fixture
def file(tmp_path):
    polygons().to_file(tmp_path / "x.gpkg", driver="GPKG")
    return tmp_path / "x.gpkg"


def test_a_pixel_has_the_class_of_the_polygon_that_holds_its_centre(file):
    found = read(file, GRID, SCHEME, WANTED, field="kind")
    expected, claimed = truth(polygons())
    assert (claimed > 1).sum() > 20, "the case must hold contested pixels"
    np.testing.assert_array_equal(found.values, expected)
    assert found.values.dtype == np.uint8
    assert found.scheme == SCHEME and found.geobox == GRID


def test_source_is_the_number_of_a_polygon_of_that_class_that_holds_the_centre(file):
    """The second part of the fourth feature has the number after the last feature."""
    found = read(file, GRID, SCHEME, WANTED, field="kind")
    assert ((found.source > 0) == (found.values > 0)).all()
    frame, points = polygons(), centres()
    parts = {n: frame.geometry[n - 1] for n in (1, 2, 3, 5)}
    parts |= dict(zip((4, len(frame) + 1), shapely.get_parts(frame.geometry[3]), strict=True))
    assert set(np.unique(found.source)) == {0, *parts}
    for number, part in parts.items():
        assert shapely.contains(part, points[found.source == number]).all()


def test_polygons_in_another_crs_are_brought_to_the_grid(file, tmp_path):
    polygons().to_crs(4326).to_file(tmp_path / "wgs.geojson", driver="GeoJSON")
    near = read(tmp_path / "wgs.geojson", GRID, SCHEME, WANTED, field="kind").values
    exact = read(file, GRID, SCHEME, WANTED, field="kind").values
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
    found = read(tmp_path / "x.gpkg", GRID, SCHEME, wanted, field="cover")
    assert [np.unique(found.values[:, i * 20 : i * 20 + 20]).tolist() for i in range(4)] == [[4], [0], [3], [3]]


def test_bad_polygon_input_says_what_is_there(file, tmp_path):
    with pytest.raises(LulcError, match="does not exist"):
        read(tmp_path / "no.gpkg")
    with pytest.raises(LulcError, match=r"no field 'fclass'.*kind"):
        read(file, field="fclass")
    with pytest.raises(LulcError, match=r"no layer 'y'.*x"):
        read(file, layer="y")
    with pytest.raises(LulcError, match=r"Forest: none of \['wood'\].*forest, grass, lake"):
        read(file, wanted={"Forest": ["wood"]})
    with pytest.raises(LulcError, match=r"'Sea' is not in the scheme"):
        read(file, wanted={"Sea": ["lake"]})
    with pytest.raises(LulcError, match=r"'lake'|lake.*already"):
        read(file, wanted={"Water": ["lake"], "Forest": ["lake"]})
    with pytest.raises(LulcError, match=r"the features:(?s:.*)the grid:"):
        read(file, grid=GeoBox((10, 10), from_origin(600_000, 5_000_000, 10, 10), "EPSG:32633"))
    polygons().to_file(file, layer="second", driver="GPKG")
    with pytest.raises(LulcError, match=r"2 layers: x, second"):
        read(file)
    assert read(file, layer="second").values.any()
    (tmp_path / "text.gpkg").write_text("no polygons")
    with pytest.raises(LulcError, match="not a vector file"):
        read(tmp_path / "text.gpkg")


def test_a_file_without_crs_is_refused(tmp_path):
    polygons().iloc[:4].set_crs(None, allow_override=True).to_file(tmp_path / "x.shp")
    with pytest.raises(LulcError, match=r"no CRS.*Set it"):
        read(tmp_path / "x.shp", GRID, SCHEME, WANTED, field="kind")


def test_a_range_over_words_and_an_empty_range_are_refused(file):
    with pytest.raises(LulcError, match=r"Forest.*range.*words"):
        read(file, GRID, SCHEME, {"Forest": [[60, 100]]}, field="kind")
    with pytest.raises(LulcError, match=r"\[100, 60\] is empty"):
        read(file, GRID, SCHEME, {"Forest": [[100, 60]]}, field="kind")


def test_every_feature_and_value_is_accounted_for(tmp_path):
    """Points count as the pixel that holds them, collections are taken apart, and what is left out is said."""
    west, north = 500_000, 5_000_600
    far = Point(west + 5, north - 405)
    right, low = west + 500, north - 500
    bow_tie = Polygon([(west + 400, north - 400), (right, low), (right, north - 400), (west + 400, low)])
    rows = [
        ("forest", box(west, north - 100, west + 100, north)),
        ("forest", Point(west + 205, north - 5)),
        ("FOREST", box(west + 300, north - 100, west + 400, north)),
        ("lake", GeometryCollection([box(west + 100, north - 300, west + 200, north - 200), far])),
        ("lake", box(west + 302, north - 308, west + 304, north - 306)),
        ("lake", LineString([(west, north), (west + 500, north)])),
        ("lake", box(west - 900, north, west - 800, north + 100)),
        ("grass", bow_tie),
        (None, None),
    ]  # fmt: skip
    frame = gpd.GeoDataFrame({"kind": [k for k, _ in rows]}, geometry=[g for _, g in rows], crs="EPSG:32633")
    frame.to_file(tmp_path / "x.gpkg")
    with pytest.warns(UserWarning, match=r"1 features have no label.*'FOREST' \(1\)"):
        found = read(
            tmp_path / "x.gpkg",
            GRID,
            SCHEME,
            {"Forest": ["forest"], "Water": ["lake"], "Meadow": ["grass"]},
            field="kind",
        )
    account = found.account.groupby(["class", "became"])[["features", "pixels"]].sum()
    assert account.loc[("Forest", LABELLED)].tolist() == [2, 101]
    assert account.loc[("Water", LABELLED)].tolist() == [1, 101]
    for fate in (shapes.SMALL, shapes.LINE, shapes.OUTSIDE):
        assert account.loc[("Water", fate)].tolist() == [1, 0]
    assert account.loc[("–", UNNAMED), "features"] == account.loc[("–", shapes.VALUELESS), "features"] == 1
    assert account["features"].sum() == len(rows)
    assert account["pixels"].sum() == (found.values > 0).sum()
    assert 30 <= account.loc[("Meadow", LABELLED), "pixels"] <= 60  # the bow tie is two triangles


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
        read(tmp_path / "x.gpkg", GRID, SCHEME, wanted, field="kind")


def test_codes_that_are_text_are_named_as_such(tmp_path):
    frame = gpd.GeoDataFrame({"kind": ["311"]}, geometry=[box(500_000, 5_000_500, 500_100, 5_000_600)], crs=32633)
    frame.to_file(tmp_path / "x.gpkg")
    with pytest.raises(LulcError, match="They are text: write them in quotes"):
        read(tmp_path / "x.gpkg", GRID, SCHEME, {"Forest": [311]}, field="kind")


def frame(rows, crs="EPSG:32633"):
    return gpd.GeoDataFrame({"kind": [k for k, _ in rows]}, geometry=[g for _, g in rows], crs=crs)


def at(column, row):
    """The centre of a pixel."""
    return Point(*(GRID.affine * (column + 0.5, row + 0.5)))


def test_every_value_is_a_class_of_its_own_when_none_is_named(tmp_path):
    rows = [("森林", at(1, 1)), ("Wasser & Moor", at(3, 1)), (" 森林 ", at(5, 1)), (None, at(7, 1))]
    frame(rows).to_file(tmp_path / "x.gpkg")
    found = read(tmp_path / "x.gpkg", scheme=None, wanted=None)
    assert found.scheme.names == ("Wasser & Moor", "森林") and found.scheme.values == (1, 2)
    assert [int(found.values[1, c]) for c in (1, 3, 5, 7)] == [2, 1, 2, 0]
    assert found.account["features"].sum() == 4


def test_numbers_with_missing_ones_keep_their_values(tmp_path):
    frame([(3.0, at(1, 1)), (12.0, at(3, 1)), (None, at(5, 1))]).to_file(tmp_path / "x.gpkg")
    found = read(tmp_path / "x.gpkg", scheme=None, wanted=None)
    assert [(c.value, c.name) for c in found.scheme.classes] == [(3, "3"), (12, "12")]
    assert [int(found.values[1, c]) for c in (1, 3, 5)] == [3, 12, 0]


def test_own_classes_are_numbered_in_their_order(tmp_path):
    frame([("a", at(1, 1)), ("b", at(3, 1)), ("c", at(5, 1))]).to_file(tmp_path / "x.gpkg")
    found = read(tmp_path / "x.gpkg", scheme=None, wanted={"Wet": ["c"], "Dry": ["a", "b"]})
    assert found.scheme.names == ("Wet", "Dry")
    assert [int(found.values[1, c]) for c in (1, 3, 5)] == [2, 2, 1]


def test_a_scheme_without_classes_takes_its_names_and_its_numbers(tmp_path):
    frame([("Forest", at(1, 1)), ("5", at(3, 1))]).to_file(tmp_path / "x.gpkg")
    found = read(tmp_path / "x.gpkg", wanted=None)
    assert [int(found.values[1, c]) for c in (1, 3)] == [3, 5]
    frame([("oak", at(1, 1))]).to_file(tmp_path / "y.gpkg")
    with pytest.raises(LulcError, match=r"No value is a class of the scheme 'workflow'.*oak.*scheme: null"):
        read(tmp_path / "y.gpkg", wanted=None)


def test_a_file_for_each_class_in_two_crs(tmp_path):
    woods = frame([(1, box(500_000, 5_000_500, 500_100, 5_000_600))])
    woods.to_file(tmp_path / "woods.shp")
    frame([(9, box(500_200, 5_000_500, 500_300, 5_000_600))]).to_crs(3035).to_file(tmp_path / "lakes.shp")
    files = [(vectors.read(tmp_path / f"{n}.shp"), c) for n, c in (("woods", "Wälder"), ("lakes", "Seen"))]
    found = shapes.burn(shapes.gather(files, None, GRID), GRID, None, None)
    assert found.scheme.names == ("Seen", "Wälder")
    assert (found.values[:10, :10] == 2).all() and (found.values[:10, 20:30] == 1).all()
    assert set(np.unique(found.source)) == {0, 1, 2}


def test_points_label_the_pixel_that_holds_them_or_all_within_a_radius(tmp_path):
    generator = np.random.default_rng(3)
    x, y = 500_000 + generator.uniform(30, 770, 25), 5_000_000 + generator.uniform(30, 570, 25)
    frame([("forest", Point(*p)) for p in zip(x, y, strict=True)]).to_file(tmp_path / "x.gpkg")
    wanted = {"Forest": ["forest"]}
    found = read(tmp_path / "x.gpkg", wanted=wanted).values > 0
    expected = np.zeros(GRID.shape, bool)
    expected[((5_000_600 - y) // 10).astype(int), ((x - 500_000) // 10).astype(int)] = True
    np.testing.assert_array_equal(found, expected)
    near = read(tmp_path / "x.gpkg", wanted=wanted, point_radius=25).values > 0
    points = centres()
    away = np.min([shapely.distance(points, Point(*p)) for p in zip(x, y, strict=True)], axis=0)
    clear = np.abs(away - 25) > 0.1  # a circle is drawn with corners
    np.testing.assert_array_equal(near[clear], (expected | (away < 25))[clear])


def test_points_on_the_border_of_the_grid_are_in_it_or_said_to_be_outside(tmp_path):
    corners = [(x, y) for y in (5_000_600, 5_000_000) for x in (500_000, 500_800)]
    frame([("forest", Point(*p)) for p in corners]).to_file(tmp_path / "x.gpkg")
    found = read(tmp_path / "x.gpkg", wanted={"Forest": ["forest"]})
    assert np.argwhere(found.values).tolist() == [[0, 0]]  # a pixel holds its upper and its left edge
    assert found.account.set_index("became")["features"].to_dict() == {LABELLED: 1, shapes.OUTSIDE: 3}


def test_polygons_shrink_by_what_is_eroded(file):
    found = read(file, wanted={"Forest": ["forest"]}, erode=20).values > 0
    points, expected = centres(), np.zeros(GRID.shape, bool)
    for shape in polygons().geometry[[0, 4]]:
        expected |= shapely.contains(shape, points) & (shapely.distance(shape.boundary, points) > 20)
    differ = found != expected
    assert found.any() and differ.sum() <= 2


def test_nothing_left_of_a_polygon_is_said(tmp_path):
    rows = [
        ("forest", box(500_000, 5_000_500, 500_100, 5_000_600)),
        ("lake", box(500_200, 5_000_500, 500_230, 5_000_600)),
    ]
    frame(rows).to_file(tmp_path / "x.gpkg")
    with pytest.raises(LulcError, match="No pixel of Water.*nothing of it is farther than 'erode'"):
        read(tmp_path / "x.gpkg", wanted={"Forest": ["forest"], "Water": ["lake"]}, erode=20)


def test_all_touched_labels_what_a_small_pond_touches(tmp_path):
    frame([("lake", box(500_102, 5_000_292, 500_104, 5_000_294))]).to_file(tmp_path / "x.gpkg")
    found = read(tmp_path / "x.gpkg", wanted={"Water": ["lake"]}, all_touched=True)
    assert np.argwhere(found.values).tolist() == [[30, 10]]


def test_what_was_mended_and_what_overlaps_is_listed(tmp_path):
    bow_tie = Polygon([(500_400, 5_000_200), (500_500, 5_000_100), (500_500, 5_000_200), (500_400, 5_000_100)])
    square = box(500_000, 5_000_500, 500_100, 5_000_600)
    rows = [
        ("forest", square),
        ("forest", square),
        ("lake", box(500_050, 5_000_500, 500_150, 5_000_600)),
        ("grass", bow_tie),
        ("grass", shapely.force_3d(at(70, 50), 12.0)),
        ("grass", GeometryCollection([at(72, 52), LineString([(500_000, 5_000_000), (500_500, 5_000_500)])])),
    ]
    frame(rows).to_file(tmp_path / "x.gpkg")
    found = read(tmp_path / "x.gpkg")
    mended = found.mended.set_index("mended")["which"].to_dict()
    collection = {"collection taken apart, its lines left out": "6"}
    assert mended == {"invalid polygon repaired": "4", "heights dropped": "5"} | collection
    assert found.account.set_index("became").loc[shapes.TWICE, "features"] == 1
    (row,) = found.overlaps.to_dict("records")
    assert (row["class"], row["features"], row["other class"], row["its features"]) == ("Forest", "1", "Water", "3")
    assert row["pixels without label"] == 50


def test_a_file_of_lines_is_refused_by_name(tmp_path):
    frame([("forest", LineString([(500_000, 5_000_000), (500_500, 5_000_500)]))]).to_file(tmp_path / "ways.gpkg")
    with pytest.raises(LulcError, match=r"All 1 features of .*ways\.gpkg are lines"):
        read(tmp_path / "ways.gpkg")


KINDS = ("forest", "lake", "grass")
WHERE = st.tuples(st.integers(0, 760), st.integers(0, 560), st.integers(5, 200), st.integers(5, 200))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), WHERE), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_features_and_files_does_not_matter(rows, random):
    def burnt(order):
        table = frame(
            [(k, box(500_000 + x, 5_000_000 + y, 500_000 + x + w, 5_000_000 + y + h)) for k, (x, y, w, h) in order]
        )
        parts = [shapes.Vectors(table.iloc[[i]].reset_index(drop=True), "x", tmp) for i in range(len(table))]
        wanted = {"Forest": ["forest"], "Water": ["lake"], "Meadow": ["grass"]}
        return shapes.burn(shapes.gather([(p, None) for p in parts], "kind", GRID), GRID, SCHEME, wanted, partial=True)

    tmp = Path("x.gpkg")
    other = list(rows)
    random.shuffle(other)
    try:
        one = burnt(rows)
    except LulcError:  # all of it contested
        with pytest.raises(LulcError):
            burnt(other)
        return
    np.testing.assert_array_equal(one.values, burnt(other).values)
    assert one.account["features"].sum() == len(rows)


# ---- any file, against plain reading and shapely ----

SMALL = GeoBox((9, 12), from_origin(500_000, 5_000_090, 10, 10), "EPSG:32633")
AREAS, OTHERS = ("polygon", "several", "invalid"), ("point", "points", "line", "mixed", "nested")
VALUES = {  # of a field: two that mean classes, and two that mean none
    "text": ("Ёлка", "Wald ", "wald", None),
    "int": (1, 2, 3, 4),
    "float": (0.5, -2.0, 7.25, float("nan")),
}


def shape(kind, place, seed, lifted):
    """A shape near a place, of a kind, with heights if it is lifted."""
    x, y = place
    area, place = blob(x, y, 35, seed), Point(x + 1.7, y - 2.3)
    line = LineString([(x, y), (x + 40, y + 20)])
    made = {
        "polygon": lambda: area,
        "several": lambda: MultiPolygon([area, shapely.affinity.translate(area, 71, 3)]),
        "invalid": lambda: Polygon([(x, y), (x + 31, y + 29), (x + 31, y), (x, y + 29)]),
        "point": lambda: place,
        "points": lambda: shapely.MultiPoint([place, Point(x - 21.3, y + 13.1)]),
        "line": lambda: line,
        "mixed": lambda: GeometryCollection([area, place, line]),
        "nested": lambda: GeometryCollection([GeometryCollection([area]), shapely.MultiPoint([place])]),
        "empty": Polygon,
        "none": lambda: None,
    }
    found = made[kind]()
    return shapely.force_3d(found, 3.0) if found is not None and lifted else found


def features(kinds):
    """Draw features: kind, place, seed, which of the field's values."""
    somewhere = st.tuples(st.floats(499_960, 500_160), st.floats(4_999_960, 5_000_130))
    # Corners on the pixels' edges and centres, as people draw who digitise over the image.
    place = somewhere | st.tuples(st.integers(0, 40), st.integers(0, 34)).map(
        lambda at: (499_960.0 + 5 * at[0], 4_999_960.0 + 5 * at[1])
    )
    one = st.tuples(st.sampled_from(kinds), place, st.integers(0, 99), st.integers(0, 3))
    return st.lists(one, min_size=2, max_size=9)


MIXED = (*AREAS, *AREAS, *OTHERS, "none")
FILES = st.one_of(
    st.tuples(st.sampled_from([".gpkg", ".geojson", ".parquet"]), features((*MIXED, "empty"))),
    st.tuples(st.just(".fgb"), features(MIXED)),
    st.tuples(st.just(".shp"), features((*AREAS, "none"))),
)


NEAR = 1e-6
"""Metres from an edge within which rounding decides: GDAL counts in pixels, shapely in metres."""


def by_hand(frame, values):
    """Return what shapely finds: labels (1 and 2 for the first two values of the field, 0 for none or both), and where
    they are certain: where no edge runs through a pixel's centre, and no point lies on a pixel's edge."""
    x, y = SMALL.affine @ np.array(np.meshgrid(np.arange(12) + 0.5, np.arange(9) + 0.5)).reshape(2, -1)
    x, y = np.reshape(x, SMALL.shape), np.reshape(y, SMALL.shape)
    claimed, certain = np.zeros((2, *SMALL.shape), bool), np.ones(SMALL.shape, bool)
    # Blanks at the end of a word mean nothing, and a shapefile drops them.
    kinds, named = ([v.strip() if isinstance(v, str) else v for v in words] for words in (frame["kind"], values[:2]))
    for geometry, value in zip(frame.to_crs(SMALL.crs.to_wkt()).geometry, kinds, strict=True):
        if value not in named or geometry is None or geometry.is_empty:
            continue
        inside = claimed[named.index(value)]
        whole = shapely.make_valid(shapely.force_2d(geometry))
        for part in shapely.get_parts(shapely.get_parts(shapely.get_parts([whole]))):
            if part.geom_type == "Polygon":
                inside |= shapely.contains_xy(part, x, y)
                certain &= shapely.distance(part.boundary, shapely.points(x, y)) > NEAR
            elif part.geom_type == "Point":
                away = np.maximum(abs(part.x - x), abs(part.y - y)) - 5  # from each pixel; inside it below 0
                inside |= away < 0
                certain &= abs(away) > NEAR
    return np.where(claimed.sum(axis=0) == 1, 1 + claimed.argmax(axis=0), 0), certain


@given(
    drawn=FILES,
    lifted=st.booleans(),
    field=st.sampled_from(sorted(VALUES)),
    crs=st.sampled_from([32633, 4326, 3035, 32632]),
    encoding=st.sampled_from(["utf-8", "cp1251"]),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_any_file_is_labelled_as_shapely_has_it_and_no_feature_is_lost(
    drawn, lifted, field, crs, encoding, tmp_path_factory
):
    suffix, rows = drawn
    values = VALUES[field]
    geometry = [shape(*row, lifted) for *row, _ in rows]
    words = [values[k] for *_, k in rows]
    words[0] = values[0]  # so that the field has a type
    path = tmp_path_factory.mktemp("any") / f"a{suffix}"
    frame = gpd.GeoDataFrame({"kind": words}, geometry=geometry, crs=32633).to_crs(crs)
    shapefile = {"encoding": encoding} if suffix == ".shp" else {}
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path, **shapefile, **({"SPATIAL_INDEX": "NO"} if suffix == ".fgb" else {}))
    plain = gpd.read_parquet(path) if suffix == ".parquet" else gpd.read_file(path, **shapefile)

    found = vectors.read(path, encoding=shapefile.get("encoding"))
    assert found.table["kind"].map(str).tolist() == plain["kind"].map(str).tolist()
    assert found.table.geometry.geom_equals_exact(plain.geometry, 0).sum() == plain.geometry.notna().sum()
    assert found.table.crs == plain.crs

    expected, certain = by_hand(plain, list(values))
    wanted = {"Forest": [values[0]], "Water": [values[1]]}
    both = {1, 2} <= set(expected[certain])
    try:
        labels = shapes.burn(shapes.gather([(found, None)], "kind", SMALL), SMALL, None, wanted)
    except LulcError:
        assert not both
        return
    assert both or not certain.all(), "a class that would be lost is refused"
    np.testing.assert_array_equal(labels.values[certain], expected[certain])
    account = labels.account
    assert account["features"].sum() == len(rows)
    assert account.groupby("class")["pixels"].sum()[["Forest", "Water"]].tolist() == [
        (labels.values == 1).sum(),
        (labels.values == 2).sum(),
    ]
    assert (account[account["became"] != LABELLED]["pixels"] == 0).all()
    assert (account[account["became"] == LABELLED]["pixels"] > 0).all()


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("values", [(1, 1), (1, 2)])
def test_areas_that_meet_in_the_centres_of_pixels_leave_no_gap_and_take_no_pixel_twice(upright, values, tmp_path):
    halves = [(500_010, 5_000_010, 500_055, 5_000_080), (500_055, 5_000_010, 500_110, 5_000_080)]
    if not upright:
        halves = [(500_010, 5_000_010, 500_110, 5_000_045), (500_010, 5_000_045, 500_110, 5_000_080)]
    frame = gpd.GeoDataFrame({"kind": list(values)}, geometry=[box(*half) for half in halves], crs=32633)
    wanted = {"Forest": [1], "Water": [2]} if values[1] == 2 else {"Forest": [1]}
    table = shapes.Vectors(frame, "x", tmp_path)
    found = shapes.burn(shapes.gather([(table, None)], "kind", SMALL), SMALL, None, wanted).values
    expected = np.zeros(SMALL.shape, np.uint8)
    expected[1:8, 1:11] = 1
    if values[1] == 2:
        second = np.s_[1:8, 6:11] if upright else np.s_[1:4, 1:11]
        expected[second] = 2
        on_edge = np.s_[1:8, 5] if upright else np.s_[4, 1:11]
        assert len(set(found[on_edge])) == 1, "all to one side, or to none"
        expected[on_edge] = found[on_edge][0]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("turned", "hint"), [(True, True), (False, False)])
def test_exchanged_latitudes_and_longitudes_are_named(tmp_path, turned, hint):
    there = polygons().to_crs(4326) if turned else polygons().translate(1e5).to_crs(4326)
    there = gpd.GeoDataFrame(polygons()[["kind"]], geometry=getattr(there, "geometry", there), crs=4326)
    if turned:
        there.geometry = there.geometry.map(lambda g: g and shapely.transform(g, lambda c: c[:, ::-1]))
    there.to_file(tmp_path / "x.geojson")
    with pytest.raises(LulcError, match="lies on the study's grid") as caught:
        read(tmp_path / "x.geojson")
    assert ("latitude and longitude exchanged" in str(caught.value)) == hint


def test_a_class_dissolved_into_one_feature_is_split_as_its_polygons_are(tmp_path):
    """Parts that lie apart are polygons of their own for folds, limits and groups, and one feature in the account."""
    corners = [(x, y) for x in (500_020, 500_220, 500_420, 500_620) for y in (5_000_020, 5_000_320)]
    single = gpd.GeoDataFrame(
        {"kind": ["forest", "lake"] * 4, "site": ["a", "b"] * 4},
        geometry=[box(x, y, x + 80, y + 80) for x, y in corners],
        crs="EPSG:32633",
    )
    wanted = {"Forest": ["forest"], "Water": ["lake"]}
    found = []
    for number, table in enumerate((single, single.dissolve("kind").reset_index())):
        table.to_file(tmp_path / f"{number}.gpkg")
        shapes_ = shapes.gather([(vectors.read(tmp_path / f"{number}.gpkg"), None)], "kind", GRID, "site")
        found.append(shapes.burn(shapes_, GRID, SCHEME, wanted))
    apart, dissolved = found
    np.testing.assert_array_equal(dissolved.values, apart.values)
    there = apart.values > 0
    same = [x.source[there][:, None] == x.source[there] for x in found]
    np.testing.assert_array_equal(*same, "the same pixels belong together")
    of = [x.groups[x.source[there].astype(int) - 1] for x in found]
    np.testing.assert_array_equal(*of)
    assert dissolved.account["features"].tolist() == [1, 1] and apart.account["features"].tolist() == [4, 4]
    assert dissolved.account["pixels"].tolist() == apart.account["pixels"].tolist()
    splits_ = [splits.split(x, BlockSplit(2, 1, spacing=150)) for x in found]
    np.testing.assert_array_equal(splits_[0].fold, splits_[1].fold)


@pytest.mark.parametrize("crs", [4326, 3857])
def test_an_ocean_that_reaches_around_the_world_is_drawn_where_the_grid_is(crs, tmp_path):
    """Its corners are the poles, which are one point in the grid's CRS."""
    ocean = gpd.GeoSeries([box(-179, -89 if crs == 4326 else -80, 179, 89 if crs == 4326 else 80)], crs=4326).to_crs(
        crs
    )
    lake = gpd.GeoSeries([box(500_000, 5_000_000, 500_400, 5_000_600)], crs=32633).to_crs(crs)
    gpd.GeoDataFrame({"kind": ["grass", "lake"]}, geometry=[ocean[0].difference(lake[0]), lake[0]], crs=crs).to_file(
        tmp_path / "x.gpkg"
    )
    values = read(tmp_path / "x.gpkg", wanted={"Meadow": ["grass"], "Water": ["lake"]}).values
    assert (values[:, 40:] == SCHEME.find("Meadow").value).all() and (
        values[:, :40] == SCHEME.find("Water").value
    ).all()


def test_shapes_from_all_over_the_world_are_outside_where_the_grid_s_crs_has_no_place(tmp_path):
    """On the equator 90° from its zone's middle UTM gives no position; of a set of points only that one is left out."""
    there = gpd.GeoSeries([Point(500_105, 5_000_305), Point(500_305, 5_000_305)], crs=32633).to_crs(4326)
    rows = [
        ("forest", there[0]),
        ("lake", shapely.MultiPoint([there[1], Point(105, 0)])),
        ("forest", Point(105, 0)),
        ("forest", Point(-165, -52)),
        ("lake", box(100, -5, 110, 5)),
    ]
    frame = gpd.GeoDataFrame({"kind": [r[0] for r in rows]}, geometry=[r[1] for r in rows], crs=4326)
    frame.to_file(tmp_path / "x.gpkg")
    found = read(tmp_path / "x.gpkg", partial=True)
    became = found.account.set_index(["class", "became"])["features"].to_dict()
    assert became == {
        ("Forest", LABELLED): 1,
        ("Forest", shapes.OUTSIDE): 2,
        ("Water", LABELLED): 1,
        ("Water", shapes.OUTSIDE): 1,
    }
    frame.iloc[2:5].to_file(tmp_path / "far.gpkg")
    with pytest.raises(LulcError, match="lies on the study's grid"):
        read(tmp_path / "far.gpkg", wanted={"Forest": ["forest"], "Water": ["lake"]})
    frame.iloc[[2, 4]].to_file(tmp_path / "nowhere.gpkg")
    with pytest.raises(LulcError, match="so far that they have no place"):
        read(tmp_path / "nowhere.gpkg", wanted={"Forest": ["forest"], "Water": ["lake"]})


def test_an_invalid_polygon_with_corners_without_place_is_drawn_where_the_grid_is(tmp_path):
    crossed = Polygon([(105, -40), (13, 48), (13, 40), (105, -39)])  # far from the grid, which it covers
    gpd.GeoDataFrame({"kind": ["grass"]}, geometry=[crossed], crs=4326).to_file(tmp_path / "x.gpkg")
    with pytest.warns(UserWarning, match="1 invalid polygons reach far beyond the grid"):
        found = read(tmp_path / "x.gpkg", wanted={"Meadow": ["grass"]})
    assert (found.values == SCHEME.find("Meadow").value).all()
