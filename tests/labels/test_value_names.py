"""What class rasters call their values: as GDAL, ESRI and QGIS keep it."""

import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio.shutil

from lulc_kit import classes, translation
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


def attributes(path, fields, rows):
    """Write an attribute table beside a raster: name, type and use of each field."""
    defined = "".join(
        f'<FieldDefn index="{i}"><Name>{n}</Name><Type>{t}</Type><Usage>{u}</Usage></FieldDefn>'
        for i, (n, t, u) in enumerate(fields)
    )
    cells = "".join(f'<Row index="{i}">' + "".join(f"<F>{c}</F>" for c in row) + "</Row>" for i, row in enumerate(rows))
    path.with_name(f"{path.name}.aux.xml").write_text(
        f'<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable tableType="thematic">{defined}{cells}'
        "</GDALRasterAttributeTable></PAMRasterBand></PAMDataset>",
        encoding="utf-8",
    )


def test_an_attribute_table_that_says_no_use_of_its_columns_is_read_by_their_names(path):
    fields = [("OID", 0, 0), ("Value", 0, 0), ("Class", 0, 0), ("Class_Name", 2, 0)]
    attributes(path, fields, [(0, 1, 7, "Wald"), (1, 2, 8, "See")])
    assert names(path) == {1: "Wald", 2: "See"}
    attributes(path, [("Value", 0, 0), ("Class", 0, 0)], [(1, 7)])
    assert names(path) == {}, "a column of numbers is no name"


def test_colours_of_an_attribute_table_may_be_shares(path):
    fields = [("Value", 0, 5), ("Class", 2, 2), ("Red", 1, 6), ("Green", 1, 7), ("Blue", 1, 8)]
    attributes(path, fields, [(1, "Wald", 0, 1, 0), (2, "See", 0.2, 0, 1)])
    assert [c.colour for c in value_names.read(path).values()] == ["#00ff00", "#3300ff"]


def test_esri_s_table_in_utf8_and_its_colours(path):
    table = pd.DataFrame({"Value": [1, 2], "note": ["x", "y"], "Class": ["Wälder", "水"], "Red": [1, 2]})
    table = table.assign(Green=[3, 4], Blue=[5, 6])
    pyogrio.write_dataframe(table, path.with_name("lc.dbf"), driver="ESRI Shapefile", encoding="UTF-8")
    path.with_name("lc.dbf").rename(path.with_name("lc.tif.vat.dbf"))
    path.with_name("lc.cpg").unlink()
    found = value_names.read(path)
    assert {v: (c.name, c.colour) for v, c in found.items()} == {1: ("Wälder", "#010305"), 2: ("水", "#020406")}


def test_names_that_a_file_of_another_format_holds_itself(tmp_path, path):
    with rasterio.open(tmp_path / "c.img", "w", driver="ENVI", **profile()) as target:
        target.write(np.ones((1, 4, 5), np.uint8))
    header = (tmp_path / "c.hdr").read_text().replace("ENVI Standard", "ENVI Classification")
    header += "classes = 3\nclass lookup = {0,0,0, 255,0,0, 0,255,0}\nclass names = {Unclassified, Bau, Wald}\n"
    (tmp_path / "c.hdr").write_text(header)
    found = value_names.read(tmp_path / "c.img")
    assert {v: (c.name, c.colour) for v, c in found.items()} == {1: ("Bau", "#ff0000"), 2: ("Wald", "#00ff00")}
    path.with_name("lc.tif.aux.xml").write_text(ATTRIBUTES.replace("<F>broken</F><F>x</F>", ""), encoding="utf-8")
    rasterio.shutil.copy(path, tmp_path / "erdas.img", driver="HFA")
    (tmp_path / "erdas.img.aux.xml").unlink(missing_ok=True)
    path.with_name("lc.tif.aux.xml").unlink()
    found = value_names.read(tmp_path / "erdas.img")
    assert {v: (c.name, c.colour) for v, c in found.items() if v} == {1: ("Wald", "#006410"), 2: ("水", "#0000ff")}
    rasterio.shutil.copy(path, tmp_path / "v.vrt", driver="VRT")
    virtual = (tmp_path / "v.vrt").read_text()
    categories = CATEGORIES[CATEGORIES.index("<Cat") : CATEGORIES.index("</PAMRasterBand")]
    (tmp_path / "v.vrt").write_text(virtual.replace("<SimpleSource>", f"{categories}<SimpleSource>"), "utf-8")
    assert names(tmp_path / "v.vrt") == {1: "Wald", 2: "水"}


def test_a_colour_table_counts_without_names_and_what_it_hides_does_not(path):
    with rasterio.open(path, "r+") as target:
        target.nodata = 2  # which GDAL then takes for transparent
        target.write_colormap(1, {0: (9, 9, 9, 255), 1: (1, 2, 3, 255), 2: (4, 5, 6, 255), 7: (7, 8, 9, 255)})
    found = value_names.read(path)
    assert {v: (c.name, c.colour) for v, c in found.items()} == {1: ("1", "#010203"), 7: ("7", "#070809")}
    scheme, means = translation.meanings([1.0, 7.0, 300.0], None, None, found)
    assert scheme.names == ("1", "7", "300") and means["7"] == [7.0]
    scheme, _ = translation.meanings([1.0, 7.0], None, None, found)
    assert [(c.value, c.colour) for c in scheme.classes] == [(1, "#010203"), (7, "#070809")]


def profile():
    return {"height": 4, "width": 5, "count": 1, "dtype": "uint8", "crs": BOX.crs.to_wkt(), "transform": BOX.affine}
