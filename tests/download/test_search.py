"""Searches at a stand-in: one of each product, patience with a service, and words for what goes wrong."""

import datetime as dt
import email.utils
import json
from dataclasses import replace

import pystac
import pytest
import shapely
from werkzeug import Response

from lulc_kit.download import area, search, services
from lulc_kit.errors import LulcError
from tests.services.stac import AREA, FOOTPRINT, Made, Stac

JUNE = ["2023-06-01", "2023-06-30"]
HERE = area.read(AREA)


def names(found: list[pystac.Item]) -> list[str]:
    return [search.product(item).name for item in found]


def offered(stac: Stac, *scenes: Made) -> None:
    """Put items into the catalog without their files, which a search does not read."""
    stac.offered += [scene.item(stac.url, stac.files) for scene in scenes]


@pytest.mark.parametrize(
    ("service", "version"), [("earth-search", "1.0.0"), ("planetary-computer", "1.0.0"), ("cdse", "1.1.0")]
)
def test_each_service_is_asked_in_its_way_and_its_dialect_is_read(stac: Stac, service: str, version: str) -> None:
    scenes = [Made(f"2023-06-{day}", service, version=version) for day in (25, 15, 20)]
    offered(stac, *scenes, Made("2023-06-16", service, version=version, cloud=80), Made("2023-07-16", service))
    found = search.find(HERE, service, JUNE, cloud=50)
    assert [search.product(item) for item in found] == [
        search.Product(
            f"S2A_MSIL2A_202306{day}T100031_N0509_R122_T33UUU_202306{day}T155057",
            "sentinel-2a", "L2A", "33UUU", f"202306{day}T100031", "05.09", "155057".join((f"202306{day}T", "")), 122,
        )
        for day in (15, 20, 25)
    ]  # fmt: skip
    assert [body["collections"] for body in stac.asked] == [[c] for c in services.SERVICES[service].collections["L2A"]]
    assert {body["limit"] for body in stac.asked} == {search.PAGE}
    assert all(("filter" in body) == (service == "cdse") for body in stac.asked)


def test_the_newest_processing_of_a_product_wins(stac: Stac) -> None:
    old = Made("2023-06-15", "planetary-computer", baseline="04.00")
    offered(stac, old, replace(old, baseline="05.10", made="010203"), replace(old, baseline="05.00", made="235959"))
    assert names(search.find(HERE, "planetary-computer", JUNE)) == [replace(old, baseline="05.10", made="010203").name]


def test_a_datatake_received_twice_counts_once_and_in_two_parts_counts_in_two(stac: Stac) -> None:
    left, bottom, right, top = FOOTPRINT.bounds
    north, south = (
        shapely.box(left, (bottom + top) / 2, right, top),
        shapely.box(left, bottom, right, (bottom + top) / 2),
    )
    whole = Made("2023-06-15", "planetary-computer")
    parts = Made("2023-06-20", "planetary-computer", footprint=north)
    second = replace(parts, footprint=south, made="170000")
    offered(stac, whole, replace(whole, made="170000"), parts, second)
    around = area.read([left, bottom, right, top])
    assert names(search.find(around, "planetary-computer", JUNE)) == [
        replace(whole, made="170000").name,
        parts.name,
        second.name,
    ]


def test_the_consistent_collection_is_preferred_and_filled_from_the_other(stac: Stac) -> None:
    both = Made("2023-06-15", baseline="05.00")
    plain = replace(both, collection="sentinel-2-l2a", baseline="05.09")
    offered(stac, both, plain, replace(plain, day="2023-06-20"))
    found = search.find(HERE, "earth-search", JUNE)
    assert [(i.collection_id, search.product(i).sensed[:8]) for i in found] == [
        ("sentinel-2-c1-l2a", "20230615"),
        ("sentinel-2-l2a", "20230620"),
    ]


