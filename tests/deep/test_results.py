"""What runs of networks read: the dates of the cube."""

import json
from dataclasses import replace

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import attribution, classes, origins, params, raster, travel
from lulc_kit.deep import results
from lulc_kit.deep.scene import Scene
from lulc_kit.errors import BandError, LulcError
from lulc_kit.layout import Layout
from lulc_kit.raster import writing
from tests.deep import studies
from tests.deep.series import DATES, SHAPE, put_cube, series_of
from tests.labelled import labelled


def test_series_reads_the_clear_pixels_of_the_dates_wanted(cube):
    series = series_of(cube, ["B8"], ["2020-02-01", "2020-05-31"])
    assert series.dates == DATES[1:5]
    whole = series.window(0, SHAPE[0], 0, SHAPE[1])
    assert whole.images.shape == (4, *SHAPE, 1) and whole.days.tolist() == [32, 61, 92, 122]
    assert np.isnan(whole.images[:, :4, :4]).all()
    for i, date in enumerate(series.dates):
        mask = raster.read_codes(cube.mask(date)).to_numpy()[0]
        values = raster.read(cube.image(date), ["B8"]).to_numpy()[0]
        np.testing.assert_array_equal(whole.seen[i], mask == 0)
        np.testing.assert_allclose(whole.images[i, ..., 0], np.where(mask == 0, values, np.nan), rtol=1e-6)
        assert series.clear_parts()[i] == pytest.approx((mask == 0).mean())


def test_series_filled_in_time_still_knows_what_was_seen(cube):
    plain, filled = (series_of(cube, ["B4", "B8"], gaps=gaps).window(0, 32, 0, 48) for gaps in ("mean", "linear"))
    np.testing.assert_array_equal(filled.seen, plain.seen)
    np.testing.assert_array_equal(filled.images[filled.seen], plain.images[plain.seen])
    ever = plain.seen.any(axis=0)
    assert np.isfinite(filled.images[:, ever]).all() and np.isnan(filled.images[:, ~ever]).all()
    days = np.array(DATES, "datetime64[D]").astype(float)
    seen = plain.seen[:, 12, 21]
    assert not seen[3], "hidden on this date"
    expected = np.interp(days, days[seen], plain.images[seen, 12, 21, 1])
    np.testing.assert_allclose(filled.images[:, 12, 21, 1], expected, atol=1e-6)


@pytest.mark.parametrize(("dates", "count"), [(["2020-02-01", "2020-03-31"], 2), (["2021-01-01", "2021-12-31"], 0)])
def test_too_few_dates_are_refused_with_those_that_there_are(cube, dates, count):
    there = rf"{count} between {dates[0]} and {dates[1]}, {len(DATES)} in all from {DATES[0]} to {DATES[-1]}\."
    with pytest.raises(LulcError, match=rf"needs 3 dates, and the cube has {there} Widen 'dates', lower 'length'"):
        series_of(cube, ["B4"], dates)


def test_a_cube_of_fewer_dates_than_a_sequence_is_refused(cube):
    p = params.LSTM(length=len(DATES) + 1, dates=None)
    with pytest.raises(LulcError, match=rf"needs {len(DATES) + 1} dates, and the cube has {len(DATES)}, "):
        results.read_series(cube, ["B4"], p)


@pytest.mark.parametrize(
    ("bands", "settings", "says"),
    [
        (
            ["NDVI", "B8"],
            {"network": "fcn_lstm"},
            r"Run fcn of notebook 07 reads NDVI, .* have B4, B8\..*'fcn', or take",
        ),
        (["B4"], {"network": "ltae", "features": ["B4", "PC1"]}, r"'features' names PC1, .* have B4, B8\.\nName in"),
        (["NDVI"], {"network": "ltae"}, r"The stack has no band of the dates, .* have B4, B8\.\nName in"),
    ],
)
def test_features_that_dates_lack_are_refused_before_anything_is_read(tmp_path, monkeypatch, bands, settings, says):
    layout = put_cube(studies.put(tmp_path, "s", bands=bands))
    run = results.FCNRun([], bands, 16)  # as of a run of 07 that was trained on the whole stack
    monkeypatch.setattr(results, "open_fcn", lambda *_: run)
    p = params.LSTM.check({"study": "s", "length": 3, "dates": None} | settings, "a test")
    with pytest.raises(BandError, match=f"(?s){says}"):
        results.open_first(p, origins.open_samples(layout), layout)


