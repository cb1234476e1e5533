"""Cards of a run's networks: each says of its own network what training and the test said of it."""

import numpy as np
import pandas as pd
import pytest

from lulc_kit.classes import scheme
from lulc_kit.deep import networks
from lulc_kit.deep.outcome import Outcome
from lulc_kit.deep.training import Trained
from lulc_kit.layout import RunLayout


@pytest.mark.parametrize("tried", [False, True])
def test_each_network_has_its_card(tmp_path, tried):
    one = np.ones(2, np.float32)
    models = [networks.fcn(0 * one, one, 2, filters=[1]) for _ in range(2)]
    networks.set_temperature(models[1], 2.5)
    log = pd.DataFrame({"fold": [1, 1, 2], "step": [10, 20, 20], "validation_f1": [0.25, 0.5, 0.75]})
    settings = {"fold": [1, 2], "settings": ["rate 0.1", "rate 0.2"], "chosen": [True, True]}
    trained = Trained(models, log, [10, 20], [[7, 8], [9, 6]], pd.DataFrame(settings) if tried else None)
    tested = pd.DataFrame({"macro_f1": [0.125, 0.875]}, ["east", "west"])
    known = {"stack": {"units": ["reflectance", "1"], "made": {"level": "L2A"}}}
    outcome = Outcome(trained, "FCN", ["B4", "NDVI"], scheme("forest"), known, tested)
    first, second = outcome.cards(RunLayout(tmp_path, "fcn"), None, {"steps": 20})
    for card, said in (
        (first, ["without fold 1", "Forest | 7", "Not forest | 8", "inner validation: 0.250", "test fold: 0.125"]),
        (second, ["without fold 2", "Forest | 9", "Not forest | 6", "inner validation: 0.750", "test fold: 0.875"]),
        (first, ["after 10 steps", "temperature 1.00"]),
        (second, ["after 20 steps", "temperature 2.50"]),
    ):
        both = ["B4 (reflectance), NDVI", "Made so: level: L2A", "apart by whole studies", "- steps: 20"]
        assert all(words in card for words in [*said, *both])
    assert ("rate 0.1" in first, "rate 0.2" in second) == (tried, tried) and "rate 0.1" not in second
