"""A smoothed map: the same whatever the blocks, no fold sees another, scores before and after on the same blocks."""

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from sklearn.metrics import f1_score

from lulc_kit import map_layers, raster
from lulc_kit.errors import LulcError
from lulc_kit.evaluate import accuracy, smoothed, smoothing
from lulc_kit.evaluate.smoothed import Way
from lulc_kit.raster import blockwise, writing
from tests.evaluate import test_trust

WAYS = [Way("gaussian", 1.5, 0), Way("majority", 1, 6), Way("none", 0, 9), Way("guided", 2, 5, 0.05)]
SHAPE = (48, 64)
BOX = GeoBox(SHAPE, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
VALUES = (1, 3, 5)


def percent(seed=1):
    generator = np.random.default_rng(seed)
    found = map_layers.percent(generator.dirichlet([1, 1, 1], SHAPE).transpose(2, 0, 1))
    found[:, :5, :9] = 255
    return found


def image():
    found = np.random.default_rng(9).uniform(0.02, 0.3, (3, *SHAPE)).astype(np.float32)
    found[1, 30:33, 40:50] = np.nan
    return found


def lazy(data, chunk=None):
    import dask.array as da

    names = [f"b{k}" for k in range(len(data))]
    return raster.array(data if chunk is None else da.from_array(data, (-1, chunk, chunk)), BOX, names)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_map_does_not_depend_on_the_blocks(way):
    whole = smoothed.apply(lazy(percent()), way, VALUES, guide=lazy(image())).values[0]
    for chunk in (16, 25):
        found = smoothed.apply(lazy(percent(), chunk), way, VALUES, guide=lazy(image(), 20))
        np.testing.assert_array_equal(found[0], whole)
    assert (whole[:5, :9] == 0).all() and (whole[5:] > 0).all()


def test_each_way_is_what_it_says():
    likely = percent()
    prob = np.where(likely > 100, np.nan, likely / 100).astype(np.float32)
    plain = map_layers.classify(prob, VALUES)
    expected = [
        map_layers.classify(smoothing.gaussian(prob, 1.5), VALUES),
        smoothing.sieve(smoothing.majority(plain, 3, VALUES), 6),
        smoothing.sieve(plain, 9),
        smoothing.sieve(map_layers.classify(smoothing.guided_filter(prob, image(), 2, 0.05), VALUES), 5),
    ]
    for way, codes in zip(WAYS, expected, strict=True):
        np.testing.assert_array_equal(smoothed.apply(lazy(likely), way, VALUES, guide=lazy(image()))[0], codes)
    assert str(WAYS[1]) == (
        "majority in a window of 3 × 3 pixels, patches of fewer than 6 pixels given to their largest neighbour"
    )


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_no_fold_sees_another(way):
    """What the pixels of fold 2 say does not change those of fold 1."""
    fold = np.where(np.arange(SHAPE[1]) < 30, 1, 2)[None] * np.ones(SHAPE, int)
    fold[20:24] = 0
    likely, other = percent(), percent(2)
    changed = np.where(fold == 2, other, likely)
    codes = lazy(fold[None].astype(np.uint32))
    found, other = (smoothed.apply(lazy(p, 16), way, VALUES, codes, lazy(image())).values[0] for p in (likely, changed))
    np.testing.assert_array_equal(other[fold == 1], found[fold == 1])
    assert (found[fold == 0] == 0).all() and (found[(fold > 0) & (likely[0] <= 100)] > 0).all()


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    layout = test_trust.study(tmp_path_factory.mktemp("study") / "s")
    labels, *_ = test_trust.landscape()
    rows, columns = np.indices(labels.shape)
    test = np.where((rows % 10 < 3) & (columns % 12 < 4), labels, 0)
    feature = (rows // 10 * 5 + columns // 12 + 1) * (test > 0)
    both = raster.array(np.stack([test, feature]).astype(np.uint32), test_trust.BOX, ["label", "feature"])
    writing.write(layout.validation, both, dtype="uint32", nodata=0)
    return layout


def made(layout, way, resamples=100):
    """Smooth, write, and judge what was written."""
    samples = test_trust.samples(layout)
    found = smoothed.smooth(layout, "rf", samples.scheme.values, way)
    writing.write(layout.run("rf").smoothed, found, dtype="uint8", nodata=0)
    return smoothed.judge(layout, "rf", samples, way, confidence=0.95, resamples=resamples, seed=1)


def test_scores_stand_before_and_after(layout):
    found = made(layout, Way("gaussian", 1.0, 0), 200)
    labels, *_ = test_trust.landscape()
    codes = raster.read_codes(layout.run("rf").crossval).data[0].compute()
    seen = (labels > 0) & (codes > 0)
    expected = f1_score(labels[seen], codes[seen], average="macro")
    assert found.before.macro.value == pytest.approx(expected)
    # Fields of 4 × 4 pixels with noise of each pixel: neighbours help.
    assert found.gain().low > 0 and found.after.macro.value > found.before.macro.value
    assert found.gain().value == pytest.approx(found.after.macro.value - found.before.macro.value)
    old = raster.read_codes(layout.run("rf").map).data[0].compute()
    new = raster.read_codes(layout.run("rf").smoothed).data[0].compute()
    assert found.changed == pytest.approx((old != new).sum() / (old > 0).sum()) and 0 < found.changed < 0.6
    test, feature = raster.read_codes(layout.validation).data.compute()
    for codes, scored in ((old, found.test_before), (new, found.test_after)):
        seen = (test > 0) & (codes > 0)
        assert scored.macro.value == pytest.approx(f1_score(test[seen], codes[seen], average="macro"))
        assert len(scored.left_out) == len(np.unique(feature[test > 0]))
    plain = found.to_dict()
    assert plain["how"] == "probabilities averaged by a Gaussian of 1 pixels"
    assert plain["test_set"]["after"]["macro_f1"]["value"] > plain["test_set"]["before"]["macro_f1"]["value"]


def test_smoothing_that_changes_nothing_is_refused(layout):
    with pytest.raises(LulcError, match="method none and least_area 0 change nothing"):
        smoothed.smooth(layout, "rf", VALUES, Way("none", 1.0, 0))


def test_scores_of_windows_are_those_of_the_whole():
    """Counted in windows of 16 pixels, blocks across them."""
    generator = np.random.default_rng(3)
    true, codes = (generator.choice([0, *VALUES], SHAPE).astype(np.uint8) for _ in range(2))
    block = (np.indices(SHAPE)[1] // 13 + 1).astype(np.uint32) * (true > 0)
    (found,) = smoothed._count(lazy(true[None], 16), lazy(block[None], 16), [lazy(codes[None], 25)], VALUES)
    np.testing.assert_array_equal(found, accuracy.by_block(true, codes, block, VALUES))


def test_a_least_area_that_does_not_fit_the_memory_is_refused(monkeypatch):
    """Patches are sought in the whole map: 12 bytes of a pixel, of which 3072 have more than nothing."""
    monkeypatch.setattr(smoothed, "SIEVED", 10**9)
    blockwise.limit_memory(2000)
    try:
        with pytest.raises(LulcError, match="a least area.*Set memory to at least"):
            smoothed.apply(lazy(percent()), Way("none", 0, 9), VALUES)
    finally:
        blockwise.limit_memory(None)


def test_too_much_smoothing_costs_and_the_scores_say_so(layout):
    found = made(layout, Way("gaussian", 6.0, 0))
    assert found.gain().high < 0
