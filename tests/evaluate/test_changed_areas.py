"""Areas of change from points: Olofsson's example as one of change, a truth made here, and coverage by simulation."""

import json

import dask.array as da
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import raster
from lulc_kit.classes import LandClass, Scheme
from lulc_kit.errors import GridError, LulcError
from lulc_kit.evaluate import change, changed_areas, design
from lulc_kit.layout import SampleLayout

BOX = GeoBox((200, 240), from_origin(500_000, 5_000_000, 20, 20), "EPSG:32633")
NAMES = ("Forest", "Field", "Town")
SCHEME = Scheme("x", "X", tuple(LandClass(v, n, "#00ff00") for v, n in zip((1, 4, 9), NAMES, strict=True)))


def land(seed=1):
    """What is there before and after: forest and field, of which a little becomes town, and some forest field."""
    generator = np.random.default_rng(seed)
    before = np.kron(generator.choice([1, 4], (20, 24), p=[0.6, 0.4]), np.ones((10, 10), int)).astype(np.uint8)
    after = before.copy()
    new = np.kron(generator.random((40, 48)) < 0.04, np.ones((5, 5), int)).astype(bool)
    after[new] = np.where(before[new] == 1, generator.choice([4, 9], new.sum()), 9)
    return before, after


def mapped(codes, wrong, seed):
    generator = np.random.default_rng(seed)
    found = np.where(generator.random(codes.shape) < wrong, generator.choice([1, 4, 9], codes.shape), codes)
    found[:3] = 0
    return raster.array(da.from_array(found[None].astype(np.uint8), (1, 70, 70)), BOX, ["class"])


def compared(wrong=0.06, seed=2):
    before, after = land()
    maps = mapped(before, wrong, seed), mapped(after, wrong, seed + 1)
    return change.compare(*maps, (SCHEME, SCHEME), ("2015/rf", "2021/rf"))


def see(place, path, edit=None):
    """Fill the points in as a person would who is always right."""
    rows = gpd.read_file(place.points(".gpkg"))
    column, row = ((rows.geometry.x - 500_000) // 20).astype(int), ((5_000_000 - rows.geometry.y) // 20).astype(int)
    name = dict(zip(SCHEME.values, NAMES, strict=True))
    pairs = [(name[b], name[a]) for b, a in zip(*(codes[row, column] for codes in land()), strict=True)]
    rows["reference"] = [f"stable {a}" if a == b else f"{b} to {a}" for b, a in pairs]
    (edit(rows) if edit else rows).to_file(path)
    return path


def truth():
    """Hectares of each kind of change on the land that the maps cover."""
    before, after = (codes[3:] for codes in land())
    rows = {}
    for b, was in zip(SCHEME.values, NAMES, strict=True):
        for a, became in zip(SCHEME.values, NAMES, strict=True):
            rows[f"stable {was}" if a == b else f"{was} to {became}"] = ((before == b) & (after == a)).sum() * 0.04
    return rows


def test_kinds_number_every_pair_and_nothing_else():
    scheme = changed_areas.kinds(SCHEME)
    assert scheme.names[:4] == ("stable Forest", "Forest to Field", "Forest to Town", "Field to Forest")
    codes = np.array([0, 1001, 1004, 1009, 4001, 9009], np.uint32)
    assert changed_areas.number(codes, SCHEME).tolist() == [0, 1, 2, 3, 4, 9]
    many = Scheme("y", "Y", tuple(LandClass(i, f"c{i}", "#000000") for i in range(1, 17)))
    with pytest.raises(LulcError, match="16 classes change in 256 ways.*Join classes"):
        changed_areas.kinds(many)


def test_rare_kinds_share_a_stratum_and_a_single_pixel_goes_with_the_largest():
    found = changed_areas.merge([500, 20, 2, 0, 3, 475])
    assert found[2] == found[4] and found[3] == 0
    assert sorted({*found}) == [0, 1, 2, 3, 4] and len({found[0], found[1], found[2], found[5]}) == 4
    alone = changed_areas.merge([500, 1, 499])
    assert alone[0] == alone[1] != alone[2] and alone.min() == 1


def test_points_give_the_areas_of_change_that_counted_pixels_do_not(tmp_path):
    """A tenth of the land seems to change, because either map errs; a twenty-fifth did."""
    found, place = compared(), SampleLayout(tmp_path / "points")
    drawn = changed_areas.draw(found, place, points=900, least=40, seed=3)
    assert len(drawn.row) == 900 and changed_areas.describe(drawn)["points"].sum() == 900
    seen = changed_areas.assess(found, place, see(place, tmp_path / "seen.gpkg"), ("2015", "2021"), 0.999)
    table, true = seen.areas(), pd.Series(truth())
    true = true.reindex(table.index)
    counted = abs(table["counted_ha"] - true)
    assert ((table["low_ha"] <= true) & (true <= table["high_ha"])).all()
    assert table["area_ha"].sum() == pytest.approx(true.sum()) == pytest.approx(table["counted_ha"].sum())
    assert abs(table["area_ha"] - true).sum() < counted.sum() / 3
    balance = seen.balance()
    gained = true[["Forest to Town", "Field to Town"]].sum()
    assert balance.loc["Town", "gain_low"] <= gained <= balance.loc["Town", "gain_high"]
    parts = table.loc[["Forest to Town", "Field to Town"], "area_ha"].sum()
    assert balance.loc["Town", "gain"] == pytest.approx(parts)
    assert balance.loc["Forest", "loss"] == pytest.approx(
        table.loc[["Forest to Field", "Forest to Town"], "area_ha"].sum()
    )
    plain = json.loads(json.dumps(seen.to_dict(), allow_nan=False))
    assert plain["dates"] == ["2015", "2021"] and sum(map(sum, plain["matrix"])) == 900
    assert set(seen.estimates()["the sample"]) == {n for n in table.index if not n.startswith("stable")}
    assert changed_areas.draw(found, place, points=900, least=40, seed=3).name == drawn.name, "the same stays"
    with pytest.raises(LulcError, match="Another sample lies in"):
        changed_areas.draw(found, place, points=800, least=40, seed=3)


def test_maps_made_anew_are_judged_by_the_strata_of_then(tmp_path):
    place = SampleLayout(tmp_path / "points")
    changed_areas.draw(compared(), place, points=900, least=40)
    path = see(place, tmp_path / "seen.gpkg")
    seen = changed_areas.assess(compared(0.02, 8), place, path, ("2015", "2021"), 0.999)
    assert "made anew" in seen.notes[0]
    true = pd.Series(truth()).reindex(seen.areas().index)
    assert ((seen.areas()["low_ha"] <= true) & (true <= seen.areas()["high_ha"])).all()


def test_what_a_class_gained_and_lost_are_the_sums_of_its_kinds_also_in_their_errors():
    """Olofsson's example with forest and field: the loss of forest is deforestation, with its standard error."""
    two = Scheme("y", "Y", SCHEME.classes[:2])
    order = [2, 0, 1, 3]  # stable forest, deforestation, gain of forest, stable non-forest
    counts = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])[np.ix_(order, order)]
    pixels = np.array([200_000, 150_000, 3_200_000, 6_450_000])[order]
    found = changed_areas._by_class(np.eye(4, dtype=int)[:, :, None] * counts, pixels, np.arange(4), two)
    whole = 10_000_000 * 0.09
    assert found["Forest"].area_share[1] * whole == pytest.approx(21157.76, abs=0.01)
    assert 1.96 * found["Forest"].area_share_se[1] * whole == pytest.approx(6157.63, rel=1e-3)  # ours knows the pixels
    assert found["Forest"].area_share[2] * whole == pytest.approx(11686.15, abs=0.01)
    assert found["Field"].area_share[1] == found["Forest"].area_share[2]


