"""Rasters with named bands, all on one grid: read, written, warped, and computed block by block."""

from lulc_kit.raster.reading import (
    CHUNK,
    JPEG2000_TILE,
    Header,
    array,
    band_names,
    grid,
    header,
    is_jpeg2000,
    nodata,
    open,
    preview,
    read,
    read_codes,
    report_damage,
    select,
    tags,
)

__all__ = [
    "CHUNK",
    "JPEG2000_TILE",
    "Header",
    "array",
    "band_names",
    "grid",
    "header",
    "is_jpeg2000",
    "nodata",
    "open",
    "preview",
    "read",
    "read_codes",
    "report_damage",
    "select",
    "tags",
]
