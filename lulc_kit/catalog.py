"""The catalog of a study: which scenes there are, and for each band its file, grid, scale, offset and nodata.

On disk it is a STAC ItemCollection (``catalog.json``), so that other tools read it too. Paths inside the study's
folder are relative to the catalog; the user's own files stay where they are and are named by their absolute path.
What the kit understood of them stands in the property ``lulc:understood`` of each item: a list of rows, one for each
band (CRS, pixel, type, nodata and where it comes from, share missing, lowest and highest number) or layer (CRS, kinds
of geometry, number of features, fields).
"""

import datetime
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lulc_kit import files
from lulc_kit.sentinel2 import BANDS

if TYPE_CHECKING:
    import pandas as pd
    import pystac
    from odc.geo.geobox import GeoBox

    from lulc_kit import raster

_EXTENSIONS = [
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("projection/v2.0.0", "raster/v2.0.0", "eo/v1.1.0", "view/v1.0.0", "sat/v1.0.0", "processing/v1.2.0")
]
# Names in STAC of what is kept of a scene as it is; of them those that say what the metadata say of quality.
_PROPERTIES = {
    "level": "processing:level",
    "baseline": "s2:processing_baseline",
    "tile": "s2:mgrs_tile",
    "platform": "platform",
    "orbit": "sat:relative_orbit",
    "sun_azimuth": "view:sun_azimuth",
    "mask_clear": "lulc:mask_clear",
    "origin": "lulc:origin",
    "radiometry": "lulc:radiometry",
}
_QUALITY = {"cloud_percentage": "eo:cloud_cover", "degraded_percentage": "s2:degraded_msi_data_percentage"}
_CHECK = "lulc:check:"
_UNDERSTOOD = "lulc:understood"
_FILES = ("product", "clouds", "picture")  # assets that are no bands
_MASKS = {"SCL": "scl", "mask": "mask"}  # assets that are no bands, but rasters
_MIDNIGHT = "T00:00:00Z"  # of a scene whose time of day is not known


@dataclass(frozen=True)
class Band:
    """Where the numbers of a band are, and what they mean: ``value = number * scale + offset``.

    Attributes
    ----------
    path, number
        The file, and which of its bands, from 1.
    scale, offset
        From numbers to values.
    nodata, saturated
        Numbers in the file, before scale and offset, that are no measurement; None where there is none.
    geobox
        The file's grid.
    dtype
        Type of its numbers, e.g. ``"uint16"``.
    """

    path: Path
    number: int = 1
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    saturated: float | None = None
    geobox: "GeoBox" = field(kw_only=True)
    dtype: str = field(kw_only=True)

    @classmethod
    def of(
        cls,
        path: Path,
        number: int = 1,
        scale: float = 1.0,
        offset: float = 0.0,
        nodata: float | None = None,
        saturated: float | None = None,
        header: "raster.Header | None" = None,
    ) -> "Band":
        """Describe a band of a file; what the file itself says is taken from its header, which is read if not given.

        ``nodata`` of None takes the file's own.

        Raises
        ------
        LulcError
            If the file cannot be opened or has no CRS.
        """
        from lulc_kit import raster  # not needed to read a catalog, and slow to load

        header = header or raster.header(path)
        nodata, dtype = header.nodata[number - 1] if nodata is None else nodata, header.dtypes[number - 1]
        return cls(path, number, scale, offset, nodata, saturated, geobox=header.geobox, dtype=dtype)


