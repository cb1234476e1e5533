"""What a user would have beside the images of the simulated study: a DEM, roads and training polygons."""

from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.transform import from_origin
from rasterio.windows import Window
from scipy.ndimage import distance_transform_edt
from scipy.spatial import Voronoi
from shapely import LineString, Polygon

from lulc_kit.simulated.landscape import (
    ROAD_KINDS,
    STREET,
    Plan,
    district_point,
    elevation,
    in_quarter,
    on_land,
    road_kind,
    town_block,
    town_centre,
    town_turn,
    unwarp,
)
from lulc_kit.simulated.phenology import CLASSES

# OpenStreetMap's words for the classes, as its land-use layer has them.
_FCLASS = {
    1: ("residential",),
    2: ("farm",),
    3: ("forest",),
    4: ("meadow", "grass"),
    5: ("water",),
    6: ("scrub", "wetland"),
}
_ARC_SECOND = 1 / 3600
_EACH = 40  # training polygons of a class


def write_dem(path: Path, plan: Plan, bounds: tuple[float, float, float, float], epsg: int) -> None:
    """Write the terrain as a GeoTIFF of about 30 m in geographic coordinates, a little larger than the study.

    Parameters
    ----------
    path
        Of the new file.
    plan
        From `landscape.make_plan`.
    bounds
        Of the study: west, south, east, north in metres of `epsg`.
    epsg
        UTM system of the study.
    """
    to_utm = Transformer.from_crs("EPSG:4326", f"EPSG:{epsg}", always_xy=True)
    west, south, east, north = to_utm.transform_bounds(*bounds, direction="INVERSE")
    margin = 20 * _ARC_SECOND
    wide, high = 1.5 * _ARC_SECOND, _ARC_SECOND  # as the Copernicus DEM between 50° and 60° north
    left, top = west - margin, north + margin
    columns = int(np.ceil((east + margin - left) / wide))
    rows = int(np.ceil((top - south + margin) / high))
    with rasterio.open(
        path, "w", driver="GTiff", width=columns, height=rows, count=1, dtype="float32", crs="EPSG:4326",
        transform=from_origin(left, top, wide, high), tiled=True, compress="deflate", predictor=3,
    ) as file:  # fmt: skip
        file.update_tags(SIMULATED="YES", units="metre")
        for first in range(0, rows, 256):
            row, column = np.mgrid[first : min(first + 256, rows), 0:columns]
            x, y = to_utm.transform(left + (column.ravel() + 0.5) * wide, top - (row.ravel() + 0.5) * high)
            heights = elevation(x - bounds[0], bounds[3] - y, plan).reshape(row.shape)
            file.write(heights, 1, window=Window(0, first, columns, row.shape[0]))


