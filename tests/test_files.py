"""Files appear whole or not at all."""

import hashlib
import os
from pathlib import Path

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