@dataclass(frozen=True)
class Scene:
    """One date.

    Attributes
    ----------
    time
        When it was sensed: ``"2023-06-15T10:10:31.024000Z"``, or the day alone, ``"2023-06-15"``.
    level
        ``"L1C"`` (top of atmosphere) or ``"L2A"`` (surface).
    bands
        By name (B1 … B8, B8A … B12); they may differ in resolution.
    scl, mask
        Sen2Cor's scene classification; a mask whose pixels other than 0 are left out.
    sun_azimuth, sun_zenith
        Degrees; azimuth clockwise from north.
    baseline
        ESA's processing baseline, e.g. ``"05.09"``.
    tile
        MGRS tile of a whole product, e.g. ``"33UUU"``; scenes of one date and different tiles are mosaicked.
    mask_clear
        Numbers of the mask, and ranges ``[low, high]``, that mean clear; None: 0.
    product
        The whole product (SAFE folder or zip archive) that the bands belong to.
    clouds
        The cloud mask that the product brings: polygons (``.gml``, before baseline 04.00), or a raster whose layers
        are opaque cloud, cirrus and, if there is a third, snow.
    picture
        The true-colour picture that the product brings (TCI, 8 bits).
    quality
        What the product's metadata say of its quality: ``cloud_percentage``, ``degraded_percentage`` (of the image
        data), and the result of each check (``{"GENERAL_QUALITY": "PASSED"}``).
    platform, orbit
        Such as ``"sentinel-2a"``, and the relative orbit, 1–143.
    origin, radiometry
        Which item of which service it was loaded from, and how its offset was decided on.
    understood
        What its files were understood to say, if they are the user's own: a row for each band (`intake.rasters.look`,
        the numbers only of the first scene).
    """

    time: str
    level: str
    bands: Mapping[str, Band]
    scl: Band | None = None
    mask: Band | None = None
    mask_clear: Sequence[float | Sequence[float]] | None = None
    sun_azimuth: float | None = None
    sun_zenith: float | None = None
    baseline: str | None = None
    tile: str | None = None
    product: Path | None = None
    clouds: Path | None = None
    picture: Path | None = None
    quality: Mapping[str, float | str] = field(default_factory=dict)
    platform: str | None = None
    orbit: int | None = None
    origin: str | None = None
    radiometry: str | None = None
    understood: Sequence[Mapping[str, Any]] = ()

    @property
    def date(self) -> str:
        """Day, ``YYYY-MM-DD``."""
        return self.time[:10]

    @property
    def failed_checks(self) -> list[str]:
        """Names of the quality checks that the product did not pass."""
        return [name for name, result in self.quality.items() if isinstance(result, str) and result != "PASSED"]

    @property
    def name(self) -> str:
        """Date, and tile if there is one."""
        return f"{self.date}_{self.tile}" if self.tile else self.date


@dataclass(frozen=True)
class Catalog:
    """All scenes of a study in order of date, its other files by role, and whose data they are."""

    scenes: list[Scene]
    ancillary: Mapping[str, Path] = field(default_factory=dict)
    attribution: str = ""
    understood: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """What the other files were understood to say, by role: a row for each band, or layer (`intake.vectors`)."""
    grid: "GeoBox | None" = None
    """Grid of the area that was asked for: notebook 02 takes it over."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Scenes that were chosen and could not be had, by date and tile, and why."""

    def __repr__(self) -> str:
        return f"<Catalog: {', '.join(scene.name for scene in self.scenes) or 'no scenes'}>"

    def read_as(self, part: Literal["band", "layer"]) -> "pd.DataFrame | None":
        """Return what the user's own files were understood to say, for reading; None where there are none.

        Parameters
        ----------
        part
            ``"band"``: the rasters, of the scenes the first; ``"layer"``: the files of points, lines and polygons.
        """
        import pandas as pd

        every = [self.scenes[0].understood if self.scenes else (), *self.understood.values()]
        rows = [row for found in every for row in found if part in row]
        return pd.DataFrame(rows) if rows else None

    def bands(self, date: str) -> "pd.DataFrame":
        """Return one row per band of a scene for reading: file, resolution, scale, offset, nodata."""
        import pandas as pd

        scene = next(s for s in self.scenes if s.date == date)
        rows = [
            {
                "band": n,
                "file": b.path.name,
                "resolution": abs(b.geobox.resolution.x),
                "scale": b.scale,
                "offset": b.offset,
                "nodata": b.nodata,
            }
            for n, b in scene.bands.items()
        ]
        return pd.DataFrame(rows).set_index("band")

    def table(self) -> "pd.DataFrame":
        """Return one row per scene for reading: date, level, bands, whether it brings a mask."""
        import pandas as pd

        rows = [
            {
                "date": s.date,
                "tile": s.tile or "–",
                "level": s.level,
                "baseline": s.baseline or "–",
                "bands": " ".join(s.bands),
                "mask": "scene classification" if s.scl else ("file" if s.mask else ("product" if s.clouds else "–")),
                "cloud, %": s.quality.get("cloud_percentage"),
                "degraded, %": s.quality.get("degraded_percentage"),
                "quality": ", ".join(f"{n} {s.quality[n]}" for n in s.failed_checks)
                or ("passed" if s.quality else "–"),
            }
            for s in self.scenes
        ]
        table = pd.DataFrame(rows).set_index("date")
        if any(s.origin for s in self.scenes):
            table["from"] = [s.origin or "–" for s in self.scenes]
        stated = any(s.quality for s in self.scenes)  # only whole products say
        return table if stated else table.drop(columns=["cloud, %", "degraded, %", "quality"])

    def missing(self) -> "pd.DataFrame | None":
        """Return which scenes were left out, and why; None if none was."""
        import pandas as pd

        rows = [{"scene": name, "why": why} for name, why in self.left_out.items()]
        return pd.DataFrame(rows).set_index("scene") if rows else None


