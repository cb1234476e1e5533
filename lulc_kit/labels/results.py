"""What notebook 05 reads and leaves behind: labels, folds, the table of samples, and the classes that occur."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import xarray as xr

from lulc_kit import catalog, classes, files, params, raster
from lulc_kit.errors import ParameterError
from lulc_kit.intake import rasters, vectors
from lulc_kit.labels import sources
from lulc_kit.labels.sources import Labels
from lulc_kit.labels.splits import Folds, to_raster
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples


def source(p: params.Samples, layout: Layout) -> Path:
    """Return the file that the labels come from: a path, or the catalog's reference; of a raster a plain one."""
    path = files.located(p.labels) if p.labels != "reference" else _reference(layout)
    if vectors.is_vector(path) or not path.exists():
        return path
    name = p.labels if p.labels != "reference" else path
    return rasters.plain(rasters.describe(name, "05_samples.yaml"), name, layout.reference)


def _reference(layout: Layout) -> Path:
    found = catalog.read(layout.catalog).ancillary
    if "reference" not in found:
        raise ParameterError(
            "labels: reference, but notebook 01 was given no reference. Set 'reference' in 01_download.yaml, "
            "or the path of your polygons or class raster as 'labels' in 05_samples.yaml."
        )
    return found["reference"]


def read(p: params.Samples, layout: Layout, stack: xr.DataArray) -> Labels:
    """Read the labels that the parameters name, where the stack has all its features."""
    scheme = classes.scheme(p.scheme)
    named = {"layer": p.layer, "field": p.field, "encoding": p.encoding}
    found = sources.read(source(p, layout), stack.odc.geobox, scheme, p.classes, **named)
    valid = np.asarray(stack.notnull().all("band").data.compute())
    return sources.usable(found, valid)


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
