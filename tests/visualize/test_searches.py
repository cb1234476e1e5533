"""Pictures of a search: the right colours at the right places."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from matplotlib import colormaps

from lulc_kit.visualize import searches, style
from tests.visualize.painted import codes, pixels, rgb

AREA = shapely.box(12.2, 52.2, 12.6, 52.4)
FOUND = gpd.GeoDataFrame(
    {"date": ["2023-06-15", "2023-06-20"], "tile": ["33UUU", "33UUT"], "cloud": [0.0, 80.0]},
    geometry=[shapely.box(12, 52, 12.5, 52.5), shapely.MultiPolygon([shapely.box(12.4, 52, 13, 52.5)])],
    crs="EPSG:4326",
)
FOUND.attrs = {"area": AREA, "name": "mine"}


def test_footprints_are_where_they_are_in_the_colour_of_their_clouds():
    figure = searches.footprints(FOUND)
    ax = figure.axes[0]
    outlines = {shapely.Polygon(p.get_xy()).bounds: p.get_edgecolor() for p in ax.patches}
    assert set(outlines) == {(12, 52, 12.5, 52.5), (12.4, 52, 13, 52.5)}
    for bounds, cloud in (((12, 52, 12.5, 52.5), 0.0), ((12.4, 52, 13, 52.5), 0.8)):
        assert outlines[bounds] == pytest.approx(colormaps["cividis"](cloud))
    (line,) = ax.get_lines()
    assert shapely.Polygon(line.get_xydata()).equals(AREA)
    assert {t.get_text() for t in ax.texts} == {"33UUU", "33UUT"}
    assert ax.get_aspect() == pytest.approx(1 / np.cos(np.radians(52.3)))


def test_bars_are_as_high_as_clouds_and_each_tile_has_its_own():
    figure = searches.cloud_cover(FOUND)
    heights = {ax.get_ylabel().split("\n")[0]: [bar.get_height() for bar in ax.patches] for ax in figure.axes}
    assert heights == {"33UUT": [80], "33UUU": [0]}
    assert all(len(ax.get_lines()) == 1 for ax in figure.axes)  # where a bar has no height


def test_coverage_is_painted_by_number_and_none_is_grey():
    figure = searches.coverage(codes([[0, 1, 3]]))
    painted = [tuple(int(v) for v in p) for p in pixels(figure.axes[0])[0]]
    assert painted[0] == rgb(style.NODATA_COLOUR)
    three = colormaps["cividis"].resampled(3)
    assert np.array(painted[1:]) == pytest.approx(np.array([rgb(three(0)), rgb(three(2))]), abs=1)
    assert searches.coverage(codes([[0, 0]])) is not None


def test_quicklooks_stand_under_their_names():
    shown = {f"day {k}": np.full((4, 4, 3), k, np.uint8) for k in range(7)}
    figure = searches.quicklooks(shown)
    drawn = [ax for ax in figure.axes if ax.get_images()]
    assert [ax.get_title() for ax in drawn] == list(shown)
    assert [int(ax.get_images()[0].get_array()[0, 0, 0]) for ax in drawn] == list(range(7))
    assert len(figure.axes) == 12


def test_one_scene_is_enough():
    one = pd.DataFrame(FOUND.iloc[:1].drop(columns="geometry"))
    assert len(searches.cloud_cover(one).axes) == 1
