"""Tables: whatever separator, decimal commas, encodings; against pandas told all of it; bad ones refused."""

import unicodedata
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from lulc_kit.errors import LulcError
from lulc_kit.intake import tables

FRAME = pd.DataFrame({"class": ["Wälder", "Seen", "Moor, nass"], "B4": [0.25, 1e-3, -2.5], "n": [1, 2, 3]})


@pytest.mark.parametrize(
    ("separator", "decimal"), [(",", "."), (" ", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), ("|", ",")]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin1"])
def test_the_separator_and_the_decimals_are_found(tmp_path, separator, decimal, encoding):
    path = tmp_path / "x.csv"
    FRAME.to_csv(path, sep=separator, decimal=decimal, encoding=encoding, index=False)
    found = tables.read(path, "latin1" if encoding == "latin1" else None)
    pd.testing.assert_frame_equal(found, FRAME, check_dtype=False)


def test_parquet(tmp_path):
    FRAME.to_parquet(tmp_path / "x.parquet")
    pd.testing.assert_frame_equal(tables.read(tmp_path / "x.parquet"), FRAME)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"a,b\n", "no rows"),
        (b"a,a\n1,2\n", "a is the name of two columns"),
        ("a,b\nWälder,1\n".encode("latin1"), "not in the encoding UTF-8.*'encoding'"),
        (b"a,b\n1,2\n1,2,3,4\n", "1 of 2 rows have more cells than the header.*holds '3"),
        (b"lon,lat,c\n13,5,52,1,a\n14,1,52,2,b\n", "2 of 2 rows have more cells.*in quotes"),
        (b"id,B2\n1,0,25\n2,0,5\n", "2 of 2 rows have more cells.*in quotes"),
        (b"a,b\n" + b"1,2\n" * 30_000 + b"1,2,3\n", "1 of 30001 rows have more cells"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, why):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(LulcError, match=why):
        tables.read(tmp_path / "x.csv")


def test_a_missing_or_broken_file_is_refused(tmp_path):
    with pytest.raises(LulcError, match="does not exist"):
        tables.read(tmp_path / "no.csv")
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(LulcError, match="cannot be read as a table"):
        tables.read(tmp_path / "x.parquet")


def test_points_stand_where_the_columns_say(tmp_path):
    frame = pd.DataFrame({"lon": [116.9, "117.1", None], "lat": [34.1, 34.5, 34.2], "c": ["a", "b", "c"]})
    found = tables.points(frame, "lon", "lat", "EPSG:4326", tmp_path / "x.csv")
    np.testing.assert_array_equal(found.geometry[:2].x, [116.9, 117.1])
    assert found.geometry[2] is None and found.crs.to_epsg() == 4326 and len(found) == 3


@pytest.mark.parametrize(
    ("x", "y", "crs", "why"),
    [
        ("lon", "breite", "EPSG:4326", r"no column 'breite'.*lon, lat.*'table_y'"),
        ("c", "lat", "EPSG:4326", r"'c' .*holds no numbers.*'table_x'"),
        ("lon", "lat", "WGS", "is not a CRS"),
        ("east", "lat", "EPSG:4326", "no degrees.*table_crs"),
    ],
)
def test_bad_coordinates_are_refused(tmp_path, x, y, crs, why):
    frame = pd.DataFrame({"lon": [116.9], "lat": [34.1], "c": ["a"], "east": [400_000.0]})
    with pytest.raises(LulcError, match=f"(?s){why}"):
        tables.points(frame, x, y, crs, tmp_path / "x.csv")


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nx;y z\n1,5;a\n",
        '"sep=,"\nx,y z\n1.5,a\n',
        " x , y z \n1.5,a\n",
        "x\ty z\n1.5\ta\n",
        "x,y z\r1.5,a\r",
    ],
)
def test_excel_s_first_line_and_names_with_blanks(tmp_path, text):
    (tmp_path / "x.csv").write_bytes(text.encode())
    pd.testing.assert_frame_equal(tables.read(tmp_path / "x.csv"), pd.DataFrame({"x": [1.5], "y z": ["a"]}))


def test_words_that_pandas_takes_for_none_stay_words_among_words_alone(tmp_path):
    (tmp_path / "x.csv").write_text("class,B4,note\nNA,1,null\nwood,NA,\n,3,None\n", encoding="utf-8")
    found = tables.read(tmp_path / "x.csv")
    assert found["class"].tolist()[:2] == ["NA", "wood"] and found["note"].tolist()[::2] == ["null", "None"]
    assert found["class"].isna().tolist() == [False, False, True] == found["B4"].isna()[[0, 2, 1]].tolist()
    assert found["B4"].dtype == np.float64


