"""What the metadata of a Sentinel-2 product say: bands, offsets, angles, place, quality, and its files.

Elements are found by their names, whatever their namespace and depth, because these changed with the format.
"""

import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal
from xml.etree.ElementTree import Element

from affine import Affine

from lulc_kit import sentinel2
from lulc_kit.errors import FormatError, MissingFileError
from lulc_kit.safe.source import Source, check_path

# …_B02.jp2 of L1C, …_B02_10m.jp2 of L2A, …_SCL_20m.jp2
_IMAGE = re.compile(r"_(B\d\d|B8A|SCL|CLD|SNW|TCI|AOT|WVP|PVI)(?:_(10|20|60)m)?$")
_OLD_SCL = re.compile(r"_(SCL)_L2A_TL_\w+_(20|60)m$")  # S2A_USER_SCL_L2A_TL_…_T33UVU_20m.jp2 of 2015 and 2016
_TILE = re.compile(r"_T(\d\d[A-Z]{3})(?:_|$)|^T(\d\d[A-Z]{3})_")


@dataclass(frozen=True)
class Band:
    """One band of a product.

    Attributes
    ----------
    name
        Such as B8A.
    resolution
        Native ground sampling in metres.
    offset
        Digital number to add before dividing by the quantification value; 0 where none is declared.
    images
        GDAL path of the image at each resolution (metres) at which the product has or lists the band.
    """

    name: str
    resolution: int
    offset: float = 0.0
    images: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Product:
    """What the metadata of one product and one tile say.

    Attributes
    ----------
    path
        Folder or zip archive.
    name
        Product name without ``.SAFE``.
    level
        ``"L1C"`` (top of atmosphere) or ``"L2A"`` (surface).
    processing_baseline
        Such as ``"05.09"``.
    sensing
        Start of the datatake, UTC.
    tile
        MGRS tile without the T, such as ``"33UVU"``.
    satellite
        Such as ``"Sentinel-2A"``.
    orbit
        Relative orbit, 1–143.
    quantification
        Reflectance = (DN + offset) / quantification.
    nodata, saturated
        Digital numbers that are no measurement.
    bands
        The bands by name, in the order of wavelength.
    sun_zenith, sun_azimuth
        Means over the tile, degrees.
    cloud_percentage
        As the metadata assess it.
    degraded_percentage
        Part of the image data that is degraded, %; NaN where the metadata do not say.
    quality
        Result of each quality check, such as ``{"RADIOMETRIC_QUALITY": "PASSED"}``.
    scl
        GDAL path of the scene classification, at 20 m if there is one; None for L1C.
    picture
        GDAL path of the true-colour picture (TCI) at 10 m; None where there is none.
    cloud_mask
        GDAL path of the product's cloud mask; None where it names none. Polygons (``.gml``) before baseline 04.00,
        since then a raster of 60 m with a layer each for opaque cloud, cirrus and snow.
    crs
        Such as ``"EPSG:32633"``.
    transforms, shapes
        Affine transform and (rows, columns) of the tile at 10, 20 and 60 m.
    simulated
        True for products of the simulated study.
    """

    path: Path
    name: str
    level: Literal["L1C", "L2A"]
    processing_baseline: str
    sensing: dt.datetime
    tile: str
    satellite: str
    orbit: int
    quantification: float
    nodata: int
    saturated: int
    bands: Mapping[str, Band]
    sun_zenith: float
    sun_azimuth: float
    cloud_percentage: float
    degraded_percentage: float
    quality: Mapping[str, str]
    scl: str | None
    picture: str | None
    cloud_mask: str | None
    crs: str
    transforms: Mapping[int, Affine]
    shapes: Mapping[int, tuple[int, int]]
    simulated: bool


def tiles_of(source: Source) -> list[str]:
    """Return the tiles of a product, such as ``["33UVU"]``; products of before December 2016 may have several."""
    return sorted({str(_tile_of(name)) for name in _granules(source, source.read_xml(source.metadata))})


