"""Samples: written and read again, and which rows and pixels may train what."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest

from lulc_kit import classes
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples
from tests.labelled import labelled

SCHEME = classes.scheme("workflow").subset([1, 3])


@pytest.fixture
def samples():
    """Six pixels of two folds; the first column lies too near to fold 2."""
    labels = np.array([[1, 3, 0], [3, 1, 1]], np.uint8)
    fold = np.array([[1, 1, 0], [1, 2, 2]])
    train = {"train_1": fold == 2, "train_2": np.array([[1, 0, 0], [1, 0, 0]])}
    folds = {"fold": fold, "random_fold": np.array([[1, 2, 0], [2, 1, 2]]), "block": fold, **train}
    rows, columns = np.nonzero(labels)
    table = gpd.GeoDataFrame(
        {"row": rows, "column": columns, "label": labels[rows, columns], "B4": 0.5, "NDVI": 0.1, "polygon": 0}
        | {name: numbers[rows, columns] for name, numbers in folds.items()},
        geometry=gpd.points_from_xy(columns, rows),
        crs="EPSG:32633",
    )
    return labelled(table, SCHEME, labels, folds)


def test_what_was_written_is_read_again(samples, tmp_path):
    layout = Layout(tmp_path)
    samples.write(layout)
    found = Samples.read(layout)
    assert found.table.equals(samples.table)
    assert (found.scheme, found.separation) == (SCHEME, "3 folds of blocks")
    np.testing.assert_array_equal(found.labels, samples.labels)
    np.testing.assert_array_equal(found.folds, samples.folds)
    assert found.folds.band.values.tolist() == samples.folds.band.values.tolist()
    before = found.fingerprint
    assert Samples.read(layout).fingerprint == before
    samples.folds[0, 0, 0] = 2
    samples.write(layout)
    assert Samples.read(layout).fingerprint != before


def test_rows_and_pixels_that_may_train(samples):
    assert samples.splits == ["fold", "random_fold"] and samples.n_splits == 2
    first, second = samples.training("fold")
    assert first.tolist() == [False, False, False, True, True]
    assert second.tolist() == [True, False, True, False, False], "also without the one that lies too near"
    assert samples.training("random_fold")[0].tolist() == [False, True, True, False, True]
    pixels = samples.trainable()
    assert pixels.dtype == bool and pixels.shape == (2, 2, 3)
    for k, rows in enumerate(samples.training("fold")):
        np.testing.assert_array_equal(pixels[k][samples.table["row"], samples.table["column"]], rows)
    np.testing.assert_array_equal(samples.codes("random_fold"), [[1, 2, 0], [2, 1, 2]])


@pytest.mark.parametrize(("most", "takes"), [(255, 1), (256, 2), (65_536, 4)])
def test_codes_take_no_more_bytes_than_their_numbers_need(samples, most, takes):
    samples.folds[0, 0, 0] = most
    found = samples.codes("fold")
    assert found.itemsize == takes
    np.testing.assert_array_equal(found, samples.folds[0])


def test_a_further_split_has_folds_and_training_rows_of_its_own(samples, tmp_path):
    """Three folds beside two; its bands are neither features nor taken for those of the first split."""
    known = {"further_fold": [1, 2, 3, 3, 2]}
    known |= {f"further_train_{k}": [fold not in (k, 2) for fold in known["further_fold"]] for k in (1, 2, 3)}
    more = replace(samples, table=samples.table.assign(**known), further="3 folds of (kNNDM)")
    more.write(Layout(tmp_path))
    found = Samples.read(Layout(tmp_path))
    assert found.splits == ["fold", "further_fold", "random_fold"] and found.further == "3 folds of (kNNDM)"
    expected = [known[f"further_train_{k}"] for k in (1, 2, 3)]
    assert [rows.tolist() for rows in found.training("further_fold")] == expected
    assert len(found.training("fold")) == 2 and found.features() == ("B4", "NDVI")


def test_features_are_the_table_s_or_those_wanted_in_their_order(samples):
    assert samples.features() == ("B4", "NDVI")
    assert samples.features(["NDVI"]) == ("NDVI",)
    with pytest.raises(LulcError, match=r"B9 are not in the samples.*B4, NDVI"):
        samples.features(["B4", "B9"])


def test_a_table_that_is_missing_or_broken_is_refused(samples, tmp_path):
    layout = Layout(tmp_path)
    samples.write(layout)
    layout.samples.write_bytes(b"no table")
    with pytest.raises(LulcError, match=r"samples.parquet cannot be read.*Run notebook 05 again"):
        Samples.read(layout)
