"""What lies beside the scenes: words are fetched, files are looked for, extracts are cut, for whatever source."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from odc.geo.geobox import GeoBox

from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.download import beside, maps
from lulc_kit.errors import MissingFileError
from lulc_kit.layout import Layout
from lulc_kit.params.download import FETCHED
from tests import rasters
from tests.download.test_osm import xml

GRID = GeoBox.from_bbox((482_400, 3_764_340, 484_000, 3_766_000), "EPSG:32650", resolution=10)


def test_the_words_of_the_parameters_are_those_of_the_tables() -> None:
    assert FETCHED["reference"] == tuple(maps.REFERENCES)
    assert FETCHED["dem"] == tuple(maps.DEMS)


def test_files_stay_where_they_are_and_a_missing_one_names_what_could_be_fetched(project: Path) -> None:
    rasters.write(project / "dem.tif", np.zeros((2, 2), np.float32))
    found = beside.get({"dem": "dem.tif"}, GRID, ["2021-07-01"], Layout(project / "outputs/s"))
    assert found.paths == {"dem": project / "dem.tif"} and not found.attributions
    with pytest.raises(MissingFileError, match=r"reference: .*worldcovr does not exist.*esri, worldcover"):
        beside.own({"reference": "worldcovr"})
    assert not (project / "outputs").exists()


def test_an_extract_is_cut_to_the_grid_and_what_lies_around_it(project: Path) -> None:
    """The grid's north-eastern corner is at 116.827° E; the motorway begins at 116.9° E, 7 km away."""
    named = {"roads": xml(project).name}
    found = beside.get(named, GRID, ["2021-07-01"], Layout(project / "outputs/s"))
    assert found.paths["roads"] == project / "outputs/s/ancillary/roads.gpkg"
    assert gpd.read_file(found.paths["roads"])["highway"].tolist() == ["primary"]
    assert "OpenStreetMap" in found.attributions[0]


def test_the_grid_around_scenes_of_two_zones_holds_both(tmp_path: Path) -> None:
    scenes = []
    for k, crs in enumerate(("EPSG:32633", "EPSG:32634")):
        box = rasters.grid((50, 50), 20, left=500_000 if k else 720_000, crs=crs)
        path = rasters.write(tmp_path / f"{k}.tif", np.ones((50, 50), np.uint16), box)
        scenes.append(Scene("2021-07-01", "L2A", {"B5": Band.of(path)}))
    found = beside.grid(Catalog(scenes))
    assert found.crs == "EPSG:32633" and abs(found.resolution.x) == 10
    for scene in scenes:
        extent = scene.bands["B5"].geobox.extent.to_crs("EPSG:32633")
        assert found.extent.geom.buffer(0.01).contains(extent.geom)
    assert beside.grid(Catalog(scenes, grid=GRID)) == GRID