def test_a_network_reads_all_features_or_those_that_are_named(tmp_path):
    layout = studies.put(tmp_path, "s", bands=("B4", "B4_mean3", "PC1"))
    for features, bands in ((None, ["B4", "B4_mean3", "PC1"]), (["PC1", "B4"], ["PC1", "B4"])):
        p = params.FCN.check({"study": "s", "features": features}, "a test")
        assert results.open_scene(origins.open_samples(layout), p.features, p, layout).bands == bands


def test_a_run_leaves_networks_with_cards_and_is_opened_for_its_own_classes_only(tmp_path, monkeypatch):
    monkeypatch.setattr(attribution, "_line", "made by a test")
    layout, scheme, shape = Layout(tmp_path), classes.scheme("workflow").subset([1, 3]), (32, 48)
    grid = GeoBox(shape, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    truth = np.kron(np.random.default_rng(1).integers(0, 2, (4, 6)), np.ones((8, 8), int))
    stack = raster.array(truth[None].astype(np.float32), grid, ["B4"]).chunk()
    labels = np.array([1, 3], np.uint8)[truth]
    fold = np.where(np.arange(48) < 24, 1, 2) * np.ones((32, 1), int)
    block = np.kron(np.arange(1, 25).reshape(4, 6), np.ones((8, 8), int))
    folds = {"fold": fold, "block": block, "train_1": fold == 2, "train_2": fold == 1}
    samples = labelled(scheme=scheme, labels=labels, folds=folds, box=grid)
    samples = replace(samples, folds=samples.folds.chunk())
    tags = travel.tag({"B4": ("bands", "reflectance")}, {travel.ALWAYS: {"level": "L2A"}})
    writing.write(layout.stack, stack, tags=tags)
    p = params.FCN.check({"run": "t", "patch": 16, "filters": [4], "steps": 60, "learning_rate": 0.03}, "a test")
    scene = Scene(stack, samples)
    trained = results.train_fcn(scene, p, layout)
    results.write_fcn(trained, scene, samples, p, layout)
    run = layout.run("t")
    found = np.asarray(raster.read_codes(run.crossval).data[0])
    for k, pixels in enumerate(trained.pixels, 1):
        text = run.card(k).read_text(encoding="utf-8")
        tested = fold == k
        by_class = [
            2 * np.sum(tested & (found == v) & (labels == v)) / np.sum(tested * ((found == v) + 0 + (labels == v)))
            for v in (1, 3)
        ]
        assert f"test fold: {np.mean(by_class):.3f}" in text
        assert "B4 (reflectance)" in text and "Made so: level: L2A" in text
        assert "made by a test" in text and "learning_rate: 0.03" in text
        for name, n in zip(scheme.names, pixels, strict=True):
            assert f"{name} | {n}" in text
        assert sum(pixels) < (fold != k).sum(), "some of it validates"
        assert not run.checkpoint(k).exists()
    first = results.open_fcn(run, samples)
    assert (first.features, first.patch, len(first.networks)) == (["B4"], 16, 2)
    other = labelled(scheme=classes.scheme("workflow").subset([1, 5]), labels=labels, folds=folds, box=grid)
    with pytest.raises(
        LulcError, match=f"{', '.join(scheme.names)}; the study has {', '.join(other.scheme.names)} now"
    ):
        results.open_fcn(run, other)
    about = json.loads(run.about.read_text(encoding="utf-8"))
    del about["tells"]  # as runs of earlier versions are
    run.about.write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(LulcError, match="does not say which classes its networks tell: run its notebook again"):
        results.open_fcn(run, samples)
