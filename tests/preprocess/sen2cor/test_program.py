"""The driver against a stand-in that behaves as Sen2Cor is documented to; the real program is never run."""

import contextlib
import os
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from lulc_kit import progress
from lulc_kit.preprocess import external
from lulc_kit.preprocess.sen2cor import program, versions
from tests.sen2cor import install, make_product

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in is started by its #! line")


def snapshot(folder):
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))
    }


def test_batch_leaves_complete_products_logs_and_the_input_as_it_was(tmp_path, current, capsys, monkeypatch):
    products = [make_product(tmp_path / "in", tile=tile) for tile in ("T33UUU", "T33UVU")]
    before = snapshot(tmp_path / "in")
    output = tmp_path / "out"
    monkeypatch.setattr(progress, "SILENT", 0.0)  # the stand-in is quick
    outcomes = program.process(products, output, installations=current)
    assert [outcome.output is not None for outcome in outcomes] == [True, True]
    assert snapshot(tmp_path / "in") == before
    for outcome in outcomes:
        assert outcome.output.parent == output
        assert (outcome.output / "MTD_MSIL2A.xml").is_file()
        log = outcome.log.read_text()
        assert "Application terminated successfully" in log
        assert "2.11.0" in log
    assert sorted(path.name for path in output.iterdir()) == sorted(
        [outcomes[0].output.name, outcomes[1].output.name, "sen2cor_logs"]
    )
    logs = [outcome.log.read_text() for outcome in outcomes]
    assert [[product.name in log for product in products] for log in logs] == [[True, False], [False, True]]
    assert "Sen2Cor: 200/200" in capsys.readouterr().out


def test_the_bar_moves_with_what_the_program_says(tmp_path, current, monkeypatch):
    """The stand-in says 30, 60 and 90 %; two products make 200."""
    steps = []

    @contextlib.contextmanager
    def bar(total, *_):
        assert total == 200
        yield SimpleNamespace(update=steps.append)

    monkeypatch.setattr(progress, "bar", bar)
    products = [make_product(tmp_path, tile=tile) for tile in ("T33UUU", "T33UVU")]
    program.process(products, tmp_path / "out", installations=current)
    assert steps == [30, 30, 30, 9, 1] * 2


def test_batch_is_resumed(tmp_path, current):
    products = [make_product(tmp_path, tile=tile) for tile in ("T33UUU", "T33UVU")]
    output = tmp_path / "out"
    first = program.process(products[:1], output, installations=current)
    made = first[0].output / "MTD_MSIL2A.xml"
    stamp = made.stat().st_mtime_ns
    second = program.process(products, output, installations=current)
    assert [outcome.log is None for outcome in second] == [True, False]
    assert "is there and complete" in second[0].message
    assert second[0].output == first[0].output
    assert made.stat().st_mtime_ns == stamp


def test_rest_of_a_killed_batch_is_cleared_away(tmp_path, current):
    rest = tmp_path / "out" / ".sen2cor" / "7" / "out" / "half.SAFE"
    rest.mkdir(parents=True)
    program.process([make_product(tmp_path)], tmp_path / "out", installations=current)
    assert not (tmp_path / "out" / ".sen2cor").exists()


def test_incomplete_result_is_not_taken_and_not_deleted(tmp_path, current):
    product = make_product(tmp_path)
    output = tmp_path / "out"
    made = program.process([product], output, installations=current)[0].output
    next(made.rglob("*_B02_10m.jp2")).write_bytes(b"")
    outcome = program.process([product], output, installations=current)[0]
    assert outcome.output is None
    assert "in the way" in outcome.message
    assert made.is_dir()


def test_old_version_writes_where_its_settings_say(tmp_path, home):
    old = [versions.probe(install(tmp_path / "programs", "2.5.5"))]
    settings = home / "sen2cor" / "2.5" / "cfg" / "L2A_GIPP.xml"
    settings.parent.mkdir(parents=True)
    settings.write_text("<x><Target_Directory>/elsewhere</Target_Directory><Nr_Processes>1</Nr_Processes></x>")
    product = make_product(tmp_path, baseline="02.04")
    outcome = program.process([product], tmp_path / "out & more", installations=old)[0]
    assert outcome.output is not None, outcome.message
    assert outcome.output.parent == tmp_path / "out & more"
    assert "/elsewhere" in settings.read_text()


