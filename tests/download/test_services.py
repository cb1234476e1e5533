"""The table of services."""

from typing import get_args

import pytest

from lulc_kit import params
from lulc_kit.download import services
from tests.services.stac import Stac

BLOB = "https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2/33/U/UU/B04.tif"


def test_every_word_of_the_parameter_is_a_service() -> None:
    with_scenes = [word for word, service in services.SERVICES.items() if service.collections]
    assert with_scenes == list(get_args(params.Download.model_fields["service"].annotation))


def test_an_address_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert services.address("earth-search").startswith("https://earth-search.aws.element84.com")
    monkeypatch.setenv("LULC_STAC_EARTH_SEARCH", "http://mirror/v1")
    assert services.address("earth-search") == "http://mirror/v1"


def test_the_planetary_computer_signs_and_signs_anew_when_it_is_told_to(
    stac: Stac, monkeypatch: pytest.MonkeyPatch
) -> None:
    from planetary_computer.settings import Settings

    monkeypatch.setattr(Settings.get(), "sas_url", f"{stac.url}/token")
    service = services.SERVICES["planetary-computer"]
    service.forget()
    stac.signature = "first"
    assert service.sign(BLOB) == f"{BLOB}?sig=first"
    stac.signature = "second"
    assert service.sign(BLOB) == f"{BLOB}?sig=first"  # kept while it should live
    service.forget()
    assert service.sign(BLOB) == f"{BLOB}?sig=second"
    service.forget()


@pytest.mark.parametrize("name", ["earth-search", "cdse"])
def test_others_need_no_signature(name: str) -> None:
    assert services.SERVICES[name].sign(BLOB) == BLOB
