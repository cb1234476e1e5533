"""Sharpening: what degrading gives back, what stays constant, what nodata and blocks must not do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lulc_kit.errors import LulcError
from lulc_kit.preprocess.sharpening.sharpen import MTF, Plan, degrade, fit, sharpen

SHARED = Path(__file__).parents[3].parent / "shared" / "data"


def scene(rows=96, columns=96, seed=0, bands=2):
    """Fields with their own colour, and the truth of bands that the fine ones explain only locally."""
    rng = np.random.default_rng(seed)
    label = ndimage.zoom(rng.integers(0, 6, (rows // 12 + 1, columns // 12 + 1)), 12, order=0)[:rows, :columns]
    fine = rng.uniform(0.05, 0.4, (4, 6))[:, label] + rng.normal(0, 0.002, (4, rows, columns))
    slope = ndimage.gaussian_filter(rng.normal(1, 3, (bands, 4, rows, columns)), (0, 0, 20, 20))
    return fine, 0.05 + 0.2 * np.einsum("nkyx,kyx->nyx", slope, fine)


def fractal(rng, rows, columns, exponent):
    """A texture whose amplitudes fall with that power of the frequency; standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)[None])
    frequency[0, 0] = np.inf
    image = np.fft.ifft2(np.fft.fft2(rng.normal(size=(rows, columns))) / frequency**exponent).real
    return image / image.std()


def rmse(difference):
    return np.sqrt(np.nanmean(np.square(difference), axis=(-2, -1)))


def of_one_model(plan):
    """The plan with one regression for each band, as the whole scene has it."""
    return Plan(plan.ratio, tuple(replace(band, ridge=np.inf, injection=1.0) for band in plan.bands))


@pytest.fixture(scope="module")
def case():
    fine, truth = scene()
    mtf = [0.33, 0.22]
    return fine, truth, degrade(truth, 2, mtf), mtf


# sharpen: properties


def test_degrading_the_result_gives_the_input_back(case):
    fine, _, coarse, mtf = case
    result = sharpen(fine, coarse, ratio=2, mtf_coarse=mtf)
    assert result.shape == (2, 96, 96)
    assert (rmse(degrade(result, 2, mtf) - coarse) < 2e-4).all()


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1000),
    ratio=st.sampled_from([2, 3, 6]),
    mtf=st.floats(0.2, 0.4),
    local=st.booleans(),
    related=st.booleans(),
)
def test_consistency_holds_whatever_the_bands_have_in_common(seed, ratio, mtf, local, related):
    fine, truth = scene(rows=48, columns=60, seed=seed)
    if not related:
        fine = np.random.default_rng(seed).uniform(0.02, 0.5, fine.shape)
    coarse = degrade(truth, ratio, mtf)
    plan = fit(fine, coarse, ratio=ratio, mtf_coarse=mtf)
    result = sharpen(fine, coarse, ratio=ratio, plan=plan if local else of_one_model(plan))
    assert (rmse(degrade(result, ratio, mtf) - coarse) < 1e-3).all()


