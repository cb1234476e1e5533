"""Samples drawn from a map: planned as the paper plans them, shared out as asked, each pixel with its chance."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes, grids
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import design, sampling

WEIGHTS, USERS = [0.020, 0.015, 0.320, 0.645], [0.70, 0.60, 0.90, 0.95]  # Olofsson et al. 2014, section 5.1


def landscape(shape=(120, 90), seed=3):
    return np.random.default_rng(seed).choice([0, 1, 3, 5], shape, p=[0.1, 0.6, 0.27, 0.03]).astype(np.uint8)


def test_points_for_a_standard_error_are_the_paper_s():
    assert sampling.points_for(0.01, WEIGHTS, USERS) == 641
    # By hand: (0.020 √.21 + 0.015 √.24 + 0.320 √.09 + 0.645 √.0475)² / 0.01² = 640.54.
    pixels = np.array([200, 150, 3200, 6450])
    assert sampling.points_for(0.01, WEIGHTS, USERS, pixels) == pytest.approx(641 / (1 + 641 / 1e4), rel=0.02)


def test_what_was_planned_gives_the_standard_error_that_was_wanted():
    pixels = np.array([0.02, 0.015, 0.32, 0.645]) * 1e7
    shared = sampling.allocate(641, pixels, "neyman", users=USERS)
    variance = np.sum((np.array(WEIGHTS) ** 2) * np.array(USERS) * (1 - np.array(USERS)) / shared)
    assert np.sqrt(variance) == pytest.approx(0.01, rel=0.005)
    for how in ("equal", "proportional"):  # no other does it with so few
        other = sampling.allocate(641, pixels, how)
        assert np.sum((np.array(WEIGHTS) ** 2) * np.array(USERS) * (1 - np.array(USERS)) / other) > variance


@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=8).filter(sum),
    st.integers(0, 40),
    st.sampled_from(["equal", "proportional", "neyman"]),
    st.floats(0, 1),
)
@settings(max_examples=300)
@example([1, 8], 5, "equal", 1.0)  # one class must have more than its share, the other cannot take its own
def test_points_add_up_and_fit_the_classes(pixels, least, how, part):
    floor = np.minimum(pixels, least)
    points = int(floor.sum() + part * (sum(pixels) - floor.sum()))
    found = sampling.allocate(points, pixels, how, least=least)
    assert found.sum() == points
    assert (found <= pixels).all() and (found >= floor).all()


def test_allocations_are_what_their_names_say():
    pixels = [1000, 3000, 6000]
    assert sampling.allocate(300, pixels, "equal").tolist() == [100, 100, 100]
    assert sampling.allocate(300, pixels, "proportional").tolist() == [30, 90, 180]
    found = sampling.allocate(300, pixels, "neyman", users=[0.5, 0.9, 0.99])
    expected = np.array([1000 * 0.5, 3000 * 0.3, 6000 * np.sqrt(0.0099)])
    np.testing.assert_allclose(found, 300 * expected / expected.sum(), atol=1)
    assert sampling.allocate(30, [5, 1000, 0], "equal", least=10).tolist() == [5, 25, 0]


@pytest.mark.parametrize(
    ("points", "how", "says"),
    [
        (3, "equal", r"2 classes with at least 2 each need 4"),
        (2000, "equal", r"map has 1100 pixels"),
        (50, "optimal", r"'optimal' is no allocation"),
    ],
)
def test_points_that_cannot_be_shared_out_are_refused(points, how, says):
    with pytest.raises(LulcError, match=says):
        sampling.allocate(points, [100, 1000], how)


def test_a_stratified_sample_has_what_was_asked_of_each_class_and_no_pixel_twice():
    codes = landscape()
    row, column = sampling.draw(codes, [1, 3, 5], [40, 30, 20], seed=5)
    assert np.bincount(codes[row, column], minlength=6).tolist() == [0, 40, 0, 30, 0, 20]
    assert len({*zip(row.tolist(), column.tolist(), strict=True)}) == 90
    again = sampling.draw(codes, [1, 3, 5], [40, 30, 20], seed=5)
    np.testing.assert_array_equal(row, again[0])
    assert not np.array_equal(row, sampling.draw(codes, [1, 3, 5], [40, 30, 20], seed=6)[0])
    assert (np.diff(codes[row, column].astype(int)) != 0).sum() > 20, "the order tells nothing of the class"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stratified", "simple", "systematic"])
def test_each_pixel_of_a_class_has_the_same_chance(how, monkeypatch):
    monkeypatch.setattr(sampling, "ROWS", 7)  # so that the map is searched in parts
    codes = landscape((40, 30))
    points = {"stratified": [60, 40, 10], "simple": 110, "systematic": 110}[how]
    times = np.zeros(codes.shape)
    for seed in range(3000):
        times[sampling.draw(codes, [1, 3, 5], points, how=how, seed=seed)] += 1
    assert (times[codes == 0] == 0).all()
    for value, asked in zip([1, 3, 5], [60, 40, 10], strict=True):
        here = codes == value
        chance = asked / here.sum() if how == "stratified" else 110 / (codes > 0).sum()
        assert times[here].mean() == pytest.approx(3000 * chance, rel=0.03)
        assert times[here].std() == pytest.approx(np.sqrt(3000 * chance * (1 - chance)), rel=0.25)  # binomial


def test_a_systematic_sample_is_a_grid():
    codes = np.ones((100, 100), np.uint8)
    row, column = sampling.draw(codes, [1], 100, how="systematic", seed=2)
    assert len(row) == 100
    assert {*np.diff(np.unique(row)).tolist(), *np.diff(np.unique(column)).tolist()} == {10}
    with pytest.raises(LulcError, match="stratified, simple, systematic"):
        sampling.draw(codes, [1], 10, how="clever")


def test_a_drawn_sample_is_plain_data_and_back():
    grid = GeoBox((120, 90), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    codes = landscape()
    row, column = sampling.draw(codes, [1, 3, 5], [4, 3, 2])
    scheme = classes.scheme("workflow").subset([1, 3, 5])
    pixels = sampling.count_pixels(codes, [1, 3, 5])
    assert pixels.tolist() == [(codes == v).sum() for v in (1, 3, 5)]
    one = sampling.Drawn(
        "stratified",
        "rf",
        sampling.fingerprint(codes),
        scheme,
        grid,
        pixels,
        row,
        column,
        codes[row, column],
        {"seed": 1},
    )
    other = sampling.Drawn.from_dict(json.loads(json.dumps(one.to_dict())))
    assert other.name == one.name and other.classes == scheme and grids.same(other.grid, grid)
    np.testing.assert_array_equal(other.stratum, one.stratum)
    changed = codes.copy()
    changed[0, 0] += 1
    assert sampling.fingerprint(changed) != one.map


def test_an_estimate_from_drawn_pixels_finds_the_truth():
    """Draw from a map, look up the true class, estimate: over many draws the mean is the truth."""
    generator = np.random.default_rng(8)
    truth = landscape((80, 80), 1)
    wrong = generator.random(truth.shape) < 0.2
    mapped = np.where(wrong & (truth > 0), generator.permutation(truth.ravel()).reshape(truth.shape), truth)
    mapped[truth == 0] = 0
    there = mapped > 0
    truth[~there] = 0
    pixels = sampling.count_pixels(mapped, [1, 3, 5])
    shares = []
    for seed in range(300):
        row, column = sampling.draw(mapped, [1, 3, 5], [40, 40, 40], seed=seed)
        counts = np.array(
            [[((mapped[row, column] == m) & (truth[row, column] == t)).sum() for t in (1, 3, 5)] for m in (1, 3, 5)]
        )
        shares.append(design.estimate_stratified(counts, pixels).area_share)
    expected = np.array([(truth == v).sum() for v in (1, 3, 5)]) / there.sum()
    error = np.std(shares, axis=0) / np.sqrt(300)
    np.testing.assert_allclose(np.mean(shares, axis=0), expected, atol=4 * error.max())
