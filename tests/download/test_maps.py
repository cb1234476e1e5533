"""Reference maps and elevation models from services: the nearest year, the tile's own pixels, and what can be wrong."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import planetary_computer
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from pytest_httpserver import HTTPServer
from rasterio.transform import from_origin

from lulc_kit import classes, raster
from lulc_kit.download import maps, services
from lulc_kit.errors import FormatError, GridError, LulcError, ParameterError
from tests import rasters
from tests.scene import REPOSITORY
from tests.services.world import SERVICES, World, variable

AREA = GeoBox.from_bbox((482_400, 3_764_340, 490_000, 3_770_000), "EPSG:32650", resolution=10)
TILE = GeoBox((1000, 1200), from_origin(480_000, 3_772_000, 10, 10), "EPSG:32650")
DATES = ["2021-07-01", "2021-08-15"]
SHARED = REPOSITORY.parent / "shared/data/worldcover_saotome"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A server that all services of maps lead to."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "localhost,127.0.0.1")
    with HTTPServer(threaded=True) as server:
        found = World(server, tmp_path / "served")
        for service in SERVICES:
            monkeypatch.setenv(variable(service), found.url)
        yield found


def cover(year: int) -> np.ndarray:
    """Return a map of that year: stripes of five classes, moved each year."""
    rows, columns = np.indices(TILE.shape)
    return np.array([1, 2, 5, 7, 11], np.uint8)[(rows // 40 + columns // 60 + year) % 5]


def esri(world: World, *years: int) -> None:
    for year in years:
        collection, asset = ("io-lulc-annual-v02", "data") if year < 2024 else ("io-10m-annual-lulc", "supercell")
        world.offer(collection, f"50S-{year}", asset, TILE, cover(year), year, nodata=0)


def part(box: GeoBox) -> tuple[slice, slice]:
    """Return which rows and columns of the tile a grid is."""
    column, row = (round(v) for v in ~TILE.affine * (box.affine * (0, 0)))
    return slice(row, row + box.height), slice(column, column + box.width)


def test_the_year_nearest_to_the_scenes_comes_with_its_own_pixels_names_and_colours(
    world: World, tmp_path: Path
) -> None:
    esri(world, 2020, 2021, 2022)
    path = maps.reference("esri", AREA, DATES, tmp_path / "reference")
    assert path == tmp_path / "reference/esri_2021.tif"
    with rasterio.open(path) as found:
        assert (found.dtypes[0], found.nodata, found.crs.to_epsg()) == ("uint8", 0, 32650)
        assert found.colormap(1)[7][:3] == classes.scheme("esri").find("Built").rgb
        tags = found.tags()
        rows, columns = part(GeoBox(found.shape, found.transform, found.crs))
        np.testing.assert_array_equal(found.read(1), cover(2021)[rows, columns])
        assert found.bounds == tuple(AREA.boundingbox)  # the area lies on the map's own pixels
    assert "7 Built" in tags["classes"] and tags["year"] == "2021" and "CC BY 4.0" in tags["attribution"]
    assert "Built" in path.with_suffix(".qml").read_text(encoding="utf-8")


def test_a_year_may_be_asked_for_and_the_newest_is_another_services(world: World, tmp_path: Path) -> None:
    esri(world, 2023, 2024)
    with pytest.warns(UserWarning, match=r"is of 2024, the scenes of 2021"):
        path = maps.reference("esri", AREA, DATES, tmp_path, year=2024)
    np.testing.assert_array_equal(raster.read_codes(path).to_numpy()[0], cover(2024)[part(raster.grid(path))])
    with pytest.raises(ParameterError, match=r"no map of 2016; it has 2017 to 2024.*reference_year"):
        maps.reference("esri", AREA, DATES, tmp_path, year=2016)


def test_a_map_that_is_there_is_not_fetched_again_but_of_another_area_it_is(world: World, tmp_path: Path) -> None:
    esri(world, 2021)
    maps.reference("esri", AREA, DATES, tmp_path)
    read, asked = len(world.read), len(world.asked)
    maps.reference("esri", AREA, DATES, tmp_path)
    assert (len(world.read), len(world.asked)) == (read, asked)
    path = maps.reference("esri", AREA[:100, :100], DATES, tmp_path)
    assert raster.grid(path).shape == (100, 100)


def test_shares_are_those_of_the_pixels(world: World, tmp_path: Path) -> None:
    esri(world, 2021)
    path = maps.reference("esri", AREA, DATES, tmp_path)
    found = maps.shares(path)
    own = cover(2021)[part(raster.grid(path))]
    assert found["share"].sum() == pytest.approx(1)
    assert found.loc["Built", "share"] == pytest.approx((own == 7).mean())


def test_a_tile_that_is_missing_at_the_edge_is_said(world: World, tmp_path: Path) -> None:
    west = TILE[:, :500]
    world.offer("io-lulc-annual-v02", "50S-2021", "data", west, cover(2021)[:, :500], 2021, nodata=0)
    with pytest.warns(UserWarning, match=r"of the area has no tile"):
        path = maps.reference("esri", AREA, DATES, tmp_path)
    codes = raster.read_codes(path).to_numpy()[0]
    assert (codes[:, 261:] == 0).all() and (codes[:, :259] > 0).all()


@pytest.mark.parametrize(
    "fault", ["none found", "file is gone", "all nodata", "wrong CRS", "another asset", "truncated"]
)
def test_what_cannot_be_used_leaves_nothing(fault: str, world: World, tmp_path: Path) -> None:
    elsewhere = GeoBox(TILE.shape, TILE.affine, "EPSG:32633")
    offer = {"collection": "io-lulc-annual-v02", "name": "50S-2021", "asset": "data", "box": TILE, "year": 2021}
    if fault == "file is gone":
        world.offer(**offer, numbers=None)
    elif fault == "all nodata":
        world.offer(**offer, numbers=np.zeros(TILE.shape, np.uint8), nodata=0)
    elif fault == "another asset":
        world.offer(**offer | {"asset": "cog"}, numbers=cover(2021), nodata=0)
    elif fault != "none found":
        world.offer(**offer, numbers=cover(2021), nodata=0)
        path = tmp_path / "served/50S-2021.tif"
        if fault == "wrong CRS":
            with rasterio.open(path, "r+") as file:
                file.crs = elsewhere.crs.to_wkt()
        content = path.read_bytes()
        href = world.serve("other.tif", content if fault == "wrong CRS" else content[:5000])
        world.items[0]["assets"]["data"]["href"] = href
    says = {
        "none found": "has no tile of Impact Observatory",
        "file is gone": "cannot be read as a raster",
        "all nodata": "has no data in",
        "wrong CRS": "None of 1 tiles meets the area",
        "another asset": "has no asset 'data'; it has cog",
        "truncated": "cannot be read as a raster",
    }[fault]
    with pytest.raises((LulcError, FormatError, GridError), match=says):
        maps.reference("esri", AREA, DATES, tmp_path / "reference")
    assert not list((tmp_path / "reference").glob("*"))


@pytest.fixture
def signed(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The server as Azure's store, whose files need a signature."""
    monkeypatch.setattr(planetary_computer.sas, "BLOB_STORAGE_DOMAIN", world.url.split("/")[2])
    monkeypatch.setattr(planetary_computer.sas, "parse_blob_url", lambda parts: ("account", "container"))
    monkeypatch.setattr(planetary_computer.settings.Settings.get(), "sas_url", f"{world.url}/token")
    services.SERVICES["planetary-computer"].forget()
    esri(world, 2021)
    return world


