"""Only the area, from cloud-optimised files of a service: its pixels as they are, in COGs of the study's folder."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import dask
import numpy as np
import numpy.typing as npt
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from lulc_kit import environment, files, grids, offset, raster
from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.download import dialects, search, secrets, servers, services, web
from lulc_kit.download.choose import Choice
from lulc_kit.errors import FormatError, GridError, LulcError, StorageError
from lulc_kit.layout import Layout
from lulc_kit.progress import track
from lulc_kit.raster import writing
from lulc_kit.safe import eopf
from lulc_kit.sentinel2 import BANDS

if TYPE_CHECKING:
    import pystac

OVERVIEW = 350  # of a tile of 10980 pixels every 32nd, which is where overviews end
"""Rows and columns, at most, of what the witnesses of the offset look at."""
SATURATED = 65535
"""The largest number of 16 bits."""

_CHUNK = 2048  # rows and columns that are read at once: files of services have blocks of 512 or 1024
_MASKED = (0, 1, 3, 8, 9, 10)  # scene classes in which dark pixels say nothing
_STORE = "https://eodata.dataspace.copernicus.eu"

Read = TypeVar("Read")


def catalog(choice: Choice, layout: Layout, bands: Sequence[str] = ()) -> Catalog:
    """Load what was chosen into the study's folder, and describe it.

    A scene that is there already is not loaded again. One that cannot be had whole, or whose offset is uncertain, is
    left out, and the others go on.

    Parameters
    ----------
    choice
        Which items of which service, and the area.
    layout
        Where the study's files are.
    bands
        Names; none for all that the level has and that see the ground.

    Returns
    -------
    lulc_kit.catalog.Catalog
        With the grid of the area, and why scenes were left out.

    Raises
    ------
    LulcError
        If no scene could be had: why not, of the first.
    """
    scenes: list[Scene] = []
    left_out: dict[str, str] = {}
    with connect(choice.service):
        for item in track(choice.items, "loading the area", unit="scene"):
            source = Source(item, choice.service)
            try:
                scenes.append(load(source, choice, layout.scenes, bands or _all_bands(source)))
            except StorageError:  # the others would not find room either
                raise
            except LulcError as error:
                left_out[source.name] = str(error)
    if not scenes:
        name, why = next(iter(left_out.items()))
        raise LulcError(f"None of {len(left_out)} scenes could be loaded. The first, {name}: {why}")
    years = sorted({scene.date[:4] for scene in scenes})
    data = f"Contains modified Copernicus Sentinel data {'–'.join(dict.fromkeys((years[0], years[-1])))}."
    title = services.SERVICES[choice.service].title
    grid = choice.area.grid
    return Catalog(_told_apart(scenes), attribution=f"{data} From {title}.", grid=grid, left_out=left_out)


@dataclass(frozen=True)
class Source:
    """An item of a service, whose files can be read."""

    item: pystac.Item
    service: str

    @property
    def product(self) -> search.Product:
        """What the name of its product says."""
        return search.product(self.item)

    @property
    def name(self) -> str:
        """Date and tile."""
        return f"{self.time[:10]}_{self.product.tile}"

    @property
    def time(self) -> str:
        """When it was sensed."""
        moment = self.item.datetime or self.item.common_metadata.start_datetime
        if moment is None:
            raise FormatError(f"Item {self.item.id} of {self.item.collection_id} does not say when it was sensed.")
        return moment.isoformat().replace("+00:00", "Z")

    def read(self, band: str, how: Callable[[str], Read]) -> Read:
        """Read a band's file; if that fails, once more under a new signature.

        Parameters
        ----------
        band
            A band, ``"SCL"`` or ``"TCI"``.
        how
            Reads it under the name by which GDAL opens it.

        Raises
        ------
        LulcError
            If it cannot be read, without the signature.
        """
        service = services.SERVICES[self.service]
        href = self.item.assets[dialects.asset_key(self.item, band)].href
        try:
            return how(service.sign(href))
        except StorageError:
            raise
        except (RasterioError, OSError, LulcError):
            service.forget()  # signatures may end before their time
        try:
            return how(service.sign(href))
        except StorageError:
            raise
        except (RasterioError, OSError, LulcError) as error:
            raise FormatError(
                f"{band} of {self.name} could not be read from {secrets.hide(href)} ({_words(error)}). What was loaded "
                f"stays; run 01_download again later to go on."
            ) from None


def load(source: Source, choice: Choice, folder: Path, bands: Sequence[str]) -> Scene:
    """Load one item's part of the area, band by band; what is there is kept.

    Parameters
    ----------
    source
        The item.
    choice
        For the area and the service.
    folder
        The study's ``scenes/``.
    bands
        Names.

    Raises
    ------
    LulcError
        If a band is missing or unreadable, no two witnesses agree on the offset, or it does not meet the area.
    """
    known, item = source.product, source.item
    if address := dialects.zarr_product(item):
        return _load_zarr(source, address, choice, folder, bands)
    folder = folder / known.name
    keys = [*bands, *(["SCL"] if known.level == "L2A" else [])]
    for band in keys:
        dialects.asset_key(item, band)  # before anything is fetched
    decided = decide(source, folder / "offset.json")
    found: dict[str, Band] = {}
    for band in keys:
        path = folder / f"{band}.tif"
        tile = source.read(band, raster.header).geobox
        window = _window(tile, choice, source.name)
        if not (path.exists() and grids.same(raster.header(path).geobox, window)):
            source.read(band, partial(_copy, tile, path, window))
        if band == "SCL":
            found[band] = Band.of(path, nodata=0)
        else:
            found[band] = Band.of(path, 1, offset.SCALE, decided.offset, 0, SATURATED)
    said = item.properties
    elevation = said.get("view:sun_elevation")
    return Scene(
        source.time,
        known.level,
        {band: found[band] for band in bands},
        scl=found.get("SCL"),
        sun_azimuth=said.get("view:sun_azimuth"),
        sun_zenith=None if elevation is None else 90 - elevation,
        baseline=known.baseline,
        tile=known.tile,
        quality={"cloud_percentage": search.cloud_cover(item)} if "eo:cloud_cover" in said else {},
        platform=known.platform,
        orbit=known.orbit,
        origin=f"{source.service} {item.collection_id}",
        radiometry=str(decided),
    )


def _load_zarr(source: Source, address: str, choice: Choice, folder: Path, bands: Sequence[str]) -> Scene:
    """Load the area's part of a product in EOPF Zarr.

    Scale and offset are those of its arrays, and already reflectance: what the item declares beside them is not applied
    once more. Notebook 02's guard looks at the pixels, as at those of any product.
    """
    found = eopf.describe(address, folder, bands, lambda tile: _window(tile, choice, source.name))
    cover = {"cloud_percentage": search.cloud_cover(source.item)} if "eo:cloud_cover" in source.item.properties else {}
    return replace(
        found,
        time=source.time,
        quality=found.quality or cover,
        origin=f"{source.service} {source.item.collection_id}",
        radiometry="scale and offset of the arrays themselves (EOPF Zarr)",
    )


def decide(source: Source, kept: Path) -> offset.Decision:
    """Hear the three witnesses of an item's offset on overviews of its files; the decision is kept in a file.

    Raises
    ------
    LulcError
        If no two agree: with the numbers.
    """
    if kept.exists():
        said = files.read_json(kept)
        return offset.Decision(said["offset"], tuple(offset.Witness(**witness) for witness in said["witnesses"]))
    shown = [band for band in ("B2", "B3", "B4", "B8") if _has(source, band)]
    numbers = {band: source.read(band, overview)[0].astype(np.float32) for band in shown}
    witnesses = [dialects.from_metadata(source.item), _dark(source, numbers), _picture(source, numbers)]
    decided = offset.decide(f"Scene {source.name}", witnesses)
    kept.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(kept, {"offset": decided.offset, "witnesses": [vars(witness) for witness in witnesses]})
    return decided


def _dark(source: Source, numbers: dict[str, npt.NDArray[np.float32]]) -> offset.Witness:
    stack = np.stack(list(numbers.values()))
    if _has(source, "SCL"):
        classes = source.read("SCL", lambda name: overview(name, stack.shape[1:]))[0]
        stack = np.where(np.isin(classes, _MASKED), 0, stack)
    return offset.from_dark_pixels(stack, list(numbers))


def _picture(source: Source, numbers: dict[str, npt.NDArray[np.float32]]) -> offset.Witness:
    try:
        if not (_has(source, "TCI") and set(offset.RGB) <= set(numbers)):
            return offset.Witness("true-colour picture", None, "the item names none")
        shape = numbers["B4"].shape
        return offset.from_picture(
            np.stack([numbers[band] for band in offset.RGB]), source.read("TCI", lambda name: overview(name, shape))[:3]
        )
    except FormatError:
        return offset.Witness("true-colour picture", None, "it could not be read")


def overview(name: str, shape: tuple[int, ...] | None = None) -> npt.NDArray[np.generic]:
    """Read a file coarsely: (band, row, column), at most `OVERVIEW` pixels a side, or of the shape given."""
    with rasterio.open(name) as file:
        step = -(-max(file.shape) // OVERVIEW)
        rows, columns = shape or (-(-file.height // step), -(-file.width // step))
        codes = file.count == 1 and file.dtypes[0] == "uint8"
        how = Resampling.nearest if codes else Resampling.average
        numbers: npt.NDArray[np.generic] = file.read(out_shape=(file.count, rows, columns), resampling=how)
        return numbers


def _copy(tile: GeoBox, path: Path, window: GeoBox, name: str) -> None:
    """Copy a window of a file, opened by ``name``, as it is, block by block."""
    import odc.stac
    import pystac

    # The file itself was asked where it lies: catalogs leave it out, or name another resolution's grid.
    said = {"proj:code": str(tile.crs), "proj:shape": list(tile.shape), "proj:transform": list(tile.affine)[:6]}
    extensions = ["https://stac-extensions.github.io/projection/v2.0.0/schema.json"]
    place = tile.extent.to_crs("EPSG:4326")
    any_time = dt.datetime(2015, 6, 23, tzinfo=dt.UTC)
    item = pystac.Item(path.stem, place.json, list(place.boundingbox), any_time, {}, stac_extensions=extensions)
    item.add_asset("band", pystac.Asset(name, media_type=pystac.MediaType.COG, roles=["data"], extra_fields=said))
    loaded = odc.stac.load(
        [item],
        bands=["band"],
        geobox=window,
        chunks={"y": _CHUNK, "x": _CHUNK},
        resampling="nearest",
        dtype="uint8" if path.stem == "SCL" else "uint16",
        nodata=0,
    )
    data = raster.array(loaded["band"].data, window, [path.stem])
    writing.write(path, data, dtype=str(data.dtype), nodata=0)


def _window(tile: GeoBox, choice: Choice, name: str) -> GeoBox:
    """Return the area's part of a tile's grid, its edges on the lattice of 60 m pixels."""
    crs = f"EPSG:{tile.crs.to_epsg()}" if tile.crs and tile.crs.to_epsg() else None
    if crs is None:
        raise GridError(f"The files of {name} do not say their CRS; expected a UTM zone.")
    left, bottom, right, top = choice.area.box(crs)
    (a, b), (c, d) = ~tile.affine * (left, top), ~tile.affine * (right, bottom)
    rows = slice(max(0, round(b)), min(tile.height, round(d)))
    columns = slice(max(0, round(a)), min(tile.width, round(c)))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        raise GridError(f"The tile of {name} does not meet the area.")
    return tile[rows, columns]


def _has(source: Source, band: str) -> bool:
    try:
        dialects.asset_key(source.item, band)
    except LulcError:
        return False
    return True


def _all_bands(source: Source) -> list[str]:
    return [band for band in BANDS if band != "B10" or source.product.level == "L1C"]


def _told_apart(scenes: Sequence[Scene]) -> list[Scene]:
    """Give the second part of a tile that was received in two a name of its own."""
    names = [scene.name for scene in scenes]
    before = [names[:k].count(name) for k, name in enumerate(names)]
    return [replace(s, tile=f"{s.tile}-{n + 1}") if n else s for s, n in zip(scenes, before, strict=True)]


def _words(error: BaseException | None) -> str:
    """Return what an error and those behind it say, without secrets."""
    said = []
    while error is not None:
        said.append(secrets.hide(str(error)))
        error = error.__cause__
    return "; ".join(dict.fromkeys(said))[:300]


@contextlib.contextmanager
def connect(service: str) -> Iterator[None]:
    """Read a service's files inside: patiently, and with its keys where it asks for some."""
    keys: dict[str, str] = {}
    if service == "cdse":
        store = urlsplit(web.address("CDSE_S3", _STORE))
        keys = {
            "AWS_S3_ENDPOINT": store.netloc,
            "AWS_HTTPS": "YES" if store.scheme == "https" else "NO",
            "AWS_VIRTUAL_HOSTING": "FALSE",
            "AWS_DEFAULT_REGION": "default",
            "AWS_ACCESS_KEY_ID": secrets.secret("cdse", "s3_key"),
            "AWS_SECRET_ACCESS_KEY": secrets.secret("cdse", "s3_secret"),
        }
    # Each thread that reads has a connection of its own, and the rules of the Data Space allow four.
    threads = {"num_workers": servers.CONNECTIONS} if service == "cdse" else {}
    # GDAL takes keys from the environment on every thread, and rasterio has no other way without boto3.
    with environment.change(keys), rasterio.Env(**web.GDAL), dask.config.set(threads):
        yield
