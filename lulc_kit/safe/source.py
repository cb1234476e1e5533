"""A SAFE product as a tree of files, whether it is a folder or a zip archive that is never unpacked."""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from lulc_kit import files
from lulc_kit.errors import FormatError, MissingFileError

# A real product unpacks to about 1.2 GB in a few hundred files; its largest metadata file has some 10 MB.
MAX_BYTES = 8_000_000_000
MAX_FILES = 20_000
MAX_XML_BYTES = 64_000_000
MAX_RATIO = 200  # of unpacked to packed size of one file: JPEG 2000 hardly shrinks, XML by a factor of 10 to 50


def check_path(name: str, where: str) -> str:
    """Return a relative path that stays below its root, or raise.

    Parameters
    ----------
    name
        Path with forward slashes, from an archive or from metadata.
    where
        What it was found in, for the message.

    Raises
    ------
    LulcError
        If the path is absolute, has a drive, goes up, or contains a backslash or a NUL.
    """
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or set("\\\0:") & set(name):
        raise FormatError(
            f"{where} names the file {name!r}, which would lie outside of the product; expected a path "
            "inside it. Fetch the product again from its provider."
        )
    return path.as_posix()


@dataclass(frozen=True)
class Source:
    """The files of one product.

    Attributes
    ----------
    path
        Folder, or zip archive.
    root
        Path of the product inside the archive, "" for a folder or where the archive has no top folder.
    files
        All files of the product, relative to its root, with forward slashes.
    """

    path: Path
    root: str
    files: frozenset[str]

    @property
    def zipped(self) -> bool:
        """Whether the product is read from an archive."""
        return self.path.is_file()

    @property
    def metadata(self) -> str:
        """Name of the product's main metadata file."""
        return next(name for name in sorted(self.files) if "/" not in name and is_metadata(name))

    def gdal_path(self, file: str) -> str:
        """Name by which GDAL opens one of the product's files."""
        if not self.zipped:
            return str(self.path / file)
        inner = f"{self.root}/{file}" if self.root else file
        return files.join_archive(self.path.resolve(), inner)

    @contextmanager
    def open(self, file: str) -> Iterator[IO[bytes]]:
        """Open one of the product's files for reading."""
        if not self.zipped:
            with (self.path / file).open("rb") as stream:
                yield stream
            return
        with (
            zipfile.ZipFile(self.path) as archive,
            archive.open(f"{self.root}/{file}" if self.root else file) as stream,
        ):
            yield stream

    def size(self, file: str) -> int:
        """Bytes of one of the product's files, unpacked."""
        if not self.zipped:
            return (self.path / file).stat().st_size
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(f"{self.root}/{file}" if self.root else file).file_size

    def digest(self, file: str, kind: str) -> str:
        """Checksum of one of the files, hexadecimal; "" if it is archived and cannot be unpacked."""
        total = hashlib.new(kind, usedforsecurity=False)
        try:
            with self.open(file) as stream:
                while block := stream.read(1 << 20):
                    total.update(block)
        except (zipfile.BadZipFile, zlib.error):
            return ""
        return total.hexdigest()

    def read_xml(self, file: str) -> Element:
        """Parse one of the product's XML files; entities and document types are refused."""
        try:
            with self.open(file) as stream:
                return parse_xml(stream, f"{file} in {self.path}")
        except (zipfile.BadZipFile, zlib.error) as error:
            raise FormatError(f"{file} in {self.path} cannot be unpacked ({error}); fetch the archive again.") from None


def parse_xml(stream: IO[bytes], name: str) -> Element:
    """Parse XML; a LulcError names the file if it is too large, declares entities or a document type, or is no XML."""
    text = stream.read(MAX_XML_BYTES + 1)
    if len(text) > MAX_XML_BYTES:
        raise FormatError(
            f"{name} is larger than {MAX_XML_BYTES // 1_000_000} MB; expected metadata of a few MB. Fetch the product "
            "again from its provider."
        )
    try:
        return defusedxml.ElementTree.fromstring(text, forbid_dtd=True)
    except DefusedXmlException as error:
        raise FormatError(
            f"{name} declares a document type or entities ({type(error).__name__}); Sentinel-2 metadata have none, "
            "and they can be used to attack a reader. Fetch the product again from its provider."
        ) from None
    except ParseError as error:
        raise FormatError(
            f"{name} is not readable XML ({error}); the download may be incomplete. Fetch the product again."
        ) from None


