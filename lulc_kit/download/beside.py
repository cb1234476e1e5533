"""What lies beside the scenes: labels or a reference map, elevation, roads. Files of one's own, or fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from odc.geo.geobox import GeoBox

from lulc_kit import files
from lulc_kit.catalog import Catalog
from lulc_kit.download import maps, osm
from lulc_kit.errors import MissingFileError
from lulc_kit.layout import Layout
from lulc_kit.params.download import FETCHED

REACH = 5000
"""How far beyond the grid roads are fetched, metres: notebook 04 looks for the nearest up to 2000 m by itself."""


@dataclass(frozen=True)
class Beside:
    """Files by role, and whose data the fetched ones are."""

    paths: Mapping[str, Path]
    attributions: Sequence[str] = field(default_factory=list)


def own(named: Mapping[str, str]) -> dict[str, Path]:
    """Return the files of one's own among what the parameters name (all but `params.download.FETCHED`), by role.

    Raises
    ------
    LulcError
        If one is not there.
    """
    found = {role: files.resolve(name) for role, name in named.items() if name not in FETCHED[role]}
    for role, path in found.items():
        if not path.exists():
            raise MissingFileError(
                f"{role}: {path} does not exist. Check the path in 01_download.yaml, or write one of the words "
                f"{', '.join(FETCHED[role])} for what can be fetched."
            )
    return found


def get(
    named: Mapping[str, str], grid: GeoBox, dates: Sequence[str], layout: Layout, year: int | None = None
) -> Beside:
    """Fetch what is to be fetched; cut the area out of tiles of reference maps and extracts of OpenStreetMap.

    Parameters
    ----------
    named
        By role (``reference``, ``dem``, ``roads``): a word of `params.download.FETCHED`, or a file of one's own.
    grid
        The study's grid, or one that holds it.
    dates
        Days of the scenes, ``YYYY-MM-DD``.
    layout
        Where the study's files are.
    year
        Of the reference map; None for the one nearest to the scenes.

    Raises
    ------
    LulcError
        See `own`, `maps` and `osm`.
    """
    paths, whose = own(named), []
    reference, dem, roads = (named.get(role) for role in ("reference", "dem", "roads"))
    if reference in maps.REFERENCES:
        paths["reference"] = maps.reference(reference, grid, dates, layout.reference, year)
        whose.append(maps.REFERENCES[reference].attribution)
    elif "reference" in paths and maps.recognize(paths["reference"]):
        paths["reference"] = maps.cut(paths["reference"], grid, dates, layout.reference)
    if dem in maps.DEMS:
        paths["dem"] = maps.dem(dem, grid, layout.ancillary)
        whose.append(maps.DEMS[dem].attribution)
    if roads is not None and (roads == "osm" or paths["roads"].suffix.lower() in osm.EXTRACTS):
        box = degrees(grid.pad(round(REACH / abs(grid.resolution.x))))
        target = layout.ancillary / "roads.gpkg"
        paths["roads"] = osm.fetch(box, target) if roads == "osm" else osm.cut(paths["roads"], box, target)
        whose.append(osm.ATTRIBUTION)
    return Beside(paths, whose)


def grid(found: Catalog) -> GeoBox:
    """Return the grid of the area that was searched, or else one of 10 m that holds all scenes, in the first's CRS."""
    if found.grid is not None:
        return found.grid
    boxes = list(dict.fromkeys(band.geobox for scene in found.scenes for band in scene.bands.values()))
    extents = [box.extent.to_crs(boxes[0].crs).boundingbox for box in boxes]  # type: ignore[arg-type]
    left, bottom = min(e.left for e in extents), min(e.bottom for e in extents)
    right, top = max(e.right for e in extents), max(e.top for e in extents)
    return GeoBox.from_bbox((left, bottom, right, top), boxes[0].crs, resolution=10, tight=True)


def degrees(grid: GeoBox) -> osm.Box:
    """Return the box in degrees that holds a grid: west, south, east, north."""
    box = grid.extent.to_crs("EPSG:4326", resolution=abs(grid.resolution.x) * 100).boundingbox
    return (box.left, box.bottom, box.right, box.top)
