"""What notebook 05 reads and leaves behind: labels, folds, the table of samples, and the classes that occur."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from lulc_kit import catalog, classes, files, params, raster
from lulc_kit.classes import Scheme
from lulc_kit.distance import distance
from lulc_kit.errors import ParameterError
from lulc_kit.intake import rasters, tables, vectors
from lulc_kit.intake.vectors import Vectors
from lulc_kit.labels import class_maps, schemes, shapes, sources, value_names
from lulc_kit.labels.sources import Labels
from lulc_kit.labels.splits import Folds, to_raster
from lulc_kit.labels.translation import Meanings
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples


def read(p: params.Samples, layout: Layout, stack: xr.DataArray) -> Labels:
    """Read the labels that the parameters name, where the stack has all its features and no test set lies."""
    found = _labelled(_named(p, layout), p, stack.odc.geobox, layout, *_asked(p))
    found = replace(found, scheme=classes.recoloured(found.scheme, p.colours))
    test = validation(p, layout, found)
    if test is not None:
        resolution = abs(found.geobox.resolution.x)
        found = found.only(distance(test.values > 0, max(p.gap, resolution) / resolution) * resolution >= p.gap)
    return sources.usable(found, np.asarray(stack.notnull().all("band").data.compute()))


def validation(p: params.Samples, layout: Layout, found: Labels) -> Labels | None:
    """Read the independent test set that the parameters name, on the grid and in the classes of the labels found."""
    if p.validation is None:
        return None
    if not vectors.is_vector(files.located(p.validation)) and not _is_text(files.located(p.validation)):
        raise ParameterError(f"validation: {p.validation} is no file of polygons or points.")
    return _labelled([(p.validation, None)], p, found.geobox, layout, found.scheme, p.classes, partial=True)


def _asked(p: params.Samples) -> tuple[Scheme | None, Meanings | None]:
    """Return the classes and what means them, as far as the parameters say."""
    if p.scheme is None or p.scheme in classes.SCHEMES:
        return classes.scheme(p.scheme) if p.scheme else None, p.classes
    return schemes.read(files.located(p.scheme)), p.classes


def _named(p: params.Samples, layout: Layout) -> list[tuple[str, str | None]]:
    """Return the files of the labels, each with the class that all of it is, if it is one."""
    if isinstance(p.labels, dict):
        return [(name, of) for of, name in p.labels.items()]
    names = [p.labels] if isinstance(p.labels, str) else p.labels
    return [(str(_reference(layout)) if name == "reference" else name, None) for name in names]


def _reference(layout: Layout) -> Path:
    found = catalog.read(layout.catalog).ancillary
    if "reference" not in found:
        raise ParameterError(
            "labels: reference, but notebook 01 was given no reference. Set 'reference' in 01_download.yaml, "
            "or the path of your polygons or class raster as 'labels' in 05_samples.yaml."
        )
    return found["reference"]


def _labelled(
    named: Sequence[tuple[str, str | None]],
    p: params.Samples,
    geobox: GeoBox,
    layout: Layout,
    scheme: Scheme | None,
    wanted: Meanings | None,
    *,
    partial: bool = False,
) -> Labels:
    """Read labels from files of shapes, or from class maps."""
    drawn = [
        not files.located(n).exists() or vectors.is_vector(files.located(n)) or _is_text(files.located(n))
        for n, _ in named
    ]
    if all(drawn):
        found = shapes.gather([(_shapes(name, p), of) for name, of in named], p.field, geobox)
        return shapes.burn(
            found,
            geobox,
            scheme,
            wanted,
            point_radius=p.point_radius,
            erode=p.erode,
            all_touched=p.all_touched,
            partial=partial,
        )
    if any(drawn) or any(of for _, of in named):
        raise ParameterError(
            "labels: a file for each class, and files in a list together with others, are files of polygons or points; "
            f"{named[drawn.index(False)][0]} is a class map. Give class maps alone, or in a list of their own."
        )
    plain = [rasters.plain(rasters.describe(name, sources.PARAMETERS), name, layout.reference) for name, _ in named]
    return class_maps.read(plain, geobox, scheme, wanted, value_names.read(files.located(named[0][0])))


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in tables.SUFFIXES


def _shapes(name: str, p: params.Samples) -> Vectors:
    """Open a file of polygons or points; of a text, the columns of the coordinates are parameters."""
    path = files.located(name)
    if not _is_text(path):
        return vectors.read(path, layer=p.layer, encoding=p.encoding, crs=p.labels_crs, parameters=sources.PARAMETERS)
    if p.table_x is None or p.table_y is None or p.table_crs is None:
        raise ParameterError(
            f"{path} is a table. For points with a class, name the columns of their coordinates: table_x, table_y and "
            f"table_crs in 05_samples.yaml; for pixel values with a class, name its column: table_class."
        )
    table = tables.read(path, p.encoding)
    return Vectors(tables.points(table, p.table_x, p.table_y, p.table_crs, path), path.stem, path)


def separation(p: params.Samples) -> str:
    """Say in words how test pixels are kept apart from training pixels."""
    apart = f", training at least {p.gap:g} m away from any test pixel" if p.gap else ""
    whole = " and whole polygons" if p.field is not None else ""
    return f"{p.folds} folds of whole {p.block:g} m blocks{whole}{apart}"


def write(found: Labels, folds: Folds, table: gpd.GeoDataFrame, p: params.Samples, layout: Layout) -> None:
    """Write the table of samples, the labels, the folds, and the classes that occur."""
    occurring = found.scheme.subset(np.unique(found.values))
    labels = raster.array(found.values[None], found.geobox, ["label"])
    Samples(table, occurring, separation(p), labels, to_raster(found, folds)).write(layout)
