"""Scenes from wherever the parameters say, described as one catalog."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lulc_kit import files, params
from lulc_kit.catalog import Catalog
from lulc_kit.download import own_files, products, sample, stac
from lulc_kit.errors import MissingFileError
from lulc_kit.intake import rasters, tables, vectors
from lulc_kit.layout import Layout

SOURCES: dict[str, Callable[[params.Download, Layout], Catalog]] = {
    "sample": lambda p, layout: sample.catalog(p.sample, layout),
    "files": lambda p, layout: own_files.catalog(p.scenes, ancillary(p), layout.scenes),
    "products": lambda p, layout: products.catalog(str(p.products), ancillary(p)),
    "simulated": lambda p, layout: products.simulated(layout, size=p.size, tiles=p.tiles, seed=p.seed),
    "stac": stac.catalog,
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
    found = SOURCES[p.source](p, layout)
    named = {"reference": p.reference, "dem": p.dem, "roads": p.roads}
    return replace(found, understood={role: _understood(name) for role, name in named.items() if name})


def _understood(name: str) -> list[dict[str, Any]]:
    """Return what a file beside the scenes was understood to say: a row for each band, or layer."""
    path = files.resolve(name)
    if path.suffix.lower() in tables.SUFFIXES:
        return []
    return vectors.describe(path) if vectors.is_vector(path) else rasters.rows(rasters.describe(name), name)


def ancillary(p: params.Download) -> dict[str, Path]:
    """Return the files beside the scenes that the parameters name, by role; a LulcError if one is missing."""
    named = {"reference": p.reference, "dem": p.dem, "roads": p.roads}
    found = {role: files.resolve(name) for role, name in named.items() if name}
    for role, path in found.items():
        if not path.exists():
            raise MissingFileError(f"{role}: {path} does not exist. Check the path in 01_download.yaml.")
    return found
