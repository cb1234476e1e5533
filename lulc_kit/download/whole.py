"""Whole products of the Copernicus Data Space: file by file, only those one wants, or as zip archives.

A product's folder has its name only when all of its wanted files are there and verified.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lulc_kit import files
from lulc_kit.catalog import Catalog
from lulc_kit.download import metalink, odata, search, secrets, servers, tokens, transfer, web
from lulc_kit.download.choose import Choice
from lulc_kit.errors import FormatError, LulcError
from lulc_kit.layout import Layout
from lulc_kit.progress import track
from lulc_kit.safe import manifest
from lulc_kit.safe.product import open_tiles
from lulc_kit.safe.scene import describe
from lulc_kit.safe.source import MAX_BYTES, Source, check_path, open_source
from lulc_kit.sentinel2 import BANDS

if TYPE_CHECKING:
    import pystac

_IMAGE = re.compile(r"/IMG_DATA/.*_(B\d\d|B8A|SCL|TCI)(?:_(\d\d)m)?\.jp2$")
_MANIFEST = "manifest.safe"


@dataclass(frozen=True)
class Way:
    """How files are got: from the object store by key, or else from the web by address."""

    open: servers.Open
    by_key: bool


def catalog(choice: Choice | None, layout: Layout, *, bands: Sequence[str], fetch: str, cart: str | None) -> Catalog:
    """Fetch the products that were chosen, or those of a cart, and describe them.

    What is there already is not fetched again. One that cannot be had is left out, and the others go on.

    Parameters
    ----------
    choice
        What a search found; only the names of products are needed of it. None with a cart.
    layout
        Where the study's files are.
    bands
        Those wanted, each in its finest image; none for all.
    fetch
        ``"files"``: one by one, with the user's S3 keys if there are any, otherwise by OData; ``"s3"``: one by one,
        with keys that are made for it; ``"zip"``: whole archives.
    cart
        A file of Metalink instead (``products.meta4``).

    Raises
    ------
    LulcError
        If the login is refused, the disk is full, or no product could be had: why not, of the first.
    """
    folder = layout.scenes
    names: list[str] = []
    left_out: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        login = stack.enter_context(tokens.session())
        if cart is not None:
            names, left_out = from_cart(files.resolve(cart), folder, login)
        else:
            assert choice is not None
            products = {search.product(item).name: read_announced(item) for item in choice.items}
            missing = [name for name in products if not _complete(folder / f"{name}.SAFE", bands)]
            way = stack.enter_context(_way(login, fetch)) if missing else None
            for name in track(products, "products", unit="product"):
                try:
                    if name in missing:
                        assert way is not None
                        if fetch == "zip":
                            _as_zip(odata.find(name), folder, way)
                        else:
                            _by_file(odata.find(name), folder, way, bands, products[name])
                    names.append(name)
                except LulcError as error:
                    if "disk of" in str(error) or "refuses user name" in str(error):
                        raise
                    left_out[name] = str(error)
    if not names:
        name, why = next(iter(left_out.items()))
        raise LulcError(f"None of {len(left_out)} products could be fetched. The first, {name}: {why}")
    wanted = bands or list(BANDS)
    scenes = [
        describe(replace(tile, bands={name: band for name, band in tile.bands.items() if name in wanted}))
        for name in names
        for tile in open_tiles(folder / f"{name}.SAFE")
    ]
    scenes = [replace(scene, origin="cdse products") for scene in sorted(scenes, key=lambda s: (s.date, s.tile or ""))]
    years = sorted({scene.date[:4] for scene in scenes})
    said = f"Contains modified Copernicus Sentinel data {'–'.join(dict.fromkeys((years[0], years[-1])))}."
    return Catalog(scenes, attribution=said, grid=choice.area.grid if choice else None, left_out=left_out)


@contextlib.contextmanager
def _way(login: tokens.Session, fetch: str) -> Iterator[Way]:
    own = fetch == "files" and secrets.find("cdse", "s3_key")
    if own or fetch == "s3":
        with tokens.store(None if own else login) as store:
            yield Way(servers.Bucket(store).open, True)
    else:
        yield Way(servers.Web(bearer(login)).open, False)


def bearer(login: tokens.Session) -> servers.Bearer:
    """Return a login's token with the hosts that may see it: those of the Data Space, or of a mirror in its place."""
    mirror = urlsplit(web.address("CDSE_DOWNLOAD", ""))
    own = [f"{mirror.scheme}://{mirror.hostname}"] if mirror.hostname else []
    return servers.Bearer(login.token, login.renew, (*servers.CDSE_HOSTS, *own))


