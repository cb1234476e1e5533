"""Carts, and aria2c as it is called: by a stand-in that does what its manual says."""

import hashlib
import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina

from lulc_kit.download import metalink, servers, transfer
from lulc_kit.errors import LulcError
from tests.services.cdse import Server

NAME = "S2A_MSIL1C_20230615T101031_N0509_R022_T33UVU_20230615T142331"
# RFC 5854, section 1.1, with a product's name
EXAMPLE = f"""<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <published>2009-05-15T12:23:23Z</published>
  <file name="{NAME}.SAFE.zip">
    <size>14471447</size>
    <hash type="sha-256">f0ad929cd259957e160ea442eb80986b5f01</hash>
    <hash type="MD5">D41D8CD98F00B204E9800998ECF8427E</hash>
    <url location="us" priority="2">ftp://ftp.example.com/example.ext</url>
    <url priority="3">https://second.example.com/example.ext</url>
    <url location="de" priority="1">https://example.com/example.ext</url>
    <metaurl mediatype="torrent" priority="2">http://example.com/example.ext.torrent</metaurl>
  </file>
</metalink>"""
ARIA = """#!{python}
import sys, urllib.request, urllib.error
folder = next(a.split("=", 1)[1] for a in sys.argv if a.startswith("--dir="))
said = sys.stdin.read()
open({log!r}, "a").write(repr(sys.argv) + "\\n" + said)
url, *options = said.splitlines()
options = [o.strip().split("=", 1) for o in options]
request = urllib.request.Request(url)
for key, value in options:
    if key == "header":
        request.add_header(*value.split(": ", 1))
try:
    content = urllib.request.urlopen(request).read()
except urllib.error.HTTPError as error:
    sys.exit({{401: 24, 404: 3, 503: 29}}.get(error.code, 22))
open(folder + "/" + dict(options)["out"], "wb").write(content)
"""


