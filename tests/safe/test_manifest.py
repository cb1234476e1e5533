"""The manifest's checksums are the only witness of damage that JPEG 2000 decodes in silence."""

import hashlib
import shutil
from pathlib import Path

import pytest

from lulc_kit.errors import LulcError
from lulc_kit.files import join_archive
from lulc_kit.safe import manifest
from tests import products


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["SHA3-256", "MD5"])
def test_a_bit_that_fell_over(tmp_path: Path, kind: str, packed: bool) -> None:
    product = products.write_l1c(tmp_path)
    (image,) = product.rglob("*_B02.jp2")
    name, content = image.relative_to(product).as_posix(), image.read_bytes()
    digest = hashlib.new(kind.lower().replace("-", "_"), content).hexdigest().upper()

    def entry(href: str, size: int) -> str:
        return (
            f'<byteStream size="{size}"><fileLocation href="./{href}"/>'
            f'<checksum checksumName="{kind}">{digest}</checksum></byteStream>'
        )

    (product / "manifest.safe").write_text(f"<m>{entry(name, len(content))}{entry('absent.xml', 3)}</m>")
    damaged = bytearray(content)
    damaged[-300] ^= 1
    for found, sound in ((content, True), (bytes(damaged), False), (content + b"longer", True)):
        image.write_bytes(found)
        where, path = product, image
        if packed:
            kept = tmp_path / "copies" / f"{len(found)}{sound}.SAFE"
            kept.parent.mkdir(exist_ok=True)
            shutil.copytree(product, kept)
            where = products.pack(kept)
            path = Path(join_archive(where, f"{kept.name}/{name}"))
        if sound:
            manifest.refuse_damaged(where, [path])
        else:
            with pytest.raises(LulcError, match=r"B02\.jp2.* is damaged: .*checksum"):
                manifest.refuse_damaged(where, [path])
