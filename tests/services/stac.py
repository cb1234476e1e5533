"""A stand-in for the three STAC services: a real HTTP server on loopback, with a search and files read by range.

Scenes are made up: a tile so small (240 × 240 pixels of 10 m, in the upper left corner of T33UUU) that a test knows
every number. `Item` says in which dialect a scene is offered, and what is wrong with it.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
import shapely
from pytest_httpserver import HTTPServer
from rasterio.enums import Resampling
from rasterio.transform import from_origin
from werkzeug import Request, Response

from lulc_kit.sentinel2 import BANDS

SIDE, LEFT, TOP, CRS, EPSG = 240, 300_000, 5_900_040, "EPSG:32633", 32633
AREA = [12.0165, 53.1955, 12.0290, 53.2030]
"""A part of the tile, degrees: what tests ask for."""
FOOTPRINT = shapely.box(12.0063, 53.1914, 12.0406, 53.2119)
EARTH = ("coastal", "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "nir09", "cirrus")
EARTH += ("swir16", "swir22")
KEYS = {
    "earth-search": dict(zip(BANDS, EARTH, strict=True)) | {"SCL": "scl", "TCI": "visual"},
    "planetary-computer": {n: b.file_name for n, b in BANDS.items()} | {"SCL": "SCL", "TCI": "visual"},
    "cdse": {n: f"{b.file_name}_{b.resolution}m" for n, b in BANDS.items()} | {"SCL": "SCL_20m", "TCI": "TCI_10m"},
}
SPECTRA = {
    "water": (0.05, 0.04, 0.05, 0.03, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0, 0.008, 0.006),
    "crop": (0.03, 0.025, 0.055, 0.03, 0.09, 0.3, 0.42, 0.47, 0.48, 0.45, 0, 0.2, 0.09),
    "soil": (0.07, 0.085, 0.115, 0.15, 0.17, 0.19, 0.21, 0.235, 0.25, 0.26, 0, 0.33, 0.29),
    "snow": (0.8, 0.8, 0.78, 0.75, 0.74, 0.73, 0.72, 0.7, 0.68, 0.4, 0, 0.1, 0.08),
    "desert": (0.14, 0.17, 0.25, 0.34, 0.37, 0.39, 0.41, 0.43, 0.44, 0.45, 0, 0.55, 0.5),
}


def reflectance(band: str, kinds: Iterable[str] = ("water", "crop", "soil"), seed: int = 1) -> np.ndarray:
    """Return the truth of a band at its own resolution, (row, column): patches of 120 m of random kinds."""
    chance, names = np.random.default_rng(seed), list(kinds)
    patches = chance.integers(0, len(names), (SIDE // 12, SIDE // 12))
    spectrum = np.array([SPECTRA[name][list(BANDS).index(band)] for name in names])
    # One pattern of brightness in all bands, smooth enough that 20 m pixels keep it.
    bright = np.repeat(np.repeat(chance.normal(1, 0.12, (SIDE // 6, SIDE // 6)).clip(0.5, 1.5), 6, 0), 6, 1)
    fine = np.repeat(np.repeat(spectrum[patches], 12, 0), 12, 1) * bright
    step = BANDS[band].resolution // 10
    return fine.reshape(SIDE // step, step, SIDE // step, step).mean(axis=(1, 3))


def picture(kinds: Iterable[str] = ("water", "crop", "soil"), seed: int = 1) -> np.ndarray:
    """Return the true-colour picture that ESA makes of it: 0.3558 is 255, and 0 is no data."""
    bands = np.stack([reflectance(band, kinds, seed) for band in ("B4", "B3", "B2")])
    return np.clip(np.rint(bands / 0.3558 * 255), 1, 255).astype(np.uint8)


def write_cog(path: Path, numbers: np.ndarray, pixel: float, **profile: Any) -> Path:
    """Write numbers, (row, column) or (band, row, column), as a cloud-optimised file on the tile's pixels."""
    bands = np.asarray(numbers)
    bands = bands[None] if bands.ndim == 2 else bands
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.with_suffix(".plain.tif")
    place = {"crs": CRS, "transform": from_origin(LEFT, TOP, pixel, pixel), "nodata": 0}
    with rasterio.open(
        plain, "w", driver="GTiff", count=len(bands), height=bands.shape[1], width=bands.shape[2],
        dtype=bands.dtype, tiled=True, blockxsize=64, blockysize=64, **place | profile,
    ) as file:  # fmt: skip
        file.write(bands)
        file.build_overviews([2, 4], Resampling.average)
    rasterio.shutil.copy(plain, path, driver="COG", blocksize=128, compress="deflate")
    plain.unlink()
    return path


