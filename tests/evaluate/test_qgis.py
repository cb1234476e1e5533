"""A QGIS project and attribute tables: XML that holds what it should; GDAL's own reader where it is installed."""

import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import files, raster
from lulc_kit.classes import LandClass, Scheme
from lulc_kit.evaluate import qgis
from lulc_kit.evaluate.qgis import RasterLayer
from lulc_kit.raster import writing

BOX = GeoBox((20, 30), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
CLASSES = Scheme("x", "X", (LandClass(1, 'Fields & "meadows"', "#00ff00"), LandClass(7, "森林 <old>", "#102030")))


def read(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (name,) = archive.namelist()
        return name, ElementTree.fromstring(archive.read(name))


@pytest.fixture
def groups(tmp_path):
    return {
        "Maps": [RasterLayer("rf", tmp_path / "s/maps/rf.tif", CLASSES, shown=True)],
        "Doubt": [RasterLayer("rf dissimilarity", tmp_path / "s/doubt/rf_applicability.tif", span=(0, 2))],
        "Image": [RasterLayer("image", tmp_path / "s/cube/composite.tif", colours=[(3, 100, 2000)] * 3, shown=True)],
    }


def test_layers_stand_in_their_groups_and_order_with_relative_paths(groups, tmp_path):
    name, root = read(qgis.project(groups, BOX, "mine & <yours>", tmp_path / "s/project.qgz"))
    assert name == "project.qgs" and root.tag == "qgis" and root.findtext("title") == "mine & <yours>"
    tree = root.find("layer-tree-group")
    assert [g.get("name") for g in tree] == ["Maps", "Doubt", "Image"]
    leaves = tree.findall("layer-tree-group/layer-tree-layer")
    assert [leaf.get("checked") for leaf in leaves] == ["Qt::Checked", "Qt::Unchecked", "Qt::Checked"]
    sources = [layer.findtext("datasource") for layer in root.findall("projectlayers/maplayer")]
    assert sources == ["./maps/rf.tif", "./doubt/rf_applicability.tif", "./cube/composite.tif"]
    assert [leaf.get("source") for leaf in leaves] == sources
    ids = [layer.findtext("id") for layer in root.findall("projectlayers/maplayer")]
    assert ids == [leaf.get("id") for leaf in leaves] == [o.get("id") for o in root.find("layerorder")]
    assert len(set(ids)) == 3
    # QGIS 3.22 gave layers of the ids "Maps_rf" and "Maps_knn" others, and its tree lost them.
    assert all(len(i) > 10 and i.isidentifier() and i.isascii() for i in ids)
    assert root.findtext("properties/Paths/Absolute") == "false"


def test_place_and_colours_are_those_of_the_study(groups, tmp_path):
    _, root = read(qgis.project(groups, BOX, "mine", tmp_path / "s/project.qgz"))
    assert root.findtext("projectCrs/spatialrefsys/authid") == "EPSG:32633"
    extent = [float(e.text) for e in root.find("mapcanvas/extent")]
    assert extent == [500_000, 4_999_800, 500_300, 5_000_000]
    paletted, grey, colour = (r for r in root.iter("rasterrenderer"))
    entries = [(e.get("value"), e.get("color"), e.get("label")) for e in paletted.iter("paletteEntry")]
    assert entries == [("1", "#00ff00", 'Fields & "meadows"'), ("7", "#102030", "森林 <old>")]
    assert (grey.get("type"), grey.findtext("contrastEnhancement/maxValue")) == ("singlebandgray", "2")
    assert colour.get("redBand") == "3" and colour.findtext("blueContrastEnhancement/minValue") == "100"


def test_the_same_project_is_the_same_file(groups, tmp_path):
    made = [qgis.project(groups, BOX, "mine", tmp_path / "s/project.qgz") for _ in range(2)]
    assert made[0] == made[1]


def test_attributes_name_the_values():
    root = ElementTree.fromstring(qgis.attributes(CLASSES))
    rows = [[f.text for f in row] for row in root.iter("Row")]
    assert rows == [["1", 'Fields & "meadows"', "0", "255", "0"], ["7", "森林 <old>", "16", "32", "48"]]
    names = [c.text or "" for c in root.iter("Category")]
    assert len(names) == 8 and (names[1], names[7]) == ('Fields & "meadows"', "森林 <old>")


@pytest.mark.skipif(shutil.which("gdalinfo") is None, reason="needs gdalinfo (Debian: gdal-bin)")
def test_gdal_reads_the_attributes(tmp_path: Path):
    path = tmp_path / "map.tif"
    codes = raster.array(np.array([[[1, 7] * 15] * 20], np.uint8), BOX, ["class"])
    colours = {c.value: c.rgb for c in CLASSES.classes}
    writing.write(path, codes, dtype="uint8", nodata=0, colours=colours)
    files.write_text(path.with_name("map.tif.aux.xml"), qgis.attributes(CLASSES))
    found = json.loads(subprocess.run(["gdalinfo", "-json", path], capture_output=True, check=True).stdout)
    table = found["rat"]
    assert [(f["name"], f["usage"]) for f in table["fieldDefn"]][:2] == [("Value", 5), ("Class", 2)]
    assert [row["f"][1] for row in table["row"]] == ['Fields & "meadows"', "森林 <old>"]
    said = subprocess.run(["gdalinfo", path], capture_output=True, check=True, text=True).stdout
    assert "7: 森林 <old>" in said and "NoData Value=0" in said and "7: 16,32,48,255" in said
