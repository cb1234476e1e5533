"""A stand-in for the services of world maps: tiles of land cover and elevation, found by STAC and read by range.

Items are as Planetary Computer, Impact Observatory and Earth Search give them (from their documentation of 2026-11).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests import rasters

SERVICES = ("earth-search", "planetary-computer", "impact-observatory")


def variable(service: str) -> str:
    """Return the variable that says where a service is."""
    return f"LULC_STAC_{service}".replace("-", "_").upper()


@dataclass
class World:
    """The server, its tiles, and what it was asked.

    Attributes
    ----------
    asked
        Bodies of the searches.
    read
        Paths of the tiles that were read, once for each request.
    signatures
        What an address must carry after ``?sig=``, and for how many requests; the next is given out afterwards. Empty:
        none is needed.
    """

    server: HTTPServer
    folder: Path
    items: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    signatures: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.expect_request("/v1").respond_with_handler(self._root)
        self.server.expect_request("/v1/").respond_with_handler(self._root)
        self.server.expect_request("/v1/search").respond_with_handler(self._search)
        self.server.expect_request(re.compile("/v1/token/.*")).respond_with_handler(self._token)

    @property
    def url(self) -> str:
        """Root of the API."""
        return self.server.url_for("/v1")

    def serve(self, name: str, content: bytes) -> str:
        """Serve bytes by range, as object stores do; return their address."""

        def answer(request: Request) -> Response:
            self.read.append(request.path)
            if self.signatures:
                word, left = self.signatures[0]
                if request.args.get("sig") != word:
                    return Response("<Error>Signature not valid</Error>", 403, content_type="application/xml")
                self.signatures[:1] = [(word, left - 1)] if left > 1 or len(self.signatures) == 1 else []
            response = Response(content, mimetype="image/tiff")
            return response.make_conditional(request, accept_ranges=True, complete_length=len(content))

        self.server.expect_request(f"/{name}").respond_with_handler(answer)
        return self.server.url_for(f"/{name}")

    def offer(
        self,
        collection: str,
        name: str,
        asset: str,
        box: GeoBox,
        numbers: npt.NDArray[Any] | None,
        year: int | None = None,
        **profile: Any,
    ) -> None:
        """Offer a tile: its item, and its file; None for a file that is not there."""
        if numbers is not None:
            path = rasters.write(self.folder / f"{name}.tif", numbers, box, tiled=True, **profile)
            href = self.serve(f"tiles/{name}.tif", path.read_bytes())
        else:
            self.server.expect_request(f"/tiles/{name}.tif").respond_with_data("no such file", 404)
            href = self.server.url_for(f"/tiles/{name}.tif")
        extent = box.extent.to_crs("EPSG:4326")
        said: dict[str, Any] = {"datetime": "2021-04-22T00:00:00Z"}
        if year is not None:  # a year ends on the first moment of the next
            said = {"datetime": None, "start_datetime": f"{year}-01-01T00:00:00Z"}
            said["end_datetime"] = f"{year + 1}-01-01T00:00:00Z"
        self.items.append(
            {
                "type": "Feature",
                "stac_version": "1.0.0",
                "stac_extensions": [],
                "id": name,
                "collection": collection,
                "properties": said,
                "geometry": extent.json,
                "bbox": list(extent.boundingbox),
                "links": [],
                "assets": {asset: {"href": href, "type": "image/tiff; application=geotiff"}},
            }
        )

    def _root(self, _: Request) -> Response:
        parts = ("core", "item-search", "item-search#query")
        links = [{"rel": rel, "href": self.url} for rel in ("self", "root")]
        links.append({"rel": "search", "href": f"{self.url}/search", "method": "POST", "type": "application/geo+json"})
        body = {
            "type": "Catalog",
            "stac_version": "1.0.0",
            "id": "world",
            "description": "A stand-in",
            "conformsTo": [f"https://api.stacspec.org/v1.0.0/{part}" for part in parts],
            "links": links,
        }
        return Response(json.dumps(body), content_type="application/json")

    def _token(self, _: Request) -> Response:
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        body = {"msft:expiry": ends.isoformat(), "token": f"sig={self.signatures[0][0]}"}
        return Response(json.dumps(body), content_type="application/json")

    def _search(self, request: Request) -> Response:
        body = request.get_json()
        self.asked.append(body)
        found = [item for item in self.items if _meets(item, body)]
        page = {"type": "FeatureCollection", "features": found, "links": []}
        return Response(json.dumps(page), content_type="application/geo+json")


def _meets(item: dict[str, Any], body: dict[str, Any]) -> bool:
    said = item["properties"]
    first = dt.datetime.fromisoformat(said.get("start_datetime") or said["datetime"])
    last = dt.datetime.fromisoformat(said.get("end_datetime") or said["datetime"])
    wanted = [dt.datetime.fromisoformat(text) for text in body["datetime"].split("/")] if body.get("datetime") else None
    return (
        item["collection"] in body["collections"]
        and (wanted is None or (first <= wanted[1] and wanted[0] <= last))
        and shapely.geometry.shape(item["geometry"]).intersects(shapely.geometry.shape(body["intersects"]))
    )
