"""Splits: every class in every fold, blocks whole, and the gap held by brute force."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from scipy.spatial.distance import cdist

from lulc_kit import classes, raster
from lulc_kit.errors import LulcError
from lulc_kit.labels import splits, tables
from lulc_kit.labels.sources import Labels
from lulc_kit.labels.splitters import BlockSplit, GroupSplit, KNNDMSplit, PolygonSplit, RandomSplit

SCHEME = classes.scheme("workflow")


def labels(values):
    values = np.asarray(values, np.uint8)
    box = GeoBox(values.shape, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    return Labels(values, np.zeros(values.shape, np.uint32), box, SCHEME)


def split(values, folds, side, gap, seed):
    splitter = BlockSplit(n_splits=folds, spacing=side, buffer=gap, random_state=seed)
    return splits.split(labels(values), splitter)


def scattered(seed=1, shape=(64, 70), present=(1, 3, 5)):
    """Small fields of a few classes with unlabelled land between them."""
    generator = np.random.default_rng(seed)
    fields = generator.choice(
        [0, *present], (-(-shape[0] // 4), -(-shape[1] // 5)), p=[0.4, *([0.6 / len(present)] * len(present))]
    )
    return np.kron(fields, np.ones((4, 5), int))[: shape[0], : shape[1]].astype(np.uint8)


@given(
    seed=st.integers(0, 1000), folds=st.integers(2, 5), side=st.integers(4, 12), gap=st.sampled_from([0, 10, 25, 40])
)
@settings(max_examples=25, deadline=None)
def test_folds_hold_every_class_whole_blocks_and_the_gap(seed, folds, side, gap):
    values = scattered(seed)
    found = split(values, folds, side * 10, gap, seed)
    labelled = values > 0
    assert found.count == folds
    for fold in (found.fold, found.random_fold):
        np.testing.assert_array_equal(fold > 0, labelled)
        assert fold.max() == folds
    for k in range(1, folds + 1):
        assert set(np.unique(values[found.fold == k])) == set(np.unique(values[labelled]))

    # Blocks: the square a pixel lies in, worked out anew.
    rows, columns = np.nonzero(labelled)
    square = {}
    for r, c in zip(rows, columns, strict=True):
        square.setdefault((r // side, c // side), set()).add((int(found.fold[r, c]), int(found.block[r, c])))
    assert all(len(s) == 1 for s in square.values()), "a block lies in one fold and has one number"
    numbers = [b for s in square.values() for _, b in s]
    assert len(set(numbers)) == len(square)
    assert (found.block > 0).tolist() == labelled.tolist()

    # The gap: all distances between training and test pixels.
    for k in range(1, folds + 1):
        train, test = np.argwhere(found.trainable[k - 1]), np.argwhere(found.fold == k)
        other = np.argwhere(labelled & (found.fold != k))
        near = cdist(other, test).min(axis=1) * 10
        assert cdist(train, test).min() * 10 >= max(gap, 10)
        expected = {tuple(p) for p, d in zip(other, near, strict=True) if d >= gap}
        assert {tuple(p) for p in train} == expected, "no pixel is left out that need not be"


def test_random_folds_are_of_equal_size_and_unlike_the_blocks():
    values = scattered()
    found = split(values, 4, 80, 0, 1)
    sizes = np.bincount(found.random_fold[values > 0])[1:]
    assert sizes.max() - sizes.min() <= 1
    # Within one block nearly every random fold occurs: that is the leak the split is kept to show.
    inside = found.block == np.bincount(found.block[values > 0]).argmax()
    assert len(np.unique(found.random_fold[inside])) == 4


def test_polygons_are_tested_whole_in_the_block_of_their_centre():
    # Fields of 6×7 pixels across blocks of 8×8: many fields lie in several blocks.
    generator = np.random.default_rng(4)
    kinds = generator.choice([0, 1, 3, 5], (10, 10), p=[0.2, 0.3, 0.3, 0.2])
    numbers = np.arange(1, 101).reshape(10, 10) * (kinds > 0)
    values, source = (np.kron(a, np.ones((6, 7), int)) for a in (kinds, numbers))
    source[:, 35:] = 0  # labels from elsewhere, without polygons
    plain = labels(values)
    found = splits.split(
        Labels(plain.values, source.astype(np.uint32), plain.geobox, SCHEME),
        BlockSplit(n_splits=3, spacing=80, buffer=0, random_state=1),
    )
    blocks = {}
    for number in np.unique(source[source > 0]):
        rows, columns = np.nonzero(source == number)
        assert len(np.unique(found.fold[rows, columns])) == 1, "no polygon is torn apart"
        square = (int(rows.mean()) // 8, int(columns.mean()) // 8)
        blocks.setdefault(square, set()).update(np.unique(found.block[rows, columns]))
    for row, column in np.argwhere((source == 0) & (values > 0)):
        blocks.setdefault((row // 8, column // 8), set()).add(found.block[row, column])
    assert all(len(b) == 1 for b in blocks.values())
    assert len({b for of_square in blocks.values() for b in of_square}) == len(blocks)


def test_blocks_do_not_wrap_around_the_edge_of_the_scene():
    values = np.full((8, 23), 1, np.uint8)
    values[:, ::2] = 3
    found = split(values, 2, 80, 0, 1)
    assert np.unique(found.block).size == 3
    values = np.full((16, 16), 1, np.uint8)
    values[:, ::2] = 3
    assert np.unique(split(values, 2, 80, 0, 1).block).size == 4


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    one, same, other = (split(scattered(), 3, 60, 20, s) for s in (5, 5, 6))
    for name in ("fold", "random_fold", "block", "trainable"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
    assert (one.fold != other.fold).any()
    assert (one.random_fold != other.random_fold).any()


def test_too_few_blocks_of_a_class_are_refused():
    values = scattered()
    values[values == 5] = 0
    values[:3, :3] = 5
    with pytest.raises(LulcError, match=r"Water occurs in 1 block\(s\) of 60 m, too few for 3 folds"):
        split(values, 3, 60, 0, 1)


@pytest.mark.parametrize(
    "blocks",
    [
        [{1, 3, 5}, {1}, {3, 5}],  # the first alone, the others together
        [{3, 5}, {5}, {1, 3}, {1}],  # first and last, second and third
        [{1}, {3}, {5}, {1, 3, 5}],
    ],
)
def test_a_sharing_that_exists_is_found(blocks):
    values = np.zeros((12, 12 * len(blocks)), np.uint8)
    for i, present in enumerate(blocks):
        for j, value in enumerate(sorted(present)):
            values[j * 4 : j * 4 + 4, i * 12 : i * 12 + 12] = value
    found = split(values, 2, 120, 0, 1)
    for k in (1, 2):
        assert set(np.unique(values[found.fold == k])) == {1, 3, 5}


def test_an_impossible_sharing_is_refused():
    # Blocks: A {1,3}, B {1,5}, C {3,5}. Whichever block is alone in its fold lacks a class there.
    values = np.zeros((10, 30), np.uint8)
    for i, (upper, lower) in enumerate([(1, 3), (1, 5), (3, 5)]):
        values[:5, i * 10 : i * 10 + 10], values[5:, i * 10 : i * 10 + 10] = upper, lower
    with pytest.raises(LulcError, match=r"could not be shared out.*Build-up 2, Forest 2, Water 2"):
        split(values, 2, 100, 0, 1)


def test_a_gap_that_leaves_nothing_to_train_on_is_refused():
    with pytest.raises(LulcError, match=r"gap of 2000 m no training pixel of .*Water.*fold 1"):
        split(scattered(), 3, 60, 2000, 1)


def test_bands_and_counts():
    values = scattered()
    found = split(values, 3, 60, 20, 1)
    layers = splits.to_raster(labels(values), found)
    assert layers.band.values.tolist() == ["fold", "random_fold", "block", "train_1", "train_2", "train_3"]
    assert layers.dtype == np.uint32
    np.testing.assert_array_equal(layers.sel(band="block"), found.block)
    np.testing.assert_array_equal(raster.select(layers, ["train_2"])[0], found.trainable[1])
    table = splits.counts(labels(values), found)
    assert table.index.tolist() == ["Build-up", "Forest", "Water"]
    assert table["all"].tolist() == [(values == v).sum() for v in (1, 3, 5)]
    assert table.loc["Forest", "fold 2"] == ((values == 3) & (found.fold == 2)).sum()


def fields(seed=1, side=4, rows=15, columns=16):
    """Square polygons, each of one class, with their numbers; every fourth is unlabelled."""
    generator = np.random.default_rng(seed)
    kind = generator.choice([0, 1, 3, 5], (rows, columns))
    number = np.where(kind > 0, np.arange(1, rows * columns + 1).reshape(rows, columns), 0)
    values, source = (np.kron(a, np.ones((side, side), int)) for a in (kind, number))
    return Labels(values.astype(np.uint8), source.astype(np.uint32), labels(values).geobox, SCHEME)


MAPPED = np.random.default_rng(3).uniform(0, 640, (400, 2))


@pytest.mark.parametrize(
    "splitter",
    [
        BlockSplit(n_splits=3, spacing=120, buffer=25),
        PolygonSplit(n_splits=3, buffer=25),
        GroupSplit(n_splits=3, buffer=25),
        GroupSplit(buffer=25),
        KNNDMSplit(n_splits=3, buffer=25, prediction=MAPPED),
        RandomSplit(n_splits=3),
    ],
    ids=lambda s: type(s).__name__,
)
def test_every_splitter_lays_its_folds_on_the_grid(splitter):
    """On pixels as on their coordinates: the same rows train and test."""
    drawn = fields()
    region = np.array(["west", "east", "south"])[np.arange(240) % 16 // 6]
    found = splits.split(replace(drawn, groups=region), splitter)
    inside = np.nonzero(drawn.values)
    points = np.column_stack(inside[::-1]) * 10.0
    polygon = drawn.source[inside]
    groups = region[polygon - 1] if isinstance(splitter, GroupSplit) else polygon
    folds = list(splitter.split(points, splits.kinds(drawn), groups))
    assert found.count == len(folds) == 3
    for k, (train, test) in enumerate(folds, 1):
        np.testing.assert_array_equal(np.flatnonzero(found.fold[inside] == k), test)
        np.testing.assert_array_equal(np.flatnonzero(found.trainable[k - 1][inside]), train)
    if not isinstance(splitter, RandomSplit):
        assert all(len(np.unique(found.fold[drawn.source == n])) == 1 for n in np.unique(polygon))
    assert (found.block[inside] > 0).all()
    assert f"{found.count} folds of " in splits.separation(drawn, found)


@pytest.mark.parametrize("splitter", [PolygonSplit(), KNNDMSplit(prediction=MAPPED)])
def test_pixels_of_a_class_raster_are_no_polygons(splitter):
    with pytest.raises(LulcError, match="belong to no polygon or point.*use split: blocks"):
        splits.split(labels(scattered()), splitter)


def test_groups_must_be_known():
    with pytest.raises(LulcError, match="'group_field' in 05_samples.yaml"):
        splits.split(fields(), GroupSplit())


def test_a_class_in_a_single_block_is_left_out_and_said():
    values = scattered()
    values[values == 5] = 0
    values[:3, :3] = 5
    with pytest.warns(UserWarning, match="Water occurs in 1 block.*no map shows Water"):
        kept, found = splits.separate(labels(values), BlockSplit(n_splits=3, spacing=60))
    assert set(np.unique(kept.values)) == {0, 1, 3} and not found.fold[:3, :3].any()
    assert len(found.notes) == 1 and found.count == 3
    with pytest.raises(LulcError, match="fewer than two classes remain"):
        splits.separate(labels(np.where(values == 3, 0, values)), BlockSplit(n_splits=3, spacing=60))


def test_a_further_split_is_of_the_same_pixels_and_lies_on_the_grid_beside_the_first():
    drawn = fields()
    first = splits.split(drawn, BlockSplit(n_splits=3, spacing=120, buffer=25))
    other = KNNDMSplit(n_splits=4, buffer=25, prediction=MAPPED)
    both = splits.split_further(drawn, first, other)
    alone = splits.split(drawn, other)
    np.testing.assert_array_equal(both.further.fold, alone.fold)
    np.testing.assert_array_equal(both.further.fold > 0, both.fold > 0)
    layers = splits.to_raster(drawn, both)
    np.testing.assert_array_equal(layers[:6], splits.to_raster(drawn, first))
    names = ["further_fold", *(f"further_train_{k}" for k in (1, 2, 3, 4))]
    assert layers.band.values.tolist()[6:] == names
    np.testing.assert_array_equal(layers[6:], [alone.fold, *alone.trainable])
    assert "kNNDM" in splits.separation(drawn, both.further) and "kNNDM" not in splits.separation(drawn, both)


def test_a_further_split_makes_fewer_folds_or_is_left_out_and_said():
    """Water lies in two places only; then in one, so that no split of whole polygons can test it."""
    drawn = fields()
    first = splits.split(drawn, BlockSplit(n_splits=2, spacing=120))
    kept = np.isin(drawn.source, np.unique(drawn.source[drawn.values == 5])[:2]) | (drawn.values != 5)
    rare = replace(drawn, values=drawn.values * kept, source=drawn.source * kept)
    with pytest.warns(UserWarning, match="2 folds of polygons, not 4"):
        found = splits.split_further(rare, first, PolygonSplit(n_splits=4))
    assert found.further.count == 2 and found.notes[0].startswith("Further split: Water")
    kept = (drawn.source == drawn.source[drawn.values == 5][0]) | (drawn.values != 5)
    single = replace(drawn, values=drawn.values * kept, source=drawn.source * kept)
    with pytest.warns(UserWarning, match="A further split of polygons was not made: Water"):
        found = splits.split_further(single, first, PolygonSplit(n_splits=4))
    assert found.further is None and len(found.notes) == 1
    raster_labels = labels(scattered())
    whole = splits.split(raster_labels, BlockSplit(n_splits=2, spacing=100))
    with pytest.warns(UserWarning, match="not made: .* pixels belong to no polygon or point, and pixels that touch"):
        assert splits.split_further(raster_labels, whole, KNNDMSplit(prediction=MAPPED)).further is None


def test_random_test_pixels_lie_beside_those_that_train():
    """In a chess board of two folds the next training pixel is the neighbour."""
    values = np.full((20, 20), 3, np.uint8)
    chess = (np.indices((20, 20)).sum(axis=0) % 2 + 1).astype(np.uint8)
    found = splits.split(labels(values), BlockSplit(n_splits=2, spacing=100))
    assert (splits.measure_random(labels(values), replace(found, random_fold=chess)) == 10).all()


def test_what_is_scarce_is_named_with_the_least_that_is_needed():
    """Forest everywhere; of Water 30 pixels in the upper left corner and 30 in the lower right one."""
    values = np.full((60, 60), 3, np.uint8)
    values[:5, :6], values[-5:, -6:] = 5, 5
    with pytest.warns(
        UserWarning, match=r"Water in all folds together: 60 pixels in 2 blocks.*needs 50 .* in 6 blocks"
    ):
        kept, found = splits.separate(labels(values), BlockSplit(n_splits=2, spacing=100))
    rows = splits.scarce(kept, found)
    assert rows[["class", "fold", "pixels", "units"]].to_numpy().tolist() == [
        ["Water", 0, 60, 2],
        ["Water", 1, 30, 1],
        ["Water", 2, 30, 1],
    ]
    assert rows[["least_pixels", "least_units"]].to_numpy().tolist() == [[50, 6], [25, 3], [25, 3]]
    assert found.notes == ()


def test_a_class_that_some_folds_lack_is_said():
    drawn = fields()
    region = np.where(np.isin(np.arange(240) % 16, [0, 1]), "a", np.where(np.arange(240) % 16 < 8, "b", "c"))
    values = np.where((drawn.values == 5) & (np.arange(64) // 4 < 2), 0, drawn.values).astype(np.uint8)
    drawn = replace(drawn, values=values, source=np.where(values > 0, drawn.source, 0), groups=region)
    _, found = splits.separate(drawn, GroupSplit())
    assert found.notes == (
        "Not every class is in every fold: no Water in fold 1. Only the scores of all folds together count.",
    )


def test_distances_between_centres_of_polygons_and_the_map():
    """Four fields of 3 × 3 pixels; centres 100 m apart in a row, folds 1 1 2 2."""
    values, source = np.zeros((3, 40), np.uint8), np.zeros((3, 40), np.uint32)
    for n, start in enumerate((0, 10, 20, 30), 1):
        values[:, start : start + 3], source[:, start : start + 3] = (1, 3)[n % 2], n
    drawn = Labels(values, source, labels(values).geobox, SCHEME)
    found = splits.split(drawn, BlockSplit(n_splits=2, spacing=200))
    measured = splits.measure(drawn, found, np.array([[10.0, 60.0], [10.0, 10.0]]))
    assert measured.sample.tolist() == [100, 100, 100, 100]
    assert measured.map.tolist() == [50, 0]
    assert sorted(measured.test.tolist()) == [100, 100, 200, 200]


def test_distances_between_pixels_where_there_are_no_polygons():
    drawn = labels(scattered())
    found = splits.split(drawn, BlockSplit(n_splits=3, spacing=120, buffer=25))
    measured = splits.measure(drawn, found, MAPPED)
    inside = np.nonzero(drawn.values)
    points = np.column_stack(inside[::-1]) * 10.0
    assert (measured.sample == 10).all(), "every field is larger than a pixel"
    np.testing.assert_allclose(measured.map, cdist(MAPPED, points).min(axis=1))
    fold = found.fold[inside]
    for k in (1, 2, 3):
        trains = points[found.trainable[k - 1][inside]]
        np.testing.assert_allclose(measured.test[fold == k], cdist(points[fold == k], trains).min(axis=1))
    assert measured.test.min() >= 25


@pytest.mark.parametrize("shrink", [1, 4])
def test_places_all_over_what_is_mapped(shrink):
    grid = labels(np.zeros((120, 160))).geobox
    coarse = grid.zoom_out(shrink)
    data = np.ones((1, *coarse.shape), np.float32)
    data[0, :, : coarse.shape[1] // 2] = np.nan
    places = splits.everywhere(raster.array(data, coarse, ["B2"]), grid, 200)
    assert 120 <= len(places) <= 300
    assert (places[:, 0] >= 795).all() and (places[:, 0] <= 1595).all() and places[:, 1].max() <= 1195
    assert places.mean(axis=0) == pytest.approx([1195, 595], abs=25), "the middle of the half that has data"


def test_separation_in_words():
    apart = BlockSplit(n_splits=3, spacing=120, buffer=25)
    drawn = fields()
    said = splits.separation(drawn, splits.split(drawn, apart))
    assert said == "3 folds of whole 120 m blocks and whole polygons, training at least 25 m away from any test pixel"
    plain = labels(scattered())
    assert splits.separation(plain, splits.split(plain, BlockSplit(2, spacing=50))) == "2 folds of whole 50 m blocks"
    assert splits.separation(plain, splits.split(plain, RandomSplit(2))) == "2 folds of single pixels at random"


@pytest.mark.parametrize(
    "splitter", [RandomSplit(3), PolygonSplit(3), GroupSplit(3), GroupSplit()], ids=["random", "polygons", "3", "each"]
)
def test_folds_of_a_table_do_not_depend_on_the_order_of_its_rows(splitter):
    generator = np.random.default_rng(1)
    table = pd.DataFrame(
        {"NDVI": generator.random(90), "kind": np.resize(["wood", "lake"], 90), "site": generator.choice([*"bcad"], 90)}
    )
    rows = generator.permutation(90)
    found = [
        splits.split(tables.read(t, None, None, label="kind", group="site"), splitter)
        for t in (table, table.iloc[rows])
    ]
    for name in ("fold", "random_fold"):
        np.testing.assert_array_equal(getattr(found[1], name)[0], getattr(found[0], name)[0][rows])
