"""The window of a scene that a study needs, as uncompressed copies for the steps that follow.

JPEG 2000 takes longer to read than all that is done with its numbers, so it is decoded once; and what is sharpened of a
large scene is the study's area, whatever the format.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from lulc_kit import grids, raster
from lulc_kit.catalog import Band, Scene
from lulc_kit.late import da
from lulc_kit.preprocess import radiometry
from lulc_kit.progress import track
from lulc_kit.raster import warping, writing
from lulc_kit.safe import manifest

MARGIN = 2000.0
"""Metres around the study's grid that are kept too: what is sharpened there looks about itself."""

Part = tuple[slice, slice]


@contextlib.contextmanager
def cut(scene: Scene, geobox: GeoBox, folder: Path) -> Iterator[tuple[Scene, list[da.Array]]]:
    """Give the scene with copies of what the study needs of its bands, for as long as the block lasts.

    Parameters
    ----------
    scene
        Any. A band that is needed whole, is not JPEG 2000 and not interpolated over saturated pixels stays as it is.
    geobox
        The study's grid. Only what it needs of the scene is kept, with `MARGIN` around it, where all bands nest in one
        another; otherwise all.
    folder
        Where the copies are kept meanwhile (2 bytes a pixel and band).

    Yields
    ------
    scene
        Its copies have no saturated pixels: they are nodata there, and never mix into others.
    saturated
        For each copied band that had any, whether a pixel of the grid was: bool, (row, column), lazily.

    Raises
    ------
    LulcError
        If a file is damaged: it cannot be decoded, or its checksum is not that of the product's manifest.
    """
    boxes = {name: band.geobox for name, band in scene.bands.items()}
    parts = _parts(boxes, geobox)
    packed = {name: band for name, band in scene.bands.items() if raster.is_jpeg2000(band.path)}
    mixing = {n for n, band in scene.bands.items() if band.saturated is not None and not grids.same(boxes[n], geobox)}
    copied = {n: b for n, b in scene.bands.items() if n in packed or n in mixing or parts[n] != _whole(boxes[n])}
    if not copied:
        yield scene, []
        return
    saturated = []
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".window-", dir=folder) as work:
        bands = dict(scene.bands)
        for name, band in track(copied.items(), f"decoding {scene.name}", total=len(copied)):
            bands[name], flags = _copy(band, parts[name], Path(work) / f"{name}.tif")
            if flags is not None:
                saturated.append(radiometry.codes_on_grid(flags, geobox) != 0)
        if scene.product and packed:
            images = [*packed.values(), *([scene.scl] if scene.scl else [])]
            manifest.refuse_damaged(scene.product, [image.path for image in images])
        yield dataclasses.replace(scene, bands=bands), saturated


def _copy(band: Band, part: Part, path: Path) -> tuple[Band, Band | None]:
    """Write a part of a band, saturated pixels as nodata; if there are any, also which ones (uint8)."""
    own, numbers = band.geobox[part], _numbers(band)[part]
    copy = dataclasses.replace(band, path=path, number=1, geobox=own, nodata=_missing(band), saturated=None)
    if band.saturated is None:
        writing.write_plain(path, raster.array(numbers[None], own, ["numbers"]), band.dtype)
        return copy, None
    saturated, flags = numbers == band.saturated, np.zeros(own.shape, bool)
    clean = da.where(saturated, numbers.dtype.type(copy.nodata), numbers)
    writing.write_plain(path, raster.array(clean[None], own, ["numbers"]), band.dtype, (saturated[None], flags[None]))
    if not flags.any():
        return copy, None
    where = path.with_stem(f"{path.stem}_saturated")
    writing.write_plain(where, raster.array(da.from_array(flags[None].astype(np.uint8)), own, ["saturated"]), "uint8")
    return copy, Band(where, geobox=own, dtype="uint8")


def _numbers(band: Band) -> da.Array:
    """Read a band as it stands in its file, infinite numbers as NaN."""
    own = band.geobox
    tile = raster.JPEG2000_TILE if raster.is_jpeg2000(band.path) else None
    numbers = warping.warp(band.path, own, band=band.number, own=own, dtype=band.dtype, chunk=tile)
    if np.dtype(band.dtype).kind == "f":
        numbers = da.where(da.isinf(numbers), numbers.dtype.type(np.nan), numbers)
    return numbers


def _missing(band: Band) -> float | None:
    """Return the number that means nodata in a copy of a band: one that its type can hold."""
    kind = np.dtype(band.dtype)
    held = band.nodata is not None and (kind.kind == "f" or np.iinfo(kind).min <= band.nodata <= np.iinfo(kind).max)
    return band.nodata if held or band.saturated is None else band.saturated


def _whole(grid: GeoBox) -> Part:
    return slice(0, grid.height), slice(0, grid.width)


def _parts(images: Mapping[str, GeoBox], geobox: GeoBox) -> dict[str, Part]:
    """Return the rows and columns of each band that a grid needs, the same ground for all of them."""
    coarsest = max(images.values(), key=lambda g: abs(g.resolution.x))
    if not all(grids.ratio(coarsest, g) for g in images.values()):
        return {name: _whole(own) for name, own in images.items()}
    margin = math.ceil(MARGIN / abs(geobox.resolution.x))
    assert coarsest.crs is not None
    wanted = geobox.footprint(coarsest.crs, buffer=margin).boundingbox
    # All four corners: in a rotated image any of them may lie farthest out.
    corners = [(x, y) for x in (wanted.left, wanted.right) for y in (wanted.bottom, wanted.top)]
    columns, rows = zip(*(~coarsest.affine * corner for corner in corners), strict=True)
    top, bottom = (min(max(n, 0), coarsest.height) for n in (math.floor(min(rows)), math.ceil(max(rows))))
    left, right = (min(max(n, 0), coarsest.width) for n in (math.floor(min(columns)), math.ceil(max(columns))))
    found = {}
    for name, own in images.items():
        times = round(coarsest.resolution.x / own.resolution.x)
        found[name] = slice(top * times, bottom * times), slice(left * times, right * times)
    return found