def _runs(inside: np.ndarray) -> Iterator[slice]:
    """Slices of the runs of at least three True values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start >= 3:
            yield slice(start, stop)


def roads(plan: Plan, width: float, height: float) -> list[tuple[str, LineString]]:
    """Roads and streets of the study.

    Parameters
    ----------
    plan
        From `landscape.make_plan`.
    width, height
        Extent of the study in metres.

    Returns
    -------
    list of (str, shapely.LineString)
        OpenStreetMap's ``highway`` value and the line, metres east and south of the upper-left corner.
    """

    def clipped(kind: str, x: np.ndarray, y: np.ndarray, keep: np.ndarray) -> None:
        keep = keep & (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
        found.extend((kind, LineString(np.column_stack([x[run], y[run]]))) for run in _runs(keep))

    def dry(x: np.ndarray, y: np.ndarray, inside: np.ndarray) -> np.ndarray:
        inside[inside] = on_land(x[inside], y[inside], plan)
        return inside

    found: list[tuple[str, LineString]] = []
    cells = [
        (i, j) for i in range(-3, int(width / plan.district) + 4) for j in range(-3, int(height / plan.district) + 4)
    ]
    borders = Voronoi([district_point(i, j, plan.district, plan.seed) for i, j in cells])
    for (a, b), ends in zip(borders.ridge_points, borders.ridge_vertices, strict=True):
        if -1 in ends:
            continue
        start, stop = borders.vertices[ends]
        steps = max(3, int(np.hypot(*(stop - start)) / 15))
        bent = np.ascontiguousarray(np.linspace(start, stop, steps).T)
        x, y = unwarp(bent[0], bent[1], plan.seed)
        (i, j), (k, m) = cells[a], cells[b]
        clipped(ROAD_KINDS[road_kind(i, j, k, m, plan.seed)], x, y, on_land(x, y, plan))
    for i in range(-1, int(width / plan.town) + 2):
        for j in range(-1, int(height / plan.town) + 2):
            cx, cy, radius = town_centre(i, j, plan.town, plan.seed)
            first = town_turn(cx, cy, i, j, plan)
            reach = 2.0 * radius  # no farther does the frayed outline go
            along = np.arange(-reach, reach, 10.0)
            for turn in (first, first + 0.5):
                for axis, spacing in enumerate(town_block(i, j, plan.seed)):
                    for k in range(-int(reach / spacing), int(reach / spacing) + 1):
                        across = np.full_like(along, k * spacing + STREET / 2)
                        u, v = (across, along) if axis == 0 else (along, across)
                        x = cx + np.cos(turn) * u - np.sin(turn) * v
                        y = cy + np.sin(turn) * u + np.cos(turn) * v
                        clipped("residential", x, y, dry(x, y, in_quarter(x, y, i, j, turn, plan)))
    return found


def training_polygons(classes: Path, seed: int) -> gpd.GeoDataFrame:
    """Polygons as somebody would draw them over the picture, in the middle of what they show.

    Forty of each class; small studies yield fewer.

    Parameters
    ----------
    classes
        Raster of the true classes.
    seed
        Any integer.

    Returns
    -------
    geopandas.GeoDataFrame
        Columns ``class``, ``name``, ``fclass`` and geometry, EPSG:4326, sorted by class.
    """
    rng = np.random.default_rng([seed, 77])
    rows: list[dict[str, object]] = []
    with rasterio.open(classes) as file:
        edge = min(512, file.width, file.height)
        windows = max(1, round(file.width * file.height / edge**2))
        chosen = min(windows, 16)
        for number in range(chosen):
            window = Window(
                int(rng.integers(file.width - edge + 1)),
                int(rng.integers(file.height - edge + 1)),
                edge,
                edge,
            )
            values = file.read(1, window=window)
            placement = file.window_transform(window)
            for value in CLASSES:
                wanted = _EACH * (number + 1) // chosen - sum(made["class"] == value for made in rows)
                for column, row, radius in _sites(values == value, wanted, rng):
                    x, y = placement * (column, row)
                    rows.append(
                        {
                            "class": value,
                            "name": CLASSES[value],
                            "fclass": _FCLASS[value][int(rng.integers(len(_FCLASS[value])))],
                            "geometry": _drawn(x, y, 10 * radius, rng),
                        }
                    )
        table = gpd.GeoDataFrame(rows, crs=file.crs).sort_values("class", kind="stable", ignore_index=True)
    return table.to_crs("EPSG:4326")


def _sites(inside: np.ndarray, wanted: int, rng: np.random.Generator) -> Iterator[tuple[float, float, float]]:
    """Column, row and radius (pixels) of discs that lie inside and apart from each other."""
    room = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    for _ in range(max(0, wanted)):
        places = np.flatnonzero(room >= 3.0)
        if not places.size:
            return
        row, column = np.unravel_index(int(rng.choice(places)), inside.shape)
        radius = min(float(room[row, column]) - 1, 2 + 7 * float(rng.random()))
        yield column + 0.5, row + 0.5, radius
        y, x = np.ogrid[: inside.shape[0], : inside.shape[1]]
        room[(y - row) ** 2 + (x - column) ** 2 < (3 * radius + 4) ** 2] = 0


def _drawn(x: float, y: float, radius: float, rng: np.random.Generator) -> Polygon:
    """A polygon of five to nine corners inside a circle."""
    corners = int(rng.integers(5, 10))
    angles = (np.arange(corners) + 0.6 * rng.random(corners)) * 2 * np.pi / corners + rng.random() * 6
    reach = radius * (0.75 + 0.25 * rng.random(corners))
    return Polygon(np.column_stack([x + reach * np.cos(angles), y + reach * np.sin(angles)]))
