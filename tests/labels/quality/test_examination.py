"""All checks at once: of a table with places, polygons and dates, and of one that has none of it."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from lulc_kit.labels.quality import examination, separability
from tests.labels.quality.test_dates import DAYS, cube_of


@pytest.fixture(scope="module")
def table():
    generator = np.random.default_rng(1)
    kind = np.repeat([0, 1], 32)
    rows, columns = np.divmod(np.arange(64), 8)
    features = pd.DataFrame(generator.normal(0, 0.02, (64, 2)) + kind[:, None] * 0.1, columns=["B4", "B8"])
    fold = columns // 4 + 1
    known = pd.DataFrame(
        {"class": np.array(["Water", "Forest"])[kind], "label": kind + 1, "row": rows, "column": columns, "fold": fold}
        | {"random_fold": 1, "block": fold, "polygon": 2 * kind + fold, "train_1": fold != 1, "train_2": fold != 2}
    )
    points = gpd.points_from_xy(500_000 + 10 * columns + 5, 5_000_000 - 10 * rows - 5, crs="EPSG:32633")
    return gpd.GeoDataFrame(known.join(features).assign(slope=generator.normal(0, 1, 64)), geometry=points)


def test_everything_is_looked_at(table, tmp_path):
    found = examination.examine(table, cube_of(tmp_path, DAYS), names=["Forest", "Other", "Water"])
    assert found.balance.index.tolist() == ["Forest", "Water"], "in the order asked for, those that occur"
    assert found.balance["polygons"].tolist() == [2, 2]
    expected = separability.separability(table[["B4", "B8"]], table["class"])
    pd.testing.assert_frame_equal(found.separability.divergence, expected.divergence, check_names=False)
    assert found.duplicates["groups"].tolist() == [0, 0]
    assert found.clouds.index.tolist() == list(DAYS) and set(found.profiles["class"]) == {"Forest", "Water"}
    assert {"easting", "northing"} <= set(found.doubtful) & set(found.outliers)
    assert found.circularity["rule"].str.contains("all 3 features").any(), "also of what is no band"


def test_a_table_without_places_polygons_and_dates_is_enough(table):
    bare = pd.DataFrame(table.drop(columns=["geometry", "row", "column", "polygon", "block"]))
    found = examination.examine(bare)
    assert found.clouds is None and found.profiles is None
    assert list(found.balance) == ["samples", "share"] and found.duplicates.index.tolist() == ["same features"]


def test_samples_without_all_features_are_left_out(table):
    holes = table.copy()
    holes.loc[[0, 40], "B8"] = np.nan
    found = examination.examine(holes)
    assert found.balance["samples"].sum() == 62
    assert np.isfinite(found.separability.jeffries_matusita).all(axis=None)
