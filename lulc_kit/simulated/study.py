"""The simulated study: products of two tiles and many dates over a landscape whose truth is known."""

import datetime as dt
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.transform import from_origin
from rasterio.windows import Window
from shapely import LineString

from lulc_kit import files, progress
from lulc_kit.errors import LulcError, ParameterError
from lulc_kit.simulated import ancillary, landscape, sensor, sky
from lulc_kit.simulated.metadata import Identity, Scene
from lulc_kit.simulated.phenology import BANDS, CLASSES, COVER_CLASS, spectra
from lulc_kit.simulated.product import ProductWriter

DATES = (
    "2021-07-09", "2021-08-13", "2021-09-12", "2021-10-17", "2021-11-16",
    "2022-02-19", "2022-03-26", "2022-04-20", "2022-05-15", "2022-06-14",
)  # fmt: skip
TILES = ("33UVU", "33UWU")
YEARS = 2
"""How much later the other year of the same land is (``later``)."""
FULL = 10980  # pixels, edge of a whole tile
EPSG = 32633
_RIGHT, _TOP = 509760, 5900040  # upper-right corner of 33UVU, metres
_COARSEST = 6  # 60 m pixels are six 10 m pixels wide
_STRIP, _HALO = 240, 18  # rows worked on at once, and seen beyond them by the widest point spread
_COLOURS = {
    1: (255, 0, 0), 2: (0, 200, 0), 3: (0, 150, 150), 4: (255, 230, 0), 5: (0, 80, 255), 6: (90, 90, 90),
}  # fmt: skip
# First day on which new products had a processing baseline.
_BASELINES = (
    (dt.date(2015, 6, 23), "02.04"), (dt.date(2017, 10, 23), "02.06"), (dt.date(2018, 11, 6), "02.10"),
    (dt.date(2019, 7, 8), "02.13"), (dt.date(2020, 2, 4), "02.14"), (dt.date(2021, 3, 30), "03.00"),
    (dt.date(2021, 6, 30), "03.01"), (dt.date(2022, 1, 25), "04.00"), (dt.date(2022, 12, 6), "05.09"),
    (dt.date(2023, 12, 13), "05.10"), (dt.date(2024, 7, 23), "05.11"),
)  # fmt: skip
_SWITCH = dt.date(2022, 1, 25)  # baseline 04.00 and its offset
_MARK = "SIMULATED"
_SAID = {"DESCRIPTION": "SIMULATED by lulc_kit; nothing of it is on the earth"}


@dataclass(frozen=True)
class SimulatedStudy:
    """What `simulate` wrote; all paths lie in `folder`."""

    folder: Path
    scenes: tuple[Path, ...]  # products, by date and tile
    classes: Path  # true classes, 10 m
    reflectance: Path  # true reflectance of the cloudless date, all bands at 10 m
    masks: tuple[Path, ...]  # true cloud, cirrus and shadow, one for each date
    dem: Path
    roads: Path
    training: Path
    clear_date: dt.date


class _Store:
    """A plain array in a file, read and written by rows, so that a whole tile need not be in memory."""

    def __init__(self, path: Path, columns: int, dtype: type) -> None:
        self.path, self.columns, self.dtype = path, columns, np.dtype(dtype)
        path.touch()

    def append(self, rows: np.ndarray) -> None:
        with self.path.open("ab") as file:
            rows.astype(self.dtype, copy=False).tofile(file)

    def read(self, first: int, stop: int) -> np.ndarray:
        count, offset = (stop - first) * self.columns, first * self.columns * self.dtype.itemsize
        return np.fromfile(self.path, self.dtype, count, offset=offset).reshape(-1, self.columns)


@dataclass(frozen=True)
class _Ground:
    covers: _Store
    brightness: _Store
    vigour: _Store
    height: _Store  # with one row and column more on each side


