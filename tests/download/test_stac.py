"""Only the area, from a stand-in for each service."""

from pathlib import Path

import pytest

from lulc_kit import params
from lulc_kit.download import stac as room
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from tests.services.stac import AREA, Made, Stac


def test_what_is_found_is_counted(stac: Stac, tmp_path: Path) -> None:
    stac.offered.append(Made("2023-06-15").item(stac.url, stac.files))
    p = params.Download(source="stac", area=AREA, dates=["2023-06-01", "2023-06-30"])
    with pytest.raises(LulcError, match="1 items were found"):
        room.catalog(p, Layout(tmp_path))
