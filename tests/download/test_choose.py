"""What is kept of a search, and what is shown of it: tiles, clearest dates, footprints, coverage."""

from dataclasses import replace

import numpy as np
import pystac
import pytest
import shapely

from lulc_kit.download import area, choose
from lulc_kit.errors import LulcError
from tests.services.stac import FOOTPRINT, Made


def found(*scenes: Made, where: list[float] | str | None = None) -> choose.Choice:
    items = [pystac.Item.from_dict(scene.item("http://x", "http://files")) for scene in scenes]
    return choose.Choice(area.read(where or list(FOOTPRINT.bounds)), "earth-search", items)


def square(tile: str) -> shapely.Polygon:
    return area.read(tile).geometry


@pytest.mark.parametrize(
    ("box", "needed"),
    [
        ([12.6, 52.29, 12.8, 52.30], {"33UUT"}),  # both show it whole: one is enough
        ([12.6, 52.6, 12.8, 52.7], {"33UUU"}),
        ([12.6, 52.1, 12.8, 52.6], {"33UUU", "33UUT"}),
        ([12.9, 52.6, 13.9, 52.7], {"33UUU", "33UVU"}),
    ],
)
def test_tiles_that_the_area_needs(box: list[float], needed: set[str]) -> None:
    here = area.read(box)
    tiles = [tile for tile in ("33UUU", "33UUT", "33UVU", "32UQD") if square(tile).intersects(here.geometry)]
    assert choose.needed_tiles(here, tiles) == needed
    shown = shapely.union_all([square(tile) for tile in needed])
    assert shown.buffer(1e-6).contains(here.geometry)


def test_tiles_of_the_grid_s_own_zone_come_first() -> None:
    here = area.read([12.08, 52.6, 12.1, 52.65])
    assert square("32UQD").contains(here.geometry)
    assert choose.needed_tiles(here, ["32UQD", "33UUU"]) == {"33UUU"}


def test_the_clearest_dates_of_each_month_and_tile_are_kept() -> None:
    clouds = {"2023-06-05": 30, "2023-06-15": 5, "2023-06-25": 20, "2023-07-05": 50, "2024-06-05": 40}
    every = found(*(Made(day, cloud=cloud) for day, cloud in clouds.items()))
    kept = choose.choose(every, per_month=2)
    assert choose.table(kept).index.tolist() == ["2023-06-15", "2023-06-25", "2023-07-05", "2024-06-05"]
    assert choose.table(choose.choose(every)).index.tolist() == list(clouds)


def test_tiles_asked_for_by_name_all_stay() -> None:
    here = [12.6, 52.29, 12.8, 52.30]
    both = found(*(Made("2023-06-15", tile=t, footprint=square(t)) for t in ("33UUT", "33UUU")), where=here)
    assert choose.table(choose.choose(both))["tile"].tolist() == ["33UUT"]
    assert choose.table(choose.choose(both, tiles=["T33UUT", "33UUU"]))["tile"].tolist() == ["33UUT", "33UUU"]


def test_items_that_miss_the_area_are_refused() -> None:
    with pytest.raises(LulcError, match="None of the 1 items found has data in 10, 10, 11, 11"):
        choose.choose(found(Made("2023-06-15"), where=[10, 10, 11, 11]))


def test_the_table_says_how_much_of_the_area_a_scene_shows_and_where_it_comes_from() -> None:
    left, bottom, right, top = FOOTPRINT.bounds
    half = Made("2023-06-20", collection="sentinel-2-l2a", footprint=shapely.box(left, bottom, (left + right) / 2, top))
    table = choose.table(found(Made("2023-06-15"), half))
    assert table["of the area, %"].tolist() == [100, 50]
    assert table["collection"].tolist() == ["sentinel-2-c1-l2a", "sentinel-2-l2a"]


def test_coverage_counts_dates_and_not_items() -> None:
    left, bottom, right, top = FOOTPRINT.bounds
    west = Made("2023-06-20", footprint=shapely.box(left, bottom, (left + right) / 2, top))
    twice = replace(Made("2023-06-15"), tile="33UUT")
    count = choose.coverage(found(Made("2023-06-15"), twice, west))
    assert count.dims == ("band", "y", "x")
    assert max(count.shape) <= choose.COARSE
    values = count.values[0][15:-15, 15:-15]  # the area is a box in degrees, the grid one in metres
    assert set(np.unique(values)) == {1, 2}
    assert (values == 2).mean() == pytest.approx(0.5, abs=0.05)


def test_footprints_and_quicklooks() -> None:
    shown = found(Made("2023-06-15", cloud=12.0))
    shapes = choose.footprints(shown)
    assert shapes[["date", "tile", "cloud"]].to_numpy().tolist() == [["2023-06-15", "33UUU", 12.0]]
    assert shapes.geometry[0].equals(FOOTPRINT)
    assert shapes.attrs["area"].equals(shown.area.geometry)
    assert choose.quicklooks(shown) == {}
    shown.items[0].add_asset("thumbnail", pystac.Asset("https://x/thumbnail.jpg"))
    assert choose.quicklooks(shown) == {"2023-06-15 33UUU": "https://x/thumbnail.jpg"}


def test_of_nothing_nothing_is_shown() -> None:
    assert (choose.table(None), choose.footprints(None), choose.coverage(None), choose.quicklooks(None)) == (
        *(None, None, None, {}),
    )
