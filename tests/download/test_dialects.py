"""Names of bands, and scale and offset, in the dialects of three services."""

import json
from pathlib import Path

import pystac
import pytest

from lulc_kit.download import dialects
from lulc_kit.errors import LulcError
from lulc_kit.sentinel2 import BANDS
from tests.services.stac import KEYS, Made

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "mapchete_eo_33TWM"
EVERY = (*(band for band in BANDS if band != "B10"), "SCL", "TCI")


def item(made: Made, migrate: bool = False) -> pystac.Item:
    return pystac.Item.from_dict(made.item("http://x", "http://x"), migrate=migrate)


@pytest.mark.parametrize("service", KEYS)
def test_every_band_is_found_in_every_dialect(service: str) -> None:
    found = item(Made("2023-06-15", service, bands=EVERY))
    assert {name: dialects.asset_key(found, name) for name in EVERY} == {name: KEYS[service][name] for name in EVERY}
    assert found.assets[dialects.asset_key(found, "B8A")].href.endswith("B8A.tif")


def test_an_item_without_a_band_says_what_it_has() -> None:
    with pytest.raises(LulcError, match=r"has no B12 \(swir22 or B12 or .*It has: blue, green"):
        dialects.asset_key(item(Made("2023-06-15", bands=("B2", "B3"))), "B12")
    with pytest.raises(LulcError, match="nothing at all"):
        dialects.asset_key(item(Made("2023-06-15", bands=())), "SCL")


@pytest.mark.parametrize("migrate", [False, True])  # as it is, and as pystac-client brings it
@pytest.mark.parametrize(
    ("made", "says"),
    [
        (Made("2023-06-15"), True),
        (Made("2023-06-15", flag=True), False),  # the flag goes before raster:bands
        (Made("2023-06-15", flag=None), True),
        (Made("2023-06-15", flag=None, declared=0.0), False),
        (Made("2023-06-15", flag=None, declared=None), True),
        (Made("2023-06-15", flag=None, declared=-0.05), None),
        (Made("2019-06-15", flag=False, declared=0.0, baseline="02.12"), False),
        (Made("2019-06-15", flag=False, baseline="02.12"), False),  # nothing was ever added
        (Made("2023-06-15", "planetary-computer", declared=None), True),
        (Made("2019-06-15", "planetary-computer", declared=None, baseline="03.00"), False),
        (Made("2023-06-15", "cdse", version="1.1.0"), True),
        (Made("2023-06-15", "cdse", version="1.1.0", declared=0.0), False),
    ],
)
def test_what_metadata_say(made: Made, says: bool | None, migrate: bool) -> None:
    found = dialects.from_metadata(item(made, migrate))
    assert found.says is says
    assert f"baseline {made.baseline}" in found.found


def test_scale_and_offset_of_the_one_band_of_an_asset() -> None:
    found = item(Made("2023-06-15", "cdse", declared=None, version="1.1.0"))
    found.assets["B04_10m"].extra_fields["bands"] = [{"name": "B04", "raster:offset": -0.1}]
    assert dialects.declared_offset(found, "B04_10m") == -0.1
    assert dialects.declared_offset(found, "B03_10m") is None


@pytest.mark.shared
def test_real_items_of_earth_search_contradict_themselves_and_the_flag_goes_first() -> None:
    if not SHARED.is_dir():
        pytest.skip("the development data mapchete_eo_33TWM are not beside the checkout")
    paths = sorted(SHARED.glob("*/*.json"))
    assert len(paths) == 5
    for path in paths:
        real = pystac.Item.from_dict(json.loads(path.read_text()))
        assert dialects.declared_offset(real, dialects.asset_key(real, "B4")) == -0.1
        assert dialects.from_metadata(real).says is False
        assert {name: dialects.asset_key(real, name) for name in EVERY} == {n: KEYS["earth-search"][n] for n in EVERY}
