"""Spectra through the year, as one knows them from the field."""

import numpy as np

from lulc_kit.simulated import phenology


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
