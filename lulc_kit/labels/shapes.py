"""Labels from polygons and points: which pixels a shape labels, what becomes of each, and what had to be mended."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from lulc_kit.classes import Scheme
from lulc_kit.errors import GridError, LulcError, ParameterError
from lulc_kit.intake import vectors
from lulc_kit.intake.vectors import Vectors
from lulc_kit.labels.sources import LABELLED, PARAMETERS, UNNAMED, Labels
from lulc_kit.late import pd
from lulc_kit.translation import Meanings, meanings, occurring, translate

if TYPE_CHECKING:
    import geopandas as gpd

VALUELESS = "left out: it has no value"
EMPTY = "left out: no geometry"
LINE = "left out: a line, which covers no ground"
OUTSIDE = "left out: outside the study's grid"
TWICE = "left out: the same shape and value as an earlier feature"
ERODED = "left out: nothing of it is farther than 'erode' from its edge"
SMALL = "left out: too small to hold a pixel's centre"
CONTESTED = "left out: claimed by another class, or covered by its own, everywhere"
"""What becomes of a feature, beside what `sources` names."""

_NEAR = {False: 100_000.0, True: 1.0}
"""How far around the grid shapes are taken as they are, in units of projected and of geographic CRSs."""


@dataclass(frozen=True)
class Shapes:
    """Features of one or several files.

    Attributes
    ----------
    geometry
        Their shapes in the CRS of the grid; None where there is none.
    value
        What each is: a value of the field, or the class of its file.
    number
        Where each stands: its number in its file, from 1, with the file's name if there are several.
    what
        What the values are, for messages.
    hint
        What a message about unknown values should add.
    groups
        What each belongs to (region, site); None: nobody asked.
    """

    geometry: gpd.GeoSeries
    value: npt.NDArray[Any]
    number: Sequence[str]
    what: str
    hint: str = ""
    groups: npt.NDArray[Any] | None = None


def gather(
    files: Sequence[tuple[Vectors, str | None]], field: str | None, geobox: GeoBox, group_field: str | None = None
) -> Shapes:
    """Put the features of files together, in the order of the files.

    Parameters
    ----------
    files
        Each file with the class that all its features are; None: ``field`` says it.
    field
        Name of the field with the class.
    geobox
        The grid whose CRS they are brought to.
    group_field
        Name of the field that says what a feature belongs to.

    Raises
    ------
    LulcError
        If a file has no such field, or holds nothing but lines.
    """
    import geopandas as gpd

    parts, values, numbers, groups, hint = [], [], [], [], ""
    for found, name in files:
        table = found.table
        fields = [str(c) for c in table.columns if c != table.geometry.name]
        if name is None and field not in fields:
            raise ParameterError(
                f"{found.path} has no field {field!r}. It has: {', '.join(fields) or 'none'}. Set 'field' in "
                f"{PARAMETERS}; for a file that is one class, write labels: {{Forest: {found.path.name}}}."
            )
        if group_field is not None and group_field not in fields:
            raise ParameterError(
                f"{found.path} has no field {group_field!r}. It has: {', '.join(fields)}. Set 'group_field' in "
                f"{PARAMETERS}."
            )
        groups.append(table[group_field].to_numpy(object) if group_field else np.full(len(table), None))
        words = np.full(len(table), name, object) if name is not None else table[field].to_numpy(object)
        if len(table) and table.geometry.geom_type.isin(["LineString", "MultiLineString", "LinearRing"]).all():
            raise LulcError(
                f"All {len(table)} features of {found.path} are lines, which cover no ground. Make polygons of them "
                f"(in QGIS: Buffer, or Polygonize) or give the file of the areas."
            )
        parts.append(_projected(table.geometry, geobox))
        values.append(words)
        beside = f"{found.path.name} " if len(files) > 1 else ""
        numbers += [f"{beside}{n}" for n in range(1, len(table) + 1)]
        hint = hint or vectors.encoding_hint(found.path, list(words), PARAMETERS)
    paths = ", ".join(str(found.path) for found, _ in files[:5]) + (" …" if len(files) > 5 else "")
    what = f"field {field!r} of {paths}" if any(name is None for _, name in files) else paths
    crs = geobox.crs.to_wkt()  # type: ignore[union-attr]
    geometry = gpd.GeoSeries(pd.concat([g.reset_index(drop=True) for g in parts], ignore_index=True), crs=crs)
    of = np.concatenate(groups) if group_field else None
    return Shapes(geometry, np.concatenate(values), numbers, what, hint, of)


def _projected(geometry: gpd.GeoSeries, geobox: GeoBox) -> gpd.GeoSeries:
    """Bring shapes to the grid's CRS; of those that reach far beyond the grid only what is near it.

    The corners of a country or an ocean may lie where the grid's CRS is not meant for, and its long edges are straight
    in the file's CRS alone. What lies where that CRS has no place at all gets infinite coordinates.
    """
    crs = geobox.crs.to_wkt()  # type: ignore[union-attr]
    if geometry.crs == crs or geometry.empty:
        return geometry.to_crs(crs)
    left, bottom, right, top = geobox.footprint(geometry.crs.to_wkt()).boundingbox
    beyond = max(right - left, top - bottom, _NEAR[geometry.crs.is_geographic])
    near = shapely.box(left - beyond, bottom - beyond, right + beyond, top + beyond)
    box = shapely.box(*geometry.bounds.to_numpy().T)
    far = geometry.geom_type.isin(["Polygon", "MultiPolygon"]) & shapely.intersects(box, near)
    far &= ~shapely.within(box, near)
    cut = geometry.copy()
    if crossed := int((far & ~geometry.is_valid).sum()):
        warnings.warn(
            f"{crossed} invalid polygons reach far beyond the grid: they are repaired in their own CRS, and only what "
            f"of them is near the grid is taken.",
            stacklevel=3,
        )
        cut[far] = geometry[far].make_valid()
    far &= cut.intersects(near)
    cut[far] = cut[far].intersection(near)
    placed = cut.to_crs(crs)
    nowhere = ~vectors.finite(placed)
    placed[nowhere] = [_somewhere(shape, geometry.crs, crs) for shape in cut[nowhere]]
    return placed


def _somewhere(shape: Any, source: Any, crs: str) -> Any:
    """Return what of a shape, in its own CRS, has a place in another one; a point at infinity if nothing has."""
    import geopandas as gpd

    placed = gpd.GeoSeries(_taken_apart(shape), crs=source).to_crs(crs)
    placed = placed[vectors.finite(placed) & ~placed.is_empty]
    if placed.empty:
        return shapely.Point(np.inf, np.inf)
    kinds = set(placed.geom_type)
    collected = {"Point": shapely.MultiPoint, "Polygon": shapely.MultiPolygon}.get(*kinds) if len(kinds) == 1 else None
    return (collected or shapely.GeometryCollection)(list(placed))


def burn(
    shapes: Shapes,
    geobox: GeoBox,
    scheme: Scheme | None,
    classes: Meanings | None,
    *,
    point_radius: float = 0.0,
    erode: float = 0.0,
    all_touched: bool = False,
    partial: bool = False,
) -> Labels:
    """Label the pixels of a grid with the shapes that cover them.

    A pixel belongs to a polygon that holds its centre, and to a point that it holds. A pixel that shapes of two classes
    claim gets no label. Collections are taken apart and invalid polygons repaired; what was mended, what became of
    every feature, and where classes overlap stands in the result's tables; a warning names values that no class names.

    Parameters
    ----------
    shapes
        From `gather`.
    geobox
        The grid.
    scheme, classes
        The classes and the values that mean them; None as in `translation.meanings`.
    point_radius
        A point labels all pixels whose centre is at most so far, beside the one it lies in; metres.
    erode
        Polygons shrink by so much on all sides, metres.
    all_touched
        A polygon labels every pixel that it touches.
    partial
        Classes may be missing.

    Raises
    ------
    LulcError
        If nothing lies on the grid, or a class would be lost.
    """
    try:
        scheme, classes = meanings(shapes.value, scheme, classes)
        classes = occurring(shapes.value, classes) if partial else classes
        codes = translate(shapes.value, scheme, classes, shapes.what)
    except ParameterError as error:
        raise ParameterError(f"{error}{shapes.hint}") from None
    parts, of, fate, mended = _prepared(shapes, geobox, point_radius, erode)
    fate[codes == 0] = UNNAMED
    fate[pd.isna(shapes.value)] = VALUELESS
    drawable = [(part, unit) for part, unit in parts if fate[of[unit] - 1] == LABELLED]
    claims = _claims(drawable, codes[of[1:] - 1], geobox, all_touched)
    values, source = np.zeros(geobox.shape, np.uint8), np.zeros(geobox.shape, np.uint32)
    times, burnt_once = np.zeros(geobox.shape, np.uint8), np.zeros(len(codes) + 1, bool)
    for value, (pixels, numbers) in claims.items():
        values.flat[pixels], source.flat[pixels] = value, numbers
        times.flat[pixels] = np.minimum(times.flat[pixels], 1) + 1
        burnt_once[of[numbers]] = True
    contested = times > 1
    values[contested], source[contested] = 0, 0
    labelled = np.bincount(of[source.ravel()], minlength=len(codes) + 1)[1:]
    drawn = fate == LABELLED
    dots = shapes.geometry.geom_type.isin(["Point", "MultiPoint"]).to_numpy()
    fate[drawn & ~burnt_once[1:]] = np.where(dots, OUTSIDE, SMALL)[drawn & ~burnt_once[1:]]  # on the grid's far edge
    fate[drawn & burnt_once[1:] & (labelled == 0)] = CONTESTED
    account = _account(shapes.value, codes, fate, labelled, scheme)
    if not partial or not source.any():
        _refuse_lost(shapes, account, classes, geobox)
    _warn_of_unnamed(shapes, account)
    return Labels(
        values,
        source,
        geobox,
        scheme,
        account,
        mended,
        _overlaps(
            {v: (pixels, of[n].astype(np.uint32)) for v, (pixels, n) in claims.items()},
            contested,
            shapes.number,
            scheme,
        ),
        None if shapes.groups is None else shapes.groups[of[1:] - 1],
    )


def _prepared(
    shapes: Shapes, geobox: GeoBox, point_radius: float, erode: float
) -> tuple[list[tuple[Any, int]], npt.NDArray[np.intp], npt.NDArray[Any], pd.DataFrame]:
    """Return single polygons and points, each with its number, and what becomes of the features they are of.

    The first part of a feature has the feature's own number, from 1; the other parts of one that has several follow
    after the last feature: all woods of a file dissolved into one feature are still as many woods, far apart.

    Returns
    -------
    list of (geometry, int)
        What is to be drawn; a part that was eroded to pieces has its number in each.
    numpy.ndarray
        Feature of each part by its number; 0 for number 0.
    numpy.ndarray
        What is to become of each feature.
    pandas.DataFrame
        What was mended.
    """
    fate = np.full(len(shapes.geometry), LABELLED, dtype=object)
    of = list(range(len(shapes.geometry) + 1))
    parts: list[tuple[Any, int]] = []
    mended: dict[str, list[str]] = {}
    seen: set[tuple[bytes, object]] = set()
    grid = geobox.extent.geom
    for n, (shape, value, number) in enumerate(zip(shapes.geometry, shapes.value, shapes.number, strict=True), 1):
        if shape is None or shape.is_empty:
            fate[n - 1] = EMPTY
            continue
        if not np.isfinite(shapely.get_coordinates(shape)).all():  # the grid's CRS has no place for it
            fate[n - 1] = OUTSIDE
            continue
        key = (shapely.normalize(shapely.force_2d(shape)).wkb, value)
        if key in seen:
            fate[n - 1] = TWICE
            continue
        seen.add(key)
        shape, what = _mend(shape)
        for fault in what:
            mended.setdefault(fault, []).append(number)
        whole = [g for g in _taken_apart(shape) if g.geom_type in ("Polygon", "Point")]
        if not any(g.intersects(grid) for g in whole or [shape]):
            fate[n - 1] = OUTSIDE
        elif not whole:
            fate[n - 1] = LINE
        else:
            drawn = len(parts)
            for k, part in enumerate(whole):
                if k:
                    of.append(n)
                parts += [(piece, len(of) - 1 if k else n) for piece in _resized(part, point_radius, erode)]
            fate[n - 1] = LABELLED if len(parts) > drawn else ERODED
    rows = [(what, len(numbers), _listed(numbers)) for what, numbers in mended.items()]
    return parts, np.array(of), fate, pd.DataFrame(rows, columns=["mended", "features", "which"])


def _mend(shape: Any) -> tuple[Any, list[str]]:
    """Return a shape that can be drawn, and what had to be done for it."""
    what = []
    if shape.has_z:
        what.append("heights dropped")
        shape = shapely.force_2d(shape)
    if not shape.is_valid:
        what.append("invalid polygon repaired")
        shape = shapely.make_valid(shape)
    if shape.geom_type == "GeometryCollection":
        what.append("collection taken apart, its lines left out")
    return shape, what


def _resized(part: Any, point_radius: float, erode: float) -> list[Any]:
    if part.geom_type == "Point":
        return [part, part.buffer(point_radius, 64)] if point_radius else [part]
    return [g for g in _taken_apart(part.buffer(-erode)) if not g.is_empty] if erode else [part]


def _taken_apart(shape: Any) -> list[Any]:
    parts = shapely.get_parts(shape).tolist()
    return [g for part in parts for g in (_taken_apart(part) if hasattr(part, "geoms") else [part])]


_Claims = dict[int, tuple[npt.NDArray[np.intp], npt.NDArray[np.uint32]]]


def _claims(
    parts: Sequence[tuple[Any, int]], codes: npt.NDArray[np.uint8], geobox: GeoBox, all_touched: bool
) -> _Claims:
    """Return for each class value the pixels it claims, flat, and the feature that claims each."""
    found = {}
    for value in np.unique(codes[codes > 0]):
        chosen = [(part, n) for part, n in parts if codes[n - 1] == value]
        if chosen:
            burnt = rasterize(
                chosen,
                out_shape=tuple(geobox.shape),
                transform=geobox.affine,
                dtype="uint32",
                fill=0,
                all_touched=all_touched,
            )
            pixels = np.flatnonzero(burnt)
            found[int(value)] = (pixels, burnt.flat[pixels])
    return found


def _overlaps(claims: _Claims, contested: npt.NDArray[np.bool_], number: Sequence[str], scheme: Scheme) -> pd.DataFrame:
    """List which classes claim the same pixels, how many, and the features that do."""
    place = np.cumsum(contested.ravel()) - 1
    flat = contested.ravel()
    who = {value: (place[p[flat[p]]], n[flat[p]]) for value, (p, n) in claims.items() if flat[p].any()}
    names = {c.value: c.name for c in scheme.classes}
    rows = []
    for one, (pixels, numbers) in who.items():
        for other, (others, other_numbers) in who.items():
            both, here, there = np.intersect1d(pixels, others, assume_unique=True, return_indices=True)
            if one < other and len(both):
                ours, theirs = np.unique(numbers[here]), np.unique(other_numbers[there])
                listed = [_listed([number[n - 1] for n in found]) for found in (ours, theirs)]
                rows.append((names[one], listed[0], names[other], listed[1], len(both)))
    columns = ["class", "features", "other class", "its features", "pixels without label"]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[-1], ascending=False, ignore_index=True)


def _listed(numbers: Sequence[str]) -> str:
    return ", ".join(numbers[:10]) + (f" … ({len(numbers)})" if len(numbers) > 10 else "")


def _account(
    words: npt.NDArray[Any],
    codes: npt.NDArray[np.uint8],
    fate: npt.NDArray[Any],
    labelled: npt.NDArray[np.integer],
    scheme: Scheme,
) -> pd.DataFrame:
    names = {c.value: c.name for c in scheme.classes} | {0: "–"}
    rows = pd.DataFrame(
        {
            "class": [names[int(c)] for c in codes],
            "value": [repr(w) if isinstance(w, str) else str(w) for w in words],
            "became": fate,
            "pixels": labelled,
        }
    )
    grouped = rows.groupby(["class", "value", "became"])
    return grouped.agg(features=("pixels", "size"), pixels=("pixels", "sum")).reset_index()


def _refuse_lost(shapes: Shapes, account: pd.DataFrame, classes: Meanings, geobox: GeoBox) -> None:
    pixels = account.groupby("class")["pixels"].sum()
    lost = [name for name in classes if pixels.get(name, 0) == 0]
    if not lost:
        return
    of_class = account[account["class"].isin(lost)]
    became = set(of_class["became"])
    if len(lost) == len(classes) and OUTSIDE in became and became <= {OUTSIDE, LINE, EMPTY}:
        placed = shapes.geometry[vectors.finite(shapes.geometry)].dropna()
        where = " ".join(f"{v:.0f}" for v in placed.total_bounds) if len(placed) else "so far that they have no place"
        box = geobox.boundingbox
        swapped = _exchanged(placed, geobox)
        raise GridError(
            f"No feature of {shapes.what} with a wanted class lies on the study's grid.\n"
            f"  the features: {where} (in the grid's CRS)\n"
            f"  the grid:     {' '.join(f'{v:.0f}' for v in box)}"
            + ("\nWith latitude and longitude exchanged they would: exchange them in the file." if swapped else "")
        )
    why = [f"{n}: " + ", ".join(_counts(of_class[of_class["class"] == n])) for n in lost]
    raise LulcError(
        f"No pixel of {', '.join(lost)} would be labelled by {shapes.what} ({'; '.join(why)}). Draw larger polygons, "
        f"give points, set all_touched: true, mend overlaps, or leave the class out of 'classes' in {PARAMETERS}."
    )


def _exchanged(geometry: gpd.GeoSeries, geobox: GeoBox) -> bool:
    """Whether features would lie on a grid if their latitudes were longitudes."""
    turned = geometry.to_crs(4326).dropna().map(lambda shape: shapely.transform(shape, lambda c: c[:, ::-1]))
    on_grid = turned.set_crs(4326, allow_override=True).to_crs(geometry.crs)
    return bool(on_grid.intersects(shapely.box(*geobox.boundingbox)).any())


def _counts(rows: pd.DataFrame) -> list[str]:
    return [f"{count} {became}" for became, count in rows.groupby("became")["features"].sum().items()]


def _warn_of_unnamed(shapes: Shapes, account: pd.DataFrame) -> None:
    left = account[account["became"] == UNNAMED]
    if len(left):
        shown = [f"{row.value} ({row.features})" for row in left.head(20).itertuples()]
        warnings.warn(
            f"{int(left['features'].sum())} features have no label, because no class names their value of "
            f"{shapes.what}: {', '.join(shown)}{' …' if len(left) > 20 else ''}. If a spelling is meant, add it to its "
            f"class in {PARAMETERS}.",
            stacklevel=3,
        )
