"""Fitted models that predict the same as scikit-learn's, but faster: for maps."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from lulc_kit.baselines.forest import Forest

# Blocks are classified on threads of dask's. There scikit-learn-intelex warns for each that it takes all processors,
# which it is to do. Here, because the workers of a cluster load this module with a model.
warnings.filterwarnings("ignore", "'Threading' parallel backend is not supported", UserWarning, "daal4py")


@dataclass(frozen=True)
class _Chain:
    """Steps that change the features, and a faster classifier at their end."""

    steps: Pipeline
    last: Any

    @property
    def classes_(self) -> npt.NDArray[np.integer]:
        found: npt.NDArray[np.integer] = self.last.classes_
        return found

    def predict_proba(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = self.last.predict_proba(self.steps.transform(samples))
        return found


def accelerate(estimator: Pipeline) -> Any:
    """Return what predicts the same as a pipeline, but faster; where there is no faster way, the pipeline itself.

    A random forest's probabilities stay the same to the last bit (`forest`). k-nearest neighbours are
    searched by scikit-learn-intelex where it is installed; both search exhaustively, and where two training samples
    are equally far the votes may differ.
    """
    classifier = estimator[-1]
    if type(classifier) is RandomForestClassifier:
        return _Chain(estimator[:-1], Forest(classifier))
    if type(classifier) is not KNeighborsClassifier:
        return estimator
    try:
        from sklearnex.neighbors import KNeighborsClassifier as Fast
    except ImportError:
        return estimator
    fast = Fast(classifier.n_neighbors, algorithm="brute", weights=classifier.weights)
    fast.fit(classifier._fit_X, classifier.classes_[classifier._y])
    return _Chain(estimator[:-1], fast)
