"""Stored networks: whole, without code, and of the bands and classes that are asked for."""

import zipfile

import keras
import numpy as np
import pytest

from lulc_kit.deep import networks, storage
from lulc_kit.errors import FormatError, LulcError
from lulc_kit.layout import RunLayout


def network(bands=2, classes=3):
    return networks.fcn(np.zeros(bands, np.float32), np.ones(bands, np.float32), classes, [4])


def test_stored_networks_come_back_in_the_order_of_their_folds(tmp_path):
    run = RunLayout(tmp_path, "fcn")
    models = [network() for _ in range(11)]
    run.models.mkdir(parents=True)
    run.checkpoint(3).write_bytes(b"what let training go on")
    storage.save(models, run, [f"# Network {k}" for k in range(1, 12)])
    assert not run.checkpoint(3).exists()
    assert run.card(2).read_text() == "# Network 2"
    x = np.random.default_rng(1).normal(size=(1, 16, 16, 2)).astype(np.float32)
    for before, after in zip(models, storage.load(run), strict=True):
        np.testing.assert_array_equal(np.asarray(before(x)), np.asarray(after(x)))


def test_a_folder_without_networks_is_refused(tmp_path):
    with pytest.raises(LulcError, match=r"no networks. Run 07_fcn"):
        storage.load(RunLayout(tmp_path, "fcn"))


def half(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def without_weights(path):
    with zipfile.ZipFile(path) as archive:
        kept = {n: archive.read(n) for n in archive.namelist() if n != "model.weights.h5"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in kept.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("harm", [half, without_weights, lambda p: p.write_bytes(b""), lambda p: p.write_text("x")])
def test_a_damaged_file_is_refused(harm, tmp_path):
    run = RunLayout(tmp_path, "fcn")
    storage.save([network()], run)
    harm(run.network(1))
    with pytest.raises(FormatError, match="is not a network of this kit"):
        storage.load(run)


@keras.saving.register_keras_serializable("another")
class Own(keras.layers.Layer):
    def call(self, x):
        return 2 * x


@pytest.mark.parametrize("kind", ["lambda", "custom"])
def test_a_file_that_holds_code_is_refused(kind, tmp_path):
    run = RunLayout(tmp_path, "fcn")
    image = keras.Input((None, None, 2))
    layer = keras.layers.Lambda(lambda x: 2 * x) if kind == "lambda" else Own()
    storage.save([keras.Model(image, layer(image))], run)
    with pytest.raises(FormatError, match="is not a network of this kit"):
        if kind == "custom":  # as where nobody has that class
            with zipfile.ZipFile(run.network(1)) as archive:
                kept = {n: archive.read(n) for n in archive.namelist()}
            kept["config.json"] = (
                kept["config.json"]
                .replace(b"another>Own", b"another>Unknown")
                .replace(b'"class_name": "Own"', b'"class_name": "Unknown"')
            )
            with zipfile.ZipFile(run.network(1), "w") as archive:
                for name, content in kept.items():
                    archive.writestr(name, content)
        storage.load(run)


def test_other_classes_and_other_bands_are_refused_with_both_lists():
    model = network()
    storage.check(model, ["B4", "B8"], ["Water", "Forest", "Field"], ["Water", "Forest", "Field"])
    with pytest.raises(LulcError, match=r"classes Water, Forest, Field; the study has Water, Field, Forest now"):
        storage.check(model, ["B4", "B8"], ["Water", "Forest", "Field"], ["Water", "Field", "Forest"])
    with pytest.raises(LulcError, match=r"takes 2 bands .* trained on 3 bands \(B4, B8, B11\) and 3 classes"):
        storage.check(model, ["B4", "B8", "B11"], ["a", "b", "c"], ["a", "b", "c"])
