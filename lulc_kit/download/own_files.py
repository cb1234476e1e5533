"""A user's own rasters, described as a catalog. The files stay where they are and are only read."""

import re
from pathlib import Path

import rasterio
from rasterio.errors import RasterioIOError

from lulc_kit import files, params
from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.errors import BandError, FormatError, GridError, MissingFileError, ParameterError


def catalog(p: params.Download) -> Catalog:
    """Describe the rasters that the parameters name, after a look into each of them.

    Raises
    ------
    LulcError
        If a file is missing, unreadable or without CRS, has too few or too many bands for its list of names, or a
        band is named twice.
    """
    scenes = [_scene(entry) for entry in p.scenes]
    return Catalog(scenes, ancillary(p), "The user's own data.")


def ancillary(p: params.Download) -> dict[str, Path]:
    """Return the files beside the scenes that the parameters name, by role; a LulcError if one is missing."""
    named = {"reference": p.reference, "dem": p.dem, "roads": p.roads}
    found = {role: files.resolve(name) for role, name in named.items() if name}
    for role, path in found.items():
        if not path.exists():
            raise MissingFileError(f"{role}: {path} does not exist. Check the path in 01_download.yaml.")
    return found


def band_name(name: str) -> str:
    """Return a band's name as the kit writes it: ``B02`` and ``b2`` become ``B2``, ``B8a`` becomes ``B8A``.

    Names that are not Sentinel-2's are left as they are.
    """
    match = re.fullmatch(r"[Bb]0?(\d{1,2})([Aa]?)", name)
    return f"B{match[1]}{match[2].upper()}" if match else name


def _scene(entry: params.Scene) -> Scene:
    def band(path: Path, number: int = 1) -> Band:
        return Band(path, number, entry.scale, entry.offset, entry.nodata)

    bands: dict[str, Band] = {}
    if entry.bands is not None:
        sources = [(name, files.resolve(path), 1) for name, path in entry.bands.items()]
        for _, path, _ in sources:
            _look(path)
    else:
        assert entry.file is not None and entry.names is not None
        path = files.resolve(entry.file)
        count = _look(path)
        if count != len(entry.names):
            raise ParameterError(
                f"{path} has {count} band(s), but 'names' lists {len(entry.names)}: {', '.join(entry.names)}. "
                f"Give one name for each band, in the file's order."
            )
        sources = [(name, path, number) for number, name in enumerate(entry.names, 1)]
    for name, path, number in sources:
        if band_name(name) in bands:
            raise BandError(f"Scene {entry.date}: band {band_name(name)} is given twice. Each band must occur once.")
        bands[band_name(name)] = band(path, number)
    extras = {}
    for role, named in (("scl", entry.scl), ("mask", entry.mask)):
        if named:
            _look(files.resolve(named))
            extras[role] = Band(files.resolve(named))
    return Scene(
        entry.date,
        entry.level,
        bands,
        scl=extras.get("scl"),
        mask=extras.get("mask"),
        sun_azimuth=entry.sun_azimuth,
        sun_zenith=entry.sun_zenith,
    )


def _look(path: Path) -> int:
    if not files.on_disk(path).exists():
        raise MissingFileError(
            f"{path} does not exist. Check the path in 01_download.yaml; it starts at the project's folder."
        )
    try:
        with rasterio.open(files.gdal_name(path)) as source:
            if source.crs is None:
                raise GridError(
                    f"{path} has no CRS. Set it (gdal_edit.py -a_srs EPSG:… FILE, or in QGIS) and try again."
                )
            return int(source.count)
    except RasterioIOError as error:
        raise FormatError(
            f"{path} is not a raster that GDAL can read ({error}). It may be truncated: copy or download it again."
        ) from error
