"""The simulated study against what it claims: GDAL's own driver, the tables it was painted from, geometry."""

import contextlib
import datetime as dt
import filecmp
import itertools
import re
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from defusedxml import ElementTree
from rasterio.features import geometry_mask
from scipy.ndimage import binary_erosion, gaussian_filter
from scipy.stats import norm

from lulc_kit.errors import LulcError
from lulc_kit.preprocess import guard, radiometry
from lulc_kit.safe import manifest
from lulc_kit.safe import product as safe
from lulc_kit.safe.scene import describe
from lulc_kit.safe.source import open_source
from lulc_kit.simulated import landscape, phenology, sensor, simulate, sky

SIZE = 300
BAND_IDS = ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("simulated") / "study", size=SIZE, seed=5)


def metadata(product: Path) -> str:
    return (product / "MTD_MSIL2A.xml").read_text(encoding="utf-8")


def image(product: Path, kind: str) -> np.ndarray:
    with rasterio.open(next(product.glob(f"GRANULE/*/IMG_DATA/*/*_{kind}_*.jp2"))) as file:
        return file.read(1)


def reflectance(product: Path, band: str) -> np.ndarray:
    """Read as a careful stranger would: the offset of that band from the XML, 0 is no data."""
    offset = re.search(rf'<BOA_ADD_OFFSET band_id="{BAND_IDS.index(band)}">(-?\d+)<', metadata(product))
    numbers = image(product, band if band == "B8A" else f"B{int(band[1:]):02d}")
    value = (numbers + float(offset.group(1) if offset else 0)) / 10000
    return np.where(numbers == 0, np.nan, value)


def on(study, date, tile="33UVU"):
    return next(p for p in study.scenes if f"_{date:%Y%m%d}T" in p.name and f"_T{tile}_" in p.name)


def date_of(product: Path) -> dt.date:
    return dt.datetime.strptime(product.name[11:19], "%Y%m%d").date()


def baseline(product: Path) -> str:
    return product.name[28:30] + "." + product.name[30:32]


def mask_on(study, date):
    with rasterio.open(study.folder / "truth" / f"mask_{date}.tif") as file:
        return file.read(1)


# ---- the products, seen by others ----


