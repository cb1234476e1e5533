"""What a search found, reduced to what a study needs, and shown before anything is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from lulc_kit import raster
from lulc_kit.download import search
from lulc_kit.download.area import Area, in_crs, tile_square
from lulc_kit.errors import LulcError
from lulc_kit.late import gpd, pd, xr

if TYPE_CHECKING:
    import pystac

COARSE = 200
"""Rows and columns, at most, of the picture of how often pixels are covered."""


@dataclass(frozen=True)
class Choice:
    """What is to be fetched, of which area, and from which service (a word of `services.SERVICES`)."""

    area: Area
    service: str
    items: Sequence[pystac.Item]

    @property
    def named(self) -> list[tuple[search.Product, pystac.Item]]:
        """The items, each with what the name of its product says."""
        return [(search.product(item), item) for item in self.items]


def table(choice: Choice | None) -> pd.DataFrame | None:
    """Return one row per item: date, tile, baseline, cloud (%), part of the area (%), and where it comes from."""
    if choice is None:
        return None
    whole = choice.area.geometry.area
    rows = [
        {
            "date": _date(known),
            "tile": known.tile,
            "platform": known.platform,
            "orbit": known.orbit,
            "baseline": known.baseline or "–",
            "cloud, %": round(search.cloud_cover(item), 1),
            "of the area, %": round(100 * footprint(item).intersection(choice.area.geometry).area / whole),
            "collection": item.collection_id,
        }
        for known, item in choice.named
    ]
    return pd.DataFrame(rows).set_index("date")


def footprints(choice: Choice | None) -> gpd.GeoDataFrame | None:
    """Return the footprints in degrees: ``date``, ``tile``, ``cloud`` (%); in ``attrs`` the ``area`` and ``name``."""
    if choice is None:
        return None
    found = {
        "date": [_date(known) for known, _ in choice.named],
        "tile": [known.tile for known, _ in choice.named],
        "cloud": [search.cloud_cover(item) for item in choice.items],
    }
    shown = gpd.GeoDataFrame(found, geometry=[footprint(item) for item in choice.items], crs="EPSG:4326")
    shown.attrs = {"area": choice.area.geometry, "name": choice.area.name}
    return shown


def coverage(choice: Choice | None) -> xr.DataArray | None:
    """Return on how many dates each pixel of the area would be seen, clouds or not: (1, y, x), coarse."""
    from rasterio.features import geometry_mask

    if choice is None:
        return None
    whole = choice.area.grid
    shrink = max(1.0, max(whole.shape) / COARSE)
    grid: GeoBox = whole.zoom_to((max(1, round(whole.height / shrink)), max(1, round(whole.width / shrink))))
    count = np.zeros(grid.shape, np.int32)
    days: dict[str, list[BaseGeometry]] = {}
    for known, item in choice.named:
        days.setdefault(_date(known), []).append(footprint(item))
    for shapes in days.values():
        there = in_crs(shapely.union_all(shapes), choice.area.crs)
        count += geometry_mask([there], grid.shape, grid.affine, invert=True)
    return raster.array(count[None], grid, ["dates"])


def quicklooks(choice: Choice | None) -> dict[str, str]:
    """Return the address of each item's small picture, by date and tile; those that need no signature."""
    found = {f"{_date(known)} {known.tile}": _thumbnail(item) for known, item in choice.named} if choice else {}
    return {name: href for name, href in found.items() if href}


def footprint(item: pystac.Item) -> BaseGeometry:
    """Return where an item has data, degrees."""
    return shapely.make_valid(shapely.geometry.shape(item.geometry))


def _date(known: search.Product) -> str:
    return f"{known.sensed[:4]}-{known.sensed[4:6]}-{known.sensed[6:8]}"


def _thumbnail(item: pystac.Item) -> str | None:
    found = [item.assets[key].href for key in ("thumbnail", "rendered_preview", "preview") if key in item.assets]
    return next((href for href in found if href.startswith("http")), None)


def choose(choice: Choice, *, per_month: int | None = None, tiles: Sequence[str] = ()) -> Choice:
    """Keep the tiles that the area needs, and of these the clearest dates of each month.

    Parameters
    ----------
    choice
        All that was found.
    per_month
        Dates kept of each tile and month of each year; None for all.
    tiles
        Tiles that were asked for by name: they all stay. None leaves out those whose part of the area others show.

    Raises
    ------
    LulcError
        If nothing of it meets the area.
    """
    known = choice.named
    needed = {t.removeprefix("T").zfill(5) for t in tiles} or needed_tiles(choice.area, [k.tile for k, _ in known])
    kept = [(k, item) for k, item in known if k.tile in needed and footprint(item).intersects(choice.area.geometry)]
    if per_month is not None:
        months: dict[tuple[str, str], dict[str, float]] = {}
        for k, item in kept:
            dates = months.setdefault((k.tile, k.sensed[:6]), {})
            dates[k.sensed] = min(dates.get(k.sensed, 101.0), search.cloud_cover(item))
        ranked = {key: sorted((cloud, sensed) for sensed, cloud in dates.items()) for key, dates in months.items()}
        best = {key: [sensed for _, sensed in dates[:per_month]] for key, dates in ranked.items()}
        kept = [(k, item) for k, item in kept if k.sensed in best[k.tile, k.sensed[:6]]]
    if not kept:
        raise LulcError(
            f"None of the {len(choice.items)} items found has data in {choice.area.name}. Check 'area' and "
            f"'mgrs_tiles' in 01_download.yaml."
        )
    return replace(choice, items=[item for _, item in kept])


def needed_tiles(area: Area, tiles: Sequence[str]) -> set[str]:
    """Return the tiles that show the whole area: neighbours overlap, and what one shows need not be fetched twice.

    Tiles of the grid's own zone come first, then those that show most.
    """
    squares = {}
    for tile in sorted(set(tiles)):
        crs, square = tile_square(tile)
        squares[tile] = (crs == area.crs, in_crs(shapely.segmentize(square, 5000), "EPSG:4326", crs))
    left, needed = area.geometry, set()
    while squares:
        tile = max(squares, key=lambda t: (squares[t][0], squares[t][1].intersection(left).area))
        _, square = squares.pop(tile)
        if square.intersection(left).area > 1e-6 * area.geometry.area:
            needed.add(tile)
            left = left.difference(square)
    return needed
