"""What the manifest of a product says of its files: the only witness of damage that JPEG 2000 decodes in silence."""

from dataclasses import dataclass
from pathlib import Path

from lulc_kit import files
from lulc_kit.errors import FormatError
from lulc_kit.safe.metadata import find_all
from lulc_kit.safe.source import Source, check_path, open_source

_KINDS = ("md5", "sha3_256")


@dataclass(frozen=True)
class Checksum:
    """Size (bytes; None where the manifest does not tell) and checksum of a file, hexadecimal, as it was delivered."""

    kind: str
    digest: str
    size: int | None


def read(source: Source, name: str = "manifest.safe") -> dict[str, Checksum]:
    """Read what a product's manifest, a file of that name, says of its files, there or not, by their path in it.

    Raises
    ------
    LulcError
        If the manifest is unsafe to read, or names files outside of the product.
    """
    found = {}
    for element in find_all(source.read_xml(name), "byteStream"):
        location, checksum = find_all(element, "fileLocation"), find_all(element, "checksum")
        if not location or not checksum:
            continue
        path = check_path(location[0].get("href", "").removeprefix("./"), str(source.path))
        kind = checksum[0].get("checksumName", "").lower().replace("-", "_")
        if kind in _KINDS:
            size = element.get("size", "")
            digest = (checksum[0].text or "").strip().lower()
            found[path] = Checksum(kind, digest, int(size) if size.isdecimal() else None)
    return found


def checksums(source: Source) -> dict[str, Checksum]:
    """Return the checksums of the files that are there; none without a manifest. Errors are those of `read`."""
    if "manifest.safe" not in source.files:
        return {}
    return {name: known for name, known in read(source).items() if name in source.files}


def refuse_damaged(product: Path, images: list[Path]) -> None:
    """Refuse images that are as long as the manifest says, and yet not those that were delivered.

    Parameters
    ----------
    product
        Folder or archive; without a manifest nothing is known, and nothing refused.
    images
        As the catalog names them. One of another length was not damaged on its way but written anew by somebody, and
        is taken as it is.

    Raises
    ------
    LulcError
        If there is one.
    """
    source = open_source(product)
    listed = {files.gdal_name(source.gdal_path(name)): (name, known) for name, known in checksums(source).items()}
    for image in images:
        name, checksum = listed.get(files.gdal_name(image), ("", None))
        if checksum is None or checksum.size != source.size(name):
            continue
        if source.digest(name, checksum.kind) != checksum.digest:
            raise FormatError(
                f"{image} is damaged: it can be decoded, but its checksum is not that of the product's manifest.safe, "
                "so that some of its pixels are wrong. Copy or download the product again."
            )
