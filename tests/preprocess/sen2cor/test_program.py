"""The driver against a stand-in that behaves as Sen2Cor is documented to; the real program is never run."""

import contextlib
import os
import time
from pathlib import Path

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


def run(products, output, installations, timeout=60):
    made, failed = program.process(products, output, installations=installations, timeout=timeout)
    return made, [str(error) for error in failed]


def log_of(product, output):
    return (output / "sen2cor_logs" / f"{product.stem}.log").read_text()


def test_batch_leaves_complete_products_logs_and_the_input_as_it_was(tmp_path, current, capsys, monkeypatch):
    products = [make_product(tmp_path / "in", tile=tile) for tile in ("T33UUU", "T33UVU")]
    before = snapshot(tmp_path / "in")
    output = tmp_path / "out"
    monkeypatch.setattr(progress, "SILENT", 0.0)  # the stand-in is quick
    made, failed = run(products, output, current)
    assert failed == []
    assert [path.name[38:44] for path in made] == ["T33UUU", "T33UVU"]
    assert snapshot(tmp_path / "in") == before
    assert sorted(output.iterdir()) == sorted([*made, output / "sen2cor_logs"])
    assert all((path / "MTD_MSIL2A.xml").is_file() for path in made)
    logs = [log_of(product, output) for product in products]
    assert all("Application terminated successfully" in log and "2.11.0" in log for log in logs)
    assert [[product.name in log for product in products] for log in logs] == [[True, False], [False, True]]
    assert "Sen2Cor: 200/200" in capsys.readouterr().out


def test_the_bar_moves_with_what_the_program_says(tmp_path, current, monkeypatch):
    """The stand-in says 30, 60 and 90 %; two products make 200."""
    steps = []

    class Bar:
        n = 0

        def update(self, count):
            steps.append(count)
            self.n += count

    @contextlib.contextmanager
    def bar(total, *_):
        assert total == 200
        yield Bar()

    monkeypatch.setattr(progress, "bar", bar)
    run([make_product(tmp_path, tile=tile) for tile in ("T33UUU", "T33UVU")], tmp_path / "out", current)
    assert steps == [30, 30, 30, 9, 1] * 2


def test_batch_is_resumed(tmp_path, current):
    products = [make_product(tmp_path, tile=tile) for tile in ("T33UUU", "T33UVU")]
    output = tmp_path / "out"
    first, _ = run(products[:1], output, current)
    before = snapshot(first[0]), (first[0] / "MTD_MSIL2A.xml").stat().st_mtime_ns, log_of(products[0], output)
    second, _ = run(products, output, current)
    assert second[0] == first[0]
    assert len(second) == 2
    assert before == (snapshot(first[0]), (first[0] / "MTD_MSIL2A.xml").stat().st_mtime_ns, log_of(products[0], output))


def test_rest_of_a_killed_batch_is_cleared_away(tmp_path, current):
    rest = tmp_path / "out" / ".sen2cor" / "7" / "out" / "half.SAFE"
    rest.mkdir(parents=True)
    run([make_product(tmp_path)], tmp_path / "out", current)
    assert not (tmp_path / "out" / ".sen2cor").exists()


def test_incomplete_result_is_not_taken_and_not_deleted(tmp_path, current):
    product = make_product(tmp_path)
    (made,), _ = run([product], tmp_path / "out", current)
    next(made.rglob("*_B02_10m.jp2")).write_bytes(b"")
    again, failed = run([product], tmp_path / "out", current)
    assert again == []
    assert "in the way" in failed[0]
    assert made.is_dir()


def configure_old(home, text):
    settings = home / "sen2cor" / "2.5" / "cfg" / "L2A_GIPP.xml"
    settings.parent.mkdir(parents=True)
    settings.write_text(text)
    return settings


def test_old_version_writes_where_its_settings_say(tmp_path, home):
    old = [versions.probe(install(tmp_path / "programs", "2.5.5"))]
    settings = configure_old(
        home, "<x><Target_Directory>/elsewhere</Target_Directory><Nr_Processes>1</Nr_Processes></x>"
    )
    made, failed = run([make_product(tmp_path, baseline="02.04")], tmp_path / "out & more", old)
    assert failed == []
    assert made[0].parent == tmp_path / "out & more"
    assert "/elsewhere" in settings.read_text()


def test_old_version_that_was_never_configured(tmp_path):
    old = [versions.probe(install(tmp_path / "programs", "2.5.5"))]
    made, failed = run([make_product(tmp_path, baseline="02.04")], tmp_path / "out", old)
    assert (len(made), failed) == (1, [])
    assert not list(tmp_path.glob("*MSIL2A*"))


def test_settings_without_a_target(tmp_path, home):
    old = [versions.probe(install(tmp_path / "programs", "2.5.5"))]
    configure_old(home, "<x/>")
    made, failed = run([make_product(tmp_path, baseline="02.04")], tmp_path / "out", old)
    assert made == []
    assert "0 entries Target_Directory" in failed[0]


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
    made, (message,) = run([bad, good], tmp_path / "out", current)
    assert said in message
    assert bad.name in message
    assert log_of(bad, tmp_path / "out")
    assert list((tmp_path / "out").glob("*.SAFE")) == made
    assert "T33UVU" in made[0].name
    assert not (tmp_path / "out" / ".sen2cor").exists()


def test_time_out_stops_all_that_was_started(tmp_path, current):
    product = make_product(tmp_path, behaviour="hang")
    start = time.monotonic()
    made, (message,) = run([product], tmp_path / "out", current, timeout=3)
    assert time.monotonic() - start < 20
    assert made == []
    assert "3 s" in message
    log = log_of(product, tmp_path / "out")
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
        run([make_product(tmp_path, behaviour="hang")], tmp_path / "out", current)
    assert started[0].wait(timeout=5) != 0
    assert not list((tmp_path / "out").glob("*.SAFE"))


def test_renamed_product(tmp_path, current):
    product = make_product(tmp_path)
    made, (message,) = run([product.rename(tmp_path / "berlin.SAFE")], tmp_path / "out", current)
    assert made == []
    assert "original name" in message


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