def read_metadata(source: Source, tile: str | None = None) -> Product:
    """Read the metadata of a product.

    Parameters
    ----------
    source
        Files of the product.
    tile
        Which tile, if the product has several.

    Returns
    -------
    Product

    Raises
    ------
    LulcError
        If something is missing or contradicts something else.
    ValueError, IndexError, OverflowError
        If a value is malformed.
    """
    root = source.read_xml(source.metadata)
    level: Literal["L1C", "L2A"] = "L2A" if "2A" in _local(root) else "L1C"
    granules = _granules(source, root)
    if tile is not None:
        granules = {name: files for name, files in granules.items() if _tile_of(name) == tile.removeprefix("T")}
    if len(granules) != 1:
        tiles = sorted({str(_tile_of(name)) for name in _granules(source, root)})
        raise FormatError(
            f"{source.path} holds the tiles {', '.join(tiles)}; expected "
            + (f"{tile} among them." if tile else "one. Choose one of them: open_product(path, tile=…).")
        )
    granule, listed = next(iter(granules.items()))
    name = _product_name(source, root)
    _check_tiles(source, name, granule)
    images = _images(source, granule, listed)
    metadata = _granule_metadata(source, granule)
    place = _geocoding(metadata, source)
    baseline = _text(root, "PROCESSING_BASELINE", source)
    if not re.fullmatch(r"\d\d\.\d\d", baseline):
        raise ValueError(f"the processing baseline {baseline!r} is not of the form 05.09")
    return Product(
        path=source.path,
        name=name,
        level=level,
        processing_baseline=baseline,
        sensing=_time(_find_text(root, "DATATAKE_SENSING_START") or _text(root, "PRODUCT_START_TIME", source)),
        tile=str(_tile_of(granule)),
        satellite=_text(root, "SPACECRAFT_NAME", source),
        orbit=int(_text(root, "SENSING_ORBIT_NUMBER", source)),
        quantification=_quantification(root, level, source),
        nodata=_special(root, "NODATA", 0),
        saturated=_special(root, "SATURATED", 65535),
        bands=_bands(source, root, level, images),
        sun_zenith=_angle(metadata, "Mean_Sun_Angle", "ZENITH_ANGLE"),
        sun_azimuth=_angle(metadata, "Mean_Sun_Angle", "AZIMUTH_ANGLE"),
        cloud_percentage=_number(_find_text(root, "Cloud_Coverage_Assessment")),
        degraded_percentage=_number(
            _find_text(metadata, "DEGRADED_MSI_DATA_PERCENTAGE") or _find_text(root, "DEGRADED_MSI_DATA_PERCENTAGE")
        ),
        quality={str(check.get("checkType")): (check.text or "").strip() for check in find_all(root, "quality_check")},
        scl=_scl(source, images),
        picture=_picture(source, images),
        cloud_mask=_cloud_mask(source, granule, metadata),
        crs=place[0],
        transforms=place[1],
        shapes=place[2],
        simulated=_find_text(root, "PRODUCT_DOI") == "SIMULATED",
    )


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def find_all(root: Element, name: str) -> list[Element]:
    """All elements of a name, whatever their namespace."""
    return [element for element in root.iter() if _local(element) == name]


def _find_text(root: Element, *names: str) -> str | None:
    for name in names:
        for element in find_all(root, name):
            if element.text and element.text.strip():
                return element.text.strip()
    return None


def _text(root: Element, name: str, source: Source) -> str:
    text = _find_text(root, name)
    if text is None:
        raise FormatError(
            f"The metadata of {source.path} have no {name}; expected Sentinel-2 metadata of L1C or L2A. "
            "Fetch the product again."
        )
    return text