def test_intervals_of_the_areas_of_change_hold_the_truth():
    """1000 samples of 300 points in each of three kinds, of which two are overlooked in the large ones."""
    generator = np.random.default_rng(5)
    land = np.array([[0.55, 0.012, 0.003], [0.02, 0.03, 0.002], [0.005, 0.004, 0.374]])  # mapped × true kind
    weights = land.sum(axis=1)
    held = np.zeros(3)
    for _ in range(1000):
        counts = np.stack([generator.multinomial(300, row / row.sum()) for row in land])
        low, high = design.estimate_stratified(np.eye(3)[:, :, None] * counts, weights).interval("area_share")
        held += (low <= land.sum(axis=0)) & (land.sum(axis=0) <= high)
    assert (0.93 <= held / 1000).all() and (held / 1000 <= 0.97).all(), held


def test_what_does_not_belong_together_is_refused(tmp_path):
    place = SampleLayout(tmp_path / "points")
    found = compared()
    with pytest.raises(LulcError, match="cannot be shared out"):
        changed_areas.draw(found, place, points=30, least=25)
    changed_areas.draw(found, place, points=400, least=20)
    path = see(place, tmp_path / "seen.gpkg")
    wrong = see(place, tmp_path / "wrong.gpkg", lambda rows: rows.assign(reference="Forest"))
    options = (("2015", "2021"), 0.95)
    with pytest.raises(LulcError, match="'Forest' in column 'reference' is no class of the map.*stable Forest"):
        changed_areas.assess(found, place, wrong, *options)
    fewer = Scheme("z", "Z", SCHEME.classes[:2])
    maps = (mapped(np.where(codes == 9, 1, codes), 0, 1) for codes in land())
    other = change.compare(*maps, (fewer, fewer), ("a", "b"))
    with pytest.raises(LulcError, match="of changes between other classes"):
        changed_areas.assess(other, place, path, *options)
    with pytest.raises(LulcError, match="is not there: without it nobody knows how the points were drawn"):
        changed_areas.assess(found, SampleLayout(tmp_path / "none"), path, *options)
    hole = change.compare(
        *(m.copy(data=da.where(np.indices(BOX.shape)[1] < 100, 0, m.data)) for m in _maps()),
        (SCHEME, SCHEME),
        ("a", "b"),
    )
    with pytest.raises(LulcError, match=r"no class at \d+ points"):
        changed_areas.assess(hole, place, path, *options)
    east = GeoBox(BOX.shape, from_origin(500_020, 5_000_000, 20, 20), "EPSG:32633")
    moved = (raster.array(m.data, east, ["class"]) for m in _maps())
    with pytest.raises(GridError, match="The change map"):
        changed_areas.assess(change.compare(*moved, (SCHEME, SCHEME), ("a", "b")), place, path, *options)


def _maps():
    before, after = land()
    return mapped(before, 0.06, 2), mapped(after, 0.06, 3)
