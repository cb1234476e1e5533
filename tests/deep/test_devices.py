"""Precision and devices: 16 bits learn the same, and two devices do what one does."""

import json
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

from lulc_kit import params
from lulc_kit.deep import devices, networks, results, temporal
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from tests.deep.test_training import parameters, scene
from tests.scene import REPOSITORY, environment


def train(precision, folder):
    learnt, _, _ = scene()
    return results.train_fcn(learnt, parameters(precision=precision), Layout(folder / precision))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return train("float32", tmp_path_factory.mktemp("plain"))


@pytest.mark.long
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_networks_of_16_bits_learn_as_well_and_give_probabilities_of_32(precision, plain, tmp_path):
    trained = train(precision, tmp_path)
    assert keras.config.dtype_policy().name == "float32", "what follows is as before"
    model = trained.networks[0]
    assert model.layers[2].compute_dtype == precision.removeprefix("mixed_") and model.dtype == "float32"
    said = np.asarray(model(np.zeros((1, 16, 16, model.input_shape[-1]), np.float32)))
    assert said.dtype == np.float32
    np.testing.assert_allclose(said.sum(axis=-1), 1, atol=1e-5)
    scores = [t.log.groupby("fold")["validation_f1"].max().mean() for t in (plain, trained)]
    assert scores[1] > scores[0] - 0.05


def test_features_that_are_large_beside_their_spread_are_not_rounded():
    """10000 ± 1 in 16 bits would be 10000 throughout."""
    with devices.computing("mixed_bfloat16", 4):
        model = networks.mlp(np.array([10000], np.float32), np.ones(1, np.float32), 2, [4])
    x = np.array([9999, 10001], np.float32).reshape(1, 1, 2, 1)
    inside = keras.Model(model.input, model.get_layer(networks.STANDARDIZE).output)
    np.testing.assert_allclose(np.asarray(inside(x)).ravel(), [-1, 1], atol=1e-3)


def test_days_of_the_year_are_not_rounded():
    """Days 301 and 302 are one number in bfloat16; the attention tells them apart as it does in 32 bits."""
    found = []
    for precision in ("float32", "mixed_bfloat16"):
        keras.utils.set_random_seed(1)
        with devices.computing(precision, 4):
            model = temporal.ltae(np.zeros(1, np.float32), np.ones(1, np.float32), 2)
        layer = next(one for one in model.layers if type(one).__name__ == "DayEncoding")
        found.append(np.asarray(layer(np.array([301, 302], np.float32)), np.float32))
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)
    assert np.abs(found[0][0] - found[0][1]).max() > 0.1


SHARED = """
    import json, os, pathlib, sys
    os.environ["KERAS_BACKEND"] = "jax"
    quick = "--xla_backend_optimization_level=0"  # compiling takes longer than learning
    os.environ["XLA_FLAGS"] = f"{quick} --xla_force_host_platform_device_count=2"
    import keras, numpy as np
    from lulc_kit.deep import devices, prediction, results
    from lulc_kit.layout import Layout
    from tests.deep.test_training import parameters, scene

    all_devices, found = keras.distribution.list_devices("cpu"), []
    for count in (1, 2):
        devices.accelerators = lambda: all_devices[:count]
        learnt, _, image = scene()
        learnt.trainable = learnt.trainable[:1]
        folder = pathlib.Path(sys.argv[1]) / str(count)
        trained = results.train_fcn(learnt, parameters(steps=20, batch=4), Layout(folder))
        said = np.asarray(prediction.of_images(trained.networks, learnt.features))
        spread = len(trained.networks[0].weights[2].value.sharding.device_set)
        found.append([spread, trained.log["loss"].tolist(), said[:, ::7, ::7].tolist()])
    print(json.dumps([len(all_devices), *found]))
"""


@pytest.mark.long
def test_two_devices_learn_what_one_does(tmp_path):
    """Virtual devices of a processor, under JAX: the same losses and the same map."""
    pytest.importorskip("jax")
    command = [sys.executable, "-c", textwrap.dedent(SHARED), str(tmp_path)]
    ran = subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    count, *found = json.loads(ran.stdout.splitlines()[-1])
    (one, losses, said), (two, other_losses, other_said) = found
    assert (count, one, two) == (2, 1, 2)
    np.testing.assert_allclose(other_losses, losses, rtol=1e-3)
    np.testing.assert_allclose(np.array(other_said, float), np.array(said, float), atol=1e-2)


def test_a_batch_that_devices_cannot_share_is_refused(monkeypatch):
    monkeypatch.setattr(devices, "accelerators", lambda: ["gpu:0", "gpu:1", "gpu:2"])
    with (
        pytest.raises(LulcError, match=r"batch of 8 patches .* 3 devices \(gpu:0, gpu:1, gpu:2\).*multiple of 3"),
        devices.computing("float32", 8),
    ):
        pass
    assert params.FCN().batch == 8
