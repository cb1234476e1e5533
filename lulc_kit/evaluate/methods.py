"""A paragraph of methods that can be pasted into a paper, from what the steps recorded of themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_CLOUDS = {
    "spectral": "a spectral rule for Level-1C",
    "csmask": "the network ukis-csmask",
    "scl": "Sen2Cor's scene classification",
    "product": "the mask of the product",
    "file": "a mask of our own",
    "none": "nothing (no mask)",
}

_CITED = {
    "blocks": "Roberts et al. 2017, Ecography 40, doi:10.1111/ecog.02881",
    "knndm": "Linnenbrink et al. 2024, Geoscientific Model Development 17, doi:10.5194/gmd-17-5897-2024",
    "bootstrap": "Lahiri 2003, Resampling Methods for Dependent Data, doi:10.1007/978-1-4757-3803-2",
    "bca": "Efron 1987, Journal of the American Statistical Association 82, doi:10.1080/01621459.1987.10478410",
    "olofsson": "Olofsson et al. 2014, Remote Sensing of Environment 148, doi:10.1016/j.rse.2014.02.015",
    "stehman": "Stehman 2014, International Journal of Remote Sensing 35, doi:10.1080/01431161.2014.930207",
    "pontius": "Pontius & Millones 2011, International Journal of Remote Sensing 32, doi:10.1080/01431161.2011.552923",
    "aoa": "Meyer & Pebesma 2021, Methods in Ecology and Evolution 12, doi:10.1111/2041-210X.13650",
    "density": "Schumacher et al. 2025, Geoscientific Model Development 18, doi:10.5194/gmd-18-10185-2025",
    "sets": "Sadinle, Lei & Wasserman 2019, Journal of the American Statistical Association 114, "
    "doi:10.1080/01621459.2017.1395341",
    "rf": "Breiman 2001, Machine Learning 45, doi:10.1023/A:1010933404324",
    "unet": "Ronneberger et al. 2015, MICCAI, doi:10.1007/978-3-319-24574-4_28",
    "sklearn": "Pedregosa et al. 2011, Journal of Machine Learning Research 12, 2825–2830",
}
"""What a paragraph cites, by what it says."""


def _parameters(records: Sequence[Mapping[str, Any]], notebook: str) -> Mapping[str, Any]:
    return next((record["parameters"] for record in records if record["step"].startswith(notebook)), {})


def paragraph(numbers: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> str:
    """Return the paragraph.

    Parameters
    ----------
    numbers
        What ``accuracy.json`` holds.
    records
        What the steps before 09 recorded of themselves, in order.
    """
    sentences = [
        _data(numbers["data"]),
        _processing(_parameters(records, "02_")),
        _features(numbers),
        _samples(numbers, _parameters(records, "05_")),
        _split(numbers),
        _models(numbers),
        _estimators(numbers),
        _survey(numbers),
        _trust(numbers),
        _software(numbers),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def sources(numbers: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the paragraph cites, in the order of its sentences."""
    models = " ".join(run["about"]["model"].lower() for run in numbers["runs"].values())
    wanted = {
        "blocks": "blocks" in numbers["separation"] + numbers["further_separation"],
        "knndm": "kNNDM" in numbers["separation"] + numbers["further_separation"],
        "rf": "forest" in models,
        "unet": "u-net" in models,
        "bootstrap": True,
        "bca": True,
        "pontius": True,
        "olofsson": bool(numbers.get("survey")),
        "stehman": bool(numbers.get("survey")),
        "aoa": bool(numbers["trust"]),
        "density": bool(numbers["trust"]) and numbers["parameters"]["density"] > 0,
        "sets": bool(numbers["trust"]),
        "sklearn": True,
    }
    return [_CITED[key] for key, cited in wanted.items() if cited]


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _data(data: Mapping[str, Any]) -> str:
    if data["table"]:
        return f"Samples came as a table of {numbers_of(data['labelled'], 'row')}."
    days = data["dates"]
    when = days[0] if len(days) == 1 else f"{len(days)} dates from {days[0]} to {days[-1]}"
    simulated = "Simulated " if "SIMULATED" in data["attribution"].upper() else ""
    return (
        f"{simulated}Sentinel-2 {_listed([f'Level-{level[1:]}' for level in data['levels']])} data of {when} were "
        f"brought to a grid of {data['grid']['columns']} × {data['grid']['rows']} pixels of "
        f"{data['grid']['resolution']:g} m ({data['grid']['crs']})."
    )


