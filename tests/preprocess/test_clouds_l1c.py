"""Clouds in Level-1C: scenes with a known cloud and shadow."""

import math

import numpy as np
import pytest
from scipy import ndimage

from lulc_kit.cube import Reason
from lulc_kit.errors import LulcError
from lulc_kit.preprocess import clouds_l1c

# Top-of-atmosphere reflectance under a sun at 66°, from the scene of 2017-02-16: B2 B3 B4 B8 B11
SPECTRA = {
    "field": (0.144, 0.119, 0.121, 0.175, 0.190),
    "wood": (0.120, 0.087, 0.063, 0.150, 0.080),
    "lake": (0.145, 0.109, 0.090, 0.060, 0.016),
    "sand": (0.190, 0.191, 0.240, 0.297, 0.420),
    "roof": (0.240, 0.235, 0.240, 0.260, 0.250),
    "cloud": (0.281, 0.262, 0.293, 0.379, 0.425),
    "shadow": (0.138, 0.103, 0.090, 0.090, 0.060),
    "snow": (0.600, 0.600, 0.600, 0.550, 0.080),
}
NAMES = ("B2", "B3", "B4", "B8", "B11")
ZENITH = 66.0


def paint(cover):
    """Reflectance of a map of cover names, with sensor noise."""
    rng = np.random.default_rng(1)
    scene = np.empty((5, *cover.shape), dtype=np.float32)
    for name, spectrum in SPECTRA.items():
        scene[:, cover == name] = np.array(spectrum, dtype=np.float32)[:, None]
    scene += rng.normal(0, 0.001, scene.shape).astype(np.float32)
    return dict(zip(NAMES, scene, strict=True)) | {"B10": np.full(cover.shape, 0.001, dtype=np.float32)}


def mask_of(bands, *, sun_azimuth, sun_zenith, resolution=10.0):
    """Do what a mask ``spectral`` does, in one block."""
    names, stack = list(bands), np.stack(list(bands.values()))
    coarse = clouds_l1c.coarsen(stack, factor=clouds_l1c.grid_factor(resolution))
    sun = {"sun_azimuth": sun_azimuth, "sun_zenith": sun_zenith}
    ground = dict(zip(names, coarse, strict=True))
    return clouds_l1c.find(ground, clouds_l1c.flags(stack, names), resolution=resolution, **sun)


def fields(shape=(400, 400)):
    return np.full(shape, "field", dtype="U6")


def shadow_vector(azimuth, height, zenith=ZENITH, resolution=10.0):
    length = height * math.tan(math.radians(zenith)) / resolution
    away = math.radians(azimuth + 180)
    return round(-math.cos(away) * length), round(math.sin(away) * length)


@pytest.mark.parametrize("azimuth", [163.0, 45.0, 250.0, 330.0])
@pytest.mark.parametrize("height", [400.0, 700.0])
def test_cloud_and_its_displaced_shadow_are_found(azimuth, height):
    cover = fields()
    down, right = shadow_vector(azimuth, height)
    rows, columns = slice(180, 230), slice(175, 235)
    cover[rows.start + down : rows.stop + down, columns.start + right : columns.stop + right] = "shadow"
    cover[rows, columns] = "cloud"
    mask = mask_of(paint(cover), sun_azimuth=azimuth, sun_zenith=ZENITH)
    assert (mask[cover == "cloud"] == Reason.CLOUD).all()
    assert (mask[cover == "shadow"] == Reason.SHADOW).mean() > 0.97
    assert (mask[cover == "field"] == Reason.CLEAR).mean() > 0.99


def test_dark_patch_that_no_cloud_explains_is_not_shadow():
    cover = fields()
    cover[180:230, 175:235] = "cloud"
    cover[300:350, 175:235] = "shadow"  # towards the sun, where no shadow can fall
    mask = mask_of(paint(cover), sun_azimuth=163, sun_zenith=ZENITH)
    assert not (mask == Reason.SHADOW).any()


@pytest.mark.parametrize("kind", ["lake", "wood", "sand", "field"])
def test_cloudless_ground_is_clear(kind):
    cover = fields()
    cover[100:300, 50:200] = kind
    mask = mask_of(paint(cover), sun_azimuth=163, sun_zenith=ZENITH)
    assert (mask == Reason.CLEAR).all()


def test_lake_beside_a_cloud_is_not_shadow_but_its_shaded_part_is():
    cover = fields()
    cover[60:130, :] = "lake"
    down, right = shadow_vector(180.0, 500.0)
    cover[220:260, 180:240] = "cloud"
    shaded = np.zeros(cover.shape, dtype=bool)
    shaded[220 + down : 260 + down, 180 + right : 240 + right] = True
    cover[shaded & (cover == "field")] = "shadow"
    mask = mask_of(paint(cover), sun_azimuth=180, sun_zenith=ZENITH)
    assert (mask[shaded] == Reason.SHADOW).mean() > 0.9
    assert (mask[(cover == "lake") & (ndimage.distance_transform_edt(~shaded) > 50)] == Reason.CLEAR).all()


def test_small_bright_roof_is_not_a_cloud():
    cover = fields()
    cover[200:204, 200:206] = "roof"
    mask = mask_of(paint(cover), sun_azimuth=163, sun_zenith=ZENITH)
    assert (mask == Reason.CLEAR).all()