@pytest.mark.parametrize(
    ("separator", "numbers"), [(";", ("1.500,5", "0,12", "-2.000")), ("\t", ("1,500.5", "0.12", "-2,000"))]
)
def test_thousands_that_are_set_apart_are_numbers(tmp_path, separator, numbers):
    lines = [separator.join(("class", "B4")), *(separator.join(("a", n)) for n in numbers)]
    (tmp_path / "x.csv").write_text("\n".join(lines), encoding="utf-8")
    assert tables.read(tmp_path / "x.csv")["B4"].tolist() == [1500.5, 0.12, -2000]


def test_what_is_missing_in_pandas_own_way_is_missing_as_in_any_other(tmp_path):
    frame = pd.DataFrame({"code": pd.array([1, None, 3], "Int64"), "word": pd.array(["a", None, "c"], "string")})
    frame.to_parquet(tmp_path / "x.parquet")
    found = tables.read(tmp_path / "x.parquet")
    np.testing.assert_array_equal(found["code"].to_numpy(), [1, np.nan, 3])
    assert found["word"].tolist() == ["a", None, "c"]


def test_coordinates_that_are_no_numbers_are_told(tmp_path):
    frame = pd.DataFrame({"x": ["15.1", "15°0.73'E", None], "y": [50.0, 50.1, 50.2]})
    with pytest.warns(UserWarning, match="1 of 3 rows have no number in 'x' .*15°0.73'E"):
        found = tables.points(frame, "x", "y", "EPSG:4326", tmp_path / "x.csv")
    assert found.geometry.notna().tolist() == [True, False, False]


@pytest.mark.parametrize("separator", [",", ";", " ", "\t"])
@pytest.mark.parametrize("ends", ["header", "rows", "both", "late"])
def test_a_separator_at_the_end_of_lines_shifts_no_column(tmp_path, separator, ends):
    count = 30_000 if ends == "late" else 2
    lines = [separator.join("abc"), *[separator.join("123")] * count]
    places = {"header": [0], "rows": range(1, count + 1), "both": range(count + 1), "late": [count]}[ends]
    for i in places:
        lines[i] += separator * (2 if i == 1 else 1)
    (tmp_path / "x.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = tables.read(tmp_path / "x.csv")
    assert list(found) == ["a", "b", "c"] and (found.to_numpy() == [1, 2, 3]).all() and len(found) == count


@pytest.mark.parametrize("text", ["c;'a\nb';\n1;2;;\n", "sep=;\nc;'a\nb';\n1;2;;\n", "\n\nc;'a\nb';\n1;2;;\n"])
@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_lines_in_names_and_before_them_are_no_rows(tmp_path, text, line):
    (tmp_path / "x.csv").write_bytes(text.replace("'", '"').replace("\n", line).encode())
    assert tables.read(tmp_path / "x.csv").to_numpy().tolist() == [[1, 2]]


@pytest.mark.parametrize("separator", [" ", ",", "\t"])
def test_numbers_of_rows_as_r_writes_them_are_told_and_no_column(tmp_path, separator):
    text = '"k" "B4"\n"1" "a" 0.5\n"4" "b" NA\n'.replace(" ", separator)
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    with pytest.warns(UserWarning, match="one cell more than its header.*as R writes"):
        found = tables.read(tmp_path / "x.csv")
    pd.testing.assert_frame_equal(found, pd.DataFrame({"k": ["a", "b"], "B4": [0.5, None]}), check_dtype=False)


def test_empty_rows_and_unnamed_empty_columns_are_passed_over(tmp_path):
    (tmp_path / "x.csv").write_text("\nk;;B4;;\na;;1;;\n;;;;\nb;;2;;\n;;;;\n", encoding="utf-8")
    found = tables.read(tmp_path / "x.csv")
    assert found.to_dict("list") == {"k": ["a", "b"], "B4": [1, 2]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x\ty\n1,500\t0.25\n250\t0.5\n", {"x": [1500, 250], "y": [0.25, 0.5]}),
        ('x,y\n"1,5",a\n"0,25",b\n', {"x": [1.5, 0.25], "y": ["a", "b"]}),
        ("x;y\n1.500;0,5\n250;1,5\n", {"x": [1500, 250], "y": [0.5, 1.5]}),
        ("x;y\n1,5;13.405\n2;52.5\n", {"x": [1.5, 2], "y": [13.405, 52.5]}),
        ("x;y\n" + "1;2\n" * 300 + "0,5;2\n", {"x": [1] * 300 + [0.5], "y": [2] * 301}),
        ("x;y\n1,5;a\n1'500;b\n", {"x": [1.5, 1500], "y": ["a", "b"]}),
    ],
)
def test_numbers_are_read_as_the_whole_table_writes_them(tmp_path, text, expected):
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tables.read(tmp_path / "x.csv").to_dict("list") == expected


