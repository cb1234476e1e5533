"""What notebook 05 leaves behind: labels, folds, the table of samples, and the classes that occur."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import xarray as xr

from lulc_kit import catalog, classes, files, params, raster
from lulc_kit.errors import LulcError
from lulc_kit.labels import sources as labels
from lulc_kit.labels.sources import Labels
from lulc_kit.labels.splits import Folds, to_raster
from lulc_kit.raster import writing


def source(p: params.Samples, folder: Path) -> Path:
    """Return the file that the labels come from: a path, or the catalog's reference."""
    if p.labels != "reference":
        return files.resolve(p.labels)
    found = catalog.read(folder / "catalog.json").ancillary
    if "reference" not in found:
        raise LulcError(
            "labels: reference, but notebook 01 was given no reference. Set 'reference' in 01_download.yaml, "
            "or the path of your polygons or class raster as 'labels' in 05_samples.yaml."
        )
    return found["reference"]


def read(p: params.Samples, folder: Path, stack: xr.DataArray) -> Labels:
    """Read the labels that the parameters name, where the stack has all its features."""
    geobox = stack.odc.geobox
    found = labels.read(source(p, folder), geobox, classes.scheme(p.scheme), p.classes, layer=p.layer, field=p.field)
    valid = np.asarray(stack.notnull().all("band").data.compute())
    return labels.usable(found, valid)


def separation(p: params.Samples) -> str:
    """Say in words how test pixels are kept apart from training pixels."""
    apart = f", training at least {p.gap:g} m away from any test pixel" if p.gap else ""
    whole = " and whole polygons" if p.field is not None else ""
    return f"{p.folds} folds of whole {p.block:g} m blocks{whole}{apart}"


def write(found: Labels, folds: Folds, table: gpd.GeoDataFrame, p: params.Samples, folder: Path) -> None:
    """Write labels.tif, folds.tif, samples.parquet and classes.json."""
    occurring = found.scheme.subset(np.unique(found.values))
    writing.write(
        folder / "samples/labels.tif",
        raster.array(found.values[None], found.geobox, ["label"]),
        dtype="uint8",
        nodata=0,
        colours={c.value: c.rgb for c in occurring.classes},
        tags={"classes": "; ".join(f"{c.value} {c.name}" for c in occurring.classes)},
    )
    writing.write(folder / "samples/folds.tif", to_raster(found, folds), dtype="uint32", nodata=0)
    with files.replacing(folder / "samples/samples.parquet") as part:
        table.to_parquet(part)
    about = {"scheme": occurring.to_dict(), "separation": separation(p)}
    files.write_json(folder / "samples/classes.json", about)
