"""The search for settings: what is drawn, and that the test fold has no say in what is chosen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import classes, params, raster
from lulc_kit.deep import networks, results, temporal, training, tuning
from lulc_kit.deep.scene import Scene
from lulc_kit.layout import Layout
from tests.labelled import labelled

SHAPE = (48, 64)
SCHEME = classes.scheme("workflow").subset([1, 3])


@given(
    count=st.integers(0, 20), seed=st.integers(0, 99), names=st.sets(st.sampled_from(list(tuning.SPACE)), min_size=1)
)
@settings(deadline=None, max_examples=30)
def test_the_settings_given_come_first_and_none_is_tried_twice(count, seed, names):
    found = tuning.trials(count, sorted(names), seed)
    there = int(np.prod([len(tuning.SPACE[name]) for name in names]))
    assert found[0] == tuning.Trial() and found[0].words() == "as given" and found[0].of_network == {}
    assert len(set(found)) == len(found) and len(found) >= min(count, there // 2)
    assert len(found) <= count + 1
    for trial in found:
        assert all(getattr(trial, name) == getattr(found[0], name) for name in tuning.SPACE if name not in names)
    assert found == tuning.trials(count, sorted(names), seed)


@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", temporal.TEMPORAL)
def test_networks_of_dates_can_be_narrower_and_wider(name, width):
    half = np.ones(2, np.float32)
    model = temporal.TEMPORAL[name](half, half, 3, 4, **temporal.widen(name, width))
    plain = temporal.TEMPORAL[name](half, half, 3, 4)
    assert np.sign(model.count_params() - plain.count_params()) == np.sign(width - 1)


def scene(hurt=False):
    """Two classes that a band tells apart with noise; ``hurt``: the labels of fold 1 are others, at random."""
    generator = np.random.default_rng(1)
    truth = np.kron(generator.integers(0, 2, (6, 8)), np.ones((8, 8), int))
    image = (truth + generator.normal(0, 1.5, SHAPE))[None].astype(np.float32)
    fold = np.where(np.arange(64) < 32, 1, 2) * np.ones((48, 1), int)
    labels = np.array([1, 3], np.uint8)[truth]
    if hurt:
        labels[fold == 1] = generator.choice(np.array([1, 3], np.uint8), (fold == 1).sum())
    block = np.kron(np.arange(1, 49).reshape(6, 8), np.ones((8, 8), int))
    folds = {"fold": fold, "block": block, "train_1": fold == 2, "train_2": fold == 1}
    box = GeoBox(SHAPE, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    return Scene(raster.array(image, box, ["B4"]).chunk(), labelled(scheme=SCHEME, labels=labels, folds=folds, box=box))


def search(tmp_path, learnt, **more):
    p = params.FCN.check({"run": "t", "network": "mlp", "patch": 16, "filters": [4], "steps": 40} | more, "a test")
    return results.train_fcn(learnt, p, Layout(tmp_path))


def test_the_best_by_inner_validation_is_kept_and_the_test_fold_has_no_say(tmp_path):
    """With other labels in fold 1 the network that it tests, and its search, stay the same; those of fold 2 do not."""
    found = search(tmp_path / "a", scene(), tune=1)
    assert found.trials["fold"].tolist() == [1] * 2 + [2] * 2 and found.trials["settings"][0] == "as given"
    for fold, rows in found.trials.groupby("fold"):
        best = rows.loc[rows["validation_loss"].idxmin()]
        assert rows["chosen"].sum() == 1 and best["chosen"] and found.chosen(fold) == best["settings"]
        assert best["step"] == found.kept[fold - 1]
        assert found.validated(fold) == best["validation_f1"]
    other = search(tmp_path / "b", scene(hurt=True), tune=1)
    one, same = (t.trials.query("fold == 1").drop(columns="chosen") for t in (found, other))
    assert one["settings"].tolist() == same["settings"].tolist()
    np.testing.assert_allclose(one["validation_loss"], same["validation_loss"], atol=1e-6)
    for a, b in zip(found.networks[0].get_weights(), other.networks[0].get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    differ = [(t.trials.query("fold == 2")["validation_loss"]).to_numpy() for t in (found, other)]
    assert np.abs(differ[0] - differ[1]).max() > 1e-3


def test_trials_are_those_settings_and_a_search_that_was_cut_off_goes_on(tmp_path, monkeypatch):
    trial = tuning.Trial(rate=3.0, width=2.0, dropout=0.4, weighting="sqrt")
    monkeypatch.setattr(tuning, "trials", lambda count, names, seed: [tuning.Trial(), trial])
    monkeypatch.setattr(training, "LEAST", 20)
    fits = []
    fit = training.Trainer.fit

    def seen(self, model, data, *rest, **more):
        fits.append((self.how.rate, self.how.weighting, model.layers[2].filters))
        state = fit(self, model, data, *rest, **more)
        if len(fits) == 4 and not done:
            raise KeyboardInterrupt
        return state

    done = []
    monkeypatch.setattr(training.Trainer, "fit", seen)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, scene(), tune=1)
    assert fits[:2] == [(0.003, "none", 4), (pytest.approx(0.009), "sqrt", 8)] == fits[2:]
    done.append(True)
    batches = []
    monkeypatch.setattr(training.patches.Patches, "__getitem__", lambda self, i: batches.append(i))
    found = search(tmp_path, scene(), tune=1)
    assert not batches, "nothing is trained again"
    assert found.trials["settings"].tolist() == ["as given", trial.words()] * 2
    assert "dropout 0.4" in trial.words() and "class_weight sqrt" in trial.words()


def test_without_inner_validation_nothing_is_tried(tmp_path):
    with pytest.warns(UserWarning, match="nobody validates fold 1, so no settings are tried"):
        found = search(tmp_path, scene(), tune=2, inner_validation=0.0, steps=20)
    assert found.trials["settings"].tolist() == ["as given"] * 2 and found.chosen(2) == "as given"
    assert search(tmp_path, scene(), inner_validation=0.0, steps=20).trials is None
    assert networks.reach(found.networks[0]) == 0
