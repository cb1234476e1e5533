"""A user's file never makes the kit go to the network: a server on loopback counts who calls."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

from lulc_kit.errors import LulcError
from lulc_kit.intake.remote import refuse_remote
from tests import scene


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    called: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            called.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}", called
    running.shutdown()


BAND = (
    '<VRTDataset rasterXSize="8" rasterYSize="8"><SRS>PROJCS["x",AUTHORITY["http://www.opengis.net","1"]]</SRS>'
    '<VRTRasterBand dataType="UInt16" band="1"><SimpleSource><SourceFilename relativeToVRT="{relative}">{source}'
    "</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
)
WMS = '<GDAL_WMS><Service name="TMS"><ServerUrl>{url}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service></GDAL_WMS>'


@pytest.mark.parametrize("name", ["far.vrt", "far.tif", "nested.vrt", "wms.xml", "shapes.vrt"])
def test_a_description_that_points_to_the_network_is_refused(
    tmp_path: Path, server: tuple[str, list[str]], name: str
) -> None:
    url, called = server
    far = BAND.format(relative=0, source=f"/vsicurl/{url}/x.tif")
    texts = {
        "far.vrt": far,
        "far.tif": "\n" + far,
        "nested.vrt": BAND.format(relative=1, source="inner.vrt"),
        "inner.vrt": far,
        "wms.xml": WMS.format(url=url),
        "shapes.vrt": f'<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>{url}/x.json</SrcDataSource>'
        "</OGRVRTLayer></OGRVRTDataSource>",
    }
    for each, text in texts.items():
        (tmp_path / each).write_text(text)
    with pytest.raises(LulcError, match="points to the network"):
        refuse_remote(tmp_path / name)
    assert called == []
    with pytest.raises(rasterio.errors.RasterioIOError), rasterio.open(tmp_path / "far.vrt") as source:
        source.read()
    assert called  # so the server does count who calls


def test_a_local_description_is_fine_whatever_its_crs_names(tmp_path: Path) -> None:
    scene.write(tmp_path / "a.tif", np.ones((8, 8), np.uint16), 10.0)
    (tmp_path / "a.vrt").write_text(BAND.format(relative=1, source="a.tif"))
    refuse_remote(tmp_path / "a.vrt")
    refuse_remote(tmp_path / "a.tif")