@dataclass(frozen=True)
class _Frame:
    """The study's grid: tiles side by side with the overlap of the real tiling."""

    size: int
    lefts: tuple[int, ...]  # first column of each tile

    @property
    def width(self) -> int:
        return self.lefts[-1] + self.size

    @property
    def easting(self) -> int:
        return _RIGHT - 10 * self.size

    @property
    def profile(self) -> dict[str, object]:
        return {
            "driver": "GTiff", "width": self.width, "height": self.size, "crs": f"EPSG:{EPSG}",
            "transform": from_origin(self.easting, _TOP, 10, 10), "tiled": True, "compress": "deflate",
            "bigtiff": "if_safer",
        }  # fmt: skip

    def strips(self) -> list[tuple[int, int]]:
        return [(top, min(top + _STRIP, self.size)) for top in range(0, self.size, _STRIP)]


def simulate(
    folder: str | Path,
    *,
    size: int = 600,
    tiles: int = 2,
    dates: Sequence[str | dt.date] | None = None,
    seed: int = 0,
    later: bool = False,
) -> SimulatedStudy:
    """Make a study with a known truth: Sentinel-2 L2A products and all that a user would have beside them.

    Parameters
    ----------
    folder
        Receives ``scenes/`` (products as .SAFE folders), ``ancillary/dem.tif`` and ``roads.gpkg``,
        ``reference/training.gpkg``, ``truth/`` and ``README.txt``. What an earlier call left there is
        replaced; anything else is not touched.
    size
        Edge of a tile in 10 m pixels, 256 to 10980 (a whole tile); rounded up to a multiple of 6, because a
        60 m pixel is 6 wide.
    tiles
        1 or 2 neighbours, which overlap by 9 % as real tiles do.
    dates
        Days of acquisition, ISO dates; default ten days between July 2021 and June 2022, on both sides of the
        change to processing baseline 04.00. The second of three or more days before that change is delivered
        reprocessed (05.00), with an offset although it is old. The day nearest to 1 June is cloudless.
    seed
        The same seed gives the same rasters, byte for byte.
    later
        The same land `YEARS` years on, under another sky: fields around towns have been built over, woods felled, and
        every field bears another crop (`landscape.make_plan`). ``truth/classes.tif`` of both says where. The dates
        are by default the same days, `YEARS` years on.

    Returns
    -------
    SimulatedStudy

    Raises
    ------
    LulcError
        If an argument is out of range, `folder` holds scenes that are not simulated, or its disk is full.

    Notes
    -----
    The scene exists at 5 m; the true 10 m image is what a band with a modulation transfer of 0.26 at the
    Nyquist frequency of 10 m sees of it. The 10 m bands are that image and noise; the 20 m and 60 m bands are
    that image blurred by a Gaussian of σ = ratio·√(−2 ln(mtf)/π²) pixels and sampled at their pixel centres,
    and noise.

    Examples
    --------
    >>> made = simulate("simulated", size=256, tiles=1, dates=["2022-06-14"], seed=1)
    >>> [path.name[:26] for path in made.scenes], made.classes.name
    (['S2A_MSIL2A_20220614T101031'], 'classes.tif')
    """
    folder = Path(folder)
    if later and dates is None:
        dates = [f"{int(day[:4]) + YEARS}{day[4:]}" for day in DATES]
    frame, days = _checked(size, tiles, dates)
    _refuse_foreign(folder)
    part = folder / ".part"
    if part.exists():
        shutil.rmtree(part)
    for name in ("scenes", "ancillary", "reference", "truth", "work"):
        (part / name).mkdir(parents=True)
    clear = min(days, key=lambda day: abs(day.timetuple().tm_yday - 152))
    plan = landscape.make_plan(frame.size, frame.width, frame.size, seed, later=later)
    sky_seed = seed + later * len(DATES) * 1000
    count = len(frame.strips()) * (1 + len(days))
    with files.report_full(part, partial=[part]), progress.bar(count, "Simulating", "strip") as shown:
        ground = _lay_ground(part, plan, frame, shown)
        for number, identity in enumerate(_identities(days)):
            weather = sky.CLEAR if days[number] == clear else sky.WEATHERS[number % len(sky.WEATHERS)]
            _observe(part, ground, frame, identity, weather, seed=[sky_seed, number], shown=shown)
        _write_ancillary(part, plan, frame, seed)
        shutil.rmtree(part / "work")
        text = _readme(frame, days, clear, seed, later)
        (part / "README.txt").write_text(text, encoding="utf-8")
    _move_in(part, folder)
    truth = folder / "truth"
    return SimulatedStudy(
        folder=folder,
        scenes=tuple(sorted((folder / "scenes").glob("*.SAFE"), key=lambda path: path.name[11:])),
        classes=truth / "classes.tif",
        reflectance=truth / f"reflectance_{clear}.tif",
        masks=tuple(sorted(truth.glob("mask_*.tif"))),
        dem=folder / "ancillary" / "dem.tif",
        roads=folder / "ancillary" / "roads.gpkg",
        training=folder / "reference" / "training.gpkg",
        clear_date=clear,
    )