def test_old_version_that_was_never_configured(tmp_path):
    old = [versions.probe(install(tmp_path / "programs", "2.5.5"))]
    product = make_product(tmp_path, baseline="02.04")
    outcome = program.process([product], tmp_path / "out", installations=old)[0]
    assert outcome.output is not None, outcome.message
    assert not list(tmp_path.glob("*MSIL2A*"))


def test_settings_without_a_target(tmp_path, home):
    old = [versions.probe(install(tmp_path / "programs", "2.5.5"))]
    settings = home / "sen2cor" / "2.5" / "cfg" / "L2A_GIPP.xml"
    settings.parent.mkdir(parents=True)
    settings.write_text("<x/>")
    products = [make_product(tmp_path, baseline="02.04")]
    (outcome,) = program.process(products, tmp_path / "out", installations=old)
    assert outcome.output is None
    assert "0 entries Target_Directory" in outcome.message


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("error", "No space left on device"),
        ("crash", "MemoryError"),
        ("killed", "exit status -9"),
        ("partial", "left no complete product"),
        ("old format", "does not understand the product's format"),
    ],
)
def test_failures_are_named_and_the_batch_goes_on(tmp_path, current, behaviour, said):
    bad = make_product(tmp_path / "in", behaviour=behaviour)
    good = make_product(tmp_path / "in", tile="T33UVU", folders=True)
    outcomes = program.process([bad, good], tmp_path / "out", installations=current)
    assert [outcome.output is None for outcome in outcomes] == [True, False]
    assert said in outcomes[0].message
    assert bad.name in outcomes[0].message
    assert outcomes[0].log.is_file()
    assert [path.name for path in (tmp_path / "out").glob("*.SAFE")] == [outcomes[1].output.name]
    assert not (tmp_path / "out" / ".sen2cor").exists()


def test_time_out_stops_all_that_was_started(tmp_path, current):
    product = make_product(tmp_path, behaviour="hang")
    start = time.monotonic()
    outcome = program.process([product], tmp_path / "out", installations=current, timeout=3)[0]
    assert time.monotonic() - start < 20
    assert outcome.output is None
    assert "3 s" in outcome.message
    log = outcome.log.read_text()
    child = int(log.split("child ")[1].split()[0])
    deadline = time.monotonic() + 5
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the grandchild is still running"
        time.sleep(0.05)
    assert "killed after the time-out" in log


def test_interrupt_stops_the_program(tmp_path, current, monkeypatch):
    started = []
    real = external.start

    def start(*arguments):
        started.append(real(*arguments))
        return started[-1]

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(external, "start", start)
    monkeypatch.setattr(
        "lulc_kit.preprocess.sen2cor.program._PROGRESS", type("Pattern", (), {"search": staticmethod(interrupt)})
    )
    with pytest.raises(KeyboardInterrupt):
        program.process([make_product(tmp_path, behaviour="hang")], tmp_path / "out", installations=current)
    assert started[0].wait(timeout=5) != 0
    assert not list((tmp_path / "out").glob("*.SAFE"))


def test_renamed_product(tmp_path, current):
    product = make_product(tmp_path)
    outcome = program.process([product.rename(tmp_path / "berlin.SAFE")], tmp_path / "out", installations=current)[0]
    assert outcome.output is None
    assert "original name" in outcome.message


def test_mirror_copies_where_links_are_not_allowed(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("privilege not held")

    product = make_product(tmp_path)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    twin = program.mirror(product, tmp_path / "work")
    images = list(twin.rglob("*.jp2"))
    assert len(images) == 13
    assert not any(image.is_symlink() for image in images)
    assert (twin / "DATASTRIP" / "DS_1" / "QI_DATA").is_dir()
