"""What is installed: the lock file, pyproject.toml and environment.yml say the same."""

import re
import shlex
import tomllib
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.scene import REPOSITORY

PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
# Each entry with its continuation lines.
ENTRIES = re.split(r"\n(?=\S)", LOCK.replace("\\\n", " ").strip())
PLATFORMS = {
    "linux": ("linux", "x86_64", "Linux", "posix"),
    "linux-arm": ("linux", "aarch64", "Linux", "posix"),
    "macos": ("darwin", "arm64", "Darwin", "posix"),
    "windows": ("win32", "AMD64", "Windows", "nt"),
}
# Names that are others on conda-forge, and what only conda needs.
ON_CONDA = {"tensorflow-cpu": "tensorflow"}
CONDA_ONLY = {"python", "libgdal-jp2openjpeg"}


def environment(python: str, platform: str) -> dict[str, str]:
    system, machine, name, os_name = PLATFORMS[platform]
    return {
        "python_version": python,
        "python_full_version": f"{python}.5",
        "sys_platform": system,
        "platform_machine": machine,
        "platform_system": name,
        "os_name": os_name,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


def locked(where: dict[str, str]) -> dict[str, Version]:
    """Return what the lock installs there, by name."""
    found: dict[str, Version] = {}
    for entry in ENTRIES:
        requirement = Requirement(entry.split("--hash")[0].strip())
        if requirement.marker is None or requirement.marker.evaluate(where):
            name = canonicalize_name(requirement.name)
            assert name not in found, f"{name} is locked twice for {where}"
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            found[name] = Version(pin.version)
    return found


def wanted() -> list[Requirement]:
    extras = [r for group in PROJECT["optional-dependencies"].values() for r in group]
    return [Requirement(r) for r in [*PROJECT["dependencies"], *extras]]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_lock_satisfies_the_project_with_all_extras(python: str, platform: str) -> None:
    where = environment(python, platform)
    have = locked(where)
    for requirement in wanted():
        if requirement.marker is None or requirement.marker.evaluate(where):
            name = canonicalize_name(requirement.name)
            assert name in have, f"{name} is not in the lock. Run: make lock"
            assert requirement.specifier.contains(have[name], prereleases=True), f"{requirement}, locked {have[name]}"


def test_lock_has_hashes_and_no_addresses() -> None:
    assert len(ENTRIES) > 100
    for entry in ENTRIES:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.split()[0]
        assert re.fullmatch(r"[\w.\-\[\]]+==\S+( ; [^\\]+?)?(\s+--hash=sha256:[0-9a-f]{64})+", entry), entry.split()[0]
    assert "://" not in LOCK
    assert "--index-url" not in LOCK
    assert "--find-links" not in LOCK


def test_pythons() -> None:
    bounds = SpecifierSet(PROJECT["requires-python"])
    assert [v for v in ("3.10", "3.11", "3.12", "3.13", "3.14") if Version(v) in bounds] == ["3.11", "3.12", "3.13"]


def test_every_dependency_has_a_lower_bound_and_no_upper_one() -> None:
    for requirement in wanted():
        assert [s.operator for s in requirement.specifier] == [">="], str(requirement)


def test_tensorflow_is_the_cpu_build_where_there_is_one_and_present_everywhere() -> None:
    for platform in PLATFORMS:
        have = locked(environment("3.12", platform))
        assert ("tensorflow-cpu" in have) is (platform == "linux")
        assert ("tensorflow" in have) is (platform != "linux")


def test_conda_has_the_same_names_and_bounds() -> None:
    content = yaml.safe_load((REPOSITORY / "environment.yml").read_text(encoding="utf-8"))
    assert content["channels"] == ["conda-forge"]
    conda = {line.split(" ", 1)[0]: line.partition(" ")[2] for line in content["dependencies"]}
    project: dict[str, str] = {}
    for text in PROJECT["dependencies"]:
        requirement = Requirement(text)
        name = ON_CONDA.get(requirement.name, requirement.name)
        assert project.setdefault(name, str(requirement.specifier)) == str(requirement.specifier)
    assert {name: bounds for name, bounds in conda.items() if name not in CONDA_ONLY} == project
    assert SpecifierSet(conda["python"]) == SpecifierSet(PROJECT["requires-python"])
    assert set(conda) - set(project) == CONDA_ONLY


def test_command_is_installed() -> None:
    module, _, name = PROJECT["scripts"]["lulc"].partition(":")
    assert (module, name) == ("lulc_kit.cli", "app")


def test_versions_agree() -> None:
    import lulc_kit

    assert PROJECT["version"] == lulc_kit.__version__


def test_ci_leaves_no_test_out() -> None:
    """`make test` and `make test-long` are two halves of one suite, by the mark ``long``, and CI runs both."""
    make = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    ran = {target: re.search(rf"^{target}: .*\n\t(.*)$", make, re.MULTILINE) for target in ("test", "test-long")}
    chosen = {target: shlex.split(found[1])[1:] if found else [] for target, found in ran.items()}
    assert chosen["test"] == ["-n", "2", "--dist", "loadfile", "-m", "not long"]
    assert chosen["test-long"] == ["-n", "2", "--dist", "loadfile", "-m", "long"]
    lines = (REPOSITORY / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert {"make test", "make test-long", "make types"} <= set(lines)