def _checked(size: int, tiles: int, dates: Sequence[str | dt.date] | None) -> tuple[_Frame, list[dt.date]]:
    if not 256 <= size <= FULL:
        raise ParameterError(f"size is {size}; expected 256 to {FULL} pixels of 10 m, the edge of a tile.")
    if tiles not in (1, 2):
        raise ParameterError(f"tiles is {tiles}; expected 1 or 2.")
    try:
        days = [day if isinstance(day, dt.date) else dt.date.fromisoformat(day) for day in dates or DATES]
    except ValueError as error:
        raise ParameterError(f"A date could not be read ({error}); write dates like '2022-05-15'.") from None
    if len(set(days)) < len(days):
        raise ParameterError(f"A date occurs twice in {[str(day) for day in days]}; give each day once.")
    if min(days) < _BASELINES[0][0]:
        raise ParameterError(f"{min(days)} is before Sentinel-2A was launched; give dates from {_BASELINES[0][0]} on.")
    size = -(-size // _COARSEST) * _COARSEST
    step = size - _COARSEST * round(size * 163 / FULL)  # real tiles of one row overlap by 163 pixels of 60 m
    return _Frame(size, tuple(step * k for k in range(tiles))), sorted(days)


def _refuse_foreign(folder: Path) -> None:
    for product in (folder / "scenes").glob("*"):
        metadata = product / "MTD_MSIL2A.xml"
        if not (metadata.is_file() and _MARK in metadata.read_text(encoding="utf-8", errors="replace")[:4000]):
            raise LulcError(
                f"{product} is not a simulated product, and would be replaced; expected an empty folder or "
                "an earlier simulated study. Choose another folder."
            )


def _move_in(part: Path, folder: Path) -> None:
    """Put what was made in its place: earlier simulated products and truths go, a user's own files stay."""
    truth = folder / "truth"
    for old in [*(folder / "scenes").glob("*"), *truth.glob("mask_*.tif"), *truth.glob("reflectance_*.tif")]:
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink()
    for made in sorted(part.glob("*/*")):
        target = folder / made.relative_to(part)
        target.parent.mkdir(exist_ok=True)
        made.replace(target)
    (part / "README.txt").replace(folder / "README.txt")
    shutil.rmtree(part)


def _identities(days: Sequence[dt.date]) -> list[list[Identity]]:
    """The product names of each date, one for each tile that there can be."""
    old = [day for day in days if day < _SWITCH]
    reprocessed = old[1] if len(old) > 2 else None
    found = []
    for number, day in enumerate(days):
        sensing = dt.datetime.combine(day, dt.time(10, 10, 31), dt.UTC)
        baseline = [name for first, name in _BASELINES if first <= day][-1]
        generated = sensing + dt.timedelta(hours=4, minutes=13)
        if day == reprocessed:
            baseline, generated = "05.00", dt.datetime(2023, 1, 19, 5, 52, 14, tzinfo=dt.UTC)
        satellite = "S2A" if number % 2 == 0 else "S2B"
        found.append([Identity(tile, sensing, satellite, baseline, generated) for tile in TILES])
    return found


def _lay_ground(part: Path, plan: landscape.Plan, frame: _Frame, shown: Any) -> _Ground:
    """Paint the ground once, into files that every date reads; write the true classes."""
    work = part / "work"
    ground = _Ground(
        _Store(work / "covers", 2 * frame.width, np.uint8),
        _Store(work / "brightness", frame.width, np.float16),
        _Store(work / "vigour", frame.width, np.float16),
        _Store(work / "height", frame.width + 2, np.float32),
    )
    with rasterio.open(
        part / "truth" / "classes.tif", "w", **frame.profile | {"count": 1, "dtype": "uint8", "nodata": 0}
    ) as file:
        file.write_colormap(1, _COLOURS)
        file.set_band_description(1, "true class")
        file.update_tags(SIMULATED="YES", **{f"class_{value}": name for value, name in CLASSES.items()})
        for top, stop in frame.strips():
            painted = landscape.paint(plan, top, stop - top, frame.width)
            ground.covers.append(painted.covers)
            ground.brightness.append(painted.brightness)
            ground.vigour.append(painted.vigour)
            first, last = (-1 if top == 0 else top), (stop + 1 if stop == frame.size else stop)
            y, x = np.mgrid[first:last, -1 : frame.width + 1] * 10.0 + 5
            ground.height.append(landscape.elevation(x.ravel(), y.ravel(), plan).reshape(x.shape))
            file.write(_majority(COVER_CLASS[painted.covers]), 1, window=Window(0, top, frame.width, stop - top))
            shown.update(1)
    return ground


def _majority(fine: np.ndarray) -> np.ndarray:
    """Most frequent class of each 2×2 block; among equals the one met first."""
    four = np.stack([fine[i::2, j::2] for i in (0, 1) for j in (0, 1)])
    votes = (four[:, None] == four[None]).sum(axis=1)
    return np.take_along_axis(four, votes.argmax(axis=0)[None], axis=0)[0]


def _observe(
    part: Path,
    ground: _Ground,
    frame: _Frame,
    identities: Sequence[Identity],
    weather: sky.Weather,
    seed: Sequence[int],
    shown: Any,
) -> None:
    """Take one date: products of all tiles, the true mask, and the true reflectance if it is cloudless."""
    day = identities[0].sensing.timetuple().tm_yday
    number = int(np.random.default_rng(seed).integers(1 << 31))
    air_of = sky.make_sky(weather, day, frame.size, frame.width, frame.size, number)
    writers = [
        ProductWriter(part / "scenes", identity, _scene(frame, left, air_of))
        for identity, left in zip(identities, frame.lefts, strict=False)
    ]
    table = spectra(day)
    date = identities[0].sensing.date()
    truth = _truth_file(part, frame, date) if weather == sky.CLEAR else None
    masks = rasterio.open(part / "truth" / f"mask_{date}.tif", "w", **frame.profile | {"count": 1, "dtype": "uint8"})
    masks.update_tags(SIMULATED="YES", values="0 clear, 1 cloud, 2 cloud shadow, 3 cirrus, 4 not imaged")
    for top, stop in frame.strips():
        first, last = max(0, top - _HALO), min(frame.size, stop + _HALO)
        light = landscape.shading(ground.height.read(first, last + 2), air_of.zenith, air_of.azimuth)
        lit = sensor.render(
            ground.covers.read(2 * first, 2 * last),
            table,
            ground.brightness.read(first, last).astype(np.float32),
            ground.vigour.read(first, last).astype(np.float32),
        )
        lit *= light
        core = slice(top - first, stop - first)
        window = Window(0, top, frame.width, stop - top)
        if truth is not None:
            truth.write(np.rint(lit[:, core] / 1e-4).astype(np.int16), window=window)
        air = sky.look(air_of, first, last - first, frame.width)
        masks.write(_true_mask(air)[core], 1, window=window)
        seen = sky.through(lit, air)
        del lit
        _expose(writers, frame, seen, air, first, (top, stop), np.random.default_rng([*seed, top]))
        shown.update(1)
    for file in (masks, truth):
        if file is not None:
            file.close()
    for writer in writers:
        writer.complete()


def _expose(
    writers: Sequence[ProductWriter],
    frame: _Frame,
    seen: np.ndarray,
    air: sky.Air,
    first: int,
    strip: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """Sample a strip by every band and write each tile's part of it."""
    coarse: dict[str, np.ndarray] = {}
    for k, band in enumerate(BANDS):
        ratio = sensor.RESOLUTION[band] // 10
        image = seen[k] if ratio == 1 else sensor.degrade(seen[k], ratio, sensor.MTF[band])
        rows = slice((strip[0] - first) // ratio, (strip[1] - first) // ratio)
        noisy = sensor.add_noise(image[rows], rng)
        noisy[_any(air.outside, ratio)[rows]] = np.nan
        numbers = sensor.to_numbers(noisy, writers[0].identity.offset)
        for writer, left in zip(writers, frame.lefts, strict=True):
            cut = numbers[:, left // ratio : (left + frame.size) // ratio]
            writer.write(band, strip[0] // ratio, cut)
        if band in ("B3", "B4", "B8A", "B11"):
            coarse[band] = image if ratio == 2 else _blocks(image, 2).mean(axis=(1, 3))
    rows = slice((strip[0] - first) // 2, (strip[1] - first) // 2)
    scl = _scene_classes(coarse, air)[rows]
    wide = slice((strip[0] - first) // 6, (strip[1] - first) // 6)
    opaque = (_blocks(air.cloud, 6).mean(axis=(1, 3)) > 0.3)[wide]
    thin = (_blocks(air.cirrus, 6).mean(axis=(1, 3)) > 0.06)[wide] & ~opaque
    for writer, left in zip(writers, frame.lefts, strict=True):
        writer.write("SCL", strip[0] // 2, scl[:, left // 2 : (left + frame.size) // 2])
        tile = slice(left // 6, (left + frame.size) // 6)
        writer.write_mask(strip[0] // 6, opaque[:, tile], thin[:, tile])


def _blocks(image: np.ndarray, ratio: int) -> np.ndarray:
    """View of an image as (rows, ratio, columns, ratio)."""
    rows, columns = image.shape
    return image.reshape(rows // ratio, ratio, columns // ratio, ratio)


def _any(mask: np.ndarray, ratio: int) -> np.ndarray:
    """Coarse pixels in which any fine pixel is set."""
    return np.asarray(np.any(_blocks(mask, ratio), axis=(1, 3)))


def _scene_classes(bands: dict[str, np.ndarray], air: sky.Air) -> np.ndarray:
    """A scene classification at 20 m such as Sen2Cor makes: good in the open, blind for thin cloud edges."""
    green, red, nir, swir = (bands[name] for name in ("B3", "B4", "B8A", "B11"))
    ndvi = (nir - red) / np.maximum(nir + red, 1e-6)
    scl = np.where(ndvi > 0.4, 4, 5).astype(np.uint8)
    scl[(ndvi > 0.3) & (ndvi <= 0.4)] = 7
    scl[(nir < 0.09) & (swir < 0.06)] = 2
    scl[(green > swir) & (ndvi < 0.1) & (nir < 0.12)] = 6
    cloud, shadow, cirrus = (_blocks(part, 2).mean(axis=(1, 3)) for part in (air.cloud, air.shadow, air.cirrus))
    scl[shadow > 0.3] = 3
    scl[cirrus > 0.06] = 10
    scl[cloud > 0.25] = 8
    scl[cloud > 0.65] = 9
    scl[_any(air.outside, 2)] = 0
    return scl


def _true_mask(air: sky.Air) -> np.ndarray:
    mask = np.where(air.shadow > 0.1, 2, 0).astype(np.uint8)
    mask[air.cirrus > 0.03] = 3
    mask[air.cloud > 0.1] = 1
    mask[air.outside] = 4
    return mask


def _scene(frame: _Frame, left: int, air: sky.Sky) -> Scene:
    west, north, edge = frame.easting + 10 * left, _TOP, 10 * frame.size
    corners = [(0, 0), (edge, 0), (edge, edge), (0, edge), (0, 0)]
    to_degrees = Transformer.from_crs(f"EPSG:{EPSG}", "EPSG:4326")
    footprint = [to_degrees.transform(west + x, north - y) for x, y in corners]
    return Scene(frame.size, west, north, EPSG, air.zenith, air.azimuth, footprint)


def _truth_file(part: Path, frame: _Frame, date: dt.date) -> rasterio.io.DatasetWriter:
    file = rasterio.open(
        part / "truth" / f"reflectance_{date}.tif",
        "w",
        **frame.profile | {"count": len(BANDS), "dtype": "int16", "nodata": -32768, "interleave": "band"},
    )
    file.descriptions = BANDS
    file.scales = [1e-4] * len(BANDS)
    file.update_tags(SIMULATED="YES", quantity="true reflectance at 10 m, without noise", date=str(date))
    return file


def _write_ancillary(part: Path, plan: landscape.Plan, frame: _Frame, seed: int) -> None:
    west, north, width, height = frame.easting, _TOP, 10 * frame.width, 10 * frame.size
    bounds = (float(west), float(north - height), float(west + width), float(north))
    ancillary.write_dem(part / "ancillary" / "dem.tif", plan, bounds, EPSG)
    lines = ancillary.roads(plan, width, height)
    placed = [LineString([(west + x, north - y) for x, y in line.coords]) for _, line in lines]
    table = gpd.GeoDataFrame({"highway": [kind for kind, _ in lines]}, geometry=placed, crs=f"EPSG:{EPSG}")
    table.to_crs("EPSG:4326").to_file(part / "ancillary" / "roads.gpkg", layer="roads", layer_options=_SAID)
    polygons = ancillary.training_polygons(part / "truth" / "classes.tif", seed)
    polygons.to_file(part / "reference" / "training.gpkg", layer="training", layer_options=_SAID)


def _readme(frame: _Frame, days: Sequence[dt.date], clear: dt.date, seed: int, later: bool) -> str:
    land = f"the land {YEARS} years after that of the same seed" if later else "the land"
    return f"""SIMULATED. No satellite saw this: landscape, weather and images were computed by lulc_kit.
It is a teaching and testing instrument. Accuracies reached on it say nothing about the earth.

scenes/      Sentinel-2 L2A products in SAFE layout, {len(frame.lefts)} tile(s) of {frame.size} x {frame.size}
pixels
             at 10 m, {len(days)} dates from {days[0]} to {days[-1]}; {land}, seed {seed}
ancillary/   dem.tif: terrain, about 30 m, EPSG:4326; roads.gpkg: lines with a field "highway"
reference/   training.gpkg: polygons with the fields "class", "name" and "fclass"
truth/       classes.tif: true classes at 10 m ({", ".join(f"{v} {name}" for v, name in CLASSES.items())})
             reflectance_{clear}.tif: true reflectance x 10000 of all bands at 10 m, cloudless, without noise
             mask_<date>.tif: 0 clear, 1 cloud, 2 cloud shadow, 3 cirrus, 4 not imaged
"""
