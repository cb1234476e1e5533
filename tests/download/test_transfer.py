"""One file over a bad connection: verified under its name, or one clear error and nothing under its name."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina

from lulc_kit.download import servers, transfer
from lulc_kit.errors import LulcError
from tests.scene import REPOSITORY, environment
from tests.services.cdse import Server

CONTENT = random.Random(1).randbytes(700_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server(data_space: Server) -> Server:
    data_space.files["x.bin"] = CONTENT
    return data_space


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=5):
        yield


def wanted(server: Server, folder: Path, name: str = "x.bin", **known: object) -> transfer.Wanted:
    return transfer.Wanted(f"{server.url}/files/{name}", folder / name, **known)  # type: ignore[arg-type]


def fetch(server: Server, folder: Path, silence: float = 0.4, **known: object) -> bytes:
    path = transfer.fetch(wanted(server, folder, **known), servers.Web(silence=silence).open)
    assert [file.name for file in folder.iterdir()] == [path.name]
    return path.read_bytes()


@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("kind", ["cut", "stall", "inject", "500", "503", "429", "page", "truncate"])
def test_a_fault_and_then_the_file(server: Server, tmp_path: Path, kind: str, tagged: bool) -> None:
    server.tagged = tagged
    server.fail(kind, at=333_333, value={"429": "0", "stall": 1.0}.get(kind))
    assert fetch(server, tmp_path, checksums={"md5": MD5}, size=len(CONTENT)) == CONTENT


def test_it_goes_on_where_it_was_cut_less_one_block(server: Server, tmp_path: Path) -> None:
    server.fail("cut", at=333_333)
    assert fetch(server, tmp_path) == CONTENT
    *_, (_, _, headers) = server.asked
    assert headers["Range"] == f"bytes={333_333 - transfer.BLOCK}-"


@pytest.mark.parametrize("tagged", [True, False])
def test_two_files_are_never_glued_together(server: Server, tmp_path: Path, tagged: bool) -> None:
    other = random.Random(2).randbytes(len(CONTENT))
    server.tagged = tagged
    server.fail("cut", at=400_000)
    server.fail("change", value=lambda: server.files.update({"x.bin": other}))
    server.fail("cut", at=300_000)
    server.files["x.bin"] = CONTENT
    found = fetch(server, tmp_path)
    assert found == other


def test_a_server_that_ignores_ranges(server: Server, tmp_path: Path) -> None:
    server.fail("cut", at=400_000)
    server.fail("ignore-range")
    assert fetch(server, tmp_path) == CONTENT


def test_what_is_wrong_twice_is_faulty_at_its_source_and_others_go_on(server: Server, tmp_path: Path) -> None:
    server.files["y.bin"] = b"good" * 1000
    files = [wanted(server, tmp_path, checksums={"md5": "0" * 31 + "1"}), wanted(server, tmp_path, "y.bin")]
    failed = transfer.fetch_all(files, servers.Web().open, "two")
    assert list(failed) == [tmp_path / "x.bin"]
    assert isinstance(failed[tmp_path / "x.bin"], transfer.FaultyAtSourceError)
    assert MD5 in str(failed[tmp_path / "x.bin"])
    assert [file.name for file in tmp_path.iterdir()] == ["y.bin"]
    assert sum("x.bin" in path for _, path, _ in server.asked) == 2


def test_damage_on_the_way_is_fetched_again(server: Server, tmp_path: Path) -> None:
    server.fail("wrong")
    assert fetch(server, tmp_path, checksums={"sha3_256": hashlib.sha3_256(CONTENT).hexdigest()}) == CONTENT


def test_a_file_that_is_there_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"mine")
    assert transfer.fetch_all([wanted(server, tmp_path)], servers.Web().open, "none") == {}
    assert server.asked == []


def test_an_end_to_patience_leaves_what_came(server: Server, tmp_path: Path) -> None:
    server.fail("cut", at=200_000)
    server.fail("503", times=50)
    with pytest.raises(LulcError, match=r"x\.bin could not be fetched whole \(status 503\); 0\.2 MB .* goes on"):
        fetch(server, tmp_path)
    assert not (tmp_path / "x.bin").exists()
    server.faults.clear()
    assert fetch(server, tmp_path) == CONTENT
    assert "Range" in server.asked[-1][2]


def test_an_hour_of_503_is_waited_for(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes only while somebody sleeps."""
    now = [0.0]
    honest = time.sleep
    main = threading.get_ident()

    def sleep(seconds: float) -> None:
        if threading.get_ident() != main:
            return honest(seconds)
        now[0] += seconds
        if now[0] > 3600:
            server.faults.clear()
        return None

    monkeypatch.setattr("time.sleep", sleep)
    start = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: start + now[0])
    server.fail("503", times=10_000)
    with stamina.set_testing(False):
        assert fetch(server, tmp_path) == CONTENT
    assert 3600 < now[0] < transfer.PATIENCE
    assert len(server.asked) < 60


