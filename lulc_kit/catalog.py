"""The catalog of a study: which scenes there are, and for each band its file, grid, scale, offset and nodata.

On disk it is a STAC ItemCollection (``catalog.json``), so that other tools read it too. Paths inside the study's
folder are relative to the catalog; the user's own files stay where they are and are named by their absolute path.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lulc_kit import files
from lulc_kit.errors import LulcError

if TYPE_CHECKING:
    import pandas as pd
    from odc.geo.geobox import GeoBox

    from lulc_kit import raster

# Names of STAC's extensions for what the metadata say of quality.
_QUALITY = {"cloud_percentage": "eo:cloud_cover", "degraded_percentage": "s2:degraded_msi_data_percentage"}
_CHECK = "lulc:check:"
_FILES = ("product", "clouds")  # assets that are no bands


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
        missing = header.nodata if nodata is None else nodata
        dtype = header.dtypes[number - 1]
        return cls(path, number, scale, offset, missing, saturated, geobox=header.geobox, dtype=dtype)


@dataclass(frozen=True)
class Scene:
    """One date.

    Attributes
    ----------
    date
        Day, ``YYYY-MM-DD``.
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
    product
        The whole product (SAFE folder or zip archive) that the bands belong to.
    clouds
        The cloud mask that the product brings: polygons (``.gml``, before baseline 04.00), or a raster whose layers
        are opaque cloud, cirrus and, if there is a third, snow.
    quality
        What the product's metadata say of its quality: ``cloud_percentage``, ``degraded_percentage`` (of the image
        data), and the result of each check (``{"GENERAL_QUALITY": "PASSED"}``).
    """

    date: str
    level: str
    bands: Mapping[str, Band]
    scl: Band | None = None
    mask: Band | None = None
    sun_azimuth: float | None = None
    sun_zenith: float | None = None
    baseline: str | None = None
    tile: str | None = None
    product: Path | None = None
    clouds: Path | None = None
    quality: Mapping[str, float | str] = field(default_factory=dict)

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

    def bands(self, date: str) -> "pd.DataFrame":
        """Return one row per band of a scene for reading: file, scale, offset, nodata."""
        import pandas as pd

        scene = next(s for s in self.scenes if s.date == date)
        rows = [
            {"band": n, "file": b.path.name, "scale": b.scale, "offset": b.offset, "nodata": b.nodata}
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
        stated = any(s.quality for s in self.scenes)  # only whole products say
        return table if stated else table.drop(columns=["cloud, %", "degraded, %", "quality"])


def write(path: Path, catalog: Catalog) -> None:
    """Write a catalog as a STAC ItemCollection."""
    import pystac

    def asset(name: str, band: Band, role: str) -> pystac.Asset:
        raster: dict[str, Any] = {"data_type": band.dtype, "scale": band.scale, "offset": band.offset}
        if band.nodata is not None:
            raster["nodata"] = band.nodata
        if band.saturated is not None:
            raster["lulc:saturated"] = band.saturated
        extra = {"lulc:band": band.number, "raster:bands": [raster], "eo:bands": [{"name": name}]} | _grid(band.geobox)
        return pystac.Asset(_href(band.path, path.parent), title=name, roles=[role], extra_fields=extra)

    items = []
    for scene in sorted(catalog.scenes, key=lambda s: s.name):
        moment = datetime.datetime.fromisoformat(scene.date).replace(tzinfo=datetime.UTC)
        properties: dict[str, Any] = {"lulc:kind": "scene", "processing:level": scene.level}
        if scene.tile is not None:
            properties["s2:mgrs_tile"] = scene.tile
        if scene.baseline is not None:
            properties["s2:processing_baseline"] = scene.baseline
        if scene.sun_azimuth is not None:
            properties["view:sun_azimuth"] = scene.sun_azimuth
        if scene.sun_zenith is not None:
            properties["view:sun_elevation"] = 90 - scene.sun_zenith
        for name, value in scene.quality.items():
            properties[_QUALITY.get(name, f"{_CHECK}{name}")] = value
        item = pystac.Item(scene.name, None, None, moment, properties)
        for name, band in scene.bands.items():
            item.add_asset(name, asset(name, band, "data"))
        for name, file in (("product", scene.product), ("clouds", scene.clouds)):
            if file is not None:
                item.add_asset(name, pystac.Asset(_href(file, path.parent), title=name, roles=["metadata"]))
        for name, extra in (("SCL", scene.scl), ("mask", scene.mask)):
            if extra is not None:
                item.add_asset(name, asset(name, extra, "mask"))
        items.append(item)
    for role, file in catalog.ancillary.items():
        moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)  # STAC wants one; these files have no date
        item = pystac.Item(role, None, None, moment, {"lulc:kind": "ancillary"})
        item.add_asset(role, pystac.Asset(_href(file, path.parent), title=role, roles=["metadata"]))
        items.append(item)
    collection = pystac.ItemCollection(items, extra_fields={"lulc:attribution": catalog.attribution})
    files.write_json(path, collection.to_dict())


def read(path: Path) -> Catalog:
    """Read a catalog that `write` made.

    Raises
    ------
    LulcError
        If it is missing, broken, or not a catalog of the kit.
    """
    content = files.read_json(path)
    folder = path.parent
    scenes: list[Scene] = []
    ancillary: dict[str, Path] = {}
    try:
        for item in content["features"]:
            properties, assets = item["properties"], item["assets"]
            if properties["lulc:kind"] == "ancillary":
                ancillary[item["id"]] = located(assets[item["id"]]["href"], folder)
                continue
            bands = {name: _band(a, folder) for name, a in assets.items() if name not in _FILES}
            named = {name: located(assets[name]["href"], folder) for name in _FILES if name in assets}
            elevation = properties.get("view:sun_elevation")
            scenes.append(
                Scene(
                    date=properties["datetime"][:10],
                    level=properties["processing:level"],
                    bands={n: b for n, b in bands.items() if n not in ("SCL", "mask")},
                    scl=bands.get("SCL"),
                    mask=bands.get("mask"),
                    sun_azimuth=properties.get("view:sun_azimuth"),
                    sun_zenith=None if elevation is None else 90 - elevation,
                    baseline=properties.get("s2:processing_baseline"),
                    tile=properties.get("s2:mgrs_tile"),
                    quality=_quality(properties),
                    **named,
                )
            )
        return Catalog(scenes, ancillary, content["lulc:attribution"])
    except (KeyError, TypeError) as error:
        raise LulcError(f"{path} is not a catalog of this kit ({error!r}). Run 01_download again.") from error


def located(href: str, folder: Path) -> Path:
    """Return the absolute path of a file that a catalog in ``folder`` names; see `files.archived` for archived ones."""
    if inside := files.split_archived(href):
        return Path(files.archived((folder / inside[0]).absolute(), inside[1]))
    return (folder / href).absolute()


def files_of(path: Path) -> tuple[list[Path], dict[str, list[Path]]]:
    """Return the files a catalog refers to, absolute, without importing the STAC library.

    Returns
    -------
    list of pathlib.Path
        Those of the scenes.
    dict
        The others, by role.
    """
    scenes: list[Path] = []
    ancillary: dict[str, list[Path]] = {}
    for item in files.read_json(path)["features"]:
        found = [files.on_disk(located(asset["href"], path.parent)) for asset in item["assets"].values()]
        if item["properties"]["lulc:kind"] == "scene":
            scenes += found
        else:
            ancillary[item["id"]] = found
    return list(dict.fromkeys(scenes)), ancillary


def _href(file: Path, folder: Path) -> str:
    if inside := files.split_archived(file):
        return files.archived(_href(Path(inside[0]), folder), inside[1])
    file, folder = Path(file).absolute(), Path(folder).absolute()
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)


def _quality(properties: Mapping[str, Any]) -> dict[str, float | str]:
    found: dict[str, float | str] = {own: properties[name] for own, name in _QUALITY.items() if name in properties}
    return found | {name.removeprefix(_CHECK): v for name, v in properties.items() if name.startswith(_CHECK)}


def _grid(geobox: "GeoBox") -> dict[str, Any]:
    """Return a grid as STAC's extension for projections has it."""
    assert geobox.crs is not None
    epsg = geobox.crs.to_epsg()
    crs = {"proj:code": f"EPSG:{epsg}"} if epsg else {"proj:code": None, "proj:wkt2": geobox.crs.to_wkt()}
    return crs | {"proj:shape": list(geobox.shape), "proj:transform": list(geobox.affine)[:6]}


def _band(asset: Mapping[str, Any], folder: Path) -> Band:
    from odc.geo.geobox import GeoBox
    from rasterio import Affine

    raster = asset["raster:bands"][0]
    crs = asset["proj:code"] or asset["proj:wkt2"]
    return Band(
        located(asset["href"], folder),
        asset["lulc:band"],
        raster["scale"],
        raster["offset"],
        raster.get("nodata"),
        raster.get("lulc:saturated"),
        geobox=GeoBox(asset["proj:shape"], Affine(*asset["proj:transform"]), crs),
        dtype=raster["data_type"],
    )
