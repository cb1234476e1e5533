"""What class rasters call their values: as GDAL, ESRI and QGIS keep it."""

import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio

from lulc_kit import classes
from lulc_kit.labels import value_names
from tests.rasters import grid, write

BOX = grid((4, 5), 10, 500_000, 5_000_000)
CATEGORIES = """<PAMDataset><PAMRasterBand band="1"><CategoryNames>
<Category></Category><Category>Wald</Category><Category>水</Category></CategoryNames></PAMRasterBand></PAMDataset>"""
ATTRIBUTES = """<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable>
<FieldDefn index="0"><Name>Value</Name><Type>0</Type><Usage>5</Usage></FieldDefn>
<FieldDefn index="1"><Name>Label</Name><Type>2</Type><Usage>2</Usage></FieldDefn>
<FieldDefn index="2"><Name>R</Name><Type>0</Type><Usage>6</Usage></FieldDefn>
<FieldDefn index="3"><Name>G</Name><Type>0</Type><Usage>7</Usage></FieldDefn>
<FieldDefn index="4"><Name>B</Name><Type>0</Type><Usage>8</Usage></FieldDefn>
<Row index="0"><F>1</F><F>Wald</F><F>0</F><F>100</F><F>16</F></Row>
<Row index="1"><F>2</F><F>水</F><F>0</F><F>0</F><F>255</F></Row>
<Row index="2"><F>broken</F><F>x</F></Row></GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"""


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "lc.tif", np.ones((4, 5), np.uint8), BOX)


def names(path):
    return {value: c.name for value, c in value_names.read(path).items()}


def test_a_raster_without_names_has_none(path):
    assert value_names.read(path) == {}


def test_category_names_are_those_gdal_keeps(path):
    path.with_name("lc.tif.aux.xml").write_text(CATEGORIES, encoding="utf-8")
    assert names(path) == {1: "Wald", 2: "水"}


def test_an_attribute_table_brings_its_colours(path):
    path.with_name("lc.tif.aux.xml").write_text(ATTRIBUTES, encoding="utf-8")
    assert [(v, c.name, c.colour) for v, c in value_names.read(path).items()] == [
        (1, "Wald", "#006410"),
        (2, "水", "#0000ff"),
    ]


def test_esri_s_table_beside_the_raster(path):
    table = pd.DataFrame({"Value": [1, 2], "Count": [10, 10], "CLASS_NAME": ["Wald", "See"]})
    pyogrio.write_dataframe(table, path.with_name("lc.dbf"), driver="ESRI Shapefile")
    path.with_name("lc.dbf").rename(path.with_name("lc.tif.vat.dbf"))
    assert names(path) == {1: "Wald", 2: "See"}


def test_a_style_beside_the_raster(path):
    path.with_suffix(".qml").write_text(classes.qml(classes.scheme("forest")), encoding="utf-8")
    assert names(path) == {1: "Forest", 2: "Not forest"}


def test_a_style_names_any_value_and_one_that_names_none_is_passed_over(path):
    entry = '<paletteEntry value="{}" label="{}" color="#{}"/>'
    rows = entry.format(0, "Bog", "102030") + entry.format(311, "Forest", "405060")
    path.with_suffix(".qml").write_text(f"<qgis>{rows}</qgis>", encoding="utf-8")
    assert {v: (c.name, c.colour) for v, c in value_names.read(path).items()} == {
        0: ("Bog", "#102030"),
        311: ("Forest", "#405060"),
    }
    unnamed = entry.format(0, 0, "102030") + entry.format(1, "Forest", "405060")  # as QGIS labels values
    path.with_suffix(".qml").write_text(f"<qgis>{unnamed}</qgis>", encoding="utf-8")
    assert names(path) == {1: "Forest"}
    for text in ('<qgis><rasterrenderer type="singlebandgray"/></qgis>', "<qgis"):
        path.with_suffix(".qml").write_text(text, encoding="utf-8")
        assert value_names.read(path) == {}


def test_the_raster_s_colour_table_is_used(path):
    with rasterio.open(path, "r+") as target:
        target.write_colormap(1, {1: (1, 2, 3, 255), 2: (4, 5, 6, 255)})
    path.with_name("lc.tif.aux.xml").write_text(CATEGORIES, encoding="utf-8")
    assert {v: c.colour for v, c in value_names.read(path).items()} == {1: "#010203", 2: "#040506"}


@pytest.mark.parametrize("text", ["<PAMDataset", "<PAMDataset/>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_a_broken_file_beside_it_is_passed_over(path, text):
    path.with_name("lc.tif.aux.xml").write_text(text)
    assert value_names.read(path) == {}
