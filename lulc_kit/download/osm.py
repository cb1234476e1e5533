"""Roads of OpenStreetMap: asked of Overpass, or cut out of an extract (``.osm.pbf``), as a GeoPackage."""

import json
from pathlib import Path
from typing import Any

import httpx
import shapely

from lulc_kit import files
from lulc_kit.download import web
from lulc_kit.errors import GridError, LulcError
from lulc_kit.intake import vectors
from lulc_kit.late import gpd
from lulc_kit.progress import bar

OVERPASS = "https://overpass-api.de/api/interpreter"
ATTRIBUTION = "Roads © OpenStreetMap contributors (ODbL)."
EXTRACTS = frozenset({".pbf", ".osm"})
"""Endings of OpenStreetMap's own files: the roads are one of several things in them."""
DEPTH = 3
"""How often a box that is too much for the server is quartered."""
_QUERY = "[out:json][timeout:180][maxsize:536870912];way[highway][area!=yes]({south},{west},{north},{east});out geom;"

Box = tuple[float, float, float, float]


class _TooMuch(Exception):
    """The server ran out of time or memory on this box."""


def fetch(box: Box, target: Path) -> Path:
    """Ask Overpass for all roads that meet a box and write them as a GeoPackage.

    The variable ``LULC_OVERPASS`` names another server than the public one.

    Parameters
    ----------
    box
        West, south, east, north in degrees.
    target
        The file, with a layer ``roads``: ``osm_id``, ``highway``, ``name``; EPSG:4326.

    Raises
    ------
    LulcError
        If the server refuses, stays busy, cannot cope even with small parts of the box, or knows no road there.
    """
    origin = f"Overpass {box}"
    if _is_there(target, origin):
        return target
    address = web.address("OVERPASS", OVERPASS)
    ways: dict[int, dict[str, Any]] = {}
    with (
        web.client(patience=240) as client,
        bar(1, "roads from Overpass", "box") as progress,
    ):

        def gather(part: Box, depth: int) -> None:
            try:
                found = _ask(client, address, part)
            except _TooMuch as error:
                if depth == DEPTH:
                    raise LulcError(
                        f"Overpass cannot cope with the roads of {_written(part)} ({error}). Use a smaller area, or "
                        f"an extract (download.geofabrik.de): roads: FILE.osm.pbf."
                    ) from None
                progress.total += 4
                for quarter in quarters(part):
                    gather(quarter, depth + 1)
            else:
                ways.update((way["id"], way) for way in found)  # ways that cross a border come twice
            progress.update(1)

        gather(box, 0)
    lines = [shapely.LineString([(p["lon"], p["lat"]) for p in way["geometry"] if p]) for way in ways.values()]
    tags = [way.get("tags", {}) for way in ways.values()]
    table = gpd.GeoDataFrame(
        {
            "osm_id": [str(k) for k in ways],
            "highway": [t["highway"] for t in tags],
            "name": [t.get("name") for t in tags],
        },
        geometry=lines,
        crs="EPSG:4326",
    )
    return _write(table, box, target, origin)


def cut(extract: Path, box: Box, target: Path) -> Path:
    """Cut the roads that meet a box out of an OpenStreetMap file, read by GDAL, and write them as `fetch` does.

    Raises
    ------
    LulcError
        If the file cannot be read, or has no road there.
    """
    about = extract.stat()
    origin = f"{extract.name} {about.st_size} {about.st_mtime_ns} {box}"
    if _is_there(target, origin):
        return target
    area = gpd.GeoSeries([shapely.box(*box)], crs="EPSG:4326")
    found = vectors.read(extract, layer="lines", where="highway IS NOT NULL", mask=area, parameters="01_download.yaml")
    return _write(found.table[["osm_id", "highway", "name", "geometry"]], box, target, origin)


def quarters(box: Box) -> list[Box]:
    """Return the four quarters of a box."""
    west, south, east, north = box
    x, y = (west + east) / 2, (south + north) / 2
    return [(west, south, x, y), (x, south, east, y), (west, y, x, north), (x, y, east, north)]


def _ask(client: httpx.Client, address: str, box: Box) -> list[dict[str, Any]]:
    names = ("west", "south", "east", "north")
    query = _QUERY.format(**{name: f"{value:.6f}" for name, value in zip(names, box, strict=True)})
    return web.ask("Overpass", lambda: client.post(address, data={"data": query}), _ways)


def _ways(response: httpx.Response) -> list[dict[str, Any]]:
    found = web.decode(response)
    if not isinstance(found, dict) or not isinstance(found.get("elements"), list):
        raise web.Busy(f"an answer without elements: {json.dumps(found)[:200]}")
    remark = str(found.get("remark", ""))  # said with status 200; what stands beside it is only a part
    if "runtime error" in remark:
        if "timed out in" in remark or "out of memory" in remark:
            raise _TooMuch(remark)
        raise web.Busy(remark)
    return [
        e for e in found["elements"] if e.get("type") == "way" and len(list(filter(None, e.get("geometry", [])))) > 1
    ]


def _is_there(target: Path, origin: str) -> bool:
    """Whether roads of this origin were written already: nobody asks a public server twice."""
    import pyogrio

    return target.exists() and (pyogrio.read_info(target).get("layer_metadata") or {}).get("origin") == origin


def _write(table: "gpd.GeoDataFrame", box: Box, target: Path, origin: str) -> Path:
    if table.empty:
        raise GridError(
            f"OpenStreetMap has no road in {_written(box)}. Check the area, or leave roads out (roads: null)."
        )
    with files.replacing(target) as part:
        table.to_file(part, layer="roads", driver="GPKG", layer_metadata={"origin": origin})
    return target


def _written(box: Box) -> str:
    return f"{box[0]:.4f}–{box[2]:.4f}° E, {box[1]:.4f}–{box[3]:.4f}° N"