def test_a_signature_that_ends_early_is_asked_for_anew_once(signed: World, tmp_path: Path) -> None:
    signed.signatures[:] = [("marked-first", 3), ("marked-second", 10_000)]
    path = maps.reference("esri", AREA, DATES, tmp_path / "reference")
    np.testing.assert_array_equal(raster.read_codes(path).to_numpy()[0], cover(2021)[part(raster.grid(path))])
    assert signed.signatures[0][0] == "marked-second"
    assert all(b"marked" not in f.read_bytes() for f in (tmp_path / "reference").iterdir())


def test_a_signature_that_never_holds_is_an_error_that_does_not_tell_it(signed: World, tmp_path: Path) -> None:
    signed.signatures[:] = [("marked-first", 1), ("marked-second", 1), ("marked-third", 1)]
    with pytest.raises(FormatError, match="cannot be read as a raster") as caught:
        maps.reference("esri", AREA, DATES, tmp_path / "reference")
    assert "marked" not in str(caught.value)
    assert not list((tmp_path / "reference").glob("*"))


def test_elevation_comes_with_a_margin_and_joins_tiles(world: World, tmp_path: Path) -> None:
    """Two tiles that meet at 117° E, one arc second; what is written is the plane they were made of."""
    area = GeoBox.from_bbox((498_000, 3_764_340, 502_000, 3_767_000), "EPSG:32650", resolution=10)
    second = 1 / 3600
    for left, name in ((116.9, "W"), (117.0, "E")):
        box = GeoBox((300, 360), from_origin(left, 34.06, second, second), "EPSG:4326")
        x, y = np.meshgrid(np.arange(360) + 0.5, np.arange(300) + 0.5)
        longitude, latitude = box.affine * (x, y)
        world.offer("cop-dem-glo-30", name, "data", box, (1000 * (longitude - 116) + latitude).astype(np.float32))
    path = maps.dem("cop-dem-glo-30", area, tmp_path)
    found = raster.read(path)
    box = found.odc.geobox
    x, y = np.meshgrid(np.arange(box.width) + 0.5, np.arange(box.height) + 0.5)
    longitude, latitude = box.affine * (x, y)
    np.testing.assert_allclose(found.to_numpy()[0], 1000 * (longitude - 116) + latitude, atol=0.01)
    assert box.pad(-maps.MARGIN).extent.contains(area.extent.to_crs("EPSG:4326"))
    assert world.asked[0].get("datetime") is None


