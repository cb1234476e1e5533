"""Other maps of the same land, brought to a study's grid and into its classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from lulc_kit import raster, translation
from lulc_kit.classes import SCHEMES, Scheme, of_tag
from lulc_kit.errors import BandError, ParameterError
from lulc_kit.evaluate import agreement
from lulc_kit.evaluate.agreement import Values
from lulc_kit.intake import rasters
from lulc_kit.late import da
from lulc_kit.raster import warping


def open_codes(
    path: Path,
    geobox: GeoBox,
    classes: Scheme,
    source: str | None = None,
    wanted: Values | None = None,
    *,
    copies: Path,
) -> da.Array:
    """Open a class map by others as class values of a study, lazily, (row, column), 0 for none.

    Parameters
    ----------
    path
        One band, in any CRS and resolution; it is brought to the grid by nearest neighbour.
    geobox, classes
        The study's grid and classes.
    source
        Name of the kit's scheme that the map's values are of (``esri``, ``worldcover``); None: as the file says.
    wanted
        Values that mean each class; None: by the classes' names, or as `translation.ALIKE` has it.
    copies
        Folder for a plain copy of a map that hides pixels by a mask in the file, or is stored turned over.

    Raises
    ------
    LulcError
        If the map has several bands, lies elsewhere, does not say what its values mean, or has no class of the
        study's.
    """
    found = rasters.describe(path, "09_evaluate.yaml")
    if len(found.bands) > 1:
        raise BandError(
            f"{path} has {len(found.bands)} bands, and a class map has one. Save the right one by itself "
            f"(gdal_translate -b NUMBER {path.name} classes.tif)."
        )
    if wanted is None:
        named = _named(path) if source is None else {c.value: c.name for c in SCHEMES[source].classes}
        wanted = translation.between(named, source or _recognized(named), classes)
    for name in wanted:
        classes.find(name)
    plain = rasters.plain(found, path, copies)
    numbers = warping.warp(plain, geobox, resampling="nearest", dtype=np.float64)
    return da.map_blocks(_codes, numbers, raster.header(plain).nodata[0], dict(wanted), classes, dtype=np.uint8)


def _codes(
    numbers: npt.NDArray[np.float64], nodata: float | None, wanted: Values, classes: Scheme
) -> npt.NDArray[np.uint8]:
    return agreement.translate(np.where(numbers == nodata, np.nan, numbers), wanted, classes)


def _named(path: Path) -> dict[int, str]:
    """Return what a file that the kit wrote says of its values."""
    named = of_tag(raster.tags(path).get("classes", ""))
    if not named:
        raise ParameterError(
            f"{path} does not say what its values mean. Give 'scheme' (esri, worldcover) or 'classes' in the entry of "
            f"'references' in 09_evaluate.yaml."
        )
    return named


def _recognized(named: Mapping[int, Any]) -> str | None:
    """Return the scheme that has all these names, if it is one that `translation.ALIKE` knows."""
    known = dict.fromkeys(source for source, _ in translation.ALIKE)
    return next((name for name in known if set(named.values()) <= set(SCHEMES[name].names)), None)
