"""Labels on the study's grid, from polygons and points or from a class raster.

Label 0 means "no label". A pixel that polygons of two classes claim has no label.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from lulc_kit import raster
from lulc_kit.classes import Scheme
from lulc_kit.errors import GridError, LulcError, ParameterError
from lulc_kit.intake import vectors
from lulc_kit.intake.vectors import Vectors
from lulc_kit.raster import warping

if TYPE_CHECKING:
    import geopandas as gpd

Values = Mapping[str, Sequence[Any]]
PARAMETERS = "05_samples.yaml"

LABELLED = "labelled"
UNNAMED = "left out: no class names the value"
EMPTY = "left out: no geometry"
LINE = "left out: a line, which covers no ground"
OUTSIDE = "left out: outside the study's grid"
SMALL = "left out: too small to hold a pixel's centre"
CONTESTED = "left out: claimed by another class, or covered by its own, everywhere"
"""What becomes of a feature."""


@dataclass(frozen=True)
class Labels:
    """Labels on a grid.

    Attributes
    ----------
    values
        uint8, shape (row, column): class value, 0 for no label.
    source
        uint32, shape (row, column): number of the polygon (from 1, as in the file), or 0. For labels from a raster
        all are 0.
    geobox
        The grid.
    scheme
        The classes that were asked for.
    account
        What became of every feature and value: class, value, what it became, features (of a vector file), pixels.
    """

    values: npt.NDArray[np.uint8]
    source: npt.NDArray[np.uint32]
    geobox: GeoBox
    scheme: Scheme
    account: pd.DataFrame | None = None


def read(
    path: Path,
    geobox: GeoBox,
    scheme: Scheme,
    classes: Values,
    *,
    layer: str | None = None,
    field: str | None = None,
    encoding: str | None = None,
) -> Labels:
    """Read labels from a vector file or a raster, whichever ``path`` is.

    Parameters
    ----------
    path
        A file of polygons or points, or a raster.
    geobox
        The study's grid.
    scheme
        The class scheme.
    classes
        For each class name the values of the field, or of the raster, that mean it; ``[low, high]`` is a range with
        both ends included.
    layer, field, encoding
        Layer and field of a vector file, and the encoding of its words if it does not say.

    Raises
    ------
    LulcError
        If the file, layer, field or values are not there, nothing lies on the grid, or a class would be lost.
    """
    if vectors.is_vector(path) or not path.exists():
        found = vectors.read(path, layer=layer, encoding=encoding, parameters=PARAMETERS)
        return from_features(found, geobox, scheme, classes, field=field)
    return from_raster(path, geobox, scheme, classes)


def from_features(found: Vectors, geobox: GeoBox, scheme: Scheme, classes: Values, *, field: str | None) -> Labels:
    """Burn polygons and points into the grid (see `read`).

    A pixel belongs to a polygon that holds its centre, and to a point that it holds. Collections are taken apart,
    invalid polygons repaired. What became of every feature, and of every value of the field, stands in
    `Labels.account`; a warning names the values that no class names.
    """
    path, table = found.path, found.table
    fields = [str(c) for c in table.columns if c != table.geometry.name]
    if field is None or field not in fields:
        raise ParameterError(
            f"{path} has no field {field!r}. It has: {', '.join(fields)}. Set 'field' in 05_samples.yaml."
        )
    words = table[field].to_numpy()
    try:
        codes = _translate(words, scheme, classes, f"field {field!r} of {path}")
    except ParameterError as error:
        raise ParameterError(f"{error}{vectors.encoding_hint(path, words, PARAMETERS)}") from None
    geometry = table.geometry.to_crs(geobox.crs.to_wkt())  # type: ignore[union-attr]
    shapes, fate = _shapes(geometry, geobox)
    fate[codes == 0] = UNNAMED
    values, source = np.zeros(geobox.shape, np.uint8), np.zeros(geobox.shape, np.uint32)
    claims, burnt_once = np.zeros(geobox.shape, np.uint8), np.zeros(len(codes) + 1, bool)
    for value in np.unique(codes[codes > 0]):
        chosen = [(shape, n) for shape, n in shapes if codes[n - 1] == value]
        if not chosen:
            continue
        burnt = rasterize(chosen, out_shape=tuple(geobox.shape), transform=geobox.affine, dtype="uint32", fill=0)
        inside = burnt > 0
        values[inside], source[inside] = value, burnt[inside]
        burnt_once[np.unique(burnt)] = True
        claims += inside
    contested = claims > 1
    values[contested], source[contested] = 0, 0
    labelled = np.bincount(source.ravel(), minlength=len(codes) + 1)[1:]
    drawn = np.isin(fate, [LABELLED])
    fate[drawn & ~burnt_once[1:]] = SMALL
    fate[drawn & burnt_once[1:] & (labelled == 0)] = CONTESTED
    account = _account(words, codes, fate, labelled, scheme)
    _refuse_lost(path, account, classes, geometry.total_bounds, geobox)
    _warn_of_unnamed(path, field, account)
    return Labels(values, source, geobox, scheme, account)


def _shapes(geometry: "gpd.GeoSeries", geobox: GeoBox) -> tuple[list[tuple[Any, int]], npt.NDArray[Any]]:
    """Return polygons and points with the number of their feature, and what is to become of each feature."""
    fate = np.full(len(geometry), LABELLED, dtype=object)
    shapes: list[tuple[Any, int]] = []
    grid = geobox.extent.geom
    for n, shape in enumerate(geometry, 1):
        if shape is None or shape.is_empty:
            fate[n - 1] = EMPTY
            continue
        whole = shape if shape.is_valid else shapely.make_valid(shape)
        parts = [g for g in _taken_apart(whole) if g.geom_type in ("Polygon", "Point")]
        if not parts:
            fate[n - 1] = LINE
        elif not any(g.intersects(grid) for g in parts):
            fate[n - 1] = OUTSIDE
        else:
            shapes += [(g, n) for g in parts]
    return shapes, fate


def _taken_apart(shape: Any) -> list[Any]:
    parts = shapely.get_parts(shape).tolist()
    return [g for part in parts for g in (_taken_apart(part) if hasattr(part, "geoms") else [part])]


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


def _refuse_lost(
    path: Path, account: pd.DataFrame, classes: Values, bounds: npt.NDArray[np.float64], geobox: GeoBox
) -> None:
    pixels = account.groupby("class")["pixels"].sum()
    lost = [name for name in classes if pixels.get(name, 0) == 0]
    if not lost:
        return
    of_class = account[account["class"].isin(lost)]
    became = set(of_class["became"])
    if len(lost) == len(classes) and OUTSIDE in became and became <= {OUTSIDE, LINE, EMPTY}:
        left, bottom, right, top = bounds
        box = geobox.boundingbox
        raise GridError(
            f"No feature of {path} with a wanted class lies on the study's grid.\n"
            f"  the features: {left:.0f} {bottom:.0f} {right:.0f} {top:.0f} (in the grid's CRS)\n"
            f"  the grid:     {' '.join(f'{v:.0f}' for v in box)}"
        )
    why = [f"{n}: " + ", ".join(_counts(of_class[of_class["class"] == n])) for n in lost]
    raise LulcError(
        f"No pixel of {', '.join(lost)} would be labelled by {path} ({'; '.join(why)}). Draw larger polygons or give "
        f"points, mend overlaps, or leave the class out of 'classes' in 05_samples.yaml."
    )


def _counts(rows: pd.DataFrame) -> list[str]:
    return [f"{count} {became}" for became, count in rows.groupby("became")["features"].sum().items()]


def _warn_of_unnamed(path: Path, field: str, account: pd.DataFrame) -> None:
    left = account[account["became"] == UNNAMED]
    if len(left):
        shown = [f"{row.value} ({row.features})" for row in left.head(20).itertuples()]
        warnings.warn(
            f"{int(left['features'].sum())} features of {path.name} have no label, because no class names their value "
            f"of {field!r}: {', '.join(shown)}{' …' if len(left) > 20 else ''}. If a spelling is meant, add it to its "
            f"class in {PARAMETERS}.",
            stacklevel=4,
        )


def from_raster(path: Path, geobox: GeoBox, scheme: Scheme, classes: Values) -> Labels:
    """Take labels from a raster of classes or numbers, brought to the grid by nearest neighbour (see `read`)."""
    nodata = raster.header(path).nodata[0]
    numbers = warping.warp(path, geobox, resampling="nearest", dtype=np.float64).compute()
    if nodata is not None:
        numbers[numbers == nodata] = np.nan
    values = _translate(numbers.ravel(), scheme, classes, str(path)).reshape(numbers.shape)
    if not values.any():
        present = np.unique(numbers[np.isfinite(numbers)])[:20]
        raise GridError(
            f"No pixel of {path} on the study's grid has a value of a wanted class. "
            f"Values found there: {', '.join(f'{v:g}' for v in present) or 'none'}. Check 'classes' in 05_samples.yaml."
        )
    known = np.isfinite(numbers)
    found, first, counts = np.unique(numbers[known], return_index=True, return_counts=True)
    names = {c.value: c.name for c in scheme.classes} | {0: "–"}
    codes = values[known][first].tolist()
    account = pd.DataFrame({"class": [names[c] for c in codes], "value": found, "pixels": counts})
    account.insert(2, "became", [LABELLED if c else UNNAMED for c in codes])
    return Labels(values, np.zeros(geobox.shape, np.uint32), geobox, scheme, account)


def _translate(found: npt.NDArray[Any], scheme: Scheme, classes: Values, what: str) -> npt.NDArray[np.uint8]:
    codes = np.zeros(len(found), np.uint8)
    used: dict[object, str] = {}
    for name, wanted in classes.items():
        value = scheme.named(name).value
        for want in wanted:
            if isinstance(want, list | tuple):
                low, high = want
                if low > high:
                    raise ParameterError(f"Class {name}: the range [{low:g}, {high:g}] is empty; write [low, high].")
                try:
                    chosen = (found >= low) & (found <= high)
                except TypeError:
                    raise ParameterError(
                        f"Class {name}: the range [{low:g}, {high:g}] needs numbers, but {what} holds words. "
                        f"Name the words that mean the class."
                    ) from None
            else:
                chosen = found == want
            taken = chosen & (codes > 0) & (codes != value)
            if taken.any():
                raise ParameterError(
                    f"Class {name}: value {found[taken][0]} of {what} is given to {used[codes[taken][0]]} already. "
                    f"Each value can mean one class."
                )
            codes[chosen] = value
        used[value] = name
        if len(found) and not (codes == value).any():
            there = [v for v in found[:100_000] if v == v and v is not None]
            present = sorted({str(v) for v in there})
            words = any(isinstance(v, str) for v in there) and not any(isinstance(v, str) for v in wanted)
            raise ParameterError(
                f"Class {name}: none of {list(wanted)} occurs in {what}. "
                f"Values there: {', '.join(present[:20])}{' …' if len(present) > 20 else ''}."
                + (" They are text: write them in quotes." if words else "")
            )
    return codes


def usable(labels: Labels, valid: npt.NDArray[np.bool_]) -> Labels:
    """Drop labels where the features have no data (cloud, shadow, swath edge).

    Parameters
    ----------
    labels
        Labels on the grid.
    valid
        Shape (row, column): pixels with all features.

    Raises
    ------
    LulcError
        If a class, or every label, is lost.
    """
    values = np.where(valid, labels.values, 0).astype(np.uint8)
    lost = sorted(set(np.unique(labels.values)) - set(np.unique(values)) - {0})
    if lost:
        names = [c.name for c in labels.scheme.classes if c.value in lost]
        raise LulcError(
            f"No pixel of {', '.join(names)} is left where the features have data: all lie under cloud, shadow or "
            f"nodata. Leave the class out of 'classes', or use another date."
        )
    if len(np.unique(values[values > 0])) < 2:
        raise LulcError(
            "The labels have a single class. A classifier needs at least two: add classes in 05_samples.yaml."
        )
    source = np.where(values > 0, labels.source, 0).astype(np.uint32)
    return Labels(values, source, labels.geobox, labels.scheme, labels.account)