@dataclass
class Made:
    """A scene that is offered.

    Attributes
    ----------
    day
        ``"2023-06-15"``.
    dialect
        Whose item it is: a word of `KEYS`.
    collection
        The dialect's usual one if None.
    added
        What the numbers in the files carry: 1000 where the offset is still to be taken off, else 0.
    declared
        The offset that the item declares for its bands, reflectance; None for an item that says nothing of it.
    flag
        ``earthsearch:boa_offset_applied``; None for none.
    baseline, made, orbit, hour
        Of the product.
    cloud
        Percent.
    kinds
        Of the ground.
    lacks
        Bands that the item names and the server has not.
    version
        Of STAC: ``"1.0.0"`` or ``"1.1.0"``.
    """

    day: str
    dialect: str = "earth-search"
    collection: str | None = None
    added: int = 1000
    declared: float | None = -0.1
    flag: bool | None = False
    baseline: str = "05.09"
    made: str = "155057"
    hour: str = "100031"
    cloud: float = 5.0
    kinds: tuple[str, ...] = ("water", "crop", "soil")
    lacks: tuple[str, ...] = ()
    version: str = "1.0.0"
    tile: str = "33UUU"
    bands: tuple[str, ...] = ("B2", "B3", "B4", "B8", "B11", "SCL", "TCI")
    footprint: shapely.Polygon = FOOTPRINT

    @property
    def name(self) -> str:
        """The product's."""
        day = self.day.replace("-", "")
        number = self.baseline.replace(".", "")
        return f"S2A_MSIL2A_{day}T{self.hour}_N{number}_R122_T{self.tile}_{day}T{self.made}"

    def write(self, folder: Path) -> None:
        """Write its files."""
        seed = int(self.day.replace("-", ""))
        for band in self.bands:
            if band in self.lacks:
                continue
            path = folder / self.name / f"{band}.tif"
            if band == "TCI":
                write_cog(path, picture(self.kinds, seed), 10)
            elif band == "SCL":
                write_cog(path, np.full((SIDE // 2, SIDE // 2), 5, np.uint8), 20)
            else:
                truth = reflectance(band, self.kinds, seed)
                write_cog(path, np.rint(truth * 10000 + self.added).astype(np.uint16), BANDS[band].resolution)

    def item(self, root: str, files: str) -> dict[str, Any]:
        """Return its STAC item in the service's dialect."""
        earth = self.dialect == "earth-search"
        said: dict[str, Any] = {
            "datetime": f"{self.day}T{self.hour[:2]}:{self.hour[2:4]}:{self.hour[4:]}.000Z",
            "eo:cloud_cover": self.cloud,
            "platform": "sentinel-2a",
            "view:sun_azimuth": 152.4,
            "view:sun_elevation": 55.0,
            "created": f"{self.day}T21:19:47Z",
        }
        said["proj:code" if self.version == "1.1.0" else "proj:epsg"] = CRS if self.version == "1.1.0" else EPSG
        if self.dialect == "cdse":
            said |= {"processing:version": self.baseline, "grid:code": f"MGRS-{self.tile}"}
        else:
            said |= {"s2:product_uri": f"{self.name}.SAFE", "s2:processing_baseline": self.baseline}
        if self.flag is not None and earth:
            said["earthsearch:boa_offset_applied"] = self.flag
        assets = {}
        for band in self.bands:
            pixel = {"SCL": 20, "TCI": 10}.get(band) or BANDS[band].resolution
            asset = {
                "href": f"{files}/{self.name}/{band}.tif",
                "type": "image/tiff; application=geotiff; profile=cloud-optimized",
                "proj:shape": [SIDE * 10 // pixel] * 2,
                "proj:transform": [pixel, 0, LEFT, 0, -pixel, TOP],
            }
            if band in BANDS and self.declared is not None:
                if self.version == "1.1.0":
                    asset |= {"raster:scale": 0.0001, "raster:offset": self.declared, "nodata": 0}
                else:
                    asset["raster:bands"] = [{"nodata": 0, "scale": 0.0001, "offset": self.declared}]
            assets[KEYS[self.dialect][band]] = asset
        usual = "sentinel-2-c1-l2a" if earth else "sentinel-2-l2a"
        return {
            "type": "Feature",
            "stac_version": self.version,
            "stac_extensions": [],
            "id": self.name if not earth else f"S2A_{self.tile}_{self.day.replace('-', '')}_0_L2A",
            "collection": self.collection or usual,
            "properties": said,
            "geometry": shapely.geometry.mapping(self.footprint),
            "bbox": list(self.footprint.bounds),
            "links": [{"rel": "root", "href": root, "type": "application/json"}],
            "assets": assets,
        }


@dataclass
class Stac:
    """The server, what it offers, and what it was asked.

    Attributes
    ----------
    faults
        Functions that may answer a request in place of the server; one that returns None lets it through.
    asked
        Bodies of the searches, in order.
    read
        Paths of the files that were read, once for each request.
    signature
        What an address of a file must carry after ``?sig=``; None for nothing.
    """

    server: HTTPServer
    folder: Path
    offered: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Callable[[Request], Response | None]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    signature: str | None = None
    signed: int = 0

    def __post_init__(self) -> None:
        for path in ("/v1", "/v1/"):
            self.server.expect_request(path).respond_with_handler(self._guarded(self._root))
        self.server.expect_request("/v1/search").respond_with_handler(self._guarded(self._search))
        self.server.expect_request(re.compile("/v1/token/.*")).respond_with_handler(self._guarded(self._token))
        self.server.expect_request(re.compile("/files/.*")).respond_with_handler(self._guarded(self._file))

    @property
    def url(self) -> str:
        """Root of the API."""
        return self.server.url_for("/v1")

    @property
    def files(self) -> str:
        """Root of the files."""
        return self.server.url_for("/files")

    def offer(self, *scenes: Made) -> None:
        """Write scenes, and put their items into the catalog."""
        for scene in scenes:
            scene.write(self.folder)
            self.offered.append(scene.item(self.url, self.files))

    def fail(self, part: str, answer: Response | Callable[[], Response], times: int = 1) -> None:
        """Answer the next requests whose path holds ``part`` otherwise."""
        left = [times]

        def fault(request: Request) -> Response | None:
            if part not in request.path or not left[0]:
                return None
            left[0] -= 1
            return answer() if callable(answer) and not isinstance(answer, Response) else answer

        self.faults.append(fault)

    def _guarded(self, answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def guarded(request: Request) -> Response:
            if request.path.startswith("/files"):
                self.read.append(request.path)
            for fault in self.faults:
                if (found := fault(request)) is not None:
                    return found
            return answer(request)

        return guarded

    def _root(self, _: Request) -> Response:
        conforms = [
            f"https://api.stacspec.org/v1.0.0/{part}"
            for part in ("core", "item-search", "item-search#query", "item-search#filter")
        ]
        body = {
            "type": "Catalog",
            "stac_version": "1.0.0",
            "id": "stand-in",
            "description": "A stand-in",
            "conformsTo": conforms,
            "links": [
                {"rel": "self", "href": self.url},
                {"rel": "root", "href": self.url},
                {"rel": "search", "href": f"{self.url}/search", "method": "POST", "type": "application/geo+json"},
            ],
        }
        return Response(json.dumps(body), content_type="application/json")

    def _search(self, request: Request) -> Response:
        body = request.get_json()
        self.asked.append(body)
        found = [item for item in self.offered if _meets(item, body)]
        start, limit = int(body.get("token", 0)), int(body["limit"])
        links = []
        if start + limit < len(found):
            more = {"rel": "next", "href": f"{self.url}/search", "method": "POST", "merge": True}
            links.append(more | {"body": {"token": str(start + limit)}})
        page = {"type": "FeatureCollection", "features": found[start : start + limit], "links": links}
        return Response(json.dumps(page), content_type="application/geo+json")

    def _token(self, _: Request) -> Response:
        self.signed += 1
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        body = {"msft:expiry": ends.isoformat(), "token": f"sig={self.signature}"}
        return Response(json.dumps(body), content_type="application/json")

    def _file(self, request: Request) -> Response:
        if self.signature is not None and request.args.get("sig") != self.signature:
            return Response("<Error>Signature not valid</Error>", 403, content_type="application/xml")
        path = self.folder / request.path.removeprefix("/files/")
        if not path.is_file():
            return Response("no such file", 404)
        numbers = path.read_bytes()
        answer = Response(numbers, content_type="image/tiff")
        return answer.make_conditional(request, accept_ranges=True, complete_length=len(numbers))


def _meets(item: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    first, last = (dt.datetime.fromisoformat(text) for text in body["datetime"].split("/"))
    most = body.get("query", {}).get("eo:cloud_cover", {}).get("lte", 100)
    if "filter" in body:
        assert body["filter"]["op"] == "<=" and body["filter-lang"] == "cql2-json"
        most = body["filter"]["args"][1]
    return (
        item["collection"] in body["collections"]
        and first <= dt.datetime.fromisoformat(item["properties"]["datetime"]) <= last
        and item["properties"]["eo:cloud_cover"] <= most
        and shapely.geometry.shape(item["geometry"]).intersects(shapely.geometry.shape(body["intersects"]))
    )