def test_tiles_months_and_baseline_are_kept_to(stac: Stac) -> None:
    old = Made("2023-06-15", baseline="02.14")
    offered(stac, old, replace(old, day="2023-07-15", baseline="05.09"), replace(old, day="2023-07-20", tile="33UUT"))
    year = ["2023-01-01", "2023-12-31"]
    assert len(search.find(HERE, "earth-search", year)) == 3
    assert len(search.find(HERE, "earth-search", year, months=[7])) == 2
    assert len(search.find(HERE, "earth-search", year, tiles=["T33UUU"])) == 2
    assert names(search.find(HERE, "earth-search", year, baseline="05.00")) == [
        replace(old, day="2023-07-15", baseline="05.09").name
    ]
    with pytest.raises(LulcError, match=r"no L2A of 12\.0165.* 2023-01-01 to 2023-12-31 .*baseline 06\.00 or later"):
        search.find(HERE, "earth-search", year, baseline="06.00")


def test_pages_are_followed_and_long_answers_asked_for_by_month(stac: Stac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "PAGE", 2)
    days = [f"2023-{month:02d}-{day:02d}" for month in (5, 6, 7) for day in (5, 15, 25)]
    offered(stac, *(Made(day, "planetary-computer") for day in days))
    period = ["2023-05-03", "2023-07-26"]
    assert len(search.find(HERE, "planetary-computer", period)) == 9
    assert len(stac.asked) == 5
    monkeypatch.setattr(search, "MOST", 4)  # what a service gives to one question
    stac.asked.clear()
    assert len(search.find(HERE, "planetary-computer", period)) == 9
    asked = list(dict.fromkeys(body["datetime"] for body in stac.asked))
    assert asked == [
        "2023-05-03T00:00:00Z/2023-07-26T23:59:59Z",
        "2023-05-03T00:00:00Z/2023-05-31T23:59:59Z",
        "2023-06-01T00:00:00Z/2023-06-30T23:59:59Z",
        "2023-07-01T00:00:00Z/2023-07-26T23:59:59Z",
    ]


def soon() -> str:
    return email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1), usegmt=True)


@pytest.mark.parametrize(
    "answers",
    [
        [Response("<Error>slow down</Error>", 429, {"Retry-After": "1"})],
        [lambda: Response("slow down", 429, {"Retry-After": soon()})],
        [Response("", 500), Response("", 503)],
        [Response("<html><body>Request blocked</body></html>", 200, content_type="text/html")],
    ],
    ids=["wait seconds", "wait until", "errors", "a page of a firewall"],
)
def test_a_service_that_is_busy_is_asked_again(stac: Stac, answers: list) -> None:
    offered(stac, Made("2023-06-15", "planetary-computer"))
    for answer in answers:
        stac.fail("/search", answer)
    assert len(search.find(HERE, "planetary-computer", JUNE)) == 1


def test_what_is_no_stac_is_named(stac: Stac) -> None:
    stac.fail("/v1", Response("<html>Log in to the hotel</html>", 200, content_type="text/html"), times=99)
    with pytest.raises(LulcError, match=r"Planetary Computer answered .*no STAC .*'<html>Log in.*login first"):
        search.find(HERE, "planetary-computer", JUNE)


def test_an_unreachable_service_is_named(stac: Stac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LULC_STAC_CDSE", "http://127.0.0.1:9/v1")
    monkeypatch.setattr(search, "TRIES", 1)
    with pytest.raises(LulcError, match=r"Copernicus Data Space Ecosystem could not be asked .*another 'service'"):
        search.find(HERE, "cdse", JUNE)


def test_a_refusal_is_not_repeated(stac: Stac) -> None:
    stac.fail("/search", Response(json.dumps({"code": 400, "description": "bad geometry"}), 400), times=99)
    with pytest.raises(LulcError, match=r"could not be asked .*bad geometry"):
        search.find(HERE, "planetary-computer", JUNE)
    assert stac.asked == []


def test_a_level_that_a_service_lacks(stac: Stac) -> None:
    with pytest.raises(LulcError, match=r"Planetary Computer has no L1C\. Services that have it: cdse"):
        search.find(HERE, "planetary-computer", JUNE, level="L1C")


def test_an_item_that_names_no_product_is_refused(stac: Stac) -> None:
    item = Made("2023-06-15").item(stac.url, stac.files)
    del item["properties"]["s2:product_uri"]
    stac.offered.append(item)
    with pytest.raises(LulcError, match=r"S2A_33UUU_20230615_0_L2A .* does not name its Sentinel-2 product"):
        search.find(HERE, "earth-search", JUNE)