def write(path: Path, catalog: Catalog) -> None:
    """Write a catalog as a STAC ItemCollection."""
    import pystac

    items = [_item(scene, path.parent) for scene in sorted(catalog.scenes, key=lambda s: s.name)]
    for role, file in catalog.ancillary.items():
        moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)  # STAC wants one; these files have no date
        properties: dict[str, Any] = {"lulc:kind": "ancillary"}
        if role in catalog.understood:
            properties[_UNDERSTOOD] = list(catalog.understood[role])
        item = pystac.Item(role, None, None, moment, properties)
        item.add_asset(role, pystac.Asset(_href(file, path.parent), title=role, roles=["metadata"]))
        items.append(item)
    extra: dict[str, Any] = {"lulc:attribution": catalog.attribution}
    if catalog.grid is not None:
        extra["lulc:grid"] = _grid(catalog.grid)
    if catalog.left_out:
        extra["lulc:left_out"] = dict(catalog.left_out)
    collection = pystac.ItemCollection(items, extra_fields=extra)
    files.write_json(path, collection.to_dict())


def read(path: str | Path) -> Catalog:
    """Read the catalog of a study, ``outputs/<study>/catalog.json``.

    Raises
    ------
    LulcError
        If it is missing, broken, or not a catalog of the kit.

    Examples
    --------
    >>> found = read("outputs/mine/catalog.json")
    >>> found
    <Catalog: 2023-06-15_33UVU>
    >>> [(scene.name, scene.level, len(scene.bands)) for scene in found.scenes]
    [('2023-06-15_33UVU', 'L1C', 13)]
    >>> found.scenes[0].bands["B11"].geobox.resolution.x
    20.0
    """
    path = Path(path)
    with files.parse(path, "01_download") as content:
        scenes = [_scene(item, path.parent) for item in content["features"] if _is_scene(item)]
        others = {item["id"]: item for item in content["features"] if not _is_scene(item)}
        ancillary = {role: locate(item["assets"][role]["href"], path.parent) for role, item in others.items()}
        said = {role: item["properties"] for role, item in others.items()}
        understood = {role: found[_UNDERSTOOD] for role, found in said.items() if _UNDERSTOOD in found}
        grid = _geobox(content["lulc:grid"]) if "lulc:grid" in content else None
        left_out = content.get("lulc:left_out", {})
        return Catalog(scenes, ancillary, content["lulc:attribution"], understood, grid, left_out)


def files_of(path: Path) -> tuple[list[Path], dict[str, list[Path]]]:
    """Return the files on the disk that a catalog names, quickly: without the libraries that grids need.

    Returns
    -------
    list of pathlib.Path
        Those of the scenes.
    dict
        The others, by role.
    """
    scenes: list[Path] = []
    ancillary: dict[str, list[Path]] = {}
    with files.parse(path, "01_download") as content:
        for item in content["features"]:
            found = [files.on_disk(locate(asset["href"], path.parent)) for asset in item["assets"].values()]
            if _is_scene(item):
                scenes += found
            else:
                ancillary[item["id"]] = found
    return list(dict.fromkeys(scenes)), ancillary


def _is_scene(item: Mapping[str, Any]) -> bool:
    return bool(item["properties"]["lulc:kind"] == "scene")


def locate(href: str, folder: Path) -> Path:
    """Return the absolute path of a file that a catalog in ``folder`` names; see `files.join_archive`."""
    if inside := files.split_archive(href):
        return Path(files.join_archive((folder / inside[0]).absolute(), inside[1]))
    return (folder / href).absolute()


def _href(file: Path, folder: Path) -> str:
    if inside := files.split_archive(file):
        return files.join_archive(_href(Path(inside[0]), folder), inside[1])
    file, folder = Path(file).absolute(), Path(folder).absolute()
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)