def test_snow_cirrus_saturation_and_nodata_keep_their_reasons():
    cover = fields((120, 120))
    cover[:40, :40] = "snow"
    bands = paint(cover)
    bands["B10"][60:80, 60:80] = 0.02
    bands["B4"][100:, 100:] = 6.5535
    bands["B11"][:, 90:94] = np.nan
    mask = mask_of(bands, sun_azimuth=163, sun_zenith=ZENITH)
    assert (mask[:40, :40] == Reason.SNOW).all()
    assert (mask[60:80, 60:80] == Reason.CIRRUS).all()
    assert (mask[100:, 100:] == Reason.DEFECTIVE).all()
    assert (mask[:, 90:94] == Reason.NODATA).all()
    assert mask.dtype == np.uint8


@pytest.mark.parametrize("zenith", [20.0, 45.0, 66.0])
def test_thresholds_hold_for_high_and_low_sun(zenith):
    """The same ground and cloud under another sun: only the light scattered by the air changes."""
    cover = fields()
    cover[180:230, 175:235] = "cloud"
    cover[300:, :] = "lake"
    bands = paint(cover)
    for name, wavelength in clouds_l1c._WAVELENGTH.items():
        air = clouds_l1c.rayleigh(wavelength, zenith) - clouds_l1c.rayleigh(wavelength, ZENITH)
        bands[name] = bands[name] + np.float32(air)
    mask = mask_of(bands, sun_azimuth=163, sun_zenith=zenith)
    assert (mask[cover == "cloud"] == Reason.CLOUD).all()
    assert (mask[cover != "cloud"] == Reason.CLEAR).mean() > 0.99


def test_20_m_grid_and_odd_sizes():
    cover = fields((201, 203))
    cover[80:120, 60:110] = "cloud"
    fine = mask_of(paint(cover), sun_azimuth=163, sun_zenith=ZENITH)
    assert fine.shape == (201, 203)
    coarse = mask_of(paint(cover), sun_azimuth=163, sun_zenith=ZENITH, resolution=20)
    assert (coarse[cover == "cloud"] == Reason.CLOUD).all()


def test_all_nodata_and_all_cloud():
    nothing = dict.fromkeys(NAMES, np.full((30, 40), np.nan, dtype=np.float32))
    assert (mask_of(nothing, sun_azimuth=163, sun_zenith=40) == Reason.NODATA).all()
    cover = np.full((60, 60), "cloud", dtype="U6")
    assert (mask_of(paint(cover), sun_azimuth=163, sun_zenith=ZENITH) == Reason.CLOUD).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"B11": None}, "B11"),
        ({"B2": np.full((60, 60), 1400.0)}, "scale and offset"),
    ],
)
def test_bad_bands_are_refused(change, message):
    bands = paint(fields((60, 60))) | change
    bands = {name: band for name, band in bands.items() if band is not None}
    with pytest.raises(LulcError, match=message):
        mask_of(bands, sun_azimuth=163, sun_zenith=ZENITH)


def test_night_is_refused():
    with pytest.raises(LulcError, match="sun_zenith"):
        mask_of(paint(fields((60, 60))), sun_azimuth=163, sun_zenith=88)


def test_rayleigh_against_the_known_optical_depth():
    # τ = 0.0974 at 550 nm (Bodhaine et al. 1999); overhead sun: P = 1.5, ρ = τ·1.5/4
    assert clouds_l1c.rayleigh(0.55, 0.0) == pytest.approx(0.0974 * 1.5 / 4, rel=0.02)


# By blocks


@pytest.mark.parametrize(("resolution", "size"), [(10.0, (1100, 331)), (20.0, (150, 90))])
def test_bands_reduced_by_blocks_give_the_mask_of_the_whole(resolution, size):
    """Odd sizes, more rows than a strip of distances has, NaN and saturation in places."""
    rng = np.random.default_rng(8)
    rough = ndimage.gaussian_filter(rng.normal(size=size), 12.0)
    bands = paint(np.where(rough > np.quantile(rough, 0.8), "cloud", "field"))
    bands["B10"][5:40, 5:40] = 0.05
    bands["B4"][60:70, 3:9], bands["B2"][80, 80] = np.nan, 7.0
    names = list(bands)
    options = {"sun_azimuth": 150.0, "sun_zenith": ZENITH, "resolution": resolution}
    whole = mask_of(bands, **options)
    assert set(np.unique(whole)) >= {Reason.CLEAR, Reason.CLOUD, Reason.CIRRUS, Reason.NODATA}
    stack, factor = np.stack(list(bands.values())), clouds_l1c.grid_factor(resolution)
    assert factor == round(20 / resolution)
    ground, unusable = [], []
    for top in range(0, size[0], 64):
        rows = [stack[:, top : top + 64, left : left + 96] for left in range(0, size[1], 96)]
        ground.append(np.concatenate([clouds_l1c.coarsen(block, factor=factor) for block in rows], axis=2))
        unusable.append(np.concatenate([clouds_l1c.flags(block, names) for block in rows], axis=1))
    planes = dict(zip(names, np.concatenate(ground, axis=1), strict=True))
    np.testing.assert_array_equal(clouds_l1c.find(planes, np.concatenate(unusable), **options), whole)
