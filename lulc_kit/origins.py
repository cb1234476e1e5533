"""Where a model comes from that this study's samples alone did not teach: a run of another study, or several studies.

What notebooks 06 to 08 share of it; whether features are made alike, `lulc_kit.travel` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import grids, mapping, params, raster
from lulc_kit.classes import Scheme, join
from lulc_kit.errors import FormatError
from lulc_kit.late import pd
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples


def open_samples(layout: Layout) -> Samples | None:
    """Open the samples of a study; None where there are none, and a model from elsewhere maps all the same."""
    return Samples.read(layout) if layout.samples.exists() else None


def read_model(p: params.Travelling, layout: Layout, knows: str) -> tuple[str, dict[str, Any]]:
    """Return the study in which a model was trained, and what it says of itself.

    Parameters
    ----------
    p
        Parameters with ``trained``.
    layout
        Of the study that it maps.
    knows
        What it must say of what it reads, ``stack`` or ``dates``; "" where nothing is compared.

    Raises
    ------
    LulcError
        If there is no such run, or it says less, as those of older versions do.
    """
    assert p.trained is not None, "only asked of those"
    study, name = p.trained.split("/")
    about = mapping.read_about(layout.other(study).run(name))
    if (knows and knows not in about) or not isinstance(about.get("classes"), dict):
        raise FormatError(
            f"The model {p.trained} does not say on what it was trained. Run {p.notebook[:2]}_{name} of {study} again."
        )
    return study, about


def join_classes(own: Samples | None, p: params.Travelling, layout: Layout) -> Scheme:
    """Return the classes of a run's map: those of the samples that train, and of those that test.

    Raises
    ------
    LulcError
        Lists both if a value means one class there and another one here.
    """
    if p.trained:
        study, about = read_model(p, layout, "")
        schemes = {study: Scheme.from_dict(about["classes"])}
    else:
        schemes = {study: Samples.read(layout.other(study)).scheme for study in p.origins}
    if own is not None:
        schemes.setdefault(p.study, own.scheme)
    return join(schemes)


def find_same_place(p: params.Travelling, layout: Layout) -> list[str]:
    """Return the other studies that taught a model on this very ground: labels there and here may be the same."""
    stacks = {study: layout.other(study).stack for study in p.origins if study != p.study}
    if not stacks:
        return []
    here = raster.grid(layout.stack)
    return [study for study, stack in stacks.items() if stack.exists() and grids.overlap(raster.grid(stack), here) > 0]


def score_left_out(tested: Mapping[str, tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]]) -> pd.DataFrame:
    """Score in each study the model that learnt from all others.

    Parameters
    ----------
    tested
        By study: class values of its labels, and what that model says of them.

    Returns
    -------
    pandas.DataFrame
        One row for each study, ``left out``: number of ``samples``, ``macro_f1`` (0–1, over the classes that occur
        there or are predicted) and ``overall_accuracy``.
    """
    from sklearn.metrics import accuracy_score, f1_score

    rows = {
        study: (len(true), f1_score(true, said, average="macro"), accuracy_score(true, said))
        for study, (true, said) in tested.items()
    }
    found = pd.DataFrame.from_dict(rows, orient="index", columns=["samples", "macro_f1", "overall_accuracy"])
    return found.rename_axis("left out").round(3)


def describe(model: str, p: params.Travelling) -> str:
    """Say what a model is and, if it was not here alone, where it learnt."""
    if p.trained:
        return f"{model}, trained in {p.trained}"
    return f"{model}, trained on {', '.join(p.origins)}" if p.origins else model
