"""Fitted models as files that run no code when opened (skops)."""

from pathlib import Path

import skops.io
from sklearn.pipeline import Pipeline

from lulc_kit import files
from lulc_kit.errors import FormatError, LulcError

TRUSTED = [
    "lulc_kit.baselines.estimators.WeightedNeighbours",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
]
"""What stored pipelines consist of beyond what skops trusts by itself: numbers, and how scikit-learn uses them."""


def save(model: Pipeline, path: Path) -> None:
    """Store a model with skops (no pickle, so opening the file can run no code); a LulcError if it would not load."""
    with files.replacing(path) as part:
        skops.io.dump(model, part)
        if unknown := _unknown(part):
            raise LulcError(
                f"The model holds {', '.join(unknown)}, which this kit does not load again. Choose another classifier, "
                f"or other settings."
            )


def load(path: Path) -> Pipeline:
    """Load a model stored by `save`; a LulcError if it is none or holds anything else."""
    try:
        if unknown := _unknown(path):
            raise FormatError(f"{path} holds {', '.join(unknown)}, which this kit never writes. It is not loaded.")
        if isinstance(model := skops.io.load(path, trusted=TRUSTED), Pipeline) and len(model.classes_):
            return model
    except LulcError:
        raise
    except Exception as error:  # of the archive, of its schema, of the classes that this names
        raise FormatError(f"{path} is not a model of this kit ({str(error)[:200]}). Run notebook 06 again.") from error
    raise FormatError(f"{path} holds no model but a {type(model).__name__}. Run notebook 06 again.")


def _unknown(path: Path) -> list[str]:
    return [kind for kind in skops.io.get_untrusted_types(file=path) if kind not in TRUSTED]
