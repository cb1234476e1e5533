"""Parameter folders for new studies."""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lulc_kit import files, params
from lulc_kit.errors import LulcError, ParameterError

# Values that a study of one's own begins with, where they differ from the defaults.
OWN: dict[str, dict[str, Any]] = {
    "01_download": {
        "source": "files",
        "scenes": [
            {
                "date": "2023-06-15",
                "level": "L2A",
                "bands": {b: f"data/my_area/B{b[1:]:0>2}.tif" for b in ("B2", "B3", "B4", "B8", "B11", "B12")},
                "scl": "data/my_area/SCL.tif",
            }
        ],
        "reference": "data/my_area/polygons.gpkg",
    },
    "02_preprocess": {"mask": "scl"},
    "03_visualize": {"composites": [["B4", "B3", "B2"], ["B8", "B4", "B3"], ["B12", "B11", "B4"]]},
    "04_features": {
        "bands": ["B2", "B3", "B4", "B8", "B11", "B12"],
        "indices": ["NDVI", "EVI2", "BI2", "MNDWI", "NDBI_B8"],
    },
    "05_samples": {
        "field": "class",
        "classes": {n: [n] for n in ("Build-up", "Farmland", "Forest", "Meadow", "Water")},
    },
    "06_knn": {"run": "knn", "model": "knn"},
    "06_rf": {"run": "rf", "model": "rf"},
    "07_fcn": {"run": "fcn"},
    "09_evaluate": {},
}

SEEN = ("01_download", "02_preprocess", "03_visualize")
"""Steps of a study of which one has an area and days, and no labels: what can be done without."""

CAUTION = """\
# The reference is a map that a network made. Where it is wrong, so are these labels, and the numbers of notebook 09 say
# how well a classifier imitates it, not how well it maps the ground. Give polygons of your own as 'validation' to learn
# that (docs/download.md).
"""
_TO_WORKFLOW: dict[str, dict[str, list[int]]] = {
    "esri": {
        "Build-up": [7],
        "Farmland": [5],
        "Forest": [2],
        "Meadow": [3, 6, 11],
        "Water": [1],
        "Other land": [8, 9],
    },
    "worldcover": {
        "Build-up": [50],
        "Farmland": [40],
        "Forest": [10, 95],
        "Meadow": [30],
        "Water": [80],
        "Other land": [20, 60, 70, 90, 100],
    },
}
"""Values of reference maps in the six classes of the source workflow; what is missing gets no label."""