@settings(max_examples=15, deadline=None)
@given(
    values=st.lists(st.floats(0, 1.5, width=32), min_size=6, max_size=6),
    ratio=st.sampled_from([2, 6]),
    textured=st.booleans(),
)
def test_a_constant_stays_constant(values, ratio, textured):
    fine = np.broadcast_to(np.array(values[:4])[:, None, None], (4, 36, 48)).copy()
    if textured:
        fine += np.random.default_rng(0).uniform(0, 0.3, fine.shape)
    coarse = np.broadcast_to(np.array(values[4:])[:, None, None], (2, 36 // ratio, 48 // ratio))
    result = sharpen(fine, coarse, ratio=ratio)
    np.testing.assert_allclose(result, np.broadcast_to(coarse[:, :1, :1], result.shape), atol=2e-5)


def test_a_band_that_is_a_sum_of_fine_bands_is_recovered():
    fine, _ = scene()
    truth = (0.02 + 0.5 * fine[0] + 0.3 * fine[3])[None]
    coarse = degrade(truth, 2, 0.22)
    bicubic = ndimage.zoom(coarse[0], 2, order=3, mode="nearest", grid_mode=True)
    result = sharpen(fine, coarse, ratio=2, mtf_coarse=0.22)
    assert rmse(result[0] - truth[0]) < 0.05 * rmse(bicubic - truth[0])


def test_better_than_bicubic_also_without_help_from_the_fine_bands(case):
    _, truth, coarse, mtf = case
    noise = np.random.default_rng(1).uniform(0.1, 0.3, (4, 96, 96))
    result = sharpen(noise, coarse, ratio=2, mtf_coarse=mtf)
    bicubic = ndimage.zoom(coarse, (1, 2, 2), order=3, mode="nearest", grid_mode=True)
    assert (rmse(result - truth) < rmse(bicubic - truth)).all()


@pytest.mark.parametrize("roughness", [0.7, 1.5])
@pytest.mark.parametrize("seed", range(3))
def test_bands_that_the_fine_ones_say_nothing_about_lose_nothing_by_them(seed, roughness):
    # against bicubic and back-projection, which do not see the fine bands
    rng = np.random.default_rng(seed)
    truth = 0.2 + 0.03 * np.stack([fractal(rng, 96, 120, 1.2) for _ in range(2)])
    fine = 0.2 + 0.03 * np.stack([fractal(rng, 96, 120, roughness) for _ in range(4)])
    coarse = degrade(truth, 2, 0.25)
    alone = bicubic = ndimage.zoom(coarse, (1, 2, 2), order=3, mode="nearest", grid_mode=True)
    for _ in range(10):
        residual = coarse - degrade(alone, 2, 0.25)
        alone = alone + ndimage.zoom(residual, (1, 2, 2), order=3, mode="nearest", grid_mode=True)
    result = sharpen(fine, coarse, ratio=2, mtf_coarse=0.25)
    assert (rmse(result - truth) < 1.01 * rmse(alone - truth)).all()
    assert (rmse(result - truth) < rmse(bicubic - truth)).all()


def test_the_scale_of_a_blurred_fine_band_is_found(case):
    # truth sharper than the fine bands: the plan must say so
    fine, _, coarse, mtf = case
    blurred = ndimage.gaussian_filter(fine, (0, 0.5, 0.5))
    plan = fit(blurred, coarse, ratio=2, mtf_coarse=mtf)
    assert all(max(band.blur) < -0.05 for band in plan.bands)
    assert all(min(band.blur) > -0.1 for band in fit(fine, coarse, ratio=2, mtf_coarse=mtf).bands)


@pytest.mark.parametrize("moved", [(0.5, -0.3), (-0.25, 0.8), (1.6, -1.2)])
def test_a_band_that_lies_elsewhere_is_found_there(moved):
    # scipy's spline moves the truth; the fine bands stay
    fine, truth = scene(seed=5)
    fine = ndimage.gaussian_filter(fine, (0, 0.7, 0.7))
    truth = np.stack([ndimage.shift(0.02 + 0.6 * fine[1] + 0.2 * fine[3], moved, mode="nearest"), truth[0]])
    coarse = degrade(truth, 2, 0.25)
    plan = fit(fine, coarse, ratio=2, mtf_coarse=0.25)
    np.testing.assert_allclose(plan.bands[0].shift, moved, atol=0.125)  # half a step of the search
    result = sharpen(fine, coarse, ratio=2, plan=plan)
    unmoved = Plan(2, tuple(replace(band, shift=(0.0, 0.0)) for band in plan.bands))
    error = rmse(result - truth)[0]
    assert error < 0.6 * rmse(sharpen(fine, coarse, ratio=2, plan=unmoved) - truth)[0]
    assert (rmse(degrade(result, 2, 0.25) - coarse) < 1e-3).all()


@pytest.mark.parametrize("width", [(1.0, 1.0), (1.2, 0.0), (0.3, 0.9)])
def test_a_band_that_is_blurrier_than_its_mtf_says_is_found_so(width):
    # such as a short-wave infrared detector's, along its motion; left as it is, detail would be doubled
    fine, truth = scene(seed=6)
    truth = ndimage.gaussian_filter(0.02 + 0.6 * fine[1] + 0.2 * fine[3], width)[None]
    coarse = degrade(truth, 2, 0.22)
    plan = fit(fine, coarse, ratio=2, mtf_coarse=0.22)
    np.testing.assert_allclose(plan.bands[0].blur, np.square(width), atol=0.15)
    result = sharpen(fine, coarse, ratio=2, plan=plan)
    sharp = Plan(2, (replace(plan.bands[0], blur=(0.0, 0.0)),))
    error = rmse(result - truth)[0]
    assert error < 0.5 * rmse(sharpen(fine, coarse, ratio=2, plan=sharp) - truth)[0]
    bicubic = ndimage.zoom(coarse, (1, 2, 2), order=3, mode="nearest", grid_mode=True)
    assert error < 0.3 * rmse(bicubic - truth)[0]


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_clouds_that_stand_elsewhere_do_not_move_the_ground(seed):
    # parallax: a band of another detector sees them three pixels off, and dimmer
    rng = np.random.default_rng(seed)
    ground = 0.15 + 0.02 * np.stack([fractal(rng, 144, 144, 1.2) for _ in range(4)])
    truth = 0.02 + 0.6 * ground[1] + 0.2 * ground[3] + 0.002 * fractal(rng, 144, 144, 1.0)
    cover = np.clip(fractal(rng, 144, 144, 2.0) - 0.8, 0, 0.8)
    elsewhere = ndimage.shift(cover, (3, 1), order=1, mode="nearest")
    assert 0.1 < (elsewhere > 0).mean() < 0.4
    fine = ground * (1 - cover) + 0.7 * cover
    coarse = degrade((truth * (1 - elsewhere) + 0.4 * elsewhere)[None], 2, 0.25)
    (band,) = fit(fine, coarse, ratio=2, mtf_coarse=0.25).bands
    assert band.shift == (0.0, 0.0)
    np.testing.assert_allclose(band.blur, 0, atol=0.15)


def test_a_band_in_its_place_is_not_moved(case):
    fine, _, coarse, mtf = case
    assert all(band.shift == (0.0, 0.0) for band in fit(fine, coarse, ratio=2, mtf_coarse=mtf).bands)


def test_nodata_of_a_coarse_pixel_stays_in_its_window(case):
    fine, _, coarse, mtf = case
    holed = coarse.copy()
    holed[0, 20, 30] = np.nan
    result = sharpen(fine, holed, ratio=2, mtf_coarse=mtf)
    expected = np.zeros((96, 96), bool)
    expected[40:42, 60:62] = True
    np.testing.assert_array_equal(np.isnan(result[0]), expected)
    assert not np.isnan(result[1]).any()
    seen = degrade(result, 2, mtf)
    assert (rmse(seen - holed) < 5e-4).all()


def test_nodata_of_a_fine_band_stays_in_its_pixels(case):
    fine, _, coarse, mtf = case
    holed = fine.copy()
    holed[2, 30:33, 50] = np.nan
    holed[:, :, 80:] = np.nan
    result = sharpen(holed, coarse, ratio=2, mtf_coarse=mtf)
    expected = np.isnan(holed).any(axis=0)
    for band in result:
        np.testing.assert_array_equal(np.isnan(band), expected)
    whole = sharpen(fine, coarse, ratio=2, plan=fit(holed, coarse, ratio=2, mtf_coarse=mtf))
    far = result[:, :25, :50] - whole[:, :25, :50]
    assert np.abs(far).max() < 2e-3


@pytest.mark.parametrize("ratio", [2, 6])
def test_the_block_size_does_not_show(ratio):
    fine, truth = scene(rows=240, columns=180, seed=3)
    coarse = degrade(truth, ratio, 0.3)
    coarse[0, 3:6, 4:9] = np.nan
    plan = fit(fine, coarse, ratio=ratio, mtf_coarse=0.3)
    plan = Plan(ratio, tuple(replace(band, blur=(0.3, 1.4), shift=(0.7, -1.6)) for band in plan.bands))
    whole = sharpen(fine, coarse, ratio=ratio, plan=plan)
    for block in (17 * ratio, 64):
        out = np.empty_like(whole)
        np.testing.assert_allclose(
            sharpen(fine, coarse, ratio=ratio, plan=plan, block=block, out=out), whole, atol=1e-6
        )


def test_a_part_with_its_halo_is_the_same_part_of_the_whole():
    fine, truth = scene(rows=320, columns=64, seed=4)
    coarse = degrade(truth, 2, 0.3)
    plan = fit(fine, coarse, ratio=2, mtf_coarse=0.3)
    whole = sharpen(fine, coarse, ratio=2, plan=plan)
    halo = plan.halo
    part = sharpen(fine[:, 2 * (70 - halo) : 2 * (100 + halo)], coarse[:, 70 - halo : 100 + halo], ratio=2, plan=plan)
    np.testing.assert_allclose(part[:, 2 * halo : -2 * halo], whole[:, 140:200], atol=1e-6)


@pytest.mark.parametrize("ratio", [2, 6])
def test_an_edge_that_the_fine_bands_show_does_not_ring(ratio):
    edge = np.full((96, 96), 0.1)
    edge[:, 41:] = 0.4
    coarse = degrade(edge[None], ratio, 0.22)
    result = sharpen(np.stack([edge, edge / 2, 0.5 - edge, edge]), coarse, ratio=ratio, mtf_coarse=0.22)
    assert result.min() > 0.1 - 0.003 and result.max() < 0.4 + 0.003


@pytest.mark.parametrize("ratio", [2, 6])
def test_overshoot_is_bounded_at_an_edge_that_they_do_not_show(ratio):
    edge = np.full((96, 96), 0.1)
    edge[:, 41:] = 0.4
    coarse = degrade(edge[None], ratio, 0.22)
    result = sharpen(np.full((4, 96, 96), 0.2), coarse, ratio=ratio, mtf_coarse=0.22)
    assert result.min() > 0.1 - 0.15 * 0.3 and result.max() < 0.4 + 0.15 * 0.3


def test_published_mtfs_are_the_default():
    fine, truth = scene(rows=48, columns=48, bands=6)
    coarse = degrade(truth, 2, [MTF[b] for b in ("B5", "B6", "B7", "B8A", "B11", "B12")])
    plan = fit(fine, coarse, ratio=2)
    assert [band.mtf for band in plan.bands] == [0.38, 0.34, 0.34, 0.33, 0.22, 0.23]
    assert [b.mtf for b in fit(fine, coarse[:2, ::3, ::3], ratio=6).bands] == [0.32, 0.26]


@pytest.mark.parametrize("ratio", [2, 6])
def test_a_scene_too_small_to_choose_is_still_sharpened_locally(ratio):
    # one half follows one fine band, the other half another
    fine, _ = scene(rows=18 * ratio, columns=18 * ratio, seed=8)
    truth = np.concatenate([fine[:1, : 9 * ratio], 0.5 - fine[3:, 9 * ratio :]], axis=1)
    coarse = degrade(truth, ratio, 0.3)
    plan = fit(fine, coarse, ratio=ratio, mtf_coarse=0.3)
    local, one_model = (sharpen(fine, coarse, ratio=ratio, plan=p) for p in (plan, of_one_model(plan)))
    assert rmse(local - truth)[0] < 0.9 * rmse(one_model - truth)[0]


# sharpen: refusals


def test_nested_lists_are_arrays_too():
    fine, true = scene(rows=24, columns=24)
    coarse = degrade(true, 2, 0.3)
    np.testing.assert_array_equal(
        sharpen(fine.tolist(), coarse.tolist(), ratio=2, mtf_coarse=0.3), sharpen(fine, coarse, ratio=2, mtf_coarse=0.3)
    )


def test_what_a_masked_array_hides_is_nodata():
    """Under the mask stands what files have there: −0.1 for a DN of 0 with the offset applied."""
    fine, true = scene(rows=48, columns=48)
    coarse = degrade(true, 2, 0.3)
    hidden = np.zeros(fine.shape, bool), np.zeros(coarse.shape, bool)
    hidden[0][0, 20:23, 30], hidden[1][1, 4, 4:6] = True, True
    filled = [np.where(hide, np.float32(-0.1), bands) for hide, bands in zip(hidden, (fine, coarse), strict=True)]
    masked = [np.ma.array(bands, mask=hide) for hide, bands in zip(hidden, filled, strict=True)]
    nan = [np.where(hide, np.float32(np.nan), bands) for hide, bands in zip(hidden, filled, strict=True)]
    found = sharpen(*masked, ratio=2, mtf_coarse=0.3)
    np.testing.assert_array_equal(found, sharpen(*nan, ratio=2, mtf_coarse=0.3))
    assert np.isnan(found).any()


def test_digital_numbers_are_refused(case):
    fine, _, coarse, _ = case
    with pytest.raises(LulcError, match="fine bands reach"):
        sharpen(fine * 10000, coarse, ratio=2)
    with pytest.raises(LulcError, match="coarse bands reach"):
        sharpen(fine, coarse * 10000, ratio=2)


def test_all_nodata_is_refused_but_not_in_a_block(case):
    fine, _, coarse, _ = case
    nothing = np.full_like(coarse, np.nan)
    with pytest.raises(LulcError, match="all NaN"):
        sharpen(fine, nothing, ratio=2)
    with pytest.raises(LulcError, match="all NaN"):
        sharpen(np.full_like(fine, np.nan), coarse, ratio=2)
    assert np.isnan(sharpen(fine, nothing, ratio=2, plan=fit(fine, coarse, ratio=2))).all()


@pytest.mark.parametrize(
    ("fine", "coarse", "ratio"),
    [
        ((4, 12, 12), (2, 6, 6), 3),
        ((4, 12, 12), (2, 6, 5), 2),
        ((12, 12), (2, 6, 6), 2),
        ((4, 12, 12), (6, 6), 2),
        ((4, 12, 12), (2, 12, 12), 1),
        ((4, 12, 12), (0, 6, 6), 2),
    ],
)
def test_shapes_that_do_not_fit_are_refused(fine, coarse, ratio):
    with pytest.raises(LulcError, match=r"ratio|shapes|times|×"):
        sharpen(np.full(fine, 0.1), np.full(coarse, 0.1), ratio=ratio)


def test_a_plan_for_other_bands_is_refused(case):
    fine, _, coarse, _ = case
    plan = fit(fine, coarse, ratio=2)
    with pytest.raises(LulcError, match="plan"):
        sharpen(fine, coarse[:1], ratio=2, plan=plan)
    with pytest.raises(LulcError, match="plan"):
        sharpen(fine, coarse, ratio=2, plan=Plan(6, plan.bands))


def test_arguments_that_mean_nothing_are_refused(case):
    fine, _, coarse, _ = case
    with pytest.raises(LulcError, match="MTF"):
        sharpen(fine, coarse, ratio=2, mtf_coarse=[0.2, 0.3, 0.4])
    with pytest.raises(LulcError, match="out"):
        sharpen(fine, coarse, ratio=2, out=np.empty((2, 5, 5)))


@pytest.mark.shared
def test_a_real_scene_of_known_truth():
    folder = SHARED / "sundarbans"
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing: the development data are not part of the project")
    import rasterio

    def read(band):
        with rasterio.open(next(folder.glob(f"*_B{band[1:]:0>2}_*"))) as file:
            return file.read(1, window=((0, 300), (6, 258))).astype(float) / 65535

    fine = np.stack([read(b) for b in ("B2", "B3", "B4", "B8")])
    names = ("B5", "B6", "B7", "B8A", "B11", "B12")
    truth = np.stack([read(b) for b in names])
    mtf = [MTF[b] for b in names]
    coarse = degrade(truth, 2, mtf)
    result = sharpen(fine, coarse, ratio=2)
    bicubic = ndimage.zoom(coarse, (1, 2, 2), order=3, mode="nearest", grid_mode=True)
    ratio = rmse(result - truth) / rmse(bicubic - truth)
    assert (ratio < 0.65).all() and ratio.mean() < 0.55
    assert (rmse(degrade(result, 2, mtf) - coarse) < 5e-4).all()
