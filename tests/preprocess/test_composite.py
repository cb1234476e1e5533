"""Composites against definitions written out pixel by pixel; masked pixels never count, blocks never show."""

import datetime
import math
import tracemalloc

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import params, raster
from lulc_kit.cube import Cube, Reason
from lulc_kit.errors import LulcError
from lulc_kit.preprocess import composite
from lulc_kit.raster import writing

SHAPE = (36, 44)
PIXEL = 60.0  # 1 km, over which clouds count, is 17 pixels
BOX = GeoBox(SHAPE, from_origin(500_000, 5_000_000, PIXEL, PIXEL), "EPSG:32633")
DAYS = ["2020-05-03", "2020-05-28", "2020-06-02", "2020-07-12", "2021-05-01", "2021-05-31"]
BANDS = ["B3", "B4", "B8"]


def write(folder, day, image, codes, box=BOX):
    writing.write_all(
        [
            writing.reflectance(folder / f"{day}.tif", raster.array(image, box, BANDS[: len(image)])),
            writing.Output(folder / f"{day}_mask.tif", raster.array(codes[None], box, ["mask"]), "uint8", None),
        ]
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A cube; reflectance of shape (time, band, row, column), NaN where masked; masks."""
    folder = tmp_path_factory.mktemp("cube")
    generator = np.random.default_rng(1)
    images, masks = [], []
    for day in DAYS:
        image = (generator.integers(1, 6000, (3, *SHAPE)) * 0.0001).astype(np.float32)
        row, column = np.indices(SHAPE)
        centre = generator.integers(0, 40, (3, 2))
        near = np.min([np.hypot(row - r, column - c) for r, c in centre], axis=0)
        codes = np.where(near < 6, Reason.CLOUD, Reason.CLEAR).astype(np.uint8)
        codes[:, :5] = generator.choice([Reason.CLEAR, Reason.SHADOW], (36, 5))
        codes[:3, :3] = Reason.CLOUD  # never clear
        if day[:7] == "2020-07":
            codes[:, 30:] = Reason.NODATA
            image[:, codes == Reason.NODATA] = np.nan
        write(folder, day, image, codes)
        images.append(np.where(codes == Reason.CLEAR, np.round(image, 4), np.nan))
        masks.append(codes)
    return folder, np.stack(images).astype(np.float32), np.stack(masks)


def by_hand(images, masks, method, day=None, days=DAYS):
    """Each composite as its definition says, one pixel after the other."""
    out = np.full(images.shape[1:], np.nan)
    for r, c in np.ndindex(*SHAPE):
        dates = [t for t in range(len(images)) if masks[t, r, c] == Reason.CLEAR]
        if not dates:
            continue
        seen = images[dates, :, r, c].astype(float)
        if method == "median":
            out[:, r, c] = [sorted(b)[len(b) // 2] / 2 + sorted(b)[(len(b) - 1) // 2] / 2 for b in seen.T]
        elif method == "medoid":
            sums = [sum(math.dist(one, other) for other in seen) for one in seen]
            out[:, r, c] = seen[sums.index(min(sums))]
        else:
            scores = [score(masks[t], r, c, days[t], day) for t in dates]
            out[:, r, c] = seen[int(np.argmax(np.float32(scores)))]
    return out


def score(mask, r, c, date, day):
    rows, columns = np.nonzero(mask != Reason.CLEAR)
    metres = PIXEL * min(np.hypot(rows - r, columns - c))
    total = min(metres, 1000) / 1000
    if day is not None:
        apart = abs(datetime.date.fromisoformat(date).timetuple().tm_yday - day)
        total += math.exp(-0.5 * (min(apart, 365.25 - apart) / 30) ** 2)
    return total


@pytest.mark.parametrize(("method", "day"), [("median", None), ("medoid", None), ("best", None), ("best", 150)])
def test_each_pixel_is_what_the_definition_says(made, method, day):
    folder, images, masks = made
    said = composite.write(folder, method=method, day=day)
    found = raster.read(folder / "composite.tif")
    expected = by_hand(images, masks, method, day)
    np.testing.assert_allclose(found, expected, atol=0.00005 + 1e-6)
    assert np.isnan(found.to_numpy()[:, :3, :3]).all()
    assert found.band.values.tolist() == BANDS
    assert said.loc["composite", "dates"] == 6
    assert said.loc["composite", "covered"] == pytest.approx(np.isfinite(expected).all(axis=0).mean())


@pytest.mark.parametrize("method", ["medoid", "best"])
def test_all_bands_of_a_pixel_come_from_one_date(made, method):
    folder, images, _ = made
    found = composite.compose(Cube(folder), DAYS, method, 150 if method == "best" else None).to_numpy()
    from_one = (np.abs(images - found) < 1e-6).all(axis=1).any(axis=0)
    np.testing.assert_array_equal(from_one, np.isfinite(found).all(axis=0))


@pytest.mark.parametrize("method", ["median", "medoid", "best", "geomedian"])
def test_blocks_do_not_show(made, method, monkeypatch):
    cube = Cube(made[0])
    whole = composite.compose(cube, DAYS, method).to_numpy()
    for chunk in (7, 16, 23):
        monkeypatch.setattr(raster, "CHUNK", chunk)
        found = composite.compose(cube, DAYS, method)
        assert found.data.chunksize[1:] == (chunk, chunk)
        # The geomedian is found by iteration: equal within half a step of the file.
        np.testing.assert_allclose(found, whole, atol=5e-5 if method == "geomedian" else 0, rtol=0)


def test_the_medoid_is_robust_and_the_earliest_of_two():
    series = np.zeros((5, 2, 1, 2), np.float32)
    series[:, :, 0, 0] = [[0.10, 0.40], [0.11, 0.41], [0.95, 0.95], [0.12, 0.42], [np.nan, 0.4]]
    series[:, :, 0, 1] = np.nan
    series[[1, 3], :, 0, 1] = [[0.3, 0.1], [0.2, 0.5]]
    found = composite.medoid(series)
    # sums of distances: of the second 0.0141 + 0.0141 + 1.000, which a missed cloud does not pull away
    assert found[:, 0, 0].tolist() == pytest.approx([0.11, 0.41])
    assert found[:, 0, 1].tolist() == pytest.approx([0.3, 0.1])


def test_the_year_is_round():
    near = composite.closeness(["2020-12-30", "2021-01-03", "2021-06-30"], 1)
    assert near[1] == pytest.approx(math.exp(-0.5 * (2 / 30) ** 2))
    assert near[0] == pytest.approx(near[1], rel=0.01)
    assert near[2] < 1e-6


def test_one_composite_for_each_month_and_none_left_of_an_earlier_call(made):
    folder, images, masks = made
    said = composite.write(folder, method="medoid", monthly=True)
    months = {"2020-05": [0, 1], "2020-06": [2], "2020-07": [3], "2021-05": [4, 5]}
    assert sorted(p.stem for p in (folder / "monthly").iterdir()) == sorted(months)
    for month, chosen in months.items():
        expected = by_hand(images[chosen], masks[chosen], "medoid")
        np.testing.assert_allclose(raster.read(folder / f"monthly/{month}.tif"), expected, atol=0.00005 + 1e-6)
        assert said.loc[f"monthly/{month}", "dates"] == len(chosen)
    composite.write(folder, dates=["2020-06-01", "2020-08-01"], monthly=True)
    assert sorted(p.stem for p in (folder / "monthly").iterdir()) == ["2020-06", "2020-07"]
    composite.write(folder)
    assert not list((folder / "monthly").iterdir())
    assert Cube(folder).dates == DAYS


def test_dates_that_are_not_there_are_refused(made):
    with pytest.raises(LulcError, match=r"no such date.*2020-05-03, 2020-05-28"):
        composite.write(made[0], dates=["2019-01-01", "2019-02-01"])


def test_clear_observations_are_counted(made):
    folder, _, masks = made
    found = Cube(folder).observations()
    np.testing.assert_array_equal(found.to_numpy()[0], (masks == Reason.CLEAR).sum(axis=0))


def test_memory_is_that_of_blocks_and_not_of_all_dates(tmp_path, monkeypatch):
    side, count = 512, 12
    box = GeoBox((side, side), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    generator = np.random.default_rng(1)
    for t in range(count):
        image = np.full((2, side, side), 0.01 * (t + 1), np.float32)
        write(tmp_path, f"2020-01-{t + 1:02}", image, generator.choice(2, (side, side)).astype(np.uint8), box)
    monkeypatch.setattr(composite, "BLOCK_BYTES", 4 * 2 * count * 128**2)
    composite.medoid(np.zeros((2, 2, 1, 1), np.float32))  # compiles
    tracemalloc.start()
    composite.write(tmp_path, method="medoid")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2 * count * side**2 / 2


def test_a_day_is_only_for_best():
    with pytest.raises(LulcError, match="composite_day is for composite: best; median has no preferred day"):
        params.Preprocess.check({"composite_day": 180}, "02")
    assert params.Preprocess.check({"composite": "best", "composite_day": 180}, "02").composite_day == 180
    with pytest.raises(LulcError, match="composite"):
        params.Preprocess.check({"composite": "mean"}, "02")


def weiszfeld(points: np.ndarray) -> np.ndarray:
    """The geometric median of (time, band), in float64, by Weiszfeld's iteration."""
    middle = points.mean(axis=0)
    for _ in range(20_000):
        far = np.maximum(np.linalg.norm(points - middle, axis=1), 1e-12)
        new = (points / far[:, None]).sum(axis=0) / (1 / far).sum()
        if np.abs(new - middle).max() < 1e-12:
            break
        middle = new
    return middle


def test_the_geomedian_is_that_of_weiszfeld_and_its_dispersions_follow():
    generator = np.random.default_rng(4)
    series = generator.uniform(0.02, 0.5, (9, 4, 6, 7)).astype(np.float32)
    series[:, :, generator.random((6, 7)) < 0.1] = np.nan
    series[generator.random((9, 4, 6, 7)) < 0.05] = np.nan
    found = composite.geomedian(series)
    spread = composite.dispersion(series, found)
    for row, column in np.ndindex(6, 7):
        points = series[:, :, row, column].astype(np.float64)
        points = points[np.isfinite(points).all(axis=1)]
        if not len(points):
            assert np.isnan(found[:, row, column]).all() and np.isnan(spread[:, row, column]).all()
            continue
        middle = weiszfeld(points)
        np.testing.assert_allclose(found[:, row, column], middle, atol=1e-4)
        cosine = points @ middle / np.linalg.norm(points, axis=1) / np.linalg.norm(middle)
        euclid = np.linalg.norm(points - middle, axis=1)
        bray = np.abs(points - middle).sum(axis=1) / np.abs(points + middle).sum(axis=1)
        expected = [np.median(1 - cosine), np.median(euclid), np.median(bray)]
        np.testing.assert_allclose(spread[:, row, column], expected, atol=2e-4)
