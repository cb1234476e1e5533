"""Roads: presence by hand, distance by scipy on the whole grid."""

import math
from pathlib import Path
from unittest.mock import patch

import dask.array as da
import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from scipy.ndimage import distance_transform_edt

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.features import roads

SHARED = Path(__file__).parents[3] / "shared/data/osm_roads_rwanda/hotosm_rwa_roads_lines_filtered.shp"
BOX = GeoBox((60, 80), from_origin(500_000, 5_800_000, 10, 10), "EPSG:32633")


def write(path, *lines, crs="EPSG:32633"):
    gpd.GeoDataFrame({"highway": ["road"] * len(lines)}, geometry=list(lines), crs=crs).to_file(path)
    return path


def line(*places):
    """A line through (column, row) places in pixels of the grid."""
    return shapely.LineString([(500_000 + 10 * c, 5_800_000 - 10 * r) for c, r in places])


def test_presence_by_hand_and_both_ways_to_draw_a_line(tmp_path):
    # Along the middle of row 10, then a shallow diagonal that cuts corners of pixels.
    path = write(tmp_path / "roads.gpkg", line((5.5, 10.5), (20.5, 10.5)), line((30.5, 20.4), (40.5, 24.9)))
    touched = roads.compute(path, BOX).to_numpy()[0]
    thin = roads.compute(path, BOX, all_touched=False).to_numpy()[0]
    expected = np.zeros(80)
    expected[5:21] = 1
    np.testing.assert_array_equal(touched[10], expected)
    np.testing.assert_array_equal(thin[10], expected)
    boxes = [[shapely.box(500_000 + 10 * c, 5_800_000 - 10 * r - 10, 500_010 + 10 * c, 5_800_000 - 10 * r)
              for c in range(28, 43)] for r in range(18, 28)]  # fmt: skip
    cut = shapely.intersects(np.array(boxes), line((30.5, 20.4), (40.5, 24.9)))
    np.testing.assert_array_equal(touched[18:28, 28:43].astype(bool), cut)
    assert thin[18:28].sum() == 11  # one pixel in each column
    assert (touched >= thin).all()


def test_no_line_is_lost_in_a_collection_and_what_is_no_line_is_named(tmp_path):
    simple = [line((5.5, 10.5), (20.5, 10.5)), line((30.5, 20.4), (40.5, 24.9)), line((9, 30), (50, 50))]
    nested = shapely.GeometryCollection([simple[0], shapely.MultiLineString(simple[1:2])])
    path = write(tmp_path / "a.geojson", nested, shapely.force_3d(simple[2], 7.0), shapely.LineString(), None)
    expected = roads.compute(write(tmp_path / "b.gpkg", *simple), BOX).to_numpy()
    np.testing.assert_array_equal(roads.compute(path, BOX).to_numpy(), expected)
    square = shapely.box(500_100, 5_799_700, 500_300, 5_799_900)
    with pytest.warns(UserWarning, match=r"1 of 4 shapes of c\.gpkg are no lines and count as no roads: Polygon"):
        mixed = roads.compute(write(tmp_path / "c.gpkg", *simple, square), BOX).to_numpy()
    np.testing.assert_array_equal(mixed, expected)


def test_distance_in_metres_counts_roads_beside_the_grid(tmp_path):
    path = write(tmp_path / "roads.gpkg", line((90.5, -5), (90.5, 65)))
    distance = roads.compute(path, BOX, maximum=400).sel(band="road_distance").to_numpy()
    assert distance[30, 79] == 110
    assert distance[30, 60] == 300
    assert (distance[:, :50] == 400).all()


@given(
    chunk=st.tuples(st.integers(7, 90), st.integers(7, 90)),
    seed=st.integers(0, 1000),
    touched=st.booleans(),
    maximum=st.sampled_from([95.0, 300.0]),
)
@settings(max_examples=15, deadline=None)
def test_independent_of_the_blocks_and_equal_to_scipy_on_the_whole(tmp_path_factory, chunk, seed, touched, maximum):
    places = np.random.default_rng(seed).uniform(-20, 100, (6, 4, 2))
    path = write(tmp_path_factory.mktemp("roads") / "roads.gpkg", *(line(*p) for p in places))
    options = {"all_touched": touched, "maximum": maximum}
    with patch.object(raster, "CHUNK", chunk):
        lazy = roads.compute(path, BOX, **options)
    assert lazy.chunks[1:] == da.core.normalize_chunks(chunk, shape=tuple(BOX.shape))
    blocks = lazy.to_numpy()
    np.testing.assert_array_equal(blocks, roads.compute(path, BOX, **options).to_numpy())
    margin = math.ceil(maximum / 10)
    wide = roads.compute(path, BOX.pad(margin), **options).to_numpy()[0] == 1
    expected = np.minimum(10 * distance_transform_edt(~wide), maximum)[margin:-margin, margin:-margin]
    np.testing.assert_allclose(blocks[1], expected, rtol=1e-6)


def test_lines_in_degrees_are_brought_onto_the_grid(tmp_path):
    straight = gpd.GeoSeries([line((0, 30.5), (80, 30.5)).segmentize(50)], crs=BOX.crs.to_wkt())
    path = write(tmp_path / "roads.gpkg", *straight.to_crs("EPSG:4326"), crs="EPSG:4326")
    found = roads.compute(path, BOX).to_numpy()
    assert (found[0, 30] == 1).all() and found[0].sum() == 80
    assert found[1, 10, 40] == 200


def test_polygons_no_lines_nearby_no_crs_and_no_file_are_refused(tmp_path):
    area = write(tmp_path / "area.gpkg", shapely.box(500_100, 5_799_700, 500_300, 5_799_900))
    with pytest.raises(LulcError, match=r"expected roads as lines.*found Polygon"):
        roads.compute(area, BOX)
    with pytest.raises(LulcError, match=r"within .* m of it, found nothing"):
        roads.compute(write(tmp_path / "far.gpkg", line((9000, 0), (9000, 50))), BOX)
    lost = write(tmp_path / "lost.shp", line((1, 1), (5, 5)))
    lost.with_suffix(".prj").unlink()
    with pytest.raises(LulcError, match="no CRS"):
        roads.compute(lost, BOX)
    with pytest.raises(LulcError, match="does not exist"):
        roads.compute(tmp_path / "none.gpkg", BOX)
    with pytest.raises(LulcError, match="above 0 m"):
        roads.compute(area, BOX, maximum=0)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the shared roads of Rwanda are not there")
def test_the_roads_of_rwanda():
    lines = gpd.read_file(SHARED).to_crs("EPSG:32736")
    x, y = lines.geometry.iloc[1000].coords[0]
    box = GeoBox((150, 170), from_origin(round(x, -1) - 850, round(y, -1) + 750, 10, 10), "EPSG:32736")
    presence, distance = roads.compute(SHARED, box, maximum=500).to_numpy()
    assert presence.sum() > 50
    np.testing.assert_array_equal(distance == 0, presence == 1)
    rows, columns = np.mgrid[5:150:29, 5:170:31]
    centres = shapely.points(box.affine.c + 10 * (columns + 0.5), box.affine.f - 10 * (rows + 0.5))
    true = np.minimum(shapely.distance(centres, shapely.union_all(lines.geometry.to_numpy())), 500)
    # A road's pixels lie within half a diagonal of it.
    np.testing.assert_allclose(distance[rows, columns], true, atol=7.1)