def test_gdal_reads_every_product_with_its_own_driver(study):
    assert len(study.scenes) == 20
    for product in study.scenes[::5]:
        with rasterio.open(product / "MTD_MSIL2A.xml") as file:
            assert file.driver == "SENTINEL2"
            subsets = {name.split(":")[-2]: name for name in file.subdatasets}
            assert file.tags()["PRODUCT_URI"] == product.name
            assert file.tags()["PROCESSING_BASELINE"] == baseline(product)
        for resolution, bands in (
            ("10m", ["B4", "B3", "B2", "B8"]),
            ("20m", ["B5", "B6"]),
            ("60m", ["B1", "B9"]),
        ):
            with rasterio.open(subsets[resolution]) as file:
                step = int(resolution[:-1])
                assert file.crs.to_epsg() == 32633
                assert file.shape == (SIZE * 10 // step,) * 2
                assert file.transform.a == step
                for k, band in enumerate(bands, start=1):
                    tags = file.tags(k)
                    assert tags["BANDNAME"] == band
                    assert tags.get("BOA_ADD_OFFSET", "0") == ("-1000" if baseline(product) >= "04.00" else "0")
                    assert np.array_equal(file.read(k), image(product, f"B{int(band[1:]):02d}"))


def test_names_follow_the_convention_and_all_files_are_in_the_manifest(study):
    pattern = r"S2[AB]_MSIL2A_\d{8}T\d{6}_N\d{4}_R\d{3}_T\d{2}[A-Z]{3}_\d{8}T\d{6}\.SAFE"
    for product in study.scenes:
        assert re.fullmatch(pattern, product.name)
        locations = ElementTree.parse(product / "manifest.safe").iter("fileLocation")
        listed = {element.get("href").removeprefix("./") for element in locations}
        present = {path.relative_to(product).as_posix() for path in product.rglob("*") if path.is_file()}
        assert listed == present - {"manifest.safe"}
        assert not any(name.endswith(".aux.xml") for name in present)
        named = {f"{text}.jp2" for text in re.findall("<IMAGE_FILE>(.*?)<", metadata(product))}
        assert {name for name in present if "IMG_DATA" in name} == named


def test_everything_says_simulated(study):
    assert (study.folder / "README.txt").read_text().startswith("SIMULATED")
    for file in (study.training, study.roads):
        with contextlib.closing(sqlite3.connect(file)) as gpkg:
            assert [row[0][:9] for row in gpkg.execute("SELECT description FROM gpkg_contents")] == ["SIMULATED"]
    for product in study.scenes:
        assert "<PRODUCT_DOI>SIMULATED</PRODUCT_DOI>" in metadata(product)
    for path in (study.classes, study.reflectance, study.dem, *study.masks):
        with rasterio.open(path) as file:
            assert file.tags()["SIMULATED"] == "YES"


def test_neighbours_overlap_as_real_tiles_and_agree_there(study):
    left, right = (on(study, study.clear_date, tile) for tile in ("33UVU", "33UWU"))
    texts = [next(product.glob("GRANULE/*/MTD_TL.xml")).read_text() for product in (left, right)]
    edges = [int(re.search(r"<ULX>(\d+)<", text).group(1)) for text in texts]
    step = (edges[1] - edges[0]) // 10
    assert (SIZE - step) / SIZE == pytest.approx(978 / 10980, abs=0.02)
    assert np.array_equal(image(left, "B02")[:, step:], image(right, "B02")[:, : SIZE - step])


def test_our_own_reader_gives_the_same_and_finds_the_radiometry_plausible(study):
    products = safe.open_products(study.folder / "scenes")
    assert [product.path.name for product in products] == [path.name for path in study.scenes]
    darkness = {}
    for product in products[::3]:
        assert product.simulated
        found = describe(product)
        grid = found.bands["B4"].geobox
        bands = {name: found.bands[name] for name in ("B3", "B4", "B8")}
        image = radiometry.scene_on_grid(replace(found, bands=bands), grid).to_numpy()
        np.testing.assert_allclose(image[1], reflectance(product.path, "B4"), atol=1e-6)
        codes = radiometry.codes_on_grid(found.scl, grid).compute()
        values = np.where((codes > 2) & (codes < 8), image, np.nan)
        darkness[product.name] = guard.check(product.name, values, list(bands)).darkness
        listed = manifest.checksums(open_source(product.path))
        assert len(listed) >= 15
        manifest.refuse_damaged(product.path, [product.path / name for name in listed])
    guard.refuse_mixture(darkness)


# ---- radiometry ----


def test_offset_is_in_xml_and_numbers_from_0400_on_whatever_the_date(study):
    switch = dt.date(2022, 1, 25)
    kinds = {(date_of(p) >= switch, baseline(p) >= "04.00") for p in study.scenes}
    assert kinds == {(False, False), (True, True), (False, True)}  # the last: an old date, reprocessed
    for product in study.scenes:
        assert ("BOA_ADD_OFFSET" in metadata(product)) == (baseline(product) >= "04.00")
        numbers = image(product, "B04")
        valid = numbers[numbers > 0]
        assert (np.percentile(valid, 1) > 1000) == (baseline(product) >= "04.00")


def test_water_is_as_dark_on_both_sides_of_the_offset(study):
    with rasterio.open(study.classes) as file:
        water = binary_erosion(file.read(1)[:, :SIZE] == 5, iterations=3)
    assert water.sum() > 100
    found = {}
    for product in study.scenes:
        if "_T33UVU_" in product.name:
            clear = water & (mask_on(study, date_of(product))[:, :SIZE] == 0)
            if clear.sum() > 50:
                found[baseline(product)] = reflectance(product, "B3")[clear].mean()
    assert set(found) == {"03.01", "05.00", "04.00"}
    assert max(found.values()) - min(found.values()) < 0.006
    for value in found.values():
        assert 0.025 < value < 0.065  # the table says 0.030 for lakes, 0.058 for rivers


def test_mean_of_each_cover_is_the_phenology_table():
    plan = landscape.make_plan(SIZE, 2 * SIZE, SIZE, seed=5)
    painted = landscape.paint(plan, 0, SIZE, 2 * SIZE)
    table = phenology.spectra(165)
    image_ = sensor.render(painted.covers, table, painted.brightness, painted.vigour)
    checked = 0
    for number, cover in enumerate(phenology.COVERS):
        same = (painted.covers == number).reshape(SIZE, 2, 2 * SIZE, 2).all(axis=(1, 3))
        pure = binary_erosion(same, iterations=2)
        if pure.sum() < 1500:
            continue
        checked += 1
        np.testing.assert_allclose(image_[:, pure].mean(axis=1), table[number], rtol=0.12, err_msg=cover.name)
    assert checked >= 6


def test_phenology_of_wheat_rape_and_leaves():
    def ndvi(name, day):
        red, nir = phenology.spectra(day)[phenology.cover_number(name)][[3, 7]]
        return (nir - red) / (nir + red)

    assert ndvi("winter wheat +0 d", 140) > 0.8 > 0.35 > ndvi("winter wheat +0 d", 205)
    assert ndvi("maize +0 d", 140) < 0.3 < 0.8 < ndvi("maize +0 d", 215)
    assert ndvi("winter wheat +0 d", 330) > ndvi("maize +0 d", 330) + 0.15  # sown in autumn
    assert ndvi("broadleaves", 200) > 0.85 > 0.55 > ndvi("broadleaves", 20)
    assert abs(ndvi("conifers", 200) - ndvi("conifers", 20)) < 0.01
    rape = phenology.spectra(130)[phenology.cover_number("rapeseed +0 d")]
    assert rape[2] > 2 * rape[1]  # yellow: green and red without blue
    assert (phenology.spectra(130) > 0).all()


def test_spectra_continue_over_new_year():
    assert np.abs(phenology.spectra(365) - phenology.spectra(1)).max() < 0.01


# ---- geometry ----


def test_coarse_bands_are_the_truth_through_the_stated_point_spread(study):
    """Independent of `degrade`: scipy's Gaussian on a finer grid, sampled at the coarse pixels' centres."""
    product = on(study, study.clear_date)
    with rasterio.open(study.reflectance) as file:
        assert file.descriptions == phenology.BANDS
        truth = file.read().astype(float)[:, :, :SIZE] * 1e-4
    for band, ratio in (("B5", 2), ("B11", 2), ("B9", 6)):
        sigma = ratio * np.sqrt(-2 * np.log(sensor.MTF[band])) / np.pi
        fine = np.kron(truth[phenology.BANDS.index(band)], np.ones((4, 4)))
        blurred = gaussian_filter(fine, 4 * sigma, mode="nearest")
        corner = 4 * ratio // 2
        at = blurred[corner :: 4 * ratio, corner :: 4 * ratio]
        inner = slice(4, -4)
        wrong = (reflectance(product, band) - at)[inner, inner]
        plain = reflectance(product, band)[inner, inner].std()
        assert abs(wrong.mean()) < 2e-4
        assert wrong.std() < 0.1 * plain, band
        # half a pixel off would be seen
        shifted = np.roll(blurred, 2 * ratio, axis=1)[corner :: 4 * ratio, corner :: 4 * ratio][inner, inner]
        assert (reflectance(product, band)[inner, inner] - shifted).std() > 3 * wrong.std()


def test_ten_metre_bands_are_the_truth_and_noise(study):
    product = on(study, study.clear_date)
    with rasterio.open(study.reflectance) as file:
        truth = file.read(phenology.BANDS.index("B8") + 1)[:, :SIZE] * 1e-4
    wrong = reflectance(product, "B8") - truth
    assert abs(wrong.mean()) < 5e-5
    assert 0.001 < wrong.std() < 0.003


@pytest.mark.parametrize("band", ["B5", "B11", "B9"])
def test_coarse_bands_are_noisy_too(study, band):
    """Against the kit's own blur of the truth nothing is left but noise and rounding: 0.0008 in the dark, and more."""
    with rasterio.open(study.reflectance) as file:
        truth = file.read(phenology.BANDS.index(band) + 1)[:, :SIZE] * np.float32(1e-4)
    expected = sensor.degrade(truth, sensor.RESOLUTION[band] // 10, sensor.MTF[band])
    wrong = (reflectance(on(study, study.clear_date), band) - expected)[4:-4, 4:-4]
    assert 0.0008 < wrong.std() < 0.003
    assert abs(wrong.mean()) < 2e-4


@pytest.mark.parametrize(("ratio", "mtf"), [(2, 0.38), (2, 0.22), (6, 0.32), (6, 0.26)])
def test_transfer_at_nyquist_is_the_stated_one(ratio, mtf):
    taps = sensor.psf_taps(ratio, mtf)
    offsets = np.arange(taps.size) - (taps.size - 1) / 2
    assert (taps * np.cos(np.pi * offsets / ratio)).sum() == pytest.approx(mtf, abs=0.005)
    flat = np.full((36, 36), 0.3, np.float32)
    np.testing.assert_allclose(sensor.degrade(flat, ratio, mtf), 0.3, rtol=1e-6)


@pytest.mark.parametrize("cell", [40, 41])
def test_an_edge_is_blurred_by_the_10_m_bands_as_their_transfer_says(cell):
    """Ground of 5 m cells through a Gaussian whose transfer at the Nyquist frequency of 10 m is 0.26."""
    covers = np.zeros((80, 80), np.uint8)
    covers[:, cell:] = 1
    even = np.ones((40, 40), np.float32)
    seen = sensor.render(covers, np.array([[0.1] * 12, [0.5] * 12]), even, even)[0, 20]
    distance = np.arange(40) + 0.5 - cell / 2  # of pixels' centres from the edge, pixels
    expected = 0.1 + 0.4 * norm.cdf(distance / np.sqrt(-2 * np.log(0.26) / np.pi**2))
    np.testing.assert_allclose(seen, expected, atol=0.005)


def test_shade_darkens_and_cirrus_brightens_what_the_products_show(study):
    """The same classes in and out of the true shadow, in the products; the direct light is most of all light."""
    with rasterio.open(study.classes) as file:
        land = binary_erosion(np.isin(file.read(1)[:, :SIZE], (2, 3, 4)), iterations=1)
    found = {2: [], 3: []}
    for product in (p for p in study.scenes if "_T33UVU_" in p.name):
        mask, near = mask_on(study, date_of(product))[:, :SIZE], reflectance(product, "B8")
        blue = reflectance(product, "B2")
        clear = land & (mask == 0)
        for value, band in ((2, near), (3, blue)):
            if (land & (mask == value)).sum() > 300 and clear.sum() > 300:
                found[value].append(np.median(band[land & (mask == value)]) / np.median(band[clear]))
    assert len(found[2]) >= 2 and max(found[2]) < 0.85
    assert len(found[3]) >= 1 and min(found[3]) > 1.2


def test_shadows_lie_on_the_side_away_from_the_sun():
    weather, size = sky.Weather(0.12, 0.0, 0.0), 600
    above = sky.make_sky(weather, 200, size, size, size, seed=3)
    assert 100 < above.azimuth < 180  # morning, northern hemisphere: the sun is in the south-east
    air = sky.look(above, 0, size, size)
    cloud, shadow = air.cloud > 0.3, air.shadow > 0.3
    spectrum = np.fft.fft2(shadow - shadow.mean()) * np.conj(np.fft.fft2(cloud - cloud.mean()))
    match = np.fft.ifft2(spectrum).real
    south, east = np.unravel_index(match.argmax(), match.shape)
    south, east = (int(value) - size if value > size // 2 else int(value) for value in (south, east))
    far = above.base * np.tan(np.radians(above.zenith)) / 10
    assert east == pytest.approx(-far * np.sin(np.radians(above.azimuth)), abs=1.5)
    assert south == pytest.approx(far * np.cos(np.radians(above.azimuth)), abs=1.5)
    assert east < 0
    assert south < 0


@pytest.mark.parametrize(
    ("day", "zenith", "azimuth"),
    [(172, 52.7 - 23.44, 180.0), (355, 52.7 + 23.44, 180.0)],
)
def test_sun_at_the_solstices(day, zenith, azimuth):
    """At half past ten the sun is a little lower than at noon, and east of south."""
    found = sky.sun_angles(day)
    assert zenith < found[0] < zenith + 8
    assert azimuth - 45 < found[1] < azimuth


def test_slopes_that_face_the_sun_are_brighter():
    south, east = np.mgrid[0:20.0, 0:20.0] * 10
    assert landscape.shading(np.zeros((20, 20), np.float32), 60, 135) == pytest.approx(1)
    facing = landscape.shading(-0.1 * (south + east), 60, 135)  # falls to the south-east, where the sun is
    averted = landscape.shading(0.1 * (south + east), 60, 135)
    assert facing.min() > 1.1
    assert averted.max() < 0.9


def test_products_are_brighter_where_the_slope_faces_the_sun(study):
    """Slopes from the DEM a user gets, the sun from the XML, the brightness of woods from the product."""
    product = on(study, dt.date(2022, 2, 19))  # cloudless, and the sun is low
    text = next(product.glob("GRANULE/*/MTD_TL.xml")).read_text()
    mean_sun = text[text.index("<Mean_Sun_Angle>") :]
    zenith, azimuth = (
        np.radians(float(re.search(rf"<{name}_ANGLE[^>]*>([\d.]+)<", mean_sun).group(1)))
        for name in ("ZENITH", "AZIMUTH")
    )
    with rasterio.open(study.dem) as dem, rasterio.open(study.classes) as truth:
        heights = np.empty(truth.shape, np.float32)
        rasterio.warp.reproject(
            rasterio.band(dem, 1), heights, dst_transform=truth.transform, dst_crs=truth.crs, resampling=2
        )
        woods = binary_erosion(truth.read(1) == 3, iterations=2)[:, :SIZE]
    south, east = (g[:, :SIZE] for g in np.gradient(gaussian_filter(heights, 1), 10))
    normal = np.sqrt(1 + east**2 + south**2)
    sun = np.sin(zenith) * np.sin(azimuth), -np.sin(zenith) * np.cos(azimuth), np.cos(zenith)  # east, south, up
    facing = (-east * sun[0] - south * sun[1] + sun[2]) / normal / np.cos(zenith)
    low, high = np.quantile(facing[woods], [0.15, 0.85])
    toward, away = woods & (facing > high), woods & (facing < low)
    # Two thirds of the light come from the sun, a third from the whole sky.
    expected = (1 + 2 * facing[toward].mean()) / (1 + 2 * facing[away].mean())
    found = np.mean(
        [reflectance(product, b)[toward].mean() / reflectance(product, b)[away].mean() for b in ("B2", "B3")]
    )
    assert expected > 1.1
    assert found == pytest.approx(expected, abs=0.25 * (expected - 1))


def test_ten_dates_through_a_year_on_both_sides_of_baseline_0400(study):
    days = sorted({date_of(product) for product in study.scenes})
    assert 8 <= len(days) <= 12
    assert 300 < (days[-1] - days[0]).days < 366
    assert max(b - a for a, b in itertools.pairwise(days)).days < 100
    assert {tuple(sorted(p.name[39:44] for p in study.scenes if date_of(p) == d)) for d in days} == {("33UVU", "33UWU")}
    assert {baseline(p) < "04.00" for p in study.scenes} == {True, False}


def test_scene_classification_agrees_with_the_true_mask(study):
    for product in study.scenes[::3]:
        left = 0 if "_T33UVU_" in product.name else -SIZE
        mask = mask_on(study, date_of(product))
        mask = (mask[:, :SIZE] if left == 0 else mask[:, left:])[::2, ::2]
        scl = image(product, "SCL")
        assert ((scl == 0) == (mask == 4)).mean() > 0.99
        assert np.isin(scl[mask == 0], [4, 5, 6, 7, 2]).mean() > 0.97
        if (mask == 1).sum() > 200:  # thin edges are missed, as Sen2Cor does
            assert 0.6 < np.isin(scl[mask == 1], [8, 9]).mean() < 0.98
            assert np.isin(scl[binary_erosion(mask == 1, iterations=3)], [8, 9]).mean() > 0.9
        assert np.array_equal(image(product, "B11") == 0, scl == 0)


def test_a_swath_edge_is_a_wedge_without_data(study):
    masks = {path.stem[5:]: (mask_on(study, path.stem[5:]) == 4) for path in study.masks}
    cut = {day: mask for day, mask in masks.items() if mask.any()}
    assert 1 <= len(cut) <= 4
    for mask in cut.values():
        assert 0.03 < mask.mean() < 0.5
        rows = mask.sum(axis=1)
        assert abs(rows[0] - rows[-1]) > 20  # leaning, as orbits are
    touched = 0
    for product in (p for p in study.scenes if str(date_of(p)) in cut):
        mask = cut[str(date_of(product))]
        mask = mask[:, :SIZE] if "_T33UVU_" in product.name else mask[:, -SIZE:]
        touched += 0 < mask.mean() < 1
        for band, ratio in (("B02", 1), ("B11", 2), ("B09", 6), ("SCL", 2)):
            blocks = mask.reshape(SIZE // ratio, ratio, SIZE // ratio, ratio)
            np.testing.assert_array_equal(image(product, band) == 0, blocks.any(axis=(1, 3)), err_msg=band)
    assert touched >= 1, "no product is cut by the edge"


def test_cloud_masks_are_polygons_before_0400_and_rasters_since(study):
    for product in study.scenes:
        names = {path.name for path in product.glob("GRANULE/*/QI_DATA/*")}
        expected = "MSK_CLASSI_B00.jp2" if baseline(product) >= "04.00" else "MSK_CLOUDS_B00.gml"
        assert names == {expected}
        assert expected in next(product.glob("GRANULE/*/MTD_TL.xml")).read_text()


# ---- what lies beside the images ----


def test_all_classes_occur_and_polygons_show_what_they_say(study):
    with rasterio.open(study.classes) as file:
        classes = file.read(1)
        share = np.bincount(classes.ravel(), minlength=7) / classes.size
        assert share[0] == 0
        assert (share[1:] > 0.02).all()
        polygons = gpd.read_file(study.training)
        assert polygons.crs.to_epsg() == 4326
        assert set(polygons["class"]) == {1, 2, 3, 4, 5, 6}
        right = total = 0
        for value, shape in zip(polygons["class"], polygons.to_crs(file.crs).geometry, strict=True):
            inside = geometry_mask([shape], classes.shape, file.transform, invert=True)
            right += (classes[inside] == value).sum()
            total += inside.sum()
    assert right / total > 0.95
    words = {"residential", "farm", "forest", "meadow", "grass", "water", "scrub", "wetland"}
    assert set(polygons["fclass"]) <= words


def test_roads_lie_where_the_picture_has_them(study):
    roads = gpd.read_file(study.roads)
    assert {"primary", "secondary", "tertiary", "residential"} >= set(roads.highway) - {"track"}
    with rasterio.open(study.classes) as file:
        classes, box = file.read(1), file.bounds
        wide = roads[roads.highway.isin(["primary", "secondary"])].to_crs(file.crs)
        assert len(wide) > 3
        points = [
            line.interpolate(part, normalized=True) for line in wide.geometry for part in np.linspace(0.2, 0.8, 7)
        ]
        rows, columns = rasterio.transform.rowcol(file.transform, [p.x for p in points], [p.y for p in points])
    around = [classes[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2] for r, c in zip(rows, columns, strict=True)]
    assert np.mean([(part == 1).any() for part in around]) > 0.95
    west, south, east, north = wide.total_bounds
    assert box.left - 1 <= west < east <= box.right + 1
    assert box.bottom - 1 <= south < north <= box.top + 1


def test_dem_is_geographic_covers_the_study_and_water_is_low(study):
    with rasterio.open(study.dem) as file, rasterio.open(study.classes) as truth:
        assert file.crs.to_epsg() == 4326
        assert 25 < file.res[1] * 111_320 < 35
        west, south, east, north = rasterio.warp.transform_bounds(truth.crs, file.crs, *truth.bounds)
        assert file.bounds.left < west < east < file.bounds.right
        assert file.bounds.bottom < south < north < file.bounds.top
        heights = np.empty(truth.shape, np.float32)
        rasterio.warp.reproject(
            rasterio.band(file, 1), heights, dst_transform=truth.transform, dst_crs=truth.crs, resampling=1
        )
        classes = truth.read(1)
    lake = binary_erosion(classes == 5, iterations=4)
    assert heights[lake].mean() < np.percentile(heights, 20)
    assert heights.max() - heights.min() > 20


# ---- behaviour ----


def test_same_seed_same_bytes_and_another_seed_another_land(study, tmp_path):
    days = [date_of(study.scenes[0]), study.clear_date]
    first = simulate(tmp_path / "a", size=256, tiles=1, dates=days, seed=9)
    second = simulate(tmp_path / "b", size=256, tiles=1, dates=days, seed=9)
    other = simulate(tmp_path / "c", size=256, tiles=1, dates=days[1:], seed=10)
    rasters = [path for path in first.folder.rglob("*") if path.suffix in (".jp2", ".tif")]
    names = [str(path.relative_to(first.folder)) for path in rasters]
    assert len(names) == 2 * 13 + 1 + 5  # images, one raster cloud mask, two masks, classes, reflectance, DEM
    assert filecmp.cmpfiles(first.folder, second.folder, names, shallow=False) == (names, [], [])
    assert not filecmp.cmp(first.classes, other.classes, shallow=False)
    with rasterio.open(first.classes) as file:
        assert file.shape == (258, 258)  # the next multiple of six


def test_a_study_is_replaced_but_real_products_never(tmp_path):
    own = tmp_path / "reference" / "mine.gpkg"
    own.parent.mkdir()
    own.write_text("a user's own")
    made = simulate(tmp_path, size=256, tiles=1, dates=["2022-06-14", "2022-07-01"])
    again = simulate(tmp_path, size=256, tiles=1, dates=["2022-06-14"])
    assert own.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.txt", "ancillary", "reference", "scenes", "truth"
    ]  # fmt: skip
    assert len(again.masks) == 1
    assert len(made.scenes) == 2
    assert [path.name for path in (tmp_path / "scenes").iterdir()] == [again.scenes[0].name]
    text = metadata(again.scenes[0]).replace("SIMULATED", "10.5270/S2_-znk9xsj")
    (again.scenes[0] / "MTD_MSIL2A.xml").write_text(text)
    with pytest.raises(LulcError, match="is not a simulated product"):
        simulate(tmp_path, size=256, tiles=1)
    assert again.scenes[0].is_dir()
    shutil.rmtree(again.scenes[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 100}, "size is 100; expected 256"),
        ({"size": 20000}, "expected 256 to 10980"),
        ({"tiles": 3}, "tiles is 3"),
        ({"dates": ["2022-13-01"]}, "could not be read"),
        ({"dates": ["2022-05-15", "2022-05-15"]}, "occurs twice"),
        ({"dates": ["2010-05-15"]}, "before Sentinel-2A"),
    ],
)
def test_bad_arguments_write_nothing(tmp_path, arguments, message):
    with pytest.raises(LulcError, match=message):
        simulate(tmp_path / "study", **arguments)
    assert not (tmp_path / "study").exists()
