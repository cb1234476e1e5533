"""What the networks of a run came to, and the card of each that says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lulc_kit import attribution, raster
from lulc_kit.classes import Scheme
from lulc_kit.deep import networks, training
from lulc_kit.deep.card import Card
from lulc_kit.layout import RunLayout
from lulc_kit.samples import Samples


@dataclass(frozen=True)
class Outcome:
    """Networks, and what is to be said of them.

    Attributes
    ----------
    trained
        The networks of the folds, or of the studies that were left out.
    model
        What they are, in words.
    bands, told
        What they read, and the classes that they tell, in order.
    known
        What else the run keeps: among it what must be the same wherever they are used.
    tested
        Of several studies that teach together: how each network does in the one that it has not seen.
    """

    trained: training.Trained
    model: str
    bands: Sequence[str]
    told: Scheme
    known: Mapping[str, Any]
    tested: pd.DataFrame | None = None

    def cards(self, run: RunLayout, own: Samples | None, settings: Mapping[str, Any]) -> list[str]:
        """Say what each network is, with its score on the fold, or in the study, that it has not seen.

        Parameters
        ----------
        run, own
            The run, whose cross-validated map is there already, and the samples; None if those of other studies taught.
        settings
            How they were trained, by name.
        """
        made = self.known.get("stack") or self.known.get("dates") or {"units": [""] * len(self.bands), "made": {}}
        if self.tested is not None:
            separation, scores = "whole studies", self.tested["macro_f1"].tolist()
        else:
            assert own is not None, "they were trained on it"
            separation, scores = own.separation, _score_folds(run, own, len(self.trained.networks))
        return [
            Card(
                run=run.name,
                fold=k,
                model=self.model,
                data=attribution.get(),
                bands=tuple(self.bands),
                units=tuple(made["units"]),
                made=made["made"],
                pixels=dict(zip(self.told.names, self.trained.pixels[k - 1], strict=True)),
                separation=separation,
                settings={**settings, **self._chosen(k)},
                steps=self.trained.kept[k - 1],
                scores={"inner validation": self.trained.validated(k), "test fold": score},
                temperature=networks.temperature_of(model),
            ).text()
            for k, (model, score) in enumerate(zip(self.trained.networks, scores, strict=True), 1)
        ]

    def _chosen(self, k: int) -> dict[str, str]:
        words = self.trained.chosen(k)
        return {} if words is None else {"chosen by inner validation": words}


def _score_folds(run: RunLayout, own: Samples, folds: int) -> list[float]:
    """Return the macro-F1 of each fold's network on the fold that it has not seen."""
    found, labels = raster.read_codes(run.crossval).data[0], own.on_grid()[0].data[0]
    found, labels, fold = np.asarray(found), np.asarray(labels), own.codes("fold")
    return [training.macro_f1(labels[fold == k], found[fold == k]) for k in range(1, folds + 1)]
