"""A user's own rasters, described as a catalog. The files stay where they are and are only read."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lulc_kit import params, raster, sentinel2
from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.errors import BandError, ParameterError
from lulc_kit.intake import rasters
from lulc_kit.intake.rasters import Raster
from lulc_kit.late import xr
from lulc_kit.progress import track

SATURATED = 65535
"""The largest number of 16 bits."""
SCALE = 0.0001
"""Of reflectance in a file that declares none."""


def catalog(scenes: Sequence[params.Scene], ancillary: Mapping[str, Path], folder: Path) -> Catalog:
    """Describe a user's rasters, after a look into each of them.

    Parameters
    ----------
    scenes
        Which file holds which band, and what its numbers mean.
    ancillary
        The files beside them, by role.
    folder
        Where plain copies are written of files that say what they say in an unusual way (`lulc_kit.intake.rasters`).

    Raises
    ------
    LulcError
        If a file is missing, unreadable or without CRS, has too few or too many bands for its list of names, or a
        band is named twice.
    """
    days = [entry.date for entry in scenes]
    found = []
    for k, entry in enumerate(track(scenes, "looking into the files", unit="date")):
        # Files of one day lie side by side and are mosaicked, as the tiles of products are.
        part = f"part{days[:k].count(entry.date) + 1}" if days.count(entry.date) > 1 else None
        found.append(_scene(entry, part, folder, numbers=k == 0))
    return Catalog(found, ancillary, "The user's own data.")


def _scene(entry: params.Scene, part: str | None, folder: Path, *, numbers: bool) -> Scene:
    looked: dict[str, _Looked] = {}

    def look(name: str, nodata: float | None = None, zero: bool = True) -> _Looked:
        if name not in looked:
            looked[name] = _look(name, folder / entry.date, nodata, numbers, zero)
        return looked[name]

    nodata = entry.nodata if isinstance(entry.nodata, int | float) else None
    if entry.bands is not None:
        _refuse_exchanged(entry)
        sources = [(name, known := look(path, nodata), _number(name, known)) for name, path in entry.bands.items()]
    else:
        assert entry.file is not None and entry.names is not None
        known = look(entry.file, nodata)
        sources = [(name, known, k) for name, k in zip(entry.names, _numbers(entry.names, known), strict=True)]
    moments = [known.moments[number - 1] for _, known, number in sources]
    _refuse_times(moments, f"Scene {entry.date}")
    _warn_of_other_day(entry.date, moments)
    _warn_of_names(entry)
    bands: dict[str, Band] = {}
    for given, known, number in sources:
        name = sentinel2.band_name(given)
        if name in bands:
            raise BandError(f"Scene {entry.date}: band {name} is given twice. Each band must occur once.")
        bands[name] = _band(entry, known, number)
    extras = {}
    for role, named in (("scl", entry.scl), ("mask", entry.mask)):
        if named:
            known = look(named, zero=role != "mask")
            if len(known.found.bands) > 1:
                raise BandError(
                    f"Scene {entry.date}, {role}: {known.name} has {len(known.found.bands)} bands, expected one. Save "
                    f"the right one by itself (gdal_translate -b NUMBER FILE {role}.tif)."
                )
            own = known.found.bands[0]
            extras[role] = Band.of(known.path, 1, own.scale, own.offset, header=known.header)
    return Scene(
        entry.date,
        entry.level,
        bands,
        scl=extras.get("scl"),
        mask=extras.get("mask"),
        mask_clear=entry.mask_clear,
        sun_azimuth=entry.sun_azimuth,
        sun_zenith=entry.sun_zenith,
        tile=part,
        understood=[row for known in looked.values() for row in known.said],
    )


def _refuse_times(moments: Sequence[str], what: str) -> None:
    found = sorted({*moments} - {""})
    if len(found) > 1:
        days = ", ".join(map(_day, found[:5])) + (" …" if len(found) > 5 else "")
        raise BandError(
            f"{what}: its bands are of {len(found)} times ({days}), and a scene is of one. Save those of each date to "
            f"a file of its own (docs/preprocessing.md has a recipe for netCDF)."
        )


def _day(moment: str) -> str:
    """Return the day, ``2017-01-01``, of what netCDF writes, ``17167 days since 1970-01-01``; or that."""
    number, units = moment.split(" ", 1)
    try:
        found = xr.coding.times.decode_cf_datetime(np.array([float(number)]), units)[0]
    except (ImportError, ValueError):  # of months and years, or too far away, xarray leaves it to another package
        return moment
    return moment if np.isnat(found) else str(found)[:10]


def _warn_of_other_day(date: str, moments: Sequence[str]) -> None:
    """Warn where a file says that it is of another day than the parameters say."""
    for moment in {*moments} - {""}:
        if _day(moment) not in (date, moment):
            warnings.warn(
                f"Scene {date}: the file itself says that it is of {_day(moment)} ({moment}). If that is the day of "
                f"the image, correct 'date' in 01_download.yaml.",
                stacklevel=2,
            )


_DAY = re.compile(r"(?<!\d)(20[12]\d)([-_]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
"""A day in the name of a file: of products the sensing comes first, others (processing) may follow."""


def _warn_of_names(entry: params.Scene) -> None:
    """Warn of the first file whose name holds days, none of them the scene's: those of its other bands say the same."""
    for path in entry.bands.values() if entry.bands is not None else [entry.file]:
        days = [f"{year}-{month}-{day}" for year, _, month, day in _DAY.findall(Path(str(path)).name)]
        if days and entry.date not in days:
            warnings.warn(
                f"Scene {entry.date}: the name of {path} says {', '.join(dict.fromkeys(days))}. If that is the day of "
                f"the image, correct 'date' in 01_download.yaml.",
                stacklevel=2,
            )
            return


