"""The coarse bands of a scene at the resolution of its finest ones, as files for the steps that follow."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from lulc_kit import grids
from lulc_kit.catalog import Band, Scene
from lulc_kit.errors import BandError, GridError
from lulc_kit.late import da
from lulc_kit.preprocess import radiometry
from lulc_kit.raster import writing
from lulc_kit.sentinel2 import MTF, bands_at

FINE = bands_at(10)
CIRRUS = "B10"
"""Shows clouds and no ground, so the other bands say nothing of its detail: it is interpolated."""


@contextlib.contextmanager
def sharpen_scene(scene: Scene, folder: Path) -> Iterator[Scene]:
    """Give the scene with its 20 m and 60 m bands replaced by sharpened ones of 10 m, for as long as the block lasts.

    Parameters
    ----------
    scene
        With B2, B3, B4 and B8 on one grid, and every coarser band on a grid of whole multiples of their pixels. A scene
        whose bands all have one resolution is given back as it is.
    folder
        Where the sharpened bands are kept meanwhile (uncompressed, 4 bytes a pixel and band).

    Raises
    ------
    LulcError
        If a fine band is missing, or the grids do not nest.
    """
    own = {name: band.geobox for name, band in scene.bands.items()}
    finest = min(abs(g.resolution.x) for g in own.values())
    coarse = [n for n, g in own.items() if abs(g.resolution.x) > 1.001 * finest and n != CIRRUS]
    if not coarse:
        yield scene
        return
    missing = [b for b in FINE if b not in scene.bands]
    if missing:
        raise BandError(
            f"Sharpening needs the 10 m bands {', '.join(FINE)}; scene {scene.date} lacks {', '.join(missing)}. "
            f"Set sharpen: none in 02_preprocess.yaml."
        )
    grid = own["B2"]
    for name in FINE:
        grids.check(own[name], grid, f"Band {name} of scene {scene.date}")
    by_ratio: dict[int, list[str]] = {}
    for name in coarse:
        by_ratio.setdefault(_ratio(own[name], grid, f"Band {name} of scene {scene.date}"), []).append(name)
    fine = da.stack([radiometry.on_grid(scene.bands[b], grid) for b in FINE])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".sharpen-", dir=folder) as work:
        bands = dict(scene.bands)
        for ratio, names in by_ratio.items():
            bands |= _write(fine, {n: scene.bands[n] for n in names}, ratio, grid, Path(work))
        yield dataclasses.replace(scene, bands=bands)


def _ratio(coarse: GeoBox, fine: GeoBox, what: str) -> int:
    times = grids.ratio(coarse, fine)
    if times is None:
        raise GridError(
            f"{what} cannot be sharpened: its pixels do not nest in the 10 m grid.\n"
            f"  the band:  {grids.describe(coarse)}\n  10 m grid: {grids.describe(fine)}\n"
            f"Cut all bands to the same extent, or set sharpen: none in 02_preprocess.yaml."
        )
    return times


def _write(fine: da.Array, bands: Mapping[str, Band], ratio: int, grid: GeoBox, work: Path) -> dict[str, Band]:
    from lulc_kit.preprocess.sharpening.sharpen import sharpen  # numba takes its time to load

    coarse = da.stack([radiometry.on_grid(band, band.geobox) for band in bands.values()])
    path = work / f"{ratio}.tif"
    # Bands that Sentinel-2 does not have get the mean of the published values of their resolution.
    known = [MTF[n] for n in bands if n in MTF]
    mean = float(np.mean(known)) if known else 0.26
    values = [float(MTF.get(name, mean)) for name in bands]
    with writing.open_canvas(path, list(bands), grid) as result:
        sharpen(fine, coarse, ratio=ratio, mtf_coarse=values, out=result)
    return {
        name: Band(path, number, nodata=float("nan"), geobox=grid, dtype="float32")
        for number, name in enumerate(bands, 1)
    }
