"""The catalog survives a round trip, is valid STAC, and points at files the right way."""

import json
from pathlib import Path

import pystac
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import catalog
from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.errors import LulcError
from lulc_kit.files import archived

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
        clouds=Path(archived(folder / "p.zip", "QI_DATA/MSK_CLOUDS_B00.gml")),
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
    said = item.assets["B2"].extra_fields["raster:bands"][0]
    assert {n: said[n] for n in ("data_type", "scale", "offset", "nodata")} == {
        "data_type": "uint16", "scale": 0.0001, "offset": -0.1, "nodata": 0,
    }  # fmt: skip
    assert item.properties["processing:level"] == "L2A"


def test_tables(tmp_path: Path) -> None:
    found = made(tmp_path, tmp_path)
    assert list(found.table()["mask"]) == ["scene classification", "file"]
    assert list(found.bands("2023-06-15")["offset"]) == [-0.1, 0.0]


@pytest.mark.parametrize("content", [{}, {"features": [{}]}, {"features": 3}, [], {"features": []}])
def test_not_a_catalog(tmp_path: Path, content: object) -> None:
    (tmp_path / "catalog.json").write_text(json.dumps(content))
    with pytest.raises(LulcError, match="not a catalog of this kit"):
        catalog.read(tmp_path / "catalog.json")