def _refuse_exchanged(entry: params.Scene) -> None:
    """Refuse files whose names tell all their bands, and others than the parameters say."""
    assert entry.bands is not None
    told = {name: sentinel2.recognize(Path(path).stem) for name, path in entry.bands.items()}
    wrong = [name for name, other in told.items() if other != sentinel2.band_name(name)]
    if wrong and None not in told.values() and len({*told.values()}) == len(told) > 1:
        said = ", ".join(f"{name}: {entry.bands[name]}" for name in wrong)
        raise BandError(
            f"Scene {entry.date}: by their names these files hold other bands ({said}). Correct 'bands' in "
            f"01_download.yaml, or rename the files."
        )


_REFLECTANCE = 2
"""No reflectance is higher."""
_TRANSPARENCY = (
    "A band that the file marks as transparency (alpha) does not count. If it is none: gdal_edit.py -colorinterp_4 "
    "undefined FILE."
)


@dataclass(frozen=True)
class _Looked:
    """A file that the kit can read as it is, the user's or a plain copy; and what the user's was understood to say."""

    name: str
    path: Path
    found: Raster
    said: list[dict[str, Any]]
    moments: Sequence[str] = ()
    hint: str = ""
    copied: bool = False

    @property
    def names(self) -> list[str]:
        """What the file calls its bands, as the kit writes it: ``B4`` for ``SR_B4``, where that tells them apart."""
        plain = [sentinel2.band_name(band.name) for band in self.found.bands]
        told = [sentinel2.recognize(name) or name for name in plain]
        return told if len(set(told)) == len(told) else plain

    @property
    def header(self) -> raster.Header:
        bands = self.found.bands  # the file was opened once already
        return raster.Header(
            self.found.geobox, [b.name for b in bands], [b.dtype for b in bands], [b.nodata for b in bands]
        )


def _look(name: str, folder: Path, nodata: float | None, numbers: bool, zero: bool) -> _Looked:
    found, said = rasters.look(name, nodata=nodata, numbers=numbers)
    if not zero:  # of a mask it means clear, whatever a program wrote into the header
        found = replace(found, bands=tuple(replace(b, nodata=b.nodata or None) for b in found.bands))
    path = rasters.plain(found, name, folder, nodata)
    hint = f" {_TRANSPARENCY}" if any(band.masked for band in found.bands) else ""
    moments = [band.moment for band in found.bands]
    copied = path != Path(found.source[0])
    known = rasters.describe(path) if copied else found
    return _Looked(name, path, known, said, moments, hint, copied=copied)


def _numbers(names: Sequence[str], known: _Looked) -> Sequence[int]:
    """Return the numbers of the bands of a file that holds all of a scene's, from 1."""
    own, wanted = known.names, [sentinel2.band_name(n) for n in names]
    _refuse_twice(wanted, known)
    if set(wanted) <= set(own):  # a file that names its bands may have them in another order, and more of them
        return [own.index(n) + 1 for n in wanted]
    _refuse_times(known.moments, known.name)
    if len(own) != len(names):
        raise ParameterError(
            f"{known.name} has {len(own)} band(s), but 'names' lists {len(names)}: {', '.join(names)}. Give one name "
            f"for each band, in the file's order (it calls them {', '.join(b.name for b in known.found.bands)})."
            f"{known.hint}"
        )
    _refuse_contradiction(wanted, known)
    return range(1, len(names) + 1)


