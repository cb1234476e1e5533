"""Imports run downward only, and the networks' libraries stay in their room."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.scene import REPOSITORY, environment

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", *arguments],
        cwd=REPOSITORY,
        env=environment() | changes,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_contracts_are_kept() -> None:
    done = lint()
    assert done.returncode == 0, done.stdout + done.stderr


def test_contracts_would_notice(tmp_path: Path) -> None:
    """A copy of the package in which the ground floor imports a room and Keras breaks both contracts."""
    package = tmp_path / "lulc_kit"
    for source in (REPOSITORY / "lulc_kit").rglob("*.py"):
        target = package / source.relative_to(REPOSITORY / "lulc_kit")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    with (package / "classes.py").open("a") as stream:
        stream.write("\n\ndef late():\n    import keras\n    from lulc_kit.features import indices\n")
    (tmp_path / "pyproject.toml").write_bytes((REPOSITORY / "pyproject.toml").read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode != 0
    assert "0 kept, 2 broken" in done.stdout


def test_every_room_of_the_study_is_in_the_contract() -> None:
    from lulc_kit import study

    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (rooms,) = (x for x in contracts["contracts"][0]["layers"] if "download" in x)
    assert {name.strip() for name in rooms.split("|")} == {r for rooms in study.ROOMS.values() for r in rooms}
