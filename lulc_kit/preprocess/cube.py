"""The cube: for each date reflectance on the study's grid and a mask that says why a pixel is out."""

import contextlib
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from dask import array as da
from odc.geo.geobox import GeoBox

from lulc_kit import grids, raster
from lulc_kit.catalog import Catalog, Scene
from lulc_kit.errors import LulcError
from lulc_kit.preprocess import clouds, correction, dark_object, guard, product_clouds, radiometry
from lulc_kit.preprocess.clouds import Reason
from lulc_kit.preprocess.decoded import decoded
from lulc_kit.preprocess.mosaic import mosaic
from lulc_kit.preprocess.sharpening import scene as sharpen_scene
from lulc_kit.progress import track
from lulc_kit.raster import warping, writing

_UNFINISHED = ".unfinished-"  # folder of dates that are being made, beside those that are there
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
    correct: correction.Choice = "none",
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
        ``"spectral"`` (rule for L1C), ``"scl"`` (scene classification), ``"product"`` (cloud mask in the product),
        ``"file"`` (a mask of the user's), ``"none"``.
    mask_buffer
        Pixels this near to cloud or shadow are masked too, metres.
    scl_exclude
        Scene classes to mask, for ``"scl"``.
    dates
        First and last day wanted; None for all.
    min_clear
        Dates with a smaller clear part (0–1) are left out.
    sharpen
        Whether the 20 m and 60 m bands are sharpened to 10 m (`lulc_kit.preprocess.sharpening`) or interpolated.
    correct
        ``"dark_object"``: the path reflectance of each date (one value for each band, measured over all its tiles, so
        that their seams stay even) is subtracted after masking, recorded in the file's tags, and a warning says what
        that cannot do. ``"sen2cor"``: the scenes are what `correction.surface` made, and the tags say so.

    Returns
    -------
    pandas.DataFrame
        One row per date: level, clear part, no data (parts of the grid, 0–1), and whether it is in the cube.

    Raises
    ------
    LulcError
        If levels or bands are mixed, a mask's source is missing, a scene's reflectance is implausible, no date is
        left, or a file is damaged. What was in the folder before then stays as it was.
    """
    scenes = [s for s in catalog.scenes if dates is None or dates[0] <= s.date <= dates[1]]
    if not scenes:
        known = f"{catalog.scenes[0].date} … {catalog.scenes[-1].date}"
        raise LulcError(f"No scene between {dates}. The catalog has {known}.")
    _check_alike(scenes)
    rows: list[dict[str, Any]] = []
    darkness: dict[str, guard.Darkness] = {}
    by_date = {s.date: [t for t in scenes if t.date == s.date] for s in scenes}
    if correct == "dark_object":
        correction.check(scenes, correct)
        warnings.warn(dark_object.WARNING, stacklevel=2)
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_UNFINISHED}*"):  # of a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder) as name:
        work = Path(name)
        for date, tiles in track(by_date.items(), "dates", total=len(by_date)):
            tiles = [t for t in tiles if warping.overlaps(next(iter(t.bands.values())).geobox, geobox)]
            if not tiles:
                nothing = {"clear": 0.0, "no data": 1.0, "in the cube": False}
                rows.append({"date": date, "level": scenes[0].level, **nothing})
                continue
            with contextlib.ExitStack() as stack:
                tiles = [stack.enter_context(decoded(t, geobox, work)) for t in tiles]
                looks = [_look(t, geobox, mask) for t in tiles]
                masks = [
                    _mask(t, look, geobox, mask, mask_buffer, scl_exclude) for t, look in zip(tiles, looks, strict=True)
                ]
                applied = [
                    _check_radiometry(t, look.sample, codes, darkness)
                    for t, look, codes in zip(tiles, looks, masks, strict=True)
                ]
                codes, chosen = mosaic(masks, abs(geobox.resolution.x))
                clear, empty = float((codes == Reason.CLEAR).mean()), float((codes == Reason.NODATA).mean())
                used = clear >= min_clear and clear > 0
                if used:
                    path = correction.path_reflectance([k.sample for k in looks]) if correct == "dark_object" else {}
                    shown = {n: tile for n, tile in enumerate(tiles) if (chosen == n).any()}
                    if sharpen:
                        shown = {n: stack.enter_context(sharpen_scene.sharpened(t, work)) for n, t in shown.items()}
                    image = _join({n: radiometry.scene_on_grid(t, geobox) for n, t in shown.items()}, chosen)
                    tags = {
                        "date": date,
                        "level": tiles[0].level,
                        "radiometry": "; ".join(applied),
                        **correction.tags(correct, tiles[0].level, path),
                    }
                    _write(work, date, tags, _without(image, path), codes, sharpen)
            rows.append({"date": date, "level": tiles[0].level, "clear": clear, "no data": empty, "in the cube": used})
        guard.refuse_mixture(darkness)
        table = pd.DataFrame(rows)
        _refuse_empty(table, geobox, min_clear)
        for file in sorted(work.glob("*.tif")):
            file.replace(folder / file.name)
    for date in set(dates_in(folder)) - set(table["date"][table["in the cube"]]):  # of a run with other dates
        for file in (folder / f"{date}.tif", folder / f"{date}_mask.tif"):
            file.unlink(missing_ok=True)
    return table


def _refuse_empty(table: pd.DataFrame, geobox: GeoBox, min_clear: float) -> None:
    if (table["no data"] == 1).all():
        raise LulcError(
            f"None of the {len(table)} scene(s) has any data on the study's grid ({grids.describe(geobox)}). "
            f"Check nodata in 01_download.yaml and bbox in 02_preprocess.yaml."
        )
    if not table["in the cube"].any():
        best = max(table.to_dict("records"), key=lambda row: row["clear"])
        remedy = "Lower min_clear or widen dates in 02_preprocess.yaml."
        if best["clear"] == 0:
            remedy = (
                "Every pixel with data is masked, as cloud, shadow or the like: widen dates in 02_preprocess.yaml, or "
                "look at the scenes and choose another mask."
            )
        raise LulcError(
            f"No date is clear enough: min_clear is {min_clear:.0%}, the best date {best['date']} is "
            f"{best['clear']:.0%} clear and {best['no data']:.0%} without data. {remedy}"
        )


def _join(images: Mapping[int, xr.DataArray], chosen: npt.NDArray[np.uint8]) -> xr.DataArray:
    (_, joined), *others = images.items()
    bands = [str(b) for b in joined.band.values]
    for number, other in others:
        joined = joined.where(chosen != number, raster.select(other, bands))
    return joined


@dataclass(frozen=True)
class _Look:
    """What one pass over all images of a scene tells: reading them takes longer than all else here."""

    nodata: npt.NDArray[np.bool_]
    sample: xr.DataArray  # every n-th pixel of all bands
    ground: dict[str, npt.NDArray[np.float32]]  # for the spectral rule: see `clouds.coarsen`
    flags: npt.NDArray[np.uint8] | None


def _look(scene: Scene, geobox: GeoBox, mask: str) -> _Look:
    image = radiometry.scene_on_grid(scene, geobox)
    step = _sampling(geobox.shape)
    wanted = [da.isnan(image.data).any(axis=0), image.data[:, ::step, ::step]]
    names: list[str] = []
    if mask == "spectral":
        _check_spectral(scene)
        names = [b for b in ("B2", "B3", "B4", "B8", "B11", "B10") if b in scene.bands]
        factor = clouds.grid_factor(abs(geobox.resolution.x))
        side = raster.CHUNK - raster.CHUNK % factor
        bands = raster.select(image, names).data.rechunk({0: -1, 1: side, 2: side})
        chunks = (bands.chunks[0], *(tuple(-(-n // factor) for n in sizes) for sizes in bands.chunks[1:]))
        wanted += [
            da.map_blocks(clouds.coarsen, bands, factor=factor, chunks=chunks, dtype=np.float32),
            da.map_blocks(clouds.flags, bands, names, drop_axis=0, dtype=np.uint8),
        ]
    nodata, sample, *coarse = dask.compute(*wanted)
    sample = xr.DataArray(sample, dims=("band", "y", "x"), coords={"band": image.band.values})
    ground, flags = coarse if coarse else ([], None)
    return _Look(nodata, sample, dict(zip(names, ground, strict=True)), flags)


def _sampling(shape: Sequence[int]) -> int:
    return max(1, max(shape) // 500)


def _check_radiometry(
    scene: Scene, sample: xr.DataArray, codes: npt.NDArray[np.uint8], darkness: dict[str, guard.Darkness]
) -> str:
    """Refuse an implausible scene; otherwise say what was applied to it and what its dark pixels say."""
    # A sample is enough, and clouds would hide what is dark.
    step = _sampling(codes.shape)
    bands = [b for b in ("B2", "B3", "B4", "B8", "B8A", "B11", "B12") if b in scene.bands]
    image = np.where(codes[::step, ::step] == Reason.CLEAR, sample.sel(band=bands).to_numpy(), np.nan)
    offset = next(iter(scene.bands.values())).offset * 10000
    verdict = guard.check(f"Scene {scene.name}", image, bands, offset)
    if verdict.darkness.pixels and (codes == Reason.CLEAR).mean() > 0.5:
        darkness[scene.name] = verdict.darkness
    used: dict[str, list[str]] = {}
    for name, band in scene.bands.items():
        used.setdefault(f"number * {band.scale:g} {band.offset:+g}", []).append(name)
    formulas = [f"{how} ({' '.join(names)})" if len(used) > 1 else how for how, names in used.items()]
    baseline = f", baseline {scene.baseline}" if scene.baseline else ""
    return f"{scene.name}{baseline}: reflectance = {', '.join(formulas)}; {verdict.kind}, {verdict.darkness}"


def _without(image: xr.DataArray, path: Mapping[str, float]) -> xr.DataArray:
    """Subtract the path reflectance of each band, if there is any."""
    if not path:
        return image
    bands = [str(b) for b in image.band.values]
    return raster.array(dark_object.subtract(image.data, [path[b] for b in bands]), image.odc.geobox, bands)


_LASTING = ("level", "correction", "correction_limits", "coarse_bands")


def lasting_tags(folder: Path, date: str) -> dict[str, str]:
    """Return the tags of a date that hold for whatever is made of it, too: level, correction."""
    tags = raster.tags(folder / f"{date}.tif")
    return {name: tags[name] for name in _LASTING if name in tags}


def _write(
    folder: Path, date: str, tags: dict[str, str], image: xr.DataArray, codes: npt.NDArray[np.uint8], sharpened: bool
) -> None:
    detail = {"coarse_bands": "sharpened" if sharpened else "interpolated"}
    reasons = {"codes": ", ".join(f"{r.value} {name}" for r, (name, _) in clouds.REASONS.items())}
    writing.write_all(
        [
            writing.reflectance(folder / f"{date}.tif", image, **tags, **detail),
            writing.Output(
                folder / f"{date}_mask.tif",
                raster.array(codes[None], image.odc.geobox, ["mask"]),
                "uint8",
                nodata=None,
                colours=_MASK_COLOURS,
                tags={"date": date, "level": tags["level"]} | reasons,
            ),
        ],
        layers=2 * image.sizes["band"],  # band by band, and joined
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
    scene: Scene, look: _Look, geobox: GeoBox, how: str, buffer: float, scl_exclude: Sequence[int]
) -> npt.NDArray[np.uint8]:
    resolution = abs(geobox.resolution.x)
    if look.nodata.all():  # one empty date among many is left out; only if all are is something wrong
        return np.full(geobox.shape, Reason.NODATA, np.uint8)
    if how == "none":
        codes = np.full(geobox.shape, Reason.CLEAR, np.uint8)
    elif how == "scl":
        if scene.scl is None:
            raise LulcError(
                f"Scene {scene.date} has no scene classification. Use mask: spectral, product, file or none."
            )
        scl = radiometry.codes_on_grid(scene.scl, geobox).compute()
        codes = clouds.from_scl(scl, exclude=scl_exclude, buffer=buffer, resolution=resolution)
    elif how == "product":
        if scene.clouds is None:
            raise LulcError(
                f"Scene {scene.date} brings no cloud mask of its own (QI_DATA/MSK_CLOUDS_B00.gml, or "
                f"MSK_CLASSI_B00.jp2). Fetch the whole product with source: products, or choose another mask."
            )
        crs = next(iter(scene.bands.values())).geobox.crs
        codes = product_clouds.from_product(scene.clouds, geobox, crs=crs.to_wkt(), buffer=buffer)  # type: ignore[union-attr]
    elif how == "file":
        if scene.mask is None:
            raise LulcError(f"Scene {scene.date} has no mask file. Give one in 01_download.yaml, or mask: none.")
        out = radiometry.codes_on_grid(scene.mask, geobox).compute() != 0
        codes = np.where(out, Reason.CLOUD, Reason.CLEAR).astype(np.uint8)
    else:
        assert look.flags is not None and scene.sun_azimuth is not None and scene.sun_zenith is not None
        codes = clouds.from_coarse(
            look.ground,
            look.flags,
            sun_azimuth=scene.sun_azimuth,
            sun_zenith=scene.sun_zenith,
            buffer=buffer,
            resolution=resolution,
        )
    codes[look.nodata] = Reason.NODATA
    return codes


def _check_spectral(scene: Scene) -> None:
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