def new(
    name: str,
    like: str | None = None,
    area: Sequence[float] | None = None,
    dates: Sequence[str] | None = None,
    reference: str | None = None,
    apply: str | None = None,
) -> Path:
    """Make ``params/<name>``: from a study that exists, or with every parameter explained.

    Parameters
    ----------
    name
        Of the study and its folder.
    like
        Copy this study.
    area
        Left, bottom, right, top in degrees: scenes of it are searched and fetched.
    dates
        First and last day of these, ``YYYY-MM-DD``.
    reference
        What the labels of such a study are: a file of one's own, ``"esri"`` or ``"worldcover"``. Without, the study
        ends with the pictures of notebook 03, or with the maps of ``apply``.
    apply
        ``study`` or ``study/run``: make the features as that study does, and map with its models, which have been
        trained. With labels (``reference``) the same models are trained here too, so that 09 says what travelling
        costs.

    Raises
    ------
    LulcError
        If the name is not usable or taken, there is no such study to copy, or area and dates are not both given.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_\-]*", name):
        raise ParameterError(f"{name!r} cannot be the name of a study: use letters, digits, _ and -.")
    folder = files.project_folder() / "params" / name
    if folder.exists():
        raise ParameterError(f"{folder} exists already. Choose another name, or edit the files there.")
    if like is not None and apply is not None:
        raise ParameterError("--like copies a study, --apply uses its models: give one of them.")
    labelled_elsewhere = reference and area is None and apply is None
    if (area is None) != (dates is None) or (like is not None and area is not None) or labelled_elsewhere:
        raise ParameterError(
            "A study of an area needs --area LEFT BOTTOM RIGHT TOP and --dates FIRST LAST together, and neither --like "
            "nor, without them or --apply, --reference."
        )
    of_area = _of_area(area, dates, reference) if area and dates else {}
    if like is not None:
        texts = _copy(like, name)
    elif apply is not None:
        texts = _explain(_applied(apply, name, of_area, reference), name)
    else:
        texts = _explain(of_area or OWN, name)
        if reference in _TO_WORKFLOW:
            texts["05_samples"] = CAUTION + texts["05_samples"]
    try:
        folder.mkdir(parents=True)
        for step, text in texts.items():
            (folder / f"{step}.yaml").write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise LulcError(f"{folder} could not be written ({error}). Run lulc where you may write.") from error
    return folder


def _copy(like: str, name: str) -> dict[str, str]:
    """Return the parameter files of a study under another name, by step."""
    from lulc_kit.run import files_of, folder_of

    return {
        path.stem: re.sub(r"(?m)^study:.*$", f"study: {name}", path.read_text(encoding="utf-8"))
        for path in files_of(folder_of(like))
    }


def _explain(values: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, str]:
    """Return the parameter files of a study with these values, every parameter explained, by step."""
    for step, chosen in values.items():
        params.model_of(step).check({"study": name} | dict(chosen), f"lulc new {name}")
    return {step: comment(step, {"study": name} | dict(chosen)) for step, chosen in values.items()}


def _of_area(area: Sequence[float], dates: Sequence[str], reference: str | None) -> dict[str, dict[str, Any]]:
    """Return the parameters of a study whose scenes are searched."""
    found: dict[str, dict[str, Any]] = {
        "01_download": {
            "source": "stac",
            "area": list(area),
            "dates": list(dates),
            "reference": reference,
            "dem": "cop-dem-glo-30",
            "roads": "osm",
        },
        "02_preprocess": {"mask": "scl"},
        "03_visualize": {"composites": OWN["03_visualize"]["composites"]},
        "04_features": {},
        "05_samples": OWN["05_samples"],
        **{step: values for step, values in OWN.items() if step > "06"},
    }
    if reference in _TO_WORKFLOW:
        found["05_samples"] = {"field": None, "classes": _TO_WORKFLOW[reference], "homogeneous": 3}
    return {step: values for step, values in found.items() if reference or step in SEEN}


ELSEWHERE = {"02_preprocess": ("crs", "bbox", "dates", "composite_dates"), "04_features": ("time_dates",)}
"""Parameters that say where and when a study is: they do not hold elsewhere."""
MAPPING = {"06": (), "07": ("flips",), "08": ("network", "sequences", "length", "gaps", "draws", "flips")}
"""By notebook: parameters of a run that also a model from elsewhere asks for."""


def _applied(
    apply: str, name: str, of_area: dict[str, dict[str, Any]], reference: str | None
) -> dict[str, dict[str, Any]]:
    """Return the parameters of a study that another one's models map, by step."""
    from lulc_kit.run import files_of, folder_of

    origin, _, only = apply.partition("/")
    paths = {path.stem: path for path in files_of(folder_of(origin))}
    there = {step: params.load(path) for step, path in paths.items()}
    study = str(there.get("04_features", {}).get("study", origin))
    known = [step for step in there if step[:2] in MAPPING]
    runs = [step for step in known if only in ("", step[3:])]
    if not runs or "04_features" not in there:
        listed = ", ".join(step[3:] for step in known) or "none"
        raise ParameterError(f"--apply {apply}: {origin} has no such run of notebooks 06 to 08. Its runs: {listed}.")
    found = {step: there[step] for step in (*SEEN, "04_features") if step in there}
    found["01_download"] = of_area.get("01_download", found.get("01_download", {}) | {"reference": reference})
    for step, names in ELSEWHERE.items():
        found[step] = {k: v for k, v in found.get(step, {}).items() if k not in names}
    found["04_features"] = found["04_features"] | {"fitted_in": found["04_features"].get("fitted_in") or study}
    for step in runs:
        travelled = f"{step[3:]}_from_{study}"
        values = {"run": travelled, "trained": there[step].get("trained") or f"{study}/{step[3:]}"}
        values |= {name: there[step][name] for name in MAPPING[step[:2]] if name in there[step]}
        found[f"{step[:2]}_{travelled}"] = values | ({"dates": None} if step.startswith("08") else {})
    if reference:
        labels = there.get("05_samples", {})
        found["05_samples"] = of_area["05_samples"] if reference in _TO_WORKFLOW and of_area else labels
        found |= {step: there[step] for step in runs if "trained" not in there[step]}
        judged = there.get("09_evaluate", {})
        whole = {step[3:] for step in runs} >= {*(judged.get("ensemble") or [])}  # of runs that come along
        found["09_evaluate"] = judged if whole else {k: v for k, v in judged.items() if k != "ensemble"}
    return {step: found[step] | {"study": name} for step in sorted(found)}


def comment(step: str, values: dict[str, Any]) -> str:
    """Return a parameter file's text: each parameter under a line that explains it."""
    model = params.model_of(step)
    lines = [f"# {(model.__doc__ or '').strip()}"]
    for name, field in model.model_fields.items():
        if name == "outputs":
            continue
        value = values.get(name, field.get_default(call_default_factory=True))
        lines += ["", f"# {field.description}"]
        flow = None if isinstance(value, list | dict) else False  # [B2, B3], but not {name: value}
        text = yaml.safe_dump({name: value}, sort_keys=False, allow_unicode=True, default_flow_style=flow, width=110)
        lines.append(text.rstrip())
    return "\n".join(lines) + "\n"
