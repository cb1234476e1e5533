"""Whole products from a stand-in for the Copernicus Data Space: whole and verified, or left out with a reason."""

import hashlib
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import stamina
from moto.server import ThreadedMotoServer

from lulc_kit import catalog, files
from lulc_kit.download import servers, tokens, whole
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from tests import products
from tests.services.cdse import DIGITS, Server, add_manifest

BANDS = ["B4", "B11"]


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=5):
        yield


@pytest.fixture
def server(data_space: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    return data_space


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "study")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two small products with manifests."""
    folder = tmp_path_factory.mktemp("made")
    return [add_manifest(products.write_l1c(folder, day=day)) for day in ("20230615", "20230620")]


def chosen(*names: str) -> Any:
    """A choice of items, of which only the names of products are asked."""
    items = [SimpleNamespace(id=name, properties={}, collection_id="c", assets={}) for name in names]
    return SimpleNamespace(items=items, area=SimpleNamespace(grid=None))


def get(layout: Layout, *names: str, choice: Any = None, **options: Any) -> catalog.Catalog:
    options = {"bands": BANDS, "fetch": "files", "cart": None} | options
    return whole.catalog(choice or (chosen(*names) if names else None), layout, **options)


def same(folder: Path, product: Path) -> bool:
    """Whether every file that is there is the product's, and none is hidden."""
    found = [file for file in folder.rglob("*") if file.is_file()]
    return bool(found) and all(
        f.read_bytes() == (product / f.relative_to(folder)).read_bytes() and not f.name.startswith(".") for f in found
    )


def test_only_the_bands_one_wants(server: Server, layout: Layout, made: list[Path]) -> None:
    name = server.offer(made[0])
    found = get(layout, name)
    (scene,) = found.scenes
    assert list(scene.bands) == BANDS
    folder = layout.scenes / f"{name}.SAFE"
    assert same(folder, made[0])
    assert sorted(f.name[-7:] for f in folder.rglob("*.jp2")) == ["B04.jp2", "B11.jp2"]
    assert [f.name for f in layout.scenes.iterdir()] == [folder.name]
    assert server.logins == ["password"]
    assert server.sessions == set(), "logged out"
    asked = len(server.asked)
    get(layout, name)
    assert len(server.asked) == asked, "what is there is not fetched again, nor asked for"
    assert sorted(get(layout, name, bands=["B4", "B11", "B2"]).scenes[0].bands) == ["B11", "B2", "B4"]
    assert same(folder, made[0])


@pytest.mark.parametrize("fetch", ["files", "s3", "zip"])
def test_every_way(server: Server, layout: Layout, made: list[Path], fetch: str) -> None:
    name = server.offer(made[0])
    server.keys_refused = 2
    server.fail("cut", "B04", at=5000)
    server.fail("cut", f"{server.entries[made[0].name]['Id']})/$value", at=50_000)
    found = get(layout, name, bands=[], fetch=fetch)
    assert len(found.scenes[0].bands) == 13
    folder = layout.scenes / made[0].name
    assert same(folder, made[0])
    assert len(list(folder.rglob("*.jp2"))) == 13
    assert [f.name for f in layout.scenes.iterdir()] == [made[0].name]
    assert server.keys == set(), "keys that were made are deleted"
    assert server.sessions == set()


