"""The ground: its covers have the spectra of the table, and slopes the light of the sun."""

import datetime as dt
import re

import numpy as np
import pytest
import rasterio
from scipy.ndimage import binary_erosion, gaussian_filter

from lulc_kit.simulated import landscape, phenology, sensor
from tests.simulated.seen import SIZE, on, reflectance


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


def test_later_only_fields_are_built_over_and_only_woods_felled():
    """The known change: half of the fields near towns, a quarter of the woods, all else as it was but for the crops."""
    painted = [
        landscape.paint(landscape.make_plan(SIZE, SIZE, SIZE, seed=5, later=later), 0, SIZE, SIZE).covers
        for later in (False, True)
    ]
    before, after = (phenology.COVER_CLASS[covers] for covers in painted)
    build_up, farmland, forest, meadow, other = 1, 2, 3, 4, 6
    changed = before != after
    happened = set(zip(before[changed].tolist(), after[changed].tolist(), strict=True))
    assert happened == {(farmland, build_up), (farmland, meadow), (forest, other)}  # a new town has its parks
    assert 0.15 < (after[before == forest] == other).mean() < 0.35
    built = after[before == farmland] == build_up
    assert 0.03 < built.mean() < 0.2
    # Change lies in parcels, not in specks: most of it has only change around it.
    assert binary_erosion(changed, iterations=4).sum() > 0.4 * changed.sum()
    kept = (before == farmland) & (after == farmland) & (painted[0] >= phenology.FIRST_CROP)
    assert (painted[0][kept] != painted[1][kept]).mean() > 0.7
    same = ~changed & (before != farmland)
    np.testing.assert_array_equal(painted[0][same], painted[1][same])