def numbers_of(count: int, what: str) -> str:
    """Return a count with its noun: ``1 run``, ``2,000 runs``.

    Examples
    --------
    >>> numbers_of(2000, "pixel"), numbers_of(1, "run")
    ('2,000 pixels', '1 run')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _processing(p: Mapping[str, Any]) -> str:
    if not p:
        return ""
    correction = {"sen2cor": "corrected by Sen2Cor", "dark_object": "corrected for haze by dark-object subtraction"}
    sharp = {"local": "the 20 m and 60 m bands were sharpened to 10 m by local regression on the 10 m bands"}
    buffer = f" with a buffer of {p['mask_buffer']:g} m" if p["mask_buffer"] and p["mask"] != "none" else ""
    parts = [
        f"clouds and shadows were masked by {_CLOUDS[p['mask']]}{buffer}",
        sharp.get(p["sharpen"], "coarser bands were interpolated"),
        f"dates were combined by {'the pixel farthest from clouds' if p['composite'] == 'best' else p['composite']}",
    ]
    if p["correction"] in correction:
        parts.insert(0, f"reflectance was {correction[p['correction']]}")
    text = f"{', '.join(parts[:-1])}, and {parts[-1]}."
    return text[0].upper() + text[1:]


def _features(numbers: Mapping[str, Any]) -> str:
    by_run = {tuple(run["about"]["features"]) for run in numbers["runs"].values()}
    found = max(by_run, key=len)
    named = ", ".join(found) if len(found) <= 40 else f"{', '.join(found[:40])}, …"
    some = "" if len(by_run) == 1 else " (some models used fewer)"
    return f"Each pixel was described by {numbers_of(len(found), 'feature')}{some}: {named}."


def _samples(numbers: Mapping[str, Any], p: Mapping[str, Any]) -> str:
    names = [row["name"] for row in numbers["classes"]["classes"]]
    what = "row" if numbers["data"]["table"] else "pixel"
    trained = ""
    if isinstance(p.get("per_class"), int):
        trained = f"; at most {p['per_class']:,} of each class trained a model"
    tested = numbers_of(numbers["pixels"], f"labelled {what}")
    return f"The {len(names)} classes ({', '.join(names)}) had {tested}{trained}."


def _split(numbers: Mapping[str, Any]) -> str:
    also = f", and, for comparison, in {numbers['further_separation']}" if numbers["further_separation"] else ""
    return (
        f"Models were tested by cross-validation in {numbers['separation']}{also}; no setting was tuned on test folds."
    )


def _models(numbers: Mapping[str, Any]) -> str:
    models = [f"{name}: {run['about']['model']}" for name, run in numbers["runs"].items()]
    were = "was tested" if len(models) == 1 else "were compared on the same folds"
    return f"{numbers_of(len(models), 'model')} {were} ({'; '.join(models)})."


def _estimators(numbers: Mapping[str, Any]) -> str:
    return (
        f"We report overall accuracy, macro-averaged F1, precision, recall, F1 and intersection over union of each "
        f"class, and quantity and allocation disagreement, with {numbers['confidence']:.0%} intervals from "
        f"{numbers['parameters']['resamples']:,} bootstrap resamples of whole blocks (BCa); models were compared on "
        f"the same resamples, corrected for the number of pairs (Holm)."
    )


def _survey(numbers: Mapping[str, Any]) -> str:
    survey = numbers.get("survey")
    if not survey:
        return "No probability sample of the map was interpreted, so neither its accuracy nor areas are reported."
    return (
        f"Accuracy of the map and class areas were estimated from {numbers_of(survey['points'], 'point')}, "
        f"{survey['how']} and interpreted by a person on images of {survey['reference_date']}, with the stratified "
        f"estimators and {survey['confidence']:.0%} intervals (Wilson's, with the effective number of points)."
    )


def _trust(numbers: Mapping[str, Any]) -> str:
    if not numbers["trust"]:
        return ""
    p = numbers["parameters"]
    by_class = "within each class" if p["sets_by_class"] else "over all classes"
    density = " and local point density" if p["density"] else ""
    return (
        f"The area of applicability{density} was measured against training samples outside the own fold, and conformal "
        f"class sets were calibrated on whole folds for an error rate of {p['error_rate']:g} {by_class}."
    )


def _software(numbers: Mapping[str, Any]) -> str:
    versions = numbers["versions"]
    named = [f"{name} {version}" for name, version in versions.items() if name not in ("lulc_kit", "python")]
    return f"Computed with lulc_kit {versions['lulc_kit']} on Python {versions['python']} ({', '.join(named)})."