def test_own_keys_of_the_object_store(
    server: Server, layout: Layout, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server by moto, which speaks S3 as a whole."""
    import boto3

    name = server.offer(made[0])
    moto = ThreadedMotoServer(port=0)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        address = f"http://{host}:{port}".replace("0.0.0.0", "127.0.0.1")
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="marked-own",
                              aws_secret_access_key="marked-word")  # fmt: skip
        client.create_bucket(Bucket="eodata")
        for path, content in server.contents[made[0].name].items():
            client.put_object(Bucket="eodata", Key=f"Sentinel-2/MSI/{made[0].name}/{path}", Body=content)
        monkeypatch.setenv("LULC_CDSE_S3", address)
        monkeypatch.setenv("LULC_CDSE_S3_KEY", "marked-own")
        monkeypatch.setenv("LULC_CDSE_S3_SECRET", "marked-word")
        monkeypatch.delenv("LULC_CDSE_PASSWORD")
        assert list(get(layout, name).scenes[0].bands) == BANDS
        assert same(layout.scenes / made[0].name, made[0])
        assert server.logins == [], "own keys want no login"
    finally:
        moto.stop()


def test_the_object_store_has_four_connections_and_one_request_for_each_try(
    server: Server, layout: Layout, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing beneath asks again by itself, uncounted."""
    name = server.offer(made[0])
    opened = []
    honest = servers.Bucket.open
    monkeypatch.setattr(servers.Bucket, "open", lambda self, key, *rest: opened.append(key) or honest(self, key, *rest))
    server.fail("503", "B04", times=3)
    server.fail("cut", "B08", at=2000)
    server.fail("slow", ".jp2", times=99, value=0.05)
    get(layout, name, bands=[], fetch="s3")
    assert same(layout.scenes / made[0].name, made[0])
    asked = [path for _, path, _ in server.asked if path.startswith("/eodata/Sentinel-2/MSI/")]
    assert len(asked) == len(opened) == len(server.contents[made[0].name]) + 4
    assert 2 <= server.most_open <= 4


def test_one_faulty_at_its_source_is_left_out(server: Server, layout: Layout, made: list[Path]) -> None:
    names = [server.offer(product) for product in made]
    (path,) = [p for p in server.contents[made[0].name] if p.endswith("B04.jp2")]
    content = bytearray(server.contents[made[0].name][path])
    content[-200] ^= 1
    server.contents[made[0].name][path] = bytes(content)
    found = get(layout, *names)
    assert [scene.date[:10] for scene in found.scenes] == ["2023-06-20"]
    assert "faulty at its source" in found.left_out[names[0]]
    assert [f.name for f in layout.scenes.glob("[!.]*")] == [made[1].name]


PREFIXES = {"md5": "d50110", "sha256": "1220", "sha3_256": "1620"}
"""Of the multicodec table: the kind as varint, and the number of bytes."""


def announce(choice: Any, product: Path, part: str, kind: str) -> None:
    """Let the first item of a choice say what the product's files, as they are now, are: ``file:checksum``."""
    choice.items[0].assets = {
        file.name: SimpleNamespace(
            href=f"s3://eodata/Sentinel-2/MSI/{product.name}/{file.relative_to(product).as_posix()}",
            extra_fields={
                "file:size": file.stat().st_size,
                "file:checksum": PREFIXES[kind] + hashlib.new(kind, file.read_bytes()).hexdigest(),
            },
        )
        for file in product.rglob("*")
        if file.is_file() and part in file.name
    }


@pytest.mark.parametrize("kind", PREFIXES)
@pytest.mark.parametrize("part", ["B04", "manifest"])
def test_what_is_not_what_the_catalogue_says_is_faulty_and_the_others_go_on(
    server: Server, layout: Layout, made: list[Path], tmp_path: Path, kind: str, part: str
) -> None:
    """At its source a file was changed, and the product's own manifest with it: only ``file:checksum`` can tell."""
    changed = shutil.copytree(made[0], tmp_path / made[0].name)
    (image,) = changed.rglob("*B04.jp2")
    image.write_bytes(image.read_bytes()[:-1] + b"!")
    add_manifest(changed)
    names = [server.offer(changed), server.offer(made[1])]
    choice = chosen(*names)
    announce(choice, made[0], part, kind)
    found = get(layout, choice=choice)
    assert [scene.date[:10] for scene in found.scenes] == ["2023-06-20"]
    why = found.left_out[names[0]]
    assert "faulty at its source" in why and f"its {kind} is " in why and "brought the same" in why
    asked = [path for _, path, _ in server.asked if part in path and made[0].name in path]
    assert len(asked) == 2, "the same bytes twice are enough"
    assert not (layout.scenes / made[0].name).exists()


@pytest.mark.parametrize("kind", PREFIXES)
def test_damage_on_the_way_is_found_by_what_the_catalogue_says(
    server: Server, layout: Layout, made: list[Path], kind: str
) -> None:
    choice = chosen(server.offer(made[0]))
    announce(choice, made[0], "", kind)
    server.fail("wrong", "B04")
    server.fail("wrong", "manifest")
    assert get(layout, choice=choice).left_out == {}
    assert same(layout.scenes / made[0].name, made[0])


@pytest.mark.parametrize("nothing", [None, [], "N/A", [{"Algorithm": "MD5", "Value": "0" * 32}], [{"Value": None}]])
def test_an_archive_of_which_nothing_is_known(
    server: Server, layout: Layout, made: list[Path], nothing: object
) -> None:
    name = server.offer(made[0], Checksum=nothing, ContentLength=None if nothing is None else 0)
    get(layout, name, fetch="zip")
    assert same(layout.scenes / made[0].name, made[0])


def test_an_archive_damaged_inside_is_found_by_its_crc_or_manifest(
    server: Server, layout: Layout, made: list[Path]
) -> None:
    name = server.offer(made[0], Checksum=None, ContentLength=None)
    archive = bytearray(server.archives[made[0].name])
    archive[archive.find(b"jP  ") + 300] ^= 1
    server.archives[made[0].name] = bytes(archive)
    with pytest.raises(LulcError, match=r"faulty at its source: .*damaged \(CRC\)"):
        get(layout, name, fetch="zip")
    other = BytesIO()
    with zipfile.ZipFile(other, "w") as packed:
        for path, content in server.contents[made[0].name].items():
            packed.writestr(f"{made[0].name}/{path}", content + (b"!" if path.endswith("B02.jp2") else b""))
    server.archives[made[0].name] = other.getvalue()
    with pytest.raises(LulcError, match=r"B02\.jp2 in .* is not what manifest\.safe says"):
        get(layout, name, fetch="zip")
    assert not list(layout.scenes.glob("[!.]*"))


@pytest.mark.parametrize("how", ["up", "absolute", "link", "bomb", "xml"])
def test_archives_that_attack(server: Server, layout: Layout, made: list[Path], how: str) -> None:
    name = server.offer(made[0], Checksum=None, ContentLength=None)
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in server.contents[made[0].name].items():
            if how == "xml" and path == "manifest.safe":
                content = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x xmlns="XFDU">&b;</x>'
            archive.writestr(f"{made[0].name}/{path}", content)
        evil = zipfile.ZipInfo(f"{made[0].name}/link")
        evil.external_attr = (stat.S_IFLNK | 0o777) << 16
        entries = {
            "up": (f"{made[0].name}/../../evil.txt", b"x"),
            "absolute": ("/tmp/evil.txt", b"x"),
            "link": (evil, b"/etc"),
            "bomb": (f"{made[0].name}/bomb.xml", bytes(50_000_000)),
        }
        if how in entries:
            archive.writestr(*entries[how])
    server.archives[made[0].name] = packed.getvalue()
    with pytest.raises(LulcError, match=name):
        get(layout, name, fetch="zip")
    assert not list(layout.scenes.glob("[!.]*"))
    assert not list(layout.folder.rglob("evil.txt"))


def test_a_manifest_that_attacks(server: Server, layout: Layout, made: list[Path]) -> None:
    name = server.offer(made[0])
    bad = b'<xfdu:XFDU xmlns:xfdu="u"><byteStream size="1"><fileLocation href="./../../evil.txt"/>'
    bad += b'<checksum checksumName="MD5">00</checksum></byteStream></xfdu:XFDU>'
    server.contents[made[0].name]["manifest.safe"] = bad
    with pytest.raises(LulcError, match="outside of the product"):
        get(layout, name)
    assert not list(layout.folder.rglob("evil.txt"))


def test_deleted_offline_and_unknown_products_say_why(server: Server, layout: Layout, made: list[Path]) -> None:
    good, offline = server.offer(made[0]), server.offer(made[1], Online=False)
    gone, unknown = good.replace("20230615T14", "20230615T15"), good.replace("20230615T14", "20230615T16")
    why = {"Name": f"{gone}.SAFE", "DeletionDate": "2024-02-03T00:00:00Z", "DeletionCause": "Corrupted product"}
    server.deleted.append(why)
    found = get(layout, good, offline, gone, unknown)
    assert len(found.scenes) == 1
    assert "on tape" in found.left_out[offline]
    assert "deleted from the Copernicus Data Space on 2024-02-03 (Corrupted product)" in found.left_out[gone]
    assert "has no product" in found.left_out[unknown]


def test_a_wrong_password_ends_it_at_once(
    server: Server, layout: Layout, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LULC_CDSE_PASSWORD", "marked-wrong")
    names = [server.offer(product) for product in made]
    with pytest.raises(LulcError, match="refuses user name and password") as caught:
        get(layout, *names)
    assert "marked" not in str(caught.value)
    assert server.logins == ["password"], "an account is locked after some wrong tries"


def test_no_password_says_where_to_put_it(
    server: Server, layout: Layout, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LULC_CDSE_PASSWORD")
    with pytest.raises(LulcError, match="LULC_CDSE_PASSWORD"):
        get(layout, server.offer(made[0]))


def test_a_token_that_ends_is_renewed_and_the_password_sent_once(
    server: Server, layout: Layout, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.totp = True
    monkeypatch.setenv("LULC_CDSE_TOTP", DIGITS)
    monkeypatch.setattr(tokens, "_digits", [])
    name = server.offer(made[0])
    server.fail("cut", "B04", at=5000)
    server.fail("expire", "B04")
    server.fail("expire", "B11")
    get(layout, name)
    assert same(layout.scenes / made[0].name, made[0])
    assert server.logins[0] == "password"
    assert set(server.logins[1:]) == {"refresh_token"}


def test_a_token_is_renewed_while_one_file_takes_longer_than_it_lives(
    server: Server, layout: Layout, made: list[Path]
) -> None:
    server.expires_in = 0.2
    name = server.offer(made[0], Checksum=None, ContentLength=None)
    larger = BytesIO(server.archives[made[0].name])
    with zipfile.ZipFile(larger, "a") as packed:
        packed.writestr(f"{made[0].name}/HTML/large.html", bytes(400_000))
    server.archives[made[0].name] = larger.getvalue()
    server.fail("slow", "$value", value=0.1)
    get(layout, name, fetch="zip")
    assert sum(path.endswith("$value") for _, path, _ in server.asked) == 1, "it was not cut"
    assert server.logins[0] == "password" and server.logins.count("refresh_token") >= 3
    assert set(server.logins[1:]) == {"refresh_token"}


def test_a_disk_without_room(server: Server, layout: Layout, made: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    name = server.offer(made[0])
    usage = shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    for fetch in ("files", "zip"):
        with pytest.raises(LulcError, match="MB are needed"):
            get(layout, name, fetch=fetch)
    assert not list(layout.scenes.glob("[!.]*"))


def test_room_for_the_archive_alone_is_not_enough(
    server: Server, layout: Layout, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is unpacked beside itself: nothing is fetched that could not be unpacked."""
    name = server.offer(made[0])
    size = len(server.archives[made[0].name])
    room = [int(1.5 * size)]
    monkeypatch.setattr(files, "free_space", lambda _: room[0])
    with pytest.raises(LulcError, match="MB are needed"):
        get(layout, name, fetch="zip")
    assert not any(path.endswith("$value") for _, path, _ in server.asked)
    room[0] = 100 * size
    assert get(layout, name, fetch="zip").left_out == {}


def test_which_files_of_a_level_2a_product() -> None:
    root = "GRANULE/L2A_T33UVU/IMG_DATA"
    images = [
        *(f"{root}/R10m/T_{b}_10m.jp2" for b in ("B02", "B03", "B04", "B08", "TCI", "AOT", "WVP")),
        *(f"{root}/R20m/T_{b}_20m.jp2" for b in ("B01", "B02", "B05", "B11", "B8A", "SCL", "TCI")),
        *(f"{root}/R60m/T_{b}_60m.jp2" for b in ("B01", "B02", "B09", "SCL", "TCI")),
    ]
    others = ["MTD_MSIL2A.xml", "manifest.safe", "GRANULE/L2A_T33UVU/QI_DATA/MSK_CLASSI_B00.jp2"]
    left = ["HTML/UserProduct_index.html", "GRANULE/L2A_T33UVU/QI_DATA/MSK_DETFOO_B01.jp2", "x-ql.jpg"]
    found = whole.wanted_files([*images, *others, *left], ["B2", "B1", "B8A"])
    assert sorted(found) == sorted(
        [
            *others,
            f"{root}/R10m/T_B02_10m.jp2",
            f"{root}/R20m/T_B01_20m.jp2",
            f"{root}/R20m/T_B8A_20m.jp2",
            f"{root}/R20m/T_SCL_20m.jp2",
            f"{root}/R60m/T_TCI_60m.jp2",
        ]
    )


def cart(server: Server, folder: Path, *made: Path) -> Path:
    """Write a cart in the form of RFC 5854, section 3."""
    files = "".join(
        f'<file name="{product.name}.zip"><size>{len(server.archives[product.name])}</size>'
        f'<hash type="md5">{hashlib.md5(server.archives[product.name]).hexdigest()}</hash>'
        f'<url priority="1">{server.url}/odata/v1/Products({server.entries[product.name]["Id"]})/$value</url></file>'
        for product in made
    )
    path = folder / "products.meta4"
    path.write_text(f'<?xml version="1.0"?><metalink xmlns="urn:ietf:params:xml:ns:metalink">{files}</metalink>')
    return path


def test_a_cart(server: Server, layout: Layout, made: list[Path], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))  # no aria2c
    for product in made:
        server.offer(product)
    path = cart(server, tmp_path, *made)
    server.fail("cut", "$value", at=40_000)
    found = get(layout, cart=str(path))
    assert [scene.date[:10] for scene in found.scenes] == ["2023-06-15", "2023-06-20"]
    assert all(same(layout.scenes / product.name, product) for product in made)
    asked = len(server.asked)
    get(layout, cart=str(path))
    assert len(server.asked) == asked
