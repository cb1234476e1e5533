"""The area of interest: in degrees for a search, and its grid in a UTM zone for everything after it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from shapely.geometry.base import BaseGeometry

from lulc_kit import files
from lulc_kit.errors import GridError, ParameterError
from lulc_kit.intake import vectors

RESOLUTION = 10.0
"""Of the grid, metres."""
CORNERS = 500
"""So many corners a service takes in a question."""

_TILE = re.compile(r"T?(\d{1,2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])", re.I)
_BANDS, _ROWS = "CDEFGHJKLMNPQRSTUVWX", "ABCDEFGHJKLMNPQRSTUV"
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")
_SQUARE, _SIDE, _LATTICE = 100_000, 109_800, 60  # of MGRS; of a tile; corners of tiles lie on it; metres
_WIDEST = 9.0  # degrees of longitude that one zone's grid may cover: itself and half of each neighbour


@dataclass(frozen=True)
class Area:
    """Where the study is.

    Attributes
    ----------
    geometry
        Polygon or several, longitude and latitude (EPSG:4326).
    crs
        Of the grid: a UTM zone of WGS 84, such as ``"EPSG:32650"``.
    name
        What the parameter said, for messages and pictures.
    """

    geometry: BaseGeometry
    crs: str
    name: str

    @property
    def question(self) -> BaseGeometry:
        """What a service is asked for: the area, or a box around one of many corners, which services refuse."""
        return self.geometry if shapely.get_num_coordinates(self.geometry) <= CORNERS else self.geometry.envelope

    @property
    def grid(self) -> GeoBox:
        """The smallest grid of 10 m pixels that holds the area; its edges lie where those of 60 m pixels do."""
        return GeoBox.from_bbox(self.box(self.crs), self.crs, resolution=RESOLUTION, tight=True)

    def box(self, crs: str) -> tuple[float, float, float, float]:
        """Return left, bottom, right, top in a UTM zone, moved outwards to the lattice of tiles' 60 m pixels."""
        return _box(self.geometry, crs)


def read(area: str | Sequence[float], crs: str | None = None) -> Area:
    """Understand the parameter ``area``.

    Parameters
    ----------
    area
        Left, bottom, right, top in degrees; a vector file with polygons; or the name of an MGRS tile, ``"T50SMC"``.
    crs
        Of the grid; None takes the UTM zone in which the middle of the area lies.

    Raises
    ------
    LulcError
        If the box is empty or none of degrees, the file has no polygons, there is no such tile, or the area crosses
        the antimeridian, lies near a pole, or is wider than a UTM zone serves.

    Examples
    --------
    >>> area = read([116.81, 34.02, 117.717, 34.588])
    >>> area.crs, area.grid.boundingbox.bbox
    ('EPSG:32650', (482400.0, 3764340.0, 566220.0, 3827640.0))
    >>> read("T33TWM").grid.boundingbox.bbox
    (499980.0, 5090220.0, 609780.0, 5200020.0)
    """
    zone = None
    name = area if isinstance(area, str) else ", ".join(f"{v:g}" for v in area)
    if isinstance(area, str) and (match := _TILE.fullmatch(area.strip())):
        name, zone, square = _tile(match)
        geometry = in_crs(shapely.segmentize(square, 1000), "EPSG:4326", zone)
    else:
        geometry = _from_file(files.resolve(area)) if isinstance(area, str) else _from_box(area)
    _refuse_rims(geometry, name)
    return Area(geometry, _known(crs) if crs else zone or _zone(geometry, name), name)


def tile_square(tile: str) -> tuple[str, BaseGeometry]:
    """Return the CRS and the square, 109.8 km wide, of an MGRS tile such as ``"50SMC"``; a LulcError if there is none.

    Examples
    --------
    >>> crs, square = tile_square("33UUU")
    >>> crs, square.bounds
    ('EPSG:32633', (300000.0, 5790240.0, 409800.0, 5900040.0))
    """
    match = _TILE.fullmatch(tile)
    if match is None:
        raise ParameterError(f"{tile!r} is not the name of an MGRS tile; expected one like T50SMC.")
    return _tile(match)[1:]


def _tile(match: re.Match[str]) -> tuple[str, str, BaseGeometry]:
    number, band, column, row = int(match[1]), *match[0].upper()[-3:]
    name = f"T{number:02d}{band}{column}{row}"
    columns = _COLUMNS[(number - 1) % 3]
    if not 1 <= number <= 60 or column not in columns:
        raise ParameterError(
            f"There is no MGRS tile {name}: columns of zone {number} are {columns[0]} to {columns[-1]}."
        )
    crs = f"EPSG:{(32600 if band >= 'N' else 32700) + number}"
    left = (columns.index(column) + 1) * _SQUARE
    # Letters of rows come again every 2000 km: of those squares the one in the latitude band.
    south = -80 + 8 * _BANDS.index(band)
    first = (_ROWS.index(row) - (5 if number % 2 == 0 else 0)) % 20 * _SQUARE
    degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    for bottom in np.arange(first, 10_000_000, 20 * _SQUARE):
        middle = degrees.transform(left + _SQUARE / 2, bottom + _SQUARE / 2)[1]
        if south - 0.9 <= middle <= south + (12 if band == "X" else 8) + 0.9:
            x = math.floor(left / _LATTICE) * _LATTICE
            equator = _equator(crs)
            y = math.ceil((bottom + _SQUARE - equator) / _LATTICE) * _LATTICE + equator
            return name, crs, shapely.box(x, y - _SIDE, x + _SIDE, y)
    raise ParameterError(f"There is no MGRS tile {name}: row {row} does not occur in band {band} of zone {number}.")


