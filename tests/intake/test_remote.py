"""A user's file never makes the kit go to the network: a server on loopback counts who calls."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.intake import rasters, vectors
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


WMTS = (
    '<Capabilities xmlns="http://www.opengis.net/wmts/1.0"><Contents><Layer><ResourceURL resourceType="tile" '
    'template="{url}/{{TileMatrix}}/{{TileRow}}/{{TileCol}}.png"/></Layer></Contents></Capabilities>'
)
FAR = {
    "far.vrt": BAND.format(relative=0, source="/vsicurl/{url}/x.tif"),
    "commented.vrt": f"<!-- {'x' * 2_000_000} -->" + BAND.format(relative=0, source="/vsicurl/{url}/x.tif"),
    "tiles.gti": "<GDALTileIndexDataset><IndexDataset>/vsicurl/{url}/x.gpkg</IndexDataset></GDALTileIndexDataset>",
    "wfs.gml": "<OGRWFSDataSource><URL>{url}/wfs?SERVICE=WFS</URL></OGRWFSDataSource>",
    "steps.gdalg.json": '{{"type": "gdal_streamed_alg", "command_line": "gdal vector read /vsicurl/{url}/x.gpkg"}}',
    "items.json": '{{"type": "FeatureCollection", "stac_version": "1.0.0", "features": [{{"href": "{url}/x.tif"}}]}}',
    "wmts.xml": WMTS,
    "a.tif.aux.xml": '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/vsicurl/{url}/x.ovr</MDI>'
    "</Metadata></PAMDataset>",
}


@pytest.mark.parametrize("name", FAR)
def test_whatever_names_a_server_in_its_place_is_refused(
    tmp_path: Path, server: tuple[str, list[str]], name: str
) -> None:
    url, called = server
    (tmp_path / name).write_text(FAR[name].format(url=url) if "{{" in FAR[name] else FAR[name].replace("{url}", url))
    if name.endswith(".aux.xml"):
        scene.write(tmp_path / "a.tif", np.ones((8, 8), np.uint16), 10.0)
    with pytest.raises(LulcError, match="points to the network"):
        refuse_remote(tmp_path / name.removesuffix(".aux.xml"))
    assert called == []


def test_what_is_not_recognized_reaches_no_server_either(
    tmp_path: Path, server: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A description that a new GDAL may know and the kit does not."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    url, called = server
    monkeypatch.setattr(rasters, "refuse_remote", lambda path: None)
    monkeypatch.setattr(vectors, "refuse_remote", lambda path: None)
    (tmp_path / "far.vrt").write_text(
        BAND.format(relative=0, source=f"/vsicurl/{url}/x.tif").replace(
            "</SRS>", "</SRS><GeoTransform>0,10,0,0,0,-10</GeoTransform>"
        ).replace('PROJCS["x",AUTHORITY["http://www.opengis.net","1"]]', "EPSG:32633")
    )  # fmt: skip
    found = rasters.describe(tmp_path / "far.vrt")
    with pytest.raises(LulcError, match=r"one of them cannot be opened .*/vsicurl/"):
        rasters.read(found, 1, slice(0, 8), slice(0, 8))
    with pytest.raises(LulcError, match=r"one of them cannot be opened .*/vsicurl/"):
        raster.read(tmp_path / "far.vrt").compute()
    (tmp_path / "far.gml").write_text(FAR["wfs.gml"].replace("{url}", url))
    with pytest.raises(LulcError, match="not a vector file"):
        vectors.read(tmp_path / "far.gml")
    assert called == []


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
