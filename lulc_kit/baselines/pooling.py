"""Samples of several studies in one table, and how a model of the others does in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lulc_kit import origins
from lulc_kit.errors import BandError
from lulc_kit.late import pd


def pool(tables: Mapping[str, pd.DataFrame], features: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Put tables of samples under each other.

    Parameters
    ----------
    tables
        By study: ``label``, ``block`` and the features.
    features
        By study, the columns that are features; each study's must be the same, in whatever order.

    Returns
    -------
    pandas.DataFrame
        ``study``, ``label``, ``block`` (numbered on, so that no two studies share one) and the features, in the order
        of the first study.

    Raises
    ------
    LulcError
        Lists the features of two studies that have not the same.
    """
    (first, names), *_ = features.items()
    parts, last = [], 0
    for study, table in tables.items():
        if set(features[study]) != set(names):
            raise BandError(
                f"The samples of {first} and {study} have not the same features, so they cannot train together.\n"
                f"  {first}: {', '.join(names)}\n  {study}: {', '.join(features[study])}\n"
                f"Make them alike (04_features.yaml), or name those that both have as 'features'."
            )
        part = table[["label", "block", *names]].assign(study=study)
        part["block"] = part["block"] + last
        last = int(part["block"].max())
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def without_each(table: pd.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """Return by study which rows of a pooled table train the model that it tests: those of all others."""
    study = table["study"].to_numpy()
    return {name: study != name for name in dict.fromkeys(study)}


def leave_out(table: pd.DataFrame, features: Sequence[str], models: Mapping[str, Any]) -> pd.DataFrame:
    """Test on each study's samples the model that was trained on those of all others.

    Parameters
    ----------
    table
        From `pool`.
    features
        Columns that the models take, in order.
    models
        By study: trained without it.

    Returns
    -------
    pandas.DataFrame
        See `lulc_kit.origins.score_left_out`.
    """
    tested = {}
    for study, model in models.items():
        own = table[table["study"] == study]
        tested[study] = own["label"].to_numpy(), model.predict(own[list(features)].to_numpy(np.float32))
    return origins.score_left_out(tested)
