"""Fitted models that predict the same as scikit-learn's, but faster: for maps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from lulc_kit.baselines.forest import Forest


@dataclass(frozen=True)
class _Chain:
    """Steps that change the features, and a forest at their end."""

    steps: Pipeline
    forest: Forest

    @property
    def classes_(self) -> npt.NDArray[np.integer]:
        return self.forest.classes_

    def predict_proba(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        return self.forest.predict_proba(self.steps.transform(samples))


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
    return Pipeline([*estimator.steps[:-1], (estimator.steps[-1][0], fast)])
