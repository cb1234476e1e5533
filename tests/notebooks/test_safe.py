"""Notebook 01 fetches whole products by `lulc download`; no secret is written anywhere; two at once do no harm."""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import shapely

from lulc_kit import catalog
from tests import products, scene
from tests.download.conftest import stac  # noqa: F401
from tests.services.cdse import DIGITS, Server, add_manifest
from tests.services.stac import AREA, FOOTPRINT, Stac

OFFER = {"stac_version": "1.1.0", "type": "Feature", "stac_extensions": [], "links": [], "assets": {}}


def item(name: str, **properties: Any) -> dict[str, Any]:
    """An item of the Data Space's collection of Level-1C products, as far as a search needs it."""
    said = {"datetime": "2023-06-15T10:10:31Z", "eo:cloud_cover": 12.5, "processing:version": "05.09"} | properties
    place = {"geometry": shapely.geometry.mapping(FOOTPRINT), "bbox": list(FOOTPRINT.bounds)}
    return OFFER | place | {"id": name, "collection": "sentinel-2-l1c", "properties": said}


def lulc(project: Path, server: Server, *arguments: str) -> "subprocess.Popen[str]":
    environment = scene.environment() | server.environment() | {"LULC_CDSE_TOTP": DIGITS, "NETRC": "none"}
    return subprocess.Popen(
        [sys.executable, "-c", CLI, *arguments],
        cwd=project, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


CLI = "from lulc_kit.cli import app; app()"


@pytest.mark.long
def test_download_of_a_study(stac: Stac, project: Path, tmp_path: Path) -> None:  # noqa: F811
    product = add_manifest(products.write_l1c(tmp_path / "made", tile="33UUU"))
    (project / "notebooks").mkdir(exist_ok=True)
    shutil.copy(scene.REPOSITORY / "notebooks/01_download.ipynb", project / "notebooks")
    with Server(totp=True) as server:
        name = server.offer(product)
        stac.offered.append(item(name))
        asked = {
            "study": "s",
            "source": "safe",
            "service": "cdse",
            "level": "L1C",
            "area": AREA,
            "bands": ["B4", "B11"],
        }
        scene.put(project, "01_download", asked | {"dates": ["2023-06-01", "2023-06-30"], "fetch": "s3"}, "s")
        reached, ended = threading.Event(), threading.Event()

        def held() -> None:  # the first waits in the middle of a file until the second has ended
            reached.set()
            assert ended.wait(200)

        server.fail("change", "B04", value=held)
        server.fail("503", "B11")
        server.fail("cut", "B11", at=1500)
        first = lulc(project, server, "download", "s")
        assert reached.wait(200), first.communicate(timeout=10)[0]
        before = len(server.asked)
        second = lulc(project, server, "download", "s")
        said = [second.communicate(timeout=200)[0]]
        assert second.returncode == 1, said
        assert f"Process {first.pid} on " in said[0] and "works on the study" in said[0]
        assert "Traceback" not in said[0]
        others = [path for _, path, _ in server.asked[before:] if not path.startswith("/eodata/")]  # of the first
        assert (others, server.logins, len(stac.asked)) == ([], ["password"], 1), "the second asked for something"
        ended.set()
        said.append(first.communicate(timeout=200)[0])
        assert first.returncode == 0, said
        assert server.sessions == set() and server.keys == set()
        assert [sum(band in path for _, path, _ in server.asked) for band in ("B04", "B11")] == [1, 3]
        assert server.logins == ["password"]
        before = len(server.asked)
        third = lulc(project, server, "download", "s")
        said.append(third.communicate(timeout=200)[0])
        assert third.returncode == 0, said
        assert len(server.asked) == before, "what is there was asked for again"
    found = catalog.read(project / "outputs/s/catalog.json")
    assert [sorted(s.bands) for s in found.scenes] == [["B11", "B4"]]
    kept = project / "outputs/s/scenes" / product.name
    for file in (f for f in kept.rglob("*") if f.is_file()):
        assert file.read_bytes() == (product / file.relative_to(kept)).read_bytes()
    texts = [f.read_bytes() for f in project.rglob("*") if f.is_file() and product.name not in f.parts]
    assert any(b"safe" in text for text in texts)
    executed = json.loads((project / "outputs/s/notebooks/01_download.ipynb").read_text())
    assert executed["cells"]
    for secret in (b"marked-", DIGITS.encode() + b'"', b"who@example.org", b"Bearer marked"):
        assert not [text for text in texts if secret in text], secret
        assert secret.decode() not in "".join(said)
