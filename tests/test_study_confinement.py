"""Records of steps come with a folder that somebody else may have made: what they say is not believed blindly.

A path in a record never leads out of the study's folder, and a record that is none means "run again".
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from lulc_kit import params, study
from lulc_kit.errors import ParameterError

STEP = params.Features(study="s", components=0, texture_bands=[])
RECORD = "outputs/s/steps/04_features.json"
OTHERS = "somebody's only copy"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def run_step(project: Path) -> None:
    step = study.begin(STEP)
    write(project / "outputs/s/features/new.tif", "stack").replace(project / "outputs/s/features/stack.tif")
    step.finish()


@pytest.fixture
def finished(project: Path) -> Path:
    """A project in which 04 has run."""
    write(project / "outputs/s/cube/composite.tif", "composite")
    write(project / "outputs/s/catalog.json", '{"features": []}')
    run_step(project)
    assert study.Study(STEP).outdated(STEP) is None
    return project


def mark(name: str) -> dict[str, Any]:
    """Return how a record would describe the file of somebody else."""
    sha256 = hashlib.sha256(OTHERS.encode()).hexdigest()
    return {"path": name, "size": len(OTHERS), "mtime_ns": 1_000_000_000, "sha256": sha256}


def add_to_record(project: Path, role: str, name: str) -> None:
    record = json.loads((project / RECORD).read_text())
    record[role].append(mark(name))
    write(project / RECORD, json.dumps(record))


def hostile_name(project: Path, kind: str) -> tuple[Path, str]:
    """Make a file outside the study, and return it with a name for it that a record might have."""
    victim = write(project.parent / "private/thesis.txt", OTHERS)
    os.utime(victim, ns=(1_000_000_000, 1_000_000_000))
    folder = project / "outputs/s"
    if kind == "link":
        try:
            (folder / "features/more").symlink_to(victim.parent, target_is_directory=True)
        except OSError:
            pytest.skip("links need a permission here")
    names = {
        "above": "../../../private/thesis.txt",
        "above from below": "features/../../../../private/thesis.txt",
        "absolute": str(victim),
        "link": "features/more/thesis.txt",
    }
    return victim, names[kind]


each_kind = pytest.mark.parametrize("kind", ["above", "above from below", "absolute", "link"])


@each_kind
def test_nothing_outside_the_study_is_removed(finished: Path, kind: str) -> None:
    victim, name = hostile_name(finished, kind)
    add_to_record(finished, "outputs", name)
    run_step(finished)
    assert victim.read_text() == OTHERS


@each_kind
def test_a_record_that_names_outputs_outside_the_study_does_not_count(finished: Path, kind: str) -> None:
    _, name = hostile_name(finished, kind)
    add_to_record(finished, "outputs", name)
    assert study.Study(STEP).outdated(STEP) is not None


def test_leftovers_inside_the_study_still_go(finished: Path) -> None:
    """What an earlier run wrote, and this one with other parameters did not, would mislead the steps that follow."""
    left = write(finished / "outputs/s/features/components.tif", OTHERS)
    add_to_record(finished, "outputs", "features/components.tif")
    run_step(finished)
    assert not left.exists()


def test_a_link_in_place_of_an_output_is_removed_not_followed(finished: Path) -> None:
    victim, _ = hostile_name(finished, "above")
    link = finished / "outputs/s/features/components.tif"
    try:
        link.symlink_to(victim)
    except OSError:
        pytest.skip("links need a permission here")
    add_to_record(finished, "outputs", "features/components.tif")
    run_step(finished)
    assert victim.read_text() == OTHERS


def test_a_record_that_is_a_link_is_replaced_not_followed(finished: Path) -> None:
    victim, _ = hostile_name(finished, "above")
    (finished / RECORD).unlink()
    try:
        (finished / RECORD).symlink_to(victim)
    except OSError:
        pytest.skip("links need a permission here")
    run_step(finished)
    assert victim.read_text() == OTHERS
    assert study.Study(STEP).outdated(STEP) is None


GOOD_MARK = {"path": "features/stack.tif", "size": 5, "mtime_ns": 1, "sha256": "0" * 64}
GARBAGE = {
    "empty": "",
    "half": '{"step": "04_features", "param',
    "null": "null",
    "number": "5",
    "text": '"done"',
    "list": "[]",
    "object": "{}",
    "list of objects": "[{}]",
    "no outputs": {"outputs": None},
    "outputs of numbers": {"outputs": [1, 2]},
    "outputs an object": {"outputs": {"features/stack.tif": "0" * 64}},
    "path a number": {"outputs": [GOOD_MARK | {"path": 7}]},
    "path null": {"outputs": [GOOD_MARK | {"path": None}]},
    "path empty": {"outputs": [GOOD_MARK | {"path": ""}]},
    "mark without a hash": {"outputs": [{"path": "features/stack.tif"}]},
    "mark with more": {"outputs": [GOOD_MARK | {"owner": "me"}]},
    "inputs of numbers": {"inputs": [1]},
    "inputs null": {"inputs": None},
    "parameters a list": {"parameters": []},
    "parameters null": {"parameters": None},
    "code null": {"code": None},
    "deep": "[" * 100_000,
    "long number": "9" * 6000,
    "not text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_a_record_that_is_none_means_run_again(finished: Path, kind: str) -> None:
    content = GARBAGE[kind]
    if isinstance(content, dict):
        content = json.dumps(json.loads((finished / RECORD).read_text()) | content)
    (finished / RECORD).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert study.Study(STEP).outdated(STEP) is not None
    run_step(finished)
    assert study.Study(STEP).outdated(STEP) is None


@pytest.mark.parametrize("name", ["../x", "a/b", "/tmp/x", "..", "", "a\\b", "C:x"])
@pytest.mark.parametrize("key", ["study", "run"])
def test_names_in_parameters_are_names_of_one_folder(key: str, name: str) -> None:
    with pytest.raises(ParameterError):
        params.Baselines.check({"study": "s", "run": "rf"} | {key: name}, "here")
