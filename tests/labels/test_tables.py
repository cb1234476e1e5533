"""Labels from tables of pixel values: every row accounted for, features as they stand, bad columns refused."""

import warnings

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from lulc_kit.errors import LulcError
from lulc_kit.labels import tables
from lulc_kit.labels.sources import LABELLED, UNNAMED

FRAME = pd.DataFrame(
    {
        "kind": ["a", "b", "a", None, "c"],
        "B4": [0.1, 0.2, np.nan, 0.4, 0.5],
        "n": [1, 2, 3, 4, 5],
        "block": [9, 9, 9, 9, 9],
        "note": list("vwxyz"),
        "site": ["p", "q", "p", "q", "p"],
    }
)
WANTED = {"Wald": ["a"], "See": ["b"]}


def read(frame=FRAME, wanted=WANTED, **options):
    return tables.read(frame, None, wanted, label="kind", **options)


def test_rows_become_labels_with_their_features():
    found = read(group="site")
    assert found.values.tolist() == [[1, 2, 0, 0, 0]]
    assert found.source.tolist() == [[1, 2, 0, 0, 0]] and found.groups.tolist() == ["p", "q"]
    assert list(found.frame.columns) == ["B4", "n"], "words, and names that the kit needs, are no features"
    np.testing.assert_array_equal(found.frame["n"], FRAME["n"])
    counts = found.account.groupby("became")["rows"].sum().to_dict()
    assert counts == {LABELLED: 2, UNNAMED: 2, tables.INCOMPLETE: 1}
    assert found.raster() is None


def test_each_row_stands_for_itself_without_groups():
    found = read(features=["n"])
    assert found.values.tolist() == [[1, 2, 1, 0, 0]] and found.source.tolist() == [[1, 2, 3, 0, 0]]


def test_places_come_along_in_metres():
    x, y = [500_000, 500_100, 500_200, 500_300, 500_400], [5e6] * 5
    placed = gpd.GeoDataFrame(FRAME, geometry=gpd.points_from_xy(x, y), crs=32633)
    found = read(placed, features=["n"])
    np.testing.assert_array_equal(found.points(), np.column_stack([x, y])[:3])
    degrees = read(placed.to_crs(4326), features=["n"])
    np.testing.assert_allclose(degrees.points(), np.column_stack([x, y])[:3], atol=0.01)
    with pytest.raises(LulcError, match="does not say where its rows lie.*table_x"):
        read(features=["n"]).points()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"features": ["B4", "note"]}, "note are no columns of numbers.*B4, n"),
        ({"features": ["B4", "block"]}, "block cannot be a feature"),
        ({"frame": FRAME[["kind", "note"]]}, "no column of numbers"),
        ({"wanted": {"Wald": ["a"]}}, "fewer than two classes"),
        ({"wanted": {"Wald": ["a"], "Moor": ["m"]}}, "Moor: none of .*column 'kind'"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(options, why):
    with pytest.raises(LulcError, match=why):
        read(**options)


def test_numbers_that_words_spoil_are_not_lost_in_silence():
    spoilt = FRAME.assign(NDVI=["0.1", "0.2", "--", "0.4", "0.5"])
    with pytest.warns(UserWarning, match=r"text and no features.*NDVI \('--'\)") as caught:
        found = read(spoilt)
    assert "NDVI" not in found.frame and "note" not in str(caught[0].message)


@pytest.mark.parametrize(
    "cells",
    [
        ["12 %", "13 %", "14 %", "15 %", "16 %"],
        ["0,1", "0,2", "0.3", "0,4", None],
        ["0.1", "0.2", "0.3", "0.4", "0.5"],
        ["1'234", "--", "1'235", "1'236", "1"],
    ],
)
def test_columns_of_numbers_that_nobody_can_read_are_named_with_a_remedy_that_loses_nothing(cells):
    with pytest.warns(UserWarning, match="no features, because of cells") as caught:
        found = read(FRAME.assign(ndvi=cells), group="site")
    said = str(caught[0].message)
    assert "write all numbers alike" in said and "Empty those cells" not in said
    assert all(repr(cell) in said for cell in cells[:2]) and "note" not in said and "ndvi" not in found.frame
    for frame, named in (
        (FRAME.assign(ndvi=cells), ["ndvi"]),
        (pd.DataFrame({"kind": FRAME["kind"], "a": cells}), None),
    ):
        with pytest.raises(LulcError, match="which numbers they hold: .*write all numbers alike"):
            read(frame, features=named)


def test_numbers_that_mean_missing_are_told_and_taken_for_missing():
    frame = FRAME.drop(columns="block").assign(B4=[-9999, 0.2, 0.3, 0.4, -32768], n=[1, 2, 3, -9999, 5])
    before = frame.copy()
    with pytest.warns(UserWarning, match=r"-9999 or -32768 in these columns: B4 \(2\), n \(1\)\.") as caught:
        found = read(frame, group="site")
    assert len(caught) == 1 and found.values.tolist() == [[0, 2, 1, 0, 0]]
    assert found.account.loc[found.account["became"] == tables.INCOMPLETE, "rows"].sum() == 1
    pd.testing.assert_frame_equal(frame, before)


def test_a_column_that_is_the_class_again_is_named():
    twice = pd.concat([FRAME, FRAME], ignore_index=True).drop(columns="block")
    again = twice.assign(code=[7, 8, 7, 0, 9] * 2)
    with pytest.warns(UserWarning, match=r"one value of its own in code: is that the class again\?.*table_features"):
        read(again)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(again, features=["n", "code"])  # who names it wants it
        read(again.assign(code=[7, 8, 6, 0, 9] * 2))  # a has two values


def test_columns_whose_names_the_kit_needs_are_named():
    with pytest.warns(UserWarning, match=r"^block, train_1 became no features.*Rename"):
        found = read(FRAME.assign(block=range(5), train_1=range(5)), group="site")
    assert list(found.frame.columns) == ["B4", "n"]


def test_row_numbers_that_r_and_pandas_write_are_no_feature():
    assert list(read(FRAME.assign(**{"Unnamed: 0": range(5)}), group="site").frame.columns) == ["B4", "n"]


def test_what_no_single_precision_number_can_be_is_left_out_and_counted():
    large = FRAME.drop(columns="block").assign(B4=[1e39, 0.2, 0.3, 0.4, -np.inf], n=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read(large)
    assert found.values.tolist() == [[0, 2, 1, 0, 0]]
    assert found.account.loc[found.account["became"] == tables.INCOMPLETE, "rows"].sum() == 1
