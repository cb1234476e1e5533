"""Class schemes from files: what QGIS, a table or YAML says; broken ones refused."""

import pytest

from lulc_kit import classes
from lulc_kit.errors import LulcError
from lulc_kit.labels import schemes

WANTED = [(3, "Wald & Forst", "#006400"), (7, "水体", "#0064c8")]
YAML = 'Wald & Forst: {value: 3, colour: "#006400"}\n水体: {value: 7, colour: "#0064C8"}\n'
CSV = "value;name;colour\n7;水体;#0064c8\n3;Wald & Forst;#006400\n"


def read(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return schemes.read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text"), [("x.yaml", YAML), ("x.csv", CSV), ("x.csv", "\ufeff" + CSV.replace(";", ","))]
)
def test_values_names_and_colours(tmp_path, name, text):
    found = read(tmp_path, name, text)
    assert [(c.value, c.name, c.colour) for c in found.classes] == WANTED
    assert found.name == "x"


def test_a_style_of_qgis_is_read_as_it_was_written(tmp_path):
    scheme = classes.scheme("worldcover")
    found = read(tmp_path, "wc.qml", classes.qml(scheme))
    assert found.classes == scheme.classes


def test_classes_without_colour_get_one(tmp_path):
    found = read(tmp_path, "x.yaml", "A: 1\nB: 2\n")
    assert found.names == ("A", "B") and len({c.colour for c in found.classes}) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.yaml", 'Wald & Forst: {value: 3, color: "#006400"}\n水体: {value: "7", color: "#0064C8"}\n'),
        ("x.yaml", 'Wald & Forst: {value: 3.0, colour: "#006400"}\n水体: {value: 7, colour: "#0064C8"}\n'),
        ("x.csv", "Value,Name,Color\n3.0,Wald & Forst,#006400\n,,\n\n7,水体,#0064C8\n"),
        ("x.csv", 'NAME; colour;VALUE;\r\n"Wald &\r\nForst";#006400; 3;\r\n水体;#0064C8;7.0;\r\n'),
    ],
)
def test_schemes_as_programs_and_people_write_them(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode())
    found = schemes.read(tmp_path / name)
    assert [(c.value, c.name, c.colour) for c in found.classes] == WANTED


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("x.yaml", "A: {value: 1, colour: red}", "colour 'red'"),
        ("x.yaml", "A: 0", "values go from 1 to 255"),
        ("x.yaml", "A: many", "not a class scheme"),
        ("x.yaml", "A: 1.7", "the value of A is 1.7, and values are whole numbers"),
        ("x.yaml", "A: yes", "the value of A is True.*YAML reads yes, no, on and off"),
        ("x.yaml", "1: A", "Name and value are exchanged: write A: 1"),
        ("x.yaml", "No: 1", 'quote it: "No"'),
        ("x.yaml", "A: {value: 1, color: red, colour: blue}", "A says value, color, colour"),
        ("x.yaml", "A:\n  value: 1\n  colour: #1b7837\n", "colour of A is empty: # begins a comment"),
        ("x.yaml", "classes: {A: 1, B: 2}", "classes says A, B; a class says value"),
        ("x.csv", "value,name\n1.5,A\n", "the value of A is '1.5'"),
        ("x.csv", "value,name\n1,A, dense\n", "more cells than the first line"),
        ("x.csv", "value,name\n1\n", "The class of value 1 has no name"),
        ("x.csv", "code,label\n1,A\n", "no column value and no column name, but code, label"),
        ("x.csv", "value,name\n1,A\n1,B\n", "Two classes have the value 1"),
        ("x.csv", "value,name\n1,A\n2,A\n", "Two classes have the name 'A'"),
        ("x.csv", "", "not a class scheme|holds no class"),
        ("x.qml", "<qgis", "not a class scheme"),
        ("x.qml", "<qgis/>", "holds no class"),
        ("x.qml", '<!DOCTYPE q [<!ENTITY a "b">]><qgis>&a;</qgis>', "not a class scheme"),
        ("x.txt", "A: 1", "can be read: write it as"),
    ],
)
def test_what_is_no_scheme_is_refused(tmp_path, name, text, why):
    with pytest.raises(LulcError, match=why):
        read(tmp_path, name, text)
    with pytest.raises(LulcError, match="does not exist"):
        schemes.read(tmp_path / "none.qml")


def test_a_scheme_in_another_encoding_says_what_to_do(tmp_path):
    (tmp_path / "x.csv").write_bytes("value,name\n1,森林\n".encode("gbk"))
    with pytest.raises(LulcError, match="not in UTF-8.*Save it as UTF-8"):
        schemes.read(tmp_path / "x.csv")
