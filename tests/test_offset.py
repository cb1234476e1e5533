"""Three witnesses of the offset, on scenes whose truth is known: made up, and real ones to which we add it."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from lulc_kit import guard, offset
from lulc_kit.errors import LulcError
from lulc_kit.offset import Witness
from tests.services.stac import picture, reflectance

SHARED = Path(__file__).parents[1].parent / "shared" / "data" / "mapchete_eo_33TWM"
BANDS = ("B2", "B3", "B4", "B8")
KINDS = {
    "fields": ("water", "crop", "soil"),
    "desert": ("desert", "soil"),
    "snow": ("snow", "snow", "snow", "desert"),
    "sea": ("water",),
}


def numbers(kinds: tuple[str, ...], added: int, bands: tuple[str, ...] = BANDS) -> np.ndarray:
    return np.stack([np.rint(reflectance(band, kinds) * 10000 + added) for band in bands])


@pytest.mark.parametrize("added", [0, 1000])
@pytest.mark.parametrize(("ground", "dark"), [("fields", True), ("desert", False), ("snow", False), ("sea", True)])
def test_the_picture_always_knows_and_dark_pixels_know_where_there_are_some(
    ground: str, dark: bool, added: int
) -> None:
    kinds = KINDS[ground]
    assert offset.from_dark_pixels(numbers(kinds, added), BANDS).says is (bool(added) if dark else None)
    assert offset.from_picture(numbers(kinds, added, offset.RGB), picture(kinds)).says is bool(added)


def test_cloud_rims_in_an_overview_do_not_draw_the_line() -> None:
    """Half of the scene is cloud, much brighter than the picture's 255; each pixel is the mean of nine."""
    chance = np.random.default_rng(4)
    truth = chance.gamma(3, 0.02, (3, 360, 360))
    cloudy = np.kron(chance.random((12, 12)) < 0.5, np.ones((30, 30), bool))
    soft = cloudy + chance.normal(0, 0.2, cloudy.shape) > 0.5  # ragged rims
    truth[:, soft] += chance.uniform(0.2, 1.0, soft.sum())
    shown = np.clip(np.rint(truth / 0.3558 * 255), 1, 255)
    coarse = [a.reshape(3, 120, 3, 120, 3).mean(axis=(2, 4)) for a in (truth + 0.1, shown)]
    assert offset.beginning(coarse[0], coarse[1]) == pytest.approx(0.1, abs=0.02)


@settings(deadline=None, max_examples=30)
@given(
    start=st.floats(-0.15, 0.15),
    gain=st.floats(0.1, 0.6),
    noise=st.floats(0, 0.008),
    odd=st.floats(0, 0.2),
    seed=st.integers(0, 9),
)
def test_the_beginning_of_a_line_is_found_whatever_its_gain(
    start: float, gain: float, noise: float, odd: float, seed: int
) -> None:
    """Reflectance that is drawn with any gain, cut off at both ends, with noise and pixels that changed meanwhile."""
    chance = np.random.default_rng(seed)
    truth = chance.gamma(2, 0.06, (3, 120, 120))
    counts = np.clip(np.rint(truth / gain * 255), 1, 255).astype(np.uint8)
    values = truth + start + chance.normal(0, noise, truth.shape)
    moved = chance.random(truth.shape) < odd
    values[moved] = chance.uniform(0, 1, moved.sum())
    found = offset.beginning(values, counts)
    assert np.isnan(found) or found == pytest.approx(start, abs=0.02)
    if odd < 0.05 and gain > 0.2:
        assert not np.isnan(found)


def test_no_data_is_no_witness() -> None:
    values, counts = numbers(KINDS["fields"], 1000, offset.RGB), picture(KINDS["fields"])
    values[:, :200], counts[:, :200] = 0, 0
    assert offset.from_picture(values, counts).says is True
    values[:], counts[:] = 0, 0
    assert offset.from_picture(values, counts).says is None
    assert offset.from_dark_pixels(values, offset.RGB).says is None
    with pytest.raises(LulcError, match=r"picture of \(3, 2, 2\)"):
        offset.beginning(values, counts[:, :2, :2])


def test_a_picture_of_another_day_is_no_witness() -> None:
    found = offset.from_picture(numbers(KINDS["fields"], 1000, offset.RGB), picture(KINDS["fields"], seed=5))
    assert found.says is None


@pytest.mark.parametrize("said", itertools.product([True, False, None], repeat=3))
def test_two_of_three_must_agree(said: tuple[bool | None, ...]) -> None:
    witnesses = [Witness(name, says, "seen") for name, says in zip("abc", said, strict=True)]
    if said.count(True) >= 2:
        assert offset.decide("s", witnesses).offset == -0.1
    elif said.count(False) >= 2:
        assert offset.decide("s", witnesses).offset == 0
    else:
        with pytest.raises(LulcError, match=r"s: whether the offset -0\.1 .*a: .*; b: .*two that agree"):
            offset.decide("s", witnesses)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (0.01, "plausible"),
        (0.095, "offset missed"),
        (-0.105, "offset applied twice"),
        (0.05, "undecided"),
        (float("nan"), "undecided"),
    ],
)
def test_the_picture_settles_what_the_guard_cannot(start: float, kind: str) -> None:
    desert = np.stack([reflectance(band, KINDS["desert"]) for band in BANDS])
    open_question = guard.judge(guard.measure(desert, BANDS))
    assert open_question.kind == "undecided"
    assert offset.settle(open_question, start).kind == kind
    fields = np.stack([reflectance(band, KINDS["fields"]) for band in BANDS])
    known = guard.judge(guard.measure(fields, BANDS))
    assert offset.settle(known, start) is known


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("added", [0, 1000])
def test_real_scenes(added: int) -> None:
    """Five real dates, cloudy ones too, whose offset is off already; their picture is made as ESA makes it."""
    if not SHARED.is_dir():
        pytest.skip("the development data mapchete_eo_33TWM are not beside the checkout")
    by_dark = []
    for folder in sorted(path for path in SHARED.iterdir() if path.is_dir()):
        real = {}
        for band in ("B02", "B03", "B04", "B08", "SCL"):
            with rasterio.open(folder / f"{band}.tif") as file:
                real[band] = file.read(1)[::3, ::3].astype(float)
        rgb = np.stack([real["B04"], real["B03"], real["B02"]])
        shown = np.where(rgb > 0, np.clip(np.rint(rgb / 3558 * 255), 1, 255), 0)
        assert offset.from_picture(np.where(rgb > 0, rgb + added, 0), shown).says is bool(added), folder.name
        clear = ~np.isin(real["SCL"], [0, 3, 8, 9, 10])
        four = np.stack([real[band] for band in ("B02", "B03", "B04", "B08")])
        says = offset.from_dark_pixels(np.where(clear & (four > 0), four + added, 0), BANDS).says
        assert says in (None, bool(added)), folder.name
        by_dark.append(says)
    assert by_dark.count(bool(added)) >= 4
