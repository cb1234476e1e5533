"""A user's own rasters: described as they are, and looked into before they are believed."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.crs import CRS

from lulc_kit import catalog, params
from lulc_kit.catalog import Band, Catalog
from lulc_kit.download import scenes
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from lulc_kit.preprocess import radiometry
from tests import scene

DN = np.full((8, 8), 1000, np.uint16)


def download(*entries: dict[str, Any], **extra: Any) -> params.Download:
    full = [{"date": f"2023-06-{15 + i}", "level": "L2A"} | entry for i, entry in enumerate(entries)]
    return params.Download.check({"study": "s", "source": "files", "scenes": full} | extra, "here")


def test_one_file_for_each_band(project: Path) -> None:
    fine = scene.write(project / "data/a.tif", DN, 10.0)
    coarse = scene.write(project / "data/b.tif", DN[:4, :4], 20.0)
    p = download({"bands": {"B02": "data/a.tif", "B11": str(coarse)}, "offset": -0.1, "nodata": 7, "sun_zenith": 30.0})
    found = scenes.get(p, Layout(project)).scenes[0]
    assert found.bands == {
        "B2": Band.of(fine, 1, 0.0001, -0.1, 7, 65535),
        "B11": Band.of(coarse, 1, 0.0001, -0.1, 7, 65535),
    }
    assert (found.date, found.level, found.sun_zenith, found.scl) == ("2023-06-15", "L2A", 30.0, None)


def test_one_file_with_all_bands(project: Path) -> None:
    path = scene.write(project / "data/a.tif", np.stack([DN, DN, DN]), 10.0)
    mask = scene.write(project / "data/m.tif", DN, 10.0)
    p = download({"file": "data/a.tif", "names": ["B4", "B3", "B2"], "nodata": None, "mask": "data/m.tif"})
    found = scenes.get(p, Layout(project)).scenes[0]
    assert {name: band.number for name, band in found.bands.items()} == {"B4": 1, "B3": 2, "B2": 3}
    assert found.bands["B4"] == Band.of(path, 1, 0.0001, 0.0, None, 65535)
    assert found.mask == Band.of(mask)


def test_reference_and_others_are_found(project: Path) -> None:
    scene.write(project / "data/a.tif", DN, 10.0)
    scene.polygons().to_file(project / "data/p.gpkg")
    p = download({"bands": {"B2": "data/a.tif"}}, reference="data/p.gpkg")
    assert scenes.get(p, Layout(project)).ancillary == {"reference": project / "data/p.gpkg"}
    with pytest.raises(LulcError, match=r"dem: .*dem\.tif does not exist"):
        scenes.get(download({"bands": {"B2": "data/a.tif"}}, dem="data/dem.tif"), Layout(project))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"bands": {"B2": "data/no.tif"}}, r"no\.tif does not exist\. Check the path in 01_download\.yaml"),
        ({"bands": {"B2": "data/a.tif", "B02": "data/a.tif"}}, "band B2 is given twice"),
        ({"file": "data/a.tif", "names": ["b8a", "B8A"]}, r"has 1 band\(s\), but 'names' lists 2"),
        ({"file": "data/two.tif", "names": ["b8a", "B8A"]}, "band B8A is given twice"),
        ({"bands": {"B2": "data/text.tif"}}, "not a raster that GDAL can read"),
        ({"bands": {"B2": "data/a.hdr"}}, "data in a file beside it: name that one"),
        ({"bands": {"B2": "data/picture.tif"}}, r"picture\.tif holds numbers of 8 bits.*0\.0255.*scale: 0\.004"),
        ({"bands": {"B2": "data/a.tif"}, "scl": "data/text.tif"}, "not a raster that GDAL can read"),
        ({"bands": {"B2": "data/bare.tif"}}, r"bare\.tif has no CRS\. Set it"),
        ({"bands": {"B2": "data"}}, "not a raster that GDAL can read"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(project: Path, entry: dict[str, Any], says: str) -> None:
    scene.write(project / "data/a.tif", DN, 10.0)
    scene.write(project / "data/two.tif", np.stack([DN, DN]), 10.0)
    scene.write(project / "data/bare.tif", DN, 10.0, crs=None)
    scene.write(project / "data/picture.tif", np.minimum(DN, 200).astype(np.uint8), 10.0)
    (project / "data/text.tif").write_text("not a raster")
    (project / "data/a.hdr").write_text("ENVI")
    with pytest.raises(LulcError, match=says):
        scenes.get(download(entry), Layout(project))


def test_nodata_is_what_the_file_says_before_it_is_0(project: Path) -> None:
    """A default never overrules a file, and each band has its own; `null` is what the file says, and nothing else."""
    scene.write(project / "data/bare.tif", DN, 10.0)
    scene.write(project / "data/said.tif", DN.astype(np.int16), 10.0, nodata=-9999)
    bands = {"B2": "data/bare.tif", "B3": "data/said.tif"}
    for given, expected in (({}, (0, -9999)), ({"nodata": None}, (None, -9999)), ({"nodata": 7}, (7, 7))):
        found = scenes.get(download({"bands": bands} | given), Layout(project)).scenes[0].bands
        assert (found["B2"].nodata, found["B3"].nodata) == expected


def test_files_of_one_day_lie_side_by_side(project: Path) -> None:
    for name in ("a", "b"):
        scene.write(project / f"data/{name}.tif", DN, 10.0)
    p = download(*({"date": "2023-06-15", "bands": {"B2": f"data/{n}.tif"}} for n in "ab"))
    assert [s.name for s in scenes.get(p, Layout(project)).scenes] == ["2023-06-15_part1", "2023-06-15_part2"]


def test_bands_that_the_file_names_itself_are_taken_by_name(project: Path) -> None:
    path = scene.write(project / "data/a.tif", np.stack([DN, 2 * DN]), 10.0)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("B3", "B2")
    found = scenes.get(download({"file": "data/a.tif", "names": ["B2", "B3"]}), Layout(project)).scenes[0]
    assert {name: band.number for name, band in found.bands.items()} == {"B2": 2, "B3": 1}


def test_bands_in_stac_s_words_are_taken_by_name_and_in_other_words_in_order(project: Path) -> None:
    path = scene.write(project / "data/a.tif", np.stack([DN, 2 * DN, 3 * DN]), 10.0)
    for words, numbers in (
        (("red", "green", "Blue"), {"B2": 3, "B3": 2, "B4": 1}),
        (("Rot", "Grün", "Blau"), {"B2": 3, "B3": 2, "B4": 1}),
        (("first", "second", "third"), {"B2": 1, "B3": 2, "B4": 3}),
        (("B1", "B2", "B3"), {"B2": 1, "B3": 2, "B4": 3}),  # merely counted
        (("B01", "B02", "B03"), {"B2": 1, "B3": 2, "B4": 3}),
        (("SR_B4", "B03_10m", "490 nm"), {"B2": 3, "B3": 2, "B4": 1}),
        (("20230615_B04", "20230615_B02", "20230615_B03"), {"B2": 2, "B3": 3, "B4": 1}),
    ):
        with rasterio.open(path, "r+") as file:
            file.descriptions = words
        found = scenes.get(download({"file": "data/a.tif", "names": ["B2", "B3", "B4"]}), Layout(project)).scenes[0]
        assert {name: band.number for name, band in found.bands.items()} == numbers


def test_names_that_the_file_contradicts_are_refused(project: Path) -> None:
    path = scene.write(project / "data/a.tif", np.stack([DN, 2 * DN, 3 * DN]), 10.0)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("B8", "B4", "SWIR")
    with pytest.raises(LulcError, match=r"band 1 for B2, and the file itself calls it B8 \(its bands are B8, B4, SWIR"):
        scenes.get(download({"file": "data/a.tif", "names": ["B2", "B4", "B11"]}), Layout(project))
    single = scene.write(project / "data/b.tif", DN, 10.0)
    with rasterio.open(single, "r+") as file:
        file.descriptions = ("B03",)
    with pytest.raises(LulcError, match="band 1 for B4, and the file itself calls it B03"):
        scenes.get(download({"bands": {"B4": "data/b.tif"}}), Layout(project))


def test_four_bands_of_8_bits_of_which_the_file_takes_one_for_transparency(project: Path) -> None:
    """The message names the user's file, not the kit's plain copy of it."""
    scene.write(project / "data/a.tif", np.stack([DN] * 4).astype(np.uint8), 10.0)
    p = download({"file": "data/a.tif", "names": ["B2", "B3", "B4", "B8"]})
    with pytest.raises(LulcError, match=r"^data/a\.tif has 3 band\(s\), but 'names' lists 4.*-colorinterp_4 undefined"):
        scenes.get(p, Layout(project))


@pytest.mark.parametrize(
    ("dtype", "saturated"), [("uint16", 65535), ("int32", 65535), ("int16", None), ("float32", None)]
)
def test_the_mark_of_saturation_is_known_in_wider_types_too(project: Path, dtype: str, saturated: int | None) -> None:
    scene.write(project / "data/a.tif", DN.astype(dtype), 10.0)
    for nodata, expected in ((0, saturated), (65535, None)):
        entry = {"bands": {"B2": "data/a.tif"}, "nodata": nodata}
        assert scenes.get(download(entry), Layout(project)).scenes[0].bands["B2"].saturated == expected


def test_files_named_by_their_bands_are_not_exchanged(project: Path) -> None:
    """One file alone proves nothing: its name may count something else."""
    for name in ("T33_B04_10m", "T33_B08_10m"):
        scene.write(project / f"data/{name}.tif", DN, 10.0)
    exchanged = {"B04": "data/T33_B08_10m.tif", "B08": "data/T33_B04_10m.tif"}
    with pytest.raises(LulcError, match=r"hold other bands \(B04: data/T33_B08_10m\.tif, B08: .*Correct 'bands'"):
        scenes.get(download({"bands": exchanged}), Layout(project))
    found = scenes.get(download({"bands": {"B2": "data/T33_B04_10m.tif"}}), Layout(project))
    assert list(found.scenes[0].bands) == ["B2"]


def test_a_name_that_two_bands_have_is_refused_where_it_is_wanted(project: Path) -> None:
    path = scene.write(project / "data/a.tif", np.stack([DN, 2 * DN, 3 * DN]), 10.0)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("B2", "B3", "B3")
    for entry in ({"file": "data/a.tif", "names": ["B2", "B3"]}, {"bands": {"B3": "data/a.tif"}}):
        with pytest.raises(LulcError, match=r"^data/a\.tif calls several of its bands B3"):
            scenes.get(download(entry), Layout(project))
    assert [*scenes.get(download({"bands": {"B2": "data/a.tif"}}), Layout(project)).scenes[0].bands] == ["B2"]


def test_a_file_of_several_times_or_of_another_day_is_not_taken_in_silence(project: Path) -> None:
    days = np.array(["2023-06-15", "2023-07-15"], "datetime64[ns]")
    y, x = 5_000_000 - 5 - 10.0 * np.arange(8), 500_005 + 10.0 * np.arange(8)
    metres = {"units": "m"}
    cube = xr.Dataset(
        {
            band: (("time", "y", "x"), np.stack([DN, DN]).astype(np.int16), {"grid_mapping": "crs"})
            for band in ("B2", "B3")
        },
        {
            "time": days,
            "y": ("y", y, metres | {"standard_name": "projection_y_coordinate"}),
            "x": ("x", x, metres | {"standard_name": "projection_x_coordinate"}),
        },
    )
    cube["crs"] = ((), 0, {"crs_wkt": CRS.from_epsg(32633).to_wkt(), "spatial_ref": CRS.from_epsg(32633).to_wkt()})
    (project / "data").mkdir(exist_ok=True)
    cube.to_netcdf(project / "data/two.nc")
    cube.isel(time=[1]).to_netcdf(project / "data/one.nc")
    with pytest.raises(
        LulcError, match=r"^data/two\.nc: its bands are of 2 times \(2023-06-15, 2023-07-15\).*Save those of each date"
    ):
        scenes.get(download({"file": "data/two.nc", "names": ["B2", "B3"]}), Layout(project))
    with pytest.warns(UserWarning, match=r"2023-06-15: the file itself says that it is of 2023-07-15 .*correct 'date'"):
        scenes.get(download({"file": "data/one.nc", "names": ["B2", "B3"]}), Layout(project))
    for k, units in enumerate(("months since 2000-01-01", "days since 9999-01-01")):  # no day that xarray knows
        time = ("time", [9_000_000], {"units": units, "standard_name": "time"})
        cube.isel(time=[1]).assign_coords(time=time).to_netcdf(project / f"data/odd{k}.nc")
        found = scenes.get(download({"file": f"data/odd{k}.nc", "names": ["B2", "B3"]}), Layout(project))
        assert [*found.scenes[0].bands] == ["B2", "B3"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("S2_20230716_B02.tif", "2023-07-16"),
        ("2023-07-16.tif", "2023-07-16"),
        ("T33UUU_20230716T102021_B02_10m_20230801.tif", "2023-07-16, 2023-08-01"),
        ("T33UUU_20230615T102021_20230801T090000.tif", None),  # sensing, and processing
        ("B2_123420230716.tif", None),  # a longer number
        ("B2_20231345.tif", None),
    ],
)
def test_a_name_of_another_day_is_told(project: Path, name: str, says: str | None) -> None:
    path = scene.write(project / "data" / name, DN, 10.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = scenes.get(download({"bands": {"B2": str(path)}}), Layout(project))
    told = [str(w.message) for w in caught if "the name of" in str(w.message)]
    assert [f"says {says}. If" in line for line in told] == ([] if says is None else [True])
    assert found.scenes[0].date == "2023-06-15"


def test_a_band_of_a_larger_file_is_taken_by_name_however_it_is_spelt_or_not_at_all(project: Path) -> None:
    path = scene.write(project / "data/a.tif", np.stack([DN, 2 * DN, 3 * DN]), 10.0)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("b08", "B03", "B02")
    for entry in ({"file": "data/a.tif", "names": ["B2", "B3"]}, {"bands": {"B2": "data/a.tif", "B3": "data/a.tif"}}):
        found = scenes.get(download(entry), Layout(project)).scenes[0]
        assert {name: band.number for name, band in found.bands.items()} == {"B2": 3, "B3": 2}
    with pytest.raises(LulcError, match="has 3 bands, and none of them is called B4"):
        scenes.get(download({"bands": {"B4": "data/a.tif"}}), Layout(project))
    with pytest.raises(LulcError, match=r"mask: .*a\.tif has 3 bands, expected one"):
        scenes.get(download({"bands": {"B2": "data/a.tif"}, "mask": "data/a.tif"}), Layout(project))


def test_scale_and_offset_are_the_file_s_own_if_none_are_given(project: Path) -> None:
    scene.write(project / "data/bare.tif", DN, 10.0)
    path = scene.write(project / "data/said.tif", np.stack([DN, DN]), 10.0)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets, file.descriptions = (0.0002, 0.0004), (-0.2, 0), ("B3", "B4")
    bands = {"B2": "data/bare.tif", "B3": "data/said.tif", "B4": "data/said.tif"}
    for given, expected in (
        ({}, [(0.0001, 0), (0.0002, -0.2), (0.0004, 0)]),
        ({"scale": 0.001, "offset": -1.0}, [(0.001, -1)] * 3),
    ):
        found = scenes.get(download({"bands": bands} | given), Layout(project)).scenes[0].bands
        assert [(band.scale, band.offset) for band in found.values()] == expected


def test_what_a_mask_in_the_file_hides_is_nodata(project: Path) -> None:
    path = scene.write(project / "data/a.tif", DN, 10.0)
    with rasterio.open(path, "r+") as file:
        file.write_mask(np.arange(64).reshape(8, 8) % 2 == 0)
    band = scenes.get(download({"bands": {"B2": "data/a.tif"}}), Layout(project)).scenes[0].bands["B2"]
    assert band.path.is_relative_to(project / "scenes")
    with rasterio.open(band.path) as file:
        assert (file.read(1) == band.nodata).sum() == 32


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_number_that_no_land_has_is_missing_where_the_file_says_nothing(project: Path, dtype: type) -> None:
    numbers = DN.astype(dtype)
    numbers[2, 3] = -9999
    path = scene.write(project / "data/a.tif", numbers, 10.0)
    entry = {"bands": {"B2": "data/a.tif"}, "scale": 0.0001}
    with pytest.warns(UserWarning, match=r"pixels of -9999 in .*nodata: 0"):
        found = scenes.get(download(entry), Layout(project)).scenes[0].bands["B2"]
    assert (found.path, found.nodata) == (path, -9999)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        told = [scenes.get(download(entry | {"nodata": n}), Layout(project)).scenes[0].bands["B2"] for n in (-9999, 0)]
    assert [band.nodata for band in told] == [-9999, 0]


def test_a_parameter_that_no_pixel_can_have_does_not_show_what_a_mask_hides(project: Path) -> None:
    hidden = np.arange(64).reshape(8, 8) % 2 == 1
    with rasterio.open(scene.write(project / "data/a.tif", DN, 10.0), "r+") as file:
        file.write_mask(~hidden)
    band = scenes.get(download({"bands": {"B2": "data/a.tif"}, "nodata": -9999}), Layout(project)).scenes[0].bands["B2"]
    with rasterio.open(band.path) as file:
        nodata = file.nodata if band.nodata is None else band.nodata
        np.testing.assert_array_equal(file.read(1) == nodata, hidden)


def test_what_a_mask_s_own_mask_hides_is_not_clear(project: Path) -> None:
    """Nobody has looked there; and 0 is clear, though the header calls it nodata."""
    scene.write(project / "data/a.tif", DN, 10.0)
    clouds, hidden = np.eye(8, dtype=np.uint8), np.zeros((8, 8), bool)
    hidden[:2] = True
    path = scene.write(project / "data/m.tif", clouds, 10.0, nodata=0)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(~hidden)
    p = download({"bands": {"B2": "data/a.tif"}, "mask": "data/m.tif"})
    mask = scenes.get(p, Layout(project)).scenes[0].mask
    assert mask is not None
    found = radiometry.mask_on_grid(mask, mask.geobox).compute()
    np.testing.assert_array_equal(found, np.where(hidden, np.nan, clouds))


def test_what_was_understood_of_own_files_is_kept_in_the_catalog(project: Path) -> None:
    scene.write(project / "data/a.tif", np.stack([DN, 0 * DN]), 10.0, nodata=0)
    scene.write(project / "data/dem.tif", np.where(np.eye(8), np.nan, DN).astype(np.float32), 30.0, nodata=np.nan)
    scene.polygons().to_file(project / "data/p.gpkg", layer="fields")
    p = download({"file": "data/a.tif", "names": ["B2", "B3"]}, dem="data/dem.tif", reference="data/p.gpkg")
    catalog.write(project / "catalog.json", scenes.get(p, Layout(project)))
    found = catalog.read(project / "catalog.json")
    bands, layers = found.read_as("band"), found.read_as("layer")
    assert bands is not None and layers is not None
    assert bands["file"].tolist() == ["a.tif", "a.tif", "dem.tif"]
    assert bands["missing, %"].tolist() == [0, 100, 12.5]
    assert bands["nodata"].tolist() == [0, 0, "nan"]
    assert bands["highest"].tolist()[::2] == [1000, 1000]
    assert layers.iloc[0].to_dict() == {
        "file": "p.gpkg",
        "layer": "fields",
        "CRS": "EPSG:32633",
        "geometry": "Polygon",
        "features": len(scene.polygons()),
        "fields": "class, site",
    }
    simple = Catalog(found.scenes[:0])
    assert simple.read_as("band") is None and simple.read_as("layer") is None


def test_reflectance_without_a_scale_is_refused_before_it_becomes_nothing(project: Path) -> None:
    scene.write(project / "data/a.tif", (DN / 10000).astype(np.float32), 10.0)
    with pytest.raises(LulcError, match=r"look like reflectance itself.*Write scale: 1 in 01_download\.yaml"):
        scenes.get(download({"bands": {"B2": "data/a.tif"}}), Layout(project))
    band = scenes.get(download({"bands": {"B2": "data/a.tif"}, "scale": 1}), Layout(project)).scenes[0].bands["B2"]
    assert band.scale == 1
    scene.write(project / "data/a.tif", DN.astype(np.float32), 10.0)
    assert scenes.get(download({"bands": {"B2": "data/a.tif"}}), Layout(project)).scenes[0].bands["B2"].scale == 1e-4