def test_as_long_as_the_server_says(server: Server, tmp_path: Path) -> None:
    said = [transfer._again(transfer.web.Busy("", wait)) for wait in (0.0, 17.0, 1e6)]
    assert said == [0.1, 17.0, False]
    server.fail("429", value="date")
    start = time.monotonic()
    with stamina.set_testing(False):
        assert fetch(server, tmp_path) == CONTENT
    assert time.monotonic() - start > 0.05


def test_a_page_is_no_image(server: Server, tmp_path: Path) -> None:
    server.files["b.jp2"] = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>"
    with pytest.raises(LulcError, match=r"b\.jp2 could not be fetched whole \(a page instead of the file"):
        transfer.fetch(wanted(server, tmp_path, "b.jp2"), servers.Web().open)
    server.files["b.zip"] = b"garbage, garbage"
    with pytest.raises(LulcError, match=r"no \.zip"):
        transfer.fetch(wanted(server, tmp_path, "b.zip"), servers.Web().open)
    assert not [file for file in tmp_path.iterdir() if not file.name.startswith(".")]


def test_not_there(server: Server, tmp_path: Path) -> None:
    with pytest.raises(LulcError, match="status 404"):
        transfer.fetch(wanted(server, tmp_path, "z.bin"), servers.Web().open)


def test_four_at_once_and_no_more(server: Server, tmp_path: Path) -> None:
    for number in range(12):
        server.files[f"{number}.bin"] = CONTENT
    server.fail("slow", times=12, value=0.01)
    files = [wanted(server, tmp_path, f"{number}.bin") for number in range(12)]
    assert transfer.fetch_all(files, servers.Web().open, "twelve") == {}
    assert server.most_open == 4


def test_killed_in_the_middle_and_started_again(server: Server, tmp_path: Path) -> None:
    server.fail("slow", value=0.2)
    code = (
        "import sys; from pathlib import Path; from lulc_kit.download import servers, transfer as t;"
        "t.fetch(t.Wanted(sys.argv[1], Path(sys.argv[2])), servers.Web().open)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, f"{server.url}/files/x.bin", str(tmp_path / "x.bin")],
        cwd=REPOSITORY,
        env=environment() | server.environment(),
    )
    part = tmp_path / ".x.bin.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "x.bin").exists()
    assert 0 < part.stat().st_size < len(CONTENT)
    assert fetch(server, tmp_path, checksums={"md5": MD5}) == CONTENT


def test_the_record_holds_no_signature(server: Server, tmp_path: Path) -> None:
    server.fail("cut", at=100_000)
    server.fail("503", times=50)
    file = transfer.Wanted(f"{server.url}/files/x.bin?sig=marked-signature", tmp_path / "x.bin")
    with pytest.raises(LulcError) as caught:
        transfer.fetch(file, servers.Web().open)
    assert "marked" not in file.record.read_text() + str(caught.value)
    assert json.loads(file.record.read_text())["total"] == len(CONTENT)


def test_multihashes_of_stac() -> None:
    """The prefixes are those of the multicodec table: md5 0xd5, sha2-256 0x12, sha3-256 0x16, as varint and length."""
    assert transfer.read_multihash("d50110" + MD5) == {"md5": MD5}
    sha3 = hashlib.sha3_256(CONTENT).hexdigest()
    assert transfer.read_multihash(f"1620{sha3}".upper()) == {"sha3_256": sha3}
    assert transfer.read_multihash("1320" + sha3) == {}


def test_a_kind_of_checksum_that_nobody_can_compute_here(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(CONTENT)
    assert transfer.digest(tmp_path / "x", "md5") == MD5
    assert transfer.digest(tmp_path / "x", "crc-of-tomorrow") is None


FAULTS = ("cut", "stall", "inject", "500", "429", "page", "truncate", "ignore-range", "change", "wrong")


@pytest.mark.parametrize("seed", range(12))
def test_faults_in_any_order(server: Server, tmp_path: Path, seed: int) -> None:
    """`python -m benchmarks.download --faults 200` does it 200 times."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 6)):
        server.fail(chance.choice(FAULTS), at=chance.randrange(len(CONTENT)), value=None if chance.random() < 2 else 0)
    try:
        assert fetch(server, tmp_path, silence=0.3, checksums={"md5": MD5}, size=len(CONTENT)) == CONTENT
    except LulcError:
        assert not (tmp_path / "x.bin").exists()
