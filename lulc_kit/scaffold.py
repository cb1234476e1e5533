"""Parameter folders for new studies."""

import re
import shutil
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


def new(name: str, like: str | None = None) -> Path:
    """Make ``params/<name>``: from a study that exists, or with every parameter explained.

    Raises
    ------
    LulcError
        If the name is not usable or taken, or there is no such study to copy.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_\-]*", name):
        raise ParameterError(f"{name!r} cannot be the name of a study: use letters, digits, _ and -.")
    folder = files.project_folder() / "params" / name
    if folder.exists():
        raise ParameterError(f"{folder} exists already. Choose another name, or edit the files there.")
    if like is None:
        texts = {step: commented(step, {"study": name} | values) for step, values in OWN.items()}
    else:
        from lulc_kit.run import folder_of

        texts = {
            path.stem: re.sub(r"(?m)^study:.*$", f"study: {name}", path.read_text(encoding="utf-8"))
            for path in sorted(folder_of(like).glob("*.yaml"))
        }
    try:
        folder.mkdir(parents=True)
        for step, text in texts.items():
            (folder / f"{step}.yaml").write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise LulcError(f"{folder} could not be written ({error}). Run lulc where you may write.") from error
    return folder


def commented(step: str, values: dict[str, Any]) -> str:
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
