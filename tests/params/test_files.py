"""Parameter files: what is YAML, each name once."""

from pathlib import Path
from typing import Any

import pytest

from lulc_kit import params
from lulc_kit.errors import LulcError


def test_a_name_given_twice_in_yaml_is_refused(tmp_path: Any) -> None:
    """Plain YAML takes the last: a band given twice would be read from one of the two files, and nobody told."""
    path = tmp_path / "01_download.yaml"
    for text in ("study: a\nstudy: b\n", "scenes:\n- bands:\n    B2: x.tif\n    B2: y.tif\n"):
        path.write_text(text)
        with pytest.raises(LulcError, match=r"(?s)01_download\.yaml.*given twice"):
            params.load(path)


@pytest.mark.parametrize("text", ["study: [", "- a\n- b\n", "7", "1: x\n", b"\xff\xfe\x00"])
def test_not_a_parameter_file(tmp_path: Any, text: str | bytes) -> None:
    path = tmp_path / "06_rf.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(LulcError, match=r"06_rf\.yaml"):
        params.load(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1: Forest\n", "found 1: 'Forest'. Name and value are exchanged: write Forest: 1."),
        ("No: 1\n", 'found False: 1. YAML reads yes, no, on and off as true and false.*quote it: "No"'),
        ("2018: [1]\n", 'Names are text: write it in quotes, "2018"'),
    ],
)
def test_names_that_are_no_text(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(LulcError, match=says):
        params.load(tmp_path / "x.yaml")


def test_empty_and_missing_parameter_files(tmp_path: Any) -> None:
    (tmp_path / "06_rf.yaml").write_text("# nothing\n")
    assert params.load(tmp_path / "06_rf.yaml") == {}
    with pytest.raises(LulcError, match="cannot be read"):
        params.load(tmp_path)


def test_yaml_cannot_run_code(tmp_path: Any) -> None:
    path = tmp_path / "06_rf.yaml"
    path.write_text("study: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(LulcError, match="not valid YAML"):
        params.load(path)


@pytest.mark.parametrize("text", ["a: " + "[" * 3000, "a: " + "9" * 6000, "a: 2023-13-45", "a: \xff"])
def test_files_that_are_hostile_or_broken(tmp_path: Path, text: str) -> None:
    path = tmp_path / "01_download.yaml"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(LulcError, match=r"01_download\.yaml is not"):
        params.load(path)


@pytest.mark.parametrize("number", ["011", "-007", "12:30", "1:20:00"])
def test_numbers_that_yaml_reads_as_others_are_refused(tmp_path: Path, number: str) -> None:
    """By YAML 1.1 these are 9, −7, 750 and 4800: another class than the one that was written."""
    path = tmp_path / "05_samples.yaml"
    path.write_text(f"classes: {{Forest: [{number}]}}\n")
    with pytest.raises(LulcError, match=f"{number} would be read as another number"):
        params.load(path)
    path.write_text(f"classes: {{Forest: ['{number}', 0, 10, 0x10, 1_000, -7]}}\n")
    assert params.load(path) == {"classes": {"Forest": [number, 0, 10, 16, 1000, -7]}}


def test_aliases_may_repeat_a_value_and_not_multiply_it(tmp_path: Path) -> None:
    path = tmp_path / "05_samples.yaml"
    path.write_text("a: &a {x: [1, 2]}\nb: {<<: *a, y: *a}\n")
    assert params.load(path)["b"] == {"x": [1, 2], "y": {"x": [1, 2]}}
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    path.write_text("\n".join(lines))
    with pytest.raises(LulcError, match="aliases repeat values more than"):
        params.load(path)
    path.write_text("labels: &a [*a]\n")
    assert len(params.load(path)["labels"]) == 1  # it holds itself; the model refuses it


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: Höhe".encode("latin1"), r"in UTF-8 .*Save it as UTF-8"),
        ("a: 1".encode("utf-16"), r"in UTF-8 .*Save it as UTF-8"),
        ("a: 1".encode("utf-16-le"), r"Save it as UTF-8"),
        (b"a:\n\tb: 1", r"blanks, not with tabs"),
        (rb'a: "C:\data\new.tif"', r"with /, or in single quotes"),
        ("a:\n- b: 1\n\u00a0\u00a0c: 1\n  d: 1".encode(), r"Line 3 has a no-break space"),
    ],
)
def test_the_usual_slips_of_editors_are_named(tmp_path: Path, text: bytes, says: str) -> None:
    path = tmp_path / "01_download.yaml"
    path.write_bytes(text)
    with pytest.raises(LulcError, match=rf"(?s)01_download\.yaml is not .*{says}"):
        params.load(path)


def test_byte_order_marks_and_ends_of_lines_mean_nothing(tmp_path: Path) -> None:
    path = tmp_path / "01_download.yaml"
    for text in (b"\xef\xbb\xbfa: 1\nb: 2", b"a: 1\r\nb: 2\r\n", b"a: 1\rb: 2"):
        path.write_bytes(text)
        assert params.load(path) == {"a": 1, "b": 2}
