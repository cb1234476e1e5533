"""Vector files as people have them, against the table that was written."""

import zipfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
from shapely.geometry import LineString, MultiPolygon, Point, box

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
    with pytest.raises(LulcError, match="'encoding' in the parameters"):
        vectors.read(path, encoding="no-such-encoding")


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


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.gpkg", None, "does not exist"),
        ("broken.gpkg", b"SQLite format 3\x00 and no more", "not a vector file that GDAL can read"),
        ("broken.shp", b"", "not a vector file that GDAL can read"),
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