@pytest.fixture
def server(data_space: Server) -> Iterator[Server]:
    with stamina.set_testing(True, attempts=4):
        data_space.files["x"] = b"product" * 1000
        yield data_space


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the stand-in; return what it writes down."""
    program = tmp_path / "bin" / "aria2c"
    program.parent.mkdir()
    program.write_text(ARIA.format(python=sys.executable, log=str(tmp_path / "log")))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "log"


def wanted(server: Server, folder: Path, md5: str | None = None) -> transfer.Wanted:
    found = md5 or hashlib.md5(server.files["x"]).hexdigest()
    return transfer.Wanted(f"{server.url}/files/x", folder / "out" / "x.bin", checksums={"md5": found})


def test_the_example_of_the_standard(tmp_path: Path) -> None:
    (tmp_path / "c.meta4").write_text(EXAMPLE)
    (file,) = metalink.read(tmp_path / "c.meta4")
    assert (file.product, file.size) == (NAME, 14471447)
    assert file.addresses == ["https://example.com/example.ext", "https://second.example.com/example.ext"]
    assert file.checksums["md5"] == "d41d8cd98f00b204e9800998ecf8427e"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (f"{NAME}.SAFE.zip", "../../evil.zip", "expected a Sentinel-2 product"),
        (f"{NAME}.SAFE.zip", "S2A_x/../y.zip", "expected a Sentinel-2 product"),
        ("https://", "file://", "gives no address"),
        ("example.ext</url>", "a\n header=x: y</url>", "gives no address"),
        ("<metalink", '<!DOCTYPE x [<!ENTITY a "b">]><metalink', "document type or entities"),
        ("</metalink>", "", "not readable XML"),
    ],
)
def test_carts_that_are_none(tmp_path: Path, old: str, new: str, says: str) -> None:
    (tmp_path / "c.meta4").write_text(EXAMPLE.replace(old, new))
    with pytest.raises(LulcError, match=says):
        metalink.read(tmp_path / "c.meta4")


def test_no_cart(tmp_path: Path) -> None:
    with pytest.raises(LulcError, match="does not exist"):
        metalink.read(tmp_path / "c.meta4")
    (tmp_path / "c.meta4").write_text("<metalink/>")
    with pytest.raises(LulcError, match="lists no files"):
        metalink.read(tmp_path / "c.meta4")


def test_aria2c_gets_the_token_by_its_input(server: Server, log: Path, tmp_path: Path) -> None:
    bearer = servers.Bearer(lambda: "marked-token", hosts=("http://127.0.0.1",))
    assert metalink.fetch([wanted(server, tmp_path)], servers.Web(bearer)) == {}
    arguments, _, said = log.read_text().partition("\n")
    assert "marked" not in arguments and "--input-file=-" in arguments
    assert "header=Authorization: Bearer marked-token" in said
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["x.bin"]
    assert (tmp_path / "out" / "x.bin").read_bytes() == server.files["x"]


def test_aria2c_gets_no_token_for_another_host(server: Server, log: Path, tmp_path: Path) -> None:
    with Server() as other:
        other.files["x"] = server.files["x"]
        server.fail("redirect", times=9, value=f"{other.url.replace('127.0.0.1', 'localhost')}/files/x")
        bearer = servers.Bearer(lambda: "marked-token", hosts=("http://127.0.0.1",))
        assert metalink.fetch([wanted(server, tmp_path)], servers.Web(bearer)) == {}
        assert "marked" not in log.read_text()
        assert all("Authorization" not in headers for _, _, headers in other.asked)


def test_what_aria2c_cannot_do_is_tried_without_it_and_said(server: Server, log: Path, tmp_path: Path) -> None:
    honest = server.taken

    def busy_for_aria(path: str) -> object:
        agent = server.asked[-1][2].get("User-Agent", "")
        if agent.startswith("Python-urllib"):
            server.fail("503")
        return honest(path)

    server.taken = busy_for_aria  # type: ignore[assignment,method-assign]
    assert metalink.fetch([wanted(server, tmp_path)], servers.Web()) == {}
    failed = metalink.fetch([wanted(server, tmp_path / "b", "0" * 31 + "1")], servers.Web())
    (error,) = failed.values()
    assert isinstance(error, transfer.FaultyAtSourceError)
    assert "(aria2c: the server is overloaded)" in str(error)
    assert list((tmp_path / "b" / "out").iterdir()) == []


def test_a_wrong_file_by_aria2c_gets_no_name(server: Server, log: Path, tmp_path: Path) -> None:
    failed = metalink.fetch([wanted(server, tmp_path, "0" * 31 + "1")], servers.Web())
    assert "faulty at its source" in str(next(iter(failed.values())))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(shutil.which("aria2c") is None, reason="aria2c is not installed (Debian: apt-get install aria2)")
def test_aria2c_itself(server: Server, tmp_path: Path) -> None:
    """The program, where it is installed: it takes address, token and checksum by its input, and its codes hold."""
    server.files["x"] = random.Random(3).randbytes(3_000_000)
    source = servers.Web(servers.Bearer(lambda: "marked-token", hosts=("http://127.0.0.1",)))
    assert metalink.fetch([wanted(server, tmp_path)], source) == {}
    assert (tmp_path / "out" / "x.bin").read_bytes() == server.files["x"]
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["x.bin"]
    theirs = [headers for _, _, headers in server.asked if headers.get("User-Agent", "").startswith("aria2/")]
    assert theirs and all(headers["Authorization"] == "Bearer marked-token" for headers in theirs)
    assert 1 <= server.most_open <= servers.CONNECTIONS
    program = str(shutil.which("aria2c"))
    assert (
        metalink._by_aria2c(program, wanted(server, tmp_path / "b", "0" * 31 + "1"), source) == "its checksum is wrong"
    )
    honest = server.taken

    def gone(path: str) -> object:
        agent = server.asked[-1][2].get("User-Agent", "")
        if agent.startswith("aria2/"):
            server.files.pop("x", None)
        return honest(path)

    server.taken = gone  # type: ignore[assignment,method-assign]
    assert metalink._by_aria2c(program, wanted(server, tmp_path / "c"), source) == "the server has not this file"
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and f.name == "x.bin" and "out" not in str(f.parent)]
