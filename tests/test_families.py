"""Families of layers come out of a stack as they went in; a stack of others says nothing."""

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import families, raster
from lulc_kit.raster import writing


def test_families_are_read_as_they_were_written(tmp_path) -> None:
    grid = GeoBox((4, 4), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    stack = raster.array(np.ones((2, 4, 4), np.float32), grid, ["B4", "Höhe <m>"])
    known = {"B4": "bands", "Höhe <m>": "terrain"}
    writing.write(tmp_path / "stack.tif", stack, tags=families.tag(known))
    assert families.read(tmp_path / "stack.tif") == known
    writing.write(tmp_path / "plain.tif", stack)
    assert families.read(tmp_path / "plain.tif") == {}
