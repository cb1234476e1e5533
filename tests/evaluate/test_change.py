"""Two maps compared: pixel by pixel as numpy counts them, classes joined by name, grids that must be the same."""

import json

import dask.array as da
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from sklearn.metrics import confusion_matrix

from lulc_kit import raster
from lulc_kit.classes import LandClass, Scheme
from lulc_kit.errors import GridError, LulcError
from lulc_kit.evaluate import change

BOX = GeoBox((60, 80), from_origin(500_000, 5_000_000, 20, 20), "EPSG:32633")
OLD = Scheme(
    "a", "A", (LandClass(1, "Forest", "#006400"), LandClass(2, "Water", "#0000ff"), LandClass(3, "Ice", "#ffffff"))
)
NEW = Scheme(
    "b", "B", (LandClass(1, "Water", "#0000ff"), LandClass(4, "Forest", "#006400"), LandClass(9, "Town", "#ff0000"))
)


def codes(values, seed, box=BOX):
    data = np.random.default_rng(seed).choice([0, *values], (1, *box.shape)).astype(np.uint8)
    return raster.array(da.from_array(data, (1, 25, 33)), box, ["class"])


def test_classes_are_joined_by_their_names():
    both, values = change.join(OLD, NEW)
    assert both.names == ("Water", "Forest", "Town", "Ice") and len({*both.values}) == 4
    assert values[1] == 4 and values[2] == 1 and values[3] == both.find("Ice").value
    assert values[[0, 4, 9, 255]].tolist() == [0, 0, 0, 0]
    same, values = change.join(NEW, NEW)
    assert same.classes == NEW.classes and values[[1, 4, 9]].tolist() == [1, 4, 9]


def test_transitions_are_scikit_learn_s_confusions_of_the_names():
    before, after = codes((1, 2, 3), 1), codes((1, 4, 9), 2)
    found = change.compare(before, after, (OLD, NEW), ("2015", "2021"))
    name = {0: {0: "-", 1: "Forest", 2: "Water", 3: "Ice"}, 1: {0: "-", 1: "Water", 4: "Forest", 9: "Town"}}
    one, other = (np.array([name[i][v] for v in m.values.ravel()]) for i, m in enumerate((before, after)))
    both = (one != "-") & (other != "-")
    expected = confusion_matrix(one[both], other[both], labels=found.classes.names) * 0.04
    np.testing.assert_allclose(found.transitions(), expected)
    assert found.changed == pytest.approx((one[both] != other[both]).mean())
    table = found.balance()
    assert table["before"].sum() == pytest.approx(both.sum() * 0.04) == table["after"].sum()
    assert table.loc["Water", "gain"] == pytest.approx(((one != "Water") & (other == "Water") & both).sum() * 0.04)
    assert table.loc["Water", "loss"] == pytest.approx(((one == "Water") & (other != "Water") & both).sum() * 0.04)
    np.testing.assert_allclose(table["net"], table["gain"] - table["loss"])
    assert table["net"].sum() == pytest.approx(0)
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["balance_ha"]["Ice"]["after"] == 0 and "not of the land" in data["caution"]


def test_the_change_map_says_from_what_to_what_and_its_picture_what_it_became():
    before, after = codes((1, 2, 3), 1), codes((1, 4, 9), 2)
    found = change.compare(before, after, (OLD, NEW), ("2015", "2021"))
    _, values = change.join(OLD, NEW)
    old, new = values[before.values].astype(int), after.values.astype(int)
    np.testing.assert_array_equal(found.codes.values, np.where((old > 0) & (new > 0), old * 1000 + new, 0))
    shown, scheme = found.picture()
    unchanged = scheme.find("unchanged").value
    assert unchanged not in found.classes.values
    expected = np.where((old == 0) | (new == 0), 0, np.where(old == new, unchanged, new))
    np.testing.assert_array_equal(shown.values, expected)


def test_a_map_has_not_changed_from_itself():
    same = codes((1, 4, 9), 2)
    found = change.compare(same, same, (NEW, NEW), ("a", "b"))
    assert found.changed == 0 and found.balance()[["gain", "loss", "net"]].to_numpy().sum() == 0


def test_what_cannot_be_compared_is_refused():
    east = GeoBox((60, 80), from_origin(500_020, 5_000_000, 20, 20), "EPSG:32633")
    with pytest.raises(
        GridError, match=r"a/rf and b/rf lie on different grids.*\n.*a/rf: EPSG:32633.*\n.*b/rf:.*\nGive both"
    ):
        change.compare(codes((1,), 1), codes((1,), 2, east), (OLD, NEW), ("a/rf", "b/rf"))
    with pytest.raises(LulcError, match="share no class: Forest, Water, Ice and Meadow"):
        change.join(OLD, Scheme("c", "C", (LandClass(1, "Meadow", "#00ff00"),)))
    empty = raster.array(da.zeros((1, *BOX.shape), dtype=np.uint8), BOX, ["class"])
    with pytest.raises(LulcError, match="have no pixel that both give a class"):
        change.compare(empty, codes((1,), 1), (OLD, NEW), ("a", "b"))
