"""Indices: against numbers worked out by hand from the published formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lulc_kit.errors import LulcError
from lulc_kit.features import indices
from tests.features.spectrum import SPECTRUM, image, spyndex_value, value

GRASS = {"B3": 0.08, "B4": 0.05, "B5": 0.10, "B6": 0.30, "B7": 0.35, "B8": 0.40, "B8A": 0.42, "B11": 0.20, "B12": 0.10}


# By hand, from GRASS.
BY_HAND = {
    "NDVI": 0.35 / 0.45,
    "NDRE": 0.30 / 0.50,
    "NDRE_B6": 0.20 / 0.40,
    "EVI2": 0.875 / 1.52,  # 2.5·0.35 / (0.40 + 0.12 + 1)
    "SAVI": 0.525 / 0.95,  # 1.5·0.35 / (0.40 + 0.05 + 0.5)
    "BI2": 0.0563**0.5,  # √((0.0025 + 0.0064 + 0.16)/3)
    "MNDWI": -0.12 / 0.28,
    "NDBI": -0.22 / 0.62,
    "NDBI_B8": -0.20 / 0.60,
    "S2REP": 722.5,  # 705 + 35·((0.40/2 − 0.10)/0.20)
}


@pytest.mark.parametrize("name", BY_HAND)
def test_formula(name):
    assert value(name, **GRASS) == pytest.approx(BY_HAND[name], rel=1e-5)


def test_every_index_is_held_by_a_number_and_the_workflow_s_are_all_there():
    assert set(indices.INDICES) == set(BY_HAND)
    assert {"NDVI", "NDRE", "EVI2", "BI2", "MNDWI", "NDBI", "S2REP"} <= set(indices.INDICES)


@pytest.mark.parametrize("name", ["NDVI", "NDRE", "NDRE_B6", "MNDWI", "NDBI", "NDBI_B8"])
def test_zero_over_zero_is_no_data(name):
    bands = indices.INDICES[name].bands
    with np.errstate(all="raise"):
        assert np.isnan(value(name, **dict.fromkeys(bands, 0.0)))
        assert np.isnan(value(name, **{bands[0]: 0.1, bands[1]: -0.1}))


def test_evi2_with_a_zero_denominator_is_no_data():
    assert np.isnan(value("EVI2", B8=-1.0, B4=0.0))


def test_red_edge_position_is_no_data_where_there_is_no_red_edge():
    spectrum = {"B4": 0.05, "B5": 0.1, "B6": 0.3, "B7": 0.35}
    assert np.isnan(value("S2REP", **spectrum | {"B6": 0.1}))  # B6 = B5: zero denominator
    assert np.isnan(value("S2REP", **spectrum | {"B7": 0.6}))  # 705 + 35·0.225/0.2 = 744.4
    assert np.isnan(value("S2REP", **spectrum | {"B7": 0.0, "B5": 0.15}))  # 705 − 35·0.125/0.15 = 675.8
    assert value("S2REP", **spectrum | {"B4": 0.1, "B7": 0.1, "B5": 0.1}) == pytest.approx(705)


@pytest.mark.parametrize("name", indices.INDICES)
def test_a_missing_number_in_any_band_gives_no_data(name):
    for band in indices.INDICES[name].bands:
        assert np.isnan(value(name, **GRASS | {band: np.nan}))


@given(a=st.floats(0, 2, width=32), b=st.floats(0, 2, width=32))
def test_normalized_difference_is_bounded_and_antisymmetric(a, b):
    one, other = (indices.normalized_difference(np.float32([x]), np.float32([y]))[0] for x, y in ((a, b), (b, a)))
    if a + b == 0:
        assert np.isnan(one) and np.isnan(other)
    else:
        assert -1 <= one <= 1
        assert one == -other


def test_an_unknown_index_and_a_missing_band_say_what_there_is():
    with pytest.raises(LulcError, match=r"'NDXX' is unknown.*NDVI"):
        indices.compute(image(GRASS), ["NDXX"])
    with pytest.raises(LulcError, match=r"EVI2.*needs band\(s\) B4.*It has: B8, B3"):
        indices.compute(image({"B8": 0.1, "B3": 0.1}), ["EVI2"])


@pytest.mark.parametrize("lazy", [True, False])
def test_bands_are_named_in_the_order_asked_for_whether_lazy_or_not(lazy):
    bands = {b: np.full((5, 3), v) for b, v in GRASS.items()}
    found = indices.compute(image(bands, (5, 3), lazy), ["MNDWI", "NDVI"])
    assert found.band.values.tolist() == ["MNDWI", "NDVI"]
    assert found.dtype == np.float32
    assert found.odc.geobox == image(bands, (5, 3)).odc.geobox
    for name in ("MNDWI", "NDVI"):
        np.testing.assert_allclose(found.sel(band=name), np.full((5, 3), BY_HAND[name]), rtol=1e-5)


OTHER_NAMES = {"NDVI": "NDVI", "EVI2": "EVI2", "MNDWI": "MNDWI", "NDBI_B8": "NDBI", "NDRE": "NDREI", "S2REP": "S2REP"}


@pytest.mark.parametrize(("ours", "theirs"), OTHER_NAMES.items())
def test_the_kit_s_own_formulas_are_those_of_spyndex(ours, theirs):
    found = indices.compute(image(SPECTRUM, (4, 5)), [ours]).to_numpy()[0]
    known = np.isfinite(found)
    assert known.any()
    np.testing.assert_allclose(found[known], spyndex_value(theirs)[known], rtol=2e-4, atol=1e-6)


def test_where_names_meet_the_kit_s_definition_holds():
    assert indices.find("NDBI").bands == ("B11", "B8A")
    assert value("SAVI", B8=0.4, B4=0.1) == pytest.approx(0.45)  # L = 0.5


def test_a_name_nearly_right_gets_a_hint_and_radar_is_refused():
    with pytest.raises(LulcError, match=r"Did you mean .*GNDVI"):
        indices.find("GNDVII")
    with pytest.raises(LulcError, match=r"DpRVIVV.*needs VH, VV, which no band of Sentinel-2 measures"):
        indices.find("DpRVIVV")


def test_digital_numbers_are_refused_where_the_index_is_not_scale_free():
    numbers = image({b: v * 10_000 for b, v in SPECTRUM.items()}, (4, 5))
    for name in ("EVI2", "BI2", "EVI", "kNDVI"):
        with pytest.raises(LulcError, match=f"{name}.*needs reflectance.*digital numbers"):
            indices.compute(numbers, ["NDVI", name])
    scale_free = ["NDVI", "MNDWI", "SR", "S2REP"]
    np.testing.assert_allclose(
        indices.compute(numbers, scale_free), indices.compute(image(SPECTRUM, (4, 5)), scale_free), rtol=1e-3, atol=1e-6
    )


def test_a_few_bright_pixels_and_no_data_at_all_are_not_digital_numbers():
    bright = {b: v.copy() for b, v in SPECTRUM.items()}
    for v in bright.values():
        v[0] = 2.5
    assert np.isfinite(indices.compute(image(bright, (4, 5)), ["EVI2"]).to_numpy()).all()
    empty = {b: np.full((4, 5), np.nan) for b in SPECTRUM}
    assert np.isnan(indices.compute(image(empty, (4, 5)), ["EVI2"]).to_numpy()).all()


def test_the_table_says_what_an_index_is():
    table = indices.table(["NDVI", "EVI"])
    assert table.loc["EVI", "formula"] == "2.5*(B8−B4)/(B8+6*B4−7.5*B2+1)"
    assert indices.table([]).empty
    assert indices.compute(image(GRASS), []) is None