def _refuse_twice(wanted: Sequence[str], known: _Looked) -> None:
    if twice := [n for n in wanted if known.names.count(n) > 1]:
        raise BandError(
            f"{known.name} calls several of its bands {', '.join(twice)}. Save those of this scene to a file of their "
            f"own (gdal_translate -b NUMBER FILE OUT.tif), and name that."
        )


def _refuse_contradiction(wanted: Sequence[str], known: _Looked) -> None:
    """Refuse a file that calls its bands by other bands' names, unless it merely counts them: B1, B2, B3 …"""
    own = known.names
    if own == [f"B{k}" for k in range(1, len(own) + 1)]:
        return
    for k, (calls, name) in enumerate(zip(own, wanted, strict=True), 1):
        if calls in sentinel2.BANDS and calls != name and {calls, name} != {"B8", "B8A"}:  # "nir" is either
            order = ", ".join(band.name for band in known.found.bands)
            raise BandError(
                f"{known.name}: the parameters take its band {k} for {name}, and the file itself calls it "
                f"{known.found.bands[k - 1].name} (its bands are {order}). Correct 'names' (or 'bands') in "
                f"01_download.yaml, or the names in the file."
            )


def _number(name: str, known: _Looked) -> int:
    """Return the number of the one band that is wanted of a file, from 1."""
    own = known.names
    if len(own) == 1:
        _refuse_contradiction([sentinel2.band_name(name)], known)
        return 1
    _refuse_twice([sentinel2.band_name(name)], known)
    if sentinel2.band_name(name) not in own:
        raise BandError(
            f"{known.name} has {len(own)} bands, and none of them is called {name} ({', '.join(own)}). Name the file "
            f"as 'file' and all its bands in 'names', or save {name} by itself."
        )
    return own.index(sentinel2.band_name(name)) + 1


def _customary(entry: params.Scene, known: _Looked, number: int) -> float:
    """Return the number that means nodata in a band that says none: 0, or what many programs write and no land has."""
    customary = rasters.find_undeclared(known.path, number, known.found.bands[number - 1].dtype)
    if customary is None:
        return 0
    warnings.warn(
        f"Scene {entry.date}: {known.name} has pixels of {customary} in {known.found.bands[number - 1].name}, which is "
        f"no reflectance, and does not say what means nodata: they are taken for missing. If they are not, write "
        f"nodata: 0 in 01_download.yaml.",
        stacklevel=2,
    )
    return customary


def _refuse_reflectance(entry: params.Scene, known: _Looked, number: int) -> None:
    """Refuse numbers that are reflectance already, where the usual scale would make nothing of them."""
    own, highest = known.found.bands[number - 1], known.said[number - 1].get("highest")
    if np.dtype(own.dtype).kind == "f" and highest is not None and 0 < highest <= _REFLECTANCE:
        raise BandError(
            f"Scene {entry.date}: {known.name} holds numbers up to {highest:.4g} in {own.name}, which look like "
            f"reflectance itself, and without a scale they would be multiplied by {SCALE}. Write scale: 1 in "
            f"01_download.yaml, or what they are to be multiplied by."
        )


def _band(entry: params.Scene, known: _Looked, number: int) -> Band:
    own = known.found.bands[number - 1]
    # A default never overrules what a file says of itself, nor a parameter a copy that was made by it.
    nodata: float | None = None
    if entry.nodata != "file" and not (known.copied and own.nodata is not None):
        nodata = entry.nodata
    elif own.nodata is None:
        nodata = _customary(entry, known, number)
    scale = entry.scale if entry.scale is not None else SCALE if own.scale == 1 else own.scale
    if entry.scale is None and own.scale == 1 and np.dtype(own.dtype).itemsize == 1:
        raise BandError(
            f"Scene {entry.date}: {known.name} holds numbers of 8 bits, which at the usual scale of {SCALE} would end "
            f"at a reflectance of {255 * SCALE:.4f}. It is probably a picture, stretched for the eye: name the data "
            f"that it was made of. If its numbers are reflectance, write what they are multiplied by (scale: 0.004)."
        )
    if entry.scale is None and own.scale == 1:
        _refuse_reflectance(entry, known, number)
    offset = own.offset if entry.offset is None else entry.offset
    # The largest number of 16 bits is no reflectance but the mark of saturation, where it would mean more than 2.
    wide = np.dtype(own.dtype).kind in "iu" and np.can_cast(np.uint16, own.dtype)
    holds = wide and SATURATED not in (own.nodata, nodata)
    full = SATURATED if holds and SATURATED * scale + offset > 2 else None
    return Band.of(known.path, number, scale, offset, nodata, full, header=known.header)