def _number(text: str | None) -> float:
    return math.nan if text is None else float(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is no number to reckon with")
    return number


def _time(text: str) -> dt.datetime:
    if "T" not in text:
        raise ValueError(f"{text!r} is a date without a time of day")
    time = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def _tile_of(name: str) -> str | None:
    found = _TILE.search(name)
    return (found.group(1) or found.group(2)) if found else None


def _product_name(source: Source, root: Element) -> str:
    name = _find_text(root, "PRODUCT_URI", "PRODUCT_URI_2A", "PRODUCT_URI_1C")
    return (name or PurePosixPath(source.root or source.path.name).name).removesuffix(".SAFE")


def _granules(source: Source, root: Element) -> dict[str, list[str]]:
    """Granule folders (below GRANULE) and the images that the metadata list for each, without ending."""
    found: dict[str, list[str]] = {}
    for element in root.iter():
        if _local(element) not in ("Granule", "Granules"):
            continue
        listed = [
            (child.text or "").strip()
            for child in element.iter()
            if _local(child) in ("IMAGE_FILE", "IMAGE_ID", "IMAGE_FILE_2A", "IMAGE_ID_2A")
        ]
        if listed and "/" in listed[0]:
            paths = [check_path(name, str(source.path)) for name in listed]
            folder = PurePosixPath(paths[0]).parts[1]
        else:  # old format: names only, in a folder named by the granule
            folder = _granule_folder(source, check_path(element.get("granuleIdentifier", "?"), str(source.path)))
            paths = [check_path(f"GRANULE/{folder}/IMG_DATA/{name}", str(source.path)) for name in listed if name]
        found.setdefault(folder, []).extend(paths)
    if not found:
        raise FormatError(f"The metadata of {source.path} list no granule; fetch the product again.")
    return found


def _granule_folder(source: Source, identifier: str) -> str:
    """Folder of a granule: named by its identifier, but for the Level-2A of 2017, whose folders are compact already."""
    folders = {PurePosixPath(name).parts[1] for name in source.files if name.startswith("GRANULE/")}
    same_tile = [folder for folder in folders if _tile_of(folder) == _tile_of(identifier)]
    return same_tile[0] if identifier not in folders and len(same_tile) == 1 else identifier


def _check_tiles(source: Source, name: str, granule: str) -> None:
    """Refuse files of another tile: in the granule, and (compact format: one tile each) in the product."""
    expected = _tile_of(name) or _tile_of(granule)
    if expected is None:
        raise FormatError(f"No tile could be read from the names of {source.path}; expected one such as _T33UVU_.")
    within = "GRANULE/" if _tile_of(name) else f"GRANULE/{granule}/"
    for file in [f"GRANULE/{granule}/", *sorted(source.files)]:
        if file.startswith(within) and any(_tile_of(part) not in (None, expected) for part in file.split("/")):
            raise FormatError(
                f"{source.path} is a product of tile {expected} but holds {file}; files of two tiles were "
                "mixed. Fetch the product again."
            )


def _images(source: Source, granule: str, listed: list[str]) -> dict[tuple[str, int], str]:
    """File of each kind of image and resolution (0 where the name does not tell), listed or just there."""
    present = [
        name
        for name in sorted(source.files)
        if name.startswith(f"GRANULE/{granule}/IMG_DATA/") and name.endswith(".jp2")
    ]
    images: dict[tuple[str, int], str] = {}
    for name in [f"{path}.jp2" if not path.endswith(".jp2") else path for path in listed] + present:
        stem = PurePosixPath(name).name.removesuffix(".jp2")
        match = _IMAGE.search(stem) or _OLD_SCL.search(stem)
        if match:
            images[match.group(1), int(match.group(2) or 0)] = name
    return images


def _granule_metadata(source: Source, granule: str) -> Element:
    """MTD_TL.xml, or the granule's long-named XML of the old format."""
    candidates = [
        name
        for name in sorted(source.files)
        if PurePosixPath(name).parent.as_posix() == f"GRANULE/{granule}" and name.endswith(".xml")
    ]
    if not candidates:
        raise MissingFileError(
            f"{source.path} has no metadata of its granule {granule} (MTD_TL.xml); the product is "
            "incomplete. Fetch it again."
        )
    return source.read_xml(candidates[0])


def _quantification(root: Element, level: str, source: Source) -> float:
    names = (
        ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE", "L1C_L2A_QUANTIFICATION_VALUE")
        if level == "L2A"
        else ("QUANTIFICATION_VALUE",)
    )
    value = _number(_find_text(root, *names))
    if not 0 < value < math.inf:
        raise FormatError(f"The metadata of {source.path} have no {names[0]}; without it there is no reflectance.")
    return value


def _special(root: Element, name: str, default: int) -> int:
    for element in find_all(root, "Special_Values"):
        if _find_text(element, "SPECIAL_VALUE_TEXT") == name:
            return int(_find_text(element, "SPECIAL_VALUE_INDEX") or default)
    return default


def _by_band(elements: Sequence[Element]) -> dict[str, Element]:
    """Elements by the band that their bandId (band_id) numbers."""
    found = {}
    for element in elements:
        number = element.get("bandId") or element.get("band_id")
        if number is not None and int(number) < len(sentinel2.BANDS):
            found[list(sentinel2.BANDS)[int(number)]] = element
    return found


def _bands(source: Source, root: Element, level: str, images: Mapping[tuple[str, int], str]) -> dict[str, Band]:
    offsets = _by_band(find_all(root, "BOA_ADD_OFFSET" if level == "L2A" else "RADIO_ADD_OFFSET"))
    bands = {}
    for name, known in sentinel2.BANDS.items():
        if level == "L2A" and name == "B10":  # sees no ground, and is not delivered
            continue
        found = {step or known.resolution: path for (kind, step), path in images.items() if kind == known.file_name}
        offset = _finite(offsets[name].text or "0") if name in offsets else 0.0
        if offsets and name not in offsets:
            raise FormatError(f"The metadata of {source.path} declare an offset for other bands but not for {name}.")
        bands[name] = Band(
            name=name,
            resolution=known.resolution,
            offset=offset,
            images={step: source.gdal_path(path) for step, path in sorted(found.items())},
        )
    return bands


def _angle(granule: Element, group: str, name: str) -> float:
    found = find_all(granule, group)
    return _number(_find_text(found[0], name)) if found else math.nan


def _scl(source: Source, images: Mapping[tuple[str, int], str]) -> str | None:
    for resolution in (20, 60):
        path = images.get(("SCL", resolution))
        if path is not None:
            return source.gdal_path(path)
    return None


def _picture(source: Source, images: Mapping[tuple[str, int], str]) -> str | None:
    found = next((path for step in (10, 0) if (path := images.get(("TCI", step)))), None)
    return None if found is None else source.gdal_path(found)


def _cloud_mask(source: Source, granule: str, metadata: Element) -> str | None:
    for element in find_all(metadata, "MASK_FILENAME"):
        kind = element.get("type", "")
        if kind not in ("MSK_CLOUDS", "MSK_CLASSI") or not element.text:
            continue
        path = check_path(element.text.strip(), str(source.path))
        if "/" not in path:  # old format: the name only
            path = f"GRANULE/{granule}/QI_DATA/{path}"
        return source.gdal_path(path)
    return None


def _geocoding(granule: Element, source: Source) -> tuple[str, dict[int, Affine], dict[int, tuple[int, int]]]:
    crs = _text(granule, "HORIZONTAL_CS_CODE", source)
    if not re.fullmatch(r"EPSG:32[67](0[1-9]|[1-5]\d|60)", crs):
        raise ValueError(f"the coordinate system {crs!r} is not a UTM zone such as EPSG:32633")
    shapes, transforms = {}, {}
    for element in find_all(granule, "Size"):
        step = int(element.get("resolution", 0))
        shapes[step] = (int(_text(element, "NROWS", source)), int(_text(element, "NCOLS", source)))
        if min(shapes[step]) < 1:
            raise ValueError(f"{shapes[step][0]} rows and {shapes[step][1]} columns at {step} m")
    for element in find_all(granule, "Geoposition"):
        step = int(element.get("resolution", 0))
        left, top, wide, high = (_finite(_text(element, name, source)) for name in ("ULX", "ULY", "XDIM", "YDIM"))
        if (wide, high) != (step, -step):
            raise ValueError(f"pixels of {wide:g} × {high:g} m at {step} m")
        transforms[step] = Affine(wide, 0, left, 0, high, top)
    if not {10, 20, 60} <= shapes.keys() & transforms.keys():
        raise FormatError(
            f"The granule of {source.path} is located at {sorted(transforms)} m; expected 10, 20 and 60 m. "
            "Fetch the product again."
        )
    return crs, transforms, shapes