@pytest.mark.parametrize(
    ("separator", "taken", "expected"),
    [(";", "decimal commas", [1.5, 250]), (",", "between thousands", [1500, 250]), ("\t", "text", ["1,500", "250"])],
)
def test_commas_that_nothing_explains_are_told(tmp_path, separator, taken, expected):
    (tmp_path / "x.csv").write_text(f'x{separator}y\n"1,500"{separator}a\n250{separator}b\n', encoding="utf-8")
    with pytest.warns(UserWarning, match=rf"nothing says .*x \('1,500'\).*{taken}.*Write 1500 or 1\.5"):
        found = tables.read(tmp_path / "x.csv")
    assert found["x"].tolist() == expected


def test_words_that_look_like_numbers_stay_words(tmp_path):
    (tmp_path / "x.csv").write_text("name,code,n\n7e96437622,007,1\n0420182166,NA,2\n", encoding="utf-8")
    found = tables.read(tmp_path / "x.csv", words=("name", "code"))
    assert found.to_dict("list") == {"name": ["7e96437622", "0420182166"], "code": ["007", "NA"], "n": [1, 2]}


def test_words_and_names_of_columns_have_one_spelling(tmp_path):
    frame = pd.DataFrame({unicodedata.normalize("NFD", "Größe"): [unicodedata.normalize("NFD", "Wälder")]})
    frame.to_csv(tmp_path / "x.csv", index=False)
    frame.to_parquet(tmp_path / "x.parquet")
    for name in ("x.csv", "x.parquet"):
        assert tables.read(tmp_path / name).to_dict("list") == {"Größe": ["Wälder"]}


def test_decimals_of_parquet_are_numbers(tmp_path):
    pd.DataFrame({"B4": [Decimal("0.25"), None, Decimal("1.5")]}).to_parquet(tmp_path / "x.parquet")
    found = tables.read(tmp_path / "x.parquet")["B4"]
    assert found.dtype == np.float64 and found.tolist()[::2] == [0.25, 1.5]


def test_another_remedy_is_said_where_it_is_no_table_of_labels(tmp_path):
    (tmp_path / "x.csv").write_bytes("a,b\nWälder,1\n".encode("cp1252"))
    with pytest.raises(LulcError, match="not in the encoding UTF-8.*Save it anew") as caught:
        tables.read(tmp_path / "x.csv", remedy="Save it anew.")
    assert "05_samples" not in str(caught.value)


@pytest.mark.parametrize(
    ("lon", "lat"),
    [
        (["\N{MINUS SIGN}70.5", "13.5°", "x"], ["1", "2", "3"]),
        (["-70,5", "13,5", "?"], ["1", "2", "3"]),
        ([-70.5, 13.5, np.inf], [1, 2, 3]),
        ([-70.5, 13.5, -9999], [1, 2, -9999]),
    ],
)
def test_coordinates_are_read_in_any_spelling_and_rows_without_are_told(tmp_path, lon, lat):
    with pytest.warns(UserWarning, match=r"1 of 3 rows have no number in 'lon' \(the first: .* are no places"):
        found = tables.points(pd.DataFrame({"lon": lon, "lat": lat}), "lon", "lat", "EPSG:4326", tmp_path / "x.csv")
    assert found.geometry[:2].x.tolist() == [-70.5, 13.5] and found.geometry[:2].y.tolist() == [1, 2]
    assert found.geometry[2] is None


def test_a_comma_that_may_mean_two_things_makes_no_place(tmp_path):
    frame = pd.DataFrame({"lon": ["13,405", "13,500"], "lat": [52.5, 52.6]})
    with pytest.raises(LulcError, match=r"holds no numbers \(the first: '13,405'\)"):
        tables.points(frame, "lon", "lat", "EPSG:4326", tmp_path / "x.csv")


def test_another_remedy_for_coordinates_is_said_too(tmp_path):
    for frame in (pd.DataFrame({"x": ["a"], "y": [1]}), pd.DataFrame({"x": [1], "y": [999]})):
        with pytest.raises(LulcError, match="Put them back") as caught:
            tables.points(frame, "x", "y", "EPSG:4326", tmp_path / "x.csv", remedy="Put them back")
        assert "table_" not in str(caught.value)
