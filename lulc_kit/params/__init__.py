"""The parameters of each notebook: names, types, bounds, defaults, and a line of help.

One pydantic model per notebook, a module each. Unknown names and wrong types are refused. The defaults are those of
the study ``havelland`` and equal the notebook's ``parameters`` cell (a test holds them together).
"""

from lulc_kit.errors import ParameterError
from lulc_kit.params.base import Parameters
from lulc_kit.params.baselines import Baselines
from lulc_kit.params.download import Download, Scene
from lulc_kit.params.evaluate import Evaluate
from lulc_kit.params.fcn import FCN
from lulc_kit.params.features import External, Features
from lulc_kit.params.files import load
from lulc_kit.params.lstm import LSTM
from lulc_kit.params.preprocess import Preprocess
from lulc_kit.params.runs import RunParameters, Travelling
from lulc_kit.params.samples import Samples
from lulc_kit.params.visualize import Visualize

NOTEBOOKS: dict[str, type[Parameters]] = {
    model.notebook: model
    for model in (Download, Preprocess, Visualize, Features, Samples, Baselines, FCN, LSTM, Evaluate)
}


def model_of(step: str) -> type[Parameters]:
    """Return the model for a step's name such as ``06_rf``: its number names the notebook."""
    for notebook, model in NOTEBOOKS.items():
        if notebook[:3] == step[:3] and (notebook == step or "run" in model.model_fields):
            return model
    raise ParameterError(
        f"There is no notebook for the parameter file {step}.yaml. The files are named after the notebook "
        f"({', '.join(n for n, m in NOTEBOOKS.items() if 'run' not in m.model_fields)}) or after its number and the "
        f"run ({', '.join(f'{n[:2]}_<run>' for n, m in NOTEBOOKS.items() if 'run' in m.model_fields)})."
    )


__all__ = [
    "FCN",
    "LSTM",
    "NOTEBOOKS",
    "Baselines",
    "Download",
    "Evaluate",
    "External",
    "Features",
    "Parameters",
    "Preprocess",
    "RunParameters",
    "Samples",
    "Scene",
    "Travelling",
    "Visualize",
    "load",
    "model_of",
]