def is_metadata(name: str) -> bool:
    """Whether a file name is that of a product's main metadata, in the compact or the old format."""
    return name in ("MTD_MSIL1C.xml", "MTD_MSIL2A.xml") or (
        name.startswith(("S2A_", "S2B_")) and "_MTD_SAFL" in name and name.endswith(".xml")
    )


def open_source(path: str | Path) -> Source:
    """Find the files of a product.

    Parameters
    ----------
    path
        A .SAFE folder, its main XML file, or a zip archive of one product.

    Returns
    -------
    Source

    Raises
    ------
    LulcError
        If there is no product, or more than one, or the archive is unsafe.
    """
    path = Path(path)
    if is_metadata(path.name) and path.is_file():
        path = path.parent
    if path.is_dir():
        _one_product(path, [found.name for found in path.glob("[!.]*.xml") if is_metadata(found.name)])
        root = path.resolve()
        # links that lead out of the product are not part of it
        files = [found for found in path.rglob("*") if found.is_file() and not found.name.startswith("._")]
        inside = [found for found in files if found.resolve().is_relative_to(root)]
        return Source(path, "", frozenset(found.relative_to(path).as_posix() for found in inside))
    if not path.exists():
        raise MissingFileError(f"{path} does not exist; expected a .SAFE folder or a zip archive of one.")
    if not zipfile.is_zipfile(path):
        raise FormatError(
            f"{path} is neither a folder nor a zip archive; expected a Sentinel-2 product in SAFE format."
        )
    names = [name for name in _safe_names(path) if not PurePosixPath(name).name.startswith("._")]
    main = _one_product(path, [name for name in names if is_metadata(PurePosixPath(name).name)])
    parent = PurePosixPath(main).parent.as_posix()
    prefix = "" if parent == "." else f"{parent}/"
    inside_names = frozenset(name[len(prefix) :] for name in names if name.startswith(prefix))
    if "manifest.safe" not in inside_names:
        raise MissingFileError(f"{path} has no manifest.safe; an archive of a whole product has one. Fetch it again.")
    return Source(path, prefix.rstrip("/"), inside_names)


def _one_product(path: Path, found: list[str]) -> str:
    if not found:
        raise MissingFileError(
            f"{path} holds no MTD_MSIL1C.xml or MTD_MSIL2A.xml; expected a whole Sentinel-2 product in SAFE "
            "format. If it is a part of one, fetch the product again; if products lie in it, open them one "
            "by one."
        )
    if len(found) > 1:
        raise FormatError(f"{path} holds {len(found)} products ({', '.join(sorted(found))}); expected one.")
    return found[0]


def _safe_names(path: Path) -> Iterator[str]:
    """File names of an archive after all checks that need no unpacking."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise FormatError(f"{path} is not a readable zip archive ({error}); fetch it again.") from None
    total = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_FILES or total > MAX_BYTES:
        raise FormatError(
            f"{path} would unpack to {len(entries)} files and {total / 1e9:.1f} GB; a product has at most "
            f"{MAX_FILES} files and {MAX_BYTES / 1e9:.0f} GB. It is not read."
        )
    for entry in entries:
        if entry.is_dir():
            continue
        if entry.flag_bits & 1:
            raise FormatError(f"{entry.filename} in {path} is encrypted; unpack the archive first.")
        if entry.file_size > max(1_000_000, MAX_RATIO * entry.compress_size):
            raise FormatError(
                f"{entry.filename} in {path} is packed "
                f"{entry.file_size / max(1, entry.compress_size):.0f}-fold, more than the {MAX_RATIO}-fold "
                "that is taken as safe. It is not read."
            )
        yield check_path(entry.filename, str(path))
