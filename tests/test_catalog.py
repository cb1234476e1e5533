"""The catalog survives a round trip, is valid STAC, and points at files the right way."""

import json
from pathlib import Path

import numpy as np
import odc.stac
import pystac
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import catalog
from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.errors import LulcError
from lulc_kit.files import join_archive
from lulc_kit.preprocess import radiometry
from lulc_kit.safe.product import open_product
from lulc_kit.safe.scene import describe
from tests import products

GRID = {"geobox": GeoBox((30, 40), from_origin(300_000, 5_000_040, 20, 20), "EPSG:32633"), "dtype": "uint16"}
NUMBERS = st.floats(-1e4, 1e4, allow_nan=False)


def made(folder: Path, elsewhere: Path) -> Catalog:
    bands = {
        "B2": Band(folder / "scenes/x.tif", 1, 0.0001, -0.1, 0, 65535, **GRID),
        "B8A": Band(elsewhere / "y.tif", 3, 0.5, 0.0, None, **GRID),
    }
    late = Scene("2023-06-15", "L2A", bands, scl=Band(folder / "scenes/scl.tif", **GRID), baseline="05.09")
    early = Scene(
        "2017-02-16",
        "L1C",
        bands,
        mask=Band(elsewhere / "m.tif", **GRID),
        sun_azimuth=163.2,
        sun_zenith=66.1,
        product=elsewhere / "p.SAFE",
        clouds=Path(join_archive(folder / "p.zip", "QI_DATA/MSK_CLOUDS_B00.gml")),
        quality={"cloud_percentage": 1.5, "degraded_percentage": 0.0, "GENERAL_QUALITY": "FAILED"},
    )
    return Catalog([late, early], {"reference": elsewhere / "p.gpkg"}, "© somebody")


def test_round_trip_in_order_of_date(tmp_path: Path) -> None:
    before = made(tmp_path / "study", tmp_path / "data")
    path = tmp_path / "study/catalog.json"
    catalog.write(path, before)
    after = catalog.read(path)
    assert [s.date for s in after.scenes] == ["2017-02-16", "2023-06-15"]
    assert after.scenes[1] == before.scenes[0]
    assert after.scenes[0].bands == before.scenes[1].bands
    assert after.scenes[0].mask == before.scenes[1].mask
    assert after.scenes[0].sun_azimuth == 163.2
    for name in ("product", "clouds", "quality"):
        assert getattr(after.scenes[0], name) == getattr(before.scenes[1], name)
    assert after.scenes[0].sun_zenith == pytest.approx(66.1, abs=1e-9)
    assert (after.ancillary, after.attribution) == (before.ancillary, before.attribution)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(NUMBERS, NUMBERS, st.none() | st.floats(allow_infinity=False, allow_nan=False), st.integers(1, 300))
def test_numbers_survive_exactly(
    tmp_path: Path, scale: float, offset: float, nodata: float | None, number: int
) -> None:
    band = Band(tmp_path / "x.tif", number, scale, offset, nodata, **GRID)
    catalog.write(tmp_path / "catalog.json", Catalog([Scene("2020-01-01", "L2A", {"B2": band})]))
    assert catalog.read(tmp_path / "catalog.json").scenes[0].bands["B2"] == band


def test_files_of_the_study_are_relative_others_absolute(tmp_path: Path) -> None:
    """So that a study's folder can be moved."""
    catalog.write(tmp_path / "study/catalog.json", made(tmp_path / "study", tmp_path / "data"))
    (tmp_path / "study").rename(tmp_path / "moved")
    bands = catalog.read(tmp_path / "moved/catalog.json").scenes[0].bands
    assert bands["B2"].path == tmp_path / "moved/scenes/x.tif"
    assert bands["B8A"].path == tmp_path / "data/y.tif"


def test_other_tools_read_it(tmp_path: Path) -> None:
    catalog.write(tmp_path / "catalog.json", made(tmp_path, tmp_path / "data"))
    collection = pystac.ItemCollection.from_file(str(tmp_path / "catalog.json"))
    item = next(i for i in collection if i.id == "2023-06-15")
    assert item.datetime is not None
    assert item.datetime.date().isoformat() == "2023-06-15"
    said = {"data_type": "uint16", "raster:scale": 0.0001, "raster:offset": -0.1, "nodata": 0}
    assert said.items() <= item.assets["B2"].extra_fields["bands"][0].items()
    assert item.properties["processing:level"] == "L2A"


def written(path: Path, numbers: np.ndarray, resolution: float) -> list[Band]:
    """Write bands, and describe them as bands of reflectance."""
    profile = {"count": len(numbers), "height": numbers.shape[1], "width": numbers.shape[2], "dtype": numbers.dtype}
    place = from_origin(300_000, 5_000_040, resolution, resolution)
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", crs="EPSG:32633", transform=place, nodata=0, **profile) as target:
        target.write(numbers)
    return [Band.of(path, number, 0.0001, -0.1, 0, 65535) for number in range(1, len(numbers) + 1)]


