"""New studies: files that are valid as they stand, and explain themselves."""

from pathlib import Path

import pytest
import yaml

from lulc_kit import params, run, scaffold
from lulc_kit.errors import LulcError


def test_new_study_is_valid_and_complete(project: Path) -> None:
    folder = scaffold.new("my_area")
    assert folder == project / "params/my_area"
    steps = run.plan("my_area")
    assert {s.step[:2] for s in steps} >= {"01", "02", "03", "04", "05", "06", "07", "09"}
    assert {s.parameters.study for s in steps} == {"my_area"}


def test_every_parameter_is_there_under_its_explanation(project: Path) -> None:
    for path in scaffold.new("my_area").iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        model = params.model_of(path.stem)
        assert set(values) == set(model.model_fields) - {"outputs"}
        for name, field in model.model_fields.items():
            if name != "outputs":
                at = next(i for i, line in enumerate(lines) if line.startswith(f"{name}:"))
                assert lines[at - 1] == f"# {field.description}"


def test_like_copies_everything_but_the_name(project: Path) -> None:
    source = project / "params/old"
    source.mkdir()
    (source / "01_download.yaml").write_text("# why\nstudy: old  # name\nsample: romania\n")
    (source / "06_a.yaml").write_text("study: 'old'\nrun: a\n")
    folder = scaffold.new("new", "old")
    assert (folder / "01_download.yaml").read_text() == "# why\nstudy: new\nsample: romania\n"
    assert {s.parameters.study for s in run.plan("new")} == {"new"}


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", ".hidden", "ä", "-x", "name\n"])
def test_names_that_cannot_be(project: Path, name: str) -> None:
    with pytest.raises(LulcError, match="cannot be the name of a study"):
        scaffold.new(name)
    assert list((project / "params").iterdir()) == []


def test_taken_name_and_missing_model(project: Path) -> None:
    scaffold.new("a")
    before = (project / "params/a/06_rf.yaml").read_text()
    with pytest.raises(LulcError, match="exists already"):
        scaffold.new("a")
    assert (project / "params/a/06_rf.yaml").read_text() == before
    with pytest.raises(LulcError, match="no study 'nowhere'"):
        scaffold.new("b", "nowhere")
    assert not (project / "params/b").exists()


def test_nothing_is_left_when_writing_fails(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, *args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(LulcError, match="No space left"):
        scaffold.new("a")
    assert not (project / "params/a").exists()
