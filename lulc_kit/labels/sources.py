"""Labels on the study's grid, from polygons or from a class raster.

Label 0 means "no label". A pixel that polygons of two classes claim has no label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from lulc_kit import raster
from lulc_kit.classes import Scheme
from lulc_kit.errors import FormatError, GridError, LulcError, MissingFileError, ParameterError
from lulc_kit.raster import warping

Values = Mapping[str, Sequence[Any]]
VECTOR_SUFFIXES = {".gpkg", ".shp", ".geojson", ".json", ".fgb", ".parquet", ".gml", ".kml", ".sqlite"}


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
    """

    values: npt.NDArray[np.uint8]
    source: npt.NDArray[np.uint32]
    geobox: GeoBox
    scheme: Scheme


def read(
    path: Path,
    geobox: GeoBox,
    scheme: Scheme,
    classes: Values,
    *,
    layer: str | None = None,
    field: str | None = None,
) -> Labels:
    """Read labels from a polygon file or a raster, whichever ``path`` is.

    Parameters
    ----------
    path
        A vector file (by its ending) or a raster.
    geobox
        The study's grid.
    scheme
        The class scheme.
    classes
        For each class name the values of the field, or of the raster, that mean it; ``[low, high]`` is a range with
        both ends included.
    layer, field
        Layer and field of a vector file.

    Raises
    ------
    LulcError
        If the file, layer, field or values are not there, or nothing lies on the grid.
    """
    if Path(path).suffix.lower() in VECTOR_SUFFIXES:
        return from_polygons(path, geobox, scheme, classes, layer=layer, field=field)
    return from_raster(path, geobox, scheme, classes)


def from_polygons(
    path: Path,
    geobox: GeoBox,
    scheme: Scheme,
    classes: Values,
    *,
    layer: str | None = None,
    field: str | None,
) -> Labels:
    """Burn polygons into the grid: a pixel belongs to a polygon that holds its centre (see `read`)."""
    import geopandas as gpd
    import pyogrio
    from rasterio.features import rasterize

    if not Path(path).exists():
        raise MissingFileError(f"Polygons {path} do not exist. Check 'labels' in 05_samples.yaml.")
    try:
        layers = [str(name) for name, _ in pyogrio.list_layers(path)]
        if layer is None and len(layers) > 1:
            raise ParameterError(
                f"{path} has {len(layers)} layers: {', '.join(layers)}. Set 'layer' in 05_samples.yaml."
            )
        if layer is not None and layer not in layers:
            raise ParameterError(f"{path} has no layer {layer!r}. It has: {', '.join(layers)}.")
        polygons = gpd.read_file(path, layer=layer or layers[0])
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise FormatError(f"{path} is not a vector file that GDAL can read ({error}).") from error
    fields = [c for c in polygons.columns if c != "geometry"]
    if field is None or field not in fields:
        raise ParameterError(
            f"{path} has no field {field!r}. It has: {', '.join(fields)}. Set 'field' in 05_samples.yaml."
        )
    if polygons.crs is None:
        raise GridError(f"{path} has no CRS. Set it (in QGIS: Layer > Set CRS, then save) and try again.")
    polygons = polygons.to_crs(geobox.crs.to_wkt())  # type: ignore[union-attr]
    codes = _translate(polygons[field].to_numpy(), scheme, classes, f"field {field!r} of {path}")
    area = polygons.geometry.geom_type.isin(["Polygon", "MultiPolygon"]).to_numpy()
    number = np.arange(1, len(polygons) + 1)
    usable = area & (codes > 0) & ~polygons.geometry.is_empty.to_numpy()

    values = np.zeros(geobox.shape, np.uint8)
    claims = np.zeros(geobox.shape, np.uint8)
    source = np.zeros(geobox.shape, np.uint32)
    options = {"out_shape": tuple(geobox.shape), "transform": geobox.affine}
    for value in np.unique(codes[usable]):
        chosen = usable & (codes == value)
        shapes = list(zip(polygons.geometry[chosen], number[chosen], strict=True))
        burnt = rasterize(shapes, dtype="uint32", fill=0, **options)
        inside = burnt > 0
        values[inside], source[inside] = value, burnt[inside]
        claims += inside
    contested = claims > 1
    values[contested], source[contested] = 0, 0
    if not values.any():
        left, bottom, right, top = polygons.total_bounds
        raise GridError(
            f"No polygon of {path} with a wanted class lies on the study's grid.\n"
            f"  the polygons: {left:.0f} {bottom:.0f} {right:.0f} {top:.0f} ({len(polygons)}, in the grid's CRS)\n"
            f"  the grid:     {' '.join(f'{v:.0f}' for v in geobox.boundingbox)}"
        )
    return Labels(values, source, geobox, scheme)


def from_raster(path: Path, geobox: GeoBox, scheme: Scheme, classes: Values) -> Labels:
    """Take labels from a raster of classes or numbers, brought to the grid by nearest neighbour (see `read`)."""
    with raster.open(path) as source:
        nodata = source.nodata
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
    return Labels(values, np.zeros(geobox.shape, np.uint32), geobox, scheme)


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
            present = sorted({str(v) for v in found[:100_000] if v == v})
            raise ParameterError(
                f"Class {name}: none of {list(wanted)} occurs in {what}. "
                f"Values there: {', '.join(present[:20])}{' …' if len(present) > 20 else ''}."
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
    return Labels(values, np.where(values > 0, labels.source, 0).astype(np.uint32), labels.geobox, labels.scheme)
