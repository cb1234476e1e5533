"""The ground of the simulated study: terrain, waters, woods, fields, towns and roads at 5 m.

Everything is a function of place and seed, evaluated strip by strip; places are metres east (x) and south (y)
of the study's upper-left corner. The cover of a 5 m cell is an index into `phenology.COVERS`.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit, prange

from lulc_kit.simulated.noise import fractal, mix, octaves_down_to, perlin, unit
from lulc_kit.simulated.phenology import CROP_SHIFTS, CROPS, FIRST_CROP, cover_number

LAKE, RIVER, REED, SAND, HEATH = (cover_number(n) for n in ("lake", "river", "reed", "sand pit", "heath"))
CONIFER, BROADLEAF = cover_number("conifers"), cover_number("broadleaves")
MOWN, PASTURE = cover_number("mown meadow"), cover_number("pasture")
ASPHALT, TILES, SLATE, METAL = (cover_number(n) for n in ("asphalt", "tiled roof", "slate roof", "metal roof"))
GARDEN, TOWN_TREE, PARK, TRACK = (cover_number(n) for n in ("garden", "town trees", "park", "track"))
_SHIFTS = len(CROP_SHIFTS)

ROAD_WIDTH = {"primary": 15.0, "secondary": 11.0, "tertiary": 8.0, "track": 0.0}  # metres
ROAD_KINDS = tuple(ROAD_WIDTH)
_ROAD_HALF = np.array([w / 2 for w in ROAD_WIDTH.values()])
STREET = 8.0  # metres, width of a town's street
NEAR = -0.8  # score of a town's surroundings, as far as it grows; 0 is its edge
BUILT, CUT = 0.5, 0.25  # parts of the fields there that are built over, and of the parcels of wood that are cut
LATTICE = 20.0  # metres between the nodes at which the slow fields are evaluated


class Plan(NamedTuple):
    """Sizes (metres) and thresholds that make one landscape out of the noise."""

    seed: int
    scale: float  # of the large forms
    relief: float  # height of the hills
    district: float  # spacing of field districts, whose borders are the roads
    town: float  # spacing of towns
    river: float  # half-width of the river
    water: float  # raw height below which there is a lake
    reed: float
    forest: float
    other: float
    meadow: float
    later: bool = False  # the same land some years on


class Relief(NamedTuple):
    """The slow fields on the lattice, each (rows, columns) float32."""

    height: np.ndarray
    stream: np.ndarray
    forest: np.ndarray
    other: np.ndarray
    town: np.ndarray
    east: np.ndarray  # warp of the field pattern, metres
    south: np.ndarray


@dataclass(frozen=True)
class Painted:
    """A strip of ground.

    Attributes
    ----------
    covers
        (2 rows, 2 columns) uint8, cover of each 5 m cell.
    brightness, vigour
        (rows, columns) float32, factors about 1 for each 10 m pixel: the first for all bands, the second for
        how green the vegetation is.
    """

    covers: np.ndarray
    brightness: np.ndarray
    vigour: np.ndarray


@njit(cache=True)
def _stream(x: float, y: float, scale: float, seed: int) -> float:
    """Signed distance-like field whose zero line is the river, metres."""
    wx = 0.28 * scale * fractal(x / (0.8 * scale), y / (0.8 * scale), 4, 0.5, seed + 1)
    wy = 0.28 * scale * fractal(x / (0.8 * scale), y / (0.8 * scale), 4, 0.5, seed + 2)
    return 0.9 * scale * perlin((x + wx) / (1.7 * scale) + 0.37, (y + wy) / (1.7 * scale) + 0.81, seed + 3)


@njit(cache=True)
def raw_height(x: float, y: float, scale: float, octaves: int, seed: int) -> float:
    """Height of the land before lakes are filled, in units of the relief."""
    valley = 1 - math.exp(-abs(_stream(x, y, scale, seed)) / (0.16 * scale))
    hills = fractal(x / (0.9 * scale), y / (0.9 * scale), octaves, 0.46, seed + 5)
    return 0.55 * valley + (0.35 + 0.65 * valley) * (hills + 0.35)


@njit(cache=True)
def _forest(x: float, y: float, scale: float, octaves: int, seed: int) -> float:
    return fractal(x / (0.5 * scale), y / (0.5 * scale), octaves, 0.58, seed + 7)


@njit(cache=True)
def _other(x: float, y: float, scale: float, octaves: int, seed: int) -> float:
    return fractal(x / (0.33 * scale), y / (0.33 * scale), octaves, 0.55, seed + 9)


@njit(cache=True)
def _warp(x: float, y: float, seed: int) -> tuple[float, float]:
    """Displacement that bends the field pattern and the roads, metres; slow enough to be inverted."""
    return (
        90.0 * perlin(x / 1100.0, y / 1100.0, seed + 11),
        90.0 * perlin(x / 1100.0, y / 1100.0, seed + 12),
    )


@njit(cache=True)
def _town_at(x: float, y: float, spacing: float, seed: int) -> tuple[float, int, int]:
    """Closeness to the nearest town (1 in its centre, 0 at its edge, negative outside) and its cell."""
    ci, cj = math.floor(x / spacing), math.floor(y / spacing)
    best, bi, bj = -9.0, 0, 0
    for i in range(ci - 1, ci + 2):
        for j in range(cj - 1, cj + 2):
            tx, ty, radius = town_centre(i, j, spacing, seed)
            closeness = 1 - math.hypot(x - tx, y - ty) / radius
            if closeness > best:
                best, bi, bj = closeness, i, j
    return best, bi, bj


@njit(cache=True)
def town_centre(i: int, j: int, spacing: float, seed: int) -> tuple[float, float, float]:
    """Centre and radius in metres of the town of lattice cell (i, j)."""
    x = (i + 0.2 + 0.6 * unit(i, j, seed + 21)) * spacing
    y = (j + 0.2 + 0.6 * unit(i, j, seed + 22)) * spacing
    size = unit(i, j, seed + 23)
    return x, y, spacing * (0.13 + 0.19 * size * size)


@njit(cache=True)
def town_score(x: float, y: float, spacing: float, seed: int) -> float:
    """Positive inside towns; the outline is frayed by noise."""
    closeness = _town_at(x, y, spacing, seed)[0]
    if closeness < -1.2:
        return closeness
    return closeness + 1.7 * fractal(x / (0.30 * spacing), y / (0.30 * spacing), 5, 0.6, seed + 24)


@njit(cache=True, parallel=True)
def _relief(x0: float, y0: float, step: float, rows: int, columns: int, plan: Plan) -> Relief:
    height = np.empty((rows, columns), np.float32)
    stream, forest, other = np.empty_like(height), np.empty_like(height), np.empty_like(height)
    town, east, south = np.empty_like(height), np.empty_like(height), np.empty_like(height)
    hills = octaves_down_to(0.9 * plan.scale, 180.0)
    woods = octaves_down_to(0.5 * plan.scale, 50.0)
    for r in prange(rows):
        y = y0 + r * step
        for c in range(columns):
            x = x0 + c * step
            height[r, c] = raw_height(x, y, plan.scale, hills, plan.seed)
            stream[r, c] = _stream(x, y, plan.scale, plan.seed)
            forest[r, c] = _forest(x, y, plan.scale, woods, plan.seed)
            other[r, c] = _other(x, y, plan.scale, woods, plan.seed)
            town[r, c] = town_score(x, y, plan.town, plan.seed)
            east[r, c], south[r, c] = _warp(x, y, plan.seed)
    return Relief(height, stream, forest, other, town, east, south)


@njit(cache=True)
def district_point(i: int, j: int, spacing: float, seed: int) -> tuple[float, float]:
    """Seed point of field district (i, j), metres in the warped plane."""
    return (
        (i + 0.12 + 0.76 * unit(i, j, seed + 31)) * spacing,
        (j + 0.12 + 0.76 * unit(i, j, seed + 32)) * spacing,
    )


@njit(cache=True)
def road_kind(i: int, j: int, k: int, m: int, seed: int) -> int:
    """Index into ROAD_KINDS of the border between districts (i, j) and (k, m), the same from both sides."""
    a, b = mix(i, j, seed + 33), mix(k, m, seed + 33)
    chance = float((a ^ b) >> np.uint64(40)) / 16777216.0
    if chance < 0.12:
        return 0
    if chance < 0.32:
        return 1
    return 2 if chance < 0.75 else 3


@njit(cache=True)
def _district(x: float, y: float, spacing: float, seed: int) -> tuple[int, int, float, int]:
    """District of a place, distance to its border in metres, and the kind of road there."""
    ci, cj = math.floor(x / spacing), math.floor(y / spacing)
    d1, d2, i1, j1, i2, j2 = 1e30, 1e30, 0, 0, 0, 0
    x1, y1, x2, y2 = 0.0, 0.0, 0.0, 0.0
    for ring in range(2):
        for i in range(ci - 1 - ring, ci + 2 + ring):
            # the outer ring is needed only where its nearest point could be
            gap_x = max(0.0, (i + 0.12) * spacing - x, x - (i + 0.88) * spacing)
            for j in range(cj - 1 - ring, cj + 2 + ring):
                if ring and abs(i - ci) < 2 and abs(j - cj) < 2:
                    continue
                gap_y = max(0.0, (j + 0.12) * spacing - y, y - (j + 0.88) * spacing)
                if gap_x * gap_x + gap_y * gap_y > d2:
                    continue
                px, py = district_point(i, j, spacing, seed)
                d = (x - px) ** 2 + (y - py) ** 2
                if d < d1:
                    d2, i2, j2, x2, y2 = d1, i1, j1, x1, y1
                    d1, i1, j1, x1, y1 = d, i, j, px, py
                elif d < d2:
                    d2, i2, j2, x2, y2 = d, i, j, px, py
    edge = (d2 - d1) / (2 * math.hypot(x2 - x1, y2 - y1))
    return i1, j1, edge, road_kind(i1, j1, i2, j2, seed)


@njit(cache=True)
def _cut(position: float, width: float, a: int, b: int, seed: int) -> tuple[int, float]:
    """Irregular strips along a line: number of the strip, and distance to its nearer edge."""
    n = math.floor(position / width)
    left = (n + 0.6 * (unit(a + 7 * n, b, seed) - 0.5)) * width
    if position < left:
        n -= 1
        right = left
        left = (n + 0.6 * (unit(a + 7 * n, b, seed) - 0.5)) * width
    else:
        right = (n + 1 + 0.6 * (unit(a + 7 * (n + 1), b, seed) - 0.5)) * width
        if position >= right:
            n += 1
            left = right
            right = (n + 1 + 0.6 * (unit(a + 7 * (n + 1), b, seed) - 0.5)) * width
    return n, min(position - left, right - position)


@njit(cache=True)
def _in_town(x: float, y: float, closeness: float, plan: Plan) -> int:
    """Cover inside a town: streets, house lots, works, parks."""
    _, ti, tj = _town_at(x, y, plan.town, plan.seed)
    cx, cy, _ = town_centre(ti, tj, plan.town, plan.seed)
    turn = town_turn(x, y, ti, tj, plan)
    u = math.cos(turn) * (x - cx) + math.sin(turn) * (y - cy)
    v = -math.sin(turn) * (x - cx) + math.cos(turn) * (y - cy)
    long, deep = town_block(ti, tj, plan.seed)
    bi, bj = math.floor(u / long), math.floor(v / deep)
    du, dv = u - bi * long, v - bj * deep
    if du < STREET or dv < STREET:
        return ASPHALT
    du, dv, wide, high = du - STREET, dv - STREET, long - STREET, deep - STREET
    kind = unit(bi, bj, plan.seed + 45 + ti * 3 + tj)
    if kind < 0.06:
        return TOWN_TREE if unit(int(x / 15), int(y / 15), plan.seed + 46) < 0.25 else PARK
    if kind < 0.17 and closeness < 0.5:  # works and halls at the edge
        hall = wide * 0.12 < du < wide * 0.85 and high * 0.15 < dv < high * 0.8
        return (METAL if kind < 0.13 else SLATE) if hall else ASPHALT
    if closeness > 0.8:  # the old town is built up along the streets
        rim = min(min(du, wide - du), min(dv, high - dv))
        if rim < 16:
            return SLATE if unit(int(u / 22), int(v / 22), plan.seed + 47) < 0.3 else TILES
        return ASPHALT if unit(bi, bj, plan.seed + 48) < 0.5 else GARDEN
    lot_u, lot_v = int(du / 24), int(dv / max(high / 2, 1.0))
    lu, lv = du - lot_u * 24, dv - lot_v * high / 2
    if 4 < lu < 17 and high * 0.1 < lv < high * 0.34:
        return SLATE if unit(bi * 31 + lot_u, bj * 17 + lot_v, plan.seed + 47) < 0.35 else TILES
    return TOWN_TREE if unit(int(x / 9), int(y / 9), plan.seed + 49) < 0.15 else GARDEN


@njit(cache=True)
def town_turn(x: float, y: float, ti: int, tj: int, plan: Plan) -> float:
    """Direction of the streets at a place of town (ti, tj), radians: each town has two quarters."""
    cx, cy, radius = town_centre(ti, tj, plan.town, plan.seed)
    turn = unit(ti, tj, plan.seed + 41) * math.pi
    beyond = (x - cx) * math.cos(2 * turn) + (y - cy) * math.sin(2 * turn) > 0.25 * radius
    return turn + 0.5 if beyond else turn


@njit(cache=True)
def town_block(ti: int, tj: int, seed: int) -> tuple[float, float]:
    """Spacing of the streets of a town along and across its grid, metres."""
    return 95.0 + 70.0 * unit(ti, tj, seed + 42), 60.0 + 35.0 * unit(ti, tj, seed + 43)


@njit(cache=True)
def _at(field: np.ndarray, r: float, c: float) -> float:
    i, j = int(r), int(c)
    a, b = r - i, c - j
    return (field[i, j] * (1 - b) + field[i, j + 1] * b) * (1 - a) + (
        field[i + 1, j] * (1 - b) + field[i + 1, j + 1] * b
    ) * a


@njit(cache=True)
def _countryside(  # noqa: C901
    x: float, y: float, r: float, c: float, bent: tuple[float, float], at: tuple[int, int], relief: Relief, plan: Plan
) -> tuple[int, int]:
    """Woods, heath, hedges, grass or crop of a place in district `at`, whose place in the warped plane is `bent`."""
    (fx, fy), (di, dj) = bent, at
    # Fields: strips in the direction of the district, each cut across.
    turn = unit(di, dj, plan.seed + 52) * math.pi
    u = math.cos(turn) * fx + math.sin(turn) * fy
    v = -math.sin(turn) * fx + math.cos(turn) * fy
    district = di * 7919 + dj * 104729
    width = 90.0 + 190.0 * unit(di, dj, plan.seed + 53) ** 2
    strip, side = _cut(u, width, district, 1, plan.seed + 54)
    length = width * (1.4 + 2.2 * unit(district, strip, plan.seed + 55))
    piece, end = _cut(v, length, district, strip, plan.seed + 56)
    parcel = mix(district + 13 * strip, piece, plan.seed + 57) & np.uint64(0x7FFFFFFF)
    lot = int(parcel)
    # Woods: half fractal outline, half whole parcels, as woods meet fields.
    forest = _at(relief.forest, r, c) + 0.16 * (unit(lot, 0, plan.seed + 58) - 0.5)
    if forest > plan.forest:
        if plan.later and unit(lot, 9, plan.seed + 91) < CUT:
            return HEATH, 0  # felled: dry litter and some grass
        broad = perlin(x / 420, y / 420, plan.seed + 59) + 0.9 * (unit(lot, 1, plan.seed + 59) - 0.5)
        return (BROADLEAF if broad > 0.05 else CONIFER), 0
    other = _at(relief.other, r, c)
    if other > plan.other:
        return (SAND if other > plan.other + 0.09 else HEATH), 0
    border = unit(strip, district, plan.seed + 60)
    if side < 4.5 and border < 0.22:
        return BROADLEAF, 0  # a hedge
    if side < 3.0 and border > 0.75:
        return TRACK, 0
    if end < 3.0 and unit(lot, 2, plan.seed + 60) < 0.3:
        return PASTURE, 0
    # Grass along the waters and, here and there, elsewhere.
    moist = _at(relief.height, r, c) + 0.5 * (unit(lot, 3, plan.seed + 61) - 0.5)
    if moist < plan.meadow:
        return (MOWN if unit(lot, 4, plan.seed + 62) < 0.6 else PASTURE), lot
    if plan.later and _at(relief.town, r, c) > NEAR and unit(lot, 10, plan.seed + 92) < BUILT:
        return _in_town(x, y, _at(relief.town, r, c), plan), 0
    chance = unit(lot, 105 if plan.later else 5, plan.seed + 63)  # another year, another crop
    share = 0.0
    crop = CROPS - 1
    for k in range(CROPS):
        share += (0.30, 0.16, 0.12, 0.24, 0.11, 0.07)[k]
        if chance < share:
            crop = k
            break
    shift = int(unit(lot, 6, plan.seed + 64) * _SHIFTS)
    return FIRST_CROP + crop * _SHIFTS + shift, lot


@njit(cache=True)
def _cover(x: float, y: float, r: float, c: float, relief: Relief, plan: Plan, half: np.ndarray) -> tuple[int, int]:
    """Cover of one place and a number that its whole parcel shares (0 where there is none)."""
    height = _at(relief.height, r, c)
    if height < plan.water:
        return LAKE, 0
    fx, fy = x + _at(relief.east, r, c), y + _at(relief.south, r, c)
    di, dj, edge, road = _district(fx, fy, plan.district, plan.seed)
    if edge < half[road]:
        return ASPHALT, 0
    if abs(_at(relief.stream, r, c)) < plan.river:
        return RIVER, 0
    town = _at(relief.town, r, c)
    if town > 0:
        return _in_town(x, y, town, plan), 0
    shore = height - plan.reed
    if shore < 0.015 and shore < 0.02 * perlin(x / 60, y / 60, plan.seed + 51):
        return REED, 0
    return _countryside(x, y, r, c, (fx, fy), (di, dj), relief, plan)


@njit(cache=True, parallel=True)
def _paint(
    top: int, rows: int, columns: int, relief: Relief, plan: Plan, half: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    covers = np.empty((2 * rows, 2 * columns), np.uint8)
    brightness = np.empty((rows, columns), np.float32)
    vigour = np.empty((rows, columns), np.float32)
    for row in prange(rows):
        for column in range(columns):
            lot = 0
            for k in range(4):
                x = (column + 0.25 + 0.5 * (k % 2)) * 10.0
                y = (top + row + 0.25 + 0.5 * (k // 2)) * 10.0
                r, c = y / LATTICE - top * 10 // LATTICE + 1, x / LATTICE + 1
                cover, parcel = _cover(x, y, r, c, relief, plan, half)
                covers[2 * row + k // 2, 2 * column + k % 2] = cover
                lot = max(lot, parcel)
            cover = covers[2 * row, 2 * column]
            x, y = column * 10.0 + 5, (top + row) * 10.0 + 5
            coarse = fractal(x / 260, y / 260, 3, 0.55, plan.seed + 71)
            speckle = unit(column, top + row, plan.seed + 72) - 0.5
            if cover in (LAKE, RIVER):
                brightness[row, column] = 1 + 0.10 * coarse
                vigour[row, column] = 1.0
            elif cover in (CONIFER, BROADLEAF):  # crowns and gaps
                crowns = perlin(x / 26, y / 26, plan.seed + 73)
                brightness[row, column] = 1 + 0.16 * crowns + 0.10 * speckle + 0.12 * coarse
                vigour[row, column] = 1 + 0.25 * coarse
            else:
                field = unit(lot, 7, plan.seed + 74) - 0.5 if lot else 0.0
                brightness[row, column] = 1 + 0.16 * field + 0.14 * coarse + 0.05 * speckle
                vigour[row, column] = 1 + 0.30 * (unit(lot, 8, plan.seed + 75) - 0.5) + 0.22 * coarse
    return covers, brightness, vigour


def make_plan(size: int, width: int, height: int, seed: int, *, later: bool = False) -> Plan:
    """Choose the landscape's sizes for a tile of `size` pixels and fit its thresholds to the whole study.

    Parameters
    ----------
    size
        Edge of a tile in 10 m pixels: small tiles get smaller hills, lakes and towns, so that all classes
        occur.
    width, height
        Extent of the study in 10 m pixels.
    seed
        Any integer.
    later
        The same land some years on: of the fields around towns half are built over, of the parcels of wood a quarter
        is felled (*Other land*), and every field bears another crop. All else is as it was.

    Returns
    -------
    Plan
    """
    scale = float(np.clip(8.0 * size, 1800, 9000))
    plan = Plan(
        seed=int(np.random.default_rng(seed).integers(1 << 40)),
        scale=scale,
        relief=0.06 * scale,
        district=float(np.clip(0.35 * scale, 700, 1300)),
        town=float(np.clip(0.75 * scale, 1500, 4500)),
        river=float(np.clip(0.004 * scale, 9, 30)),
        water=0.0, reed=0.0, forest=0.0, other=0.0, meadow=0.0,
    )  # fmt: skip
    # Thresholds are quantiles of the fields over the study, so that every class gets its share wherever it
    # lies.
    step = max(width, height) * 10 / 300
    field = _relief(0.0, 0.0, step, math.ceil(height * 10 / step), math.ceil(width * 10 / step), plan)
    water, reed, meadow = np.quantile(field.height, [0.055, 0.085, 0.27])
    forest, other = np.quantile(field.forest, 0.74), np.quantile(field.other, 0.93)
    return plan._replace(
        water=float(water),
        reed=float(reed),
        forest=float(forest),
        other=float(other),
        meadow=float(meadow),
        later=later,
    )


def paint(plan: Plan, top: int, rows: int, columns: int) -> Painted:
    """The ground of rows ``top … top + rows`` of the study.

    Parameters
    ----------
    plan
        From `make_plan`.
    top, rows, columns
        In 10 m pixels; `top` is even.

    Returns
    -------
    Painted
    """
    nodes = (math.ceil(rows * 10 / LATTICE) + 3, math.ceil(columns * 10 / LATTICE) + 3)
    relief = _relief(-LATTICE, top * 10.0 - LATTICE, LATTICE, *nodes, plan)
    return Painted(*_paint(top, rows, columns, relief, plan, _ROAD_HALF))


@njit(cache=True, parallel=True)
def elevation(x: np.ndarray, y: np.ndarray, plan: Plan) -> np.ndarray:
    """Height of the surface (lakes filled) in metres at flat arrays of places (metres east and south)."""
    octaves = octaves_down_to(0.9 * plan.scale, 180.0)
    out = np.empty(x.shape, np.float32)
    for k in prange(x.size):
        height = raw_height(x[k], y[k], plan.scale, octaves, plan.seed)
        out[k] = 30.0 + plan.relief * (max(height, plan.water) - plan.water)
    return out


def shading(height: np.ndarray, zenith: float, azimuth: float) -> np.ndarray:
    """Sunlight on the slopes relative to flat ground.

    Parameters
    ----------
    height
        (rows + 2, columns + 2) metres at 10 m spacing, with one row and column more on each side.
    zenith, azimuth
        Of the sun, degrees; azimuth clockwise from north.

    Returns
    -------
    numpy.ndarray
        (rows, columns) float32, 1 on flat ground. A third of the light comes from the whole sky, which slopes
        change little: that is what keeps a slope that faces away from the sun from being black.
    """
    east = (height[1:-1, 2:] - height[1:-1, :-2]) / 20
    south = (height[2:, 1:-1] - height[:-2, 1:-1]) / 20
    tilt, bearing = np.radians(zenith), np.radians(azimuth)
    sun_east, sun_north, sun_up = np.sin(tilt) * np.sin(bearing), np.sin(tilt) * np.cos(bearing), np.cos(tilt)
    # the normal of the ground is (−dz/deast, −dz/dnorth, 1), and north is −south
    facing = (-east * sun_east + south * sun_north + sun_up) / np.sqrt(1 + east**2 + south**2)
    return (1 / 3 + 2 / 3 * np.clip(facing / sun_up, 0.1, 2.0)).astype(np.float32)


@njit(cache=True)
def unwarp(x: np.ndarray, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places on the ground of places in the warped plane of the fields and roads (flat arrays, metres)."""
    gx, gy = x.copy(), y.copy()
    for k in range(x.size):
        for _ in range(12):
            wx, wy = _warp(gx[k], gy[k], seed)
            gx[k], gy[k] = x[k] - wx, y[k] - wy
    return gx, gy


@njit(cache=True)
def on_land(x: np.ndarray, y: np.ndarray, plan: Plan) -> np.ndarray:
    """Whether places (flat arrays, metres) lie outside the lakes."""
    octaves = octaves_down_to(0.9 * plan.scale, 180.0)
    out = np.empty(x.size, np.bool_)
    for k in range(x.size):
        out[k] = raw_height(x[k], y[k], plan.scale, octaves, plan.seed) >= plan.water
    return out


@njit(cache=True)
def in_quarter(x: np.ndarray, y: np.ndarray, ti: int, tj: int, turn: float, plan: Plan) -> np.ndarray:
    """Whether places lie in town (ti, tj), in the quarter whose streets run in direction `turn`."""
    out = np.zeros(x.size, np.bool_)
    for k in range(x.size):
        closeness, i, j = _town_at(x[k], y[k], plan.town, plan.seed)
        if closeness < -1.0 or i != ti or j != tj:
            continue
        if town_score(x[k], y[k], plan.town, plan.seed) > 0:
            out[k] = abs(town_turn(x[k], y[k], ti, tj, plan) - turn) < 1e-9
    return out
