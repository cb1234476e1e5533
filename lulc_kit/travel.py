"""What a model must find where it travels: the features it was trained on, made in the same way.

Notebook 04 writes into the stack how its layers were made (`tag`), a run keeps that beside its model (`describe`).
Where the model is to map another stack, or samples of several studies are to train together, the two are compared.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lulc_kit import raster
from lulc_kit.errors import BandError, FormatError, ParameterError

TAG = "made"
ALWAYS = "all"
"""Kind of the facts that hold for every layer."""
COMPOSITE = {"level": "level", "correction": "correction", "coarse_bands": "20 m and 60 m bands"}
"""What the tags of a date or a composite say of all that is made of it, and that in words."""


def tag(layers: Mapping[str, tuple[str, str]], facts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the tag of a stack that says how its layers were made.

    Parameters
    ----------
    layers
        Kind and unit of each layer, by its name.
    facts
        What must be the same for a model that uses a layer of a kind, in words, by kind; `ALWAYS`: for all.
    """
    return {TAG: json.dumps({"layers": layers, "facts": facts})}


def describe(stack: Path, features: Sequence[str] | None = None) -> dict[str, Any]:
    """Return what a stack says of features: as a model's file keeps it.

    Parameters
    ----------
    stack
        The file.
    features
        Names of layers, in order; None for all.

    Returns
    -------
    dict
        ``features`` (names in order), ``units`` (in that order), and ``made``: what must be the same elsewhere, by
        name; only what bears upon these features.

    Raises
    ------
    LulcError
        If the stack lacks one of them, or does not say how it was made, as those of older versions do not.
    """
    names = raster.header(stack).names
    wanted = list(features or names)
    if missing := [name for name in wanted if name not in names]:
        raise BandError(
            f"{stack} has no layer {', '.join(missing)}.\n  wanted: {', '.join(wanted)}\n  there:  {', '.join(names)}"
        )
    try:
        made = json.loads(raster.tags(stack)[TAG])
        kinds = [made["layers"][name][0] for name in wanted]
        units = [made["layers"][name][1] for name in wanted]
        facts = {k: v for kind in dict.fromkeys([ALWAYS, *kinds]) for k, v in made["facts"].get(kind, {}).items()}
    except (KeyError, ValueError, TypeError) as error:
        raise FormatError(
            f"{stack} does not say how its layers were made, so no model can travel from or to it. Run 04_features of "
            f"that study again."
        ) from error
    return {"features": wanted, "units": units, "made": facts}


def describe_dates(image: Path, bands: Sequence[str], sequence: Mapping[str, str]) -> dict[str, Any]:
    """Return what a date of the cube says of bands, and how dates become sequences: as a network's file keeps it.

    Parameters
    ----------
    image
        File of a date; all dates of a cube are made alike.
    bands
        Those that the network reads of each date, in order.
    sequence
        What must be the same of the sequences, in words, by name.

    Returns
    -------
    dict
        As `describe`.

    Raises
    ------
    LulcError
        If the date lacks a band.
    """
    there = raster.header(image).names
    if missing := [name for name in bands if name not in there]:
        raise BandError(
            f"{image} has no band {', '.join(missing)}.\n  wanted: {', '.join(bands)}\n  there:  {', '.join(there)}"
        )
    tags = raster.tags(image)
    made = {words: tags.get(tag, "–") for tag, words in COMPOSITE.items()} | dict(sequence)
    return {"features": [*bands], "units": ["reflectance"] * len(bands), "made": made}


def check(model: Mapping[str, Any], stack: Path, origin: str) -> None:
    """Refuse a stack that is not made as the one that a model was trained on.

    Parameters
    ----------
    model
        From `describe`, of the stack there.
    stack
        The stack here. Layers that it has beside those of the model do no harm.
    origin
        Name of the study that the model comes from, for the message.

    Raises
    ------
    LulcError
        Names features that are missing, or what is not the same, with what is said there and here.
    """
    compare(model, describe(stack, model["features"]), f"The features of {stack}", origin)


def compare(model: Mapping[str, Any], here: Mapping[str, Any], what: str, origin: str) -> None:
    """Refuse what is not made as what a model was trained on.

    Parameters
    ----------
    model, here
        From `describe` or `describe_dates`, there and here, of the same features.
    what
        What it is here, for the message.
    origin
        See `check`.
    """
    units = zip(model["features"], model["units"], here["units"], strict=True)
    pairs = [(f"unit of {name}", there, own) for name, there, own in units]
    facts = dict.fromkeys([*model["made"], *here["made"]])
    pairs += [(name, model["made"].get(name, "–"), here["made"].get(name, "–")) for name in facts]
    if differ := [f"  {name}: {there} in {origin}, {own} here" for name, there, own in pairs if there != own]:
        raise ParameterError(
            f"{what} are not made as those of {origin}, and a model of the one says nothing of the other:\n"
            + "\n".join(differ)
            + f"\nMake them alike: parameters as in params/{origin}, and fitted_in: {origin} in 04_features.yaml "
            f"(lulc new NAME --apply {origin} writes such a study)."
        )
