"""Clouds, shadows, cirrus, the sun and the swath's edge, in the products and against the true masks."""

import numpy as np
import pytest
import rasterio
from scipy.ndimage import binary_erosion

from lulc_kit.simulated import sky
from tests.simulated.seen import SIZE, date_of, image, mask_on, reflectance


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
