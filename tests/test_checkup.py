"""`lulc doctor`: a good installation is good, and what is broken gets a remedy."""

import importlib
import importlib.metadata
import re
from pathlib import Path
from typing import Any

import pytest

from lulc_kit import checkup


def test_python_bounds_are_those_of_the_package() -> None:
    requires = importlib.metadata.metadata("lulc-kit")["Requires-Python"]
    assert sorted(requires.split(",")) == ["<3.14", ">=3.11"]
    assert "3.11 to 3.13" in checkup._python().what


@pytest.mark.parametrize(
    ("version", "good"), [((3, 10, 9), False), ((3, 11, 0), True), ((3, 13, 9), True), ((3, 14), False)]
)
def test_python(monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], good: bool) -> None:
    monkeypatch.setattr(checkup.sys, "version_info", version)
    assert checkup._python().good is good


def test_formats_and_kernel_of_this_installation() -> None:
    assert all(f.good for f in checkup._formats())
    assert {re.findall(r"driver (\w+)", f.what)[0] for f in checkup._formats()} == {"COG", "JP2OpenJPEG"}
    assert checkup._kernel().good


def test_broken_package_is_found_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "PACKAGES", ("json", "pyogrio"))

    def load(name: str) -> Any:
        if name == "pyogrio":
            raise ImportError("libgdal is missing")
        return importlib.__import__(name)

    monkeypatch.setattr(checkup.importlib, "import_module", load)
    first, second = checkup._packages()
    assert first.good
    assert not second.good
    assert "libgdal is missing" in second.what
    assert "requirements.lock" in second.remedy


def test_folder(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checkup._folder().good
    monkeypatch.chdir(tmp_path)
    assert not checkup._folder().good


def test_memory_and_disk(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    import psutil

    class Memory:
        available = 1_000_000_000

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory)
    assert not checkup._memory().good
    Memory.available = 8_000_000_000
    assert checkup._memory().good
    assert "GB of disk free" in checkup._disk().what
