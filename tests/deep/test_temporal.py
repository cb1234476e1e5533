"""Networks of dates: their size, L-TAE in NumPy, what is hidden, what order means, and what they can learn."""

import importlib.util
import json
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from lulc_kit import params
from lulc_kit.deep import networks, storage, temporal
from lulc_kit.errors import LulcError
from lulc_kit.layout import RunLayout
from tests.scene import REPOSITORY, environment

NAMES = list(temporal.TEMPORAL)
BANDS, CLASSES, LENGTH = 3, 4, 5
MEAN, VARIANCE = np.array([0.1, 0.3, 5.0], np.float32), np.array([0.01, 0.04, 4.0], np.float32)
DAYS = [20, 95, 170, 240, 331]


def sequences(batch=2, side=8, seed=1, hidden=0.3, days=DAYS):
    generator = np.random.default_rng(seed)
    shape = (batch, len(days), side, side)
    image = generator.normal(size=(*shape, BANDS)) * np.sqrt(VARIANCE) + MEAN
    seen = generator.random(shape) >= hidden
    day = np.broadcast_to(np.array(days)[:, None, None], shape)
    return np.concatenate([image, seen[..., None], day[..., None]], axis=-1).astype(np.float32)


def network(name, seed=1, bands=BANDS, classes=CLASSES, **more):
    """Build a network whose batch statistics are no zeros and ones, as after training."""
    keras.utils.set_random_seed(seed)
    mean, variance = (MEAN, VARIANCE) if bands == BANDS else (np.zeros(bands, np.float32), np.ones(bands, np.float32))
    model = temporal.TEMPORAL[name](mean, variance, classes, LENGTH, **more)
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.name not in (
            networks.STANDARDIZE,
            networks.TEMPERATURE,
        ):
            layer.set_weights([generator.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model


def probabilities(model, x):
    return np.asarray(model(x))


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_of_patches_of_any_size(name):
    model = network(name)
    for side in (8, 16):
        found = probabilities(model, sequences(side=side))
        assert found.shape == (2, side, side, CLASSES)
        np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-5)


def test_tempcnn_has_the_source_s_layers():
    """Three convolutions of 64 filters over 5 dates, a dense layer of 256 on all of them, and their normalizations."""
    first, other, dense = (BANDS + 3) * 5 * 64, 64 * 5 * 64, LENGTH * 64 * 256
    assert trainable(network("tempcnn")) == first + 2 * other + dense + 2 * (3 * 64 + 256) + (256 + 1) * CLASSES


def test_ltae_is_as_light_as_its_layers():
    reader = (BANDS + 1) * 32 + 2 * 32 + (32 + 1) * 64 + 2 * 64
    attention = (64 + 1) * 8 * 8 + 8 * 8  # keys, and one question for each head: no queries, no values of their own
    assert trainable(network("ltae")) == reader + attention + 64 * 64 + 2 * 64 + (64 + 1) * CLASSES


def test_utae_is_a_unet_with_one_attention():
    def pair(i, o):
        return 9 * i * o + 9 * o * o + 4 * o

    f, g, h = 16, 32, 64
    down = pair(BANDS + 1, f) + pair(f, g) + pair(g, h)
    attention = (h + 1) * h + 2 * h + (h + 1) * 8 * 4 + 8 * 4 + h * h + 2 * h
    up = pair(h + g, g) + pair(g + f, f)
    assert trainable(network("utae")) == down + attention + up + (f + 1) * CLASSES


def test_ltae_equals_numpy_written_from_the_paper():
    model = network("ltae")
    x = sequences().astype(np.float64)
    weights = {w.path: np.asarray(w, np.float64) for w in model.weights}
    reader, embed, keys, join, score = (w for p, w in weights.items() if p.endswith("kernel"))
    reader_0, embed_0, keys_0, score_0 = (w for p, w in weights.items() if p.endswith("/bias"))
    gammas = [w for p, w in weights.items() if p.endswith("gamma")]
    betas = [w for p, w in weights.items() if p.endswith("beta")]
    moving_mean, moving_variance = (weights[next(p for p in weights if p.startswith("batch") and p.endswith(e))]
                                    for e in ("moving_mean", "moving_variance"))  # fmt: skip
    (questions,) = (w for p, w in weights.items() if p.endswith("questions"))

    def norm(v, gamma, beta):
        return (v - v.mean(-1, keepdims=True)) / np.sqrt(v.var(-1, keepdims=True) + 1e-3) * gamma + beta

    expected = np.empty((*x.shape[:1], *x.shape[2:4], CLASSES))
    for b, r, c in np.ndindex(expected.shape[:3]):
        seen = x[b, :, r, c, BANDS] > 0
        if not seen.any():
            expected[b, r, c] = np.nan
            continue
        e = (x[b, seen, r, c, :BANDS] - MEAN) / np.sqrt(VARIANCE)
        e = np.maximum(norm(e @ reader + reader_0, gammas[0], betas[0]), 0)
        e = norm(e @ embed + embed_0, gammas[1], betas[1])
        day = np.array(DAYS)[seen][:, None]
        i = np.arange(8)
        p = np.where(i % 2 == 0, np.sin(day / 1000 ** (2 * (i // 2) / 8)), np.cos(day / 1000 ** (2 * (i // 2) / 8)))
        e = e + np.tile(p, 8)
        k = (e @ keys + keys_0).reshape(-1, 8, 8)
        out = []
        for head in range(8):
            a = np.exp(k[:, head] @ questions[head] / np.sqrt(8))
            out.append((a / a.sum()) @ e[:, head * 8 : head * 8 + 8])
        o = np.concatenate(out) @ join
        o = np.maximum((o - moving_mean) / np.sqrt(moving_variance + 1e-3) * gammas[2] + betas[2], 0)
        s = np.exp(o @ score + score_0)
        expected[b, r, c] = s / s.sum()
    known = np.isfinite(expected)
    assert known.mean() > 0.9
    np.testing.assert_allclose(probabilities(model, x.astype(np.float32))[known], expected[known], atol=1e-5)


@pytest.mark.parametrize("name", ["ltae", "utae"])
def test_attention_sums_to_one_over_what_is_seen(name):
    x = sequences()
    x[:, :, :4, :4, BANDS] = 0  # a square that no date shows
    found = probabilities(temporal.attention(network(name)), x)
    cells = 8 // found.shape[2]
    seen = x[..., BANDS].reshape(2, LENGTH, 8 // cells, cells, 8 // cells, cells).max(axis=(3, 5))
    assert found.shape[:4] == seen.shape and found.shape[4] == 8
    assert (found[seen == 0] == 0).all() and (found[seen == 1] > 0).all()
    np.testing.assert_allclose(
        found.sum(axis=1), np.broadcast_to(seen.max(axis=1)[..., None], found[:, 0].shape), atol=1e-5
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", [7.0, -1e6, np.nan])
def test_what_a_date_hides_changes_nothing(name, number):
    model, x = network(name), sequences()
    other = x.copy()
    other[..., :BANDS][x[..., BANDS] == 0] = number
    assert not np.array_equal(other, x)
    np.testing.assert_array_equal(probabilities(model, other), probabilities(model, x))
    other[..., :BANDS][:, 1] += 1
    assert np.abs(probabilities(model, other) - probabilities(model, x)).max() > 1e-3, "what is seen does"


@pytest.mark.parametrize("name", NAMES)
def test_days_count_and_the_order_of_the_dates_only_for_tempcnn(name):
    model, x = network(name), sequences()
    before = probabilities(model, x)
    shuffled = np.abs(probabilities(model, x[:, [3, 0, 4, 2, 1]]) - before).max()
    assert shuffled < 1e-5 if name != "tempcnn" else shuffled > 1e-3
    later = x.copy()
    later[..., BANDS + 1] += 60
    assert np.abs(probabilities(model, later) - before).max() > 1e-3
    exchanged = x.copy()
    exchanged[..., BANDS + 1] = x[..., BANDS + 1][:, [3, 0, 4, 2, 1]]
    assert np.abs(probabilities(model, exchanged) - before).max() > 1e-3, "the same images on other days"


@pytest.mark.parametrize("name", ["ltae", "utae"])
def test_a_date_that_shows_nothing_is_as_good_as_none(name):
    x = sequences(hidden=0.0)
    x[:, 2, ..., BANDS] = 0
    model = network(name)
    less = probabilities(model, np.delete(x, 2, axis=1))
    np.testing.assert_allclose(probabilities(model, x), less, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_networks_see_as_far_as_they_say(name):
    """Pixels are changed one after the other, at all phases of the poolings; how far away does the result change?"""
    reach = params.LSTM.check({"network": name}, "a test").reach
    side = -(-(2 * reach + 9) // 4) * 4
    model = network(name)
    for layer in model.layers:  # nothing cancels out, and no pixel is silent
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv3D):
            layer.set_weights([np.abs(w) for w in layer.get_weights()])
    scores = keras.Model(model.input, model.get_layer(networks.SCORES).output)
    farthest = 0
    for middle in range(side // 2 - 2, side // 2 + 2):
        x = np.repeat(sequences(1, side, hidden=0.0), 2, axis=0)
        x[1, :, middle, middle, :BANDS] += 1000
        before, after = (probabilities(scores, one[None])[0] for one in x)
        rows, columns, _ = np.nonzero(np.abs(after - before) > 1e-9 * np.abs(before))
        farthest = max(farthest, np.abs(rows - middle).max(), np.abs(columns - middle).max())
    assert farthest == networks.reach(model) == reach


def learn(model, make, steps, rate=0.01):
    """Train on batches that are made anew; return the accuracy on one that was not among them."""
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    for step in range(steps):
        model.train_on_batch(*make(step))
    x, y = make(10_000)
    return float((np.asarray(model.predict_on_batch(x)).argmax(axis=-1) == y).mean())


def order(seed):
    """Each pixel is bright on two of five dates; whether early or late is its class."""
    generator = np.random.default_rng(seed)
    y = np.kron(generator.integers(0, 2, (8, 2, 2)), np.ones((4, 4), int))
    bright = np.where(y[:, None] == 0, *([np.isin(np.arange(5), d)[:, None, None] for d in ([0, 1], [3, 4])]))
    x = sequences(8, 8, seed, hidden=0.0)
    x[..., 0] = bright + generator.normal(0, 0.2, bright.shape)
    return x[..., [0, BANDS, BANDS + 1]], y


def one_date(seed):
    """Only what is seen nearest to day 170 tells the class; the other dates are bright or dark by chance."""
    x, _ = order(seed)
    generator = np.random.default_rng(seed)
    bright = np.kron(generator.integers(0, 2, (8, 5, 2, 2)), np.ones((4, 4), int))
    x[..., 0] = bright + generator.normal(0, 0.2, bright.shape)
    return x, bright[:, 2]


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_they_learn_what_only_the_day_of_a_value_tells(name):
    """That they learn the order of dates as well is in test_dated, where they are trained as a run trains them."""
    keras.utils.set_random_seed(2)
    build = temporal.TEMPORAL[name]
    model = build(np.array([0.4], np.float32), np.array([0.3], np.float32), 2, 5)
    assert learn(model, one_date, 60) > 0.97


def test_attention_finds_the_one_date_that_tells():
    keras.utils.set_random_seed(2)
    model = temporal.ltae(np.array([0.4], np.float32), np.array([0.3], np.float32), 2)
    learn(model, one_date, 60)
    found = probabilities(temporal.attention(model), one_date(20_000)[0]).mean(axis=(0, 2, 3))
    assert found.max(axis=1).argmax() == 2 and (found[2] > 0.5).any()


@pytest.mark.parametrize("name", NAMES)
def test_stored_and_loaded_networks_predict_the_same(name, tmp_path):
    model, run = network(name), RunLayout(tmp_path, name)
    storage.save([model], run)
    (again,) = storage.load(run)
    np.testing.assert_array_equal(probabilities(again, sequences()), probabilities(model, sequences()))


def test_a_file_with_a_layer_of_others_is_refused(tmp_path):
    run = RunLayout(tmp_path, "ltae")
    storage.save([network("ltae")], run)
    path = run.network(1)
    with zipfile.ZipFile(path) as stored:
        parts = {name: stored.read(name) for name in stored.namelist()}
    config = json.dumps(json.loads(parts["config.json"])).replace("lulc_kit>DateWeights", "others>DateWeights")
    parts["config.json"] = config.replace("lulc_kit.deep.layers", "os").encode()
    with zipfile.ZipFile(path, "w") as stored:
        for name, part in parts.items():
            stored.writestr(name, part)
    with pytest.raises(LulcError, match="not a network of this kit"):
        storage.load(run)


ELSEWHERE = """
import sys
from tests.deep.test_temporal import NAMES, one_step
for name in NAMES:
    one_step(sys.argv[1], name)
"""
OTHER = next((b for b in ("jax", "torch") if importlib.util.find_spec(b)), None)


def one_step(folder, name):
    """Load, predict, and take one step of plain gradient descent, without dropout, whose dice differ."""
    model = keras.saving.load_model(f"{folder}/{name}.keras", compile=False, safe_mode=True)
    x, y = sequences(), np.random.default_rng(1).integers(0, CLASSES, (2, 8, 8)).astype(np.int32)
    before = model.predict_on_batch(x)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    loss = float(model.train_on_batch(x, y))
    after = {str(i): w for i, w in enumerate(model.get_weights())}
    np.savez(f"{folder}/{name}_{keras.backend.backend()}.npz", before=before, loss=loss, **after)


@pytest.mark.long
def test_another_backend_predicts_and_trains_the_same(tmp_path):
    assert OTHER, "the extra 'dev' brings JAX"
    for name in NAMES:
        network(name, **({"filters": (8, 16)} if name == "utae" else {})).save(tmp_path / f"{name}.keras")
        one_step(tmp_path, name)
    quick = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}  # compiling takes longer than one step
    other = environment() | {"KERAS_BACKEND": OTHER, "JAX_PLATFORMS": "cpu"} | quick
    subprocess.run([sys.executable, "-c", ELSEWHERE, str(tmp_path)], cwd=REPOSITORY, env=other, check=True)
    for name in NAMES:
        here, there = (np.load(tmp_path / f"{name}_{backend}.npz") for backend in (keras.backend.backend(), OTHER))
        assert here.files == there.files and len(here.files) > 10
        for part in here.files:
            np.testing.assert_allclose(there[part], here[part], atol=1e-4, err_msg=f"{name}: {part}")
