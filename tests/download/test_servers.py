"""Who is shown the token, where redirects lead, and how often an object store is asked."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import obstore
import pytest

from lulc_kit.download import servers
from lulc_kit.errors import LulcError
from tests.services.cdse import Server

CONTENT = b"0123456789" * 1000


@pytest.fixture
def server(data_space: Server) -> Server:
    data_space.files["x.bin"] = CONTENT
    return data_space


def read(web: servers.Web, server: Server) -> bytes:
    with web.open(f"{server.url}/files/x.bin", 0, None) as answer:
        return b"".join(answer.pieces)


def test_the_token_does_not_follow_to_another_host(server: Server) -> None:
    with Server() as other:
        other.files["x.bin"] = CONTENT
        target = other.url.replace("127.0.0.1", "localhost")
        server.fail("redirect", value=f"{target}/files/x.bin")
        bearer = servers.Bearer(lambda: "marked", hosts=("http://127.0.0.1",))
        assert read(servers.Web(bearer), server) == CONTENT
        assert server.asked[0][2]["Authorization"] == "Bearer marked"
        assert len(other.asked) == 1
        assert "Authorization" not in other.asked[0][2]


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("https://download.dataspace.copernicus.eu/x", True),
        ("https://zipper.dataspace.copernicus.eu/x", True),
        ("http://download.dataspace.copernicus.eu/x", False),
        ("https://dataspace.copernicus.eu.evil.org/x", False),
        ("https://evildataspace.copernicus.eu/x", False),
        ("https://evil.org/.dataspace.copernicus.eu", False),
        ("https://user@evil.org:443/?.dataspace.copernicus.eu", False),
        ("https://evil.org\\@download.dataspace.copernicus.eu/x", False),
        ("https://download.dataspace.copernicus.eu@evil.org/x", False),
    ],
)
def test_which_hosts_may_see_the_token(address: str, may: bool) -> None:
    assert bool(servers.Bearer(lambda: "t").headers(address)) == may


def test_redirects_without_end(server: Server) -> None:
    server.fail("redirect", times=100, value="/files/x.bin")
    with pytest.raises(LulcError, match="without end"):
        read(servers.Web(), server)


def test_the_object_store_is_asked_2000_times_a_minute_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """By four threads as fast as they can, on a clock that goes only while somebody sleeps; with an idle minute."""
    now, asked, looked = [0.0], list[str](), list[float]()

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def monotonic() -> float:
        looked.append(now[0])
        return now[0]

    def get(_: object, address: str, **__: object) -> SimpleNamespace:
        asked.append(address)
        return SimpleNamespace(range=(0, 1), meta={"size": 1, "e_tag": '"1"'}, stream=lambda _: [b"x"])

    monkeypatch.setattr(servers, "time", SimpleNamespace(sleep=sleep, monotonic=monotonic))
    monkeypatch.setattr(obstore, "get", get)
    bucket = servers.Bucket(SimpleNamespace())  # type: ignore[arg-type]

    def many(_: int) -> None:
        for _ in range(600):
            with bucket.open("key", 0, None) as answer:
                assert list(answer.pieces) == [b"x"]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(many, range(4)))
        now[0] += 60  # what was not asked in an idle minute may not be caught up with in the next
        list(pool.map(many, range(4)))
    # The clock is read before a question's pause and after it, then it is asked; others may move it meanwhile.
    times = np.array(looked[1::2])
    assert len(asked) == len(times) == 4800
    in_a_minute = np.searchsorted(times, times + 60 - 1e-6) - np.arange(len(times))
    assert in_a_minute.max() <= 2000
    assert times[-1] < 60 + 4800 / 2000 * 60 + 1, "and no slower than that"