def _item(scene: Scene, folder: Path) -> "pystac.Item":
    import pystac

    moment = datetime.datetime.fromisoformat(scene.time)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    properties: dict[str, Any] = {"lulc:kind": "scene", "constellation": "sentinel-2", "instruments": ["msi"]}
    properties |= {name: getattr(scene, own) for own, name in _PROPERTIES.items() if getattr(scene, own) is not None}
    if scene.sun_zenith is not None:
        properties["view:sun_elevation"] = 90 - scene.sun_zenith
    properties |= {_QUALITY.get(name, f"{_CHECK}{name}"): value for name, value in scene.quality.items()}
    if scene.understood:
        properties[_UNDERSTOOD] = list(scene.understood)
    masks = {name: getattr(scene, own) for name, own in _MASKS.items() if getattr(scene, own) is not None}
    extent = next((b.geobox.extent.to_crs("EPSG:4326") for b in scene.bands.values()), None)
    place, box = (extent.json, list(extent.boundingbox)) if extent else (None, None)
    item = pystac.Item(scene.name, place, box, moment, properties, stac_extensions=_EXTENSIONS)
    for role, bands in (("data", scene.bands), ("mask", masks)):
        for inside in _by_file(bands):
            first, name = next(iter(inside.values())), "-".join(inside)
            said = _bands(inside)
            extra = _grid(first.geobox) | {
                "bands": said,
                "eo:bands": [_spectrum(band.get("name", "")) for band in said],
            }
            item.add_asset(name, pystac.Asset(_href(first.path, folder), title=name, roles=[role], extra_fields=extra))
    for name in _FILES:
        if (named := getattr(scene, name)) is not None:
            item.add_asset(name, pystac.Asset(_href(named, folder), title=name, roles=["metadata"]))
    return item


def _scene(item: Mapping[str, Any], folder: Path) -> Scene:
    properties, assets = item["properties"], item["assets"]
    bands: dict[str, Band] = {}
    for name, asset in assets.items():
        if name not in _FILES:
            bands |= _described(asset, folder)
    kept: dict[str, Any] = {own: bands.pop(name) for name, own in _MASKS.items() if name in bands}
    kept |= {own: properties[name] for own, name in _PROPERTIES.items() if name in properties}
    kept |= {name: locate(assets[name]["href"], folder) for name in _FILES if name in assets}
    elevation = properties.get("view:sun_elevation")
    quality = {own: properties[name] for own, name in _QUALITY.items() if name in properties}
    return Scene(
        time=properties["datetime"].removesuffix(_MIDNIGHT),
        bands=bands,
        sun_zenith=None if elevation is None else 90 - elevation,
        understood=properties.get(_UNDERSTOOD, ()),
        quality=quality | {n.removeprefix(_CHECK): v for n, v in properties.items() if n.startswith(_CHECK)},
        **kept,
    )


def _grid(geobox: "GeoBox") -> dict[str, Any]:
    """Return a grid as STAC's extension for projections has it."""
    assert geobox.crs is not None
    epsg = geobox.crs.to_epsg()
    known = epsg is not None and geobox.crs == f"EPSG:{epsg}"
    crs = {"proj:code": f"EPSG:{epsg}"} if known else {"proj:code": None, "proj:wkt2": geobox.crs.to_wkt()}
    return crs | {"proj:shape": list(geobox.shape), "proj:transform": list(geobox.affine)[:6]}


def _by_file(bands: Mapping[str, Band]) -> list[dict[str, Band]]:
    """Group bands that lie in one file; two that are the same numbers under two names stay apart."""
    found: dict[tuple[Path, int], dict[str, Band]] = {}
    named: Counter[tuple[Path, int]] = Counter()
    for name, band in bands.items():
        found.setdefault((band.path, named[band.path, band.number]), {})[name] = band
        named[band.path, band.number] += 1
    return list(found.values())


def _bands(inside: Mapping[str, Band]) -> list[dict[str, Any]]:
    """Return what STAC says of the bands of a file, in the file's order; {} for those that are not the scene's."""
    found: list[dict[str, Any]] = [{} for _ in range(max(band.number for band in inside.values()))]
    for name, band in inside.items():
        said = {"name": name, "data_type": band.dtype, "raster:scale": band.scale, "raster:offset": band.offset}
        if band.nodata is not None:
            said["nodata"] = "nan" if math.isnan(band.nodata) else band.nodata
        if band.saturated is not None:
            said["lulc:saturated"] = band.saturated
        found[band.number - 1] = said
    return found


def _spectrum(name: str) -> dict[str, Any]:
    known = BANDS.get(name)
    said = {"common_name": known.common_name, "center_wavelength": known.wavelength} if known else {}
    return {"name": name} | said


def _geobox(said: Mapping[str, Any]) -> "GeoBox":
    from odc.geo.geobox import GeoBox
    from rasterio import Affine

    return GeoBox(said["proj:shape"], Affine(*said["proj:transform"]), said["proj:code"] or said["proj:wkt2"])


def _described(asset: Mapping[str, Any], folder: Path) -> dict[str, Band]:
    geobox = _geobox(asset)
    file = locate(asset["href"], folder)
    return {
        said["name"]: Band(
            file,
            number,
            said["raster:scale"],
            said["raster:offset"],
            float("nan") if said.get("nodata") == "nan" else said.get("nodata"),
            said.get("lulc:saturated"),
            geobox=geobox,
            dtype=said["data_type"],
        )
        for number, said in enumerate(asset["bands"], 1)
        if "name" in said
    }