def test_odc_stac_loads_the_same_numbers(tmp_path: Path) -> None:
    """Bands of one file and of another, of two resolutions, and a scene classification: two dates of a study."""
    chance, scenes = np.random.default_rng(5), []
    for day in ("2017-02-16", "2017-03-08"):
        start = tmp_path / f"scenes/{day}"
        fine = written(start / "10m.tif", chance.integers(0, 9000, (3, 60, 80), np.uint16), 10)
        coarse = written(start / "20m.tif", chance.integers(0, 9000, (1, 30, 40), np.uint16), 20)
        written(start / "SCL.tif", chance.integers(0, 11, (1, 30, 40), np.uint8), 20)
        bands = dict(zip(("B2", "B3", "B8", "B11"), (*fine, *coarse), strict=True))
        scenes.append(Scene(day, "L2A", bands, scl=Band.of(start / "SCL.tif")))
    catalog.write(tmp_path / "catalog.json", Catalog(scenes, {"reference": tmp_path / "p.gpkg"}))
    collection = pystac.ItemCollection.from_file(str(tmp_path / "catalog.json"))
    items = [item for item in collection if item.properties["lulc:kind"] == "scene"]
    for item in items:
        item.set_self_href(str(tmp_path / "catalog.json"))  # an ItemCollection does not tell its items where they are
    for names, grid in ((("B2", "B3", "nir"), fine[0].geobox), (("B11", "SCL"), coarse[0].geobox)):
        loaded = odc.stac.load(items, bands=names, geobox=grid)
        assert list(loaded) == list(names)
        for number, scene in enumerate(catalog.read(tmp_path / "catalog.json").scenes):
            for name in names:
                theirs = loaded[name].isel(time=number).to_numpy()
                if name == "SCL":
                    np.testing.assert_array_equal(theirs, radiometry.codes_on_grid(scene.scl, grid).compute())
                    continue
                name = {"nir": "B8"}.get(name, name)
                said = next(b for a in items[number].assets.values() for b in a.to_dict()["bands"] if b["name"] == name)
                value = theirs * said["raster:scale"] + said["raster:offset"]
                ours = radiometry.on_grid(scene.bands[name], grid).compute()
                np.testing.assert_allclose(np.where(theirs == said["nodata"], np.nan, value), ours, atol=1e-6)
                assert np.isfinite(ours).mean() > 0.99


def test_all_that_a_product_says_survives(tmp_path: Path) -> None:
    scene = describe(open_product(products.write_l1c(tmp_path / "in", failed="GENERAL_QUALITY")))
    assert (scene.time, scene.date) == ("2023-06-15T10:10:31.024000Z", "2023-06-15")
    assert (scene.platform, scene.orbit, scene.bands["B2"].saturated) == ("sentinel-2a", 22, 65535)
    catalog.write(tmp_path / "catalog.json", Catalog([scene]))
    (found,) = catalog.read(tmp_path / "catalog.json").scenes
    assert found == scene
    assert list(found.bands) == list(scene.bands)


def test_one_file_under_two_names_and_nan_for_nodata(tmp_path: Path) -> None:
    same = {name: Band(tmp_path / "x.tif", 2, nodata=float("nan"), **GRID) for name in ("B2", "B3")}
    catalog.write(tmp_path / "catalog.json", Catalog([Scene("2017-02-16", "L2A", same)]))
    assert "NaN" not in (tmp_path / "catalog.json").read_text()
    found = catalog.read(tmp_path / "catalog.json").scenes[0].bands
    assert {name: (b.path, b.number, str(b.nodata)) for name, b in found.items()} == dict.fromkeys(
        ("B2", "B3"), (tmp_path / "x.tif", 2, "nan")
    )


def test_files_are_named_without_reading_grids(tmp_path: Path) -> None:
    made_up = made(tmp_path / "study", tmp_path / "data")
    catalog.write(tmp_path / "study/catalog.json", made_up)
    scenes, ancillary = catalog.files_of(tmp_path / "study/catalog.json")
    inside = [tmp_path / "study" / name for name in ("p.zip", "scenes/scl.tif", "scenes/x.tif")]
    assert sorted(scenes) == sorted([*inside, *(tmp_path / "data" / name for name in ("m.tif", "p.SAFE", "y.tif"))])
    assert ancillary == {"reference": [tmp_path / "data/p.gpkg"]}


def test_tables(tmp_path: Path) -> None:
    found = made(tmp_path, tmp_path)
    assert list(found.table()["mask"]) == ["scene classification", "file"]
    assert list(found.bands("2023-06-15")["offset"]) == [-0.1, 0.0]


@pytest.mark.parametrize("content", [{}, {"features": [{}]}, {"features": 3}, [], {"features": []}])
def test_not_a_catalog(tmp_path: Path, content: object) -> None:
    (tmp_path / "catalog.json").write_text(json.dumps(content))
    with pytest.raises(LulcError, match="not what 01_download writes"):
        catalog.read(tmp_path / "catalog.json")


def test_the_area_what_was_left_out_and_where_scenes_come_from_come_back(tmp_path: Path) -> None:
    bands = {"B2": written(tmp_path / "scenes/B2.tif", np.ones((1, 9, 9), np.uint16), 10)[0]}
    scene = Scene("2023-06-15", "L2A", bands, origin="earth-search sentinel-2-l2a", radiometry="three agree")
    grid = bands["B2"].geobox
    catalog.write(tmp_path / "catalog.json", Catalog([scene], grid=grid, left_out={"2023-06-20_33UUU": "B8 is gone"}))
    found = catalog.read(tmp_path / "catalog.json")
    assert (found.grid, found.scenes[0].origin, found.scenes[0].radiometry) == (grid, scene.origin, scene.radiometry)
    assert found.table()["from"].tolist() == ["earth-search sentinel-2-l2a"]
    missing = found.missing()
    assert missing is not None
    assert missing["why"].to_dict() == {"2023-06-20_33UUU": "B8 is gone"}
    assert Catalog([scene]).missing() is None