def test_nasadem_has_whole_metres_and_its_own_nodata(world: World, tmp_path: Path) -> None:
    second = 1 / 3600
    box = GeoBox((400, 450), from_origin(116.78, 34.1, second, second), "EPSG:4326")
    heights = np.random.default_rng(0).integers(-5, 900, box.shape).astype(np.int16)
    heights[:, 100] = -32768
    world.offer("nasadem", "n34e116", "elevation", box, heights, nodata=-32768)
    found = raster.read(maps.dem("nasadem", AREA, tmp_path))
    column, row = (round(v) for v in ~box.affine * (found.odc.geobox.affine * (0, 0)))
    expected = heights[row : row + found.shape[1], column : column + found.shape[2]].astype(np.float32)
    expected[expected == -32768] = np.nan
    np.testing.assert_array_equal(found.to_numpy()[0], expected)


def test_the_middle_of_the_year_nearest_to_the_middle_scene() -> None:
    assert maps.nearest_year(range(2017, 2025), ["2020-01-05", "2021-06-01", "2025-01-01"]) == 2021
    assert maps.nearest_year([2020, 2021], ["2016-01-01"]) == 2020


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("50S_20210101-20220101.tif", ("esri", 2021)),
        ("33T_2024.tif", ("esri", 2024)),
        ("ESA_WorldCover_10m_2021_v200_N33E114_Map.tif", ("worldcover", 2021)),
        ("50S_20210601-20210701.tif", None),
        ("my_50S_2021.tif", None),
        ("labels.tif", None),
    ],
)
def test_tiles_that_one_has_are_known_by_their_names(name: str, known: tuple[str, int] | None) -> None:
    assert maps.recognize(Path("data") / name) == known


def test_a_tile_that_one_has_is_cut_and_gets_its_names(tmp_path: Path) -> None:
    path = rasters.write(tmp_path / "50S_20210101-20220101.tif", cover(2021), TILE, nodata=0)
    before = path.read_bytes()
    found = maps.cut(path, AREA, DATES, tmp_path / "reference")
    assert found == tmp_path / "reference/esri_2021.tif" and path.read_bytes() == before
    np.testing.assert_array_equal(raster.read_codes(found).to_numpy()[0], cover(2021)[part(raster.grid(found))])
    assert "7 Built" in raster.tags(found)["classes"]
    written = found.stat().st_mtime_ns
    maps.cut(path, AREA, DATES, tmp_path / "reference")
    assert found.stat().st_mtime_ns == written
    with pytest.warns(UserWarning, match="is of 2021, the scenes of 2016 to 2018"):
        maps.cut(path, AREA, ["2016-01-01", "2018-06-01"], tmp_path / "reference")


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the shared WorldCover and Copernicus DEM are not there")
def test_real_worldcover_and_copernicus_dem(world: World, tmp_path: Path) -> None:
    """São Tomé: what is cut out is what rasterio reads in the same window of the whole file."""
    for file, collection, asset, year in (
        ("worldcover_2021_v200_saotome_10m.tif", "esa-worldcover", "map", 2021),
        ("copdem_glo30_saotome.tif", "cop-dem-glo-30", "data", None),
    ):
        with rasterio.open(SHARED / file) as source:
            box = GeoBox(source.shape, source.transform, source.crs)
        world.offer(collection, file.removesuffix(".tif"), asset, box, None, year)
        world.items[-1]["assets"][asset]["href"] = world.serve(file, (SHARED / file).read_bytes())
    area = GeoBox.from_bbox((225_000, 20_000, 231_000, 28_000), "EPSG:32632", resolution=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        cover = maps.reference("worldcover", area, DATES, tmp_path)
        height = maps.dem("cop-dem-glo-30", area, tmp_path)
    for path, file in ((cover, "worldcover_2021_v200_saotome_10m.tif"), (height, "copdem_glo30_saotome.tif")):
        with rasterio.open(SHARED / file) as whole, rasterio.open(path) as found:
            window = whole.window(*found.bounds).round_offsets().round_lengths()
            np.testing.assert_array_equal(found.read(1), whole.read(1, window=window))
            assert GeoBox(found.shape, found.transform, found.crs).extent.contains(
                area.extent.to_crs("EPSG:4326", resolution=100)
            )
    assert maps.shares(cover).loc["Tree cover", "share"] > 0.5  # a wooded island
