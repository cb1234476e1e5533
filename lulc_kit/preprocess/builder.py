"""Building the cube: for each date reflectance on the study's grid and a mask that says why a pixel is out."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from lulc_kit import grids, guard, raster
from lulc_kit.catalog import Catalog, Scene
from lulc_kit.cube import REASONS, Reason
from lulc_kit.errors import BandError, GridError, LulcError, ParameterError
from lulc_kit.late import da, pd, xr
from lulc_kit.layout import CubeLayout
from lulc_kit.offset import RGB, settle
from lulc_kit.preprocess import correction, dark_object, radiometry, window
from lulc_kit.preprocess.masks import MASKS, SCL_DEFAULT, Codes, Request
from lulc_kit.preprocess.mosaic import mosaic
from lulc_kit.preprocess.sharpening.scene import sharpen_scene
from lulc_kit.progress import track
from lulc_kit.raster import warping, writing

_UNFINISHED = ".unfinished-"  # folder of dates that are being made, beside those that are there
_MASK_COLOURS = {
    r.value: (int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)) for r, (_, colour) in REASONS.items()
}


def build(
    catalog: Catalog,
    geobox: GeoBox,
    folder: Path,
    *,
    mask: str,
    mask_buffer: float = 0.0,
    scl_exclude: Collection[int] = SCL_DEFAULT,
    dates: Sequence[str] | None = None,
    min_clear: float = 0.0,
    sharpen: bool = False,
    correct: correction.Choice = "none",
    trust: bool = False,
) -> pd.DataFrame:
    """Write the image (reflectance) and the mask (why a pixel is out) of each date: see `lulc_kit.cube.Cube`.

    Parameters
    ----------
    catalog
        The scenes; all of one level, all with the same bands.
    geobox
        The study's grid.
    folder
        Where to write.
    mask
        ``"spectral"`` (rule for L1C), ``"csmask"`` (a network, whose probabilities are written too), ``"scl"`` (scene
        classification), ``"product"`` (cloud mask in the product), ``"file"`` (a mask of the user's), ``"none"``: see
        `masks.MASKS`.
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
    trust
        The user states that the numbers are right: no scene is refused for its dark pixels, and the tags say so.

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
        raise ParameterError(f"No scene between {dates}. The catalog has {known}.")
    _check_alike(scenes)
    if correct == "dark_object":
        correction.check(scenes, correct)
        warnings.warn(dark_object.WARNING, stacklevel=2)
    by_date = {s.date: [t for t in scenes if t.date == s.date] for s in scenes}
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_UNFINISHED}*"):  # of a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder) as name:
        job = _Job(geobox, Path(name), mask, mask_buffer, scl_exclude, min_clear, sharpen, correct, trust)
        table = pd.DataFrame([job.date(tiles) for tiles in track(by_date.values(), "dates", total=len(by_date))])
        if not trust:
            guard.refuse_mixture(job.darkness)
        _refuse_empty(table, geobox, min_clear)
        for file in sorted(job.work.glob("*.tif")):
            file.replace(folder / file.name)
    files = CubeLayout(folder)
    for date in set(files.dates()) - set(table["date"][table["in the cube"]]):  # of a run with other dates
        for file in (files.image(date), files.mask(date), files.probabilities(date)):
            file.unlink(missing_ok=True)
    return table


@dataclass(frozen=True)
class _Tile:
    """A scene on the study's grid."""

    scene: Scene
    codes: Codes
    sample: xr.DataArray  # every n-th pixel of all bands
    radiometry: str
    about: str  # how its mask was made
    probabilities: da.Array | None  # of a mask that has some


