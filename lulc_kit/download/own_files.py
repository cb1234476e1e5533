"""A user's own rasters, described as a catalog. The files stay where they are and are only read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lulc_kit import files, params, raster, sentinel2
from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.errors import BandError, MissingFileError, ParameterError


def catalog(scenes: Sequence[params.Scene], ancillary: Mapping[str, Path]) -> Catalog:
    """Describe a user's rasters, after a look into each of them.

    Parameters
    ----------
    scenes
        Which file holds which band, and what its numbers mean.
    ancillary
        The files beside them, by role.

    Raises
    ------
    LulcError
        If a file is missing, unreadable or without CRS, has too few or too many bands for its list of names, or a
        band is named twice.
    """
    return Catalog([_scene(entry) for entry in scenes], ancillary, "The user's own data.")


def _scene(entry: params.Scene) -> Scene:
    if entry.bands is not None:
        sources = [(name, *_look(path), 1) for name, path in entry.bands.items()]
    else:
        assert entry.file is not None and entry.names is not None
        path, header = _look(entry.file)
        if len(header.names) != len(entry.names):
            raise ParameterError(
                f"{path} has {len(header.names)} band(s), but 'names' lists {len(entry.names)}: "
                f"{', '.join(entry.names)}. Give one name for each band, in the file's order."
            )
        sources = [(name, path, header, number) for number, name in enumerate(entry.names, 1)]
    bands: dict[str, Band] = {}
    for given, path, header, number in sources:
        name = sentinel2.band_name(given)
        if name in bands:
            raise BandError(f"Scene {entry.date}: band {name} is given twice. Each band must occur once.")
        bands[name] = Band.of(path, number, entry.scale, entry.offset, entry.nodata, header=header)
    extras = {}
    for role, named in (("scl", entry.scl), ("mask", entry.mask)):
        if named:
            path, header = _look(named)
            extras[role] = Band.of(path, header=header)
    return Scene(
        entry.date,
        entry.level,
        bands,
        scl=extras.get("scl"),
        mask=extras.get("mask"),
        sun_azimuth=entry.sun_azimuth,
        sun_zenith=entry.sun_zenith,
    )


def _look(name: str) -> tuple[Path, raster.Header]:
    path = files.resolve(name)
    if not files.on_disk(path).exists():
        raise MissingFileError(
            f"{path} does not exist. Check the path in 01_download.yaml; it starts at the project's folder."
        )
    return path, raster.header(path)
