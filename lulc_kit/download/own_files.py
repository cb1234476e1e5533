"""A user's own rasters, described as a catalog. The files stay where they are and are only read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lulc_kit import params, raster, sentinel2
from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.errors import BandError, ParameterError
from lulc_kit.intake import rasters

SATURATED = 65535
"""The largest number of 16 bits."""


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
    for k, entry in enumerate(scenes):
        # Files of one day lie side by side and are mosaicked, as the tiles of products are.
        part = f"part{days[:k].count(entry.date) + 1}" if days.count(entry.date) > 1 else None
        found.append(_scene(entry, part, folder))
    return Catalog(found, ancillary, "The user's own data.")


def _scene(entry: params.Scene, part: str | None, folder: Path) -> Scene:
    if entry.bands is not None:
        sources = [(name, *_look(path, entry, folder), 1) for name, path in entry.bands.items()]
    else:
        assert entry.file is not None and entry.names is not None
        path, header = _look(entry.file, entry, folder)
        if len(header.names) != len(entry.names):
            raise ParameterError(
                f"{path} has {len(header.names)} band(s), but 'names' lists {len(entry.names)}: "
                f"{', '.join(entry.names)}. Give one name for each band, in the file's order "
                f"(it calls them {', '.join(header.names)})."
            )
        # A file that names its bands as the parameters do may have them in another order.
        by_name = set(header.names) == set(entry.names)
        numbers = [header.names.index(n) + 1 for n in entry.names] if by_name else range(1, len(entry.names) + 1)
        sources = [(name, path, header, number) for name, number in zip(entry.names, numbers, strict=True)]
    bands: dict[str, Band] = {}
    for given, path, header, number in sources:
        name = sentinel2.band_name(given)
        if name in bands:
            raise BandError(f"Scene {entry.date}: band {name} is given twice. Each band must occur once.")
        bands[name] = _band(entry, path, header, number)
    extras = {}
    for role, named in (("scl", entry.scl), ("mask", entry.mask)):
        if named:
            path, header = _look(named, entry, folder)
            extras[role] = Band.of(path, header=header)
    return Scene(
        entry.date,
        entry.level,
        bands,
        scl=extras.get("scl"),
        mask=extras.get("mask"),
        sun_azimuth=entry.sun_azimuth,
        sun_zenith=entry.sun_zenith,
        tile=part,
    )


def _band(entry: params.Scene, path: Path, header: raster.Header, number: int) -> Band:
    nodata, dtype = entry.nodata, header.dtypes[number - 1]
    if nodata == "file":
        nodata = 0 if header.nodata[number - 1] is None else None
    # The largest number of its type is no reflectance but the mark of saturation, where it would mean more than 2.
    full = SATURATED if dtype == "uint16" and SATURATED * entry.scale + entry.offset > 2 else None
    return Band.of(path, number, entry.scale, entry.offset, nodata, full, header=header)


def _look(name: str, entry: params.Scene, folder: Path) -> tuple[Path, raster.Header]:
    found = rasters.describe(name)
    nodata = entry.nodata if isinstance(entry.nodata, int | float) else None
    path = rasters.plain(found, name, folder / entry.date, nodata)
    if not found.plain:
        return path, raster.header(path)
    bands = found.bands  # the file was opened once already
    header = [b.name for b in bands], [b.dtype for b in bands], [b.nodata for b in bands]
    return path, raster.Header(found.geobox, *header)
