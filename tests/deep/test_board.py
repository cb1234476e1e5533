"""Logs for TensorBoard, read back by TensorBoard's own reader where it is installed."""

import importlib.util
import json
import re

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from lulc_kit.deep import board, networks, results, temporal
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from tests.deep.test_training import parameters, scene

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def test_the_confusion_matrix_is_scikit_learn_s():
    generator = np.random.default_rng(1)
    true, found = generator.integers(0, 3, 90), generator.integers(0, 4, 90)
    expected = confusion_matrix(true, found, labels=range(4)) / [[np.sum(true == c) or 1] for c in range(4)]
    np.testing.assert_allclose(board.confusion(true, found, 4), expected, atol=1e-6)
    drawn = board.picture(np.array([[0, 1]], np.float32))
    assert drawn.shape == (board.CELL, 2 * board.CELL, 3)
    assert drawn[0, 0].tolist() == [255, 255, 255] and drawn[0, -1].tolist() == [0, 114, 178]


def test_without_the_package_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LulcError, match="pip install tensorboard"):
        board.Board(tmp_path, COLOURS)


def test_training_leaves_curves_rates_confusions_and_windows(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    learnt, _, _ = scene()
    layout = Layout(tmp_path)
    trained = results.train_fcn(learnt, parameters(tensorboard=True, steps=40), layout)
    for fold in (1, 2):
        events = EventAccumulator(str(layout.run("t").board(fold)), {"tensors": 0})
        events.Reload()
        log = trained.log.query("fold == @fold")
        for name in ("loss", "validation_loss", "validation_f1", "rate"):
            found = events.Tensors(name)
            assert [one.step for one in found] == log["step"].tolist() == [20, 40]
            np.testing.assert_allclose([float(make_ndarray(one.tensor_proto)) for one in found], log[name], rtol=1e-5)
        tags = events.Tags()["tensors"]
        assert "true class by row, found by column" in tags and "window 1: found, true" in tags


@pytest.mark.parametrize("name", ["fcn", "fcn_lstm", "ltae"])
def test_the_graph_has_every_layer_and_what_feeds_it_as_tensorboard_reads_it(name, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    mean, spread = np.zeros(2, np.float32), np.ones(2, np.float32)
    model = networks.fcn(mean, spread, 3, [4, 6])
    if name != "fcn":
        model = temporal.ltae(mean, spread, 3, 6) if name == "ltae" else networks.fcn_lstm(model, 3, 8)
    board.Board(tmp_path, COLOURS).draw_graph(model)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    found = {node.name: node for node in events.Graph().node}
    told = json.loads(model.to_json())["config"]["layers"]  # by Keras itself
    assert set(found) == {layer["name"] for layer in told}
    for layer in told:
        assert found[layer["name"]].op == layer["class_name"]
        fed = re.findall(r'"keras_history": \["([^"]+)"', json.dumps(layer["inbound_nodes"]))
        assert sorted(found[layer["name"]].input) == sorted(fed)


def test_windows_show_what_is_found_beside_the_labels():
    said = np.eye(3, dtype=np.float32)[[[0, 1], [2, 2]]]
    drawn = board.draw_beside(said, np.array([[1, 0], [3, 2]]), np.array(COLOURS, np.uint8))
    assert drawn[:, :2].tolist() == [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255]] * 2]
    assert drawn[:, 4:].tolist() == [[[255, 0, 0], [0, 0, 0]], [[0, 0, 255], [0, 255, 0]]]
