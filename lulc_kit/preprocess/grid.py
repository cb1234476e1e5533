"""The one grid of a study: CRS, resolution and extent, fixed here for every later step."""

from collections.abc import Mapping, Sequence

import shapely
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox
from pyproj import Geod, Transformer
from rasterio import Affine

from lulc_kit.catalog import Band, Catalog
from lulc_kit.errors import GridError, LulcError, ParameterError

MAX_DISTORTION = 0.03
"""How far a unit of the grid may be from a metre: equal-area systems of continents reach 0.02 at their rims."""

MAX_PIXELS = 10**10
"""What a grid may have: beyond it, a bbox or a resolution was mistyped."""


def study_grid(
    catalog: Catalog, crs: str | None = None, bbox: Sequence[float] | None = None, resolution: float = 10.0
) -> GeoBox:
    """Choose the grid of a study.

    Parameters
    ----------
    catalog
        The scenes.
    crs
        ``"EPSG:32633"`` or the like; None takes that of the area that 01 was asked for, or else that of the scenes, if
        they agree.
    bbox
        Left, bottom, right, top in that CRS; None takes that area, or else all that the scenes cover.
    resolution
        Side of a pixel, in units of the CRS (metres).

    Returns
    -------
    odc.geo.geobox.GeoBox
        Pixels coincide with those of the scenes' finest band where CRS and resolution are the same.

    Raises
    ------
    LulcError
        If the CRS is unknown or geographic, scenes disagree and no CRS is given, the box is empty,
        outside or vast, or there is no box and the scenes lie apart.
    """
    if not catalog.scenes:
        raise LulcError("The catalog has no scene. Run 01_download first.")
    if catalog.grid is not None and crs is None:
        crs, bbox = str(catalog.grid.crs), bbox or catalog.grid.boundingbox.bbox
    finest = [_finest(scene.date, scene.bands) for scene in catalog.scenes]
    target = _target(finest, crs)
    covered = [g.extent.to_crs(target).boundingbox for g in finest]
    if bbox is None:
        _refuse_islands([scene.name for scene in catalog.scenes], covered, resolution)
    # Pixel edges where the scenes have theirs: nothing is resampled that need not be.
    x0, y0 = next(((g.affine.c, g.affine.f) for g in finest if g.crs == target), (0.0, 0.0))
    left, bottom, right, top = _extent(covered, bbox, target)
    c0, c1 = round((left - x0) / resolution), round((right - x0) / resolution)
    r0, r1 = round((y0 - top) / resolution), round((y0 - bottom) / resolution)
    if c1 <= c0 or r1 <= r0:
        raise GridError(
            f"bbox {bbox} is smaller than one pixel of {resolution:g} m."
            if bbox is not None
            else f"By their CRS ({target}) the scenes cover only {right - left:g} × {top - bottom:g} m: less than one "
            f"pixel of {resolution:g} m. Do their files say the right CRS? Change it: gdal_edit.py -a_srs EPSG:… FILE."
        )
    if (r1 - r0) * (c1 - c0) > MAX_PIXELS:
        left, bottom, right, top = _union(covered)
        raise GridError(
            f"The grid would have {c1 - c0}×{r1 - r0} pixels of {resolution:g} m, and the scenes cover "
            f"{right - left:.0f} × {top - bottom:.0f} m. Expected at most {MAX_PIXELS:.0e} "
            "pixels, about 80 whole tiles: check bbox and resolution in 02_preprocess.yaml."
        )
    corner = Affine(resolution, 0, x0 + c0 * resolution, 0, -resolution, y0 - r0 * resolution)
    return GeoBox((r1 - r0, c1 - c0), corner, target)


