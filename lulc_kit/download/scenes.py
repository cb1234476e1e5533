"""Scenes from wherever the parameters say, described as one catalog."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lulc_kit import files, params
from lulc_kit.catalog import Catalog
from lulc_kit.download import own_files, products, sample
from lulc_kit.errors import MissingFileError
from lulc_kit.intake import rasters, vectors
from lulc_kit.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

SOURCES: dict[str, Callable[[params.Download, Layout], Catalog]] = {
    "sample": lambda p, layout: sample.catalog(p.sample, layout),
    "files": lambda p, layout: own_files.catalog(p.scenes, ancillary(p), layout.scenes),
    "products": lambda p, layout: products.catalog(str(p.products), ancillary(p)),
    "simulated": lambda p, layout: products.simulated(layout, size=p.size, tiles=p.tiles, seed=p.seed),
}
"""What each word of the parameter ``source`` does: from the parameters and the study's files to a catalog."""


def get(p: params.Download, layout: Layout) -> Catalog:
    """Bring the scenes into the study's folder (samples), or describe them where they are (one's own files).

    Parameters
    ----------
    p
        Parameters of notebook 01.
    layout
        Where the study's files are.

    Raises
    ------
    LulcError
        See the functions in `SOURCES`.
    """
    return SOURCES[p.source](p, layout)


def describe(p: params.Download) -> "pd.DataFrame | None":
    """Return what the rasters of the first scene, the elevation model and a class raster were understood to say.

    One row for each band, for reading (`lulc_kit.intake.rasters.record`); None where no files are one's own.
    """
    import pandas as pd

    first = p.scenes[0] if p.scenes else None
    named = [] if first is None else [*(first.bands or {}).values(), first.file, first.scl, first.mask]
    if p.reference and not vectors.is_vector(files.resolve(p.reference)):
        named.append(p.reference)
    rows = [rasters.record(rasters.describe(name), name) for name in [*named, p.dem] if name]
    return pd.concat(rows, ignore_index=True) if rows else None


def ancillary(p: params.Download) -> dict[str, Path]:
    """Return the files beside the scenes that the parameters name, by role; a LulcError if one is missing."""
    named = {"reference": p.reference, "dem": p.dem, "roads": p.roads}
    found = {role: files.resolve(name) for role, name in named.items() if name}
    for role, path in found.items():
        if not path.exists():
            raise MissingFileError(f"{role}: {path} does not exist. Check the path in 01_download.yaml.")
    return found