def wanted_files(names: Sequence[str], bands: Sequence[str]) -> list[str]:
    """Choose from a product's files: metadata and masks, and the finest image of each band that is wanted.

    Parameters
    ----------
    names
        Paths in the product.
    bands
        None for all; then a Level-1C product is taken whole, because Sen2Cor wants it whole.
    """
    level_1c = not any("/R10m/" in name or "_10m.jp2" in name for name in names)
    if level_1c and not bands:
        return sorted(names)
    kept, finest = [], dict[tuple[str, str], tuple[int, str]]()
    shown = {BANDS[band].file_name for band in bands or BANDS} | {"SCL"}
    for name in names:
        image = _IMAGE.search(name)
        if image:
            step = int(image[2] or 0)
            if image[1] in shown:
                here = (PurePosixPath(name).parts[1], image[1])
                finest[here] = min(finest.get(here, (step, name)), (step, name))
            elif image[1] == "TCI":  # coarse: a witness of the offset
                here = (PurePosixPath(name).parts[1], "TCI")
                finest[here] = max(finest.get(here, (step, name)), (step, name))
        elif name.endswith((".xml", ".safe", ".gml")) or "MSK_CLASSI" in name:
            kept.append(name)
    return sorted([*kept, *(name for _, name in finest.values())])


def _complete(product: Path, bands: Sequence[str]) -> bool:
    """Whether a product's wanted files are there; what has its final name was verified."""
    if not (product / _MANIFEST).is_file():
        return False
    known = manifest.read(_source(product))
    return all((product / name).is_file() for name in wanted_files(list(known), bands))


def _source(product: Path) -> Source:
    return Source(product, "", frozenset(f.relative_to(product).as_posix() for f in product.rglob("*") if f.is_file()))


@dataclass(frozen=True)
class Announced:
    """What the catalogue says of a file: size (bytes) and checksums (hexadecimal, by kind)."""

    size: int | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)


def read_announced(item: pystac.Item) -> dict[str, Announced]:
    """Return what an item says of the files of its product (``file:size``, ``file:checksum``), by their path in it."""
    found = {}
    for asset in item.assets.values():
        _, inside, path = urlsplit(asset.href).path.partition(f"{search.product(item).name}.SAFE/")
        if inside and path:
            said = asset.extra_fields
            size = said.get("file:size")
            checksums = transfer.read_multihash(str(said.get("file:checksum", "")))
            found[path] = Announced(size if isinstance(size, int) and size > 0 else None, checksums)
    return found


def _by_file(entry: odata.Entry, folder: Path, way: Way, bands: Sequence[str], said: Mapping[str, Announced]) -> None:
    final, hidden = folder / entry.name, folder / f".{entry.name}"
    place = final if final.exists() else hidden
    if way.by_key and not entry.folder:
        raise LulcError(f"{entry.name} has no place in the object store. Set fetch: zip in 01_download.yaml.")
    address = entry.key if way.by_key else entry.node
    of_manifest = said.get(_MANIFEST, Announced())
    first = transfer.Wanted(
        address(_MANIFEST), place / _MANIFEST, of_manifest.size, of_manifest.checksums, _check_manifest
    )
    if not first.path.exists():
        transfer.fetch(first, way.open)
    known = manifest.read(_source(place))
    wanted = [
        transfer.Wanted(
            address(name),
            place / name,
            known[name].size or said.get(name, Announced()).size,
            {known[name].kind: known[name].digest, **said.get(name, Announced()).checksums},
        )
        for name in wanted_files(list(known), bands)
    ]
    needed = sum((w.size or 0) for w in wanted if not w.path.exists()) - sum(
        w.part.stat().st_size for w in wanted if w.part.exists()
    )
    files.refuse_full(place / _MANIFEST, needed)
    failed = transfer.fetch_all(wanted, way.open, entry.name[:26])
    if failed:
        path, why = next(iter(failed.items()))
        kind = transfer.FaultyAtSourceError if isinstance(why, transfer.FaultyAtSourceError) else LulcError
        raise kind(f"{len(failed)} of {len(wanted)} files could not be had. The first, {path.name}: {why}")
    if place == hidden:
        hidden.rename(final)


