"""Models that were trained elsewhere beside those that were trained here: what travelling costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lulc_kit.evaluate import accuracy
from lulc_kit.evaluate.accuracy import Accuracy
from lulc_kit.late import pd

COLUMNS = ["run", "trained in", "same place", "macro_f1", "here", "cost", "low", "high"]


def origin(about: Mapping[str, Any]) -> str:
    """Return where a run learnt, as the file beside its model says: ``study/run``, names of studies, or "" for here."""
    found = about.get("origin") or []
    return found if isinstance(found, str) else ", ".join(found)


def costs(
    runs: Mapping[str, Accuracy], about: Mapping[str, Mapping[str, Any]], study: str, confidence: float
) -> pd.DataFrame:
    """Compare each model from elsewhere with the best that was trained here, on the same resampled blocks.

    Parameters
    ----------
    runs
        Accuracy by run. All labelled pixels of the study test a model from elsewhere, which has seen none of them.
    about
        What each run recorded of itself.
    study
        The study's name.
    confidence
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row for each model from elsewhere: ``run``, ``trained in``, whether that was the ``same place`` at another
        time, its ``macro_f1``, the best run trained
        ``here``, ``cost``: how much lower its macro-F1 is than that one's, and the cost's interval, ``low`` and
        ``high``. Without a run trained here the last four are None.
    """
    away = {name: places for name in runs if (places := _elsewhere(about[name], study))}
    here = [name for name in runs if name not in away]
    best = max(here, key=lambda name: runs[name].macro.value) if here else None
    rows: list[list[object]] = []
    for name, places in away.items():
        same = bool(about[name].get("same_place"))
        row: list[object] = [name, places, same, runs[name].macro.value, best, None, None, None]
        if best is not None:
            (pair,) = accuracy.compare({best: runs[best], name: runs[name]}, confidence).to_dict("records")
            low, high = (pair["low"], pair["high"]) if pair["better"] == best else (-pair["high"], -pair["low"])
            row[5:] = [runs[best].macro.value - runs[name].macro.value, low, high]
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS).astype(object)


def _elsewhere(about: Mapping[str, Any], study: str) -> str:
    """Return where the model learnt that is tested here: a model of several studies is tested without this one."""
    found = about.get("origin") or []
    return found if isinstance(found, str) else ", ".join(name for name in found if name != study)


def sentence(row: Mapping[Any, Any]) -> str:
    """Say a row of `costs` in words."""
    seen = "and has seen no label of this study: tested on all of them, its macro-F1 is"
    if row["same place"]:
        seen = (
            "on this very ground at another time, where it may have learnt these same labels, so that what follows "
            "flatters: tested on all of them here, its macro-F1 is"
        )
    said = f"Run “{row['run']}” was trained in {row['trained in']} {seen} {row['macro_f1']:.3f}."
    if row["here"] is None:
        return f"{said} Nothing was trained here to compare it with."
    told = "" if row["low"] > 0 or row["high"] < 0 else ", which these labels cannot tell from nothing"
    return (
        f"{said} The best run trained here, “{row['here']}”, reaches {row['macro_f1'] + row['cost']:.3f}: travelling "
        f"costs {row['cost']:.3f} ({row['low']:.3f} to {row['high']:.3f}{told})."
    )
