"""Products in EOPF Zarr, which ESA has announced as the successor of SAFE: copied to plain rasters, and described.

A band is an array of whole numbers in ``measurements/reflectance/r10m`` (``r20m``, ``r60m``). Its ``scale_factor`` and
``add_offset`` are in reflectance: −0.1 is what SAFE calls −1000. They are applied once, by whoever reads the band. What
a filter decodes to reflectance has nothing left to apply, whatever its attributes say.

A product lies in a folder, or on a server: then only the chunks are read that hold the part one wants.

Written after the layout of the EOPF Sentinel Zarr Samples Service (2026-11), Zarr of version 2 or 3. No real product
was at hand.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import raster
from lulc_kit.catalog import Band, Scene
from lulc_kit.errors import FormatError, LulcError, MissingFileError, StorageError
from lulc_kit.raster import writing
from lulc_kit.sentinel2 import BANDS

if TYPE_CHECKING:
    import zarr

_REFLECTANCE = "measurements/reflectance/r{resolution}m/b{number}"
_SCL = "conditions/mask/l2a_classification/r20m/scl"
_ANGLES = "conditions/geometry/mean_sun_angles"
_NAME = re.compile(r"(S2[A-D])_MSIL(1C|2A)_\d{8}T\d{6}_N(\d\d)(\d\d)_R(\d{3})_T(\d\d[A-Z]{3})_")
SATURATED = 65535
TRIES = 6
"""So often a server that is busy or broken is asked again for a chunk, after ever longer pauses."""
_CODECS = frozenset(
    {"bytes", "blosc", "zstd", "gzip", "zlib", "lz4", "bz2", "lzma", "crc32c", "transpose", "sharding_indexed"}
    | {"shuffle", "delta", "fixedscaleoffset", "bitround", "quantize", "astype", "packbits"}
)
"""How numbers may be packed. Others are refused: that called pickle would run code of who made the product."""


def find(folder: Path) -> list[Path]:
    """Return the EOPF products in a folder: folders whose name ends in ``.zarr``."""
    return sorted(p for p in folder.glob("*.zarr") if p.is_dir())


def describe(
    path: Path | str, folder: Path, bands: Sequence[str] = (), part: Callable[[GeoBox], GeoBox] | None = None
) -> Scene:
    """Copy a product's bands to plain rasters, and describe it.

    Parameters
    ----------
    path
        The product, ``S2A_MSIL2A_…zarr``, or its address on the web; it is only read.
    folder
        Where the copies are to be, in a folder of its name. Those that are there are not made again.
    bands
        Those wanted; none for all.
    part
        From the grid of a whole array to that of the part to be copied; None for the whole.

    Returns
    -------
    lulc_kit.catalog.Scene
        Each band in its own resolution, with scale and offset as the arrays declare them.

    Raises
    ------
    LulcError
        If ``zarr`` is not installed, the product lacks something or cannot be read, or its offset is none of
        reflectance.
    """
    if isinstance(path, Path):
        return _describe(_open(path), path, folder, bands, part)
    import obstore.exceptions as said

    try:
        return _describe(_open(path), PurePosixPath(urlsplit(path).path), folder, bands, part)
    except (said.BaseError, OSError, ValueError, RuntimeError) as error:  # of codecs, for what is no chunk
        if isinstance(error, StorageError):
            raise
        raise FormatError(
            f"{PurePosixPath(urlsplit(path).path).name} cannot be read whole from where it lies "
            f"({type(error).__name__}). What was loaded stays; run 01_download again later to go on."
        ) from None


def _describe(
    root: "zarr.Group",
    path: PurePath,
    folder: Path,
    wanted: Sequence[str],
    part: Callable[[GeoBox], GeoBox] | None,
) -> Scene:
    said: dict[str, Any] = dict(root.attrs)
    found = said.get("stac_discovery", {}).get("properties", {})
    match = _NAME.match(path.name)
    if match is None:
        raise FormatError(f"{path} does not carry the name of a Sentinel-2 product; expected S2A_MSIL2A_….zarr.")
    satellite, level, major, minor, orbit, tile = match.groups()
    crs = _crs(said, found, path)
    target = folder / path.stem
    names = {
        name: _REFLECTANCE.format(resolution=band.resolution, number=band.file_name[1:].lower())
        for name, band in BANDS.items()
        if not (name == "B10" and level == "2A") and (not wanted or name in wanted)
    }
    bands = {name: _band(root, inside, crs, target / f"{name}.tif", path, part) for name, inside in names.items()}
    zenith, azimuth = _sun(root)
    cover = found.get("eo:cloud_cover")
    return Scene(
        _moment(found, path),
        f"L{level}",
        bands,
        scl=_scl(root, crs, target / "SCL.tif", path, part) if level == "2A" else None,
        sun_azimuth=azimuth,
        sun_zenith=zenith,
        baseline=f"{major}.{minor}",
        tile=tile,
        quality={} if cover is None else {"cloud_percentage": float(cover)},
        platform=f"sentinel-{satellite[1:].lower()}",
        orbit=int(orbit),
    )


def _open(path: Path | str) -> "zarr.Group":
    try:
        import zarr
    except ImportError:
        raise LulcError(
            f"{path} is EOPF Zarr, which the package zarr reads, and that is not installed. Install it: "
            f'python -m pip install "zarr>=3".'
        ) from None
    try:
        return zarr.open_group(path if isinstance(path, Path) else _on_the_web(path), mode="r")
    except (ValueError, OSError, KeyError, zarr.errors.BaseZarrError) as error:
        raise FormatError(f"{path} cannot be opened as Zarr ({error}). Fetch the product again.") from None


def _on_the_web(address: str) -> Any:
    from obstore.store import HTTPStore
    from zarr.storage import ObjectStore

    if not address.startswith(("https://", "http://")):
        raise FormatError(f"{address} is not on the web; expected an address that begins with https://.")
    options: Any = {"allow_http": address.startswith("http://"), "connect_timeout": "20s", "timeout": "120s"}
    tries: Any = {"max_retries": TRIES}
    return ObjectStore(HTTPStore.from_url(address, client_options=options, retry_config=tries), read_only=True)


def _array(root: "zarr.Group", inside: str, path: PurePath) -> "zarr.Array":
    import zarr

    try:
        found = root.get(inside)
    except ValueError as error:  # of zarr, for a type or packing that it does not know
        raise FormatError(f"{inside} of {path} cannot be read ({error}). Fetch the product again.") from None
    if not isinstance(found, zarr.Array):
        raise MissingFileError(f"{path} has no {inside}; the product is incomplete, or laid out otherwise.")
    packing = found.metadata.to_dict()
    named = {name for part in ("codecs", "filters", "compressor") for name in _named(packing.get(part))}
    if unknown := sorted(named - _CODECS):
        raise FormatError(
            f"{inside} of {path} is packed by {', '.join(unknown)}, which is not read: it may run code. Fetch the "
            f"product again from its provider."
        )
    return found


def _named(packing: Any) -> Iterator[str]:
    """Yield the names of codecs, also of those inside of others."""
    if isinstance(packing, Mapping):
        yield from (str(packing[key]).removeprefix("numcodecs.") for key in ("id", "name") if key in packing)
        packing = [value for value in packing.values() if isinstance(value, Mapping | list | tuple)]
    elif hasattr(packing, "get_config"):
        yield from _named(packing.get_config())
    if isinstance(packing, list | tuple):
        for inner in packing:
            yield from _named(inner)


def _band(
    root: "zarr.Group",
    inside: str,
    crs: str,
    target: Path,
    path: PurePath,
    part: Callable[[GeoBox], GeoBox] | None,
) -> Band:
    array = _array(root, inside, path)
    whole = array.dtype.kind in "iu"
    scale, offset = _calibration(dict(array.attrs), f"{inside} of {path.name}") if whole else (1.0, 0.0)
    geobox = _geobox(root, inside, array.shape, crs, path)
    if whole:
        _write(array, geobox, part, target, array.dtype.name, 0)
        return Band.of(target, 1, scale, offset, 0, SATURATED if array.dtype == np.uint16 else None)
    _write(array, geobox, part, target, "float32", np.nan, missing=_told(dict(array.attrs)))
    return Band.of(target)


def _scl(root: "zarr.Group", crs: str, target: Path, path: PurePath, part: Callable[[GeoBox], GeoBox] | None) -> Band:
    array = _array(root, _SCL, path)
    _write(array, _geobox(root, _SCL, array.shape, crs, path), part, target, "uint8", 0)
    return Band.of(target, nodata=0)


def _write(
    array: "zarr.Array",
    whole: GeoBox,
    part: Callable[[GeoBox], GeoBox] | None,
    target: Path,
    dtype: str,
    nodata: float,
    missing: Sequence[tuple[float, float]] = (),
) -> None:
    """Copy an array, or a part of it, unless a copy on the same grid is there.

    Of one that was decoded already the numbers that came of 0, no data, are the offset itself: ``missing`` has scale
    and offset.
    """
    import dask.array as da

    geobox = part(whole) if part else whole
    if target.exists() and raster.header(target).geobox == geobox:
        return
    left, top = ~whole.affine * (geobox.affine.c, geobox.affine.f)
    row, column = round(top), round(left)
    data = da.from_zarr(array)[row : row + geobox.height, column : column + geobox.width].astype(dtype)
    for scale, offset in missing:
        data = da.where(abs(data - offset) < scale / 2, np.float32(np.nan), data)
    writing.write(target, raster.array(data[None], geobox, [target.stem]), dtype=dtype, nodata=nodata)


def _told(said: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return scale and offset as the attributes of an array say them, at both places where they may stand."""
    inner = said.get("_eopf_attrs")
    places = [place for place in (said, inner) if isinstance(place, Mapping) and "scale_factor" in place]
    return sorted({(float(place["scale_factor"]), float(place.get("add_offset", 0.0))) for place in places})


