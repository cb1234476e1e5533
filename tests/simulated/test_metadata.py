"""What the XML declares is what the numbers are: the offset of processing baseline 04.00."""

import datetime as dt

import numpy as np
import rasterio
from scipy.ndimage import binary_erosion

from tests.simulated.seen import SIZE, baseline, date_of, image, mask_on, metadata, reflectance


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