def _from_box(box: Sequence[float]) -> BaseGeometry:
    left, bottom, right, top = box
    if not (-180 <= left <= 180 and -180 <= right <= 180 and -90 <= bottom <= 90 and -90 <= top <= 90):
        raise ParameterError(
            f"area {list(box)} is not in degrees; expected left, bottom, right, top as longitude and latitude, such as "
            f"[116.8, 34.0, 117.7, 34.6]. For metres give a file, or 'bbox' in 02_preprocess.yaml."
        )
    if left > right and left - right > 180:
        raise GridError(
            f"area {list(box)} crosses the antimeridian (180°). No UTM zone does: make two studies, one on each side."
        )
    if left >= right or bottom >= top:
        raise ParameterError(f"area {list(box)} is empty: expected left < right and bottom < top, in degrees.")
    return shapely.box(left, bottom, right, top)


def _from_file(path: Path) -> BaseGeometry:
    table = vectors.read(path, parameters="01_download.yaml").table
    shapes = table.geometry[table.geom_type.isin(["Polygon", "MultiPolygon"])].to_crs("EPSG:4326")
    if lost := int((~vectors.finite(shapes)).sum()):
        raise GridError(
            f"{lost} of {len(shapes)} polygons of {path} reach to where its CRS ({table.crs.name}) has no place on the "
            f"earth. Is it their CRS? Set the right one, or take those polygons out of the file."
        )
    if shapes.empty:
        raise ParameterError(
            f"{path} has no polygon; expected the area as polygons. Draw it, or give a box in degrees."
        )
    return shapely.force_2d(shapes.make_valid().union_all())


def _refuse_rims(geometry: BaseGeometry, name: str) -> None:
    left, bottom, right, top = geometry.bounds
    if right - left > 180:
        raise GridError(f"area {name} crosses the antimeridian (180°). Make two studies, one on each side of it.")
    if bottom < -80 or top > 84:
        raise GridError(
            f"area {name} reaches {bottom:g} to {top:g}° of latitude; UTM, and Sentinel-2, end at −80 and 84°."
        )


def _zone(geometry: BaseGeometry, name: str) -> str:
    left, _, right, _ = geometry.bounds
    number = min(60, int((geometry.centroid.x + 180) // 6) + 1)
    west, east = 6 * number - 186, 6 * number - 180
    if left < west - (_WIDEST - 6) / 2 or right > east + (_WIDEST - 6) / 2:
        raise GridError(
            f"area {name} reaches from {left:g} to {right:g}° of longitude. Zone {number} ({west} to {east}°) serves "
            f"an area that leaves it by {(_WIDEST - 6) / 2:g}° at most: divide the area, or name the CRS of the grid "
            f'(crs: "EPSG:…" in 01_download.yaml).'
        )
    return f"EPSG:{(32600 if geometry.centroid.y >= 0 else 32700) + number}"


def _known(crs: str) -> str:
    try:
        found = CRS.from_user_input(crs)
    except CRSError as error:
        raise ParameterError(f'crs: {crs!r} is not a CRS ({error}). Write it like "EPSG:32650".') from None
    if not found.is_projected:
        raise GridError(f'crs: {crs} is not a projected CRS in metres; expected one like "EPSG:32650".')
    return crs


def in_crs(geometry: BaseGeometry, target: str, source: str = "EPSG:4326") -> BaseGeometry:
    """Return a geometry in another CRS; by default from degrees."""
    change = Transformer.from_crs(source, target, always_xy=True)
    return shapely.transform(geometry, lambda xy: np.column_stack(change.transform(*xy.T)))


def _box(geometry: BaseGeometry, crs: str) -> tuple[float, float, float, float]:
    """Return the area's box in the CRS, its edges moved outwards to the lattice on which 60 m pixels of tiles lie."""
    step = max(np.diff(np.reshape(geometry.bounds, (2, 2)), axis=0).max() / 50, 1e-6)
    left, bottom, right, top = in_crs(shapely.segmentize(geometry, step), crs).bounds
    if not np.isfinite([left, bottom, right, top]).all():
        raise GridError(
            f"The area reaches to where {crs} has no place. Make the area smaller, or name a CRS that serves all of it "
            f'(crs: "EPSG:…" in 01_download.yaml).'
        )
    inward = 0.5  # a tile's sides, chords in degrees, bulge by less
    equator = _equator(crs)
    low = [math.floor((v + inward) / _LATTICE) * _LATTICE for v in (left, bottom - equator)]
    high = [math.ceil((v - inward) / _LATTICE) * _LATTICE for v in (right, top - equator)]
    return float(low[0]), float(low[1] + equator), float(high[0]), float(high[1] + equator)


def _equator(crs: str) -> int:
    """Return the northing of the equator, from which the lattice of 60 m counts."""
    return 10_000_000 if crs.startswith("EPSG:327") else 0
