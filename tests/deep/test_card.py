"""The card says what it was told, and what the network is not good for."""

import math

from lulc_kit.deep.card import Card


def test_a_card_says_data_settings_scores_and_limits():
    card = Card(
        *("fcn", 2, "FCN (U-Net)", "Contains modified Copernicus Sentinel data 2017", ("B4", "B8")),
        *(("reflectance", "1"), {"level": "L2A", "correction": "none"}),
        *({"Forest": 120, "Water": 7}, "blocks of 640 m", {"steps": 500, "loss": "cross_entropy"}, 260),
        *({"inner validation": 0.8125, "test fold": math.nan}, 1.3),
    )
    text = card.text()
    for said in (
        *(
            "run fcn, without fold 2",
            "Copernicus Sentinel data 2017",
            "B4 (reflectance), B8",
            "Made so: level: L2A; correction: none",
            "Forest | 120",
            "Water | 7",
        ),
        *("- loss: cross_entropy", "inner validation: 0.812", "test fold: none", "after 260 steps", "temperature 1.30"),
        *("Made so: level: L2A; correction: none", "blocks of 640 m", "## Limits"),
    ):
        assert said in text
