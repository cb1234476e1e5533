"""Files appear whole or not at all; names of archived ones survive every platform's paths."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest

from lulc_kit import files
from lulc_kit.errors import LulcError


def test_replacing_puts_the_new_file_in_place(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x.json"
    files.write_json(path, {"ä": [1, None]})
    assert files.read_json(path) == {"ä": [1, None]}
    assert path.read_text(encoding="utf-8").endswith("}\n")
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_replacing_leaves_what_was_there_when_the_block_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "x.txt"
    files.write_text(path, "old")
    with pytest.raises(error), files.replacing(path) as part:
        part.write_text("half")
        assert path.read_text() == "old"
        raise error
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_part_keeps_the_suffix_and_is_hidden(tmp_path: Path) -> None:
    with files.replacing(tmp_path / "a.b.tif") as part:
        assert part.suffix == ".tif"
        assert part.name.startswith(".")
        assert part.parent == tmp_path
        part.touch()


def test_leftover_of_a_killed_run_does_not_enter(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    with files.replacing(path) as part:
        name = part.name
        part.touch()
    (tmp_path / name).write_text("left by a process that was killed")
    with files.replacing(path) as part, part.open("a") as stream:
        stream.write("new")
    assert path.read_text() == "new"


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("not a folder")
    for path in (tmp_path / "outputs" / "x.txt", tmp_path / "outputs" / "study" / "x.txt"):
        with pytest.raises(LulcError, match="Choose another folder"):
            files.write_text(path, "x")
    assert (tmp_path / "outputs").read_text() == "not a folder"


def test_target_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.txt").mkdir()
    with pytest.raises(LulcError, match=r"x\.txt cannot be written"):
        files.write_text(tmp_path / "x.txt", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_no_permission_said_by_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(LulcError, match=r"(?s)Permission denied.*lulc run --outputs"):
        files.write_text(tmp_path / "no" / "x.txt", "x")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root (or Windows) may write anywhere")
def test_no_permission_on_disk(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(LulcError, match="--outputs"):
            files.write_text(tmp_path / "x.txt", "x")
    finally:
        tmp_path.chmod(0o700)


def test_broken_and_missing_json(tmp_path: Path) -> None:
    with pytest.raises(LulcError, match="does not exist"):
        files.read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_text('{"a": ')
    with pytest.raises(LulcError, match="not valid JSON"):
        files.read_json(tmp_path / "x.json")


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc" * 100_000)
    assert files.sha256(tmp_path / "x") == hashlib.sha256(b"abc" * 100_000).hexdigest()


@pytest.mark.parametrize("kind", [str, PurePosixPath, PureWindowsPath])
@pytest.mark.parametrize(
    ("archive", "member"),
    [
        ("/data/x.zip", "a.SAFE/GRANULE/B02.jp2"),
        ("C:/data/x.zip", "B02.jp2"),
        ("scenes/x.zip", "a/B02.jp2"),
        ("/my.zip folder {1}/x.ZIP", "a.zip/b.jp2"),
    ],
)
def test_names_of_archived_files_survive_paths(kind: type, archive: str, member: str) -> None:
    """No double slash that pathlib would fold, no backslash that GDAL would not know."""
    name = files.join_archive(archive, member)
    assert files.split_archive(kind(name)) == (archive, member)
    if not archive.startswith("scenes"):
        assert files.gdal_name(kind(name)) == name


def test_a_windows_share_survives_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_WINDOWS", True)
    name = files.join_archive("//server/share/x.zip", "B02.jp2")
    for kind in (str, PureWindowsPath):
        assert files.split_archive(kind(name)) == ("//server/share/x.zip", "B02.jp2")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/vsizip//data/x.zip/b/B02.jp2", ("/data/x.zip", "b/B02.jp2")),
        (PurePosixPath("/vsizip//data/x.zip/b/B02.jp2"), ("/data/x.zip", "b/B02.jp2")),
        ("/vsizip/C:/data/x.zip/B02.jp2", ("C:/data/x.zip", "B02.jp2")),
        (PureWindowsPath(r"\vsizip\C:\data\x.zip\B02.jp2"), ("C:/data/x.zip", "B02.jp2")),
        ("/data/x.zip", None),
        (PurePosixPath("/data/vsizip/B02.jp2"), None),
    ],
)
def test_gdals_form_without_braces_is_understood(name: str | PurePath, expected: tuple[str, str] | None) -> None:
    assert files.split_archive(name) == expected


def test_the_archive_is_what_lies_on_the_disk(tmp_path: Path) -> None:
    archive = tmp_path / "x.zip"
    assert files.on_disk(Path(files.join_archive(archive, "B02.jp2"))) == archive
    assert files.on_disk(tmp_path / "B02.jp2") == tmp_path / "B02.jp2"


@dataclass
class _Usage:
    free: int
    total: int = 10**12


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a system without /dev/full, a disk that is always full")
def test_a_full_disk_speaks_in_words(tmp_path: Path) -> None:
    files.write_text(tmp_path / "x.txt", "old")
    said = r"x\.txt cannot be written \(No space left.*MB free, and more than 5\.0 MB are needed"
    with pytest.raises(LulcError, match=said), files.replacing(tmp_path / "x.txt") as part:
        part.write_bytes(bytes(5_000_000))
        Path("/dev/full").write_bytes(b"x")
    assert (tmp_path / "x.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


@pytest.mark.parametrize(("free", "told"), [(1_000, True), (20_000_000, True), (40_000_000, False)])
def test_an_error_without_a_number_is_judged_by_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, told: bool
) -> None:
    """As GDAL's are: the 30 MB that are needed fit or do not."""
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: _Usage(free))
    with pytest.raises(LulcError if told else SystemError), files.report_full(tmp_path / "x.tif", 30_000_000):
        raise SystemError("Unknown GDAL Error")


def test_a_file_is_refused_only_if_it_cannot_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: _Usage(10_000_000))
    files.refuse_full(tmp_path / "not" / "there" / "x.tif", 10_000_000)
    with pytest.raises(LulcError, match=r"10\.0 MB free, and about 12\.5 MB are needed"):
        files.refuse_full(tmp_path / "x.tif", 12_500_000)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: _Usage(0, total=0))
    files.refuse_full(tmp_path / "x.tif", 10**15)  # a share that does not say


def test_a_pattern_in_a_folder_with_brackets_finds_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "project_folder", lambda: tmp_path)
    for name in ("data[1]/a-1.tif", "data[1]/a-2.tif", "data1/a-3.tif"):
        files.write_text(tmp_path / name, "")
    assert [f.name for f in files.find("data[1]/a-*.tif")] == ["a-1.tif", "a-2.tif"]
    assert [f.name for f in files.find("data?/a-*.tif")] == ["a-3.tif"]
    assert len(files.find("*/a-*.tif")) == 3
