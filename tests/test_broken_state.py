"""A study's own files, broken by a hand or a disk: whoever reads them says what to run again, without a traceback.

Each reader meets each of `BROKEN` in place of its file. Nothing else of the study needs to be there.
"""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lulc_kit import catalog, files, lock, mapping, params, provenance, run, steps, study
from lulc_kit.baselines import storage
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples

BROKEN = {
    "empty": b"",
    "half": b'{"features": [',
    "list": b"[]",
    "object": b"{}",
    "number": b"5",
    "word": b'"05_samples"',
    "null": b"null",
    "not text": b"\xff\xfe\x00",
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a": ' * 100_000,
    "digits": b"9" * 6000,
    "digits inside": b'{"features": ' + b"9" * 6000 + b"}",
    "numbers for lists": b'{"features": 5, "scheme": 5, "runs": 5, "cells": 5, "features": 5, "outputs": 5}',
    "lists of numbers": b'{"features": [5], "scheme": [5], "runs": [5], "cells": [5], "outputs": [5]}',
    "objects of objects": b'{"features": {"a": {}}, "scheme": {"classes": {}}, "runs": {"a": {}}, "cells": [{}]}',
    "words for numbers": b"""{
        "features": [{"id": "x", "properties": {"lulc:kind": "scene", "datetime": "then"}, "assets": {"B2": {
            "href": "x", "proj:shape": ["a", 1], "proj:transform": [1], "proj:code": "EPSG:0", "bands": []
        }}}],
        "scheme": {"name": 1, "title": 2, "classes": [{"value": "x", "nome": 3}]}, "rasters": 1, "lulc:attribution": 1
    }""",
}
each = pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())


@pytest.fixture
def layout(project: Path) -> Layout:
    return Layout(project / "outputs/tiny")


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


READERS: dict[str, tuple[Callable[[Layout], Path], Callable[[Layout], Any], str]] = {
    "catalog": (lambda of: of.catalog, lambda of: catalog.read(of.catalog), "01_download|its notebook again"),
    "files of the catalog": (
        lambda of: of.catalog,
        lambda of: catalog.files_of(of.catalog),
        "01_download|its notebook again",
    ),
    "classes": (lambda of: of.classes, Samples.read, "05_samples|its notebook again"),
    "about a run": (
        lambda of: of.run("rf").about,
        lambda of: mapping.read_about(of.run("rf")),
        "notebook of run rf|its notebook again",
    ),
}


@each
@pytest.mark.parametrize("reader", READERS)
def test_whoever_needs_a_file_says_what_to_run(reader: str, content: bytes, layout: Layout) -> None:
    where, read, remedy = READERS[reader]
    put(where(layout), content)
    if reader == "files of the catalog" and content == BROKEN["words for numbers"]:
        return  # it reads names of files alone, and these are some
    with pytest.raises(LulcError) as caught:
        read(layout)
    assert re.search(remedy, str(caught.value))
    assert where(layout).name in str(caught.value)
    assert len(str(caught.value)) < 1000


@each
def test_a_record_counts_as_not_run(content: bytes, layout: Layout) -> None:
    p = params.Features(study="tiny")
    put(layout.record(p.step), content)
    assert study.Study(p).record(p.step) is None
    assert study.Study(p).outdated(p) == "not run yet"


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 5000, "../x"])
def test_a_record_of_impossible_files_counts_as_not_run(name: str, layout: Layout) -> None:
    p = params.Features(study="tiny")
    mark = {"path": name, "size": 1, "mtime_ns": 1, "sha256": "x"}
    record = study.Record(
        step=p.step,
        parameters={},
        started="",
        duration_s=1,
        peak_memory_mb=1,
        notebook="",
        modules={},
        versions={},
        inputs=[],
        outputs=[],
    )
    put(layout.record(p.step), json.dumps(record.model_dump() | {"outputs": [mark]}).encode())
    assert study.Study(p).record(p.step) is None or study.Study(p).outdated(p) is not None


@each
def test_a_plan_is_done_without_and_written_anew(content: bytes, layout: Layout) -> None:
    put(layout.plan, content)
    assert steps.planned_runs(layout) == []
    study._add_to_plan(layout.plan, "06_rf")
    run.announce([run.Planned("04_features", params.Features(study="tiny"))])
    assert files.read_json(layout.plan) == ["04_features"]


@each
def test_a_note_of_the_lock_is_done_without(content: bytes, layout: Layout) -> None:
    with lock.hold(layout):
        put(layout.lock.with_suffix(".json"), content)
        assert lock._who(layout) == "Another process"


@each
def test_a_notebook_is_to_be_restored(content: bytes, tmp_path: Path) -> None:
    path = put(tmp_path / "06_baselines.ipynb", content)
    with pytest.raises(LulcError, match=r"git checkout notebooks/06_baselines\.ipynb"):
        provenance.notebook_code(path)


@each
def test_samples_that_are_no_table(content: bytes, layout: Layout) -> None:
    scheme = {"name": "x", "title": "x", "classes": [{"value": 1, "name": "Forest", "colour": "#00ff00"}]}
    about = {"scheme": scheme, "separation": "blocks", "rasters": False, "notes": [], "scarce": [], "doubt": ""}
    about |= {"distances": {}, "further": ""}
    files.write_json(layout.classes, about)
    put(layout.samples, content)
    with pytest.raises(LulcError, match=r"samples\.parquet .*Run notebook 05 again"):
        Samples.read(layout)


@each
def test_a_model_that_is_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    with pytest.raises(LulcError, match="Run notebook 06 again"):
        storage.load(put(path, content))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", content)
    with pytest.raises(LulcError, match="Run notebook 06 again"):
        storage.load(path)


@pytest.mark.parametrize(
    "schema",
    [
        {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": [], "__id__": 1},
        {"__class__": "Pipeline", "__module__": "sklearn.pipeline", "__loader__": "ObjectNode", "__id__": 1},
        {"__class__": 5, "__module__": None, "__loader__": "ObjectNode", "__id__": "x", "content": 5},
        {"__class__": "x", "__module__": "y", "__loader__": "Unknown", "__id__": 1, "content": {}},
    ],
)
def test_a_model_with_an_odd_schema(schema: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", json.dumps({"protocol": 0, "_skops_version": "0"} | schema))
    with pytest.raises(LulcError, match=r"model\.skops (is not a model|holds)"):
        storage.load(path)


@pytest.mark.parametrize("text", [b"a: " + b"[" * 3000, b"a: " + b"9" * 6000, b"- 1", b"5", b"a: \xff", b"? [a]\n: 1"])
def test_a_parameter_file_that_is_none(text: bytes, tmp_path: Path) -> None:
    with pytest.raises(LulcError, match=r"04_features\.yaml"):
        params.load(put(tmp_path / "04_features.yaml", text))


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(LulcError, match="again"):
        files.read_json(tmp_path)
