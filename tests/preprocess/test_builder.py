"""The cube: what a mask leaves out is out, an empty date is no disaster, bad input is refused."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from scipy import ndimage

from lulc_kit import raster
from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.cube import Cube, Reason
from lulc_kit.errors import LulcError
from lulc_kit.preprocess import builder, composite
from lulc_kit.preprocess.grid import study_grid
from tests.rasters import grid, write
from tests.services.stac import picture as true_colour
from tests.services.stac import reflectance

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the development data are not in {SHARED}")
ROWS, COLUMNS = 30, 40


def scene(folder, date, numbers, scl=None, mask=None, level="L2A", bands=("B4", "B8")):
    """One date; ``numbers`` are DN, (band, row, column), 0 is nodata."""
    path = write(folder / f"{date}-dn.tif", numbers.astype(np.uint16))
    extra = {}
    if scl is not None:
        extra["scl"] = Band.of(write(folder / f"{date}-scl.tif", scl.astype(np.uint8), 20.0))
    if mask is not None:
        extra["mask"] = Band.of(write(folder / f"{date}-mask.tif", mask.astype(np.uint8)))
    described = {b: Band.of(path, i, 0.0001, 0.0, 0) for i, b in enumerate(bands, 1)}
    return Scene(date, level, described, **extra)


def dn(seed):
    return np.random.default_rng(seed).integers(1, 9000, (2, ROWS, COLUMNS))


def build(scenes, folder, **options):
    catalog = Catalog(list(scenes))
    return builder.build(catalog, study_grid(catalog), folder, **{"mask": "none"} | options)


def read(path):
    with rasterio.open(path) as source:
        return source.read()


def test_reflectance_and_reasons_of_a_scene_with_its_classification(tmp_path):
    numbers = dn(1)
    numbers[0, :3, :3] = 0
    scl = np.full((ROWS // 2, COLUMNS // 2), 4)
    scl[5, 5], scl[6, 7], scl[8, 8], scl[9, 9] = 9, 3, 11, 10
    table = build([scene(tmp_path, "2020-05-01", numbers, scl)], tmp_path / "cube", mask="scl", scl_exclude=[3, 9, 10])
    written = read(tmp_path / "cube/2020-05-01.tif")
    np.testing.assert_array_equal(written, np.where(numbers == 0, -32768, numbers))
    expected = np.full((ROWS, COLUMNS), Reason.CLEAR)
    for (r, c), reason in {(5, 5): Reason.CLOUD, (6, 7): Reason.SHADOW, (9, 9): Reason.CIRRUS}.items():
        expected[2 * r : 2 * r + 2, 2 * c : 2 * c + 2] = reason
    expected[:3, :3] = Reason.NODATA
    np.testing.assert_array_equal(read(tmp_path / "cube/2020-05-01_mask.tif")[0], expected)
    assert table.loc[0, "clear"] == pytest.approx((expected == Reason.CLEAR).mean())
    assert table.loc[0, "no data"] == pytest.approx(9 / (ROWS * COLUMNS))
    clear = Cube(tmp_path / "cube").clear("2020-05-01").to_numpy()
    out = expected != Reason.CLEAR
    assert np.isnan(clear[:, out]).all()
    np.testing.assert_allclose(clear[:, ~out], numbers[:, ~out] * 0.0001, atol=1e-7)


@pytest.mark.parametrize("bbox", [None, [500_050.0, 4_999_760.0, 500_300.0, 4_999_930.0]])
def test_saturated_pixels_are_defective_and_mix_into_no_other(tmp_path, bbox):
    """In a band of the grid and in one that is interpolated, with and without a window that is cut."""
    fine, coarse = np.full((ROWS, COLUMNS), 3000, np.uint16), np.full((ROWS // 2, COLUMNS // 2), 2000, np.uint16)
    fine[10, 12], coarse[8, 9], coarse[5, 10] = 65535, 65535, 0
    bands = {
        name: Band.of(write(tmp_path / f"{name}.tif", numbers, pixel), 1, 0.0001, 0.0, 0, 65535)
        for name, numbers, pixel in (("B4", fine, 10.0), ("B5", coarse, 20.0))
    }
    catalog = Catalog([Scene("2020-05-01", "L2A", bands)])
    builder.build(catalog, study_grid(catalog, bbox=bbox), tmp_path / "cube", mask="none", trust=True)
    expected = np.full((ROWS, COLUMNS), Reason.CLEAR)
    expected[10:12, 20:22] = Reason.NODATA
    expected[10, 12] = expected[16:18, 18:20] = Reason.DEFECTIVE
    part = np.s_[:, :] if bbox is None else np.s_[7:24, 5:30]
    np.testing.assert_array_equal(read(tmp_path / "cube/2020-05-01_mask.tif")[0], expected[part])
    image = read(tmp_path / "cube/2020-05-01.tif")
    for band, number in zip(image, (3000, 2000), strict=True):
        assert set(np.unique(band)) == {number, -32768}, "a mean with 65535 would be bright"


def test_a_mask_file_leaves_out_all_that_is_not_zero(tmp_path):
    mask = np.zeros((ROWS, COLUMNS))
    mask[4:9, 5:7], mask[20, 20] = 1, 200
    build([scene(tmp_path, "2020-05-01", dn(1), mask=mask)], tmp_path / "cube", mask="file")
    codes = read(tmp_path / "cube/2020-05-01_mask.tif")[0]
    np.testing.assert_array_equal(codes, np.where(mask > 0, Reason.CLOUD, Reason.CLEAR))


@pytest.mark.parametrize("azimuth", [163.0, 250.0])
def test_the_spectral_mask_finds_cloud_and_shadow_where_the_sun_of_the_scene_throws_it(tmp_path, azimuth):
    """A field, one cloud 500 m above it, its shadow, a lake; reflectance as in the scene of 2017-02-16."""
    spectra = {
        "lake": (0.145, 0.109, 0.090, 0.060, 0.016),
        "field": (0.144, 0.119, 0.121, 0.175, 0.190),
        "cloud": (0.281, 0.262, 0.293, 0.379, 0.425),
        "shadow": (0.138, 0.103, 0.090, 0.090, 0.060),
    }
    zenith, side = 66.0, 320
    cover = np.full((side, side), "field ")
    cover[280:, :100] = "lake"
    away, length = np.radians(azimuth + 180), 500 * np.tan(np.radians(zenith)) / 10
    down, right = round(-np.cos(away) * length), round(np.sin(away) * length)
    cover[140 + down : 190 + down, 135 + right : 195 + right] = "shadow"
    cover[140:190, 135:195] = "cloud"
    numbers = np.zeros((5, side, side))
    for name, spectrum in spectra.items():
        numbers[:, np.char.strip(cover) == name] = np.array(spectrum)[:, None] * 10000
    numbers += np.random.default_rng(1).normal(0, 10, numbers.shape)
    bands = ("B2", "B3", "B4", "B8", "B11")
    plain = scene(tmp_path, "2017-02-16", numbers, level="L1C", bands=bands)
    lit = replace(plain, sun_azimuth=azimuth, sun_zenith=zenith)
    build([lit], tmp_path / "cube", mask="spectral", mask_buffer=60.0)
    codes = read(tmp_path / "cube/2017-02-16_mask.tif")[0]
    cloud, shadow = (np.char.strip(cover) == name for name in ("cloud", "shadow"))
    assert (codes[cloud] == Reason.CLOUD).all()
    assert (codes[shadow] == Reason.SHADOW).mean() > 0.97
    assert set(np.unique(codes)) == {Reason.CLEAR, Reason.CLOUD, Reason.SHADOW, Reason.BUFFER}
    distance = ndimage.distance_transform_edt(~(cloud | shadow)) * 10
    assert (codes[distance <= 40] != Reason.CLEAR).mean() > 0.99, "60 m, less what the test of 20 m pixels may miss"
    assert (codes[distance > 120] == Reason.CLEAR).all()


def test_a_scene_without_the_suns_angles_has_them_reckoned_and_says_so(tmp_path):
    numbers = np.random.default_rng(2).integers(1000, 1500, (5, 60, 60))
    plain = scene(tmp_path, "2017-02-16", numbers, level="L1C", bands=("B2", "B3", "B4", "B8", "B11"))
    with pytest.warns(UserWarning, match="does not say where the sun stood.*no time is known"):
        build([plain], tmp_path / "cube", mask="spectral", trust=True)
    file = tmp_path / "cube/2017-02-16_mask.tif"
    assert raster.tags(file)["mask"].startswith("spectral; sun at azimuth 1")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        build([replace(plain, time="2017-02-16T10:21:01Z")], tmp_path / "cube", mask="spectral", trust=True)
    assert "reckoned for 2017-02-16 10:21 UTC at 45.15°N 15.00°E (the time in" in raster.tags(file)["mask"]


def test_a_subset_has_the_pixels_of_the_whole(tmp_path):
    """Moved by no fraction of a pixel: a box gives the same numbers as the same window of all."""
    numbers, scl = dn(3), np.full((ROWS // 2, COLUMNS // 2), 4)
    scl[6:9, 6:9] = 9
    catalog = Catalog([scene(tmp_path, "2020-05-01", numbers, scl)])
    box = [500_050.0, 4_999_760.0, 500_300.0, 4_999_930.0]  # rows 7 to 24, columns 5 to 30
    for name, bbox in (("whole", None), ("part", box)):
        builder.build(catalog, study_grid(catalog, bbox=bbox), tmp_path / name, mask="scl", scl_exclude=[9])
    for file in ("2020-05-01.tif", "2020-05-01_mask.tif"):
        part = read(tmp_path / "part" / file)
        np.testing.assert_array_equal(part, read(tmp_path / "whole" / file)[:, 7:24, 5:30])
        with rasterio.open(tmp_path / "part" / file) as source:
            assert tuple(source.bounds) == tuple(box)


def test_one_file_for_each_date_with_named_bands_and_a_mask_that_says_why(tmp_path):
    build([scene(tmp_path, "2020-05-01", dn(3), bands=("B8", "B4"))], tmp_path / "cube")
    with rasterio.open(tmp_path / "cube/2020-05-01.tif") as source:
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.descriptions == ("B8", "B4")
        assert (source.dtypes[0], source.scales[0], source.nodata) == ("int16", 0.0001, -32768)
    with rasterio.open(tmp_path / "cube/2020-05-01_mask.tif") as source:
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        said = dict(entry.split(" ", 1) for entry in source.tags()["codes"].split(", "))
        assert said["0"] == "clear" and said["4"] == "shadow" and len(said) == len(Reason)
        assert source.colormap(1)[Reason.CLOUD][:3] == (0xD7, 0x30, 0x27)


def test_a_date_without_any_data_is_left_out_of_the_cube(tmp_path):
    scenes = [
        scene(tmp_path, "2020-05-01", dn(1)),
        scene(tmp_path, "2020-06-01", dn(1) * 0),
        scene(tmp_path, "2020-07-01", dn(2)),
    ]
    table = build(scenes, tmp_path / "cube").set_index("date")
    assert table["in the cube"].to_dict() == {"2020-05-01": True, "2020-06-01": False, "2020-07-01": True}
    assert table.loc["2020-06-01", "no data"] == 1
    assert Cube(tmp_path / "cube").dates == ["2020-05-01", "2020-07-01"]


def test_nothing_but_nodata_is_refused_and_writes_nothing(tmp_path):
    with pytest.raises(LulcError, match=r"None of the 1 scene\(s\) has any data.*nodata in 01_download.yaml"):
        build([scene(tmp_path, "2020-05-01", dn(1) * 0)], tmp_path / "cube")
    assert not list((tmp_path / "cube").glob("*"))


def test_dates_that_are_not_clear_enough_are_left_out(tmp_path):
    mask = np.zeros((ROWS, COLUMNS))
    mask[: ROWS // 2] = 1
    scenes = [scene(tmp_path, "2020-05-01", dn(1), mask=mask * 0), scene(tmp_path, "2020-06-01", dn(2), mask=mask)]
    table = build(scenes, tmp_path / "one", mask="file", min_clear=0.6)
    assert table["clear"].tolist() == [1.0, 0.5]
    assert Cube(tmp_path / "one").dates == ["2020-05-01"]
    with pytest.raises(LulcError, match=r"min_clear is 60%.*2020-06-01 is 50%"):
        build(scenes[1:], tmp_path / "two", mask="file", min_clear=0.6)


def test_only_the_dates_wanted_are_built(tmp_path):
    scenes = [scene(tmp_path, f"2020-0{m}-01", dn(m)) for m in (5, 6, 7)]
    build(scenes, tmp_path / "cube", dates=["2020-05-15", "2020-07-01"])
    assert Cube(tmp_path / "cube").dates == ["2020-06-01", "2020-07-01"]
    with pytest.raises(LulcError, match=r"2020-05-01 … 2020-07-01"):
        build(scenes, tmp_path / "cube", dates=["2021-01-01", "2021-02-01"])
    with pytest.raises(LulcError, match=r"no such date.*2020-06-01, 2020-07-01"):
        composite.write(tmp_path / "cube", dates=["2019-01-01", "2019-02-01"])


def test_mixed_levels_and_mixed_bands_are_refused(tmp_path):
    one = scene(tmp_path, "2020-05-01", dn(1))
    with pytest.raises(LulcError, match="mix levels L1C and L2A"):
        build([one, scene(tmp_path, "2020-06-01", dn(1), level="L1C")], tmp_path / "cube")
    with pytest.raises(LulcError, match=r"different bands \(B8, B8A in only one"):
        build([one, scene(tmp_path, "2020-07-01", dn(1), bands=("B4", "B8A"))], tmp_path / "cube")


def test_a_mixture_that_only_shows_between_dates_leaves_the_cube_as_it_was(tmp_path):
    """Bright everywhere, so that neither date betrays itself; together they differ by the offset."""
    bright = np.random.default_rng(5).integers(2500, 4500, (2, ROWS, COLUMNS))
    first = scene(tmp_path, "2020-05-01", bright)
    build([first], tmp_path / "cube")
    before = {f.name: f.read_bytes() for f in (tmp_path / "cube").iterdir()}
    with pytest.raises(LulcError, match=r"differ by 0\.1.*they are not mixed"):
        build([first, scene(tmp_path, "2020-06-01", bright + 1000)], tmp_path / "cube")
    assert {f.name: f.read_bytes() for f in (tmp_path / "cube").iterdir()} == before


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    (tmp_path / "cube/.unfinished-x").mkdir(parents=True)
    (tmp_path / "cube/.unfinished-x/2020-04-01.tif").write_bytes(b"half")
    build([scene(tmp_path, "2020-05-01", dn(1))], tmp_path / "cube")
    assert sorted(f.name for f in (tmp_path / "cube").iterdir()) == ["2020-05-01.tif", "2020-05-01_mask.tif"]


@pytest.mark.parametrize(
    ("mask", "level", "message"),
    [
        ("scl", "L2A", "no scene classification"),
        ("file", "L2A", "no mask file"),
        ("spectral", "L2A", "Use mask: scl"),
    ],
)
def test_a_mask_without_its_source_is_refused(tmp_path, mask, level, message):
    with pytest.raises(LulcError, match=message):
        build([scene(tmp_path, "2020-05-01", dn(1), level=level)], tmp_path / "cube", mask=mask)


def placed(path, folder):
    """Give one of these reduced files its place on earth, which it has lost, by a VRT as a user would."""
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(path) as source:
        assert source.driver == "JP2OpenJPEG"
        with pytest.raises(LulcError, match="no CRS"):
            raster.grid(path)
        kind = {"uint16": "UInt16", "uint8": "Byte"}[source.dtypes[0]]
        vrt = folder / f"{path.parent.name}-{path.stem}.vrt"
        vrt.write_text(
            f"""<VRTDataset rasterXSize="{source.width}" rasterYSize="{source.height}"><SRS>EPSG:32633</SRS>
            <GeoTransform>499980, 120, 0, 5200020, 0, -120</GeoTransform><VRTRasterBand dataType="{kind}" band="1">
            <SimpleSource><SourceFilename>{path}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>
            </VRTRasterBand></VRTDataset>"""
        )
    return vrt


@pytest.mark.shared
@needs_shared
def test_real_jpeg2000_files_named_tif_with_stray_scene_classes(tmp_path):
    folders = sorted((SHARED / "mapchete_eo_33TWM").glob("S2?_33TWM_*_L2A"))
    assert len(folders) == 5
    scenes = []
    for folder in folders:
        date = json.loads((folder / f"{folder.name}.json").read_text())["properties"]["datetime"][:10]
        files = {b: placed(folder / f"{b}.tif", tmp_path) for b in ("B04", "B08", "SCL")}
        bands = {b.replace("0", ""): Band.of(files[b], 1, 0.0001, 0.0, 0) for b in ("B04", "B08")}
        scenes.append(Scene(date, "L2A", bands, scl=Band.of(files["SCL"])))
    scenes.sort(key=lambda s: s.date)
    catalog = Catalog(scenes)
    # The middle of the tile at its native 120 m.
    geobox = study_grid(catalog, resolution=120.0)[300:600, 300:600]
    cloudy = (0, 1, 2, 3, 8, 9, 10)
    table = builder.build(catalog, geobox, tmp_path, mask="scl", scl_exclude=cloudy, min_clear=0.01).set_index("date")
    for s in scenes:
        scl, red = (read(p)[0, 300:600, 300:600] for p in (s.scl.path, s.bands["B4"].path))
        nir = read(s.bands["B8"].path)[0, 300:600, 300:600]
        clear = np.isin(scl, [4, 5, 6, 7, 11]) & (red > 0) & (nir > 0)
        assert table.loc[s.date, "clear"] == pytest.approx(clear.mean(), abs=1e-12)
        if table.loc[s.date, "in the cube"]:
            np.testing.assert_array_equal(read(tmp_path / f"{s.date}_mask.tif")[0] == Reason.CLEAR, clear)
            np.testing.assert_allclose(
                Cube(tmp_path).clear(s.date).sel(band="B4").to_numpy()[clear], red[clear] * 0.0001, atol=1e-6
            )
    assert table.loc[["2023-08-13", "2023-08-15", "2023-08-20"], "clear"].min() > table.loc["2023-08-18", "clear"]
    assert composite.write(tmp_path).loc["composite", "covered"] > 0.9


@pytest.mark.shared
@needs_shared
def test_real_months_that_are_entirely_nodata_are_left_out(tmp_path):
    with xr.open_dataset(SHARED / "worldcereal_belgium/worldcereal_preprocessed_inputs.nc", decode_cf=False) as source:
        series = np.stack([source[f"S2-L2A-{b}"].to_numpy().astype(np.uint16) for b in ("B04", "B08")], axis=1)
    assert series.shape == (12, 2, 100, 100)
    months = [f"{2020 + (m > 12)}-{(m - 1) % 12 + 1:02}-01" for m in range(11, 23)]
    scenes = []
    for month, numbers in zip(months, series, strict=True):
        path = write(tmp_path / f"{month}.tif", numbers, grid(numbers.shape[-2:], left=664_000.0, crs="EPSG:32631"))
        scenes.append(
            Scene(month, "L2A", {b: Band.of(path, i, 0.0001, 0.0, 65535) for i, b in enumerate(("B4", "B8"), 1)})
        )
    table = build(scenes, tmp_path / "cube").set_index("date")
    assert table.index[~table["in the cube"]].tolist() == ["2020-12-01", "2021-01-01"]
    assert composite.write(tmp_path / "cube").loc["composite", "dates"] == 10
    assert float(raster.read(tmp_path / "cube/composite.tif").max()) < 1.5


@pytest.mark.shared
@needs_shared
def test_real_files_in_degrees_scaled_by_65535(tmp_path):
    folder = SHARED / "sundarbans"
    bands = {}
    for name in ("B04", "B08"):
        (path,) = folder.glob(f"*_{name}_*.tiff")
        bands[name.replace("0", "")] = Band.of(path, 1, 1 / 65535, 0.0, 0)
    catalog = Catalog([Scene("2020-01-27", "L2A", bands)])
    with pytest.raises(LulcError, match="projected CRS"):
        study_grid(catalog)
    geobox = study_grid(catalog, crs="EPSG:32645", resolution=20.0)
    builder.build(catalog, geobox, tmp_path, mask="none")
    image = Cube(tmp_path).clear("2020-01-27").to_numpy()
    with rasterio.open(bands["B8"].path) as source:
        own = source.read(1)[source.read(2) > 0] / 65535
    assert np.isnan(image).any(), "the collar around the turned scene has no data"
    assert np.nanmedian(image[1]) == pytest.approx(np.median(own), abs=0.01)
    assert np.nanmin(image) >= 0 and np.nanmax(image) <= 1


@pytest.mark.parametrize(
    ("added", "declared", "says"),
    [
        (1000, -0.1, "plausible"),
        (1000, 0.0, r"Scene 2020-05-01: offset missed.*picture's 0 is \+0\.1.*offset: -0\.1"),
    ],
)
def test_the_true_colour_picture_settles_what_dark_pixels_cannot(tmp_path, added, declared, says):
    """A desert: nothing is dark, so that the guard alone proves nothing."""
    names = ("B2", "B3", "B4", "B8")
    desert = np.stack([reflectance(band, ("desert", "soil"), 3) for band in names])
    path = write(tmp_path / "dn.tif", np.rint(desert * 10000 + added).astype(np.uint16))
    picture = write(tmp_path / "tci.tif", true_colour(("desert", "soil"), 3))
    bands = {name: Band.of(path, number, 0.0001, declared, 0) for number, name in enumerate(names, 1)}
    scene = Scene("2020-05-01", "L2A", bands)
    build([scene], tmp_path / "alone")  # without the picture nothing is known, and nothing refused
    assert "; undecided, " in raster.tags(tmp_path / "alone/2020-05-01.tif")["radiometry"]
    seen = replace(scene, picture=picture)
    if says == "plausible":
        build([seen], tmp_path / "cube")
        assert "; plausible, " in raster.tags(tmp_path / "cube/2020-05-01.tif")["radiometry"]
        return
    with pytest.raises(LulcError, match=says):
        build([seen], tmp_path / "cube")
    build([seen], tmp_path / "cube", trust=True)