def _calibration(said: Mapping[str, Any], what: str) -> tuple[float, float]:
    """Return scale and offset of an array of whole numbers, both of reflectance."""
    pairs = _told(said)
    if len(pairs) != 1:
        raise FormatError(
            f"{what}: expected one scale_factor and add_offset, found {pairs or 'none'}. Without them its "
            f"numbers are no reflectance: fetch the product again, or as SAFE."
        )
    (scale, offset) = pairs[0]
    if not (0 < scale <= 0.01 and abs(offset) < 1):
        raise FormatError(
            f"{what}: scale_factor {scale:g} and add_offset {offset:g}; expected both in reflectance, such as 0.0001 "
            f"and -0.1. It is not read, so that no offset is applied twice or in another unit."
        )
    return scale, offset


def _crs(said: Mapping[str, Any], found: Mapping[str, Any], path: PurePath) -> str:
    code = said.get("other_metadata", {}).get("horizontal_CRS_code") or found.get("proj:code") or found.get("proj:epsg")
    if code is None:
        raise FormatError(f"{path} does not say its CRS (horizontal_CRS_code, proj:code). Fetch the product again.")
    return str(code) if ":" in str(code) else f"EPSG:{code}"


def _geobox(root: "zarr.Group", inside: str, shape: tuple[int, ...], crs: str, path: PurePath) -> GeoBox:
    """Return the grid of a group: its x and y are centres of pixels."""
    group = inside.rpartition("/")[0]
    x, y = (np.asarray(_array(root, f"{group}/{axis}", path)[:], np.float64) for axis in "xy")
    steps = np.concatenate([np.diff(x), -np.diff(y)])
    if shape != (y.size, x.size) or not steps.size or steps[0] <= 0 or not np.allclose(steps, steps[0]):
        raise FormatError(f"{group} of {path.name}: x and y are no even grid, north up, of {shape} pixels.")
    side = float(steps[0])
    return GeoBox((y.size, x.size), from_origin(x[0] - side / 2, y[0] + side / 2, side, side), crs)


def _sun(root: "zarr.Group") -> tuple[float | None, float | None]:
    """Return zenith and azimuth of the sun, degrees; None where they are not there."""
    import zarr

    angles = root.get(_ANGLES)
    if not isinstance(angles, zarr.Array) or angles.size != 2:
        return None, None
    zenith, azimuth = np.asarray(angles[:], np.float64).ravel().tolist()
    known = 0 <= zenith <= 90 and 0 <= azimuth <= 360
    return (zenith, azimuth) if known else (None, None)


def _moment(found: Mapping[str, Any], path: PurePath) -> str:
    said = found.get("datetime") or found.get("start_datetime")
    if said is None:
        day = re.search(r"_(\d{8}T\d{6})_", path.name)
        assert day is not None  # the name was looked at
        return dt.datetime.strptime(day[1], "%Y%m%dT%H%M%S").isoformat() + "Z"
    return dt.datetime.fromisoformat(str(said)).astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
