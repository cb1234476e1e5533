"""Units of layers by name and family."""

import pytest

from lulc_kit.features import units


@pytest.mark.parametrize(
    ("name", "family", "unit"),
    [
        ("B8A", "bands", "reflectance"),
        ("NDVI", "indices", "1"),
        ("B11_std15", "context", "reflectance"),
        ("NDVI_mean3", "context", "1"),
        ("B4_p10", "time", "reflectance"),
        ("NDVI_count", "time", "dates"),
        ("B4_min_day", "time", "days"),
        ("MNDWI_phase2", "time", "days"),
        ("NDVI_amplitude1", "time", "1"),
        ("DEM", "terrain", "m"),
        ("slope", "terrain", "degrees"),
        ("road_distance", "roads", "m"),
        ("B8", "external", "of the file"),
        ("PC1", "components", "1"),
    ],
)
def test_units(name: str, family: str, unit: str) -> None:
    assert units.of(name, family) == unit