def _target(finest: Sequence[GeoBox], crs: str | None) -> CRS:
    """Return the CRS asked for, or that of the scenes."""
    if crs is None:
        systems = {g.crs.to_wkt() for g in finest if g.crs}
        if len(systems) > 1:
            raise GridError(
                f"The scenes are in {len(systems)} different CRS. Say which one the study's grid is to have: "
                f'crs: "EPSG:…" in 02_preprocess.yaml.'
            )
    try:
        target = finest[0].crs if crs is None else CRS(crs)
    except Exception as error:  # pyproj raises various kinds
        raise ParameterError(f'crs: {crs!r} is not a CRS ({error}). Write it like "EPSG:32633".') from error
    if target is None or target.geographic:
        raise GridError(
            "The study's grid needs a projected CRS in metres (UTM, for example), but this one is geographic. "
            f"Set {_zone(finest[0])} in 02_preprocess.yaml, the UTM zone of the scenes."
        )
    length = _true_length(finest[0], target)
    if abs(length - 1) > MAX_DISTORTION:
        raise GridError(
            f"The study's grid needs a CRS in metres, but where the scenes lie one unit of this one "
            f"({target.units[0]}) is {length:.3f} m on the ground: slopes, distances and areas would be wrong. "
            f"Set {_zone(finest[0])} in 02_preprocess.yaml, the UTM zone of the scenes."
        )
    return target


def _zone(scene: GeoBox) -> str:
    """Return the UTM zone of a scene as the parameter that sets it."""
    return f'crs: "{CRS.utm(scene.extent)}"'


def _true_length(scene: GeoBox, crs: CRS) -> float:
    """Return how many metres on the ground a unit of a CRS is, in the middle of a scene, over 1000 units."""
    x, y = scene.extent.centroid.to_crs(crs).coords[0]
    to_degrees = Transformer.from_crs(crs.to_wkt(), "EPSG:4326", always_xy=True)
    ends = [((x - 500, y), (x + 500, y)), ((x, y - 500), (x, y + 500))]
    lengths = []
    for one, two in ends:
        (lon, lat), (lon2, lat2) = to_degrees.transform(*one), to_degrees.transform(*two)
        lengths.append(Geod(ellps="WGS84").inv(lon, lat, lon2, lat2)[2] / 1000)
    return max(lengths, key=lambda length: abs(length - 1))


def _union(covered: Sequence[BoundingBox]) -> tuple[float, float, float, float]:
    return (
        min(b.left for b in covered),
        min(b.bottom for b in covered),
        max(b.right for b in covered),
        max(b.top for b in covered),
    )


def _extent(
    covered: Sequence[BoundingBox], bbox: Sequence[float] | None, crs: CRS
) -> tuple[float, float, float, float]:
    """Return left, bottom, right, top of the box asked for, or of all that the scenes cover."""
    left, bottom, right, top = _union(covered)
    if bbox is None:
        return left, bottom, right, top
    if bbox[0] >= bbox[2] or bbox[1] >= bbox[3]:
        raise ParameterError(f"bbox {list(bbox)} is empty: expected left < right and bottom < top.")
    if bbox[0] >= right or bbox[2] <= left or bbox[1] >= top or bbox[3] <= bottom:
        epsg = crs.to_epsg()
        raise GridError(
            f"bbox {list(bbox)} does not meet the scenes, which cover {left:.0f} {bottom:.0f} {right:.0f} "
            f"{top:.0f} in {f'EPSG:{epsg}' if epsg else crs}. Give left, bottom, right, top in that CRS."
        )
    return bbox[0], bbox[1], bbox[2], bbox[3]


def _refuse_islands(names: Sequence[str], covered: Sequence[BoundingBox], gap: float) -> None:
    """Refuse scenes that lie apart: one tile of elsewhere would make a grid that is huge and mostly empty."""
    places = [shapely.box(b.left, b.bottom, b.right, b.top) for b in covered]
    parts = shapely.get_parts(shapely.union_all(shapely.buffer(places, gap)))
    if len(parts) == 1:
        return
    main = max(parts, key=lambda part: sum(part.contains(place) for place in places))
    apart = [name for name, place in zip(names, places, strict=True) if not main.contains(place)]
    raise GridError(
        f"{len(apart)} of {len(names)} scenes lie apart from the others ({', '.join(apart[:5])}): one grid for all "
        f"would be mostly empty. Take products of another place out of the folder (01_download), or give the area you "
        f"want as bbox in 02_preprocess.yaml."
    )


def _finest(date: str, bands: Mapping[str, Band]) -> GeoBox:
    if not bands:
        raise LulcError(f"Scene {date} has no bands.")
    return min((band.geobox for band in bands.values()), key=lambda g: abs(g.resolution.x))
