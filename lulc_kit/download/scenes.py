"""Scenes from wherever the parameters say, described as one catalog, with what lies beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lulc_kit import files, params
from lulc_kit.catalog import Catalog
from lulc_kit.download import area, beside, maps, own_files, products, sample, secrets, stac, vintage, whole
from lulc_kit.download.choose import Choice, choose
from lulc_kit.download.search import find
from lulc_kit.intake import rasters, tables, vectors
from lulc_kit.late import pd
from lulc_kit.layout import Layout

SOURCES: dict[str, Callable[[params.Download, Layout, Choice | None], Catalog]] = {
    "sample": lambda p, layout, _: sample.catalog(p.sample, layout),
    "files": lambda p, layout, _: own_files.catalog(p.scenes, ancillary(p), layout.scenes),
    "products": lambda p, layout, _: products.catalog(str(p.products), ancillary(p), layout.scenes),
    "simulated": lambda p, layout, _: _simulated(p, layout),
    "stac": lambda p, layout, choice: stac.catalog(choice or _searched(p), layout, p.bands),
    "safe": lambda p, layout, choice: whole.catalog(
        choice or search(p), layout, bands=p.bands, fetch=p.fetch, cart=p.cart
    ),
}
"""What each word of ``source`` does: from the parameters, the study's files and what was chosen to a catalog."""


def _simulated(p: params.Download, layout: Layout) -> Catalog:
    from lulc_kit.download import simulated  # needed by one source of six

    return simulated.catalog(layout, size=p.size, tiles=p.tiles, seed=p.seed, later=p.later)


def search(p: params.Download) -> Choice | None:
    """Search a service for the area, and choose; None for a source that searches nothing.

    Raises
    ------
    LulcError
        See `lulc_kit.download.area`, `search` and `choose`.
    """
    return _searched(p) if p.searches else None


def _searched(p: params.Download) -> Choice:
    assert p.area is not None and p.dates is not None
    here = area.read(p.area, p.crs)
    found = find(
        here,
        p.service,
        p.dates,
        level=p.level,
        cloud=p.cloud,
        tiles=p.mgrs_tiles,
        months=p.months,
        baseline=p.baseline,
    )
    return choose(Choice(here, p.service, found), per_month=p.per_month, tiles=p.mgrs_tiles)


def get(p: params.Download, layout: Layout, choice: Choice | None = None) -> Catalog:
    """Bring the scenes into the study's folder (samples), or describe them where they are (one's own files).

    Parameters
    ----------
    p
        Parameters of notebook 01.
    layout
        Where the study's files are.
    choice
        What `search` chose; None to search now, if the source does.

    Raises
    ------
    LulcError
        See the functions in `SOURCES`, and `beside.get`.
    """
    found = SOURCES[p.source](p, layout, choice)
    if not p.beside:
        return found
    dates = [scene.date for scene in found.scenes]
    others = beside.get(p.beside, beside.grid(found), dates, layout, p.reference_year)
    return replace(
        found,
        ancillary={**found.ancillary, **others.paths},
        attribution=" ".join([found.attribution, *others.attributions]),
        understood={role: _understood(p.beside[role], path) for role, path in others.paths.items()},
    )


def classes_of(p: params.Download, found: Catalog) -> pd.DataFrame | None:
    """Return how much of the area each class of a reference map covers; None where the reference is no such map."""
    name = p.reference
    is_map = name is not None and (name in maps.REFERENCES or maps.recognize(Path(name)) is not None)
    return maps.shares(found.ancillary["reference"]) if is_map else None


def basemap(p: params.Download, found: Catalog) -> pd.DataFrame | None:
    """Return when the basemap was taken that one digitises over, beside the scenes' dates; None if nobody is asked.

    Raises
    ------
    LulcError
        See the functions of `vintage`.
    """
    asked = p.vintage
    if asked is None:
        return None
    places = vintage.places(beside.degrees(beside.grid(found)), asked.places)
    captures = vintage.wayback(asked.wayback, places, asked.zoom) if asked.wayback else []
    if asked.azure:
        captures += vintage.azure(secrets.secret("azure-maps", "key"), places, asked.zoom)
    if asked.bing:
        captures += vintage.bing(files.find(asked.bing))
    return vintage.table(captures, [scene.date for scene in found.scenes], asked.most_days)


def _understood(name: str, path: Path) -> list[dict[str, Any]]:
    """Return what a file beside the scenes was understood to say: a row for each band, or layer."""
    name = name if files.resolve(name) == path else str(path)  # fetched, or cut out
    if path.suffix.lower() in tables.SUFFIXES:
        return []
    return vectors.describe(path) if vectors.is_vector(path) else rasters.look(name)[1]


def ancillary(p: params.Download) -> dict[str, Path]:
    """Return the user's own files beside the scenes, by role; a LulcError if one is missing."""
    return beside.own(p.beside)
