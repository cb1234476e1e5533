"""Labels from class maps, or from maps of numbers, brought to the study's grid by nearest neighbour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from lulc_kit import raster
from lulc_kit.classes import LandClass, Scheme
from lulc_kit.errors import BandError, GridError, LulcError
from lulc_kit.labels import weak
from lulc_kit.labels.sources import LABELLED, PARAMETERS, UNNAMED, Labels
from lulc_kit.late import pd
from lulc_kit.raster import warping
from lulc_kit.translation import Meanings, meanings, occurring, translate

BORDER = "left out: not all around it is of its class"
DISAGREED = "left out: another map or year says otherwise, or nothing"


def read(
    paths: Sequence[Path],
    geobox: GeoBox,
    scheme: Scheme | None,
    classes: Meanings | None,
    named: Mapping[float, LandClass] | None = None,
    *,
    homogeneous: int = 1,
) -> Labels:
    """Read labels from a class map, or from several that must agree.

    Parameters
    ----------
    paths
        One band each. Of several maps (or years of one), a pixel is labelled where all say the same class.
    geobox
        The study's grid.
    scheme, classes, named
        The classes, the values that mean them, and what the file itself calls its values; see `translation.meanings`.
        Where both are None, 0 means no label.
    homogeneous
        Side of the window around a pixel in which each map has to say the same, pixels of the grid; see `weak`.

    Raises
    ------
    LulcError
        If a map has several bands or does not cover the grid, a class has none of its values, or no pixel is left on
        which all agree.
    """
    numbers = [_numbers(path, geobox) for path in paths]
    found = np.unique(np.concatenate([np.unique(n[np.isfinite(n)]) for n in numbers]))
    named = dict(named or {})
    if scheme is None and classes is None and 0 not in named:
        found = found[found != 0]
    wanted = classes
    scheme, classes = meanings(found.tolist(), scheme, wanted, named)
    coded = []
    for path, n in zip(paths, numbers, strict=True):
        known = classes if len(paths) == 1 else occurring(n, classes)
        codes = translate(n.ravel(), scheme, known, str(path)).reshape(n.shape)
        if not codes.any():
            present = np.unique(n[np.isfinite(n)])[:20]
            raise GridError(
                f"No pixel of {path} on the study's grid has a value of a wanted class. Values found there: "
                f"{', '.join(f'{v:g}' for v in present) or 'none'}. Check 'classes' in {PARAMETERS}."
            )
        coded.append(codes)
    agreed = weak.agree(coded)
    if not agreed.any():
        raise LulcError(
            f"The {len(paths)} maps agree nowhere on a class of 'classes'. Are they of one place, and do the values "
            f"mean the same in each?"
        )
    asked = [scheme.find(name).value for name in wanted or {}]
    if apart := [scheme.names[scheme.values.index(v)] for v in np.setdiff1d(asked, agreed)]:
        raise LulcError(
            f"The {len(paths)} maps agree nowhere on {', '.join(apart)}. Leave the class out of 'classes' in "
            f"{PARAMETERS}, or a map out of 'labels'."
        )
    inner = [weak.homogeneous(c, homogeneous, known=np.isfinite(n)) for c, n in zip(coded, numbers, strict=True)]
    values = weak.agree(inner).astype(np.uint8)
    lost = [scheme.names[scheme.values.index(v)] for v in np.setdiff1d(agreed, values)]
    if lost:
        raise LulcError(
            f"homogeneous: nowhere are {homogeneous} × {homogeneous} pixels together of class {', '.join(lost)}. "
            f"Use a smaller window, or leave the class out of 'classes' in {PARAMETERS}."
        )
    account = _account(numbers[0], coded[0], agreed, values, scheme)
    return Labels(values, np.zeros(geobox.shape, np.uint32), geobox, scheme, account)


def _numbers(path: Path, geobox: GeoBox) -> npt.NDArray[np.float64]:
    header = raster.header(path)
    if len(header.names) > 1:
        raise BandError(
            f"{path} has {len(header.names)} bands ({', '.join(header.names[:8])}), and a class map has one. Save the "
            f"right one by itself (gdal_translate -b NUMBER FILE classes.tif); a picture of a map, in red, green and "
            f"blue, holds colours and no classes."
        )
    numbers = warping.warp(path, geobox, resampling="nearest", dtype=np.float64).compute()
    nodata = header.nodata[0]
    if nodata is not None:
        numbers[numbers == nodata] = np.nan
    with raster.open(path) as source:
        return np.asarray(numbers * source.scales[0] + source.offsets[0])


def _account(
    numbers: npt.NDArray[np.float64],
    codes: npt.NDArray[np.uint8],
    agreed: npt.NDArray[np.integer],
    values: npt.NDArray[np.uint8],
    scheme: Scheme,
) -> pd.DataFrame:
    """Say what became of each value of the first map."""
    known = np.isfinite(numbers)
    names = {c.value: c.name for c in scheme.classes} | {0: "–"}
    rows = pd.DataFrame({"value": numbers[known], "code": codes[known]})
    steps = [values[known] > 0, agreed[known] > 0, codes[known] > 0]
    rows["became"] = np.select(steps, [LABELLED, BORDER, DISAGREED], UNNAMED)
    rows["class"] = rows["code"].map(names)
    return rows.groupby(["class", "value", "became"]).size().rename("pixels").reset_index()