@dataclass(frozen=True)
class _Job:
    """What is the same for all dates; `darkness` collects what the guard compares at the end."""

    geobox: GeoBox
    work: Path
    mask: str
    mask_buffer: float
    scl_exclude: Collection[int]
    min_clear: float
    sharpen: bool
    correct: correction.Choice
    trust: bool
    darkness: dict[str, guard.Darkness] = field(default_factory=dict)

    def date(self, scenes: Sequence[Scene]) -> dict[str, Any]:
        """Write one date, unless it is not clear enough; return its row of the table."""
        row: dict[str, Any] = {"date": scenes[0].date, "level": scenes[0].level}
        near = [s for s in scenes if warping.overlaps(next(iter(s.bands.values())).geobox, self.geobox)]
        if not near:
            return row | {"clear": 0.0, "no data": 1.0, "in the cube": False}
        with contextlib.ExitStack() as stack:
            tiles = [self.look(*stack.enter_context(window.cut(s, self.geobox, self.work))) for s in near]
            codes, chosen = mosaic([t.codes for t in tiles], abs(self.geobox.resolution.x))
            clear, empty = float((codes == Reason.CLEAR).mean()), float((codes == Reason.NODATA).mean())
            used = clear >= self.min_clear and clear > 0
            if used:
                self.write(tiles, codes, chosen, stack)
        return row | {"clear": clear, "no data": empty, "in the cube": used}

    def look(self, scene: Scene, saturated: Sequence[da.Array]) -> _Tile:
        """Find what is masked, and check the radiometry, in one pass over all images of a scene."""
        image = radiometry.scene_on_grid(scene, self.geobox)
        step = _sampling(self.geobox.shape)
        pending = MASKS[self.mask](Request(scene, image, self.mask_buffer, self.scl_exclude))
        saturated = [*saturated, *radiometry.saturated_on_grid(scene, self.geobox)]
        lost = da.stack(saturated).any(axis=0) if saturated else False
        wanted = [da.isnan(image.data).any(axis=0), lost, image.data[:, ::step, ::step]]
        nodata, lost, numbers, *found = dask.compute(*wanted, *pending.arrays)
        # One empty date among many is left out; only if all are is something wrong.
        codes = nodata.astype(np.uint8) if nodata.all() else pending.decide(found)
        codes[nodata] = Reason.NODATA
        codes[nodata & lost] = Reason.DEFECTIVE
        sample = xr.DataArray(numbers, dims=("band", "y", "x"), coords={"band": image.band.values})
        applied = _check_radiometry(scene, sample, codes, self.darkness, self.trust)
        return _Tile(scene, codes, sample, applied, pending.about, pending.probabilities)

    def write(
        self, tiles: Sequence[_Tile], codes: Codes, chosen: npt.NDArray[np.uint8], stack: contextlib.ExitStack
    ) -> None:
        """Write a date's image and mask; ``chosen`` is the number of the tile that each pixel comes from."""
        path = correction.path_reflectance([t.sample for t in tiles]) if self.correct == "dark_object" else {}
        shown = {n: tile.scene for n, tile in enumerate(tiles) if (chosen == n).any()}
        if self.sharpen:
            shown = {n: stack.enter_context(sharpen_scene(s, self.work)) for n, s in shown.items()}
        image = _join({n: radiometry.scene_on_grid(s, self.geobox) for n, s in shown.items()}, chosen)
        scene = tiles[0].scene
        about = {"date": scene.date, "level": scene.level}
        tags = {
            **about,
            "radiometry": "; ".join(t.radiometry for t in tiles),
            **correction.tags(self.correct, scene.level, path),
            "coarse_bands": "sharpened" if self.sharpen else "interpolated",
        }
        made = "; ".join([self.mask, *dict.fromkeys(t.about for t in tiles if t.about)])
        names = {"codes": ", ".join(f"{r.value} {name}" for r, (name, _) in REASONS.items()), "mask": made}
        files = CubeLayout(self.work)
        mask = raster.array(codes[None], self.geobox, ["mask"])
        outputs = [
            writing.reflectance(files.image(scene.date), _without(image, path), **tags),
            writing.Output(
                files.mask(scene.date), mask, "uint8", nodata=None, colours=_MASK_COLOURS, tags=about | names
            ),
        ]
        if any(t.probabilities is not None for t in tiles):
            unknown = da.full((2, *codes.shape), np.nan, np.float32)  # of a tile without any data here
            found = [unknown if t.probabilities is None else t.probabilities for t in tiles]
            likely = {n: raster.array(planes, self.geobox, ["cloud", "shadow"]) for n, planes in enumerate(found)}
            known = _join(likely, chosen).where(codes != Reason.NODATA)
            file = files.probabilities(scene.date)
            outputs.append(writing.Output(file, known, "uint8", nodata=255, scale=0.004, tags=about | names))
        writing.write_all(outputs, layers=2 * image.sizes["band"])  # band by band, and joined


def _refuse_empty(table: pd.DataFrame, geobox: GeoBox, min_clear: float) -> None:
    if (table["no data"] == 1).all():
        raise GridError(
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


def _sampling(shape: Sequence[int]) -> int:
    return max(1, max(shape) // 500)


def _check_radiometry(
    scene: Scene,
    sample: xr.DataArray,
    codes: npt.NDArray[np.uint8],
    darkness: dict[str, guard.Darkness],
    trust: bool,
) -> str:
    """Refuse an implausible scene; otherwise say what was applied to it and what its dark pixels say."""
    # A sample is enough, and clouds would hide what is dark.
    step = _sampling(codes.shape)
    bands = [b for b in ("B2", "B3", "B4", "B8", "B8A", "B11", "B12") if b in scene.bands]
    image = np.where(codes[::step, ::step] == Reason.CLEAR, sample.sel(band=bands).to_numpy(), np.nan)
    offset = next(iter(scene.bands.values())).offset
    verdict = guard.judge(guard.measure(image, bands))
    if verdict.kind == "undecided" and scene.picture is not None and set(RGB) <= set(scene.bands):
        verdict = settle(verdict, radiometry.picture_beginning(scene))
    if not trust:
        guard.check(f"Scene {scene.name}", verdict, offset)
    if verdict.darkness.pixels and (codes == Reason.CLEAR).mean() > 0.5:
        darkness[scene.name] = verdict.darkness
    used: dict[str, list[str]] = {}
    for name, band in scene.bands.items():
        used.setdefault(f"number * {band.scale:g} {band.offset:+g}", []).append(name)
    formulas = [f"{how} ({' '.join(names)})" if len(used) > 1 else how for how, names in used.items()]
    baseline = f", baseline {scene.baseline}" if scene.baseline else ""
    kind = f"trusted by the user ({verdict.kind})" if trust else verdict.kind
    return f"{scene.name}{baseline}: reflectance = {', '.join(formulas)}; {kind}, {verdict.darkness}"


def _without(image: xr.DataArray, path: Mapping[str, float]) -> xr.DataArray:
    """Subtract the path reflectance of each band, if there is any."""
    if not path:
        return image
    bands = [str(b) for b in image.band.values]
    return raster.array(dark_object.subtract(image.data, [path[b] for b in bands]), image.odc.geobox, bands)


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
            raise BandError(
                f"Scenes {first.date} and {scene.date} have different bands ({', '.join(odd)} in only one of them). "
                f"Give all scenes the same bands in 01_download.yaml."
            )
