"""Grids compared: the same, nested, on one lattice; and written out for people.

A grid is an `odc.geo.geobox.GeoBox`. All comparisons have one tolerance, and what counts is where each pixel lies: a
raster that is stored south up, or mirrored, is not on the grid of one that is stored north up, though its corners are
the same.
"""

from odc.geo.geobox import GeoBox

from lulc_kit.errors import GridError

TOLERANCE = 1e-3
"""Of a pixel: how far corners may be apart and still be taken for the same."""


def same(one: GeoBox, other: GeoBox) -> bool:
    """Whether two grids have the same CRS, and each pixel of one lies where that pixel of the other does."""
    return one.shape == other.shape and _shift(one, other) == (0, 0)


def ratio(coarse: GeoBox, fine: GeoBox) -> int | None:
    """Return how many pixels of one grid lie along a pixel of another of the same extent; None if they do not nest."""
    times = round(abs(coarse.resolution.x) / abs(fine.resolution.x))
    if times < 1 or fine.shape != (coarse.height * times, coarse.width * times):
        return None
    return times if same(coarse.zoom_to(fine.shape), fine) else None


def on_lattice(one: GeoBox, other: GeoBox) -> bool:
    """Whether the pixels of two grids coincide where they overlap: one CRS and size, shifted by whole pixels."""
    return _shift(one, other) is not None


def _shift(one: GeoBox, other: GeoBox) -> tuple[int, int] | None:
    """Columns and rows of ``other`` at which ``one`` begins; None if the pixels do not coincide."""
    if one.crs != other.crs:
        return None
    column, row = ~other.affine * (one.affine * (0, 0))
    begins = round(column), round(row)
    for x, y in ((0, 0), (one.width, 0), (0, one.height)):
        column, row = ~other.affine * (one.affine * (x, y))
        if max(abs(column - begins[0] - x), abs(row - begins[1] - y)) > TOLERANCE:
            return None
    return begins


def overlap(one: GeoBox, other: GeoBox) -> float:
    """Return the part of a grid's ground (0–1) that another one, in whatever CRS, covers too."""
    if one.crs is None or other.crs is None:
        return 0.0
    ground = one.extent.geom
    return float(other.extent.to_crs(one.crs).geom.intersection(ground).area / ground.area)


def describe(geobox: GeoBox) -> str:
    """Return CRS, size, resolution and upper left corner in one line; a grid that is not north up says so."""
    crs = geobox.crs.to_epsg() if geobox.crs else None
    name = f"EPSG:{crs}" if crs else ("a CRS without EPSG code" if geobox.crs else "no CRS")
    a = geobox.affine
    turned = "" if a.a > 0 > a.e and a.b == a.d == 0 else f", not north up (transform {tuple(a)[:6]})"
    return (
        f"{name}, {geobox.width}×{geobox.height} px of {abs(geobox.resolution.x):g} m, "
        f"upper left {a.c:.2f} {a.f:.2f}{turned}"
    )


def check(found: GeoBox, expected: GeoBox, what: str) -> None:
    """Refuse a raster that is not on the study's grid.

    Raises
    ------
    LulcError
        With both grids written out.
    """
    if not same(found, expected):
        raise GridError(
            f"{what} is not on the study's grid.\n  found:    {describe(found)}\n"
            f"  expected: {describe(expected)}\nRun the steps anew from 02."
        )
