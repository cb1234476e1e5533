"""The cube: for each date reflectance on the study's grid and a mask that says why a pixel is out."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from dask import array as da
from odc.geo.geobox import GeoBox

from lulc_kit import raster
from lulc_kit.catalog import Catalog, Scene
from lulc_kit.errors import LulcError
from lulc_kit.preprocess import clouds, guard, radiometry, sharpen_scene
from lulc_kit.preprocess.clouds import Reason
from lulc_kit.preprocess.mosaic import mosaic
from lulc_kit.progress import track

_MASK_COLOURS = {
    r.value: (int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16))
    for r, (_, colour) in clouds.REASONS.items()
}


def build(
    catalog: Catalog,
    geobox: GeoBox,
    folder: Path,
    *,
    mask: str,
    mask_buffer: float = 0.0,
    scl_exclude: Sequence[int] = (),
    dates: Sequence[str] | None = None,
    min_clear: float = 0.0,
    sharpen: bool = False,
) -> pd.DataFrame:
    """Write ``<date>.tif`` (reflectance) and ``<date>_mask.tif`` (why a pixel is out) for each date.

    Parameters
    ----------
    catalog
        The scenes; all of one level, all with the same bands.
    geobox
        The study's grid.
    folder
        Where to write.
    mask
        ``"spectral"`` (rule for L1C), ``"scl"`` (scene classification), ``"file"`` (the scene's own mask), ``"none"``.
    mask_buffer
        Pixels this near to cloud or shadow are masked too, metres.
    scl_exclude
        Scene classes to mask, for ``"scl"``.
    dates
        First and last day wanted; None for all.
    min_clear
        Dates with a smaller clear part (0–1) are left out.
    sharpen
        Whether the 20 m and 60 m bands are sharpened to 10 m (`lulc_kit.preprocess.sharpen`) or interpolated.

    Returns
    -------
    pandas.DataFrame
        One row per date: level, clear part, no data (parts of the grid, 0–1), and whether it is in the cube.

    Raises
    ------
    LulcError
        If levels or bands are mixed, a mask's source is missing, no date is left, or a file is damaged.
    """
    scenes = [s for s in catalog.scenes if dates is None or dates[0] <= s.date <= dates[1]]
    if not scenes:
        known = f"{catalog.scenes[0].date} … {catalog.scenes[-1].date}"
        raise LulcError(f"No scene between {dates}. The catalog has {known}.")
    _check_alike(scenes)
    rows: list[dict[str, Any]] = []
    darkness: dict[str, guard.Darkness] = {}
    by_date = {s.date: [t for t in scenes if t.date == s.date] for s in scenes}
    for date, tiles in track(by_date.items(), "dates", total=len(by_date)):
        tiles = [t for t in tiles if raster.overlaps(raster.grid(next(iter(t.bands.values())).path), geobox)]
        if not tiles:
            rows.append({"date": date, "level": scenes[0].level, "clear": 0.0, "no data": 1.0, "in the cube": False})
            continue
        masks = [_mask(t, radiometry.scene_on_grid(t, geobox), geobox, mask, mask_buffer, scl_exclude) for t in tiles]
        for tile, codes in zip(tiles, masks, strict=True):
            _check_radiometry(tile, geobox, codes, darkness)
        codes, chosen = mosaic(masks, abs(geobox.resolution.x))
        clear, empty = float((codes == Reason.CLEAR).mean()), float((codes == Reason.NODATA).mean())
        used = clear >= min_clear and clear > 0
        if used:
            with contextlib.ExitStack() as stack:
                shown = {n: tile for n, tile in enumerate(tiles) if (chosen == n).any()}
                if sharpen:
                    shown = {n: stack.enter_context(sharpen_scene.sharpened(t, folder)) for n, t in shown.items()}
                image = _join({n: radiometry.scene_on_grid(t, geobox) for n, t in shown.items()}, chosen)
                _write(folder, date, tiles[0].level, image, codes, sharpen)
        rows.append({"date": date, "level": tiles[0].level, "clear": clear, "no data": empty, "in the cube": used})
    guard.refuse_mixture(darkness)
    table = pd.DataFrame(rows)
    if (table["no data"] == 1).all():
        raise LulcError(
            f"None of the {len(table)} scene(s) has any data on the study's grid ({raster.describe_grid(geobox)}). "
            f"Check nodata in 01_download.yaml and bbox in 02_preprocess.yaml."
        )
    if not table["in the cube"].any():
        best = max(rows, key=lambda row: row["clear"])
        raise LulcError(
            f"No date is clear enough: min_clear is {min_clear:.0%}, the best date {best['date']} is "
            f"{best['clear']:.0%} clear and {best['no data']:.0%} without data. "
            f"Lower min_clear or widen dates in 02_preprocess.yaml."
        )
    for date in set(dates_in(folder)) - set(table["date"][table["in the cube"]]):  # of a run with other dates
        for name in (f"{date}.tif", f"{date}_mask.tif"):
            (folder / name).unlink(missing_ok=True)
    return table


def _join(images: Mapping[int, xr.DataArray], chosen: npt.NDArray[np.uint8]) -> xr.DataArray:
    (_, joined), *others = images.items()
    bands = [str(b) for b in joined.band.values]
    for number, other in others:
        joined = joined.where(chosen != number, raster.select(other, bands))
    return joined


def _check_radiometry(
    scene: Scene, geobox: GeoBox, codes: npt.NDArray[np.uint8], darkness: dict[str, guard.Darkness]
) -> None:
    # A sample is enough, and clouds would hide what is dark.
    step = max(1, max(geobox.shape) // 500)
    bands = [b for b in ("B2", "B3", "B4", "B8", "B8A", "B11", "B12") if b in scene.bands]
    image = raster.select(radiometry.scene_on_grid(scene, geobox), bands).data[:, ::step, ::step].compute()
    image = np.where(codes[::step, ::step] == Reason.CLEAR, image, np.nan)
    offset = next(iter(scene.bands.values())).offset * 10000
    measured = guard.check(f"Scene {scene.name}", image, bands, offset).darkness
    if measured.pixels and (codes == Reason.CLEAR).mean() > 0.5:
        darkness[scene.name] = measured


def _write(
    folder: Path, date: str, level: str, image: xr.DataArray, codes: npt.NDArray[np.uint8], sharpened: bool
) -> None:
    tags = {"date": date, "level": level}
    detail = {"coarse_bands": "sharpened" if sharpened else "interpolated"}
    reasons = {"codes": ", ".join(f"{r.value} {name}" for r, (name, _) in clouds.REASONS.items())}
    raster.write_all(
        [
            raster.reflectance(folder / f"{date}.tif", image, **tags, **detail),
            raster.Output(
                folder / f"{date}_mask.tif",
                raster.array(codes[None], image.odc.geobox, ["mask"]),
                "uint8",
                nodata=None,
                colours=_MASK_COLOURS,
                tags=tags | reasons,
            ),
        ]
    )


def _check_alike(scenes: Sequence[Scene]) -> None:
    levels = sorted({s.level for s in scenes})
    if len(levels) > 1:
        raise LulcError(
            f"The scenes mix levels {' and '.join(levels)}: top-of-atmosphere and surface reflectance do not compare. "
            f"Use scenes of one level (change 01_download.yaml, or choose dates)."
        )
    first = scenes[0]
    for scene in scenes[1:]:
        if set(scene.bands) != set(first.bands):
            odd = sorted(set(scene.bands) ^ set(first.bands))
            raise LulcError(
                f"Scenes {first.date} and {scene.date} have different bands ({', '.join(odd)} in only one of them). "
                f"Give all scenes the same bands in 01_download.yaml."
            )


def _mask(
    scene: Scene, image: xr.DataArray, geobox: GeoBox, how: str, buffer: float, scl_exclude: Sequence[int]
) -> npt.NDArray[np.uint8]:
    resolution = abs(geobox.resolution.x)
    nodata = da.isnan(image.data).any(axis=0).compute()
    if nodata.all():  # one empty date among many is left out; only if all are is something wrong
        return np.full(geobox.shape, Reason.NODATA, np.uint8)
    if how == "none":
        codes = np.full(geobox.shape, Reason.CLEAR, np.uint8)
    elif how == "scl":
        if scene.scl is None:
            raise LulcError(f"Scene {scene.date} has no scene classification. Use mask: spectral, file or none.")
        scl = radiometry.codes_on_grid(scene.scl, geobox).compute()
        codes = clouds.from_scl(scl, exclude=scl_exclude, buffer=buffer, resolution=resolution)
    elif how == "file":
        if scene.mask is None:
            raise LulcError(f"Scene {scene.date} has no mask file. Give one in 01_download.yaml, or mask: none.")
        out = radiometry.codes_on_grid(scene.mask, geobox).compute() != 0
        codes = np.where(out, Reason.CLOUD, Reason.CLEAR).astype(np.uint8)
    else:
        codes = _spectral(scene, image, resolution, buffer)
    codes[nodata] = Reason.NODATA
    return codes


def _spectral(scene: Scene, image: xr.DataArray, resolution: float, buffer: float) -> npt.NDArray[np.uint8]:
    if scene.level != "L1C":
        raise LulcError(
            f"mask: spectral is a rule for top-of-atmosphere images (L1C); scene {scene.date} is {scene.level}. "
            f"Use mask: scl."
        )
    if scene.sun_azimuth is None or scene.sun_zenith is None:
        raise LulcError(
            f"mask: spectral needs to know where the sun stood, and scene {scene.date} does not say. Give sun_azimuth "
            f"and sun_zenith (degrees; lulc_kit.preprocess.clouds.sun_position) in 01_download.yaml, or use mask: none."
        )
    have = [str(b) for b in image.band.values]
    wanted = [b for b in ("B2", "B3", "B4", "B8", "B11", "B10") if b in have]
    needed = raster.select(image, wanted).compute()
    bands: dict[str, npt.NDArray[Any]] = {band: needed.sel(band=band).to_numpy() for band in wanted}
    return clouds.from_l1c(
        bands,
        sun_azimuth=scene.sun_azimuth,
        sun_zenith=scene.sun_zenith,
        resolution=resolution,
        buffer=buffer,
    )


def clear(folder: Path, date: str, bands: Sequence[str] | None = None, chunk: int = raster.CHUNK) -> xr.DataArray:
    """Open one date of the cube lazily, with every pixel that its mask leaves out as NaN (see `raster.read`)."""
    image = raster.read(folder / f"{date}.tif", bands, chunk)
    codes = raster.read_codes(folder / f"{date}_mask.tif", chunk=chunk)
    return image.where(codes.data[0] == Reason.CLEAR)


def observations(folder: Path) -> xr.DataArray:
    """Count on how many dates of the cube each pixel is clear: uint16, (1, y, x), lazily."""
    masks = [raster.read_codes(folder / f"{d}_mask.tif") for d in dates_in(folder)]
    counts = sum((m.data == Reason.CLEAR).astype(np.uint16) for m in masks)
    return raster.array(counts, masks[0].odc.geobox, ["clear observations"])


def dates_in(folder: Path) -> list[str]:
    """Return the dates of a cube's folder, in order."""
    return sorted(p.name.removesuffix("_mask.tif") for p in folder.glob("*_mask.tif"))