def _check_manifest(path: Path) -> None:
    with path.open("rb") as stream:
        head = stream.read(4096)
    if b"XFDU" not in head and b"<m" not in head:
        raise FormatError(f"it is no manifest of a product, but begins {head[:40]!r}")
    name = path.name
    manifest.read(Source(path.parent, "", frozenset((name,))), name)


def _as_zip(entry: odata.Entry, folder: Path, way: Way) -> None:
    archive = folder / f".{entry.name}.zip"
    if not archive.exists():
        known = transfer.Wanted(entry.archive, archive, entry.size, entry.checksums, check_zip)
        have = known.part.stat().st_size if known.part.exists() else 0
        files.refuse_full(archive, 2 * (entry.size or 0) - have)
        failed = transfer.fetch_all([known], way.open, entry.name[:26])
        if failed:
            raise failed[archive]
    unpack(archive, folder)


def check_zip(path: Path) -> None:
    """Refuse an archive that is unsafe, damaged (CRC of each file), or not what the product's manifest says.

    Raises
    ------
    FormatError
        If it is.
    """
    source = open_source(path)
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise FormatError(f"{entry.filename} in {path} is a link; a product has none. It is not unpacked.")
        try:
            damaged = archive.testzip()
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
            raise FormatError(f"{path} cannot be unpacked ({error}).") from None
    if damaged:
        raise FormatError(f"{damaged} in {path} is damaged (CRC).")
    for name, known in manifest.read(source).items():
        if name not in source.files:
            raise FormatError(f"{path} lacks {name}, which its manifest.safe names.")
        if source.digest(name, known.kind) != known.digest:
            raise FormatError(f"{name} in {path} is not what manifest.safe says: its {known.kind} differs.")


def unpack(archive: Path, folder: Path) -> str:
    """Unpack a product's archive that `check_zip` found good, all or nothing; return the product's name.

    Raises
    ------
    LulcError
        If the archive is unsafe, or the disk is full.
    """
    source = open_source(archive)
    name = check_path(source.root, str(archive))
    if not name.endswith(".SAFE") or "/" in name:
        raise FormatError(f"{archive} holds the folder {name!r}; expected a product's, which ends with .SAFE.")
    final, hidden = folder / name, folder / f".{name}"
    with zipfile.ZipFile(archive) as packed:
        size = sum(packed.getinfo(f"{name}/{file}").file_size for file in source.files)
    if size > MAX_BYTES:
        raise FormatError(f"{archive} would unpack to {size / 1e9:.1f} GB. It is not unpacked.")
    files.refuse_full(hidden, size)
    shutil.rmtree(hidden, ignore_errors=True)
    with files.report_full(final, size, [hidden]):
        for file in sorted(source.files):
            target = hidden / check_path(file, str(archive))
            target.parent.mkdir(parents=True, exist_ok=True)
            with source.open(file) as packed_file, target.open("wb") as stream:
                shutil.copyfileobj(packed_file, stream, 1 << 20)
    shutil.rmtree(final, ignore_errors=True)
    hidden.rename(final)
    archive.unlink()
    return name.removesuffix(".SAFE")


def from_cart(cart: Path, folder: Path, login: tokens.Session) -> tuple[list[str], dict[str, str]]:
    """Fetch and unpack the products of a cart; return the names of those that are there, and why others are not."""
    names, left_out = [], {}
    listed = metalink.read(cart)
    missing = [file for file in listed if not (folder / f"{file.product}.SAFE" / _MANIFEST).is_file()]
    files.refuse_full(folder / "cart", 2 * sum(file.size or 0 for file in missing))
    wanted = [
        transfer.Wanted(file.addresses[0], folder / f".{file.product}.SAFE.zip", file.size, file.checksums, check_zip)
        for file in missing
    ]
    failed = metalink.fetch(wanted, servers.Web(bearer(login)) if missing else None)
    for file in listed:
        archive = folder / f".{file.product}.SAFE.zip"
        try:
            if archive in failed:
                raise failed[archive]
            if archive.exists():
                unpack(archive, folder)
            names.append(file.product)
        except LulcError as error:
            left_out[file.product] = str(error)
    return names, left_out
