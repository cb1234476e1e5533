"""Training: learns what can be learnt, from nothing it must not see, as long as it pays, and goes on when cut off."""

import math
import signal
import subprocess
import sys
import textwrap
import time

import keras
import numpy as np
import pandas as pd
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from sklearn.metrics import f1_score, log_loss

from lulc_kit import classes, params, raster
from lulc_kit.deep import networks, patches, prediction, results, training
from lulc_kit.deep.scene import Scene
from lulc_kit.errors import LulcError, StorageError
from lulc_kit.layout import Layout
from tests.labelled import labelled
from tests.scene import REPOSITORY, environment

SCHEME = classes.scheme("workflow").subset([1, 3, 5])
SHAPE = (64, 96)


def scene(labels=None, seed=1):
    """Squares of three classes that two noisy features tell apart; the left and the right half are the two folds."""
    generator = np.random.default_rng(seed)
    truth = np.kron(generator.integers(0, 3, (8, 12)), np.ones((8, 8), int))
    noise = generator.normal(0, 0.15, (2, *SHAPE))
    stack = np.stack([truth == 0, truth == 1]) * [[[1.0]], [[100.0]]] + noise * [[[1.0]], [[100.0]]]
    stack[0, 30:33, 40:44] = np.nan
    values = np.array([1, 3, 5], np.uint8)[truth]
    if labels is None:
        labels = np.where(generator.random(SHAPE) < 0.6, values, 0)
    fold = np.where(np.arange(SHAPE[1]) < 48, 1, 2) * (labels > 0)
    near = np.abs(np.arange(SHAPE[1]) - 47.5) < 4  # the gap
    train = [(fold > 0) & (fold != k) & ~near for k in (1, 2)]
    box = GeoBox(SHAPE, from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
    block = np.kron(np.arange(1, 97).reshape(8, 12), np.ones((8, 8), int)) * (labels > 0)
    folds = {"fold": fold, "block": block, "train_1": train[0], "train_2": train[1]}
    features = raster.array(stack.astype(np.float32), box, ["a", "b"]).chunk({"band": 1, "y": 40, "x": 40})
    learnt = Scene(features, labelled(scheme=SCHEME, labels=labels, folds=folds, box=box))
    return learnt, values, fold


def parameters(**more):
    defaults = {"run": "t", "patch": 16, "filters": [6], "steps": 80, "batch": 4, "learning_rate": 0.03}
    return params.FCN(**defaults | more)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    learnt, _, _ = scene()
    layout = Layout(tmp_path_factory.mktemp("study"))
    return results.train_fcn(learnt, parameters(), layout), layout


def test_a_network_learns_what_can_be_learnt(trained):
    found, _ = trained
    learnt, values, _ = scene()
    image = np.moveaxis(learnt.features, -1, 0)
    for k, model in enumerate(found.networks, 1):
        said = np.array([1, 3, 5])[
            np.nan_to_num(np.asarray(prediction.of_images([model], np.moveaxis(image, 0, -1)))).argmax(axis=0)
        ]
        held_out = (np.arange(SHAPE[1]) < 48 if k == 1 else np.arange(SHAPE[1]) >= 48) & learnt.valid
        assert (said == values)[held_out].mean() > 0.95


def test_the_log_says_how_training_went_and_lies_beside_the_run_as_a_table(trained):
    found, layout = trained
    for k in (1, 2):
        own = found.log[found.log["fold"] == k]
        assert own["step"].tolist() == [20, 40, 60, 80]
        assert own["loss"].iloc[-1] < own["loss"].iloc[0] / 2
        assert own["validation_f1"].iloc[-1] > own["validation_f1"].iloc[0]
        best = own.loc[own["validation_loss"].idxmin(), "step"]
        assert found.kept[k - 1] == best
        lines = layout.run("t").log(k).read_text().splitlines()
        assert lines[0] == "step,seconds,rate,loss,validation_loss,validation_f1" and len(lines) == 5
    assert found.curves("loss").columns.tolist() == ["fold 1", "fold 2"]
    assert found.curves("loss").index.name == "step"


def test_on_a_full_disk_training_goes_on_with_one_warning_and_who_looks_on_is_told_after_each_look(
    tmp_path, monkeypatch
):
    def full(path):
        raise StorageError(f"{path} cannot be written: the disk has 0 MB free")

    told = []
    monkeypatch.setattr(training.checkpoint.files, "replacing", full)
    with pytest.warns(UserWarning) as said:
        trained = results.train_fcn(scene()[0], parameters(steps=40), Layout(tmp_path), told.append)
    assert sum("Training goes on without checkpoints: " in str(w.message) for w in said) == 1, "of two folds"
    assert [len(log) for log in told] == [1, 2, 3, 4]
    pd.testing.assert_frame_equal(told[-1], trained.log)


def test_standardization_is_that_of_the_pixels_that_teach(trained):
    learnt, _, _ = scene()
    for k, model in enumerate(trained[0].networks, 1):
        fold = training.prepare(learnt, k, training.Fit(80, 0.03, 4))
        teach = fold.goals.codes > 0
        assert not (teach & ~(learnt.trainable[k - 1] & learnt.valid & (learnt.labels > 0))).any()
        norm = model.get_layer("standardize")
        np.testing.assert_allclose(np.ravel(norm.moving_mean), learnt.features[teach].mean(axis=0), rtol=1e-4)
        np.testing.assert_allclose(np.ravel(norm.moving_variance), learnt.features[teach].var(axis=0), rtol=1e-4)


def test_inner_validation_is_cut_from_the_training_land_alone_and_as_far_away(trained):
    learnt, _, _ = scene()
    for k in (1, 2):
        part = training.prepare(learnt, k, training.Fit(80, 0.03, 4))
        assert learnt.trainable[k - 1][part.validates > 0].all()
        assert not ((part.validates > 0) & (part.goals.codes > 0)).any()


def test_the_same_seed_gives_the_same_networks_and_what_must_not_teach_does_not(tmp_path):
    (learnt, values, _), (same, _, _), (changed, _, _) = (scene() for _ in range(3))
    for one in (learnt, same, changed):
        one.trainable = one.trainable[:1]
    p = parameters(steps=30, dropout=0.2, jitter=0.1, band_dropout=0.1)
    first, again = (results.train_fcn(s, p, Layout(tmp_path / n)) for n, s in (("a", learnt), ("b", same)))
    # Other labels wherever fold 1 must not learn: its test pixels, the gap, no data.
    changed.labels = np.where(learnt.trainable[0] & learnt.valid, learnt.labels, np.array([0, 3, 0, 5, 0, 1])[values])
    assert (changed.labels != learnt.labels).sum() > 1000
    other = results.train_fcn(changed, p, Layout(tmp_path / "c"))
    for a, b, c in zip(*(f.networks[0].get_weights() for f in (first, again, other)), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    assert first.log.drop(columns="seconds").equals(again.log.drop(columns="seconds"))


@pytest.mark.parametrize("loss", ["focal", "dice"])
def test_other_losses_learn_it_too(loss, tmp_path):
    learnt, _, _ = scene()
    learnt.trainable = learnt.trainable[:1]
    p = parameters(loss=loss, label_smoothing=0.05, class_weight="sqrt", schedule="cosine")
    found = results.train_fcn(learnt, p, Layout(tmp_path))
    assert found.log["validation_f1"].max() > 0.95
    assert found.log["rate"].iloc[-1] < 0.01 * 0.03, "along a cosine to 0"


def begun(fit, tmp_path=None):
    """Return a trainer, a network, its patches and its validation, of fold 1."""
    learnt, _, _ = scene()
    training.set_seed(1)
    fold = training.prepare(learnt, 1, fit)
    model = networks.fcn(fold.mean, fold.variance, 3, [6])

    def read(top, bottom, left, right):
        return np.nan_to_num(learnt.features[top:bottom, left:right])

    data = patches.Patches(read, fold.goals, 16, fit.batch, 1, fit.steps)
    trainer = training.Trainer(keras.models.clone_model(model), fit)
    return trainer, model, data, training.Validation(read, fold.validates, 8, 1)


def keeper(run=None):
    return training.checkpoint.Keeper(run, 1, "x")


def test_training_ends_when_inner_validation_gains_no_more(monkeypatch):
    """A validation that says from the third look on what it will say: the rate falls once, then all is over."""
    monkeypatch.setattr(training, "EVERY", 2)
    monkeypatch.setattr(training, "LEAST", 4)
    monkeypatch.setattr(training, "PATIENCE", 3)
    trainer, model, data, validation = begun(training.Fit(10_000, 0.01, 2))
    losses = iter([0.9, 0.1])
    monkeypatch.setattr(training, "macro_log_loss", lambda true, said: next(losses, 0.5))
    state = trainer.fit(model, data, validation, keeper(), "")
    # The best at the second look, and three looks without a gain, twice.
    assert (state.step, state.best_step, state.falls) == (2 * (2 + 6), 4, 2)
    rates = [row["rate"] / (min(1, row["step"] / training.WARM)) for row in state.rows]
    np.testing.assert_allclose(rates, [0.01] * 5 + [0.003] * 3, rtol=1e-6)


def test_no_network_is_given_up_before_the_least_number_of_steps(monkeypatch):
    monkeypatch.setattr(training, "EVERY", 2)
    monkeypatch.setattr(training, "LEAST", 60)
    monkeypatch.setattr(training, "PATIENCE", 1)
    trainer, model, data, validation = begun(training.Fit(10_000, 0.01, 2))
    monkeypatch.setattr(training, "macro_log_loss", lambda true, said: 0.5)
    assert trainer.fit(model, data, validation, keeper(), "").step >= 60


def test_the_best_weights_are_kept_and_the_temperature_fits_them(monkeypatch):
    trainer, model, data, validation = begun(training.Fit(60, 0.03, 2))
    losses = iter([0.1, 0.5, 0.5])
    monkeypatch.setattr(training, "macro_log_loss", lambda true, said: next(losses))
    state = trainer.fit(model, data, validation, keeper(), "")
    assert state.best_step == 20
    other, same, data, validation = begun(training.Fit(20, 0.03, 2))
    monkeypatch.undo()
    other.fit(same, data, validation, keeper(), "")
    for a, b in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    found = networks.temperature_of(model)
    networks.set_temperature(model, 1.0)
    said, true = validation.probabilities(prediction.Asked(model))
    least = min(np.geomspace(0.25, 10, 400), key=lambda t: training.calibration.log_loss(said, true, t))
    assert found == pytest.approx(least, rel=0.02) and found != 1


def test_a_budget_of_time_ends_training():
    trainer, model, data, validation = begun(training.Fit(100_000, 0.01, 2, minutes=0.05))
    began = time.perf_counter()
    state = trainer.fit(model, data, validation, keeper(), "")
    assert state.step < 100_000 and time.perf_counter() - began < 60


def test_without_inner_validation_training_goes_its_full_length():
    trainer, model, data, _ = begun(training.Fit(45, 0.01, 2))
    state = trainer.fit(model, data, None, keeper(), "")
    assert (state.step, state.best_step) == (45, 45)
    assert all(math.isnan(row["validation_f1"]) for row in state.rows)
    assert networks.temperature_of(model) == 1


@pytest.mark.parametrize("times", [1, 2])
def test_a_loss_that_is_no_number_goes_back_once_to_the_last_good_look(times, monkeypatch):
    fit = training.Fit(80, 0.01, 2)
    trainer, model, data, validation = begun(fit)
    broken, seen = iter(range(times)), []
    plain = data.read

    def read(*window):
        seen.append(window)
        if len(seen) > 110 and next(broken, None) is not None:  # in the third stretch of 40 windows
            return plain(*window) * np.nan
        return plain(*window)

    data.read = read
    if times == 2:
        monkeypatch.setattr(data, "read", lambda *w: plain(*w) * np.nan)
        with pytest.raises(LulcError, match=r"no finite number.*Lower 'learning_rate'"):
            trainer.fit(model, data, validation, keeper(), "a run")
        return
    state = trainer.fit(model, data, validation, keeper(), "")
    assert state.mended and state.step == 80
    rates = [row["rate"] / min(1, row["step"] / training.WARM) for row in state.rows]
    np.testing.assert_allclose(rates, [0.01, 0.01, 0.001, 0.001], rtol=1e-6)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_macro_f1_is_that_of_scikit_learn():
    generator = np.random.default_rng(1)
    true, found = generator.integers(0, 4, 500), generator.integers(0, 5, 500)
    wanted = f1_score(true, found, average=None, labels=[0, 1, 2, 3]).mean()
    assert training.macro_f1(true, found) == pytest.approx(wanted)


def test_macro_log_loss_is_the_mean_of_scikit_learn_s_over_the_classes():
    generator = np.random.default_rng(1)
    true = generator.choice([0, 1, 3], 300, p=[0.8, 0.15, 0.05])
    said = generator.dirichlet(np.ones(4), 300)
    wanted = np.mean([log_loss(true[true == c], said[true == c], labels=[0, 1, 2, 3]) for c in (0, 1, 3)])
    assert training.macro_log_loss(true, said) == pytest.approx(wanted)


KILLED = """
    import sys, pathlib
    from lulc_kit.layout import Layout
    from lulc_kit.deep import results, checkpoint
    from tests.deep.test_training import scene, parameters

    learnt, _, _ = scene()
    told = checkpoint.Keeper.save

    def save(self, state, *numbers):
        told(self, state, *numbers)
        print(self.fold, state["step"], flush=True)

    checkpoint.Keeper.save = save
    results.train_fcn(learnt, parameters(dropout=0.2, jitter=0.1), Layout(pathlib.Path(sys.argv[1])))
"""


@pytest.mark.long
def test_training_that_was_killed_goes_on_and_ends_as_if_it_had_not_been(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path / "killed")]
    began = subprocess.Popen(command, cwd=REPOSITORY, env=environment(), stdout=subprocess.PIPE, text=True)
    for line in began.stdout:
        if line.split() == ["2", "40"]:  # fold 1 is done, fold 2 half done
            began.send_signal(signal.SIGKILL)
            break
    began.wait()
    began.stdout.close()
    learnt, _, _ = scene()
    p = parameters(dropout=0.2, jitter=0.1)
    steps = []
    plain = training.Trainer._run

    def counted(self, data, state, ahead):
        steps.append(state.step)
        return plain(self, data, state, ahead)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.Trainer, "_run", counted)
        went_on = results.train_fcn(learnt, p, Layout(tmp_path / "killed"))
    assert steps in ([40, 60], [60]), "nothing is learnt anew"
    unbroken = results.train_fcn(learnt, p, Layout(tmp_path / "unbroken"))
    assert went_on.kept == unbroken.kept
    for one, other in zip(went_on.networks, unbroken.networks, strict=True):
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
    columns = ["fold", "step", "rate", "loss", "validation_f1"]
    np.testing.assert_allclose(went_on.log[columns], unbroken.log[columns], atol=1e-5)
