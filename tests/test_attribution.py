"""Whose data a raster holds is written into it, until another study begins."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lulc_kit import attribution, raster
from lulc_kit.raster import writing
from tests.rasters import grid


@pytest.fixture(autouse=True)
def nobody() -> Iterator[None]:
    before = attribution.get()
    yield
    attribution.declare(before)


def test_files_carry_the_line_that_was_declared(tmp_path: Path) -> None:
    layer = raster.array(np.ones((1, 2, 2), np.float32), grid((2, 2)), ["x"])
    for line in ("Contains modified Copernicus Sentinel data 2017.", "SIMULATED", ""):
        attribution.declare(line)
        writing.write(tmp_path / "x.tif", layer)
        assert raster.tags(tmp_path / "x.tif").get("attribution", "") == line
