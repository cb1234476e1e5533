"""Vector files as people have them, against the table that was written."""

import json
import unicodedata
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from lulc_kit.errors import LulcError
from lulc_kit.intake import vectors

WORDS = ["建筑", "耕地", "森林"]


def table(words: list[str] = WORDS) -> gpd.GeoDataFrame:
    shapes = [box(0, 0, 10, 10), box(20, 0, 30, 10), box(40, 0, 50, 10)]
    return gpd.GeoDataFrame({"class": words}, geometry=shapes, crs=32633)


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.geojson", "a.fgb", "a.parquet", "a.gdb", "A.SHP", "a.gml"])
def test_every_format_says_the_same(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    expected = table().to_crs(4326) if name.endswith("json") else table()
    if path.suffix == ".parquet":
        expected.to_parquet(path)
    elif path.suffix == ".gdb":
        expected.to_file(path, driver="OpenFileGDB", layer="training")
    elif path.suffix == ".SHP":
        expected.to_file(tmp_path / "x.shp", encoding="utf-8")
        for part in tmp_path.glob("x.*"):
            part.rename(tmp_path / f"A{part.suffix.upper()}")
    else:
        more = {"SPATIAL_INDEX": "NO"} if name.endswith("fgb") else {}  # which changes the order
        expected.to_file(path, **({"encoding": "utf-8"} if name.endswith("shp") else {}), **more)
    assert vectors.is_vector(path)
    found = vectors.read(path)
    assert found.table["class"].tolist() == WORDS
    assert found.table.crs == expected.crs
    assert all(
        a.equals_exact(b, 1e-6) or a.equals(b) for a, b in zip(found.table.geometry, expected.geometry, strict=True)
    )


def test_a_zipped_shapefile_is_a_vector_file_and_a_zipped_image_is_none(tmp_path: Path) -> None:
    table().to_file(tmp_path / "x.shp", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for part in tmp_path.glob("x.*"):
            if part.suffix != ".zip":
                archive.write(part, f"inside/{part.name}")
    assert vectors.is_vector(tmp_path / "x.zip")
    assert vectors.read(tmp_path / "x.zip").table["class"].tolist() == WORDS
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as archive:
        archive.writestr("B02.jp2", "x")
    assert not vectors.is_vector(tmp_path / "y.zip")
    (tmp_path / "z.zip").write_text("no archive")
    assert not vectors.is_vector(tmp_path / "z.zip")


def test_a_style_beside_the_layer_is_no_layer(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    table().to_file(path, layer="training")
    pyogrio.write_dataframe(pd.DataFrame({"styleQML": ["<qgis/>"]}), path, layer="layer_styles")
    assert vectors.read(path).layer == "training"
    table().to_file(path, layer="more")
    with pytest.raises(LulcError, match="has 2 layers: training, more"):
        vectors.read(path)
    assert vectors.read(path, layer="more").layer == "more"
    with pytest.raises(LulcError, match="has no layer 'other'"):
        vectors.read(path, layer="other")


@pytest.mark.parametrize("encoding", ["UTF-8", "latin1"])
def test_words_of_a_shapefile_that_names_no_encoding(tmp_path: Path, encoding: str) -> None:
    path, found = tmp_path / "p.shp", table().iloc[:2].assign(**{"class": ["Grünland", "Wälder"]})
    found.to_file(path, encoding=encoding)
    path.with_suffix(".cpg").unlink()
    raw = bytearray(path.with_suffix(".dbf").read_bytes())
    raw[29] = 0  # the byte that names a language
    path.with_suffix(".dbf").write_bytes(raw)
    assert vectors.read(path).table["class"].tolist() == ["Grünland", "Wälder"]


def test_words_in_an_encoding_that_the_file_does_not_name(tmp_path: Path) -> None:
    path = tmp_path / "p.shp"
    table().to_file(path, encoding="GBK")
    path.with_suffix(".cpg").unlink()
    raw = bytearray(path.with_suffix(".dbf").read_bytes())
    raw[29] = 0  # the byte that names a language
    path.with_suffix(".dbf").write_bytes(raw)
    assert vectors.read(path, encoding="GBK").table["class"].tolist() == WORDS
    wrong = vectors.read(path).table["class"].tolist()
    assert wrong != WORDS
    assert "encoding: GBK" in vectors.encoding_hint(path, wrong, "05_samples.yaml")
    assert vectors.encoding_hint(path, ["Wald"], "05_samples.yaml") == ""
    with pytest.raises(LulcError, match="'encoding' in 05_samples.yaml"):
        vectors.read(path, encoding="no-such-encoding", parameters="05_samples.yaml")


def test_a_letter_is_the_same_letter_however_it_is_composed_and_a_list_is_a_word(tmp_path: Path) -> None:
    places = table(["Ge\u0062a\u0308ude", "\u1112\u1161\u11ab", "x"]).to_crs(4326)
    content = json.loads(places.to_json())
    for k, feature in enumerate(content["features"]):
        feature["properties"]["tags"] = ["a", str(k)]
    (tmp_path / "a.geojson").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    found = vectors.read(tmp_path / "a.geojson").table
    assert found["class"].tolist() == ["Geb\u00e4ude", "\ud55c", "x"]
    assert found["tags"].tolist() == ["['a', '0']", "['a', '1']", "['a', '2']"]


def test_a_crs_that_the_coordinates_contradict_or_that_is_no_place_is_refused(tmp_path: Path) -> None:
    content = json.loads(table().to_json())
    content.pop("crs")  # GeoJSON is then in degrees
    (tmp_path / "a.geojson").write_text(json.dumps(content | {"features": content["features"]}))
    assert vectors.read(tmp_path / "a.geojson").table.crs == "EPSG:4326"  # as small as degrees may be
    far = table()
    far.geometry = far.translate(500_000, 5_800_000)
    content["features"] = json.loads(far.to_json())["features"]
    (tmp_path / "b.geojson").write_text(json.dumps(content))
    with pytest.raises(LulcError, match=r"are degrees \(WGS 84\), but they reach from 500000, 5800000 to 5000"):
        vectors.read(tmp_path / "b.geojson")
    said = vectors.read(tmp_path / "b.geojson", crs="EPSG:32633").table
    assert (
        said.crs == "EPSG:32633"
        and said.geometry.geom_equals_exact(far.geometry.set_crs(32633, allow_override=True), 1e-6).all()
    )
    assert vectors.read(tmp_path / "a.geojson", crs="EPSG:32633").table.crs == "EPSG:4326", "nothing contradicts it"
    local = table().set_crs('LOCAL_CS["Arbitrary",UNIT["metre",1]]', allow_override=True)
    local.to_file(tmp_path / "c.gpkg")
    with pytest.raises(LulcError, match="tied to no place on the earth"):
        vectors.read(tmp_path / "c.gpkg")


def test_what_was_understood_is_a_table(tmp_path: Path) -> None:
    mixed = gpd.GeoDataFrame(
        {"class": ["a", "a ", None, "b", "b"]},
        geometry=[Point(0, 0), box(0, 0, 1, 1), MultiPolygon([box(0, 0, 1, 1)]), LineString([(0, 0), (1, 1)]), None],
        crs=3035,
    )
    mixed.to_file(tmp_path / "m.gpkg")
    found = vectors.read(tmp_path / "m.gpkg").record("class")["found"]
    assert found["CRS"] == "EPSG:3035"
    assert found["features"] == 5
    assert (found["of these Point"], found["of these LineString"], found["of these no geometry"]) == (1, 1, 1)
    assert (found["class = 'a'"], found["class = 'a '"], found["class = 'b'"]) == (1, 1, 2)


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.parquet", "a.geojson"])
def test_a_file_is_described_without_reading_its_features(tmp_path: Path, name: str) -> None:
    path, expected = tmp_path / name, table()
    expected.to_parquet(path) if name.endswith("parquet") else expected.to_file(path)
    (row,) = vectors.describe(path)
    assert row == {
        "file": name, "layer": "a", "CRS": "EPSG:32633", "geometry": "Polygon", "features": 3, "fields": "class",
    }  # fmt: skip


def test_all_layers_are_described_also_those_without_geometry(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    table().to_file(path, layer="training")
    pyogrio.write_dataframe(pd.DataFrame({"styleQML": ["<qgis/>"] * 2}), path, layer="layer_styles")
    found = pd.DataFrame(vectors.describe(path)).set_index("layer")
    assert found["features"].to_dict() == {"training": 3, "layer_styles": 2}
    assert found["geometry"].to_dict() == {"training": "Polygon", "layer_styles": "none"}
    with pytest.raises(LulcError, match="does not exist"):
        vectors.describe(tmp_path / "no.gpkg")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.gpkg", None, "does not exist"),
        ("broken.gpkg", b"SQLite format 3\x00 and no more", "not a vector file that GDAL can read"),
        ("broken.gpkg", b"", "not a vector file that GDAL can read"),
        ("broken.SHP", b"", r"its \.shx is missing"),
        ("broken.parquet", b"PAR1", "is not GeoParquet"),
    ],
)
def test_files_that_are_none(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LulcError, match=says):
        vectors.read(tmp_path / name)


def test_without_crs_or_geometry(tmp_path: Path) -> None:
    gpd.GeoDataFrame({"class": ["a"]}, geometry=[box(0, 0, 1, 1)]).to_file(tmp_path / "a.gpkg")
    with pytest.raises(LulcError, match="has no CRS"):
        vectors.read(tmp_path / "a.gpkg")
    pd.DataFrame({"class": ["a"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(LulcError, match="is not GeoParquet"):
        vectors.read(tmp_path / "a.parquet")
    pyogrio.write_dataframe(pd.DataFrame({"class": ["a"]}), tmp_path / "t.gpkg", layer="t")
    with pytest.raises(LulcError, match="no layer with geometry"):
        vectors.read(tmp_path / "t.gpkg")


def test_of_several_layers_the_only_one_with_features_is_meant(tmp_path: Path) -> None:
    places = gpd.GeoDataFrame({"name": WORDS}, geometry=[Point(15, 52), Point(15, 53), Point(16, 52)], crs=4326)
    places.to_file(tmp_path / "a.gpx", driver="GPX", layer="waypoints")
    found = vectors.read(tmp_path / "a.gpx", parameters="05_samples.yaml")
    assert (found.layer, found.table["name"].tolist()) == ("waypoints", WORDS)


KML = """<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>training</name>{folders}</Document></kml>"""
FOLDER = """<Folder><name>{name}</name>{marks}</Folder>"""
MARK = """<Placemark><name>{name}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>
{x},52,0 {x},53,0 {x}.5,53,0 {x}.5,52,0 {x},52,0</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"""


def test_folders_of_google_earth_are_layers_and_may_be_classes(tmp_path: Path) -> None:
    """Written as text: GDAL's own writer makes no folder of a layer's features alone."""
    folders = {WORDS[0]: [10, 11], WORDS[1]: [12]}
    marks = {name: "".join(MARK.format(name=f"p{x}", x=x) for x in where) for name, where in folders.items()}
    text = KML.format(folders="".join(FOLDER.format(name=name, marks=inside) for name, inside in marks.items()))
    path = tmp_path / "training.kml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LulcError, match=r'is a class, write layer: "\*" and field: layer'):
        vectors.read(path, parameters="05_samples.yaml")
    found = vectors.read(path, layer="*").table
    assert found["layer"].tolist() == [WORDS[0], WORDS[0], WORDS[1]]
    assert found.bounds["minx"].tolist() == [10, 11, 12]


def test_layers_in_several_crs_are_joined_in_that_of_the_first(tmp_path: Path) -> None:
    table().to_file(tmp_path / "a.gpkg", layer="one")
    table().to_crs(4326).to_file(tmp_path / "a.gpkg", layer="two")
    pyogrio.write_dataframe(pd.DataFrame({"styleQML": ["<qgis/>"]}), tmp_path / "a.gpkg", layer="layer_styles")
    found = vectors.read(tmp_path / "a.gpkg", layer="*").table
    assert (found.crs.to_epsg(), found["layer"].tolist()) == (32633, ["one"] * 3 + ["two"] * 3)
    np.testing.assert_allclose(found.bounds[3:], table().bounds, atol=1e-6)


def test_only_what_the_parameters_have_is_advised(tmp_path: Path) -> None:
    """Layer, encoding and CRS are parameters of 05 alone."""
    table().to_file(tmp_path / "a.gpkg", layer="one")
    table().to_file(tmp_path / "a.gpkg", layer="two")
    with pytest.raises(LulcError, match="Set 'layer' in 05_samples.yaml"):
        vectors.read(tmp_path / "a.gpkg", parameters="05_samples.yaml")
    with pytest.raises(LulcError, match="has 2 layers: one, two. Save the right one as a file of its own"):
        vectors.read(tmp_path / "a.gpkg", parameters="01_download.yaml")
    table().to_file(tmp_path / "a.shp")
    (tmp_path / "a.prj").unlink()
    with pytest.raises(LulcError, match="labels_crs in 05_samples.yaml"):
        vectors.read(tmp_path / "a.shp", parameters="05_samples.yaml")
    with pytest.raises(LulcError, match=r"then save\) and try again"):
        vectors.read(tmp_path / "a.shp", parameters="01_download.yaml")


def test_names_of_fields_are_in_one_spelling(tmp_path: Path) -> None:
    """A program of macOS writes ä as two characters, and the parameters have one."""
    two = unicodedata.normalize("NFD", "Fläche")
    frame = gpd.GeoDataFrame({two: ["Wälder"]}, geometry=[Point(0, 0)], crs=4326)
    frame.to_file(tmp_path / "a.gpkg")
    assert "Fläche" in vectors.read(tmp_path / "a.gpkg").table.columns


def test_geoparquet_with_what_is_missing_in_pandas_own_way(tmp_path: Path) -> None:
    found = table().iloc[:2].assign(code=pd.array([1, None], "Int64"))
    found.to_parquet(tmp_path / "p.parquet")
    np.testing.assert_array_equal(vectors.read(tmp_path / "p.parquet").table["code"], [1, np.nan])


@pytest.mark.parametrize("name", ["x.gpkg", "x.parquet"])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_shapes_whose_coordinates_are_no_numbers_count_as_without_geometry(
    tmp_path: Path, name: str, number: float
) -> None:
    frame = table()
    frame.loc[1, "geometry"] = Polygon([(0, 0), (5, number), (5, 5)])
    frame.to_parquet(tmp_path / name) if name.endswith("parquet") else frame.to_file(tmp_path / name)
    with pytest.warns(UserWarning, match="1 of 3 features of .* no numbers.*the first is number 2"):
        found = vectors.read(tmp_path / name).table
    assert [shape is None for shape in found.geometry] == [False, True, False]
    assert found["class"].tolist() == WORDS


@pytest.mark.parametrize("name", ["x.geojson", "x.parquet"])
def test_objects_and_lists_of_several_lengths_are_words(tmp_path: Path, name: str) -> None:
    frame = table().to_crs(4326).drop(columns="class")
    kinds = [{"a": 1, "b": ["x"]}, {"a": 2, "b": ["x", "y"]}, None]
    if name.endswith("parquet"):
        frame.assign(kind=kinds, rings=[[[1], [2, 3]], [], None]).to_parquet(tmp_path / name)
    else:
        features = json.loads(frame.to_json())
        for feature, kind, rings in zip(features["features"], kinds, [[[1], [2, 3]], [], None], strict=True):
            feature["properties"] = {"kind": kind, "rings": rings}
        (tmp_path / name).write_text(json.dumps(features))
    found = vectors.read(tmp_path / name).table
    assert found["kind"].dropna().tolist() == ["{'a': 1, 'b': ['x']}", "{'a': 2, 'b': ['x', 'y']}"]
    assert found["rings"].dropna().tolist() == ["[[1], [2, 3]]", "[]"]


def test_vectors_under_names_of_other_files(tmp_path: Path) -> None:
    table().to_file(tmp_path / "x.gml")
    (tmp_path / "x.gml").rename(tmp_path / "wfs.xml")
    table().to_crs(4326).rename(columns={"class": "Name"}).to_file(tmp_path / "x.kml", driver="KML")
    (tmp_path / "x.kml").rename(tmp_path / "k.xml")
    table().to_file(tmp_path / "x.jsonfg", driver="JSONFG")
    table().to_crs(4326).to_file(tmp_path / "x.geojsons", driver="GeoJSONSeq")
    for name, field in (("wfs.xml", "class"), ("k.xml", "Name"), ("x.jsonfg", "class"), ("x.geojsons", "class")):
        assert vectors.is_vector(tmp_path / name), name
        assert vectors.read(tmp_path / name).table[field].tolist() == WORDS, name
    for text in ('<MD_Metadata xmlns:gml="http://www.opengis.net/gml">', "<PAMDataset/>", ""):
        (tmp_path / "m.xml").write_text(text)
        assert not vectors.is_vector(tmp_path / "m.xml")


@pytest.mark.parametrize("name", ["x.shz", "x.zip"])
def test_a_packed_shapefile_in_utf8_without_cpg_is_read_as_such(tmp_path: Path, name: str) -> None:
    table().to_file(tmp_path / "a.shp", encoding="UTF-8")
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        for part in tmp_path.glob("a.*"):
            if part.suffix != ".cpg":
                archive.write(part, f"x{part.suffix}")
    assert vectors.is_vector(tmp_path / name)
    assert vectors.read(tmp_path / name).table["class"].tolist() == WORDS
