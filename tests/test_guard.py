"""The radiometry guard on made-up numbers whose fault is known, and on real scenes with their traps."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from lulc_kit import guard
from lulc_kit.errors import LulcError

SHARED = Path(__file__).parents[1].parent / "shared" / "data"
shared = pytest.mark.shared
BANDS = ("B2", "B3", "B4", "B8", "B11", "B12")
# columns: water, dense crop, soil
SPECTRA = np.array(
    [[0.04, 0.05, 0.03, 0.02, 0.008, 0.006], [0.025, 0.055, 0.03, 0.47, 0.2, 0.09], [0.085, 0.115, 0.15,
    0.235, 0.33, 0.29]]
)  # fmt: skip


def needs(folder: str) -> Path:
    if not (SHARED / folder).is_dir():
        pytest.skip(f"the development data {folder} are not beside the checkout")
    return SHARED / folder


def scene(water=0.2, crop=0.4, seed=0):
    """A scene of random patches: (6, 60, 60)."""
    rng = np.random.default_rng(seed)
    kind = np.searchsorted([water, water + crop], rng.random((60, 60)))
    return np.moveaxis(SPECTRA[kind], -1, 0) * rng.normal(1, 0.05, (1, 60, 60))


def kind_of(reflectance, bands=BANDS):
    return guard.judge(guard.measure(reflectance, bands)).kind


@pytest.mark.parametrize("water", [0.2, 0.0])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda r: r, "plausible"),
        (lambda r: r + 0.1, "offset missed"),
        (lambda r: r - 0.1, "offset applied twice"),
        (lambda r: np.maximum(r - 0.1, 0.0001), "offset applied twice"),  # as unsigned numbers store it
        (lambda r: r * 6.5535, "wrong scale"),
        (lambda r: r / 10000, "wrong scale"),
    ],
)
def test_each_fault_is_named_with_and_without_water(water, change, expected):
    assert kind_of(change(scene(water=water))) == expected


def test_measure_gives_the_percentiles_of_numpy_and_ignores_nodata():
    values = scene()
    values[:, :10] = np.nan
    found = guard.measure(values, BANDS)
    assert found.pixels == 50 * 60
    assert found.floor["B4"] == pytest.approx(np.percentile(values[2, 10:], 0.5))
    assert found.ceiling["B8"] == pytest.approx(np.percentile(values[3, 10:], 99))


def test_bright_scene_proves_nothing():
    cloud = np.full((6, 40, 40), 0.6) + np.random.default_rng(1).normal(0, 0.02, (6, 40, 40))
    assert kind_of(cloud) == "undecided"
    assert guard.check("cloudy", guard.judge(guard.measure(cloud, BANDS))).acceptable


def test_all_masked_scene_is_undecided_and_half_a_scene_is_refused():
    nothing = np.full((2, 30, 30), np.nan)
    assert kind_of(nothing, ("B2", "B4")) == "undecided"
    nothing[0] = 0.1
    with pytest.raises(LulcError, match="B4 has no pixel"):
        guard.measure(nothing, ("B2", "B4"))


def test_check_refuses_and_tells_numbers_and_remedy():
    says = r"2022-02-19: offset missed.*B4 0\.1\d\d.*applied: \+0.*offset: -0\.1 .*01_download.*radiometry: trust"
    with pytest.raises(LulcError, match=says):
        guard.check("2022-02-19", guard.judge(guard.measure(scene() + 0.1, BANDS)), offset=0)
    with pytest.raises(
        LulcError, match=r"wrong scale.*\(1 where the file holds reflectance itself.*for this scene in 01"
    ):
        guard.check("2022-02-19", guard.judge(guard.measure(scene() / 10000, BANDS)))


def test_number_of_names_must_fit():
    with pytest.raises(LulcError, match="2 band names for 6 bands"):
        guard.measure(scene(), ("B2", "B3"))


def test_mixture_of_scenes_is_refused_and_the_same_scale_is_not():
    dark = {str(k): guard.measure(scene(seed=k), BANDS) for k in range(3)}
    guard.refuse_mixture(dark)
    dark["odd"] = guard.measure(scene(seed=7) + 0.1, BANDS)
    with pytest.raises(LulcError, match=r"in odd the offset -0\.1"):
        guard.refuse_mixture(dark)


def read(path, nodata=0, scale=10000):
    with rasterio.open(path) as file:
        numbers = file.read(1).astype(np.float32)
    return np.where(numbers == nodata, np.nan, numbers / scale)


@pytest.mark.slow
@shared
def test_real_tile_with_the_offset_already_taken_off():
    """33TWM: DN/10000 is reflectance. Believing the −1000 of its baseline would apply it twice."""
    scenes = sorted(needs("mapchete_eo_33TWM").glob("S2*"))
    assert len(scenes) == 5
    for folder in scenes:
        values = np.stack([read(folder / f"{band}.tif") for band in ("B02", "B03", "B04", "B08")])
        assert kind_of(values, BANDS[:4]) == "plausible", folder.name
        assert kind_of(values - 0.1, BANDS[:4]) == "offset applied twice", folder.name
        assert kind_of(values + 0.1, BANDS[:4]) == "offset missed", folder.name


@shared
def test_sundarbans_divided_by_the_wrong_number():
    folder = needs("sundarbans")
    names = {"B2": "B02", "B3": "B03", "B4": "B04", "B8": "B08", "B11": "B11", "B12": "B12"}
    stack = []
    for file_name in names.values():
        with rasterio.open(next(folder.glob(f"*_{file_name}_(Raw).tiff"))) as file:
            numbers, valid = file.read().astype(np.float32)
        stack.append(np.where(valid == 0, np.nan, numbers))
    numbers = np.stack(stack)
    assert kind_of(numbers / 65535) == "plausible"
    assert kind_of(numbers / 10000) == "wrong scale"


@shared
@pytest.mark.parametrize("date", ["20170703", "20190723"])
@pytest.mark.parametrize(
    ("level", "bands"),
    [
        ("TOA", "B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12"),
        ("BOA", "B1 B2 B3 B4 B5 B6 B7 B8 B9 B11 B12"),
    ],
)
def test_real_pairs_of_l1c_and_l2a(date, level, bands):
    path = next(needs("sen2r_barbellino").glob(f"*_{date}_*_{level}_10.tif"))
    with rasterio.open(path) as file:
        numbers = file.read().astype(np.float32)
    values = np.where(numbers == 65535, np.nan, numbers / 10000)
    assert kind_of(values, bands.split()) == "plausible"
    assert kind_of(values + 0.1, bands.split()) == "offset missed"
    assert kind_of(values - 0.1, bands.split()) == "offset applied twice"


def test_dry_ground_with_nothing_dark_is_undecided_and_with_the_offset_missed_is_not_believed_blindly():
    """Soil rises from blue to the near infrared; water and shadow do not."""
    r = np.random.default_rng(0)
    soil = np.stack(
        [r.normal(m, s, (100, 120)) for m, s in ((0.10, 0.012), (0.135, 0.014), (0.16, 0.018), (0.215, 0.02))]
    )
    assert kind_of(soil, BANDS[:4]) == "undecided"
    lake = soil.copy()
    lake[:, :20, :30] = np.array([0.03, 0.03, 0.02, 0.01])[:, None, None] + r.normal(0, 0.002, (4, 20, 30))
    assert kind_of(lake, BANDS[:4]) == "plausible"
    assert kind_of(lake + 0.1, BANDS[:4]) == "offset missed"


def test_a_lake_cut_off_at_one_is_not_an_offset_taken_off_twice():
    """Products cut reflectance off at DN 1; over a lake that is the lowest number of many pixels, and right."""
    lake = scene()
    lake[:, :40] = 0.0001
    assert guard.judge(guard.measure(lake, BANDS)).kind in ("plausible", "undecided")


def test_an_offset_in_the_file_s_numbers_is_called_so():
    broken = guard.judge(guard.measure(scene() - 1000, BANDS))
    with pytest.raises(LulcError, match=r"the offset is -1000, .*for -1000 at a scale of 0\.0001: offset: -0\.1"):
        guard.check("2022-02-19", broken, offset=-1000)
